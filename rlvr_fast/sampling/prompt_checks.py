"""Checks of rendered prompts: what was given has to stand in them."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import escape

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.sampling.engine import Engine
from rlvr_fast.sampling.prompts import Template
from rlvr_fast.store.rollouts.question_keys import question_key

if TYPE_CHECKING:
    from rlvr_fast.tasks import Problem

__all__ = ["check_held", "check_questions", "check_read", "first_prompt", "holds"]

# Questions that are asked before those of the problems.
_PROBES = ("Is 91 a prime number?", "Name a river of Africa.")
# A shorter question may stand in a text of examples by chance.
_FEWEST = 20
# Of a long prompt the beginning and the end are shown.
_HEAD, _TAIL = 2_000, 1_000


def check_held(
    form: Template,
    problems: Sequence[Problem],
    instructions: Sequence[str],
    prompts: Sequence[str],
    engine: Engine,
) -> None:
    """Refuses a chat template whose prompts leave out the questions, or what stands before them.

    Args:
        form: the template.
        problems: the problems.
        instructions: what stands below each question.
        prompts: the prompts of the problems.
        engine: renders the prompts of two more questions, which no template can know.

    Raises:
        InvalidInputError: such a template; the message names what is left out.
    """
    asked = [(f"problem {problem.problem_id!r}", problem.question) for problem in problems]
    asked += [(f"question {probe!r}", probe) for probe in _PROBES]
    below = [*instructions, *("" for _ in _PROBES)]
    told = [*prompts, *(form.render(probe, engine) for probe in _PROBES)]
    for (what, question), instruction, prompt in zip(asked, below, told, strict=True):
        if not holds(prompt, question):
            raise InvalidInputError(
                f"the chat template of {engine.model} gives the {what} a prompt that does not hold "
                "the question; use --template plain, or a text file that holds {question}"
            )
        if instruction and not holds(prompt, instruction):
            raise InvalidInputError(
                f"the chat template of {engine.model} gives the {what} a prompt that does not hold "
                "the instruction below the question; use --instruction none"
            )
    for part, text in form.held():
        if not holds(told[0], text):
            raise InvalidInputError(
                f"the chat template of {engine.model} leaves the {part} out of the prompt, or a "
                "part of it, as thoughts of earlier turns; leave it out yourself, or write the "
                "whole prompt into a text file that holds {question} and name it with --template"
            )


def check_questions(form: Template, problems: Sequence[Problem], engine: Engine) -> None:
    """Warns of questions that the examples show, and of those that hold marks of the tokenizer.

    Args:
        form: the template.
        problems: the problems.
        engine: knows the special tokens, where it has a tokenizer.
    """
    if shown_ids := _shown_questions(form, problems):
        _warn(
            f"the examples hold {_counted(shown_ids, problems)} as well: its answer is shown "
            "before it is asked; take other examples, or leave the problem out"
        )
    texts: list[str] = getattr(engine, "special_texts", list)()
    marks = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)")
    marked = {p.problem_id: found[0] for p in problems if (found := marks.search(p.question))}
    if marked:
        first = next(iter(marked.values()))
        _warn(
            f"the question of {_counted(list(marked), problems)} holds {shown(first)}, which the "
            f"tokenizer of {engine.model} reads as a special token and not as text: it may end "
            "the question where it stands"
        )


def _shown_questions(form: Template, problems: Sequence[Problem]) -> list[str]:
    """The ids of the problems whose question is one of the examples."""
    if form.examples is None:
        return []
    pairs = {question_key(question) for question, _ in form.examples.pairs}
    text = " ".join(form.examples.text.split())
    keys = {problem.problem_id: question_key(problem.question) for problem in problems}
    return [
        name for name, key in keys.items() if key in pairs or (len(key) >= _FEWEST and key in text)
    ]


def _counted(ids: Sequence[str], problems: Sequence[Problem]) -> str:
    more = f" and {len(ids) - 1:,} more of {len(problems):,}" if len(ids) > 1 else ""
    return f"problem {ids[0]!r}{more}"


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)


def holds(prompt: str, text: str) -> bool:
    """Whether a prompt holds a text, but for blanks, case and the escapes of JSON or HTML."""
    said = " ".join(prompt.split()).casefold()
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    forms = (text, plain, json.dumps(text)[1:-1], str(escape(text)))
    return any(" ".join(form.split()).casefold() in said for form in forms)


def check_read(
    form: Template, problem: Problem, prompt: str, token_ids: Sequence[int], engine: Engine
) -> None:
    """Warns where a server's chat template may never read the arguments that it is sent.

    Args:
        form: a template of messages with arguments.
        problem: a problem.
        prompt: its messages.
        token_ids: its prompt as the server tells it; empty where it does not.
        engine: the server.
    """
    names = ", ".join(form.arguments)
    if not token_ids:
        warnings.warn(
            f"{engine.model}: its server tells no prompts, so whether its chat template reads "
            f"{names} is not known",
            UserWarning,
            stacklevel=2,
        )
        return
    bare = json.dumps(json.loads(prompt)["messages"], ensure_ascii=False)
    if engine.encode([bare])[0] == list(token_ids):
        warnings.warn(
            f"{engine.model}: its server makes the same prompt of problem {problem.problem_id!r} "
            f"with and without {names}: the chat template does not read it, or this is its default",
            UserWarning,
            stacklevel=2,
        )


def first_prompt(problem_id: str, prompt: str) -> str:
    """The prompt of the first problem for the user; of a long one the beginning and the end."""
    left_out = len(prompt) - _HEAD - _TAIL
    if left_out > 0:
        prompt = f"{prompt[:_HEAD]} [... {left_out:,} characters ...] {prompt[-_TAIL:]}"
    lines = "\n".join(f"| {line}" for line in prompt.split("\n"))
    return f"the prompt of the first problem, {problem_id}:\n{lines}"

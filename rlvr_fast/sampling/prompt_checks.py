"""Checks of rendered prompts: what was given has to stand in them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import escape

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.engine import Engine
from rlvr_fast.sampling.prompts import Template

if TYPE_CHECKING:
    from rlvr_fast.tasks import Problem

__all__ = ["check_held", "check_read", "first_prompt", "holds"]

# Questions that are asked before those of the problems.
_PROBES = ("Is 91 a prime number?", "Name a river of Africa.")
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
                f"the chat template of {engine.model} leaves the {part} out of the prompt; leave "
                "it out yourself, or write the whole prompt into a text file that holds "
                "{question} and name it with --template"
            )


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

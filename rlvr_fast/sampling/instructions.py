"""The instruction below the questions: asked for, of the kind of task, or of the run on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlvr_fast.errors import RlvrError
from rlvr_fast.sampling.prompts import Template, asks_for_mark
from rlvr_fast.store import Run
from rlvr_fast.tasks.schemes import scheme_of

if TYPE_CHECKING:
    from rlvr_fast.tasks import Problem, Task

__all__ = ["choose_instructions"]


def choose_instructions(
    wanted: str,
    form: Template,
    tasks: Sequence[Task],
    problems: Sequence[Problem],
    *,
    path: str | Path,
    tell: Callable[[str], None],
) -> tuple[Template, list[str]]:
    """The instruction of each problem.

    "auto" is the instruction of the kind of task, below questions with a gold answer, where
    neither the question nor what stands around it asks for a box or an answer tag; a template of
    the user's own file is taken as it is. A run that exists goes on with the instruction that it
    was made with.

    Args:
        wanted: "auto", "none" or a text, which is put below every question.
        form: the template without its instruction.
        tasks: where the problems come from.
        problems: the problems.
        path: the run directory.
        tell: called with a sentence for the user where "auto" decides.

    Returns:
        The template with its instruction, and the text below each question, empty for none.
    """
    if wanted != "auto":
        text = "" if wanted == "none" else wanted
        return replace(form, instruction=text), [text] * len(problems)
    texts = _of_tasks(form, tasks, problems)
    joined = "\n".join(dict.fromkeys(filter(None, texts)))
    before = _recorded(path)
    if before is not None and before != joined:
        tell(
            f"{path}: its questions have {_words(before)} below them, and go on with it; a new run "
            f"would have {_words(joined)}"
        )
        joined, texts = before, [before] * len(problems)
    elif joined:
        tell(f"below the questions stands: {joined} (--instruction none leaves it out)")
    return replace(form, instruction=joined), texts


def _of_tasks(form: Template, tasks: Sequence[Task], problems: Sequence[Problem]) -> list[str]:
    if form.name not in ("plain", "chat") or form.asks_for_mark:
        return [""] * len(problems)
    known = {task.name: _instruction(task) for task in tasks}
    return [
        "" if problem.gold is None or asks_for_mark(problem.question) else known[problem.task]
        for problem in problems
    ]


def _instruction(task: Task) -> str:
    try:
        return scheme_of(task.spec).instruction
    except RlvrError:  # a task made in Python, of no kind
        return ""


def _recorded(path: str | Path) -> str | None:
    """The instruction of the run at `path`, None where there is no run that can be read."""
    try:
        text = Run.open(path, check=False).info.prompt_template.get("instruction", "")
    except RlvrError:  # what is wrong with it is said where the run is opened
        return None
    return text if isinstance(text, str) else None


def _words(instruction: str) -> str:
    return f"the instruction {instruction!r}" if instruction else "no instruction"

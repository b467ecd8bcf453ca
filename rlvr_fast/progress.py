"""How a long stage tells its caller how much of the work is done; the command line draws it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "named", "steps"]

# Called as progress(stage, done, total) whenever `done` has changed; done and total count the same
# unit (draws, answers, sequences), and total is 0 while it is not known. A stage calls it from the
# thread that called the stage.
Progress = Callable[[str, int, int], None]


def steps(progress: Progress | None, stage: str, total: int) -> Callable[[], None]:
    """Reports the progress of a stage of `total` steps.

    Args:
        progress: called with 0 steps done at once, and again after each step; None reports nothing.
        stage: name of the stage.
        total: number of steps.

    Returns:
        A function to call once after each step.
    """
    done = -1

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(stage, done, total)

    step()
    return step


def named(progress: Progress | None, name: str) -> Progress | None:
    """The progress of a stage, with `name` behind the name of the stage."""
    if progress is None:
        return None

    def report(stage: str, done: int, total: int) -> None:
        progress(f"{stage} {name}", done, total)

    return report

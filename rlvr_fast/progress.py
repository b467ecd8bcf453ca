"""How a long stage tells its caller how far it is; the command line draws it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "steps"]

# Called as progress(stage, done, total) whenever `done` has moved; done and total count the same
# unit (draws, answers, sequences). A stage calls it from the thread that called the stage.
Progress = Callable[[str, int, int], None]


def steps(progress: Progress | None, stage: str, total: int) -> Callable[[], None]:
    """A function to call once after each of `total` steps; says at once that none is done."""
    done = -1

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(stage, done, total)

    step()
    return step

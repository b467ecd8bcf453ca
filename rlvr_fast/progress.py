"""How a long stage tells its caller how far it is; the command line draws it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress"]

# Called as progress(stage, done, total) whenever `done` has moved; done and total count the same
# unit (draws, answers, sequences). A stage calls it from the thread that called the stage.
Progress = Callable[[str, int, int], None]

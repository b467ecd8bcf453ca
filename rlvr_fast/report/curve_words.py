"""Sentences about two pass@k curves: where they cross, and how far they lie apart."""

from __future__ import annotations

import numpy as np

from rlvr_fast.metrics import Crossover, CurveInterval

__all__ = ["crossover_sentence", "difference_sentences"]

# Below this number of tasks the page says that the interval for new tasks is wide.
_FEW_TASKS = 6


def crossover_sentence(found: Crossover | None) -> str:
    """Where the two curves cross, and whether the samples decide it, in plain words."""
    if found is None:
        return ""
    end = f"k = {found.max_k:,}"
    if found.verdict == "crosses":
        low = "base ahead from the first sample" if found.low <= 1 else _round(found.low)
        high = f"no crossing up to {end}" if np.isinf(found.high) else _round(found.high)
        text = (
            f"In these draws the curves cross at k* ≈ {_round(found.k)} (95% interval for new "
            f"problems: {low} to {high}): "
        )
        if found.certain:
            text += "with fewer samples RL is ahead, with more the base model is."
        elif found.low <= 1 and np.isinf(found.high):
            text += (
                f"neither that the base model is ahead at every k nor that RL is ahead at {end} is "
                "excluded."
            )
        elif np.isinf(found.high):
            text += f"that RL is ahead at {end} is not excluded."
        else:
            text += "that the base model is ahead at every k is not excluded."
    elif found.verdict == "base ahead":
        text = f"In these draws the base model is ahead at every k up to {end}. "
        if found.high <= 1:
            text += "That RL is ahead at any k is excluded (95% interval)."
        elif np.isinf(found.high):
            text += f"That RL is ahead at {end} is not excluded (95% interval)."
        else:
            text += f"That RL is ahead below k ≈ {_round(found.high)} is not excluded."
    else:
        ahead = "RL is ahead at" if found.verdict == "rl ahead" else "the curves end level at"
        text = f"In these draws {ahead} {end}. "
        if found.excluded:
            text += "That the base model is ahead there is excluded (95% interval)."
        elif found.low <= 1:
            text += (
                "That the base model is ahead there, even from the first sample, is not excluded."
            )
        else:
            text += (
                f"That the base model is ahead there, from k ≈ {_round(found.low)} on at the "
                "earliest, is not excluded (95% interval)."
            )
    if len(found.crossings) > (found.verdict == "crosses"):
        text += " " + _every_crossing(found)
    return text


def _every_crossing(found: Crossover) -> str:
    """All changes of sign, where there are others than k*."""
    names = {"base": "the base model", "rl": "RL"}
    each = [f"to {names[one.ahead]} at k ≈ {_round(one.k)}" for one in found.crossings]
    times = "once" if len(each) == 1 else f"{len(each)} times"
    return f"The lead changes {times}: {', '.join(each)}."


def difference_sentences(
    difference: CurveInterval, new_tasks: CurveInterval | None, *, tasks: int
) -> list[str]:
    """RL minus base at the first and the last k, for these tasks and for new ones.

    Args:
        difference: RL minus base for new problems of the same tasks.
        new_tasks: RL minus base for new tasks; None where there is one task.
        tasks: number of tasks.

    Returns:
        No sentence where there is no interval.
    """
    known = np.flatnonzero(np.isfinite(difference.low))
    if not known.size:
        return []
    sentences = []
    for i in sorted({int(known[0]), int(known[-1])}):
        value = _signed(float(difference.value[i]))
        text = f"At k = {int(difference.k[i]):,}, RL − base is {value}: 95% interval "
        fixed = _interval_text(difference, i)
        if new_tasks is None:
            text += f"{fixed} for new problems of this task."
        else:
            text += (
                f"{fixed} for new problems of these {tasks} tasks, "
                f"{_interval_text(new_tasks, i)} for new tasks of this kind."
            )
        sentences.append(text)
    if new_tasks is not None and tasks < _FEW_TASKS:
        sentences.append(
            f"{tasks} tasks show little of how far other tasks may differ: the interval for new "
            "tasks allows for that, and is wide."
        )
    return sentences


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _interval_text(found: CurveInterval, i: int) -> str:
    return f"{_signed(float(found.low[i]))} to {_signed(float(found.high[i]))}"


def _round(k: float | None) -> str:
    if k is None:
        return "–"
    return f"{k:,.0f}" if k >= 10 else f"{k:.2g}"

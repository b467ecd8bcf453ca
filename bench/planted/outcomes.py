"""The outcome of a simulated study, and what the rates over many of them say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Held", "Hits", "held", "inside", "verdict"]

Hits = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """Whether an interval held the truth, and its width beside that of another method.

    Attributes:
        hit: whether low <= truth <= high.
        width: high - low.
        other: the width of the other method on the same data; nan where it gives no interval.
        rival: the name of the other method.
        other_hit: whether the other method's interval held the truth.
    """

    hit: bool
    width: float
    other: float
    rival: str
    other_hit: bool


def limits(interval: Any) -> tuple[float, float]:
    """The two limits of an Estimate, or of a (low, high) pair."""
    low, high = (interval.low, interval.high) if hasattr(interval, "low") else interval
    return float(low), float(high)


def inside(interval: Any, truth: float) -> bool:
    """Whether an Estimate or a (low, high) pair holds the truth."""
    low, high = limits(interval)
    return bool(low - 1e-12 <= truth <= high + 1e-12)


def held(interval: Any, truth: float, other: Any, rival: str) -> Held:
    """The outcome of an interval beside that of another method on the same data."""
    low, high = limits(interval)
    other_low, other_high = limits(other)
    return Held(
        inside(interval, truth), high - low, other_high - other_low, rival, inside(other, truth)
    )


_ALARM = ("false", "any discovery", "alarm", "claim")


def verdict(what: str, rates: list[float], repetitions: int) -> str:
    """The rates in words, by the words of `what`.

    "false", "alarm", "claim" and "any discovery" name error rates: at most 5 %, or the "at most
    X %" that `what` states, with three standard errors of the repetitions. "(share)" is a share
    without a bound. "power" is better where higher. Everything else is coverage: 93 to 98 % is as
    stated, more is conservative.
    """
    if what.startswith("split_half_null"):
        return "expected and seen agree"
    if "(share)" in what and "false" not in what:
        return "how often it answers"
    if "power" in what:
        return "power"
    if any(word in what for word in _ALARM):
        stated = re.search(r"at most ([0-9.]+) %", what)
        bound = float(stated[1]) / 100 if stated else 0.05
        slack = 3 * np.sqrt(bound * (1 - bound) / max(repetitions, 1))
        return f"at most {bound:.0%}" if max(rates) <= bound + slack else "**too often**"
    if min(rates) < 0.93 - 3 * np.sqrt(0.93 * 0.07 / max(repetitions, 1)):
        return "**does not cover**"
    return "covers" if max(rates) <= 0.98 else "covers, conservative in places"

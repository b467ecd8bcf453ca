"""The outcome of a simulated study, and what the rates over many of them say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Held", "Hits", "held", "inside", "kind", "limits", "verdict"]

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


def kind(what: str) -> str:
    """What the rates under a name are: "coverage", "alarm", "share", "power", "rival"...

    "false", "alarm", "claim" and "any discovery" name error rates, "(share)" a share without a
    bound, "power" and "excludes 0" the rate of right claims, "paired t" another method.
    """
    if what.startswith("split_half_null"):
        return "other"
    if what.startswith(("paired t", "width over", "distance below")):
        return "rival"
    if "excludes 0" in what:
        return "alarm" if "equal models" in what else "power"
    if "power" in what:
        return "power"
    if "(share)" in what and "falsely" not in what:
        return "share"
    return "alarm" if any(word in what for word in _ALARM) else "coverage"


def verdict(what: str, rates: list[float], repetitions: int) -> str:
    """The rates in words.

    Error rates are at most 5 %, or the "at most X %" that `what` states, with three standard
    errors of the repetitions. Coverage of 93 to 98 % is as stated, more is conservative.
    """
    found = kind(what)
    if found == "alarm":
        stated = re.search(r"at most ([0-9.]+) %", what)
        bound = float(stated[1]) / 100 if stated else 0.05
        slack = 3 * np.sqrt(bound * (1 - bound) / max(repetitions, 1))
        return f"at most {100 * bound:g} %" if max(rates) <= bound + slack else "**too often**"
    if found == "coverage":
        if min(rates) < 0.93 - 3 * np.sqrt(0.93 * 0.07 / max(repetitions, 1)):
            return "**does not cover**"
        return "covers" if max(rates) <= 0.98 else "covers, conservative in places"
    words = {"other": "expected and seen agree", "share": "how often it answers", "power": "power"}
    words["rival"] = "for comparison"
    return words[found]

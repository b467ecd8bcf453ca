"""Several runs over the same problems at one depth: what the tables of many runs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlvr_fast.metrics import Draws, SupportInterval, pass_at_k, support_interval
from rlvr_fast.report.columns import LEVEL
from rlvr_fast.report.facts import count_of
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.table import Column, Kind

__all__ = [
    "depth_of_curves",
    "depth_text",
    "fewest_draws",
    "interval_columns",
    "limits",
    "reach",
    "shift_at",
    "whole",
]


def fewest_draws(draws: Sequence[Draws]) -> IntArray:
    """For each problem the least number of draws of any run, at which the runs are compared."""
    fewest: IntArray = np.min([d.num_samples for d in draws], axis=0)
    return fewest


def depth_of_curves(depth: IntArray) -> int:
    """The largest k such that nine of ten of the problems drawn by all have k draws of each run."""
    drawn = np.sort(depth[depth > 0])
    if not drawn.size:
        return 0
    needed = -(-9 * drawn.size // 10)
    return int(drawn[drawn.size - needed])


def shift_at(base: Draws, draws: Draws, depth: IntArray) -> SupportInterval:
    """Labels and ratios of one run against the base at a depth for each problem, with intervals.

    Args:
        base: counts of the base.
        draws: counts of the run, same problems.
        depth: draws of each problem, at most those of both; 0 leaves the problem out.
    """
    own = np.minimum(base.num_samples, draws.num_samples)
    at: Any = None if np.array_equal(own, depth) else depth
    return support_interval(base, draws, k=at, level=LEVEL)


def reach(draws: Draws, depth: IntArray) -> FloatArray:
    """Unbiased pass@depth of each problem at a depth of its own; 0 where the depth is 0."""
    out = np.zeros(depth.shape)
    for k in np.unique(depth[depth > 0]):
        at = depth == k
        out[at] = pass_at_k(draws.num_samples[at], draws.num_correct[at], int(k))
    return out


def depth_text(depth: IntArray) -> str:
    """The problems and their depth in words: "24 problems at 16 draws of every run"."""
    drawn = depth[depth > 0]
    if not drawn.size:
        return "no problem with draws of every run"
    least, most = int(drawn.min()), int(drawn.max())
    draws = count_of(least, "draw") if least == most else f"{least} to {most} draws"
    return f"{count_of(drawn.size, 'problem')} at {draws} of every run"


def interval_columns(key: str, title: str, kind: Kind, hint: str = "") -> tuple[Column, ...]:
    """The columns of an estimate and its limits."""
    return (
        Column(key, title, kind, hint),
        Column(f"{key}_low", "low", kind, "95 % interval"),
        Column(f"{key}_high", "high", kind, "95 % interval"),
    )


def limits(key: str, value: float, low: float = np.nan, high: float = np.nan) -> dict[str, float]:
    """The cells of `interval_columns`."""
    return {key: float(value), f"{key}_low": float(low), f"{key}_high": float(high)}


def whole(value: float) -> bool:
    """Whether a number is a whole number but for rounding; true for nan."""
    return bool(np.isnan(value)) or abs(value - round(value)) < 1e-9

"""What the samples do not show: what lies past n, and what was never drawn."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rlvr_fast.metrics import (
    CurveInterval,
    HoldOut,
    Plan,
    chao1,
    clopper_pearson,
    extrapolate_pass_at_k,
    good_turing,
    hold_out,
    plan,
)
from rlvr_fast.report.sides import VERDICTS, FloatArray, IntArray, Side

__all__ = [
    "Beyond",
    "UnseenAnswers",
    "UnseenByProblem",
    "gather_beyond",
    "unseen_answers",
    "unseen_of_group",
]

# Problems and samples below which a fitted law says nothing.
_LEAST_PROBLEMS = 8
_LEAST_SAMPLES = 64
_REPLICATES = 100


@dataclass(frozen=True, slots=True)
class UnseenAnswers:
    """Correct answers of one model on one group, seen and unseen.

    ``seen``: distinct ones drawn; ``richness``: Chao1's lower bound of how many there are, summed
    over problems; ``new_answer``: mean chance (Good-Turing) that a next draw is a correct answer
    not drawn before.
    """

    seen: int
    richness: float
    new_answer: float


@dataclass(frozen=True, slots=True)
class UnseenByProblem:
    """The same of one model for each problem, with 95 % intervals; mass is nan without draws."""

    seen: IntArray
    richness: FloatArray
    richness_low: FloatArray
    richness_high: FloatArray
    mass: FloatArray
    mass_low: FloatArray
    mass_high: FloatArray


@dataclass(frozen=True, slots=True)
class Beyond:
    """Estimates past the samples, for all problems together; None where there is too little data.

    ``extrapolated`` and ``held_out`` are by side, at doublings of n. ``unseen`` is by side what
    `unseen_answers` gives.
    """

    extrapolated: dict[str, CurveInterval]
    held_out: dict[str, HoldOut]
    plan: Plan
    unseen: dict[str, UnseenByProblem]


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    # The fits are thousands of steps on three numbers: a BLAS that wakes its threads for each of
    # them takes twenty to forty times as long on a busy machine.
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ImportError:
        yield
        return
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield


def gather_beyond(base: Side, rl: Side, zeta: float) -> Beyond:
    """Extrapolation with its own check, and where more samples would help."""
    with _one_blas_thread():
        return _gather(base, rl, zeta)


def _gather(base: Side, rl: Side, zeta: float) -> Beyond:
    extrapolated: dict[str, CurveInterval] = {}
    held_out: dict[str, HoldOut] = {}
    for side in (base, rl):
        drawn = side.num_samples > 0
        n, c = side.num_samples[drawn], side.num_correct[drawn]
        if n.size < _LEAST_PROBLEMS or n.min() < _LEAST_SAMPLES or c.sum() == 0:
            continue
        depth = int(n.min())
        ks = [depth << i for i in range(5)]
        extrapolated[side.name] = extrapolate_pass_at_k(n, c, ks, replicates=_REPLICATES)
        held_out[side.name] = hold_out(n, c, keep=depth // 8, replicates=_REPLICATES)
    return Beyond(
        extrapolated,
        held_out,
        plan(base.num_correct, base.num_samples, rl.num_correct, rl.num_samples, zeta=zeta),
        {side.name: unseen_answers(side, side.num_samples.size) for side in (base, rl)},
    )


def unseen_answers(side: Side, total: int) -> UnseenByProblem:
    """Per problem: distinct correct answers seen, Chao1's bound, Good-Turing's new-answer mass."""
    right = side.answers.verdict == VERDICTS.index("correct")
    problem, count = side.answers.problem[right], side.answers.count[right]
    bounds = np.searchsorted(problem, np.arange(total + 1))
    seen = np.diff(bounds).astype(np.int64)
    drawn = side.num_samples > 0
    # Without an answer drawn once both estimates add nothing, and the mass has a bound.
    richness = np.repeat(seen[np.newaxis].astype(np.float64), 3, axis=0)
    none = np.zeros(total, np.int64)
    mass = np.stack([none, none, clopper_pearson(side.num_samples, none).high])
    mass = np.where(drawn, mass, np.nan)
    for i in np.flatnonzero(seen):
        counts = count[bounds[i] : bounds[i + 1]]
        if counts.min() == 1:
            draws = int(side.num_samples[i])
            many, unseen = chao1(counts, draws=draws), good_turing(counts, draws=draws)
            richness[:, i] = many.value, many.low, many.high
            mass[:, i] = unseen.value, unseen.low, unseen.high
    return UnseenByProblem(seen, *richness, *mass)


def unseen_of_group(measured: UnseenByProblem, rows: IntArray) -> UnseenAnswers:
    """Sums and means over one group."""
    mass = measured.mass[rows]
    known = mass[np.isfinite(mass)]
    return UnseenAnswers(
        int(measured.seen[rows].sum()),
        float(measured.richness[rows].sum()),
        float(known.mean()) if known.size else float("nan"),
    )

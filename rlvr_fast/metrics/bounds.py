"""Bounds of the metrics over every possible outcome of the undecided verdicts.

An undecided verdict (time-out, error, unparsed answer) may stand for a correct or an incorrect
answer. No probability is involved, and each bound is attained by some outcome.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import (
    Bools,
    Counts,
    Floats,
    as_counts,
    as_samples_and_correct,
    first_index,
    same_shape,
)
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.intervals import Interval
from rlvr_fast.metrics.pass_at_k import pass_at_k
from rlvr_fast.metrics.support import support_ratios

__all__ = ["ShiftBounds", "accessibility_bounds", "pass_at_k_bounds", "support_shift_bounds"]


def _with_undecided(
    num_samples: ArrayLike, num_correct: ArrayLike, num_undecided: ArrayLike, name: str
) -> tuple[Counts, Counts, Counts]:
    """Checked counts, broadcast: samples, correct, and correct plus undecided."""
    n, c = as_samples_and_correct(num_samples, num_correct, name=name)
    undecided = as_counts(f"{name}_undecided", num_undecided)
    most = c + undecided
    n, c, most = np.broadcast_arrays(n, c, most)
    bad = most > n
    if bad.any():
        raise InvalidInputError(
            f"{name}_correct plus {name}_undecided exceeds {name}_samples at "
            f"{first_index(bad)}: {int(most[bad].flat[0])} of {int(n[bad].flat[0])}"
        )
    return n, c, most


def pass_at_k_bounds(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    num_undecided: ArrayLike,
    k: ArrayLike,
) -> Interval:
    """pass@k of each problem when none, and when all, of the undecided samples are correct.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        num_undecided: number of samples with an undecided verdict; correct plus undecided is at
            most num_samples.
        k: whole numbers >= 1: a number or shape [K].

    Returns:
        Least and greatest pass@k; shapes and nan as `pass_at_k`.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, or correct plus undecided above
            num_samples.

    >>> bounds = pass_at_k_bounds(10, 2, num_undecided=3, k=1)
    >>> float(bounds.low), float(bounds.high)
    (0.2, 0.5)
    """
    n, c, most = _with_undecided(num_samples, num_correct, num_undecided, "num")
    return Interval(pass_at_k(n, c, k), pass_at_k(n, most, k))


@dataclass(frozen=True, slots=True)
class ShiftBounds:
    """The least and the greatest value of each count and each ratio.

    Attributes:
        preserved: bounds of the number of problems that both models reach.
        expanded: bounds of the number that only the RL model reaches.
        shrunk: bounds of the number that only the base reaches.
        out: bounds of the number that neither model reaches.
        srr: bounds of P/(P+S); nan where every outcome gives 0/0.
        ndr: bounds of E/(P+E); nan where every outcome gives 0/0.
        sds: bounds of the harmonic mean of SRR and NDR.
        nscr: bounds of (E-S)/(P+E+S); nan where every outcome gives 0/0.
    """

    preserved: tuple[int, int]
    expanded: tuple[int, int]
    shrunk: tuple[int, int]
    out: tuple[int, int]
    srr: tuple[float, float]
    ndr: tuple[float, float]
    sds: tuple[float, float]
    nscr: tuple[float, float]


def support_shift_bounds(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    base_undecided: ArrayLike,
    rl_undecided: ArrayLike,
) -> ShiftBounds:
    """Bounds of the support shift ("seen" rule) over every outcome of the undecided verdicts.

    Each count is bounded by itself: the bounds of P, E, S and O are not attained together. A model
    without samples of a problem may reach it or not.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        base_undecided: samples of the base with an undecided verdict, shape [problems] or one
            number.
        rl_undecided: the same of the RL model.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, or correct plus undecided
            above the number of samples.

    >>> support_shift_bounds(
    ...     (8, [3, 0]), (8, [1, 4]), base_undecided=[0, 2], rl_undecided=0
    ... ).expanded
    (0, 1)
    """
    base, rl = paired(base, rl)
    bn, bc, b_most = _with_undecided(base.num_samples, base.num_correct, base_undecided, "base")
    rn, rc, r_most = _with_undecided(rl.num_samples, rl.num_correct, rl_undecided, "rl")
    same_shape({"base": base.num_correct, "base_undecided": b_most, "rl_undecided": r_most})
    return _bounds(bc > 0, (b_most > 0) | (bn == 0), rc > 0, (r_most > 0) | (rn == 0))


def accessibility_bounds(base_state: ArrayLike, rl_state: ArrayLike) -> ShiftBounds:
    """Bounds of the support shift over every outcome of the undetermined problems.

    With the states of the epsilon rule, the bounds hold for the true supports {p > epsilon}; each
    determined state is right with confidence 1 - zeta.

    Args:
        base_state: states of the base as `accessibility` returns them: 1 reached, 0 not reached, -1
            undetermined; shape [problems].
        rl_state: the same of the RL model.

    Raises:
        InvalidInputError: different problems, or a state other than -1, 0 and 1.

    >>> accessibility_bounds([1, 1, 0], [1, -1, -1]).shrunk
    (0, 1)
    """
    base = np.atleast_1d(np.asarray(base_state))
    rl = np.atleast_1d(np.asarray(rl_state))
    same_shape({"base_state": base, "rl_state": rl})
    for name, state in (("base_state", base), ("rl_state", rl)):
        if not np.isin(state, (-1, 0, 1)).all():
            raise InvalidInputError(f"{name} must hold -1, 0 and 1 only")
    return _bounds(base == 1, base != 0, rl == 1, rl != 0)


def _bounds(base_low: Bools, base_high: Bools, rl_low: Bools, rl_high: Bools) -> ShiftBounds:
    """Bounds where `low` marks the problems a model surely reaches, `high` those it may reach."""

    def count(base: Bools, rl: Bools) -> int:
        return int(np.count_nonzero(base & rl))

    preserved = (count(base_low, rl_low), count(base_high, rl_high))
    expanded = (count(~base_high, rl_low), count(~base_low, rl_high))
    shrunk = (count(base_low, ~rl_high), count(base_high, ~rl_low))
    out = (count(~base_high, ~rl_high), count(~base_low, ~rl_low))

    # the certain labels, and the numbers of problems that may have either of two labels, or any
    p, e, s = preserved[0], expanded[0], shrunk[0]
    base_open, rl_open = base_high & ~base_low, rl_high & ~rl_low
    p_or_s = count(base_low, rl_open)
    p_or_e = count(base_open, rl_low)
    s_or_o = count(base_open, ~rl_high)
    e_or_o = count(~base_high, rl_open)
    any_label = count(base_open, rl_open)

    # Each ratio is monotone in every choice or coordinate-wise quasi-convex (1/SDS is
    # 1 + (S/P + P/E)/2), so that minima and maxima lie at corners, except the maximum of SDS.
    corners = []
    for ps, pe, so, eo, free in itertools.product((0, 1), (0, 1), (0, 1), (0, 1), range(4)):
        corners.append(
            (
                p + ps * p_or_s + pe * p_or_e + (free == 0) * any_label,
                e + (1 - pe) * p_or_e + eo * e_or_o + (free == 1) * any_label,
                s + (1 - ps) * p_or_s + so * s_or_o + (free == 2) * any_label,
            )
        )
    ratios = support_ratios(*np.array(corners, dtype=np.float64).T)

    # greatest SDS: as few S as possible; x of the P-or-S and y of the P-or-E problems become P.
    # SDS is 2P/(P^2/E + 2P + S). With x + y held fixed a larger x leaves more E and less S: y is
    # above 0 only where x is as large as can be.
    x = np.concatenate([np.arange(p_or_s), np.full(p_or_e + any_label + 1, p_or_s)])
    y = np.concatenate([np.zeros(p_or_s), np.arange(p_or_e + any_label + 1)])
    path = support_ratios(p + x + y, e + e_or_o + p_or_e + any_label - y, s + p_or_s - x)
    best_sds = max(float(ratios.sds.max()), float(path.sds.max()))

    def span(values: Floats) -> tuple[float, float]:
        known = values[~np.isnan(values)]
        return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)

    return ShiftBounds(
        preserved=preserved,
        expanded=expanded,
        shrunk=shrunk,
        out=out,
        srr=span(ratios.srr),
        ndr=span(ratios.ndr),
        sds=(float(ratios.sds.min()), best_sds),
        nscr=span(ratios.nscr),
    )

"""Distance between RL's distribution over distinct answers and that of the tilted base.

The distance shows how much of the change RLVR made is reweighting by correctness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, rel_entr

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts

__all__ = ["TiltDistance", "hypergeometric_mean_deviation", "tilt_distance"]


@dataclass(frozen=True, slots=True)
class TiltDistance:
    """Distances of each problem, float64 of shape [problems]; nan where either model has no draws.

    Attributes:
        tv_base: total variation between RL's and base's answers.
        tv: total variation between RL's answers and base's after the tilt to RL's accuracy. Among
            all tilts this one has the least KL(RL || tilt), ``kl_within``; it need not be the
            closest in total variation, and may lie farther than base itself.
        tv_least: total variation between RL's answers and the closest tilt of base's, at any
            strength; at most ``tv`` and at most ``tv_base``.
        tv_noise: expected ``tv`` if RL were exactly that tilt, from sampling alone; the expected
            ``tv_least`` is at most as large. ``tv`` - ``tv_noise`` is the distance that reweighting
            to RL's accuracy does not explain.
        kl_reweighting: divergence of RL's accuracy from base's, KL(Bernoulli || Bernoulli), nats.
        kl_within: divergence within the correct and within the incorrect answers, nats. Both
            divergences add up to KL(RL || base); inf where RL gives an answer that base did not
            give.
        new_mass: share of RL's draws with answers that base never gave.
        new_correct_mass: share of RL's draws with correct answers that base never gave.
    """

    tv_base: Floats
    tv: Floats
    tv_least: Floats
    tv_noise: Floats
    kl_reweighting: Floats
    kl_within: Floats
    new_mass: Floats
    new_correct_mass: Floats


def hypergeometric_mean_deviation(total: Floats, marked: Floats, drawn: Floats) -> Floats:
    """E|X - EX| of the number of marked among `drawn` of `total` items (Diaconis & Zabell 1991).

    Args:
        total: number of items.
        marked: number of marked items.
        drawn: number of items drawn without replacement.
    """
    mean = drawn * marked / np.maximum(total, 1)
    v = np.floor(mean) + 1
    low = np.maximum(0, drawn + marked - total)
    ok = (v <= np.minimum(drawn, marked)) & (v >= low) & (total > 0)
    v = np.where(ok, v, 0)
    t, m, d = (np.where(ok, a, 1.0) for a in (total, marked, drawn))
    v = np.where(ok, v, 1.0)

    def log_choose(a: Floats, b: Floats) -> Floats:
        return np.asarray(gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1))

    log_pmf = log_choose(m, v) + log_choose(t - m, d - v) - log_choose(t, d)
    kernel = v * (t - m - d + v) / t
    return np.where(ok, 2 * kernel * np.exp(log_pmf), 0.0)


def _weighted_medians(index: Counts, values: Floats, weights: Floats, size: int) -> Floats:
    """The weighted median of the values of each problem, shape [size]; nan without values."""
    medians = np.full(size, np.nan)
    if not len(index):
        return medians
    order = np.lexsort((values, index))
    index, values, weights = index[order], values[order], weights[order]
    half = 0.5 * np.bincount(index, weights=weights, minlength=size)
    first = np.append(True, np.diff(index) > 0)
    total = np.cumsum(weights)
    before = np.zeros(size)
    before[index[first]] = (total - weights)[first]
    # the last row of a problem is always past half of its weight
    last = np.append(first[1:], True)
    past = last | (total - before[index] >= half[index])
    rows = np.flatnonzero(past)[::-1]
    medians[index[rows]] = values[rows]  # of several, the first row is written last
    return medians


def tilt_distance(
    *,
    problem_index: ArrayLike,
    base_counts: ArrayLike,
    rl_counts: ArrayLike,
    correct: ArrayLike,
    num_problems: int | None = None,
) -> TiltDistance:
    """Distance between RL's distribution over distinct answers and the tilts of base's.

    A row of the table is a distinct answer of a problem; "no answer" is an incorrect answer of its
    own. A tilt scales base's correct answers by one factor and its incorrect answers by another.
    Two are measured: the tilt to RL's accuracy, and the one closest to RL in total variation. Where
    base has no correct draws, or only correct draws, no tilt changes base.

    Args:
        problem_index: 0-based problem of each answer, shape [answers].
        base_counts: how often base gave the answer, shape [answers].
        rl_counts: how often the RL model gave the answer, shape [answers].
        correct: whether the answer is correct, bool, shape [answers].
        num_problems: number of problems; by default the largest index plus 1.

    Raises:
        InvalidInputError: columns of different lengths, or a count that is negative or fractional.
    """
    index = as_counts("problem_index", problem_index)
    b = as_counts("base_counts", base_counts)
    r = as_counts("rl_counts", rl_counts)
    right = np.asarray(correct, dtype=bool)
    if not (index.ndim == 1 and index.shape == b.shape == r.shape == right.shape):
        raise InvalidInputError(
            "problem_index, base_counts, rl_counts and correct must be rows of one table; got "
            f"shapes {index.shape}, {b.shape}, {r.shape}, {right.shape}"
        )
    size = num_problems if num_problems is not None else (int(index.max()) + 1 if index.size else 0)

    def per_problem(values: Floats | Counts, mask: Bools | None = None) -> Floats:
        chosen = values if mask is None else np.where(mask, values, 0)
        return np.asarray(
            np.bincount(index, weights=chosen.astype(np.float64), minlength=size), dtype=np.float64
        )

    base_n, rl_n = per_problem(b), per_problem(r)
    class_b = np.stack([per_problem(b, ~right), per_problem(b, right)])
    class_r = np.stack([per_problem(r, ~right), per_problem(r, right)])
    side = right.astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = class_b[1] / base_n, class_r[1] / rl_n
        pb, pr = b / base_n[index], r / rl_n[index]
        movable = (p > 0) & (p < 1)
        target = np.where(movable, q, p)
        tilted = np.stack([1 - target, target])[side, index] * b / class_b[side, index]
        tilted = np.where(b > 0, tilted, 0.0)
        tv_base = 0.5 * per_problem(np.abs(pr - pb))
        tv = 0.5 * per_problem(np.abs(pr - tilted))
        # RL's answers against the tilt to accuracy t: sum |r - t b'| over the correct answers and
        # |r - (1-t) b'| over the others (b' = base's share of its class) bends at t = r/b' and
        # 1 - r/b' with weights b', which add up to 2: the minimum is their weighted median
        inner = b / class_b[side, index]
        bend = np.where(right, pr / inner, 1 - pr / inner)
        used = (b > 0) & movable[index]
        closest = _weighted_medians(index[used], bend[used], inner[used], size)
        closest = np.where(movable, np.clip(closest, 0, 1), p)
        nearest = np.where(b > 0, np.stack([1 - closest, closest])[side, index] * inner, 0.0)
        tv_least = np.fmin(0.5 * per_problem(np.abs(pr - nearest)), np.fmin(tv, tv_base))
        # within a class: E|r/nr - b/nb| when its draws are divided at random between the models
        nb, nr = class_b[side, index], class_r[side, index]
        mad = hypergeometric_mean_deviation(nb + nr, (b + r).astype(np.float64), nr)
        share = np.stack([1 - q, q])[side, index]
        both = (nb > 0) & (nr > 0)
        noise = np.where(both, share * mad * (nb + nr) / (nb * nr), 0.0)
        tv_noise = 0.5 * per_problem(noise)
        kl_reweighting = rel_entr(q, p) + rel_entr(1 - q, 1 - p)
        kl_total = per_problem(rel_entr(pr, pb))
        kl_within = np.where(np.isinf(kl_total), np.inf, kl_total - kl_reweighting)
        new = per_problem(r, b == 0) / rl_n
        new_correct = per_problem(r, (b == 0) & right) / rl_n
    known = (base_n > 0) & (rl_n > 0)
    fields = (
        *(tv_base, tv, tv_least, tv_noise),
        *(kl_reweighting, np.maximum(kl_within, 0), new, new_correct),
    )
    return TiltDistance(*(np.where(known, f, np.nan) for f in fields))

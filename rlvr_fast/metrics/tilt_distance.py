"""How much of RLVR's change of the answers is reweighting by correctness, and how much is new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, rel_entr

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, as_counts

__all__ = ["TiltDistance", "tilt_distance"]


@dataclass(frozen=True, slots=True)
class TiltDistance:
    """Per problem, [problems]; nan where either model has no draws.

    ``tv_base``: total variation between RL's and base's answers. ``tv``: the same after base was
    tilted to RL's accuracy. ``tv_noise``: what ``tv`` would be on average if RL *were* that tilt,
    from sampling alone; so ``tv - tv_noise`` is what reweighting does not explain.
    ``kl_reweighting`` (nats): divergence of RL's accuracy from base's, KL(Bernoulli || Bernoulli);
    ``kl_within``: divergence left within the correct and within the incorrect answers. They add up
    to KL(RL || base), and are inf where RL gives an answer that base did not. ``new_mass``,
    ``new_correct_mass``: share of RL's draws on (correct) answers that base never gave.
    """

    tv_base: Floats
    tv: Floats
    tv_noise: Floats
    kl_reweighting: Floats
    kl_within: Floats
    new_mass: Floats
    new_correct_mass: Floats


def _hypergeometric_mad(total: Floats, marked: Floats, drawn: Floats) -> Floats:
    """E|X - EX| of the number of marked among `drawn` of `total` (Diaconis & Zabell 1991)."""
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


def tilt_distance(
    *,
    problem_index: ArrayLike,
    base_counts: ArrayLike,
    rl_counts: ArrayLike,
    correct: ArrayLike,
    num_problems: int | None = None,
) -> TiltDistance:
    """Distance between RL's distribution over distinct answers and base's best tilt.

    Rows are distinct answers: ``problem_index`` (0-based), how often base and RL gave it, and
    whether it is correct ("no answer" is an incorrect answer of its own). The best tilt scales
    base's correct answers alike and its incorrect ones alike, to RL's accuracy; where base has
    no correct (or no incorrect) draws no tilt can move it, and base stays as it is.
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

    def per_problem(values: Floats | Counts, mask: np.ndarray | None = None) -> Floats:
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
        # within a class: E|r/nr - b/nb| when its draws are dealt anew to the two models
        nb, nr = class_b[side, index], class_r[side, index]
        mad = _hypergeometric_mad(nb + nr, (b + r).astype(np.float64), nr)
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
    fields = (tv_base, tv, tv_noise, kl_reweighting, np.maximum(kl_within, 0), new, new_correct)
    return TiltDistance(*(np.where(known, f, np.nan) for f in fields))

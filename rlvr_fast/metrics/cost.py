"""pass@k against the tokens drawn: what a budget of tokens buys of either model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import Exponentials, as_replicates, weight_blocks

__all__ = ["TokenCrossover", "pass_at_tokens", "token_crossover"]

TokenVerdict = Literal["crosses", "rl ahead", "base ahead", "tied", "no common budget"]

# Smaller differences of mean pass@k are rounding errors, and count as ties.
_TIE = 1e-12
_BUDGETS = 200


@dataclass(frozen=True, slots=True)
class TokenCrossover:
    """The budget of tokens a problem from which one model stays ahead.

    Attributes:
        tokens: the crossing; None where the curves do not cross.
        low: lower limit; 0 stands for "ahead at every budget".
        high: upper limit; inf stands for "no crossing up to the largest budget".
        verdict: "crosses", or the model that is ahead at every budget where it is not tied;
            "tied" where the curves end level; "no common budget" where one draw of one model costs
            more than all draws of the other.
        ahead_after: the model that is ahead after the crossing, "base" or "rl"; "" without one.
        share_crossing: share of the replicates that cross.
        least: smallest budget that both curves are defined at: one draw of the longer model.
        most: largest such budget: max_k draws of the shorter model.
        base_tokens: mean tokens of a draw of the base, over the problems.
        rl_tokens: the same of the RL model.
        max_k: largest k of both curves.
        problems: problems of the curves.
        level: confidence level of low and high.
    """

    tokens: float | None
    low: float
    high: float
    verdict: TokenVerdict
    ahead_after: Literal["base", "rl", ""]
    share_crossing: float
    least: float
    most: float
    base_tokens: float
    rl_tokens: float
    max_k: int
    problems: int
    level: float


def pass_at_tokens(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    mean_tokens: float,
    budgets: ArrayLike,
) -> Floats:
    """Mean pass@k at k = budget/mean_tokens, linear between the whole k next to it.

    A budget buys floor(k) draws, and one more with the probability of the rest, so that it is spent
    in the mean.

    Args:
        num_samples: number of samples of each problem, shape [problems].
        num_correct: number of correct samples.
        mean_tokens: tokens of a draw.
        budgets: tokens a problem, shape [budgets].

    Returns:
        float64 of shape [budgets]; nan where k is below 1 or above the samples of a problem.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, no problems, or tokens that are not above
            0.

    >>> pass_at_tokens([4, 4], [4, 0], mean_tokens=10, budgets=[5, 10, 45]).tolist()
    [nan, 0.5, nan]
    """
    if not mean_tokens > 0:
        raise InvalidInputError(f"mean_tokens must be above 0, got {mean_tokens}")
    k = np.asarray(budgets, np.float64) / mean_tokens
    # A budget of a whole number of draws may lie below that number by a rounding error.
    whole = np.where(np.abs(k - np.rint(k)) < 1e-9 * np.maximum(k, 1), np.rint(k), np.floor(k))
    part = np.maximum(k - whole, 0.0)
    inside = whole >= 1
    below = np.where(inside, whole, 1).astype(np.int64)
    ks = np.unique(np.concatenate([below, below + 1]))
    values = pass_at_k(num_samples, num_correct, ks)
    if values.ndim != 2 or not len(values):
        raise InvalidInputError("pass_at_tokens needs the counts of at least one problem")
    curve = values.mean(axis=0)
    low, high = curve[np.searchsorted(ks, below)], curve[np.searchsorted(ks, below + 1)]
    return np.where(inside, np.where(part > 0, low + part * (high - low), low), np.nan)


def _grid(max_k: int) -> Counts:
    """Every k up to 64, then steps of 3 %, between which the curves are nearly straight."""
    steps = np.geomspace(64, max(max_k, 65), num=int(np.log(max(max_k, 65) / 64) / 0.03) + 2)
    grid = np.unique(np.concatenate([np.arange(1, 65), steps.astype(np.int64), [max_k]]))
    return grid[grid <= max_k]


def _last_changes(lead: Floats, budgets: Floats, leader: float) -> Floats:
    """The budget from which `leader` (-1 or 1) is ahead: 0 at every budget, inf not at the end.

    Args:
        lead: pass of RL minus that of base, shape [rows, budgets].
        budgets: of the same shape, rising in each row.
        leader: -1 for the base, 1 for the RL model.
    """
    mine = lead * leader
    ahead = mine > _TIE
    behind = mine < -_TIE
    found = np.where(ahead[:, -1], 0.0, np.inf)
    rows = np.flatnonzero(ahead[:, -1] & behind.any(axis=1))
    if not rows.size:
        return found
    last = lead.shape[1] - 1 - np.argmax(behind[rows, ::-1], axis=1)
    # Between the last budget where the other model leads and the first where this one does.
    later = ahead[rows] & (np.arange(lead.shape[1]) > last[:, np.newaxis])
    following = np.argmax(later, axis=1)
    here, there = mine[rows, last], mine[rows, following]
    ends = budgets[rows, last].tolist(), budgets[rows, following].tolist()
    parts = (here / (here - there)).tolist()
    found[rows] = [a * (b / a) ** part for a, b, part in zip(*ends, parts, strict=True)]
    return found


def token_crossover(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    base_tokens: ArrayLike,
    rl_tokens: ArrayLike,
    max_k: int | None = None,
    level: float = 0.95,
    replicates: int = 400,
    seed: int = 0,
    resample: bool = True,
) -> TokenCrossover:
    """The budget of tokens a problem from which one model stays ahead, with an interval.

    A budget of B tokens a problem buys B/L draws of a model whose draw has L tokens in the mean
    over the problems. The interval resamples problems, lengths and curves together, with one
    hypothetical problem of average lengths, on which the lead of the model that is ahead at the end
    (lower limit) or of the other (upper limit) grows from 0 to 1 with the budget.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        base_tokens: mean tokens of a draw of the base on each problem, shape [problems]; a problem
            with nan is left out.
        rl_tokens: the same of the RL model.
        max_k: largest k; by default the samples that every problem has of both models. Problems
            with fewer samples are left out.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.
        resample: false leaves the limits and the share of replicates out, as nan.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, lengths of another shape
            or not above 0, no problem with max_k samples of both models and known lengths, a level
            outside (0, 1), or too few replicates.

    >>> found = token_crossover((64, [32, 2]), (64, [60, 0]), base_tokens=[9, 9], rl_tokens=[9, 9])
    >>> found.verdict, found.ahead_after
    ('crosses', 'base')
    """
    tail = (1 - as_probability("level", level)) / 2
    left, right = paired(base, rl)
    common = np.minimum(left.num_samples, right.num_samples)
    if max_k is None:
        max_k = int(common[common > 0].min()) if (common > 0).any() else 1
    max_k = int(as_ks(max_k))
    lengths = np.stack([_lengths(t, common.shape) for t in (base_tokens, rl_tokens)], axis=1)
    usable = (common >= max_k) & np.isfinite(lengths).all(axis=1)
    if not usable.any():
        raise InvalidInputError(
            f"no problem has max_k = {max_k} samples of both models and known lengths"
        )
    left, right, lengths = left[usable], right[usable], lengths[usable]
    ks = _grid(max_k)
    curves = np.concatenate([_curves(left, ks), _curves(right, ks)], axis=1)
    mean_lengths, mean_curves = lengths.mean(axis=0), curves.mean(axis=0)
    least, most = float(mean_lengths.max()), float(max_k * mean_lengths.min())

    def found(
        verdict: TokenVerdict,
        tokens: float | None = None,
        limits: tuple[float, float] = (np.nan, np.nan),
        after: Literal["base", "rl", ""] = "",
        share: float = 0.0,
    ) -> TokenCrossover:
        cost = float(mean_lengths[0]), float(mean_lengths[1])
        ends = least, most
        return TokenCrossover(
            tokens, *limits, verdict, after, share, *ends, *cost, max_k, len(lengths), level
        )

    if least > most:
        return found("no common budget")
    budgets, lead = _leads(mean_lengths[np.newaxis], mean_curves[np.newaxis], ks)
    if abs(lead[0, -1]) <= _TIE:
        return found("tied")
    leader = float(np.sign(lead[0, -1]))
    crossing = float(_last_changes(lead, budgets, leader)[0])
    after: Literal["base", "rl"] = "rl" if leader > 0 else "base"
    if not resample:
        if crossing == 0:
            return found("rl ahead" if leader > 0 else "base ahead", share=np.nan)
        return found("crosses", crossing, after=after, share=np.nan)
    drawn = np.empty((2, as_replicates(replicates)))
    share = 0.0
    rng = Exponentials(seed)
    for rows, weights in weight_blocks(len(lengths) + 1, replicates, rng):
        total = weights.sum(axis=1, keepdims=True)
        own, extra = weights[:, :-1], weights[:, -1:] / total
        length = (own @ lengths) / total + extra * mean_lengths
        curve = (own @ curves) / total
        plain = curve / (1 - extra)
        drawn[:, rows] = np.inf
        least_of, most_of = length.max(axis=1), ks[-1] * length.min(axis=1)
        for some in (least_of < most_of, least_of == most_of):
            if not some.any():
                continue
            where, ahead = _leads(length[some], curve[some], ks)
            growing = extra[some] * where / where[:, -1:]
            limits = [_last_changes(ahead + s * leader * growing, where, leader) for s in (1, -1)]
            drawn[:, np.flatnonzero(some) + rows.start] = limits
            middle = _last_changes(_leads(length[some], plain[some], ks)[1], where, leader)
            share += int(np.count_nonzero((middle > 0) & (middle < np.inf)))
    low = float(np.quantile(drawn[0], tail, method="inverted_cdf"))
    high = float(np.quantile(drawn[1], 1 - tail, method="inverted_cdf"))
    share /= replicates
    if crossing == 0:
        return found("rl ahead" if leader > 0 else "base ahead", None, (low, high), "", share)
    return found("crosses", crossing, (min(low, crossing), max(high, crossing)), after, share)


def _lengths(tokens: ArrayLike, shape: tuple[int, ...]) -> Floats:
    found = np.asarray(tokens, np.float64)
    if found.shape != shape:
        raise InvalidInputError(f"expected one mean length a problem, {shape}, got {found.shape}")
    if (found[np.isfinite(found)] <= 0).any():
        raise InvalidInputError("mean lengths must be above 0 tokens; nan where not known")
    return found


def _curves(draws: Draws, ks: Counts) -> Floats:
    return pass_at_k(draws.num_samples, draws.num_correct, ks)


def _leads(lengths: Floats, curves: Floats, ks: Counts) -> tuple[Floats, Floats]:
    """(budgets, pass of RL minus that of base at them) between the ends both curves have.

    Args:
        lengths: mean tokens of a draw of base and RL, shape [rows, 2]. In each row all budgets
            lie between the ends, or in each row the two ends are one.
        curves: pass@k of base, then of RL, shape [rows, 2 K].
        ks: shape [K].

    Returns:
        Two tables of shape [rows, budgets].
    """
    least, most = lengths.max(axis=1), ks[-1] * lengths.min(axis=1)
    if (least < most).all():
        budgets = np.ascontiguousarray(np.geomspace(least, most, _BUDGETS).T)
    else:
        budgets = least[:, np.newaxis]
    base, rl = (
        _interpolated(budgets / lengths[:, i : i + 1], ks, curve)
        for i, curve in enumerate(np.split(curves, 2, axis=1))
    )
    return budgets, rl - base


def _interpolated(x: Floats, ks: Counts, curves: Floats) -> Floats:
    """`np.interp` of each row of x in the same row of the curves."""
    rows = np.arange(len(x))[:, np.newaxis]
    at = np.clip(np.searchsorted(ks, x, side="right") - 1, 0, len(ks) - 1)
    here: Floats = curves[rows, at]
    if len(ks) == 1:
        return here
    slopes = np.diff(curves, axis=1) / np.diff(ks)
    inside = (at < len(ks) - 1) & (x > ks[0])
    slope = slopes[rows, np.minimum(at, len(ks) - 2)]
    return np.where(inside, slope * (x - ks[at]) + here, here)

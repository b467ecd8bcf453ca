"""Lower confidence limit of the mean of a law on [0, inf), without an assumption on its tail.

Gaffke's limit (Gaffke 2005; Learned-Miller & Thomas, arXiv 1905.06208): the quantile of a weighted
mean of the values under Dirichlet(1, ..., 1) weights over the values and one further value at the
lowest possible one, 0. Large values that were not drawn raise the mean, and leave a lower limit
true. The quantile is computed from the law itself, not by simulation, so that small error rates
cost nothing.

The law of the weighted mean is the integral of a B-spline whose knots are the values (Curry &
Schoenberg 1966). The recurrence of B-splines computes it from positive terms only, in a number of
steps that is quadratic in the number of draws. A contour integral takes its place for many draws
of few different values. The quantiles of many laws are searched for together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_counts, as_probability

__all__ = ["lower_mean_limit", "lower_mean_limits"]

# Most draws of a law that is computed by the recurrence whatever its values are, and where it is
# faster than the integral; the quotient of their times; and most knots computed at a time.
_FEW_DRAWS = 128
_SOME_DRAWS = 1024
_FASTER = 2000
_AT_ONCE = 1 << 17
# The search ends at steps of the log limit below this. Newton's step squares the error, so that
# what is left is below the rounding of a float.
_CLOSE = 1e-9
_ROUNDS = 200
# Stands for a distance of 0, so that no quotient is 0/0.
_TINY = 1e-300
# First step of the contour integral; the change at which it is halved no more, as each halving
# squares the error; its nodes at a time; the share of the integral below which the integrand ends
# it, at the latest at _END; and most steps of the search for the saddle point.
_STEP = 0.2
_HALVED = 1e-7
_HALVINGS = 7
_NODES = 40
_NOTHING = 1e-16
_END = 40.0
_NEWTON = 60
# More distinct values than these are rounded down to a grid of their logarithms.
_MOST_DISTINCT = 2048
_GRID = 5e-3

# Natural log of the chance that the weighted mean is at most the limit, and its derivative by the
# log of the limit; of the laws at the positions given second.
_Law = Callable[[Floats, Counts], tuple[Floats, Floats]]


def lower_mean_limit(values: ArrayLike, *, draws: int, level: float = 0.95) -> float:
    """One-sided lower limit of the mean of a law on [0, inf).

    Args:
        values: the positive values among the draws, shape [positive]; equal values are allowed.
        draws: number of draws; the draws without an entry in ``values`` are 0.
        level: one-sided confidence.

    Returns:
        The limit, at most the mean of the draws; 0 where no value is positive.

    Raises:
        InvalidInputError: a value that is not finite or not positive, fewer draws than values, or a
            level outside (0, 1).

    >>> round(lower_mean_limit([1.0] * 9, draws=10), 4)  # Clopper-Pearson for 9 of 10
    0.6058
    """
    x = np.asarray(values, dtype=np.float64)
    return float(lower_mean_limits(x, positive=[x.size], draws=[draws], level=level)[0])


def lower_mean_limits(
    values: ArrayLike, *, positive: ArrayLike, draws: ArrayLike, level: float = 0.95
) -> Floats:
    """`lower_mean_limit` of many laws at once.

    Args:
        values: the positive values, law after law, shape [sum of ``positive``].
        positive: how many of them are each law's, shape [laws].
        draws: number of draws of each law, shape [laws].
        level: one-sided confidence of each limit.

    Returns:
        The limits, shape [laws].

    Raises:
        InvalidInputError: as `lower_mean_limit`, or shapes that do not fit.
    """
    tail = 1 - as_probability("level", level)
    x = np.asarray(values, dtype=np.float64)
    number, n = as_counts("positive", positive), as_counts("draws", draws)
    if number.ndim != 1 or number.shape != n.shape or x.shape != (number.sum(),):
        raise InvalidInputError(
            "values must be a list of the positive values of all laws, and positive and draws one "
            f"number each a law; got shapes {x.shape}, {number.shape} and {n.shape}"
        )
    bad = ~(np.isfinite(x) & (x > 0))
    if bad.any():
        raise InvalidInputError(f"values must be finite positive numbers; got {x[bad][0]}")
    if (number > n).any():
        at = int(np.argmax(number > n))
        raise InvalidInputError(
            f"values must be at most draws = {n[at]} in number; got {number[at]}"
        )
    limits = np.zeros(len(n))
    start = np.cumsum(number) - number
    few = n <= _FEW_DRAWS
    for law in np.flatnonzero(~few & (n <= _SOME_DRAWS)):
        different = len(np.unique(x[start[law] : start[law] + number[law]]))
        few[law] = _FASTER * different > n[law] ** 2
    for size in np.unique(n[few & (number > 0)]):
        laws = np.flatnonzero(few & (number > 0) & (n == size))
        step = max(_AT_ONCE // (int(size) + 1), 1)
        for first in range(0, len(laws), step):
            some = laws[first : first + step]
            limits[some] = _by_knots(x, start[some], number[some], int(size), tail)
    for law in np.flatnonzero(~few & (number > 0)):
        mine = x[start[law] : start[law] + number[law]]
        limits[law] = _by_integral(mine, int(n[law]), tail)
    return limits


def _by_knots(x: Floats, start: Counts, number: Counts, draws: int, tail: float) -> Floats:
    """Limits of laws of the same number of draws, whose values begin at `start` in x."""
    column = np.arange(draws + 1)[:, np.newaxis]
    knots = np.where(column < number, x[np.minimum(start + column, len(x) - 1)], 0.0)
    knots.sort(axis=0)
    top = knots[-1].copy()
    knots /= top

    def law(log_limit: Floats, at: Counts) -> tuple[Floats, Floats]:
        return _by_recurrence(knots if len(at) == len(top) else knots[:, at], log_limit)

    quantile = _quantiles(law, np.log(knots.sum(axis=0) / draws), math.log(tail))
    return np.asarray(np.exp(quantile) * top)


def _by_integral(x: Floats, draws: int, tail: float) -> float:
    """Limit of one law, by the contour integral."""
    top = float(x.max())
    scaled = x / top
    distinct, number = np.unique(scaled, return_counts=True)
    if len(distinct) > _MOST_DISTINCT:
        # rounded down, which lowers the limit by half a percent at most
        rounded = np.exp(np.floor(np.log(np.maximum(scaled, 1e-20)) / _GRID) * _GRID)
        distinct, number = np.unique(rounded, return_counts=True)
    # far smaller values than every limit add nothing to it
    keep = distinct > 1e-20
    distinct, number = distinct[keep], number[keep]
    count = np.append(number, draws + 1 - number.sum()).astype(np.float64)
    points = np.append(distinct, 0.0)

    def law(log_limit: Floats, _: Counts) -> tuple[Floats, Floats]:
        limit = math.exp(log_limit[0])
        chance, slope = _by_contour(points - limit, count) if limit < 1 else (0.0, 0.0)
        return np.array([chance]), np.array([slope * limit])

    mean = np.log([float(count @ points) / draws])
    return math.exp(_quantiles(law, mean, math.log(tail))[0]) * top


def _quantiles(law: _Law, high: Floats, goal: float) -> Floats:
    """Logs of the limits at which the log chance is `goal`; `high` where it is less there.

    Newton's steps in logarithms, in a bracket. The log chance is concave near the root, so that
    the steps reach it from below, and a limit is no larger than the exact one but for rounding.
    """
    root = high.copy()
    at = np.arange(len(high))
    y, low, up = high.copy(), np.full(len(high), -np.inf), high.copy()
    for _ in range(_ROUNDS):
        chance, slope = law(y, at)
        over = chance > goal
        # the mean of the draws is the largest limit
        done = ~over & (y == high[at])
        low, up = np.where(over, low, y), np.where(over, np.minimum(up, y), up)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            target = y + (goal - chance) / slope
        inside = np.isfinite(target) & (target >= low) & (target <= up)
        middle = np.where(low > -np.inf, 0.5 * (low + up), up - 1)
        after = np.where(done, y, np.where(inside, target, middle))
        done |= np.abs(after - y) <= _CLOSE
        root[at] = after
        if done.all():
            break
        at, y, low, up = at[~done], after[~done], low[~done], up[~done]
    else:
        root[at] = low
    return root


def _by_recurrence(knots: Floats, log_limit: Floats) -> tuple[Floats, Floats]:
    """Log chance that a weighted mean of the knots is at most the limit, and its slope.

    With F(i..j) the chance of the knots i to j alone, and l the limit between them,
    F(i..j) = ((t_j - l) F(i+1..j) + (l - t_i) F(i..j-1)) / (t_j - t_i).

    Args:
        knots: ascending in each column, shape [draws + 1, laws].
        log_limit: natural log of the limit, shape [laws].
    """
    limit = np.exp(log_limit)
    above = np.maximum(knots - limit, _TINY)
    below = np.maximum(limit - knots, _TINY)
    chance = (knots <= limit).astype(np.float64)
    width = np.empty_like(chance)
    degree = len(knots) - 1
    for order in range(1, degree + 1):
        if order == degree:
            # the derivative of F(0..n) is n (F(0..n-1) - F(1..n)) / (t_n - t_0)
            slope = degree * (chance[0] - chance[1]) / (above[-1] + below[0])
        size = degree + 1 - order
        here, left, right = chance[:size], below[:size], above[order:]
        other = np.multiply(right, chance[1 : size + 1])
        np.multiply(left, here, out=here)
        here += other
        here /= np.add(left, right, out=width[:size])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(chance[0]), slope * limit / chance[0]


def _by_contour(a: Floats, count: Floats) -> tuple[float, float]:
    """Natural log of P(sum_j a_j G_j <= 0), G_j independent Gamma(count_j) of scale 1.

    The inverse Laplace transform of M(s)/s with M(s) = prod (1 - a_j s)^-count_j, along the
    vertical line through the saddle point on the negative axis. The substitution y = h sinh(u) lets
    the trapezoid rule converge geometrically, also where M decays as slowly as a power of y.

    Args:
        a: coefficients, at least one of them negative and one positive.
        count: how often each stands in the sum, positive.

    Returns:
        The log, and its derivative where all a_j fall at unit rate.
    """
    end = 1 / float(a.min())  # the first pole to the left
    # minimum of K(s) - log(-s) on (end, 0), convex: bisection on the sign of its derivative
    left, right = end, 0.0
    s = 0.5 * end
    for _ in range(_NEWTON):
        inverse = 1 / (1 - a * s)
        slope = float(count @ (a * inverse)) - 1 / s
        if slope > 0:
            right = s
        else:
            left = s
        curvature = float(count @ (a * inverse) ** 2) + 1 / s**2
        step = s - slope / curvature
        if abs(step - s) <= 1e-10 * abs(s):
            break
        s = step if left < step < right else 0.5 * (left + right)
    # scale of the Gaussian part; the integrand at the saddle point is taken out
    width = 1 / math.sqrt(curvature)
    peak = -float(count @ np.log1p(-a * s)) - math.log(-s)
    spacing = _STEP
    whole, rate = _nodes(a, count, s, width, peak, 0.0, spacing)
    for _ in range(_HALVINGS):
        between, its_rate = _nodes(a, count, s, width, peak, 0.5 * spacing, spacing)
        close = abs(between - whole) <= _HALVED * abs(between + whole)
        whole, rate, spacing = (whole + between) / 2, (rate + its_rate) / 2, spacing / 2
        if close:
            break
    if whole / math.pi <= _TINY:
        return peak + math.log(_TINY), math.nan
    return peak + math.log(whole / math.pi), rate / whole


def _nodes(
    a: Floats, count: Floats, s: float, width: float, peak: float, first: float, step: float
) -> tuple[float, float]:
    """Sums of the integrand of the contour and of its derivative, times the step of u.

    Args:
        a: as `_by_contour`.
        count: as `_by_contour`.
        s: the saddle point.
        width: the scale h of the line.
        peak: log of the integrand that is taken out.
        first: the first node; one at 0 counts half.
        step: distance of the nodes, which follow until the integrand ends.
    """
    whole = rate = 0.0
    u = first + step * np.arange(_NODES)
    while u[0] < _END:
        z = s + 1j * width * np.sinh(u)
        factors = 1 - a[:, np.newaxis] * z
        # sums and no products of matrices, whose threads cost more than they save at this size
        log_m = -(count[:, np.newaxis] * np.log(factors)).sum(axis=0) - np.log(-z)
        integrand = np.exp(log_m - peak) * width * np.cosh(u)
        integrand[u == 0] *= 0.5
        whole += float(integrand.real.sum())
        rate -= float((integrand * z * (count[:, np.newaxis] / factors).sum(axis=0)).real.sum())
        if abs(integrand[-1]) <= _NOTHING * abs(whole):
            break
        u = u + step * _NODES
    return whole * step, rate * step

"""Lower confidence limit of the mean of a law on [0, inf), without an assumption on its tail.

Gaffke's limit (Gaffke 2005; Learned-Miller & Thomas, arXiv 1905.06208): the quantile of a weighted
mean of the values under Dirichlet(1, ..., 1) weights over the values and one further value at the
lowest possible one, 0. Large values that were not drawn raise the mean, and leave a lower limit
true. The quantile is computed by integration, not by simulation, so that small error rates cost
nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats, as_probability

__all__ = ["lower_mean_limit"]

# Step of the contour integral, and most steps of the search for the saddle point.
_STEP = 0.1
_NEWTON = 60
# More distinct values than these are rounded down to a grid of their logarithms.
_MOST_DISTINCT = 2048
_GRID = 5e-3


def _log_chance(a: Floats, count: Floats) -> float:
    """Natural log of P(sum_j a_j G_j <= 0), G_j independent Gamma(count_j) of scale 1.

    The inverse Laplace transform of M(s)/s with M(s) = prod (1 - a_j s)^-count_j, along the
    vertical line through the saddle point on the negative axis. The substitution y = h sinh(u) lets
    the trapezoid rule converge geometrically, also where M decays as slowly as a power of y.

    Args:
        a: coefficients, at least one of them negative and one positive.
        count: how often each stands in the sum, positive.
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
    degree = float(count.sum())
    u = np.arange(0, min(40.0, 7.0 + 40 / degree), _STEP)
    z = s + 1j * width * np.sinh(u)
    log_m = -(count @ np.log1p(-a[:, np.newaxis] * z)) - np.log(-z)
    integrand = np.exp(log_m - peak).real * width * np.cosh(u)
    integrand[0] *= 0.5
    return peak + math.log(max(float(integrand.sum()) * _STEP / math.pi, 1e-300))


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
    tail = 1 - as_probability("level", level)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not (np.isfinite(x) & (x > 0)).all() or len(x) > draws:
        raise InvalidInputError(
            f"values must be a list of at most draws = {draws} finite positive numbers; got shape "
            f"{x.shape}"
        )
    if not len(x):
        return 0.0
    top = float(x.max())
    scaled = x / top
    distinct, number = np.unique(scaled, return_counts=True)
    if len(distinct) > _MOST_DISTINCT:
        # rounded down, which lowers the limit by half a percent at most
        rounded = np.exp(np.floor(np.log(np.maximum(scaled, 1e-13)) / _GRID) * _GRID)
        distinct, number = np.unique(rounded, return_counts=True)
    # values of a billionth of the largest and less add nothing that could be seen
    keep = distinct > 1e-12
    distinct, number = distinct[keep], number[keep]
    count = np.append(number, draws + 1 - number.sum()).astype(np.float64)
    points = np.append(distinct, 0.0)
    goal = math.log(tail)
    # the mean bounds the limit from above; in the log of the limit the search is well scaled
    high = math.log(float(count @ points) / draws)

    def excess(log_limit: float) -> float:
        limit = math.exp(log_limit)
        return _log_chance(points - limit, count) - goal if limit < 1 else -goal

    if excess(high) <= 0:
        return math.exp(high) * top
    reach = 0.5
    while excess(high - reach) > 0:
        reach *= 2
    return math.exp(float(brentq(excess, high - reach, high, xtol=1e-7))) * top

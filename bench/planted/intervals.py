"""Curves, crossings, tasks and extrapolation on populations unlike the one of bench/coverage.py.

A law draws the problems' probabilities of a correct answer under base and RL. Among the laws are
those on which intervals are known to fail: most rates near 1/n with few large ones, small shifts of
all problems, shifts of few problems, equal models, and problems that share their task.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import t as student

from rlvr_fast import metrics as m

Hits = dict[str, Any]
Law = Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]
# Problems of a population from which its true means are computed.
_MANY = 200_000


def _tilted(p: np.ndarray, beta: float) -> np.ndarray:
    return np.minimum(p * np.exp(beta) / (1 - p + p * np.exp(beta)), 1.0)


def _near_zero(rng: np.random.Generator, problems: int, n: int, large: float) -> np.ndarray:
    """Most rates near 1/n; a share `large` anywhere between 0 and 1."""
    small = np.minimum(rng.gamma(0.5, 2, problems) / n, 1)
    return np.where(rng.random(problems) < large, rng.random(problems), small)


def planted(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Kept, sharpened, lost, found, borderline, faded and unsolved problems."""
    half = np.log(2) / n
    base = np.array([0.40, 0.03, 3 / n, 0.0, half, 2 / n, 0.0])
    rl = np.array([min(0.7 + 2 / n, 1.0), 0.30, 0.0, 3 / n, half, 0.5 / n, 0.0])
    kind = rng.choice(7, size=problems, p=[0.35, 0.15, 0.10, 0.05, 0.15, 0.05, 0.15])
    return base[kind], rl[kind]


def small_shift(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates of every size, each .01 to .03 higher after RL."""
    p = rng.beta(0.5, 1.5, problems)
    return p, np.minimum(p + 0.02 * (0.5 + rng.random(problems)), 1)


def low_rates(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All rates about .05, each .01 to .03 higher after RL."""
    p = rng.beta(5, 95, problems)
    return p, np.minimum(p + 0.02 * (0.5 + rng.random(problems)), 1)


def heavy_tail(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Most rates near 1/n, 6 % anywhere; one tilt raises all."""
    p = _near_zero(rng, problems, n, 0.06)
    return p, _tilted(p, 1.5)


def heavy_swap(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """As `heavy_tail`, the two models independent of each other."""
    return _near_zero(rng, problems, n, 0.1), _near_zero(rng, problems, n, 0.1)


def beta_tail(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Beta(.1, 1) rates, one tilt."""
    p = rng.beta(0.1, 1, problems)
    return p, _tilted(p, 1.0)


def lognormal(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Lognormal rates about 1/n, changed by a lognormal factor."""
    p = np.minimum(np.exp(rng.normal(-np.log(n), 2.5, problems)), 1)
    return p, np.minimum(p * np.exp(rng.normal(0.3, 1, problems)), 1)


def equal_models(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two equal models, rates of every size."""
    p = rng.beta(0.5, 1.5, problems)
    return p, p


def equal_heavy(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two equal models, most rates near 1/n."""
    p = _near_zero(rng, problems, n, 0.1)
    return p, p


def one_in_ten_lost(
    rng: np.random.Generator, problems: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rates of every size; RL loses one problem in ten, and changes no other."""
    p = rng.beta(0.5, 1.5, problems)
    return p, np.where(rng.random(problems) < 0.1, 0.0, p)


LAWS: dict[str, Law] = {
    "planted kinds": planted,
    "small shift": small_shift,
    "low rates": low_rates,
    "heavy tail": heavy_tail,
    "heavy tail, independent": heavy_swap,
    "Beta(.1, 1)": beta_tail,
    "lognormal": lognormal,
    "equal models": equal_models,
    "equal models, heavy tail": equal_heavy,
    "one in ten lost": one_in_ten_lost,
}


def _at(p: np.ndarray, k: float) -> np.ndarray:
    return -np.expm1(k * np.log1p(-np.minimum(p, 1 - 1e-16)))


@cache
def _true_difference(law: str, n: int, k: int) -> float:
    base, rl = LAWS[law](np.random.default_rng(99), _MANY, n)
    return float(np.mean(_at(rl, k) - _at(base, k)))


def _inside(low: float, high: float, truth: float) -> bool:
    return bool(low - 1e-12 <= truth <= high + 1e-12)


def differences(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """pass@k of RL minus base: coverage, and width and power at k = 1 beside the paired t's."""
    out: Hits = {}
    ks = [1, max(2, n // 4), n]
    for name, law in LAWS.items():
        base, rl = (rng.binomial(n, p) for p in law(rng, problems, n))
        seed = int(rng.integers(2**31))
        got = m.pass_at_k_difference((n, base), (n, rl), k=ks, seed=seed, replicates=600)
        for j, (k, label) in enumerate(zip(ks, ("1", "n/4", "n"), strict=True)):
            truth = _true_difference(name, n, k)
            held = _inside(got.low[j], got.high[j], truth)
            out[f"pass_at_k_difference, {name}, k = {label}"] = held
        d = (rl - base) / n
        half = student.ppf(0.975, problems - 1) * d.std(ddof=1) / np.sqrt(problems)
        truth = _true_difference(name, n, 1)
        out[f"paired t, {name}, k = 1"] = _inside(d.mean() - half, d.mean() + half, truth)
        if half > 0:
            width = (got.high[0] - got.low[0]) / (2 * half)
            out[f"width over paired t's, {name}, k = 1"] = width
        out[f"excludes 0, {name}, k = 1"] = bool(got.low[0] > 0 or got.high[0] < 0)
        out[f"paired t excludes 0, {name}, k = 1"] = bool(abs(d.mean()) > half)
    return out


def _task_study(
    rng: np.random.Generator, tasks: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tasks of unequal size whose problems share most of their rate and of their change."""
    sizes = np.maximum(3, np.exp(rng.normal(np.log(25), 0.8, tasks))).astype(int)
    task = np.repeat(np.arange(tasks), sizes)
    level = rng.normal(-1.5, 1.5, tasks)[task] + rng.normal(0, 1.0, task.size)
    change = rng.normal(0.3, 0.8, tasks)[task] + rng.normal(0, 0.3, task.size)
    return task, 1 / (1 + np.exp(-level)), 1 / (1 + np.exp(-level - change))


@cache
def _true_of_tasks(n: int, k: int) -> tuple[float, float, float, float]:
    # sizes do not depend on the rates, so that the mean over problems is that over tasks
    rng = np.random.default_rng(98)
    level = rng.normal(-1.5, 1.5, _MANY) + rng.normal(0, 1.0, _MANY)
    change = rng.normal(0.3, 0.8, _MANY) + rng.normal(0, 0.3, _MANY)
    a, b = (_at(1 / (1 + np.exp(-x)), k) for x in (level, level + change))
    return tuple(float(np.mean(x)) for x in (b - a, a * b, a * (1 - b), (1 - a) * b))


def new_tasks(rng: np.random.Generator, n: int, tasks: int) -> Hits:
    """Intervals for new tasks of the same population, and those that hold the tasks fixed."""
    task, p, q = _task_study(rng, tasks, n)
    base, rl = rng.binomial(n, p), rng.binomial(n, q)
    seed = int(rng.integers(2**31))
    pair = ((n, base), (n, rl))
    out: Hits = {}
    for k in (1, n):
        gap, kept, lost, found = _true_of_tasks(n, k)
        truth = {
            "srr": kept / (kept + lost),
            "ndr": found / (kept + found),
            "nscr": (found - lost) / (kept + found + lost),
        }
        for words, groups in (("new tasks", task), ("tasks held fixed", None)):
            d = m.pass_at_k_difference(*pair, k=k, groups=groups, seed=seed, replicates=600)
            held = _inside(d.low[0], d.high[0], gap)
            out[f"pass_at_k_difference, {words}, k = {'1' if k == 1 else 'n'}"] = held
            s = m.support_interval(*pair, k=k, groups=groups, seed=seed, replicates=600)
            for name, value in truth.items():
                one = getattr(s, name)
                held = _inside(one.low, one.high, value)
                out[f"support_interval {name}, {words}, k = {'1' if k == 1 else 'n'}"] = held
    return out


SCENARIOS: list[tuple[Callable[..., Hits], list[dict[str, int]]]] = [
    (differences, [{"n": n, "problems": N} for n in (4, 64, 1024, 16384) for N in (30, 100, 300)]),
    (new_tasks, [{"n": 64, "tasks": T} for T in (3, 5, 10, 30)]),
]

"""Curves, crossings, tasks and extrapolation on populations unlike the one of bench/coverage.py.

A law draws the problems' probabilities of a correct answer under base and RL. Among the laws are
those on which intervals are known to fail: most rates near 1/n with few large ones, small shifts of
all problems, shifts of few problems, equal models, and problems that share their task.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.stats import t as student

from planted.outcomes import Hits, held, inside
from rlvr_fast import metrics as m

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


def differences(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """pass@k of RL minus base: coverage, and width and power at k = 1 beside the paired t's."""
    out: Hits = {}
    ks = [1, max(2, n // 4), n]
    for name, law in LAWS.items():
        base, rl = (rng.binomial(n, p) for p in law(rng, problems, n))
        seed = int(rng.integers(2**31))
        got = m.pass_at_k_difference((n, base), (n, rl), k=ks, seed=seed, replicates=600)
        d = (rl - base) / n
        half = student.ppf(0.975, problems - 1) * d.std(ddof=1) / np.sqrt(problems)
        paired_t = (d.mean() - half, d.mean() + half)
        for j, (k, label) in enumerate(zip(ks, ("1", "n/4", "n"), strict=True)):
            truth, limits = _true_difference(name, n, k), (got.low[j], got.high[j])
            what = f"pass_at_k_difference, {name}, k = {label}"
            out[what] = (
                held(limits, truth, paired_t, "paired t") if j == 0 else inside(limits, truth)
            )
        word = "false claim" if name.startswith("equal") else "power"
        out[f"pass_at_k_difference: {word}, {name}, k = 1"] = not inside(
            (got.low[0], got.high[0]), 0.0
        )
        out[f"paired t: {word}, {name}, k = 1"] = not inside(paired_t, 0.0)
    return out


# Where the tasks and the problems of a task lie, in logits.
_TASK_SPREAD = 1.5
_PROBLEM_SPREAD = 1.0
_NOISE = np.random.default_rng(97).normal(size=(2, 4000))


def _means(level: np.ndarray, change: np.ndarray, k: int) -> np.ndarray:
    """Mean RL minus base, P, S and E at depth k of each task, over the problems it may have."""
    x = level[:, np.newaxis] + _PROBLEM_SPREAD * _NOISE[0]
    y = x + change[:, np.newaxis] + 0.3 * _NOISE[1]
    a, b = (_at(1 / (1 + np.exp(-v)), k) for v in (x, y))
    return np.stack([np.mean(v, axis=1) for v in (b - a, a * b, a * (1 - b), (1 - a) * b)])


def _laws_of_tasks(rng: np.random.Generator, tasks: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(-1.5, _TASK_SPREAD, tasks), rng.normal(0.3, 0.8, tasks)


@cache
def _means_of_new_tasks(k: int) -> np.ndarray:
    # sizes do not depend on the rates, so that the mean over problems is that over tasks
    return _means(*_laws_of_tasks(np.random.default_rng(98), 3000), k).mean(axis=1)


def tasks(rng: np.random.Generator, n: int, tasks: int) -> Hits:
    """Tasks of unequal size whose problems share most of their rate and of their change.

    The intervals with groups are for new tasks of the same population, those without for new
    problems of the same tasks.
    """
    sizes = np.maximum(3, np.exp(rng.normal(np.log(25), 0.8, tasks))).astype(int)
    task = np.repeat(np.arange(tasks), sizes)
    level, change = _laws_of_tasks(rng, tasks)
    x = level[task] + _PROBLEM_SPREAD * rng.normal(size=task.size)
    y = x + change[task] + 0.3 * rng.normal(size=task.size)
    pair = [(n, rng.binomial(n, 1 / (1 + np.exp(-v)))) for v in (x, y)]
    seed = int(rng.integers(2**31))
    out: Hits = {}
    for k, label in ((1, "1"), (n, "n")):
        own = _means(level, change, k) @ (sizes / sizes.sum())
        for words, groups, means in (
            ("new tasks", task, _means_of_new_tasks(k)),
            ("these tasks", None, own),
        ):
            gap, kept, lost, found = means
            truth = {
                "srr": kept / (kept + lost),
                "ndr": found / (kept + found),
                "nscr": (found - lost) / (kept + found + lost),
            }
            d = m.pass_at_k_difference(*pair, k=k, groups=groups, seed=seed, replicates=600)
            out[f"pass_at_k_difference, {words}, k = {label}"] = inside((d.low[0], d.high[0]), gap)
            s = m.support_interval(*pair, k=k, groups=groups, seed=seed, replicates=600)
            for name, value in truth.items():
                what = f"support_interval {name}, {words}, k = {label}"
                out[what] = inside(getattr(s, name), value)
    return out


def _zipf(rng: np.random.Generator, problems: int, n: int) -> np.ndarray:
    return 0.5 / rng.zipf(1.3, problems).astype(np.float64)


TAILS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "Beta(.1, 2)": lambda rng, problems, n: rng.beta(0.1, 2, problems),
    "Beta(.3, 3)": lambda rng, problems, n: rng.beta(0.3, 3, problems),
    "lognormal": lambda rng, problems, n: np.minimum(
        np.exp(rng.normal(-np.log(n), 2.5, problems)), 1
    ),
    "two spikes": lambda rng, problems, n: np.where(rng.random(problems) < 0.5, 0.5, 0.2 / n),
    "all near 1/n": lambda rng, problems, n: np.full(problems, 1 / n),
    "all near 2/n": lambda rng, problems, n: np.full(problems, 2 / n),
    "Zipf": _zipf,
    "none solved": lambda rng, problems, n: np.full(problems, 0.05 / n),
}


@cache
def _true_tail(law: str, n: int, k: int) -> float:
    return float(np.mean(_at(TAILS[law](np.random.default_rng(96), _MANY, n), k)))


def at_least(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """One-sided lower limits of pass@1.5n and pass@2n."""
    out: Hits = {}
    ks = [n + n // 2, 2 * n]
    for name, law in TAILS.items():
        c = rng.binomial(n, law(rng, problems, n))
        seed = int(rng.integers(2**31))
        got = m.extrapolate_pass_at_k(n, c, k=ks, seed=seed, replicates=600)
        for k, low, label in zip(ks, got.low, ("1.5n", "2n"), strict=True):
            truth = _true_tail(name, n, k)
            out[f"extrapolate_pass_at_k at least, {name}, k = {label}"] = low <= truth + 1e-12
    return out


def _half_lost(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    kept = rng.random(problems) < 0.5
    return 0.3 * rng.beta(1, 3, problems), np.where(kept, 0.6, 0.0)


def _few_lost(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    kind = rng.random(problems)
    base = np.where(kind < 0.5, 0.5, np.where(kind < 0.6, 0.02, 0.0))
    return base, np.where(kind < 0.5, 0.7, 0.0)


def _tilt_and_loss(
    rng: np.random.Generator, problems: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    p = rng.beta(0.3, 0.8, problems)
    return p, np.where(rng.random(problems) < 0.12, 0.0, _tilted(p, 1.2))


def _tilt_alone(rng: np.random.Generator, problems: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    p = rng.beta(0.5, 1.5, problems)
    return p, _tilted(p, 0.7)


CROSSINGS: dict[str, Law] = {
    "planted kinds": planted,
    "half lost": _half_lost,
    "one in ten lost": _few_lost,
    "tilt and loss": _tilt_and_loss,
    "tilt alone": _tilt_alone,
}


@cache
def _true_crossing(law: str, n: int) -> float:
    base, rl = CROSSINGS[law](np.random.default_rng(95), _MANY // 4, n)
    k = np.unique(np.geomspace(1, n, 300).astype(int))
    lead = np.array([np.mean(_at(rl, at) - _at(base, at)) for at in k])
    if lead[-1] >= 0:
        return np.inf
    ahead = np.flatnonzero(lead > 0)
    if not ahead.size:
        return 1.0
    i = int(ahead[-1])
    return float(k[i] + (k[i + 1] - k[i]) * lead[i] / (lead[i] - lead[i + 1]))


def crossings(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """k*, and how often the interval decides: neither end is open."""
    out: Hits = {}
    for name, law in CROSSINGS.items():
        base, rl = (rng.binomial(n, p) for p in law(rng, problems, n))
        seed = int(rng.integers(2**31))
        got = m.crossover((n, base), (n, rl), seed=seed, replicates=400)
        truth = _true_crossing(name, n)
        out[f"crossover, {name}"] = inside((got.low / 1.001, got.high * 1.001), truth)
        out[f"crossover certain (share), {name}"] = got.certain
    return out


SCENARIOS: list[tuple[Callable[..., Hits], list[dict[str, int]]]] = [
    (differences, [{"n": n, "problems": N} for n in (4, 64, 1024, 16384) for N in (30, 100, 300)]),
    (crossings, [{"n": n, "problems": N} for n in (16, 128, 1024) for N in (30, 100)]),
    (at_least, [{"n": n, "problems": N} for n in (4, 64, 1024) for N in (30, 150, 600)]),
    (tasks, [{"n": 64, "tasks": T} for T in (3, 5, 10, 30)]),
]

"""The crossing of two curves where one draw decides, and with heavy tails."""

from __future__ import annotations

import functools

import numpy as np

from planted.outcomes import Hits, inside
from planted.populations import Study, as_drawn
from rlvr_fast import metrics as m


def crossing_heavy(rng: np.random.Generator, n: str, problems: int, law: str) -> Hits:
    """k* within the common depth; "no crossing" is inf, "base ahead from the start" 1."""
    study = Study(rng, problems=problems, depth=n, law=law, change="narrowed")
    depth = int(np.minimum(study.base_depth, study.rl_depth).min())
    got = m.crossover(study.base, study.rl, seed=int(rng.integers(2**31)), replicates=500)
    return {"crossover, heavy tails": inside(got, true_crossing(n, law, depth))}


@functools.cache
def true_crossing(n: str, law: str, depth: int) -> float:
    """k* of the population: the last change of sign of the mean difference up to the depth."""
    study = Study(np.random.default_rng(0), problems=2, depth=n, law=law, change="narrowed")
    ks = np.unique(np.geomspace(1, depth, 400).astype(np.int64))
    curves = study.truth(as_drawn(ks))
    lead = curves[1] - curves[0]
    if lead[-1] >= 0:
        return float("inf")
    if (lead < 0).all():
        return 1.0
    last = int(np.flatnonzero(lead > 0)[-1])
    part = lead[last] / (lead[last] - lead[last + 1])
    return float(ks[last] + part * (ks[last + 1] - ks[last]))


def one_draw_decides(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Half of the problems sharpened, a few that only base solves, near 1/n: they cross late."""
    rare = rng.random(problems) < 0.2
    p = np.where(rare, 1.5 / n, 0.5)
    r = np.where(rare, 0.0, 0.75)
    base, rl = rng.binomial(n, p), rng.binomial(n, r)
    got = m.crossover((n, base), (n, rl), seed=int(rng.integers(2**31)), replicates=500)
    k = np.arange(1, n + 1)
    lead = 0.8 * (0.5**k - 0.25**k) - 0.2 * (1 - (1 - 1.5 / n) ** k)
    ahead = np.flatnonzero(lead > 0)
    if lead[-1] >= 0:
        truth = float("inf")
    elif not len(ahead):
        truth = 1.0
    else:
        last = int(ahead[-1])
        truth = last + 1 + lead[last] / (lead[last] - lead[last + 1])
    return {"crossover, a few problems decide": inside(got, truth)}


SCENARIOS = [
    (
        crossing_heavy,
        [
            {"n": n, "problems": N, "law": law}
            for n, N, law in (
                ("64", 30, "lognormal"),
                ("256", 30, "lognormal"),
                ("256", 300, "power"),
                ("1024", 100, "lognormal"),
                ("256/32", 60, "lognormal"),
            )
        ],
    ),
    (one_draw_decides, [{"n": n, "problems": N} for n in (128, 1024) for N in (30, 150)]),
]

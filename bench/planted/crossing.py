"""The crossing of two curves, on the planted kinds."""

from __future__ import annotations

import numpy as np

from planted.kinds import CORRECT, Kinds, Sample
from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def crossing(rng: np.random.Generator, n: int, problems: int) -> Hits:
    population = Kinds(n)
    k = np.arange(1, n + 1)[:, np.newaxis]
    a = 1 - (1 - population.base[:, CORRECT].sum(axis=1)) ** k
    b = 1 - (1 - population.rl[:, CORRECT].sum(axis=1)) ** k
    lead = (b - a) @ population.weight
    last = int(np.flatnonzero(lead > 0)[-1])
    assert last < n - 1, "the population is meant to cross"
    truth = last + 1 + lead[last] / (lead[last] - lead[last + 1])
    s = Sample(problems, n, rng)
    got = m.crossover((n, s.base), (n, s.rl), seed=int(rng.integers(2**31)), replicates=500)
    return {"crossover": inside(got, truth)}


SCENARIOS = [(crossing, [{"n": n, "problems": N} for n in (64, 1024) for N in (30, 300)])]

"""Intervals of one proportion."""

from __future__ import annotations

import numpy as np

from planted.kinds import CORRECT, Sample
from planted.outcomes import Hits
from rlvr_fast import metrics as m


def proportions(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    p = s.population.base[:, CORRECT].sum(axis=1)[s.kind]
    possible = p > 0  # p = 0 is always covered, and would raise the rate
    out = {}
    for name, interval in (
        ("clopper_pearson", m.clopper_pearson(n, s.base)),
        ("beta_interval", m.beta_interval(n, s.base)),
    ):
        out[name] = ((interval.low <= p) & (p <= interval.high))[possible]
    return out


SCENARIOS = [(proportions, [{"n": n, "problems": 40} for n in (16, 64, 1024, 16384)])]

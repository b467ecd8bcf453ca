"""The four ratios, on the planted kinds."""

from __future__ import annotations

import numpy as np

from planted.kinds import CORRECT, RATIOS, Sample
from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def support(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    seed = int(rng.integers(2**31))
    out: Hits = {}
    for k, label in ((n, "n"), (n // 4, "n/4")):
        got = m.support_interval((n, s.base), (n, s.rl), k=k, seed=seed, replicates=1000)
        truth, own = s.population.ratios(k), s.population.ratios(k, s.own)
        for name in RATIOS:
            out[f"support_interval {name}, k = {label}"] = inside(
                getattr(got, name), float(getattr(truth, name))
            )
            mine = float(getattr(own, name))
            if not np.isnan(mine):
                out[f"support_interval {name} of these problems, k = {label}"] = inside(
                    getattr(got, name), mine
                )
    pairs = (
        s.base_counts[:, CORRECT].ravel(),
        s.rl_counts[:, CORRECT].ravel(),
        np.repeat(np.arange(problems), 2),
    )
    got = m.support_interval(
        (n, pairs[0]), (n, pairs[1]), groups=pairs[2], seed=seed, replicates=1000
    )
    truth = s.population.answer_ratios(n)
    for name in RATIOS:
        out[f"support_interval {name} of distinct answers"] = inside(
            getattr(got, name), float(getattr(truth, name))
        )
    return out


SCENARIOS = [(support, [{"n": n, "problems": N} for n in (16, 256, 16384) for N in (30, 300)])]

"""pass@k curves and their paired difference, on the planted kinds."""

from __future__ import annotations

import numpy as np

from planted.kinds import Sample
from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def curves(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    ks = [1, max(2, n // 4), n]
    seed = int(rng.integers(2**31))
    got = m.pass_at_k_interval(n, s.base, k=ks, seed=seed, replicates=600)
    gap = m.pass_at_k_difference((n, s.base), (n, s.rl), k=ks, seed=seed, replicates=600)
    out: Hits = {}
    for j, (k, label) in enumerate(zip(ks, ("1", "n/4", "n"), strict=True)):
        a, b = s.population.pass_at("base", k), s.population.pass_at("rl", k)
        at = f"k = {label}"
        limits, gaps = (got.low[j], got.high[j]), (gap.low[j], gap.high[j])
        out[f"pass_at_k_interval, {at}"] = inside(limits, s.population.weight @ a)
        out[f"pass_at_k_interval of these problems, {at}"] = inside(limits, s.own @ a)
        out[f"pass_at_k_difference, {at}"] = inside(gaps, s.population.weight @ (b - a))
    return out


SCENARIOS = [(curves, [{"n": n, "problems": N} for n in (16, 256, 16384) for N in (30, 300)])]

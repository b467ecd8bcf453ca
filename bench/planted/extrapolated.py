"""pass@k past the number of draws."""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def extrapolation(rng: np.random.Generator, n: int, problems: int) -> Hits:
    seed = int(rng.integers(2**31))
    k = np.array([4 * n])
    out: Hits = {}
    zero = rng.random(problems) < 0.2
    laws = {
        "the assumed law": np.where(zero, 0.0, rng.beta(0.4, 2.0, problems)),
        "two spikes": np.where(rng.random(problems) < 0.5, 0.5, 0.2 / n),
    }
    truths = {
        "the assumed law": 0.8 * (1 - np.exp(betaln(0.4, 2.0 + k) - betaln(0.4, 2.0))),
        "two spikes": 0.5 * (1 - 0.5**k) + 0.5 * (1 - (1 - 0.2 / n) ** k),
    }
    for name, p in laws.items():
        got = m.extrapolate_pass_at_k(n, rng.binomial(n, p), k=k, seed=seed, replicates=100)
        out[f"extrapolate_pass_at_k at 4n, {name}"] = inside(
            (got.low[0], got.high[0]), float(truths[name][0])
        )
    return out


SCENARIOS = [(extrapolation, [{"n": 64, "problems": 150}])]

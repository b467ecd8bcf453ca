"""pass@k past the number of draws: a lower limit at 2n, whatever the law of the rates."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from planted.outcomes import Hits
from planted.populations import Study, as_drawn
from rlvr_fast import metrics as m


def past_the_draws(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Half of the problems at 0.2/n or 1/n, a zero-inflated Beta law, and heavy tails."""
    zero = rng.random(problems) < 0.2
    half = rng.random(problems) < 0.5
    grid = (np.arange(4000) + 0.5) / 4000
    laws = {
        "zero-inflated Beta law": np.where(zero, 0.0, rng.beta(0.4, 2.0, problems)),
        "half at 0.2/n": np.where(half, 0.5, 0.2 / n),
        "half at 1/n": np.where(half, 0.5, 1 / n),
    }
    at = 2 * n
    truths = {
        "zero-inflated Beta law": 0.8 * float(np.mean(1 - (1 - betaincinv(0.4, 2.0, grid)) ** at)),
        "half at 0.2/n": 0.5 + 0.5 * (1 - (1 - 0.2 / n) ** at),
        "half at 1/n": 0.5 + 0.5 * (1 - (1 - 1 / n) ** at),
    }
    for law in ("lognormal", "power"):
        study = Study(rng, problems=problems, depth=str(n), law=law, change="same")
        laws[law] = study.p
        truths[law] = float(study.truth(as_drawn(np.array([at])))[0, 0])
    out: Hits = {}
    for name, p in laws.items():
        got = m.extrapolate_pass_at_k(
            n, rng.binomial(n, p), k=at, seed=int(rng.integers(2**31)), replicates=400
        )
        out[f"extrapolate_pass_at_k at 2n, {name}: lower limit"] = got.low[0] <= truths[name]
    return out


SCENARIOS = [
    (past_the_draws, [{"n": n, "problems": N} for n, N in ((16, 30), (64, 150), (1024, 300))])
]

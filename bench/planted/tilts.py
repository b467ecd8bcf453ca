"""The common tilt."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def tilt(rng: np.random.Generator, n: int, problems: int) -> Hits:
    p = rng.beta(0.5, 1.5, problems)
    b, r = rng.binomial(n, p), rng.binomial(n, m.tilt(p, 1.5))
    fit = m.fit_tilt((n, b), (n, r))
    held = (fit.problem_low <= 1.5) & (fit.problem_high >= 1.5)
    known = ~np.isnan(fit.problem_beta)
    return {
        "fit_tilt, one beta": inside(fit, 1.5),
        "fit_tilt, per problem": held[known],
        "fit_tilt: heterogeneity falsely found (share)": fit.heterogeneity_p <= 0.05,
    }


SCENARIOS = [(tilt, [{"n": n, "problems": 100} for n in (16, 256, 4096)])]

"""Type I errors and false discoveries, on the planted kinds."""

from __future__ import annotations

import numpy as np

from planted.kinds import CORRECT, Sample
from planted.outcomes import Hits
from rlvr_fast import metrics as m


def errors(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Type I errors and false discoveries; each should be at most 5 %."""
    s = Sample(problems, n, rng)
    twin = rng.multinomial(n, s.population.base[s.kind])[:, CORRECT].sum(axis=1)
    shift = m.support_shift((n, s.base), (n, twin))
    null = m.exchange_null((n, s.base), (n, twin))
    out: Hits = {
        "sign_test: false alarm": m.sign_test(expanded=shift.expanded, shrunk=shift.shrunk) <= 0.05,
        "exchange_null p_shrunk: false alarm": null.p_shrunk <= 0.05,
        "exchange_null p_discordant: false alarm": null.p_discordant <= 0.05,
        "fisher_tests: any discovery under the null": bool(
            m.fisher_tests((n, s.base), (n, twin)).discovery.any()
        ),
    }
    p, q = (law[:, CORRECT].sum(axis=1)[s.kind] for law in (s.population.base, s.population.rl))
    tests = m.fisher_tests((n, s.base), (n, s.rl))
    false = tests.discovery & (p == q)
    out["fisher_tests: false discovery rate, real shifts among"] = false.sum() / max(
        1, tests.discovery.sum()
    )
    epsilon = m.detection_threshold(n)
    state = m.accessibility(n, s.base, rule="epsilon", epsilon=epsilon)
    # among problems with p <= epsilon the share called reached, among the others the reverse
    out["epsilon rule: falsely reached"] = (state == 1)[p <= epsilon]
    out["epsilon rule: falsely not reached"] = (state == 0)[p > epsilon]
    return out


SCENARIOS = [(errors, [{"n": n, "problems": 150} for n in (16, 256, 16384)])]

"""The null of two halves of one model's draws."""

from __future__ import annotations

import numpy as np

from planted.kinds import CORRECT, Sample
from planted.outcomes import Hits
from rlvr_fast import metrics as m


def split_half(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Spurious losses a problem: as the null expects, and between two new sets of n/2 draws."""
    s = Sample(problems, n, rng)
    null = m.split_half_null(n, s.base)
    law = s.population.base[s.kind]
    first, second = (rng.multinomial(n // 2, law)[:, CORRECT].sum(axis=1) for _ in range(2))
    seen = m.support_shift((n // 2, first), (n // 2, second))
    return {
        "split_half_null: expected losses a problem": null.shrunk / problems,
        "split_half_null: losses of a fresh pair a problem": seen.shrunk / problems,
    }


SCENARIOS = [(split_half, [{"n": n, "problems": 300} for n in (32, 1024)])]

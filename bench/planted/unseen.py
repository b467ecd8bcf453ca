"""Answers never seen."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def unseen(rng: np.random.Generator, n: int, answers: int) -> Hits:
    p = rng.dirichlet(np.full(answers, 0.5))
    counts = rng.multinomial(n, p)
    never_seen = m.good_turing(counts)
    even = rng.multinomial(n, np.full(answers, 1 / answers))
    return {
        "good_turing": inside(never_seen, float(p[counts == 0].sum())),
        "chao1, equally likely answers": inside(m.chao1(even), answers),
        "chao1, Dirichlet(1/2) answers": inside(m.chao1(counts), answers),
        "chao1, Dirichlet(1/2) answers: lower limit below the truth": (
            m.chao1(counts).low <= answers
        ),
    }


SCENARIOS = [(unseen, [{"n": n, "answers": 60} for n in (64, 512, 4096)])]

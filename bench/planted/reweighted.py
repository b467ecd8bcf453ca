"""Importance sampling on laws whose weights are known."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m


def importance(rng: np.random.Generator, n: int, answers: int) -> Hits:
    correct = np.arange(answers) < answers // 4
    base = rng.dirichlet(np.full(answers, 1.0))
    rl = rng.dirichlet(np.full(answers, 1.0)) * np.where(correct, 6.0, 1.0)
    rl = 0.7 * rl / rl.sum() + 0.3 * base  # part of the base's law remains
    draws = rng.choice(answers, p=rl / rl.sum(), size=n)
    got = m.importance_estimate(
        base_logprob=np.log(base[draws]), rl_logprob=np.log(rl[draws]), correct=correct[draws]
    )
    out: Hits = {"importance_estimate: trusted (share)": got.trusted}
    if got.trusted:
        out["importance_estimate, where trusted"] = inside(got, float(base[correct].sum()))
    heavy = rng.standard_exponential(n) * 1.2  # Pareto weights, shape 1.2: no finite mean
    got = m.importance_estimate(
        base_logprob=heavy - 50, rl_logprob=np.full(n, -50.0), correct=np.ones(n, dtype=bool)
    )
    out["importance_estimate: infinite-mean weights trusted (share)"] = got.trusted
    return out


SCENARIOS = [(importance, [{"n": n, "answers": 200} for n in (256, 2048)])]

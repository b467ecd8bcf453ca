"""Base's probability from RL's completions: laws whose weights are known, with heavy tails."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits
from rlvr_fast import metrics as m


def importance(rng: np.random.Generator, n: int, answers: int) -> Hits:
    """RL shares part of its law with base; and Pareto weights without a finite mean."""
    correct = np.arange(answers) < answers // 4
    base = rng.dirichlet(np.full(answers, 1.0))
    rl = rng.dirichlet(np.full(answers, 1.0)) * np.where(correct, 6.0, 1.0)
    rl = 0.7 * rl / rl.sum() + 0.3 * base  # part of the base's law remains
    out = limits(rng, base, rl, correct, n, "bounded weights")
    heavy = rng.standard_exponential(n) * 1.2  # Pareto weights, shape 1.2: no finite mean
    got = m.importance_estimate(
        base_logprob=heavy - 50, rl_logprob=np.full(n, -50.0), correct=np.ones(n, dtype=bool)
    )
    out["importance_estimate: a value from weights without a mean (share)"] = not np.isnan(
        got.value
    )
    return out


def sharpened(rng: np.random.Generator, n: int, answers: int) -> Hits:
    """Zipf completions, RL proportional to base to a power: what RL never draws is missing."""
    order = rng.permutation(answers)
    base = 1 / (1.0 + order)
    base /= base.sum()
    correct = rng.random(answers) < 0.4
    out: Hits = {}
    for power in (1.5, 2.0, 4.0):
        rl = base**power
        out |= limits(rng, base, rl / rl.sum(), correct, n, f"RL = base^{power:g}")
    return out


def limits(
    rng: np.random.Generator,
    base: np.ndarray,
    rl: np.ndarray,
    correct: np.ndarray,
    n: int,
    words: str,
) -> Hits:
    truth = float(base[correct].sum())
    drawn = rng.choice(len(base), p=rl / rl.sum(), size=n)
    given = {
        "base_logprob": np.log(base[drawn]),
        "rl_logprob": np.log(rl[drawn]),
        "correct": correct[drawn],
    }
    out: Hits = {}
    for how, more in (("", {}), (", with completions", {"completion": drawn})):
        got = m.importance_estimate(**given, **more)
        if not np.isnan(got.low):
            out[f"importance_estimate{how}, {words}: lower limit"] = got.low <= truth + 1e-12
    accuracy = rng.binomial(512, truth)
    got = m.importance_estimate(**given, base_draws=(512, accuracy))
    out[f"importance_estimate, {words}: false contradiction"] = got.contradicts
    return out


SCENARIOS = [
    (importance, [{"n": n, "answers": 200} for n in (256, 2048)]),
    (sharpened, [{"n": n, "answers": 5000} for n in (128, 1024)]),
]

"""Paired differences of pass^k, maj@k and Cover@tau, and the posterior mean of Bayes@N."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits, inside
from rlvr_fast import metrics as m

__all__ = ["SCENARIOS"]


def _majority(p: np.ndarray, draws: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """maj@k of laws p [problems, 3], the first answer correct; one row of draws a problem."""
    problems = len(p)
    counts = np.array([rng.multinomial(n, law) for n, law in zip(draws, p, strict=True)])
    found = m.majority_at_k(
        problem_index=np.repeat(np.arange(problems), 3),
        counts=counts.ravel(),
        correct=np.tile([True, False, False], problems),
        votes=np.ones(3 * problems, bool),
        k=k,
        num_problems=problems,
        seed=int(rng.integers(2**31)),
    )
    return np.stack([found.value[:, 0], counts[:, 0]])


def differences(rng: np.random.Generator, n: int, problems: int, ragged: str = "no") -> Hits:
    """RL a tilt of base of unequal size; rates mostly near 0, as on hard problems."""
    k = 4
    pool = 20_000
    base = rng.beta(0.3, 1.5, pool)
    rl = m.tilt(base, rng.normal(0.8, 1.0, pool))
    laws = [np.stack([p, 0.7 * (1 - p), 0.3 * (1 - p)], axis=1) for p in (base, rl)]
    drawn = rng.integers(0, pool, problems)
    depth = rng.integers(k, n + 1, problems) if ragged == "yes" else np.full(problems, n)
    mine = [_majority(law[drawn], depth, k, rng) for law in laws]
    hats = [m.pass_hat_k(depth, counts.astype(int), k=k) for _, counts in mine]
    mixed = [m.mg_pass_at_k(depth, counts.astype(int), k=k) for _, counts in mine]
    sides = [
        np.stack([hat, mean, votes], axis=1)
        for hat, mean, (votes, _) in zip(hats, mixed, mine, strict=True)
    ]
    got = m.mean_difference_interval(*sides, seed=int(rng.integers(2**31)))
    # the truth: pass^4 = p^4; mG-Pass@4 = (P(3) + 2 P(4))/2 of a binomial law
    upper = [(4 * p**3 * (1 - p) + 2 * p**4) / 2 for p in (base, rl)]
    truth = [(rl**k - base**k).mean(), (upper[1] - upper[0]).mean(), _true_majority(laws)]
    return {
        f"mean_difference_interval, {name}": inside((got.low[i], got.high[i]), float(truth[i]))
        for i, name in enumerate(("pass^4", "mG-Pass@4", "maj@4"))
    }


def _true_majority(laws: list[np.ndarray]) -> float:
    """maj@4 of RL minus base with three answers, by every outcome of four votes."""
    outcomes = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    means = []
    for law in laws:
        total = np.zeros(len(law))
        for a, b, c in outcomes:
            top = max(a, b, c)
            if a < top:
                continue
            ways = {0: 1, 1: 1, 2: 2, 3: 6, 4: 24}
            number = 24 / (ways[a] * ways[b] * ways[c])
            share = 1 / sum(v == top for v in (a, b, c))
            total += share * number * law[:, 0] ** a * law[:, 1] ** b * law[:, 2] ** c
        means.append(total.mean())
    return float(means[1] - means[0])


SCENARIOS = [
    (
        differences,
        [
            {"n": n, "problems": problems, "ragged": ragged}
            for n in (16, 256)
            for problems in (30, 300)
            for ragged in ("no", "yes")
        ],
    )
]

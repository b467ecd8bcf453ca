"""Repeated draws: false alarms on independent ones, power on copies; crossings per token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rlvr_fast import metrics as m
from rlvr_fast.store import CompletionKeys, find_repeats, same_completions

Rng = np.random.Generator
Answers = list[np.ndarray]


def _two(p: float) -> np.ndarray:
    return np.array([p, 1 - p])


LAWS: dict[str, Callable[[Rng], np.ndarray]] = {
    "yes or no": lambda rng: _two(rng.uniform(0.02, 0.98)),
    "one half": lambda rng: _two(0.5),
    "rare": lambda rng: _two(10 ** rng.uniform(-4, -1)),
    "zipf": lambda rng: 1 / np.arange(1, 400) ** rng.uniform(0.8, 2.5),
    "equally likely": lambda rng: np.ones(rng.integers(3, 300)),
    "dirichlet": lambda rng: rng.dirichlet(np.full(rng.integers(2, 30), 0.3)),
    "collapsed": lambda rng: np.append(2 * rng.uniform(), rng.dirichlet(np.full(5000, 0.05))),
    "all different": lambda rng: np.ones(50_000),
}


def _draw(rng: Rng, law: str, number: int) -> np.ndarray:
    weight = LAWS[law](rng)
    return np.searchsorted(np.cumsum(weight), rng.uniform(0, weight.sum(), number))


def _keys(answers: Answers) -> CompletionKeys:
    number = [len(given) for given in answers]
    return CompletionKeys(
        problem=np.repeat(np.arange(len(answers)), number),
        index=np.concatenate([np.arange(n) for n in number]),
        key=np.concatenate(answers).astype(np.int64) * 1_000_003 + 17,
        tokens=np.full(sum(number), 5),
        seed=np.full(sum(number), -1),
    )


def independent_draws(rng: Rng, n: int, problems: int, law: str) -> dict[str, Any]:
    """Two runs of independent draws of the same laws, a third of them sorted, half of them ragged.

    In the law "mixed" every problem has a law of its own.
    """
    names = rng.choice(list(LAWS), problems) if law == "mixed" else [law] * problems
    depth = rng.integers(max(2, n // 2), n + 1, problems) if rng.random() < 0.5 else [n] * problems
    laws = [np.cumsum(LAWS[name](rng)) for name in names]
    sides = [
        [
            np.searchsorted(total, rng.uniform(0, total[-1], k))
            for total, k in zip(laws, depth, strict=True)
        ]
        for _ in range(2)
    ]
    if rng.random() < 1 / 3:
        sides = [[np.sort(given) for given in answers] for answers in sides]
    keys = [_keys(answers) for answers in sides]
    repeats = [find_repeats(one, problems).reason for one in keys]
    return {
        "find_repeats: false alarm, at most 1 %": any(repeats),
        "same_completions: false alarm, at most 1 %": same_completions(*keys, problems) > 0,
    }


def copied_draws(rng: Rng, n: int, problems: int, law: str, copies: int) -> dict[str, Any]:
    """Every draw stored `copies` times, in blocks, interleaved or shuffled."""
    found, right = [], []
    for order in range(3):
        answers = []
        for _ in range(problems):
            given = _draw(rng, law, n // copies)
            given = np.tile(given, copies) if order == 1 else np.repeat(given, copies)
            answers.append(rng.permutation(given) if order == 2 else given)
        repeats = find_repeats(_keys(answers), problems)
        found.append(bool(repeats.reason))
        right.append(bool((repeats.effective == n // copies).all()))
    return {
        f"find_repeats: power, all stored {copies} times": np.array(found),
        f"find_repeats: effective number right, {copies} copies (share)": np.array(right),
    }


def shard_twice(rng: Rng, n: int, problems: int, law: str) -> dict[str, Any]:
    """A fifth of the draws stored twice, in the order of their indices or in none."""
    extra = n // 6
    ordered = []
    for _ in range(problems):
        given = _draw(rng, law, n - extra)
        ordered.append(np.concatenate([given, given[:extra]]))
    mixed = [rng.permutation(given) for given in ordered]
    return {
        "find_repeats: power, a shard imported twice": bool(
            find_repeats(_keys(ordered), problems).reason
        ),
        "find_repeats: power, a fifth stored twice, shuffled (share)": bool(
            find_repeats(_keys(mixed), problems).reason
        ),
    }


def _rates(rng: Rng, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Success rates and lengths of base and RL, heavy-tailed and correlated."""
    base = np.minimum(np.exp(rng.normal(-3.5, 1.5, number)), 1)
    sharper = rng.random(number) < 0.6
    rl = np.where(sharper, np.minimum(base * np.exp(rng.normal(1.5, 0.5, number)), 1), base * 0.02)
    lengths = np.exp(rng.normal(6.0, 0.5, number) - 0.1 * np.log(base + 1e-3))
    return base, rl, lengths, lengths * np.exp(rng.normal(0.2, 0.2, number))


def crossing_per_token(rng: Rng, n: int, problems: int) -> dict[str, Any]:
    """The budget from which base stays ahead, against that of the population."""
    base, rl, of_base, of_rl = _rates(np.random.default_rng(0), 20_000)
    budgets = np.geomspace(of_rl.mean(), n * of_base.mean(), 400)
    k = [budgets / of_base.mean(), budgets / of_rl.mean()]

    def curve(rates: np.ndarray, at: np.ndarray) -> np.ndarray:
        low = np.floor(at)
        ends = [np.array([(1 - (1 - rates) ** x).mean() for x in low + i]) for i in (0, 1)]
        return ends[0] + (at - low) * (ends[1] - ends[0])

    lead = curve(rl, k[1]) - curve(base, k[0])
    change = np.flatnonzero((lead[:-1] > 0) & (lead[1:] <= 0))
    assert change.size, "the population is meant to cross"
    last = change[-1]
    part = lead[last] / (lead[last] - lead[last + 1])
    truth = budgets[last] * (budgets[last + 1] / budgets[last]) ** part
    rows = rng.integers(0, base.size, problems)
    counts = [(n, rng.binomial(n, rates[rows])) for rates in (base, rl)]
    noise = [np.exp(rng.normal(0, 0.5 / np.sqrt(n), problems)) for _ in range(2)]
    got = m.token_crossover(
        *counts,
        base_tokens=of_base[rows] * noise[0],
        rl_tokens=of_rl[rows] * noise[1],
        seed=int(rng.integers(2**31)),
    )
    held = got.low <= truth <= got.high
    # Where another model is ahead at the end, the interval is that of another crossing.
    other = got.ahead_after == "rl" or got.verdict == "rl ahead"
    return {"token_crossover": bool(held or (other and got.high == np.inf))}


SCENARIOS = [
    (
        independent_draws,
        [
            {"n": n, "problems": N, "law": law}
            for law in (*LAWS, "mixed")
            for n, N in ((16, 30), (64, 100), (256, 30))
        ],
    ),
    (
        copied_draws,
        [
            {"n": n, "problems": N, "law": law, "copies": copies}
            for law in ("yes or no", "zipf", "dirichlet", "all different")
            for n, N, copies in ((256, 100, 16), (64, 100, 2))
        ],
    ),
    (
        shard_twice,
        [
            {"n": 96, "problems": 100, "law": law}
            for law in ("yes or no", "zipf", "dirichlet", "all different")
        ],
    ),
    (crossing_per_token, [{"n": n, "problems": N} for n in (32, 256) for N in (30, 200)]),
]

"""Importance weights of known truth: what base draws and RL hardly draws is most of the mass.

Each scenario is one problem: the RL model's draws, with the log-probabilities of both models. The
truth is base's whole probability of a correct completion, also of those that RL never draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast import metrics as m

__all__ = ["SCENARIOS"]

COMPLETIONS = 5000


def _zipf(rng: np.random.Generator, exponent: float = 1.1) -> tuple[np.ndarray, np.ndarray]:
    """Base's law over Zipf completions, and which of them are correct (three in ten)."""
    law = np.arange(1, COMPLETIONS + 1.0) ** -exponent
    return law / law.sum(), rng.random(COMPLETIONS) < 0.3


def _nucleus(law: np.ndarray, top_p: float) -> np.ndarray:
    """The law cut to its nucleus: the likeliest completions whose probability reaches top_p."""
    order = np.argsort(-law)
    total = np.cumsum(law[order])
    kept = order[: int(np.searchsorted(total, top_p)) + 1]
    cut = np.zeros_like(law)
    cut[kept] = law[kept] / law[kept].sum()
    return cut


def _hits(
    name: str,
    got: m.ImportanceEstimate,
    truth: float,
) -> dict[str, Any]:
    """Whether the limit holds, and how near to the truth it comes."""
    if not got.correct:
        return {f"{name}: no limit without a correct draw": np.isnan(got.low)}
    return {
        f"{name}: lower limit holds": got.low <= truth * (1 + 1e-12),
        f"{name}: lower limit above half of the truth (share)": got.low > truth / 2,
    }


def sharpened(
    rng: np.random.Generator, n: int, g: float, top_p: float = 1.0, known: bool = True
) -> dict[str, Any]:
    """RL proportional to base^g on the correct completions, as training that sharpens gives."""
    base, correct = _zipf(rng)
    rl = np.where(correct, base**g, 0.2 * base**g)
    rl /= rl.sum()
    base, rl = _nucleus(base, top_p), _nucleus(rl, top_p)
    drawn = rng.choice(COMPLETIONS, p=rl, size=n)
    truth = float(base[correct].sum())
    own = int(rng.binomial(n, truth))
    with np.errstate(divide="ignore"):
        got = m.importance_estimate(
            base_logprob=np.log(base[drawn]),
            rl_logprob=np.log(rl[drawn]),
            correct=correct[drawn],
            completion=drawn if known else None,
            base_draws=(n, own),
        )
    which = "importance_estimate" + ("" if known else " without completions")
    out = _hits(which, got, truth)
    out[f"{which}: contradiction of true scores (false alarm)"] = got.contradicts
    return out


def heavy(rng: np.random.Generator, n: int, shape: float, accuracy: float) -> dict[str, Any]:
    """Pareto weights: the mean is infinite from shape 1 on, so every finite limit holds there.

    Below 1 the weights have the mean ``accuracy``.
    """
    mean = 1 / (1 - shape) if shape < 1 else np.inf
    log_weight = shape * rng.standard_exponential(n)
    right = rng.random(n) < 0.5
    scale = accuracy / (0.5 * mean) if shape < 1 else 1e-6
    got = m.importance_estimate(
        base_logprob=log_weight + np.log(scale) - 60, rl_logprob=np.full(n, -60.0), correct=right
    )
    truth = accuracy if shape < 1 else np.inf
    return _hits("importance_estimate, Pareto weights", got, truth)


def constant_tail(rng: np.random.Generator, n: int, share: float) -> dict[str, Any]:
    """Equal weights, and a rare completion that holds most of base's probability.

    Nearly all draws are of one completion. A tail of equal weights says nothing of the rare one.
    """
    # completions: the common one, the rare one; both correct
    rl = np.array([1 - share, share])
    base = np.array([0.1, 0.5])
    drawn = (rng.random(n) < share).astype(int)
    got = m.importance_estimate(
        base_logprob=np.log(base[drawn]), rl_logprob=np.log(rl[drawn]), correct=np.ones(n, bool)
    )
    out = _hits("importance_estimate, constant tail", got, float(base.sum()))
    out["importance_estimate, constant tail: a value is given (share)"] = not np.isnan(got.value)
    return out


def false_scores(rng: np.random.Generator, n: int, error: float) -> dict[str, Any]:
    """Scores that say too much by a factor: base's own draws contradict them."""
    base, correct = _zipf(rng)
    rl = np.where(correct, base, 0.2 * base)
    rl /= rl.sum()
    drawn = rng.choice(COMPLETIONS, p=rl, size=n)
    got = m.importance_estimate(
        base_logprob=np.log(base[drawn]) + error,
        rl_logprob=np.log(rl[drawn]),
        correct=correct[drawn],
        base_draws=(n, int(rng.binomial(n, base[correct].sum()))),
    )
    return {
        "importance_estimate: contradiction of false scores (power)": got.contradicts,
        "importance_estimate: value of false scores given (share)": not np.isnan(got.value),
    }


SCENARIOS = [
    (
        sharpened,
        [
            {"n": n, "g": g, "known": known}
            for n in (4, 64, 512, 4096, 16384)
            for g in (0.5, 1.0, 1.5, 2.0, 4.0)
            for known in (True, False)
        ]
        + [{"n": n, "g": 1.5, "top_p": 0.9} for n in (64, 2048)],
    ),
    (
        heavy,
        [
            {"n": n, "shape": shape, "accuracy": accuracy}
            for n in (4, 64, 512, 4096)
            for shape in (0.3, 0.7, 0.95, 1.5, 4.0)
            for accuracy in (1e-6, 0.3)
        ],
    ),
    (
        constant_tail,
        [
            {"n": n, "share": share / n}
            for n in (16, 100, 700, 4096)
            for share in (0.03, 0.2, 1.0, 3.0)
        ],
    ),
    (false_scores, [{"n": n, "error": error} for n in (512, 4096) for error in (0.5, 2.0)]),
]

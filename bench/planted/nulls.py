"""Nulls of the shift: one common tilt, a verifier that errs, answers that share draws."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits
from planted.populations import DEPTHS, LAWS, Study
from rlvr_fast import metrics as m
from rlvr_fast.report.answer_evidence import answer_evidence
from rlvr_fast.report.claims import PAGE_LEVEL


def any_tilt(rng: np.random.Generator, n: str, problems: int, law: str, found: float) -> Hits:
    """One beta from -2 to 4; a share `found` of the problems goes from 0 to .3 in truth."""
    share, base_depth, rl_depth = (np.array(c) for c in zip(*DEPTHS[n], strict=True))
    which = rng.choice(len(share), size=problems, p=share)
    bn, rn = base_depth[which], rl_depth[which]
    p = LAWS[law](rng.random(problems), float(np.median(np.minimum(bn, rn))))
    beta = rng.uniform(-2, 4) if not found else 1.0
    new = rng.random(problems) < found
    base = bn, rng.binomial(bn, np.where(new, 0.0, p))
    rl = rn, rng.binomial(rn, np.where(new, 0.3, m.tilt(p, beta)))
    null = m.tilt_null(base, rl)
    if found:
        return {
            f"tilt_null p_expanded, {found:.0%} truly found: power at .05": null.p_expanded <= 0.05,
            f"tilt_null p_expanded, {found:.0%} truly found: power at .003": (
                null.p_expanded <= 0.003
            ),
        }
    equal = m.exchange_null(base, rl)
    return {
        "tilt_null p_expanded: false alarm, beta from -2 to 4": null.p_expanded <= 0.05,
        "tilt_null p_shrunk: false alarm, beta from -2 to 4": null.p_shrunk <= 0.05,
        "tilt_null: limits of beta, beta from -2 to 4": null.low <= beta <= null.high,
        "exchange_null under a mere tilt: either p <= .05 (share)": (
            min(equal.p_expanded, equal.p_shrunk) <= 0.05
        ),
    }


def verifier(rng: np.random.Generator, n: str, problems: int, errors: float) -> Hits:
    """Equal models, whose wrong draws the verifier accepts twice as often for RL."""
    study = Study(
        rng,
        problems=problems,
        depth=n,
        change="same",
        false_positives=errors,
        rl_false_positives=2 * errors,
    )
    return {
        f"reached_at_least {at.correct}, RL's false positives twice base's (share)": (
            at.p_expanded <= 0.05
        )
        for at in m.reached_at_least(study.base, study.rl)
    }


def answers(rng: np.random.Generator, n: str, problems: int, answers: int) -> Hits:
    """Identical models, whose answers share the draws of their problem."""
    _, base_depth, rl_depth = DEPTHS[n][0]
    counts: list[np.ndarray] = []
    for _ in range(problems):
        law = rng.dirichlet(np.full(int(rng.integers(1, answers + 1)), 0.3)) * rng.uniform(0.05, 1)
        law = np.append(law, 1 - law.sum())
        both = [rng.multinomial(depth, law)[:-1] for depth in (base_depth, rl_depth)]
        counts.append(np.stack(both)[:, both[0] + both[1] > 0])
    size = [c.shape[1] for c in counts]
    base_count, rl_count = np.concatenate(counts, axis=1)
    base = m.Draws(np.full(len(base_count), base_depth), base_count)
    rl = m.Draws(np.full(len(rl_count), rl_depth), rl_count)
    null = m.exchange_null(base, rl)
    (found,) = answer_evidence(
        base,
        rl,
        problem=np.repeat(np.arange(problems), size),
        masks=[np.ones(len(base_count), dtype=bool)],
        independent=True,
    )
    claims = min(found.p_shrunk, found.p_expanded) <= PAGE_LEVEL
    return {
        "exchange_null of answers p_shrunk: false alarm": null.p_shrunk <= 0.05,
        "exchange_null of answers p_expanded: false alarm": null.p_expanded <= 0.05,
        "distinct answers, identical models: any claim, at most 1 %": bool(
            claims or found.lost_singly + found.found_singly
        ),
    }


SCENARIOS = [
    (
        any_tilt,
        [
            {"n": n, "problems": problems, "law": law, "found": 0.0}
            for n, problems, law in (
                ("16", 30, "lognormal"),
                ("64", 300, "beta"),
                ("256", 300, "lognormal"),
                ("256/32", 200, "power"),
                ("128/1024", 300, "lognormal"),
                ("ragged", 200, "lognormal"),
                ("1024", 1500, "power"),
                ("16384", 1500, "lognormal"),
            )
        ]
        + [
            {"n": n, "problems": problems, "law": "lognormal", "found": 0.1}
            for n, problems in (("64", 100), ("256", 300), ("1024", 1500))
        ],
    ),
    (
        verifier,
        [
            {"n": n, "problems": 300, "errors": errors}
            for n, errors in (("1024", 1e-4), ("256", 1e-3), ("16", 1e-2), ("1024/128", 1e-3))
        ],
    ),
    (
        answers,
        [
            {"n": n, "problems": problems, "answers": most}
            for n, problems, most in (
                ("64", 1, 200),
                ("256", 40, 30),
                ("256/32", 40, 60),
                ("128/1024", 10, 200),
            )
        ],
    ),
]

"""False alarms of the tests on equal models, under a mere tilt, and under a verifier that errs."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.outcomes import Hits
from planted.populations import Study
from rlvr_fast import metrics as m


def equal_models(
    rng: np.random.Generator, n: str, problems: int, tasks: int, law: str, errors: float
) -> Hits:
    """Two models with the same rates, whatever the draws; the verifier errs alike for both."""
    study = Study(
        rng,
        problems=problems,
        tasks=tasks,
        depth=n,
        law=law,
        change="same",
        spread=1.0,
        false_positives=errors,
    )
    null = m.exchange_null(study.base, study.rl)
    tests = m.fisher_tests(study.base, study.rl)
    out: Hits = {
        "exchange_null p_expanded: false alarm, heavy tails": null.p_expanded <= 0.05,
        "exchange_null p_shrunk: false alarm, heavy tails": null.p_shrunk <= 0.05,
        "exchange_null p_discordant: false alarm, heavy tails": null.p_discordant <= 0.05,
        "discordance_test: false alarm, heavy tails": m.discordance_test(study.base, study.rl)
        <= 0.05,
        "fisher_tests: any discovery, equal models": bool(tests.discovery.any()),
        "fisher_tests and holm: any loss claimed, equal models (false)": bool(
            (m.holm(tests.p_value) <= 0.05).any()
        ),
    }
    for at in m.reached_at_least(study.base, study.rl):
        least = at.correct
        if least > 1:
            what = f"reached_at_least {least}: false alarm, equal models"
            out[what] = min(at.p_expanded, at.p_shrunk) <= 0.025
    rows = [study.groups == task for task in range(tasks)]
    by_task = [m.discordance_test(study.base[row], study.rl[row]) for row in rows if row.any()]
    out["discordance_test and holm over tasks: any false alarm"] = bool(
        (m.holm(np.array(by_task)) <= 0.05).any()
    )
    return out


def mere_tilt(rng: np.random.Generator, n: str, problems: int, law: str) -> Hits:
    """RL is base tilted by one beta: nothing is found or lost that the tilt does not explain."""
    study = Study(rng, problems=problems, depth=n, law=law, change="tilt")
    null = m.tilt_null(study.base, study.rl)
    return {
        "tilt_null p_expanded: false alarm, one beta": null.p_expanded <= 0.05,
        "tilt_null p_shrunk: false alarm, one beta": null.p_shrunk <= 0.05,
        "tilt_null: interval of beta": null.low <= 1.5 <= null.high,
    }


def twice_the_false_positives(
    rng: np.random.Generator, n: str, problems: int, errors: float
) -> Hits:
    """Equal models, and a verifier that accepts twice as many wrong completions of RL."""
    study = Study(
        rng,
        problems=problems,
        depth=n,
        change="same",
        false_positives=errors,
        rl_false_positives=2 * errors,
    )
    null = m.exchange_null(study.base, study.rl)
    out: Hits = {
        "exchange_null p_expanded <= 0.05, RL's false positives twice base's (share)": (
            null.p_expanded <= 0.05
        )
    }
    rate = m.false_positive_rate(study.base, study.rl)
    if np.isfinite(rate.expanded):
        # what the page says: a rate of this size alone shows as many found problems
        out["false_positive_rate at least the planted excess (share)"] = rate.expanded >= errors
    return out


def pairs(*rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    keys = ("n", "problems", "tasks", "law", "errors")
    return [dict(zip(keys, row, strict=True)) for row in rows]


SCENARIOS = [
    (
        equal_models,
        pairs(
            ("4", 100, 3, "lognormal", 0.0),
            ("64", 30, 3, "lognormal", 1e-3),
            ("256", 300, 30, "power", 1e-4),
            ("256/32", 200, 5, "lognormal", 0.0),
            ("1024/128", 300, 10, "lognormal", 1e-3),
            ("128/1024", 300, 10, "beta", 1e-2),
            ("ragged", 600, 30, "lognormal", 1e-3),
            ("ragged, RL less", 200, 10, "beta", 0.0),
            ("16384", 1500, 30, "power", 0.0),
        ),
    ),
    (
        mere_tilt,
        [
            {"n": n, "problems": N, "law": law}
            for n, N, law in (
                ("16", 60, "lognormal"),
                ("256", 300, "lognormal"),
                ("256", 300, "power"),
                ("1024/128", 200, "lognormal"),
                ("ragged", 200, "beta"),
            )
        ],
    ),
    (
        twice_the_false_positives,
        [
            {"n": "256", "problems": 300, "errors": 1e-4},
            {"n": "256", "problems": 300, "errors": 1e-3},
            {"n": "16384", "problems": 300, "errors": 1e-3},
            {"n": "1024/128", "problems": 300, "errors": 1e-2},
        ],
    ),
]

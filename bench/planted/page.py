"""Claims of a whole page where nothing changed, and where one tilt is the whole change.

A claim is what the report's evidence says to be more than luck: a sentence on all problems or on a
task, a problem proven by itself, a discovery among the tests of single problems.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from planted.outcomes import Hits
from planted.populations import Study
from rlvr_fast.report.claims import PAGE_LEVEL
from rlvr_fast.report.evidence import gather
from rlvr_fast.report.sentences import luck_sentences

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "report"))

from light import light_comparison

CLAIM = "is more than luck"


def page(
    rng: np.random.Generator, n: str, problems: int, tasks: int, law: str, change: str
) -> Hits:
    """All claims of one page. `change` is "same" (equal models) or "tilt" (one beta)."""
    study = Study(
        rng,
        problems=problems,
        tasks=tasks,
        depth=n,
        law=law,
        change=change,
        spread=1.0 if change == "same" else 0.0,
    )
    comparison = light_comparison(study.base, study.rl, tasks=study.groups.tolist())
    evidence = gather(comparison)
    said = [
        text
        for group, found in zip(comparison.groups, evidence.groups, strict=True)
        for text in luck_sentences(comparison, group, found)
    ]
    more_than_luck = any(CLAIM in text for text in said)
    if change == "tilt":
        return {"page, one tilt: a number claimed to be more than luck (false)": more_than_luck}
    by_group = [min(found.adjusted.values()) <= PAGE_LEVEL for found in evidence.groups]
    single = bool((evidence.problem_p <= PAGE_LEVEL).any() or evidence.tests.discovery.any())
    return {
        "page, equal models: any claim": more_than_luck or any(by_group) or single,
        "page, equal models: claim on all problems": by_group[0],
        "page, equal models: claim on a task": any(by_group[1:]),
        "page, equal models: claim on a single problem": single,
    }


def _configs(change: str, *rows: tuple[str, int, int, str]) -> list[dict[str, Any]]:
    keys = ("n", "problems", "tasks", "law")
    return [{**dict(zip(keys, row, strict=True)), "change": change} for row in rows]


SCENARIOS = [
    (
        page,
        [
            *_configs(
                "same",
                ("64", 100, 1, "even"),
                ("64", 150, 3, "lognormal"),
                ("256", 300, 30, "lognormal"),
                ("256/32", 200, 3, "lognormal"),
                ("1024/128", 300, 30, "power"),
                ("128/1024", 300, 10, "beta"),
                ("ragged", 300, 30, "lognormal"),
                ("ragged, RL less", 100, 1, "beta"),
                ("4", 60, 3, "lognormal"),
            ),
            *_configs(
                "tilt",
                ("256", 300, 30, "lognormal"),
                ("1024/128", 200, 3, "power"),
                ("ragged", 200, 3, "beta"),
            ),
        ],
    )
]

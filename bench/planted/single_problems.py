"""What the page says of one problem: claims of a change, and the chance of a label by luck."""

from __future__ import annotations

import numpy as np

from planted.outcomes import Hits
from planted.populations import Study
from rlvr_fast import metrics as m
from rlvr_fast.report.claims import PAGE_LEVEL, adjusted
from rlvr_fast.report.label_proofs import chance_by_luck


def single_problems(rng: np.random.Generator, n: str, problems: int, law: str) -> Hits:
    """Two models with the same rates: no problem changed, every lost or found one is luck."""
    study = Study(rng, problems=problems, depth=n, law=law, change="same")
    p_values = m.fisher_tests(study.base, study.rl).p_value
    labels = np.asarray(m.support_shift(study.base, study.rl, rule="seen").labels)
    luck = chance_by_luck(labels, study.base, study.rl)
    solved = (study.base.num_correct + study.rl.num_correct) > 0
    return {
        "page: “the chance changed” of any problem, equal models (false alarm at most 1 %)": bool(
            (adjusted(p_values, "problems") <= PAGE_LEVEL).any()
        ),
        "page: chance by luck <= 0.05 where base is the one that solves (false alarm)": (
            (luck <= 0.05) & (labels == "shrunk")
        )[solved],
        "page: chance by luck <= 0.05 where RL is the one that solves (false alarm)": (
            (luck <= 0.05) & (labels == "expanded")
        )[solved],
    }


SCENARIOS = [
    (
        single_problems,
        [
            {"n": n, "problems": problems, "law": law}
            for n, problems, law in (
                ("4", 100, "lognormal"),
                ("64", 30, "lognormal"),
                ("256/32", 200, "power"),
                ("ragged", 300, "beta"),
                ("16384", 1500, "lognormal"),
            )
        ],
    ),
]

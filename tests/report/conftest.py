"""Planted runs and their reports, which several files of tests read."""

from __future__ import annotations

import pytest
from planted_runs import TASKS, write_pair
from planted_scores import planted, rescore

from rlvr_fast.report import Report, build_report, compare_runs
from rlvr_fast.store import Run


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    return write_pair(tmp_path_factory.mktemp("pair"), tasks=TASKS, samples=48, seed=3)


@pytest.fixture(scope="session")
def built(pair: tuple[Run, Run]) -> Report:
    return build_report(compare_runs(*pair))


@pytest.fixture(scope="session")
def untruncated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    base, rl = planted(
        tmp_path_factory.mktemp("untruncated"),
        sampling={"top_p": 1.0},
        answer_space={"logic": 1000, "puzzle": 20},
    )
    rescore(rl, {"base-sampling": "base", "rl-sampling": "rl"}, temperature=0.6, top_p=1.0)
    return base, rl

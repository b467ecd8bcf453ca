"""A study whose two models are on two servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_server import serving

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import Run
from rlvr_fast.study import run_study
from rlvr_fast.study.config import StudyConfig

pytestmark = pytest.mark.usefixtures("at_once")


def study(folder: Path, base: dict[str, object], rl: dict[str, object]) -> StudyConfig:
    return StudyConfig.from_mapping(
        {
            "base": {"model": "toy-base", "engine_args": base},
            "rl": {"model": "toy-rl", "engine_args": rl},
            "tasks": "reasoning_gym:chain_sum?size=3",
            "samples": 4,
            "engine": "server",
            "engine_args": {"concurrency": 2},
            "template": "plain",
            "policy": "last_number",
            "sampling": {"max_tokens": 16},
            "score": False,
            "out": str(folder),
        },
        where="study.yaml",
    )


@pytest.mark.slow
def test_each_model_is_asked_of_its_own_server(tmp_path: Path) -> None:
    with serving() as first, serving() as second:
        for server, name in ((first, "toy-base"), (second, "toy-rl")):
            server.models = [{"id": name, "owned_by": "tests"}]
        config = study(tmp_path / "out", {"url": first.url}, {"url": second.url})
        run_study(config)
        for server, side in ((first, "base"), (second, "rl")):
            assert {body["model"] for body in server.bodies} == {f"toy-{side}"}
            assert server.most <= 2  # the argument of the study holds beside that of the model
            assert Run.open(tmp_path / "out" / side).num_samples().tolist() == [4, 4, 4]


def test_arguments_of_a_model_are_checked_as_those_of_the_study(tmp_path: Path) -> None:
    config = study(tmp_path / "out", {"url": "http://127.0.0.1:9/v1"}, {"ulr": "x"})
    with pytest.raises(InvalidInputError, match=r"no argument 'ulr'.*url"):
        run_study(config)
    assert not (tmp_path / "out").exists()

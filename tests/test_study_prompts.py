"""Prompts and sampling parameters of a study are checked before the first draw, servers' too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.sampling import SampleOptions, SamplingParameters, draw_run
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.study.checks import check_study
from rlvr_fast.study.config import StudyConfig, demo_config

sys.path.insert(0, str(Path(__file__).parent / "sampling"))

from openai_server import FakeServer, serving

TASK = "reasoning_gym:products?size=2&seed=3&min_digits=2&max_digits=2"
DEMO = demo_config("out").models()


def faults_of(out: Path, **changes: Any) -> list[str]:
    values: dict[str, Any] = {
        "base": DEMO["base"].model,
        "rl": DEMO["rl"].model,
        "out": str(out),
        "tasks": [TASK],
        "samples": 1,
        "sampling": {"max_tokens": 2},
        **changes,
    }
    study = StudyConfig.from_mapping(values, where="study.yaml")
    return [str(fault) for fault in check_study(study).faults]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the base model has its draws, with an instruction of its own."""
    out = tmp_path_factory.mktemp("study")
    options = SampleOptions(
        tasks=(TASK,), samples=1, sampling=SamplingParameters(max_tokens=2),
        prompt=PromptOptions(instruction="1"),
    )  # fmt: skip
    draw_run(DEMO["base"].model, out / "base", options)
    return out


def test_a_finished_run_with_other_prompts_is_noticed_before_the_other_model_draws(
    begun: Path,
) -> None:
    (fault,) = faults_of(begun)
    assert fault.startswith("base and rl would be no runs of one experiment: template: ")
    assert "instruction '1' and none" in fault
    assert faults_of(begun, allow=["template"]) == []
    assert faults_of(begun, prompt={"instruction": "1"}) == []
    assert not (begun / "rl").exists()


def test_a_broken_template_beside_an_unfinished_run_is_one_fault(begun: Path) -> None:
    faults = faults_of(begun, samples=2, template="nowhere.txt")
    assert faults
    assert all("'nowhere.txt'" in fault for fault in faults)


def test_values_that_a_model_or_an_engine_cannot_draw_with(tmp_path: Path) -> None:
    faults = faults_of(tmp_path / "out", sampling={"stop_token_ids": [99_999], "max_tokens": 2})
    assert len(faults) == 2
    assert all("stop_token_ids holds 99999, but " in fault for fault in faults)
    faults = faults_of(tmp_path / "out", engine="vllm", score=False, sampling={"temperature": 3})
    assert any("not at 3.0: vLLM takes" in fault for fault in faults)


def served(server: FakeServer, out: Path, **changes: Any) -> list[str]:
    server.models = [{"id": name, "max_model_len": 4, "owned_by": "vllm"} for name in ("b", "r")]
    arguments = {"url": server.url, **changes.pop("engine_args", {})}
    return faults_of(
        out, base="b", rl="r", engine="server", engine_args=arguments, score=False, **changes
    )


def test_prompts_for_a_server_are_checked_with_the_tokenizer_that_is_given(tmp_path: Path) -> None:
    own = {"engine_args": {"tokenizer": DEMO["base"].model}}
    with serving() as server:
        faults = served(server, tmp_path / "out", **own)
        assert len(faults) == 2
        assert all("tokens, but the context of" in fault and "holds 4" in fault for fault in faults)
        faults = served(server, tmp_path / "out", template="chat", **own)
        assert len(faults) == 2
        assert all("has no chat template" in fault for fault in faults)
        faults = served(server, tmp_path / "out", **own, sampling={"temperature": 0.001})
        assert sum("the server is vLLM, which draws at temperature 0" in f for f in faults) == 1
        (tmp_path / "t.txt").write_text("{question} =")
        rl = {"model": "r", "template": str(tmp_path / "t.txt")}
        server.models = [{"id": name} for name in ("b", "r")]
        arguments = {"url": server.url, "tokenizer": DEMO["base"].model}
        (fault,) = faults_of(
            tmp_path / "out", base="b", rl=rl, engine="server", engine_args=arguments, score=False
        )
        assert fault.startswith("base and rl would be no runs of one experiment: template: ")
        # One token a load, and no prompt of a problem.
        assert {body["max_tokens"] for body in server.bodies} == {1}
        assert len(server.bodies) == 8


def test_without_a_tokenizer_the_template_alone_is_checked(tmp_path: Path) -> None:
    with serving() as server:
        faults = served(server, tmp_path / "out")
        assert len(faults) == 2
        assert all("is not known without its tokenizer" in fault for fault in faults)
        assert served(server, tmp_path / "out", template="plain") == []
        assert len(server.bodies) == 4

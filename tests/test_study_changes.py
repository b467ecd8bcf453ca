"""A study with differences that are allowed, and one that is changed after some of it was made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import rlvr_fast.sampling.engines
import rlvr_fast.scoring.models.scorer
from rlvr_fast.sampling import load_engine, sample_run
from rlvr_fast.sampling.drawing import draw_run
from rlvr_fast.store import Run
from rlvr_fast.study import run_study
from rlvr_fast.study.checks import check_study
from rlvr_fast.study.config import StudyConfig, demo_config
from rlvr_fast.study.work import study_work

pytestmark = pytest.mark.slow

PRODUCTS = "reasoning_gym:products?size=2&seed=3&min_digits=2&max_digits=2"
SUMS = "sums=reasoning_gym:chain_sum?size=1&seed=1&max_terms=2&max_digits=2"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with copies of the embedded models, base and rl, and a template."""
    for name, model in demo_config("out").models().items():
        shutil.copytree(model.model, tmp_path / name)
    (tmp_path / "t.txt").write_text("Q: {question}\nA:")
    return tmp_path


def study_of(place: Path, **changes: Any) -> StudyConfig:
    values: dict[str, Any] = {
        "base": str(place / "base"),
        "rl": str(place / "rl"),
        "out": str(place / "out"),
        "tasks": [PRODUCTS],
        "samples": 4,
        "template": "plain",
        "sampling": {"max_tokens": 16, "temperature": 1.0},
        "score": {"as_sampled": False},
        **changes,
    }
    return StudyConfig.from_mapping(values, where="study.yaml")


def faults_of(config: StudyConfig) -> list[str]:
    return [str(fault) for fault in check_study(config).faults]


def forbid_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> Any:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(rlvr_fast.sampling.engines, "load_engine", load)
    monkeypatch.setattr(rlvr_fast.scoring.models.scorer, "Scorer", load)


def test_allowed_differences_go_through_the_whole_study(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, temperature in (("base", 1.0), ("rl", 0.7)):
        values = {"temperature": temperature, "max_new_tokens": 16}
        (place / name / "generation_config.json").write_text(json.dumps(values))
    changes: dict[str, Any] = {
        "rl": {"model": str(place / "rl"), "template": str(place / "t.txt")},
        "sampling": {},
        "sampling_from_model": True,
    }
    (fault,) = faults_of(study_of(place, **changes))
    assert "sampling: sampling.temperature 1.0 and 0.7; template: prompt template plain" in fault
    assert fault.endswith("allow: [sampling, template]")
    (fault,) = faults_of(study_of(place, **changes, allow=["template"]))
    assert fault.endswith("allow: [sampling]")
    assert not (place / "out").exists()
    study = study_of(place, **changes, allow=["sampling", "template"])
    result = run_study(study)
    assert set(result.report.summary()["allowed_differences"]) == {"sampling", "template"}
    prompts = [Run.open(run).problems()["prompt"][0].as_py() for run in (result.base, result.rl)]
    assert prompts[1] == f"Q: {prompts[0]}\nA:"
    (place / "base").rename(place / "gone")
    forbid_loading(monkeypatch)
    run_study(study)


def test_a_difference_to_a_finished_run_is_said_before_the_other_is_drawn(place: Path) -> None:
    (place / "base" / "generation_config.json").write_text("{}")
    (place / "rl" / "generation_config.json").write_text('{"top_k": 5}')
    study = study_of(place, score=False)
    draw_run(str(place / "base"), place / "out" / "base", study.sample)
    rl = {"model": str(place / "rl"), "template": str(place / "t.txt")}
    (fault,) = faults_of(study_of(place, score=False, rl=rl))
    assert "base and rl would be no runs of one experiment: template: " in fault
    assert fault.endswith("allow: [template]")
    assert faults_of(study_of(place, score=False, rl=rl, allow=["template"])) == []
    shutil.rmtree(place / "out")
    study = study_of(place, score=False, sampling_from_model=True)
    draw_run(str(place / "base"), place / "out" / "base", study.sample)
    assert "base" in check_study(study).finished
    (fault,) = faults_of(study)
    assert "sampling: sampling.top_k 0 and 5" in fault


def test_tasks_in_another_order_and_changes_of_the_report_load_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(study_of(place, tasks=[PRODUCTS, SUMS]))
    (place / "base").rename(place / "gone")
    forbid_loading(monkeypatch)
    again = study_of(place, tasks=[SUMS, PRODUCTS], rule="epsilon", k=[3], samples=3)
    work = study_work(again, check_study(again))
    assert (work.draws, work.loads) == (0, 0)
    assert run_study(again).report.summary()["rule"] == "epsilon"


def test_the_work_is_what_is_then_done(place: Path) -> None:
    arms = {"twin": {"model": str(place / "rl"), "label": "twin"}}
    study = study_of(place, arms=arms)
    base, _, twin = study.sides()
    first = draw_run(base.model.model, base.path, base.sample)
    ids = first.problems()["problem_id"].to_pylist()
    engine = load_engine("transformers", base.model.model)
    sample_run(first, engine, {ids[0]: 9})  # as a plan asks
    run = draw_run(twin.model.model, twin.path, twin.sample)
    drawn = run.read("samples")
    run.remove("samples")
    Run.open(twin.path).append("samples", drawn.slice(0, len(drawn) - 6).slice(1))  # a gap
    more = study_of(place, arms=arms, tasks=[PRODUCTS, SUMS], samples=6)
    before = {s.name: _rows(s.path) for s in more.sides()}
    work = study_work(more, check_study(more))
    run_study(more)
    after = {s.name: _rows(s.path) for s in more.sides()}
    for side in work.sides:
        made = after[side.name].get("samples", 0) - before[side.name].get("samples", 0)
        assert side.draws == made, side
        assert side.held + side.draws == side.problems * side.samples == 18
    for each in work.scoring:
        run_name, _, model = each.name.partition(" under ")
        assert each.completions == after[run_name][f"scores/{model}"], each
    assert len(work.scoring) == 4


def _rows(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    run = Run.open(path)
    return {stage: int(run.num_samples(stage).sum()) for stage in run.stages()}

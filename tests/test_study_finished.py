"""What is finished loads nothing: a study, one side of it, `sample` and `score`, run again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lora import random_adapter

import rlvr_fast.sampling.engines
import rlvr_fast.scoring.models.scorer
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.sampling.drawing import draw_run
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.scoring.runs.run import score_run
from rlvr_fast.store import Run
from rlvr_fast.study import run_study
from rlvr_fast.study.checks import check_study
from rlvr_fast.study.config import StudyConfig, demo_config
from rlvr_fast.study.work import study_work, work_sentences

pytestmark = pytest.mark.slow

TASK = "reasoning_gym:products?size=2&seed=3&min_digits=2&max_digits=2"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with study.yaml, its models in models/, and the study run once in out/."""
    demo = demo_config("out").models()
    place = tmp_path_factory.mktemp("study")
    for name in ("base", "rl"):
        shutil.copytree(demo[name].model, place / "models" / name)
    values = {
        "base": str(place / "models" / "base"),
        "rl": str(place / "models" / "rl"),
        "out": str(place / "out"),
        "arms": {"twin": {"model": str(place / "models" / "rl"), "label": "The twin"}},
        "score_arms": True,
        "tasks": [TASK],
        "samples": 4,
        "template": "auto",
        "sampling": {"max_tokens": 48, "temperature": 1.0},
    }
    (place / "study.yaml").write_text(json.dumps(values))
    run_study(StudyConfig.from_yaml(place / "study.yaml"))
    return place


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Path:
    """A copy of the finished study, whose models are its own."""
    place = tmp_path / "study"
    shutil.copytree(whole, place, copy_function=shutil.copy2)
    text = (place / "study.yaml").read_text().replace(str(whole), str(place))
    (place / "study.yaml").write_text(text)
    return place


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is loaded while a test runs, in order; it is really loaded."""
    seen: list[str] = []
    engine, scorer = rlvr_fast.sampling.engines.load_engine, rlvr_fast.scoring.models.scorer.Scorer

    def load_engine(name: str, model: str, **others: Any) -> Any:
        seen.append(f"{name} {Path(model).name}")
        return engine(name, model, **others)

    class Scorer(scorer):  # type: ignore[misc,valid-type]
        def __init__(self, model: str, **others: Any) -> None:
            seen.append(f"scorer {Path(model).name}")
            super().__init__(model, **others)

    monkeypatch.setattr(rlvr_fast.sampling.engines, "load_engine", load_engine)
    monkeypatch.setattr(rlvr_fast.sampling.drawing, "load_engine", load_engine)
    monkeypatch.setattr(rlvr_fast.scoring.models.scorer, "Scorer", Scorer)
    return seen


def facts_of(place: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((place / "out/report/summary.json").read_text())
    value["epsilon"].pop("from")  # the threshold of the first report is kept
    return value


def test_a_finished_study_imports_no_torch_and_needs_no_model(study: Path) -> None:
    before = facts_of(study)
    (study / "models").rename(study / "gone")
    code = (
        "import sys\n"
        "from rlvr_fast.study import StudyConfig, run_study\n"
        f"run_study(StudyConfig.from_yaml({str(study / 'study.yaml')!r}))\n"
        "print(sorted({'torch', 'transformers', 'vllm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert facts_of(study) == before


def test_its_work_is_none(study: Path) -> None:
    config = StudyConfig.from_yaml(study / "study.yaml")
    (study / "models").rename(study / "gone")
    work = study_work(config, check_study(config))
    assert (work.draws, work.tokens, work.loads, work.seconds) == (0, 0, 0, 0.0)
    assert "score: nothing is left to score" in work_sentences(work)


def test_a_model_is_loaded_once_for_its_sides_and_only_where_it_has_work(
    study: Path, loaded: list[str]
) -> None:
    before = facts_of(study)
    shutil.rmtree(study / "out" / "rl" / "samples")
    shutil.rmtree(study / "out" / "arms" / "twin" / "samples")
    for side in ("rl", "arms/twin"):
        for name in ("answers", "scores"):
            shutil.rmtree(study / "out" / side / name)
        for name in ("grading.json", "grades.parquet", "verdicts.jsonl"):
            (study / "out" / side / name).unlink(missing_ok=True)
    config = StudyConfig.from_yaml(study / "study.yaml")
    assert study_work(config, check_study(config)).loads == 4
    run_study(config)
    # The arm is the RL model once more: one engine draws for both.
    assert loaded == ["transformers rl", "scorer base", "scorer rl", "scorer rl"]
    assert facts_of(study) == before


def test_scores_that_are_missing_load_one_scorer(study: Path, loaded: list[str]) -> None:
    shutil.rmtree(study / "out" / "base" / "scores" / "rl-sampling")
    run_study(StudyConfig.from_yaml(study / "study.yaml"))
    assert loaded == ["scorer rl"]


def test_the_tokens_and_the_speed_of_a_top_up_come_from_the_run(study: Path) -> None:
    text = (study / "study.yaml").read_text().replace('"samples": 4', '"samples": 6')
    (study / "study.yaml").write_text(text)
    config = StudyConfig.from_yaml(study / "study.yaml")
    base, *_ = study_work(config, check_study(config)).sides
    assert (base.held, base.draws, base.at_most) == (8, 4, False)
    lengths = Run.open(study / "out/base").read("samples", ["token_ids"])["token_ids"].to_pylist()
    assert base.tokens == round(4 * sum(map(len, lengths)) / 8)
    assert base.seconds is None  # one part has no speed


def test_other_runs_gradings_and_scores_are_named_before_anything_is_drawn(study: Path) -> None:
    values = json.loads((study / "study.yaml").read_text())
    values["sampling"]["temperature"] = 0.5
    values["policy"] = "last_number"
    values["rl"], values["score"] = values["base"], {"per_token": True}
    config = StudyConfig.from_mapping(values, where="study.yaml")
    faults = [str(fault) for fault in check_study(config).faults]
    assert sum("sampling.temperature 1.0 and 0.5" in fault for fault in faults) == 3
    assert sum("it was graded with policy 'auto'" in fault for fault in faults) == 3
    assert any("holds another run" in f and "model rl at" in f for f in faults), faults
    assert any("was made with per_token False, asked for True" in fault for fault in faults)
    with pytest.raises(Exception, match="faults of this study"):
        run_study(config)


def test_a_finished_sample_loads_no_engine(study: Path, loaded: list[str]) -> None:
    options = SampleOptions.from_mapping(
        {"tasks": [TASK], "samples": 3, "sampling": {"max_tokens": 48, "temperature": 1.0}},
        where="options",
    )
    model, out = study / "models" / "base", study / "out" / "base"
    assert draw_run(str(model), out, options).num_samples().tolist() == [4, 4]
    model.rename(study / "models" / "moved")
    draw_run(str(study / "models" / "moved"), out, options)  # the digest is the model's
    draw_run(str(model), out, options)  # gone: its name
    assert loaded == []
    with pytest.raises(RunDirectoryError, match="holds another run"):
        draw_run(str(study / "models" / "rl"), out, options)
    assert loaded == ["transformers rl"]


def test_a_finished_scoring_loads_no_scorer(study: Path, loaded: list[str]) -> None:
    run, model = Run.open(study / "out" / "rl"), str(study / "models" / "base")
    sampled = ScoreOptions(as_sampled=True)
    assert score_run(run, model, ScoreOptions(), label="base") == 0
    assert score_run(run, model, sampled, label="base") == 0
    (study / "models").rename(study / "gone")
    assert score_run(run, model, ScoreOptions(), label="base") == 0
    with pytest.raises(RunDirectoryError, match="was made with model"):
        score_run(run, str(study / "gone" / "rl"), ScoreOptions(), label="base")


@pytest.mark.parametrize("part", ["adapter", "model"])
def test_files_that_change_between_draws_and_scoring_are_refused(tmp_path: Path, part: str) -> None:
    """Else the scores "of the RL model" would be those of a later checkpoint."""
    demo = demo_config("out").models()
    for name in ("base", "rl"):
        shutil.copytree(demo[name].model, tmp_path / name)
    for name in ("grpo", "later"):
        random_adapter(tmp_path / "base", tmp_path / name, seed=len(name))
    with_adapter = {"model": str(tmp_path / "base"), "adapter": str(tmp_path / "grpo")}
    values = {
        "base": str(tmp_path / "base"),
        "rl": with_adapter if part == "adapter" else str(tmp_path / "rl"),
        "out": str(tmp_path / "out"),
        "tasks": [TASK],
        "samples": 2,
        "sampling": {"max_tokens": 8},
    }

    def trained_on(stage: str, done: int, total: int) -> None:
        if stage.startswith("score base under base"):  # all is drawn
            changed, by = ("grpo", "later") if part == "adapter" else ("rl", "base")
            shutil.copytree(tmp_path / by, tmp_path / changed, dirs_exist_ok=True)

    with pytest.raises(RunDirectoryError, match=r"its files are others than .*out/rl"):
        run_study(StudyConfig.from_mapping(values, where="study.yaml"), progress=trained_on)
    for side in ("base", "rl"):
        assert Run.open(tmp_path / "out" / side).stages().count("scores/rl") == 0


def test_a_label_names_the_model_in_the_report(study: Path) -> None:
    values = json.loads((study / "study.yaml").read_text())
    values["rl"] = {"model": values["rl"], "label": "After <GRPO>"}
    run_study(StudyConfig.from_mapping(values, where="study.yaml"))
    summary = facts_of(study)
    assert summary["models"]["rl"]["label"] == "After <GRPO>"
    assert summary["models"]["rl"]["name"] == "rl"
    assert summary["arms"]["models"] == {"twin": "The twin"}
    page = (study / "out/report/index.html").read_text()
    assert "After &lt;GRPO&gt;" in page
    assert "After <GRPO>" not in page

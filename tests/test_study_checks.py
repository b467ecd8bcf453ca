"""A study names all its faults before anything is loaded, drawn or written."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.errors import InvalidInputError, MissingDependencyError, RlvrError
from rlvr_fast.study import run_study
from rlvr_fast.study.checks import check_study, machine
from rlvr_fast.study.config import StudyConfig, demo_config
from rlvr_fast.study.models import StudyModel
from rlvr_fast.study.work import study_work, work_sentences

TASK = "reasoning_gym:products?size=2&seed=3&min_digits=2&max_digits=2"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with copies of the embedded models: base and rl."""
    demo = demo_config("out").models()
    folder = tmp_path_factory.mktemp("models")
    for name in ("base", "rl"):
        shutil.copytree(demo[name].model, folder / name)
    return folder


def study_of(models: Path, out: Path, **changes: Any) -> StudyConfig:
    values: dict[str, Any] = {
        "base": str(models / "base"),
        "rl": str(models / "rl"),
        "out": str(out),
        "tasks": [TASK],
        "samples": 4,
        "sampling": {"max_tokens": 24},
        **changes,
    }
    return StudyConfig.from_mapping(values, where="study.yaml")


def faults_of(config: StudyConfig) -> list[str]:
    return [str(fault) for fault in check_study(config).faults]


def changed(models: Path, folder: Path, **config: Any) -> Path:
    """A copy of the base model with other entries in its config.json."""
    shutil.copytree(models / "base", folder)
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return folder


# -- models ----------------------------------------------------------------------------------------


def test_a_model_is_a_name_or_a_mapping(models: Path, tmp_path: Path) -> None:
    rl = {"model": "m", "adapter": "grpo", "template": "plain", "prompt": {"system": "Be brief."}}
    study = study_of(
        models, tmp_path / "out", rl=rl, rl_revision="v2", prompt={"instruction": "none"},
        arms={"sft": {"model": "twin", "label": "SFT"}}, allow=["template"],
    )  # fmt: skip
    base, right, arm = study.sides()
    assert base.model == StudyModel(model=str(models / "base"))
    assert (right.model.adapter, right.model.revision) == ("grpo", "v2")
    assert right.shown == "m with grpo"
    assert (right.sample.template, base.sample.template) == ("plain", "auto")
    assert right.sample.prompt.system == "Be brief."
    assert right.sample.prompt.instruction == "none"
    assert (arm.name, arm.shown, arm.path) == ("sft", "SFT", tmp_path / "out" / "arms" / "sft")
    assert study.compare.allow == ("template",)
    assert study.with_out("there").models() == study.models()
    with pytest.raises(InvalidInputError, match="revision of rl is given twice"):
        study_of(models, tmp_path, rl={"model": "m", "revision": "v1"}, rl_revision="v2")
    with pytest.raises(InvalidInputError, match=r"study.yaml: rl: unknown key 'adaptor'. Did you"):
        study_of(models, tmp_path, rl={"model": "m", "adaptor": "grpo"})


def test_arms_are_scored_where_it_is_asked(models: Path, tmp_path: Path) -> None:
    from rlvr_fast.study.stages import scoring_passes

    for asked in (False, True):
        study = study_of(models, tmp_path, arms={"sft": "twin"}, score_arms=asked)
        passes = scoring_passes(study, study.sides(), lambda side: {"temperature": 1.0})
        made = {(each.side.name, each.scorer.name, each.label) for each in passes}
        arms = {("sft", "base", "base"), ("sft", "sft", "rl")}
        assert {each for each in made if each[0] == "sft"} == (arms if asked else set())
        assert len(passes) == len(made)
        assert all(len(each.options) == 2 for each in passes)


# -- faults ----------------------------------------------------------------------------------------


def test_all_faults_come_at_once_and_nothing_is_written(models: Path, tmp_path: Path) -> None:
    study = study_of(
        models,
        tmp_path / "out",
        rl=str(models / "rll"),
        tasks=[TASK, "math:nowhere.jsonl", "reasoning_gym:no_such_thing"],
        template="nowhere.txt",
        engine_args={"batch_sze": 3},
        arms={"sft": {"model": str(models / "rl"), "adapter": str(models / "base")}},
        verdicts="imported",
    )
    with pytest.raises(InvalidInputError) as raised:
        run_study(study)
    message = str(raised.value)
    for part in (
        "rll: no such folder; a model is a folder",
        "nowhere.jsonl",
        "no_such_thing",
        "has no argument 'batch_sze'. Did you mean 'batch_size'",
        "adapter_config.json",
        "'nowhere.txt'",
    ):
        assert part in message
    numbers = re.findall(r"^  (\d+)\. ", message, re.M)
    assert numbers == [str(i) for i in range(1, len(numbers) + 1)]
    assert message.startswith(f"{len(numbers)} faults of this study; nothing was loaded or drawn:")
    assert not (tmp_path / "out").exists()


def test_one_fault_is_the_error_that_it_was(models: Path, tmp_path: Path) -> None:
    study = study_of(models, tmp_path / "out", rl=str(models / "rll"))
    assert len(faults_of(study)) == 1
    with pytest.raises(InvalidInputError, match=r"^/.*rll: no such folder; a model is a folder"):
        check_study(study).require()


def test_a_model_of_any_causal_architecture_may_score(models: Path, tmp_path: Path) -> None:
    """Where the head is unknown, the logits are the model's own."""
    folder = changed(models, tmp_path / "m", model_type="opt", architectures=["OPTForCausalLM"])
    assert faults_of(study_of(models, tmp_path / "out", rl=str(folder))) == []


def test_prompts_have_to_fit_the_context(models: Path, tmp_path: Path) -> None:
    folder = changed(models, tmp_path / "m", max_position_embeddings=4)
    (fault,) = faults_of(study_of(models, tmp_path / "out", rl=str(folder), score=False))
    assert "tokens, but the context of" in fault
    assert "holds 4" in fault


def test_one_tokenizer_is_needed_where_models_score_each_other(
    models: Path, tmp_path: Path
) -> None:
    folder = changed(models, tmp_path / "m")
    file = folder / "tokenizer.json"
    value = json.loads(file.read_text())
    vocabulary = value["model"]["vocab"]
    digits = {"1": vocabulary["1"], "2": vocabulary["2"]}
    vocabulary.update({"1": digits["2"], "2": digits["1"]})
    file.write_text(json.dumps(value))
    study = study_of(
        models, tmp_path / "out", rl=str(folder), tasks=["reasoning_gym:products?size=20"]
    )
    faults = faults_of(study)
    assert len(faults) == 2  # each under the other
    assert all("is not the tokenizer of this run" in fault for fault in faults)
    assert faults_of(study_of(models, tmp_path / "out", rl=str(folder), score=False)) == []


@pytest.mark.parametrize("allow", [[], ["template"]])
def test_different_prompts_have_to_be_allowed(
    models: Path, tmp_path: Path, allow: list[str]
) -> None:
    (tmp_path / "t.txt").write_text("Q: {question}\nA:")
    rl = {"model": str(models / "rl"), "template": str(tmp_path / "t.txt")}
    faults = faults_of(study_of(models, tmp_path / "out", rl=rl, template="plain", allow=allow))
    if allow:
        assert faults == []
        return
    (fault,) = faults
    assert fault.startswith("base and rl would be no runs of one experiment: template: ")
    assert fault.endswith("allow: [template]")


CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


@pytest.mark.slow
def test_auto_is_one_form_for_all_models(models: Path, tmp_path: Path) -> None:
    talking = changed(models, tmp_path / "talking")
    (talking / "chat_template.jinja").write_text(CHAT)
    check = check_study(study_of(models, tmp_path / "out", rl=str(talking)))
    assert check.faults == ()
    assert {side.sample.template for side in check.sides} == {"plain"}
    assert "template auto is plain for all of them" in "\n".join(check.remarks)
    asked = {"model": str(talking), "template": "chat"}
    check = check_study(study_of(models, tmp_path / "out", rl=asked, arms={"twin": asked}))
    assert {side.sample.template for side in check.sides} == {"plain", "chat"}
    assert check.remarks == ()
    assert [str(fault)[:12] for fault in check.faults] == ["base and rl ", "base and twi"]


@pytest.mark.slow  # chat templates are rendered in a process of their own
def test_auto_is_the_chat_template_that_all_models_have(models: Path, tmp_path: Path) -> None:
    for name in ("base", "rl"):
        shutil.copytree(models / name, tmp_path / name)
        (tmp_path / name / "chat_template.jinja").write_text(CHAT)
    study = study_of(tmp_path, tmp_path / "out", prompt={"system": "Be brief."})
    check = check_study(study)
    assert check.faults == ()
    assert check.remarks == ()
    assert {side.sample.template for side in check.sides} == {"chat"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template": "chat"}, "has no chat template"),
        ({"engine": "server", "logprobs": True}, "url"),
        ({"engine": "server", "score": False, "rl": {"model": "m", "adapter": "a"}}, "no adapter"),
        ({"tasks": ["a=" + TASK, "b=" + TASK]}, "is given twice"),
        ({"arms": {"base": "x"}}, "an arm cannot be named 'base'"),
        ({"verdicts": "imported"}, "no verdicts come along"),
    ],
    ids=str,
)
def test_each_fault_is_found(
    models: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    faults = faults_of(study_of(models, tmp_path / "out", **change))
    assert any(message in fault for fault in faults), faults


def test_the_folder_has_to_be_one_that_can_be_written(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (fault,) = faults_of(study_of(models, tmp_path / "file" / "out"))
    assert "cannot be made" in fault
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rl").mkdir()
    (tmp_path / "out" / "rl" / "notes.txt").write_text("x")
    (fault,) = faults_of(study_of(models, tmp_path / "out"))
    assert "not a run directory (no run.json) and not empty" in fault


def test_what_the_machine_cannot_hold_is_refused(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = machine.weights_bytes(models / "base", 4)
    assert size < (models / "base" / "model.safetensors").stat().st_size + 1
    monkeypatch.setattr(machine, "_memory", lambda *_: ("memory", size // 2))
    faults = faults_of(study_of(models, tmp_path / "out"))
    assert len(faults) == 2
    assert all("its weights take at least" in fault for fault in faults)
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 10))
    (fault,) = faults_of(study_of(models, tmp_path / "out"))
    assert "16 draws of one token each take" in fault


@pytest.mark.slow
def test_a_package_that_is_missing_is_a_fault(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    check = check_study(study_of(models, tmp_path / "out", engine="vllm"))
    with pytest.raises(MissingDependencyError, match=r"needs the package vllm.*\[vllm\]"):
        check.require()


# -- the work --------------------------------------------------------------------------------------


def test_the_work_is_told_without_a_run(models: Path, tmp_path: Path) -> None:
    study = study_of(models, tmp_path / "out", arms={"twin": str(models / "rl")})
    work = study_work(study, check_study(study))
    assert [(side.name, side.draws, side.tokens) for side in work.sides] == [
        ("base", 8, 192), ("rl", 8, 192), ("twin", 8, 192),
    ]  # fmt: skip
    assert work.seconds is None
    assert [each.completions for each in work.scoring] == [8] * 4
    assert work.loads == 2 + 2  # the arm is the RL model once more
    said = "\n".join(work_sentences(work))
    assert "at most 192 tokens; how long they take is not known" in said
    assert json.loads(json.dumps(work.to_json()))["draws"] == 24
    assert not (tmp_path / "out").exists()


def test_engines_that_read_models_say_so() -> None:
    """Without it the models of a study would not be looked at before they are loaded."""
    from rlvr_fast.sampling.engines import BUILT_IN, engine_kind

    assert {n for n in BUILT_IN if engine_kind(n).from_files} == {"transformers", "vllm"}


def test_faults_are_errors_of_the_library(models: Path, tmp_path: Path) -> None:
    study = study_of(models, tmp_path / "out", rl="/no/such", base="/nor/this")
    assert all(isinstance(fault, RlvrError) for fault in check_study(study).faults)

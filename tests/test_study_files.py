"""Study files as careless users write them: all faults at once, and no error of another kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.cli import main
from rlvr_fast.errors import RlvrError, SeveralFaults
from rlvr_fast.options import Options, options_of
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.study.checks import check_study
from rlvr_fast.study.config import StudyConfig, study_keys
from rlvr_fast.study.models import StudyModel

GOOD = {"base": "b", "rl": "r", "out": "o", "tasks": ["math:x"], "samples": 2}
MAPPINGS: Mapping[str, type[Options]] = {
    "sampling": SamplingParameters,
    "prompt": PromptOptions,
    "score": ScoreOptions,
    "base": StudyModel,
    "rl": StudyModel,
}
ODD: list[Any] = [
    None, "", [], {}, 0, -1, 1.5, True, [[1]], {"a": 1}, {1: 2}, "x", "x" * 100_000, float("nan"),
    float("inf"), 2**70, ["a", None], "\ud800", b"a",
]  # fmt: skip


def odd_files() -> Iterator[dict[str, Any]]:
    """A good study with one odd value, at each place that may have one."""
    for key in [*study_keys(), "no_such_key"]:
        yield from ({**GOOD, key: value} for value in ODD)
    for key, kind in MAPPINGS.items():
        for each in options_of(kind):
            for value in ODD:
                inner = (
                    {"model": "m", each.name: value} if kind is StudyModel else {each.name: value}
                )
                yield {**GOOD, key: inner}
    for value in ODD:
        yield {**GOOD, "arms": {"x": value}}
        yield {**GOOD, "arms": {str(value): "m"}}
        yield {**GOOD, "tasks": [{"name": value, "spec": value}]}


def test_odd_values_are_taken_or_refused_in_few_words() -> None:
    refused = []
    for values in odd_files():
        try:
            StudyConfig.from_mapping(values, where="study.yaml").sides()
        except RlvrError as error:
            refused.append(str(error))
    assert len(refused) > 1000
    assert max(map(len, refused)) < 2500


FAULTY = """
base: b
rl: {model: r, adaptor: grpo}
arms: {one: {revision: v2}, two: 3}
tasks: [math:x, {name: a}]
sampels: 3
temperature: 1
engine: vlm
device: tpu
sampling: {top_p: 2, heat: 1}
score: {per_token: 1}
policy: box
k: [0]
"""


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(FAULTY)
    with pytest.raises(SeveralFaults) as raised:
        StudyConfig.from_yaml(file)
    faults = [str(fault).removeprefix(f"{file}: ") for fault in raised.value.faults]
    expected = [
        "'temperature' is a key of the mapping 'sampling'",
        "unknown key 'sampels'. Did you mean 'samples'",
        "'out' is missing",
        "'samples' is missing",
        "rl: unknown key 'adaptor'. Did you mean 'adapter'",
        "tasks must be a list of specs",
        "engine is 'vlm'",
        "device is 'tpu'",
        "sampling: unknown key 'heat'",
        "sampling: top_p is 2",
        "policy is 'box'",
        "k is 0",
        "score: per_token is 1",
    ]
    assert len(faults) == len(expected)
    assert all(any(fault.startswith(text) for fault in faults) for text in expected), faults
    models = {**GOOD, "arms": {"one": {"revision": "v2"}, "two": 3}, "rl_revision": ""}
    with pytest.raises(SeveralFaults, match=r"(?s)2 faults .*arms: one: 'model'.*arms: two is 3"):
        StudyConfig.from_mapping({**models, "rl_revision": None}, where="study.yaml")


def test_faults_end_with_exit_code_2_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "study.yaml"
    checked = (
        "base: {model: ./b, label: X}\nrl: {model: ./r, label: x}\nout: o\ntasks: math:no.jsonl\n"
    )
    checked += "samples: 2\narms: {base: ./a}\n"
    for text, count in ((FAULTY, 13), (checked, 5)):
        place.write_text(text)
        monkeypatch.setattr(
            sys, "argv", ["rlvr-fast", "study", "study.yaml", "--track", "tensorboard"]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert f"error: {count} faults of " in capsys.readouterr().err
        assert [each.name for each in tmp_path.iterdir()] == ["study.yaml"]


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.txt").write_text("Q: {question}")
    values = {
        **GOOD,
        "base": "~/b",
        "rl": "~/r",
        "out": "~/runs",
        "arms": {"a": {"model": "~/m", "adapter": "~/a"}},
    }
    study = StudyConfig.from_mapping({**values, "template": "~/t.txt"}, where="study.yaml")
    base, _, arm = study.sides()
    assert (study.out, base.model.model) == (str(tmp_path / "runs"), str(tmp_path / "b"))
    assert arm.model.adapter == str(tmp_path / "a")
    assert not any("t.txt" in str(fault) for fault in check_study(study).faults)

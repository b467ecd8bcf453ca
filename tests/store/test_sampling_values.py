"""Sampling parameters that run.json leaves out, and those that imported files state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from rlvr_fast.cli import app
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.report.comparable import run_differences
from rlvr_fast.store import Run, differences, draw_seeds, import_rollouts
from rlvr_fast.store.sampling_values import beyond_one_pass, cuts, sampling_value

FIVE = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []}
STATED = {
    "top_k": 20, "min_p": 0.05, "presence_penalty": 1.5, "frequency_penalty": 0.2,
    "repetition_penalty": 1.05, "min_tokens": 3, "stop_token_ids": [7, 9],
}  # fmt: skip


def sampled(path: Path, sampling: dict[str, Any], name: str = "m") -> Run:
    problems = pa.table(
        {
            "problem_id": ["p"], "task": ["t"], "prompt": ["What is it?"],
            "prompt_token_ids": pa.array([[1]], pa.list_(pa.int32())),
            "gold": pa.array(["1"], pa.string()), "metadata": ["{}"],
        }
    )  # fmt: skip
    return Run.create(
        path,
        model={"name": name, "revision": None},
        engine={"name": "e", "version": "1", "notes": []},
        sampling={**FIVE, **sampling},
        prompt_template={"name": "plain", "sha256": "x"},
        tasks=[{"name": "t", "spec": "t"}],
        problems=problems,
    )


def evaluation(folder: Path, **config: Any) -> Path:
    """Rollouts in the layout of NeMo-RL, whose configuration lies beside them."""
    folder.mkdir()
    rows = [
        {
            "prompt": "<|im_start|>user\nWhat is 3 + 4?<|im_end|>\n<|im_start|>assistant\n",
            "response": f"\\boxed{{{7 + number}}}", "reward": 1.0 - number, "message_log": "[]",
            "extra_env_info": "{'ground_truth': '7'}", "sample_index": number,
        }
        for number in range(2)
    ]  # fmt: skip
    text = json.dumps({"evaluation_data": rows}, indent=2)
    # Files of equal bytes would be refused as one file twice.
    (folder / "evaluation_data.json").write_text(text + " " * len(str(config)))
    whole = {"model_name": "qwen", "temperature": 0.6, "top_p": 0.95, **config}
    (folder / "config.json").write_text(json.dumps(whole))
    return folder


def imported(tmp_path: Path, name: str, **config: Any) -> Run:
    return import_rollouts(evaluation(tmp_path / f"{name}-files", **config), tmp_path / name)


@pytest.mark.parametrize("name", STATED)
def test_an_absent_parameter_has_its_default(tmp_path, name):
    plain, other = sampled(tmp_path / "a", {}), sampled(tmp_path / "b", {name: STATED[name]})
    neutral = sampled(tmp_path / "c", {name: sampling_value({}, name)})
    assert differences(plain, neutral) == []
    (found,) = differences(plain, other)
    default = sampling_value({}, name)
    assert found.message == f"sampling.{name} {default!r} and {STATED[name]!r}"
    assert list(run_differences(plain, other)) == ["sampling"]  # what --allow names
    # One run: made before the parameter came, and gone on with.
    assert sampled(tmp_path / "a", {name: default}).path == plain.path
    with pytest.raises(RunDirectoryError, match=f"sampling.{name}"):
        sampled(tmp_path / "a", {name: STATED[name]})


def test_seeds_are_those_of_before():
    """Seeds of draws made before the parameters came."""
    import numpy as np

    from rlvr_fast.sampling import SamplingParameters
    from rlvr_fast.store import RunInfo

    info = RunInfo({"name": "m", "revision": None}, {}, SamplingParameters().to_json(), {}, [])
    assert draw_seeds(info, "p", np.arange(3)).tolist() == [
        7071959826731629102, 3972616202161211614, 8179324075543917315,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_k", -2), ("top_k", 1.5), ("min_p", 2), ("repetition_penalty", 0), ("min_tokens", -1),
     ("stop_token_ids", [0.5]), ("presence_penalty", "1")],
)  # fmt: skip
def test_a_run_with_an_impossible_parameter_is_refused(tmp_path, name, value):
    with pytest.raises(RunDirectoryError, match=name):
        sampled(tmp_path / "run", {name: value})


def test_imports_keep_and_compare_what_files_state(tmp_path):
    run = imported(tmp_path, "run", **STATED)
    assert {name: run.info.sampling[name] for name in STATED} == STATED
    assert Run.open(run.path).info.sampling == run.info.sampling
    assert differences(run, imported(tmp_path, "bare")) == []  # not recorded: no difference
    other = imported(tmp_path, "other", **{**STATED, "top_k": 40})
    assert [d.message for d in differences(run, other)] == ["sampling.top_k 20 and 40"]
    assert beyond_one_pass(run.info.sampling) == "presence_penalty"


def test_imports_spell_parameters_as_run_json_does(tmp_path):
    run = imported(tmp_path, "run", top_k=20.0, min_new_tokens=3.0, repeat_penalty=1.1)
    assert run.info.sampling["top_k"] == 20
    assert type(run.info.sampling["top_k"]) is int
    assert run.info.sampling["min_tokens"] == 3
    assert run.info.sampling["repetition_penalty"] == 1.1


def test_impossible_stated_parameters_are_left_out_and_said(tmp_path):
    files = evaluation(
        tmp_path / "files", top_k=-7, min_p=3, repetition_penalty=0, stop_token_ids=[-1, "x"],
        min_tokens=10**400, presence_penalty=0.5,
    )  # fmt: skip
    run = import_rollouts(files, tmp_path / "run")
    assert set(STATED) & set(run.info.sampling) == {"presence_penalty"}
    notes = "\n".join(run.read_json("import.json")["notes"])
    for name in ("top_k", "min_p", "repetition_penalty", "stop_token_ids", "min_tokens"):
        assert f"{name} is not recorded: expected" in notes or f"{name} is not recorded: [" in notes


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty"])
def test_files_of_two_distributions_are_refused(tmp_path, name):
    both = tmp_path / "both"
    both.mkdir()
    evaluation(both / "a", **STATED)
    evaluation(both / "b", **{**STATED, name: 1})
    with pytest.raises(InvalidInputError, match=f"drawn with {name} .*Import them apart"):
        import_rollouts(both, tmp_path / "run")


def test_values_and_words():
    assert sampling_value({"top_k": -1}, "top_k") == sampling_value({}, "top_k") == 0
    assert sampling_value({"stop_token_ids": (3,)}, "stop_token_ids") == [3]
    assert sampling_value({}, "temperature") is None
    assert cuts({"top_p": 1.0, "top_k": -1, "min_p": None}) == []
    assert cuts({"top_p": 0.9, "top_k": 20, "min_p": 0.1}) == ["top-p 0.9", "top-k 20", "min-p 0.1"]
    neutral = {"presence_penalty": 0, "repetition_penalty": 1.0, "logit_bias": {}, "typical_p": 1}
    assert beyond_one_pass(neutral) == beyond_one_pass({}) == ""
    assert beyond_one_pass({"typical_p": 0.9}) == "typical_p"


def test_parameters_that_no_file_states_can_be_given(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"question": "1 + 1?", "answer": "2", "completion": "2"}\n')
    stated = ["--top-k", "20", "--min-p", "0.05", "--presence-penalty", "0.5"]
    stated += ["--frequency-penalty", "-0.5", "--repetition-penalty", "1.1", "--min-tokens", "3"]
    command = ["import", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "run"), *stated, "-q"]
    for _ in range(2):  # the second finds the first
        found = CliRunner().invoke(app, command)
        assert found.exit_code == 0, found.output
    given = {name: Run.open(tmp_path / "run").info.sampling[name] for name in (
        "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
        "min_tokens",
    )}  # fmt: skip
    assert list(given.values()) == [20, 0.05, 0.5, -0.5, 1.1, 3]
    other = CliRunner().invoke(app, [*command, "--min-p", "0.1"])
    assert "min_p: 0.05 then, 0.1 now" in str(other.exception)

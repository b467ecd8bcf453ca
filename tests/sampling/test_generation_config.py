"""What a model's generation_config.json gives, what the user gives, and what is refused."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rlvr_fast
from rlvr_fast.cli import app
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling import EngineKind, SampleOptions, SamplingParameters, draw_run
from rlvr_fast.sampling.generation_config import sampling_from_model
from rlvr_fast.store import Run, differences

DEMO = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
# As Qwen3's and DeepSeek-R1's files are.
QWEN = {
    "bos_token_id": 1, "do_sample": True, "eos_token_id": [2, 3], "pad_token_id": 0,
    "temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.05,
    "transformers_version": "4.51.0",
}  # fmt: skip


def folder(path: Path, values: object, *, whole: bool = False) -> str:
    """A folder with this generation_config.json; `whole`: a model that draws."""
    if whole:
        shutil.copytree(DEMO, path, dirs_exist_ok=True)
    path.mkdir(exist_ok=True)
    text = values if isinstance(values, str) else json.dumps(values)
    (path / "generation_config.json").write_text(text)
    return str(path)


def test_the_file_gives_what_the_user_does_not(tmp_path):
    model = folder(tmp_path, QWEN)
    found = sampling_from_model(SamplingParameters(), model)
    assert found.parameters == SamplingParameters(
        temperature=0.6, top_k=20, top_p=0.95, repetition_penalty=1.05
    )
    assert found.gave == {
        "temperature": 0.6, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05
    }  # fmt: skip
    assert found.remarks == ()
    assert found.notes == (
        "from generation_config.json: temperature 0.6, top_p 0.95, top_k 20, "
        "repetition_penalty 1.05",
    )
    # A value that is given is the user's, also one that is the default.
    own = sampling_from_model(SamplingParameters(top_k=0, temperature=0.6, seed=3), model)
    assert own.parameters == SamplingParameters(seed=3, repetition_penalty=1.05)
    assert own.gave == {"top_p": 0.95, "repetition_penalty": 1.05}


def test_every_parameter_of_the_file(tmp_path):
    values = {
        "temperature": 1, "top_p": 1, "top_k": -1, "min_p": 0.1, "presence_penalty": 1.5,
        "frequency_penalty": -0.5, "repetition_penalty": 1, "max_new_tokens": 2048,
        "min_new_tokens": 3, "stop_strings": "###", "typical_p": 1.0, "num_beams": 1,
    }  # fmt: skip
    found = sampling_from_model(SamplingParameters(), folder(tmp_path, values))
    assert found.parameters == SamplingParameters(
        temperature=1, top_p=1, min_p=0.1, presence_penalty=1.5, frequency_penalty=-0.5,
        max_tokens=2048, min_tokens=3, stop=("###",),
    )  # fmt: skip
    assert found.gave["top_k"] == 0
    assert found.gave["stop"] == ["###"]
    assert json.loads(json.dumps(found.gave)) == found.gave


def test_nulls_and_strange_keys_give_nothing(tmp_path):
    values = {"temperature": None, "do_sample": None, "nonsense": [1], "eos_token_id": 2}
    found = sampling_from_model(SamplingParameters(), folder(tmp_path, values))
    assert found.parameters == SamplingParameters()
    assert found.notes == ("from generation_config.json: no sampling parameter",)


def test_do_sample_false_is_temperature_zero(tmp_path):
    model = folder(tmp_path, {"do_sample": False, "temperature": 0.7, "top_p": 0.8})
    found = sampling_from_model(SamplingParameters(), model)
    assert found.parameters == SamplingParameters(temperature=0, top_p=0.8)
    assert found.remarks == ("generation_config.json has do_sample false: the temperature is 0",)
    own = sampling_from_model(SamplingParameters(temperature=0.9), model)
    assert own.parameters.temperature == 0.9
    assert own.remarks == ()


def test_what_the_draws_are_made_without_is_said(tmp_path):
    model = folder(tmp_path, {"num_beams": 4, "typical_p": 0.9, "no_repeat_ngram_size": 0})
    assert sampling_from_model(SamplingParameters(), model).remarks == (
        "generation_config.json also names num_beams, typical_p, without which the draws are made",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1}, "temperature is -1"),
        ({"temperature": "0.6"}, "temperature is '0.6'"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_k": 2.5}, "top_k is 2.5"),
        ({"top_k": 10**400}, "top_k is "),
        ({"min_p": [0.1]}, "min_p is "),
        ({"repetition_penalty": 0}, "repetition_penalty is 0"),
        ({"presence_penalty": True}, "presence_penalty is True"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_tokens is 9"),
        ({"stop_strings": [3]}, "stop_strings is 3"),
        ({"do_sample": "no"}, "do_sample is 'no'"),
        ("[]", "expected an object"),
        ("{", "not a readable file of JSON"),
        ('{"top_k": 1, "top_k": 2}', "comes twice"),
        ('{"temperature": NaN}', "no JSON number"),
        ('{"temperature": 1e999}', "beyond the range"),
        ("[" * 100_000, "not a readable file of JSON"),
        ("\ud800", None),
    ],
)
def test_damaged_values_are_refused_with_the_name_of_the_file(tmp_path, values, message):
    if message is None:
        (tmp_path / "generation_config.json").write_bytes(b"\xff\xfe{}")
        model, message = str(tmp_path), "not a readable file of JSON"
    else:
        model = folder(tmp_path, values)
    with pytest.raises(InvalidInputError, match=r"generation_config\.json: .*" + message):
        sampling_from_model(SamplingParameters(), model)


def test_a_damaged_value_does_not_matter_where_the_user_gives_another(tmp_path):
    model = folder(tmp_path, {"top_p": 0, "top_k": 5})
    found = sampling_from_model(SamplingParameters(top_p=0.9), model)
    assert found.parameters == SamplingParameters(top_p=0.9, top_k=5)


def test_a_large_file_and_a_model_without_one_are_refused(tmp_path):
    model = folder(tmp_path, json.dumps({"x": "y" * (2 << 20)}))
    with pytest.raises(InvalidInputError, match=r"generation_config\.json: expected a file of at"):
        sampling_from_model(SamplingParameters(), model)
    (tmp_path / "generation_config.json").unlink()
    with pytest.raises(InvalidInputError, match=r"the model has no generation_config\.json"):
        sampling_from_model(SamplingParameters(), model)
    with pytest.raises(InvalidInputError, match=r"the model has no generation_config\.json"):
        sampling_from_model(SamplingParameters(), str(tmp_path / "model.gguf"))
    with pytest.raises(InvalidInputError, match="no such folder"):
        sampling_from_model(SamplingParameters(), str(tmp_path / "nothing"))


def options(tasks: Path, *, from_model: bool = True, **sampling: object) -> SampleOptions:
    rows = ({"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(2))
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SampleOptions(
        tasks=(f"math:{tasks}",), samples=2,
        sampling=SamplingParameters(max_tokens=4, **sampling), sampling_from_model=from_model,
    )  # fmt: skip


def test_a_run_records_the_values_and_what_came_from_the_file(tmp_path):
    model = folder(tmp_path / "model", {**QWEN, "do_sample": False}, whole=True)
    tasks = tmp_path / "tasks.jsonl"
    with pytest.warns(UserWarning, match="do_sample false: the temperature is 0"):
        run = draw_run(model, tmp_path / "run", options(tasks, min_p=0.1))
    assert run.info.sampling == {
        "temperature": 0.0, "top_p": 0.95, "max_tokens": 4, "seed": 0, "stop": [],
        "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.05,
    }  # fmt: skip
    gave = {"temperature": 0.0, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05}
    assert run.info.model["generation_config"] == gave
    assert any("do_sample false" in note for note in run.info.engine["notes"])
    opened = Run.open(tmp_path / "run")
    assert opened.info == run.info
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = draw_run(model, tmp_path / "run", options(tasks, min_p=0.1))
    assert again.num_samples().tolist() == [2, 2]
    # Other draws than with the same values given: the file is one of the model's.
    plain = draw_run(
        model, tmp_path / "plain",
        options(tasks, from_model=False, temperature=0, top_k=20, repetition_penalty=1.05),
    )  # fmt: skip
    (found,) = differences(run, plain)
    assert (found.kind, found.message) == ("sampling", "sampling.min_p 0.1 and 0.0")


def test_the_command_line_tells_given_values_from_defaults(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "rlvr_fast.sampling.drawing.draw_run", lambda *_, **__: seen.append(_) or 1 / 0
    )
    command = ["sample", "m", "--task", "math:a", "--samples", "1", "--out", str(tmp_path / "r")]
    CliRunner().invoke(app, [*command, "--sampling-from-model", "--temperature", "0.6"])
    made = seen[0][2]
    assert made.sampling_from_model
    assert made.sampling.given == {"temperature"}
    assert made.sampling == SamplingParameters()


def test_what_the_engine_does_not_honour_is_refused_before_it_loads(tmp_path, monkeypatch):
    loads = []
    kind = EngineKind(name="plain", help="honours five", load=lambda *_, **__: loads.append(1))
    monkeypatch.setattr("rlvr_fast.sampling.engines.engine_kind", lambda name: kind)
    model = folder(tmp_path, QWEN)
    with pytest.raises(InvalidInputError, match="does not know top_k, repetition_penalty"):
        draw_run(model, tmp_path / "run", options(tmp_path / "tasks.jsonl"))
    assert not loads

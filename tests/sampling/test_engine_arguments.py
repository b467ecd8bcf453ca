"""Arguments of an engine in run.json: written, checked, compared on resumption, shown."""

from __future__ import annotations

import json
import warnings

import pytest
from tiny import Words, save_tiny
from transformers import LlamaConfig

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.report.page import _words
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run
from rlvr_fast.store import Run

PARAMETERS = SamplingParameters(max_tokens=4)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return load_engine("transformers", save_tiny(tmp_path_factory.mktemp("model"), LlamaConfig))


def test_arguments_are_recorded_and_another_one_is_told(engine, tmp_path):
    engine.recorded = {"tensor_parallel_size": 2, "hf_overrides": {"rope_theta": 1.5}}
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS, template="plain")
    assert run.info.engine["arguments"] == engine.recorded
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS, template="plain")
    engine.recorded = {"tensor_parallel_size": 4, "hf_overrides": {"rope_theta": 1.5}}
    with pytest.warns(UserWarning, match=r"tensor_parallel_size 2, not 4\); run.json keeps"):
        again = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS, template="plain")
    assert again.info.engine["arguments"]["tensor_parallel_size"] == 2
    engine.recorded = {}
    plain = prepare_run(tmp_path / "plain", engine, [Words()], PARAMETERS, template="plain")
    assert "arguments" not in plain.info.engine


def test_the_page_shows_arguments_by_name():
    told = _words([{"tensor_parallel_size": 2, "quantization": "fp8", "x": {"a": [1]}}, ["a note"]])
    assert told == ["tensor_parallel_size=2", "quantization=fp8", 'x={"a": [1]}', "a note"]


def test_arguments_that_are_no_mapping_are_a_damaged_run(engine, tmp_path):
    engine.recorded = {"a": 1}
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS, template="plain")
    path = run.path / "run.json"
    value = json.loads(path.read_text())
    value["engine"]["arguments"] = ["a"]
    path.write_text(json.dumps(value))
    with pytest.raises(RunDirectoryError, match="arguments"):
        Run.open(run.path)

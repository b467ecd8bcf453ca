"""Sampling parameters at and beyond their edges, and logits that define no distribution."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prompting import Letters, math_tasks
from tiny import VOCABULARY, save_tiny
from transformers import AutoModelForCausalLM, LlamaConfig
from typer.testing import CliRunner

from rlvr_fast.cli import app
from rlvr_fast.errors import EngineError, InvalidInputError
from rlvr_fast.sampling import Request, SamplingParameters, load_engine, prepare_run
from rlvr_fast.sampling.engines import check_honoured
from rlvr_fast.sampling.engines.transformers.nucleus import sample_tokens
from rlvr_fast.study.config import StudyConfig

LARGE = str(1 << 63)
# Parameter, its value as people write it, and whether it is one.
EDGES = [
    *(("temperature", value, value in ("0", "-0.0", "1e-300", "1e300"))
      for value in ("nan", "inf", "-inf", "1e400", "-1", "-1e-9", "0", "-0.0", "1e-300", "1e300")),
    *(("top_p", value, value in ("1", "1e-300")) for value in ("0", "-0.0", "1", "1.01", "1e-300")),
    *(("min_p", value, value in ("0", "1", "-0.0")) for value in ("0", "1", "-0.0", "2", "nan")),
    *(("top_k", value, value in ("-1", "0", "99999")) for value in ("-1", "0", "-2", "99999",
                                                                     LARGE, "1e3", "0.5")),
    *(("presence_penalty", value, value in ("2", "-2")) for value in ("2", "-2", "2.1", "nan")),
    *(("frequency_penalty", value, value in ("2", "-2")) for value in ("2", "-2", "-2.1", "inf")),
    *(("repetition_penalty", value, value == "1e-3") for value in ("0", "-0.0", "-1", "1e-3")),
    *(("max_tokens", value, value == "1") for value in ("0", "1", "-1", "1.5", LARGE)),
    *(("min_tokens", value, value == "1") for value in ("-1", "1", "99999", "nan")),
    *(("seed", value, value in ("-1", "0")) for value in ("-1", "0", LARGE, "0.5")),
    *(("stop_token_ids", value, value == "0") for value in ("-1", "0", LARGE, "0.5", "end")),
]  # fmt: skip


def by_python(name: str, text: str) -> SamplingParameters:
    try:
        value: Any = int(text)
    except ValueError:
        value = float(text) if text != "end" else text
    return SamplingParameters(**{name: (value,) if name == "stop_token_ids" else value})


def by_yaml(name: str, text: str, folder: Path) -> SamplingParameters:
    said = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(text, text)
    file = folder / "study.yaml"
    file.write_text(
        f"base: b\nrl: r\nout: o\ntasks: math:x\nsamples: 1\nsampling: {{{name}: {said}}}\n"
    )
    return StudyConfig.from_yaml(file).sample.sampling


@pytest.mark.parametrize(("name", "text", "taken"), EDGES)
def test_a_value_is_taken_or_refused_in_every_way_of_giving_it(tmp_path, name, text, taken):
    flag = {"stop_token_ids": "--stop-token-id"}.get(name, f"--{name.replace('_', '-')}")
    command = ["sample", str(tmp_path / "none"), "--task", "math:none.jsonl", "--samples", "1",
               f"{flag}={text}", "--out", str(tmp_path / "run")]  # fmt: skip
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code != 0
    told = f"{printed.output} {printed.exception}"
    if taken:
        python, yaml = by_python(name, text), by_yaml(name, text, tmp_path)
        assert python == yaml
        assert json.dumps(python.to_json()) == json.dumps(yaml.to_json())
        assert "none.jsonl" in told  # the next fault
        return
    assert "none.jsonl" not in told
    for way in (lambda: by_python(name, text), lambda: by_yaml(name, text, tmp_path)):
        with pytest.raises(InvalidInputError, match=name):
            way()


@pytest.mark.parametrize("value", [True, False, "0.5", "", None, [0.5], b"1", 1j, {}])
@pytest.mark.parametrize("name", ["temperature", "top_k", "min_p", "max_tokens", "seed"])
def test_values_of_another_type_are_refused(name, value):
    with pytest.raises(InvalidInputError, match=name):
        SamplingParameters(**{name: value})


def test_a_zero_has_no_sign():
    plain, signed = SamplingParameters(temperature=0), SamplingParameters(temperature=-0.0)
    assert json.dumps(plain.to_json()) == json.dumps(signed.to_json())


# -- logits ----------------------------------------------------------------------------------------

WAYS = [
    {"temperature": 0.0, "top_p": 1.0}, {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 1.0, "top_p": 0.9}, {"temperature": 1.0, "top_p": 0.9, "top_k": 20},
    {"temperature": 1.0, "top_p": 1.0, "min_p": 0.1}, {"temperature": 1e-300, "top_p": 0.9},
    {"temperature": 1.0, "top_p": 0.9, "top_k": 3, "min_p": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_rows_that_define_no_distribution_have_no_token(way):
    torch.manual_seed(0)
    logits = torch.randn(6, 150)
    logits[1, 149] = torch.nan
    logits[2, 0] = torch.inf
    logits[4] = -torch.inf
    logits[5, 1:] = -torch.inf
    u = np.array([0.1, 0.5, 0.5, np.nextafter(1, 0), 0.0, 0.99])
    tokens = sample_tokens(logits, u, **way)
    alone = sample_tokens(logits[[0, 3, 5]], u[[0, 3, 5]], **way)
    assert tokens.tolist() == [alone[0], -1, -1, alone[1], -1, 0]
    assert (alone >= 0).all()


@pytest.mark.parametrize("temperature", [1e-2, 9e-3, 1e-6, 1e-37, 1e-45, 1e-300, 5e-324])
def test_the_coldest_draws_are_the_greedy_ones(temperature):
    torch.manual_seed(0)
    logits = 30 * torch.randn(20, 500)
    greedy = sample_tokens(logits, np.zeros(20), temperature=0, top_p=1.0)
    for way in ({"top_p": 1.0}, {"top_p": 0.9}, {"top_p": 1.0, "top_k": 9}):
        drawn = sample_tokens(logits, np.full(20, 0.5), temperature=temperature, **way)
        assert (drawn == greedy).float().mean() >= (1 if temperature < 9e-3 else 0.9)


def test_a_model_whose_logits_are_no_numbers_is_named(tmp_path):
    folder = save_tiny(tmp_path / "model", LlamaConfig)
    model = AutoModelForCausalLM.from_pretrained(folder)
    bad = VOCABULARY - 7
    with torch.no_grad():
        model.get_input_embeddings().weight[bad] = torch.nan
    model.save_pretrained(folder)
    engine = load_engine("transformers", folder)
    good = [number for number in range(2, 12) if number != bad]
    asked = [
        Request("good", good, np.arange(2), np.arange(2)),
        Request("bad", [2, bad, 3], np.arange(2), np.arange(2)),
    ]
    with pytest.raises(EngineError, match="problem 'bad', sample 0, token 1: the logits of the"):
        list(engine.generate(asked, SamplingParameters(max_tokens=3)))
    assert len(list(engine.generate(asked[:1], SamplingParameters(max_tokens=1)))) == 2


# -- what an engine would change -------------------------------------------------------------------


@pytest.mark.parametrize(("temperature", "taken"), [(0, True), (0.01, True), (2, True),
                                                    (0.001, False), (2.5, False)])  # fmt: skip
def test_temperatures_that_vllm_would_change_are_refused_before_it_starts(temperature, taken):
    parameters = SamplingParameters(temperature=temperature)
    check_honoured("transformers", parameters)
    if taken:
        check_honoured("vllm", parameters)
        return
    with pytest.raises(InvalidInputError, match=f"from 0.01 to 2.0, not at {temperature}: vLLM"):
        check_honoured("vllm", parameters)


def test_a_server_of_vllm_is_asked_for_no_such_temperature(server, at_once):
    server.models = [{"id": "toy", "owned_by": "vllm"}]
    engine = load_engine("server", "toy", url=server.url)
    engine.check_parameters(SamplingParameters(temperature=0.02))
    with pytest.raises(InvalidInputError, match="the server is vLLM, which draws at temperature 0"):
        engine.check_parameters(SamplingParameters(temperature=0.002))


def test_end_tokens_that_a_model_lacks_are_refused_before_a_run_is_made(tmp_path):
    class Few(Letters):
        vocab_size = 1000

    tasks = math_tasks(tmp_path)
    with pytest.raises(InvalidInputError, match="stop_token_ids holds 1000, but the model has"):
        prepare_run(tmp_path / "run", Few(), tasks, SamplingParameters(stop_token_ids=(5, 1000)))
    assert not (tmp_path / "run").exists()
    prepare_run(tmp_path / "run", Few(), tasks, SamplingParameters(stop_token_ids=(5, 999)))


def test_kept_probability_of_all_truncations_together():
    """Scores as sampled against plain loops: top-p, top-k and min-p at once, ties among them."""
    from plain_sampler import kept_tokens

    from rlvr_fast import nucleus_stats

    rng = np.random.default_rng(5)
    for top_p, top_k, min_p, temperature in (
        (0.9, 5, 0.05, 0.7), (0.5, 40, 0.3, 1.3), (1.0, 3, 0.0, 1.0), (0.2, 0, 1.0, 0.6),
        (0.95, 1000, 0.001, 2.0),
    ):  # fmt: skip
        p = SamplingParameters(top_p=top_p, top_k=top_k, min_p=min_p, temperature=temperature)
        rows = np.round(rng.normal(0, 2, (8, 60)), 1).astype(np.float32)  # of which many tie
        for row in rows:
            tokens, probabilities, mass = kept_tokens(row.tolist(), p)
            every = torch.from_numpy(row).expand(60, 60)
            found = nucleus_stats(
                every, torch.arange(60), top_p=top_p, temperature=temperature, top_k=top_k,
                min_p=min_p,
            )  # fmt: skip
            assert found.kept_mass[0].item() == pytest.approx(mass, rel=1e-5)
            inside = set(found.logprob.isfinite().nonzero()[:, 0].tolist())
            assert inside == set(tokens)
            want = {t: math.log(q / mass) for t, q in zip(tokens, probabilities, strict=True)}
            for token, value in want.items():
                assert found.logprob[token].item() == pytest.approx(value, abs=1e-4)

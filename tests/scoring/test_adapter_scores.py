"""Scores under a base model with a LoRA adapter, against the model with the adapter merged."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from lora import random_adapter
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from typer.testing import CliRunner

from rlvr_fast.adapters import read_adapter
from rlvr_fast.cli.application import app
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.scoring import ScoreOptions, Scorer, score_run
from rlvr_fast.store import Run

SMALL = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "initializer_range": 0.4,
}  # fmt: skip
PROMPTS = [[5, 6, 7], [8], [5, 6, 7], [9, 3, 4, 5]]
COMPLETIONS = [[4, 9, 1], [3] * 12, [4, 9, 2, 2], []]


def save_model(folder: Path, config: Any = LlamaConfig, *, seed: int = 0, **values: Any) -> str:
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config(**{**SMALL, **values})).save_pretrained(folder)
    words = {f"w{i}": i for i in range(40)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="w0").save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def adapter(model, tmp_path_factory) -> Path:
    return random_adapter(model, tmp_path_factory.mktemp("adapters") / "grpo")


def merged(model: str, adapter: Path) -> Any:
    """The adapter merged by peft; a head that shares its weight with the embedding gets its own."""
    import peft

    from rlvr_fast.models import load_causal_lm

    loaded, _ = load_causal_lm(model, device="cpu")
    if loaded.config.tie_word_embeddings:
        head = loaded.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.PeftModel.from_pretrained(loaded, adapter).merge_and_unload()


@pytest.mark.parametrize(
    ("config", "modules", "values"),
    [
        (LlamaConfig, ["q_proj", "v_proj", "down_proj"], {}),
        (LlamaConfig, ["gate_proj", "lm_head"], {}),
        (LlamaConfig, ["q_proj", "lm_head", "embed_tokens"], {"tie_word_embeddings": True}),
        (LlamaConfig, ["embed_tokens"], {"tie_word_embeddings": True}),
        (Gemma2Config, ["o_proj", "embed_tokens"], {"head_dim": 8}),
        (GPT2Config, ["c_attn", "c_fc"], {"n_embd": 32, "n_layer": 2, "n_head": 4}),
    ],
)
def test_scores_are_those_of_the_merged_model(tmp_path, config, modules, values):
    model = save_model(tmp_path / "model", config, **values)
    folder = random_adapter(model, tmp_path / "adapter", modules=modules)
    options = {"per_token": True, "top_p": 0.9, "temperature": 0.8}
    scores = Scorer(model, adapter=folder).score(PROMPTS, COMPLETIONS, **options)
    expected = Scorer(merged(model, folder)).score(PROMPTS, COMPLETIONS, **options)
    np.testing.assert_allclose(scores.logprob, expected.logprob, atol=1e-4)
    np.testing.assert_allclose(scores.mean_entropy, expected.mean_entropy, atol=1e-5)
    np.testing.assert_allclose(scores.log_kept_mass, expected.log_kept_mass, atol=1e-5)
    for ours, theirs in zip(scores.token_logprobs, expected.token_logprobs, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    base = Scorer(model).score(PROMPTS, COMPLETIONS)
    assert np.abs(scores.logprob - base.logprob)[:3].min() > 0.01


def test_a_base_without_its_adapter_keeps_its_scores(model, adapter):
    """What peft puts into one loaded model is not in another one."""
    before = Scorer(model).score(PROMPTS, COMPLETIONS).logprob
    Scorer(model, adapter=adapter).score(PROMPTS, COMPLETIONS)
    assert Scorer(model).score(PROMPTS, COMPLETIONS).logprob.tolist() == before.tolist()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_factors_stay_float32_in_a_model_of_16_bits(model, tmp_path, dtype):
    """A change that is too small for a weight of 16 bits is not lost."""
    folder = random_adapter(model, tmp_path / "adapter", size=3e-4)
    scorer = Scorer(model, adapter=folder, dtype=dtype)
    found = scorer.score(PROMPTS, COMPLETIONS)
    assert scorer.dtype == dtype
    assert scorer.model.get_submodule("model.layers.0.self_attn.q_proj").lora_A is not None
    factors = [p.dtype for name, p in scorer.model.named_parameters() if "lora_" in name]
    assert set(factors) == {torch.float32}
    assert np.isfinite(found.logprob).all()


def test_an_adapter_that_does_not_fit_is_refused_before_the_model_is_loaded(
    adapter, tmp_path, monkeypatch
):
    other = save_model(tmp_path / "other", hidden_size=16)
    monkeypatch.setattr(
        "rlvr_fast.scoring.models.scorer.load_causal_lm", lambda *_: pytest.fail("loaded")
    )
    with pytest.raises(InvalidInputError, match="name the base model that the adapter was trained"):
        Scorer(other, adapter=adapter)
    with pytest.raises(InvalidInputError, match="not with a loaded model"):
        Scorer(torch.nn.Linear(2, 2), adapter=adapter)


# -- scores of a run ---------------------------------------------------------------------------


def make_run(path: Path) -> Run:
    problems = pa.table(
        {
            "problem_id": ["p0", "p1"],
            "task": ["t", "t"],
            "prompt": ["w5 w6 w7", "w8"],
            "prompt_token_ids": pa.array([[5, 6, 7], [8]], pa.list_(pa.int32())),
            "gold": pa.array(["1", None], pa.string()),
            "metadata": ["{}", "{}"],
        }
    )
    run = Run.create(
        path,
        model={"name": "drawn", "revision": None},
        engine={"name": "toy", "version": "0", "notes": []},
        sampling={"temperature": 1.0, "top_p": 1.0, "max_tokens": 9, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "0"},
        tasks=[{"name": "t", "spec": "t:"}],
        problems=problems,
    )
    run.request(2)
    add_samples(run, [("p0", 0, [4, 9]), ("p0", 1, [4, 3]), ("p1", 0, [2]), ("p1", 1, [1, 1, 1])])
    return run


def add_samples(run: Run, draws: list[tuple[str, int, list[int]]]) -> None:
    names, indices, ids = zip(*draws, strict=True)
    run.append(
        "samples",
        pa.table(
            {
                "problem_id": list(names),
                "sample_index": pa.array(indices, pa.int32()),
                "text": ["a"] * len(draws),
                "token_ids": pa.array(ids, pa.list_(pa.int32())),
                "finish_reason": ["stop"] * len(draws),
                "seed": pa.array(range(len(draws)), pa.int64()),
            }
        ),
    )


def recorded(run: Run, label: str) -> dict[str, Any]:
    return json.loads((run.path / "scores" / label / "scores.json").read_text())["model"]


def test_scores_of_an_adapter_are_not_mixed_with_others(model, adapter, tmp_path):
    run = make_run(tmp_path / "run")
    assert score_run(run, model, label="rl", adapter=adapter) == 4
    digest = read_adapter(adapter).sha256
    assert recorded(run, "rl")["adapter"] == {"name": "grpo", "sha256": digest}
    assert str(adapter.parent) not in (run.path / "scores" / "rl" / "scores.json").read_text()
    # The same adapter in another folder goes on; nothing is left to score.
    copy = shutil.copytree(adapter, tmp_path / "copy")
    assert score_run(run, model, label="rl", adapter=copy) == 0
    other = random_adapter(model, tmp_path / "other", seed=5)
    for wrong in (None, other):
        with pytest.raises(RunDirectoryError, match=r"scores/rl was made with model .*'adapter'"):
            score_run(run, model, label="rl", adapter=wrong)
    assert score_run(run, model, label="base") == 4
    assert "adapter" not in recorded(run, "base")
    with pytest.raises(RunDirectoryError, match="scores/base was made with model"):
        score_run(run, model, label="base", adapter=adapter)
    scorer = Scorer(model, adapter=adapter)
    assert score_run(run, scorer, label="rl") == 0
    with pytest.raises(InvalidInputError, match="given to the Scorer itself"):
        score_run(run, scorer, label="rl", adapter=adapter)
    found = {row["sample_index"]: row["logprob"] for row in run.read("scores/rl").to_pylist()[:2]}
    expected = scorer.score([[5, 6, 7]] * 2, [[4, 9], [4, 3]]).logprob
    np.testing.assert_allclose([found[0], found[1]], expected, atol=1e-5)


def test_doctor_names_the_adapter_whose_scores_are_missing(model, adapter, tmp_path):
    run = make_run(tmp_path / "run")
    score_run(run, model, label="rl", adapter=adapter)
    add_samples(run, [("p0", 2, [3])])
    (missing,) = (found for found in examine_run(run.path) if "no scores" in found["message"])
    assert missing["remedy"].endswith(f"--model {Path(model).name} --label rl --adapter grpo")


@pytest.mark.slow
def test_the_command_line_scores_with_an_adapter(model, adapter, tmp_path):
    run = make_run(tmp_path / "run")
    command = ["score", str(run.path), "--model", model, "--adapter", str(adapter), "--quiet"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    (label,) = (run.path / "scores").iterdir()
    assert label.name == f"{Path(model).name}-grpo"
    assert recorded(run, label.name)["adapter"]["name"] == "grpo"
    # Without the adapter the scores have another name.
    assert CliRunner().invoke(app, [*command[:4], "--quiet"]).exit_code == 0
    assert len(list((run.path / "scores").iterdir())) == 2


def test_options_are_as_without_an_adapter(model, adapter, tmp_path):
    run = make_run(tmp_path / "run")
    options = ScoreOptions(temperature=0.5, top_p=0.9)
    assert score_run(run, model, options, label="rl", adapter=adapter) == 4
    with pytest.raises(RunDirectoryError, match=r"temperature 0\.5"):
        score_run(run, model, label="rl", adapter=adapter)

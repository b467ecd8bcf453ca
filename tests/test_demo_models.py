"""The embedded pair: it loads like any Hugging Face model, answers, and its script runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import reasoning_gym
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "rlvr_fast" / "demo_models"
NAMES = ("base", "rl")
DEMO = yaml.safe_load((MODELS / "demo.yaml").read_text())


def dataset_of(spec: str) -> Any:
    name, _, query = spec.removeprefix("reasoning_gym:").partition("?")
    return reasoning_gym.create_dataset(name, **{k: int(v) for k, v in parse_qsl(query)})


@pytest.fixture(scope="module")
def datasets() -> dict[str, Any]:
    return {task["name"]: dataset_of(task["spec"]) for task in DEMO["tasks"]}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODELS / "base")


@pytest.mark.parametrize("name", NAMES)
def test_loads_and_is_small(name: str) -> None:
    folder = MODELS / name
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8_000_000
    assert len(tokenizer) <= model.config.vocab_size
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_rl_differs_from_base_only_in_weights() -> None:
    for file in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        assert (MODELS / "base" / file).read_bytes() == (MODELS / "rl" / file).read_bytes(), file
    weights = [AutoModelForCausalLM.from_pretrained(MODELS / name).state_dict() for name in NAMES]
    assert any(not torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_tokenizer_round_trips_questions_in_few_tokens(datasets: Any, tokenizer: Any) -> None:
    for dataset in datasets.values():
        for entry in dataset:
            ids = tokenizer(entry["question"])["input_ids"]
            assert ids[0] == tokenizer.bos_token_id
            assert tokenizer.decode(ids, skip_special_tokens=True) == entry["question"]
            assert len(ids) <= 40


def test_tokenizer_takes_any_text_and_splits_numbers_into_digits(tokenizer: Any) -> None:
    text = "naïve × 日本\n\t(12+345)*6 <answer>7 * 8</answer>"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert not [
        token
        for token in tokenizer.get_vocab()
        if len(token) > 1 and any(c.isdigit() for c in token) and "Final answer" not in token
    ]


def test_demo_is_large_enough_and_its_problems_are_distinct(datasets: Any) -> None:
    questions = [entry["question"] for dataset in datasets.values() for entry in dataset]
    assert len(questions) >= 40
    assert len(set(questions)) == len(questions)
    assert DEMO["samples"] >= 512


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_answers_and_some_verify(name: str, datasets: Any, tokenizer: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(MODELS / name)
    tokenizer.padding_side = "left"
    torch.manual_seed(0)
    for task, dataset in datasets.items():
        batch = tokenizer(
            [entry["question"] for entry in dataset], padding=True, return_tensors="pt"
        )
        drawn = model.generate(
            **batch,
            do_sample=True,
            temperature=DEMO["sampling"]["temperature"],
            top_p=DEMO["sampling"]["top_p"],
            top_k=0,
            max_new_tokens=DEMO["sampling"]["max_tokens"],
            num_return_sequences=4,
        )
        texts = tokenizer.batch_decode(
            drawn[:, batch["input_ids"].shape[1] :], skip_special_tokens=True
        )
        correct = answered = 0
        for n, text in enumerate(texts):
            answer = text.partition("<answer>")[2].partition("</answer>")
            if answer[1]:
                answered += 1
                if "**" not in answer[0]:  # countdown's verifier would evaluate a power tower
                    correct += dataset.score_answer(answer[0], dataset[n // 4]) >= 1.0
        assert answered >= 0.9 * len(texts), task
        assert correct >= 1, task


def test_card_states_what_the_script_measured() -> None:
    record = json.loads((MODELS / "training.json").read_text())
    card = (MODELS / "MODEL_CARD.md").read_text()
    evaluation = record["evaluation"]
    assert evaluation["problems"] == "demo"
    assert evaluation["tasks"] == DEMO["tasks"]
    assert evaluation["sampling"] == DEMO["sampling"]
    for name in NAMES:
        for row in evaluation[name]["tasks"].values():
            assert f"{row['pass_at_k']['1']:.3f}" in card
            assert f"{row['pass_at_k']['256']:.3f}" in card
    for task in DEMO["tasks"]:
        assert task["spec"] in card


@pytest.mark.slow
def test_training_script_runs(tmp_path: Path) -> None:
    script = ROOT / "examples" / "train_demo_pair.py"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(script), "--smoke", "--out", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert first.returncode == 0, first.stderr
    for name in NAMES:
        AutoModelForCausalLM.from_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(tmp_path / name)
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["evaluation"]["base"]["samples"] == 4
    assert (tmp_path / "MODEL_CARD.md").read_text().startswith("# ")

    base = (tmp_path / "base" / "model.safetensors").read_bytes()
    again = subprocess.run(
        [*command, "--resume"], capture_output=True, text=True, env=environment, timeout=300
    )
    assert again.returncode == 0, again.stderr
    assert "supervised 1/1" not in again.stdout
    assert (tmp_path / "base" / "model.safetensors").read_bytes() == base

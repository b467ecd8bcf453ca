"""A study of SmolLM2 against the same with a LoRA adapter of random weights, from one YAML file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lora import random_adapter
from smollm import smollm_folder

from rlvr_fast.sampling.engines import engine_kind
from rlvr_fast.store import Run

pytestmark = pytest.mark.slow

ENGINE_ARGS: dict[str, dict[str, Any]] = {
    "transformers": {},
    "vllm": {
        "max_model_len": 512,
        "gpu_memory_utilization": 0.3,
        "max_num_seqs": 8,
        "enforce_eager": True,
    },
}


def rlvr(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"},
    )


@pytest.mark.parametrize("engine", sorted(ENGINE_ARGS))
def test_base_against_base_with_an_adapter(engine: str, tmp_path: Path) -> None:
    if not engine_kind(engine).adapters:
        pytest.skip(f"the engine {engine} draws with no adapters")
    if engine == "vllm":
        pytest.importorskip("vllm", reason="needs the package vllm")
    base = smollm_folder()
    random_adapter(base, tmp_path / "grpo", seed=3)
    study = {
        "base": {"model": str(base), "label": "SmolLM2"},
        "rl": {"model": str(base), "adapter": "grpo", "label": "SmolLM2 after GRPO"},
        "out": "runs",
        "tasks": ["reasoning_gym:chain_sum?size=2&seed=5"],
        "samples": 2,
        "engine": engine,
        "engine_args": ENGINE_ARGS[engine],
        "policy": "last_number",
        "device": "auto" if engine == "vllm" else "cpu",
        "sampling": {"max_tokens": 12},
        "score": {"as_sampled": False, "batch_tokens": 512, "device": "cpu"},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))

    work = rlvr("study", "study.yaml", "--dry-run", "--json", cwd=tmp_path)
    assert work.returncode == 0, work.stderr
    told = json.loads(work.stdout)
    assert [side["draws"] for side in told["sides"]] == [4, 4]
    assert (told["draws"], told["tokens"], told["tokens_at_most"]) == (8, 96, True)
    assert told["loads"] == 3  # one for the draws of both, one for each model that scores
    assert not (tmp_path / "runs").exists()

    done = rlvr("study", "study.yaml", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = {side: Run.open(tmp_path / "runs" / side) for side in ("base", "rl")}
    assert "adapter" not in runs["base"].info.model
    assert runs["rl"].info.model["adapter"]["name"] == "grpo"
    assert runs["rl"].info.model["revision"] == runs["base"].info.model["revision"]
    texts = {side: run.read("samples", ["text"])["text"].to_pylist() for side, run in runs.items()}
    assert texts["base"] != texts["rl"]
    for run in runs.values():
        for label in ("base", "rl"):
            assert run.num_samples(f"scores/{label}").tolist() == [2, 2]
            scored = run.read_json(f"scores/{label}/scores.json")["model"]
            assert ("adapter" in scored) == (label == "rl")
    logprobs = [
        runs["rl"].read(f"scores/{label}", ["logprob"])["logprob"].to_pylist()
        for label in ("base", "rl")
    ]
    assert sum(logprobs[1]) > sum(logprobs[0])  # what a model draws is likelier under itself
    summary = json.loads((tmp_path / "runs/report/summary.json").read_text())
    assert summary["models"]["base"]["label"] == "SmolLM2"
    assert summary["models"]["rl"]["adapter"]["name"] == "grpo"
    page = (tmp_path / "runs/report/index.html").read_text()
    assert "SmolLM2 after GRPO" in page

    # Everything is there: neither the model nor the adapter is needed.
    (tmp_path / "grpo").rename(tmp_path / "gone")
    again = rlvr("study", "study.yaml", "-q", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["overall"] == summary["overall"]

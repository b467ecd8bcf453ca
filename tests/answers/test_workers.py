from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rlvr_fast.answers.pairs import Pair
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.tasks import load_task


@pytest.fixture(scope="module")
def countdown():
    task = load_task("reasoning_gym:countdown?max_numbers=3&min_numbers=3&seed=7&size=1")
    (problem,) = task.problems()

    def pair(answer):
        return Pair(task.spec, problem.problem_id, problem.gold, problem.metadata, answer)

    return problem, pair


def outcomes(pairs, **options):
    found = {}
    verify_pairs(pairs, found.__setitem__, **options)
    assert sorted(found) == list(range(len(pairs)))
    return [found[place] for place in range(len(pairs))]


def sums(gold, answer):
    return Pair("math:golds", "p", gold, {}, answer)


def test_pairs_of_several_tasks_in_one_call(countdown):
    problem, pair = countdown
    found = outcomes([sums("5", "x=5"), pair(problem.gold), sums("5", "6"), pair("1")], workers=2)
    assert [outcome.verdict for outcome in found] == [
        "correct", "correct", "incorrect", "incorrect",
    ]  # fmt: skip
    assert found[0].grader.startswith("rlvr_fast reader ")
    assert found[1].grader.startswith("reasoning-gym ")


@pytest.mark.slow
def test_programs_in_place_of_answers_affect_no_other_pair(countdown):
    problem, pair = countdown
    programs = [
        "9**9**9**9",
        "__import__('os')._exit(3)",
        "__import__('os').kill(__import__('os').getpid(), 9)",
        "__import__('time').sleep(1000)",
        "(lambda f: f(f))(lambda f: f(f))",
        "[0] * 10**12",
    ]
    pairs = [pair(text) for text in programs]
    pairs += [pair(problem.gold), sums("5", "x=5"), pair(f"({problem.gold})")]
    found = outcomes(pairs, workers=2, timeout=1.0)
    assert [outcome.verdict for outcome in found] == ["incorrect"] * 6 + ["correct"] * 3


@pytest.mark.slow
def test_a_verification_without_end_is_a_timeout_and_its_neighbours_go_on():
    endless = Pair("math_verify:opinion", "p", "2^{9^{9^9}}+1", {}, "9!!!!!")
    found = outcomes([sums("5", "x=5"), endless, sums("5", "6")], workers=1, timeout=1.0)
    assert [outcome.verdict for outcome in found] == ["correct", "timeout", "incorrect"]
    assert found[1].detail == "1 s of processor time"


def test_answer_that_is_a_program_cannot_write_or_start_a_process(countdown, tmp_path, monkeypatch):
    _, pair = countdown
    monkeypatch.setenv("RLVR_SECRET", "s3cret")
    mark = tmp_path / "mark"
    readable = tmp_path / "environment"
    found = outcomes(
        [
            pair(f"__import__('os').system('touch {mark}')"),
            pair(f"open('{mark}', 'w')"),
            pair(f"__import__('pathlib').Path('{mark}').touch()"),
            pair(f"__import__('subprocess').run(['touch', '{mark}'])"),
            pair(f"__import__('os').mkdir('{mark}')"),
            pair("__import__('socket').socket()"),
            pair(f"open('{readable}','w').write(str(dict(__import__('os').environ)))"),
            pair(f"__import__('os').rename('{Path(__file__)}', '{mark}')"),
        ],
        workers=1,
    )
    assert {outcome.verdict for outcome in found} <= {"incorrect", "error"}
    assert not mark.exists()
    assert not readable.exists()
    assert Path(__file__).exists()


def test_worker_does_not_inherit_the_environment(countdown, monkeypatch):
    monkeypatch.setenv("RLVR_SECRET", "s3cret")
    _, pair = countdown
    # A worker that inherits the secret ends with an exit status, and the verdict is `error`.
    leak = "__import__('os')._exit(7) if 'RLVR_SECRET' in __import__('os').environ else 1"
    (outcome,) = outcomes([pair(leak)], workers=1)
    assert outcome.verdict == "incorrect"


def test_task_that_cannot_verify_is_an_error(countdown):
    problem, pair = countdown
    drifted = {**problem.metadata, "question_sha256": "0" * 64}
    bad = Pair(pair("1").spec, problem.problem_id, problem.gold, drifted, "1")
    with pytest.raises(InvalidInputError, match="is not the problem that was asked"):
        outcomes([bad], workers=1)


def test_worker_that_does_not_start_is_an_error_with_the_cause(countdown, monkeypatch):
    _, pair = countdown
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RlvrError, match=r"did not start \(exit status 1\)"):
        outcomes([pair("1")], workers=1)


def test_a_memory_limit_below_what_verifiers_need_is_refused(countdown):
    _, pair = countdown
    with pytest.raises(InvalidInputError, match="memory_mb of at least"):
        outcomes([pair("1")], workers=1, memory_mb=64)


def test_workers_end_after_the_last_pair(countdown):
    _, pair = countdown
    outcomes([pair("1")], workers=1)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    deadline = time.monotonic() + 120
    while any(b"worker_main" in Path(f"/proc/{c}/cmdline").read_bytes() for c in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)

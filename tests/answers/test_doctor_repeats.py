"""`doctor` on runs with repeated draws: shared seeds, seeds that are ignored, near repeats."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from grading_runs import make_run

from rlvr_fast import doctor
from rlvr_fast.doctor import repeats

WORDS = [f"word{i}" for i in range(400)]


def trace(*key: object, changed: int = 0) -> list[str]:
    words = random.Random(repr(key)).choices(WORDS, k=150)
    for place in range(changed):
        words[place * 40] = f"other{key}{changed}"
    return words


def run_of(tmp_path, draw, *, tokens=True):
    """A run of 3 problems x 24 samples; draw(problem, index) gives words and seed."""
    path = tmp_path / "sums.jsonl"
    path.write_text(
        "".join(json.dumps({"id": i, "question": f"{i}?", "answer": "1"}) + "\n" for i in range(3))
    )
    run, problems = make_run(tmp_path / "run", [f"math:{path}"])
    rows = []
    for number, problem in enumerate(problems):
        for index in range(24):
            words, seed = draw(number, index)
            ids = [hash_of(word) for word in words] if tokens else []
            rows.append(
                {
                    "problem_id": problem.problem_id,
                    "sample_index": index,
                    "text": " ".join(words),
                    "token_ids": ids,
                    "finish_reason": "stop",
                    "seed": seed,
                }
            )
    run.append("samples", pa.Table.from_pylist(rows, schema=run.read("samples").schema))
    return run


def hash_of(word: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 50_000


def findings(run):
    return [
        (item["level"], item["message"])
        for item in doctor.examine_run(run.path)
        if "repeat" in item["message"] or "seed" in item["message"]
    ]


def test_independent_draws_give_no_finding(tmp_path):
    assert findings(run_of(tmp_path, lambda p, i: (trace(p, i), 100 * p + i))) == []


def test_replicas_that_share_a_seed_are_found(tmp_path):
    run = run_of(tmp_path, lambda p, i: (trace(p, i % 8), 100 * p + i % 8))
    assert findings(run) == [
        ("error", "48 draws share a seed with another: they are not independent"),
        (
            "warning",
            "48 of 72 completions of at least 64 tokens repeat another of the same problem token "
            "for token",
        ),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast", "doctor", str(run.path)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "share a seed" in done.stdout + done.stderr


@pytest.mark.parametrize("tokens", [True, False])
def test_an_engine_that_ignores_its_seeds_is_found(tmp_path, tokens):
    run = run_of(tmp_path, lambda p, i: (trace(p, i % 8), 100 * p + i), tokens=tokens)
    ((level, message),) = findings(run)
    assert level == "warning"
    assert message.startswith("48 of 72 completions")
    assert message.endswith("token for token" if tokens else "to the letter")


def test_near_repeats_are_counted_separately(tmp_path):
    """One changed word of 150 changes 5 of about 146 5-grams, so the traces nearly repeat."""
    run = run_of(
        tmp_path, lambda p, i: ([*trace(p, i % 8, changed=int(i >= 8)), str(i)], 100 * p + i)
    )
    ((level, message),) = findings(run)
    assert (level, message) == (
        "warning",
        "48 of 72 completions nearly repeat another of the same problem (they share 90% of their "
        "5-grams)",
    )


def test_few_near_repeats_are_no_warning(tmp_path):
    run = run_of(
        tmp_path, lambda p, i: ([*trace(p, min(i, 22), changed=int(i == 23)), str(i)], 100 * p + i)
    )
    ((level, message),) = findings(run)
    assert level == "info"
    assert message.startswith("3 of 72 completions nearly repeat")


def test_the_same_trace_in_two_problems_is_no_repeat(tmp_path):
    assert findings(run_of(tmp_path, lambda p, i: (trace(i), 100 * p + i))) == []


def test_near_repeats_of_a_large_run_are_counted_in_its_first_problems(tmp_path, monkeypatch):
    run = run_of(
        tmp_path, lambda p, i: ([*trace(p, i % 8, changed=int(i >= 8)), str(i)], 100 * p + i)
    )
    monkeypatch.setattr(repeats, "_NEAR_BYTES", run.read("samples")["token_ids"].nbytes // 2)
    ((_, message),) = findings(run)
    assert message.startswith("16 of 24 completions nearly repeat")

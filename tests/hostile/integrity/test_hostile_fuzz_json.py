"""JSON files of a run, rewritten: an error that names the file, or the same result."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from fuzzing import JSON_FILES, RAW, SCALARS, Fuzzer, places, rewritten_json

from rlvr_fast.errors import RlvrError
from rlvr_fast.report import CompareOptions, compare_runs
from rlvr_fast.store import Run

TRIALS = 12  # for each file and each kind of digests


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "sealed anew"])
@pytest.mark.parametrize("name", JSON_FILES)
def test_rewritten_json(fuzzer: Fuzzer, name: str, sealed: bool) -> None:
    draw = random.Random(f"{name} {sealed}")
    data = (fuzzer.whole.path / name).read_bytes()
    for number in range(TRIALS):
        text = fuzzer.trial(name, rewritten_json(draw, data), sealed=sealed)
        assert text is None, f"trial {number}: {text}"


@pytest.mark.slow
@pytest.mark.parametrize("name", JSON_FILES)
def test_json_that_is_none(fuzzer: Fuzzer, name: str) -> None:
    for data in RAW:
        (fuzzer.folder / "last").write_bytes(data)
        text = fuzzer.trial(name, data, sealed=True)
        assert text is None, f"{data[:40]!r}: {text}"


@pytest.mark.parametrize(
    "line",
    [
        b"null\n", b"[]\n", b"{}\n", b"x\n", b"\xff\n", b"\n", b'{"key": 3}\n', b"[" * 5000 + b"\n",
        b'{"key": "%s", "verdict": "correct", "grader": 7}\n' % (b"0" * 32),
        b'{"key": "%s", "verdict": "timeout", "grader": "g"}\n' % (b"0" * 32),
        b'{"key": "%s", "verdict": "yes", "grader": "g"}\n' % (b"0" * 32),
        b'{"key": "%s", "verdict": "correct", "grader": "g", "detail": []}\n' % (b"0" * 32),
        b'{"key": "%s", "verdict": "correct", "grader": "g", "more": 1}\n' % (b"0" * 32),
        b'{"key": ["a"], "verdict": "correct", "grader": "g"}\n',
    ],
)  # fmt: skip
def test_a_journal_line_that_is_none_is_named(fuzzer: Fuzzer, line: bytes) -> None:
    journal = (fuzzer.whole.path / "verdicts.jsonl").read_bytes()
    for data in (line + journal, journal + line):
        assert fuzzer.trial("verdicts.jsonl", data, sealed=False) is None
        with pytest.raises(RlvrError, match=r"verdicts\.jsonl, row \d"):
            fuzzer.grade_journal(data)


@pytest.mark.slow
def test_a_rewritten_summary_keeps_or_loses_its_epsilon(fuzzer: Fuzzer, tmp_path: Path) -> None:
    draw = random.Random(3)
    whole = fuzzer.whole
    comparison = compare_runs(whole, whole, CompareOptions(epsilon=0.125))
    summary = tmp_path / "summary.json"
    data = json.dumps({"epsilon": comparison.threshold.as_dict(), "rule": "seen"}).encode()
    value = json.loads(data)
    values = [data, *RAW]
    for at in [path for path in places(value) if path[0] == "epsilon"]:
        for scalar in SCALARS[::3]:
            changed = json.loads(data)
            holder = changed
            for key in at[:-1]:
                holder = holder[key]
            holder[at[-1]] = scalar
            values.append(json.dumps(changed).encode())
    values += [rewritten_json(draw, data) for _ in range(10)]
    problems = None
    for one in values:
        summary.write_bytes(one)
        again = compare_runs(whole, Run.open(whole.path), keep=tmp_path)
        assert 0 < again.epsilon <= 1
        problems = problems or again.rl.num_correct.tolist()
        assert again.rl.num_correct.tolist() == problems

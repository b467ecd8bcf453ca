"""Rewritten JSON files and flipped bytes of runs: an error that names the file, or a result."""

from __future__ import annotations

import copy
import json
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs_in_parts import OPTIONS, classes, run_in_parts

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import RlvrError
from rlvr_fast.report import compare_runs
from rlvr_fast.report.planning import sampling_plan
from rlvr_fast.store import Run, seal

Mutation = Callable[[random.Random, bytes], bytes]

JSON_FILES = ("run.json", "grading.json", "import.json", "audit.json", "scores/m/scores.json")
SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 7.5, -0.0, 2**31, 2**63, -(2**70), 10**400, 1e308, "", "x", "\x00",
    "../../etc/passwd", "correct", "auto", "a" * 5000, [], {}, [[]], [None], {"": None}, [1, "a"],
    {"name": 3}, ["correct"], {"correct": -1},
]  # fmt: skip
RAW = [
    b"", b"\x00", b"null", b"[]", b"3", b'"text"', b"NaN", b"{", b"}", b"\xff\xfe{}",
    b"\xef\xbb\xbf", b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"{'a': 1}",
    b'{"format": 1, "format": 1}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b'{"a": -Infinity}',
]  # fmt: skip


def make_whole(path: Path) -> Run:
    """A graded, scored and audited run with an import.json, as the fuzzers rewrite it."""
    run = run_in_parts(path, scores=True)
    about = {
        "format": 1,
        "reader": "plain",
        "sources": [{"name": "a.jsonl", "sha256": "0" * 64}],
        "verdict": {"rule": "acc", "correct": 3},
        "options": {"verdict": "acc"},
        "notes": ["a note"],
    }
    run.write_json("import.json", about)
    grade_run(run, GradeOptions(workers=1, regrade=True, audit=4))
    seal(run)
    return Run.open(path)


def places(value: Any, at: tuple = ()) -> list[tuple]:
    """The paths of all values inside a JSON value."""
    found = [at] if at else []
    if isinstance(value, dict):
        for key, one in value.items():
            found += places(one, (*at, key))
    elif isinstance(value, list):
        for key, one in enumerate(value[:3]):
            found += places(one, (*at, key))
    return found


def rewritten_json(draw: random.Random, data: bytes) -> bytes:
    """A JSON text with one value of another kind, or one key of another name, or other bytes."""
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(RAW)
    if kind < 0.2:
        at = draw.randrange(len(data))
        junk = draw.choice(
            [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b",", b'"', b"NaN", b"\xef\xbb\xbf"]
        )
        return data[:at] + junk + data[at + draw.randrange(2) :]
    value = copy.deepcopy(json.loads(data))
    *outer, last = draw.choice(places(value))
    holder = value
    for key in outer:
        holder = holder[key]
    if kind < 0.3:
        del holder[last]
    elif kind < 0.4 and isinstance(holder, dict):
        holder[f"{last}x"] = holder.pop(last)
    elif kind < 0.45:
        holder[last] = [holder[last]]
    else:
        holder[last] = draw.choice(SCALARS)
    return json.dumps(value).encode()


def flipped_byte(draw: random.Random, data: bytes) -> bytes:
    """Bytes with one to three bits flipped, most of them in the footer of a Parquet file."""
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        footer = int.from_bytes(data[-8:-4], "little") + 8
        low = max(len(out) - footer, 0) if draw.random() < 0.7 else 0
        out[draw.randrange(low, len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


class Fuzzer:
    """Runs the commands on copies of a run of which one file was rewritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole = make_whole(folder / "whole")
        self.classes = classes(self.whole)
        self.correct = compare_runs(self.whole, self.whole).rl.num_correct.tolist()
        self.outcomes: dict[str, int] = {}

    def files(self) -> list[str]:
        """The Parquet files of the run."""
        root = self.whole.path
        return sorted(f.relative_to(root).as_posix() for f in root.rglob("*.parquet"))

    def trial(self, name: str, data: bytes, *, sealed: bool) -> str | None:
        """What went wrong with the commands on the run with these bytes in a file, or None.

        Args:
            name: the file.
            data: its bytes.
            sealed: whether the digests are those of the whole run; else they are written anew,
                where that can be done, so that what is behind them is reached.
        """
        run_path = self.folder / "run"
        shutil.rmtree(run_path, ignore_errors=True)
        shutil.copytree(self.whole.path, run_path)
        (run_path / name).write_bytes(data)
        if not sealed and self._try(lambda: seal(Run.open(run_path)), name) is not None:
            return self._try(lambda: seal(Run.open(run_path)), name)
        for command in (self._doctor, self._compare, self._grade):
            text = self._try(lambda command=command: command(run_path, sealed), name)
            if text is not None:
                return f"{command.__name__}: {text}"
        return None

    def grade_journal(self, data: bytes) -> None:
        """Grades the samples of the whole run from a journal alone."""
        path = self.folder / "journal"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.whole.path, path)
        for name in ("answers", "grades.parquet", "grading.json", "audit.json"):
            Run.open(path).remove(name)
        (path / "verdicts.jsonl").write_bytes(data)
        grade_run(Run.open(path), OPTIONS)

    def _try(self, action: Callable[[], str | None], name: str) -> str | None:
        try:
            text = action()
            self._count("result")
            return text
        except RlvrError as error:
            self._count("error")
            named = Path(name).name in str(error) or str(self.folder / "run") in str(error)
            return None if named else f"{name} is not named: {type(error).__name__}: {error}"
        except BaseException:  # also a panic of a library
            return traceback.format_exc()

    def _count(self, what: str) -> None:
        self.outcomes[what] = self.outcomes.get(what, 0) + 1

    def _doctor(self, path: Path, sealed: bool) -> str | None:
        examine_run(path)
        return None

    def _compare(self, path: Path, sealed: bool) -> str | None:
        comparison = compare_runs(self.whole, Run.open(path))
        sampling_plan(comparison, budget=10)
        if sealed and comparison.rl.num_correct.tolist() != self.correct:
            return "other counts"
        return None

    def _grade(self, path: Path, sealed: bool) -> str | None:
        run = Run.open(path)
        grade_run(run, OPTIONS)
        return "other grades" if sealed and classes(run) != self.classes else None

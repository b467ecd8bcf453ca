"""A full or failed disk while answers are graded or indexed raises StorageError."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rlvr_fast.answers import AnswerIndex
from rlvr_fast.answers.journal import VerdictJournal
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.errors import StorageError

UNREADABLE = Path("/proc/self/mem")
LIMITS = {"timeout": 5.0, "memory_mb": 2048}

# RLIMIT_FSIZE stands for a full disk: a write beyond the limit fails with EFBIG, maybe half way.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from rlvr_fast.answers import AnswerIndex
from rlvr_fast.answers.journal import VerdictJournal
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
"""


def on_a_full_disk(code: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK + code, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_journal_on_a_full_disk_keeps_the_verdicts_so_far(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    code = """
added = 0
try:
    with VerdictJournal(Path(sys.argv[1]), timeout=5.0, memory_mb=2048) as journal:
        while added < 1000:
            journal.add(f"{added:032x}", Outcome("correct", "a grader"))
            added += 1
except StorageError as error:
    print(added, error)
"""
    added, _, message = on_a_full_disk(code, path).partition(" ")
    assert 10 < int(added) < 1000
    assert "verdicts.jsonl: cannot be written" in message
    with VerdictJournal(path, **LIMITS) as journal:
        for number in range(int(added)):
            assert journal.get(f"{number:032x}") == Outcome("correct", "a grader")
        last = f"{int(added):032x}"
        assert journal.get(last) is None
        journal.add(last, Outcome("incorrect", "a grader"))
    with VerdictJournal(path, **LIMITS) as journal:
        assert journal.get(last) == Outcome("incorrect", "a grader")


@pytest.mark.skipif(not UNREADABLE.exists(), reason=f"needs {UNREADABLE}")
def test_unreadable_journal() -> None:
    with pytest.raises(StorageError, match=f"{UNREADABLE}: cannot be read"):
        VerdictJournal(UNREADABLE, **LIMITS)


def test_index_on_a_full_disk_keeps_the_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.idx"
    index = AnswerIndex(normalize=False)
    index.add([1], ["1"], policy=None)
    index.save(path)
    before = path.read_bytes()
    code = """
index = AnswerIndex(normalize=False)
index.add([1] * 2000, [f"answer {n}" for n in range(2000)], policy=None)
try:
    index.save(sys.argv[1])
except StorageError as error:
    print(error)
"""
    assert "answers.idx" in on_a_full_disk(code, path)
    assert path.read_bytes() == before
    assert len(AnswerIndex.load(path, normalize=False)) == 1

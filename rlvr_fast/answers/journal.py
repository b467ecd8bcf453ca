"""The journal of verdicts: an append-only file, complete up to the moment of a kill -9."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.errors import RunDirectoryError, StorageError, file_error, shown
from rlvr_fast.safe_files import open_in_place, read_lines
from rlvr_fast.store.json_files import parse_json
from rlvr_fast.store.lease import confirm_writing
from rlvr_fast.vocabulary import VERDICTS, Verdict

__all__ = ["LIMITED", "VerdictJournal", "journal_outcomes", "pair_key"]

SYNC_SECONDS = 1.0
# A line holds a key, a verdict, a grader's name and at most a message of an error.
_LINE_BYTES = 16 << 20
# Verdicts that hold for the limits that they were made with, and say so.
LIMITED = ("timeout", "error")
_KEY = re.compile(r"[0-9a-f]{32}")
_KEYS = ("key", "verdict", "grader", "detail", "limits")


def pair_key(grader: str, problem_id: str, gold: str | None, answer: str) -> str:
    """A digest of 128 bits that identifies a pair and its verifier."""
    words = (grader, problem_id, "" if gold is None else f"={gold}", answer)
    digest = hashlib.blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def journal_outcomes(path: Path) -> Iterator[tuple[str, Outcome, int]]:
    """(key, outcome, end in bytes) of each whole line of a journal, in the order of deciding.

    Raises:
        ValueError: a line is no verdict, or contradicts an earlier one; the message names the line.
        OSError: the file cannot be read.
    """
    for key, outcome, _, end in _checked(path):
        yield key, outcome, end


def _checked(path: Path) -> Iterator[tuple[str, Outcome, Any, int]]:
    """(key, outcome, limits, end in bytes) of each whole line; see `journal_outcomes`."""
    decided: dict[str, Verdict] = {}
    end = 0
    for number, line in enumerate(read_lines(path, at_most=_LINE_BYTES), start=1):
        if not line.endswith(b"\n"):  # cut off by a crash
            return
        try:
            key, outcome, limits = _parsed(line)
        except ValueError as error:
            raise ValueError(f"row {number}: not a verdict ({error})") from error
        # A verdict that holds under any limits is made once.
        if decided.get(key, outcome.verdict) != outcome.verdict:
            raise ValueError(f"row {number}: an earlier row has another verdict on this answer")
        if outcome.verdict not in LIMITED:
            decided[key] = outcome.verdict
        end += len(line)
        yield key, outcome, limits, end


def _parsed(line: bytes) -> tuple[str, Outcome, Any]:
    """The key, outcome and limits of a line.

    Raises:
        ValueError: it is no verdict.
    """
    row = parse_json(line)
    if not isinstance(row, dict):
        raise ValueError(f"expected an object, got {shown(row)}")
    unknown = [name for name in row if name not in _KEYS]
    if unknown:
        raise ValueError(f"unknown key {shown(unknown[0])}")
    key, verdict, grader = (row.get(name) for name in ("key", "verdict", "grader"))
    detail, limits = row.get("detail", ""), row.get("limits")
    if not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise ValueError(f"expected a key of 32 hexadecimal digits, got {shown(key)}")
    if verdict not in VERDICTS:
        raise ValueError(f"expected a verdict of {', '.join(VERDICTS)}, got {shown(verdict)}")
    if not isinstance(grader, str) or not isinstance(detail, str):
        raise ValueError("expected a text as grader, and as detail")
    if (limits is not None) != (verdict in LIMITED):
        raise ValueError(f"limits stand with {' and '.join(LIMITED)}, and with these alone")
    return key, Outcome(verdict, grader, detail), limits


class VerdictJournal:
    """RUN/verdicts.jsonl: one line for each verified pair.

    Each verdict is written to the kernel at once, so that it outlives the process, and to the disk
    every second. A line that a crash cut off is dropped. A `timeout` or `error` is used again under
    the same limits only; under other limits the pair is verified anew.

    Args:
        path: the file.
        timeout: processor seconds of one verification.
        memory_mb: MiB of address space of a worker.

    Raises:
        RunDirectoryError: a line is no verdict; the message names the line.
        StorageError: the file cannot be read or written.
    """

    def __init__(self, path: Path, *, timeout: float, memory_mb: int) -> None:
        self._path = path
        self._limits = {"timeout": timeout, "memory_mb": memory_mb}
        self._known: dict[str, Outcome] = {}
        self._synced = time.monotonic()
        whole = self._load()
        with self._writing():
            self._handle = open_in_place(path, append=True)
            confirm_writing(path)
            os.ftruncate(self._handle, whole)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            raise file_error(
                error,
                f"{self._path}: cannot be written ({error.strerror or error}); the verdicts so far "
                "are kept: remove the cause (free some space, say) and grade again",
            ) from error

    def _load(self) -> int:
        """Reads the verdicts and returns the length of the whole lines of the file, in bytes."""
        try:
            return self._load_lines()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be read ({error.strerror})") from error

    def _load_lines(self) -> int:
        whole = 0
        try:
            for key, outcome, limits, end in _checked(self._path):
                whole = end
                if limits is None or limits == self._limits:
                    self._known[key] = outcome
                else:
                    self._known.pop(key, None)
        except RunDirectoryError:
            raise
        except ValueError as error:
            raise RunDirectoryError(
                f"{self._path}, {error}. Nothing of this journal can be relied on: rlvr-fast grade "
                f"{self._path.parent} --regrade verifies anew"
            ) from error
        return whole

    def get(self, key: str) -> Outcome | None:
        """The outcome of the pair with this key, None where it is not decided."""
        return self._known.get(key)

    def add(self, key: str, outcome: Outcome) -> None:
        """Appends an outcome.

        Raises:
            StorageError: no room, or the file system refuses the write.
        """
        row: dict[str, object] = {
            "key": key,
            "verdict": outcome.verdict,
            "grader": outcome.grader,
        }
        if outcome.detail:
            row["detail"] = outcome.detail
        if outcome.verdict in LIMITED:
            row["limits"] = self._limits
        data = json.dumps(row).encode() + b"\n"
        with self._writing():
            confirm_writing(self._path)
            while data:
                data = data[os.write(self._handle, data) :]
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._handle)
                self._synced = time.monotonic()
        self._known[key] = outcome

    def __enter__(self) -> VerdictJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._writing():
                os.fsync(self._handle)
        finally:
            os.close(self._handle)

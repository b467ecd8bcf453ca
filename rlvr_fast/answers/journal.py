"""Verdicts of a run as they are decided: an append-only file that survives kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from types import TracebackType

from rlvr_fast.answers.workers import Outcome
from rlvr_fast.errors import RunDirectoryError

__all__ = ["VerdictJournal", "pair_key"]

SYNC_SECONDS = 1.0


def pair_key(grader: str, problem_id: str, gold: str | None, answer: str) -> str:
    """128 bits that name a distinct pair and who verifies it."""
    words = (grader, problem_id, "" if gold is None else f"={gold}", answer)
    digest = hashlib.blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


class VerdictJournal:
    """RUN/verdicts.jsonl: one line a verified pair.

    A line that was cut off by a crash is dropped. Verdicts are handed to the kernel at once, so
    that they outlive the process, and to the disk every second. A `timeout` or `error` holds only
    for the limits under which it came; with other limits the pair is verified anew.
    """

    def __init__(self, path: Path, *, timeout: float, memory_mb: int) -> None:
        self._path = path
        self._limits = {"timeout": timeout, "memory_mb": memory_mb}
        self._known: dict[str, Outcome] = {}
        self._synced = time.monotonic()
        whole = self._load()
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._handle, whole)
        except OSError as error:
            raise RunDirectoryError(f"{path}: cannot be written ({error.strerror})") from error

    def _load(self) -> int:
        """Reads the verdicts and returns how many bytes of the file are whole lines."""
        whole = 0
        if not self._path.exists():
            return whole
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    outcome = Outcome(row["verdict"], row["grader"], row.get("detail", ""))
                    key, limits = row["key"], row.get("limits")
                except (ValueError, KeyError, TypeError) as error:
                    raise RunDirectoryError(
                        f"{self._path}, row {number}: not a verdict ({error}); move the file "
                        "away and grade again"
                    ) from error
                whole += len(line)
                if limits is None or limits == self._limits:
                    self._known[key] = outcome
                else:
                    self._known.pop(key, None)
        return whole

    def get(self, key: str) -> Outcome | None:
        return self._known.get(key)

    def add(self, key: str, outcome: Outcome) -> None:
        row: dict[str, object] = {
            "key": key,
            "verdict": outcome.verdict,
            "grader": outcome.grader,
        }
        if outcome.detail:
            row["detail"] = outcome.detail
        if outcome.verdict in ("timeout", "error"):
            row["limits"] = self._limits
        data = json.dumps(row).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._handle)
                self._synced = time.monotonic()
        except OSError as error:
            raise RunDirectoryError(
                f"{self._path}: cannot be written ({error.strerror}); the verdicts so far are "
                "kept: make room and grade again"
            ) from error
        self._known[key] = outcome

    def __enter__(self) -> VerdictJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.fsync(self._handle)
        os.close(self._handle)

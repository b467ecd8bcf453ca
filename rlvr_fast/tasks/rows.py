"""Rows of a JSONL or Parquet file; errors name the file and the row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError

__all__ = ["file_sha256", "read_rows"]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """(row number from 1, row) of every row; blank lines of a JSONL file are skipped.

    Raises:
        InvalidInputError: a missing or empty file, another type of file, or a row that is not
            UTF-8, not JSON or not an object.
    """
    if path.is_dir():
        raise InvalidInputError(f"{path}: a folder; expected a JSONL or Parquet file")
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such file; expected a JSONL or Parquet file")
    kind = path.suffix.lower()
    if kind not in (".jsonl", ".ndjson", ".json", ".parquet"):
        raise InvalidInputError(
            f"{path}: expected a file named .jsonl, .ndjson, .json or .parquet, got {kind!r}"
        )
    rows = list(_parquet_rows(path) if kind == ".parquet" else _jsonl_rows(path))
    if not rows:
        raise InvalidInputError(f"{path}: the file holds no rows")
    return rows


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path}: not a readable Parquet file: {error}") from error
    number = 0
    for batch in table.to_batches(max_chunksize=4096):
        try:
            rows = batch.to_pylist()
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{path}: a text between rows {number + 1} and {number + batch.num_rows} is not "
                f"UTF-8: {error}"
            ) from error
        for row in rows:
            number += 1
            yield number, row


def _jsonl_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                raise InvalidInputError(
                    f"{path}, row {number}: not UTF-8 (byte {error.start} of the row is "
                    f"{line[error.start : error.start + 1]!r}); convert the file to UTF-8"
                ) from error
            except (json.JSONDecodeError, RecursionError) as error:
                why = "nested too deep"
                if isinstance(error, json.JSONDecodeError):
                    why = f"{error.msg} at character {error.pos}"
                raise InvalidInputError(
                    f"{path}, row {number}: expected one JSON object a line, got "
                    f"{_shown(line)} ({why})"
                ) from error
            if not isinstance(row, dict):
                hint = "; write each of its elements on a line of its own (JSONL)"
                raise InvalidInputError(
                    f"{path}, row {number}: expected a JSON object, got a {type(row).__name__}"
                    f"{hint if isinstance(row, list) else ''}"
                )
            if b"\\ud" in line.lower():
                _check_unicode(row, f"{path}, row {number}")
            yield number, row


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _check_unicode(row: dict[str, Any], where: str) -> None:
    """A JSON escape may spell half of a surrogate pair, which no text can hold."""
    for field, value in row.items():
        try:
            json.dumps([field, value], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = ord(error.object[error.start])
            raise InvalidInputError(
                f"{where}: field {field!r} holds \\u{half:04x}, half of a surrogate pair, which is "
                "no Unicode text; write the whole character"
            ) from error

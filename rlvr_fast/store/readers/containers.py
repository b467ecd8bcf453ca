"""The container of a file of rollouts, told by its content, and the batches of its rows."""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import Extent
from rlvr_fast.store.readers.archives import reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.json_objects import Outline
from rlvr_fast.store.readers.json_rows import (
    array_batches,
    line_batches,
    one_object_batches,
    split_values,
    value_batches,
)
from rlvr_fast.store.readers.json_values import json_value
from rlvr_fast.store.readers.object_rows import PICKLE, ObjectRows, object_batches, torch_batches
from rlvr_fast.store.readers.reader import Sample, SourceFile
from rlvr_fast.store.readers.streams import Spool, compression_of, open_bytes, open_text, spool
from rlvr_fast.store.readers.tables import ipc_batches, parquet_batches, table_batches
from rlvr_fast.store.readers.text_rows import csv_batches, csv_delimiter, yaml_batches

__all__ = [
    "Batch",
    "Container",
    "UnknownContainerError",
    "open_container",
]

_HEAD = 1 << 20
_SAMPLE = Limits(rows=100, bytes=8 << 20)


class UnknownContainerError(InvalidInputError):
    """A file that is empty, or no container of rows: of a folder, it may be left out."""


class Container:
    """A file of rollouts whose container is known.

    Attributes:
        file: the file.
        kind: "jsonl", "json" (one value), "array" (elements of a JSON array), "parquet", "arrow",
            "csv", "yaml", "torch" or "rows".
    """

    def __init__(
        self,
        file: SourceFile,
        kind: str,
        batches: Callable[[Limits], Batches],
        outlines: list[Outline] | None = None,
    ) -> None:
        self.file, self.kind = file, kind
        self._batches = batches
        self._outlines = [] if outlines is None else outlines
        # The one value of a JSON file, which is not to be parsed twice.
        self._first: Batch | None = None

    @property
    def is_cut(self) -> bool:
        """Whether its rows are pieces of one object; known when the first rows were read."""
        return bool(self._outlines)

    def sample(self) -> Sample:
        """At most 100 first rows, of at most some MiB.

        Raises:
            InvalidInputError: the file is damaged.
            StorageError: the file system refuses to read.
        """
        if self._first is None:
            with closing(self._batches(_SAMPLE)) as batches:
                found = next((batch for batch in batches if len(batch)), None)
                if self.kind == "json" and not self.is_cut:
                    only = found is not None and len(found) == 1 and not found.faults
                    if only and next(batches, None) is None:
                        self._first = found
                    else:  # objects that follow one another, the first one beyond the head
                        self.kind = "jsonl"
        else:
            found = self._first
        return Sample(self.file, self.kind, found.rows()[: _SAMPLE.rows] if found else [])

    def batches(self, limits: Limits | None = None) -> Iterator[Batch]:
        """All rows, at most some 32 MiB of the source at a time.

        Raises:
            InvalidInputError: the file is damaged.
            StorageError: the file system refuses to read.
        """
        if self._first is not None:
            batch, self._first = self._first, None
            return iter([batch])
        return self._batches(limits or Limits())


def open_container(file: SourceFile) -> Container:
    """Tells the container of a file by its content; the suffix decides where content cannot.

    Raises:
        UnknownContainerError: the file is empty, or no container that is known.
        InvalidInputError: no such file; damaged compression; a pickle; a format of another
            program.
        StorageError: the file system refuses to read.

    Example:
        >>> import pyarrow as pa
        >>> container = open_container(SourceFile("a table", None, data=pa.table({"a": [1, 2]})))
        >>> container.kind, [batch.rows() for batch in container.batches()]
        ('arrow', [[{'a': 1}, {'a': 2}]])
    """
    if isinstance(file.data, pa.Table):
        return Container(file, "arrow", lambda limits: table_batches(file, file.data, limits))
    if isinstance(file.data, ObjectRows):
        return _open_objects(file, file.data)
    with reading(file.name), open_bytes(file) as stream:
        head = stream.read(_HEAD)
        whole = not stream.read(1)
    found = _open_binary(file, head)
    if found is not None:
        return found
    with reading(file.name), open_text(file) as stream:  # without marks, UTF-16 as UTF-8
        head = stream.read(_HEAD)
        whole = whole or not stream.read(1)
    return _open_text(file, head, whole)


def _open_objects(file: SourceFile, objects: ObjectRows) -> Container:
    def batches(limits: Limits) -> Batches:
        rows = objects.head() if limits is _SAMPLE else objects.rows()
        return object_batches(file, rows, limits)

    return Container(file, "rows", batches)


# What a file begins with, and why it is not read.
_REFUSED = (
    (b"PARE", "an encrypted Parquet file; write it again without encryption"),
    (b"FEA1", "a Feather file of version 1; write it again with pyarrow.feather or as Parquet"),
    (b"\x93NUMPY", "an array of numpy; write the rows as JSON lines"),
    (b"SQLite format 3\x00", "a database of SQLite; export the table as CSV or JSON lines"),
    (b"\x89HDF", "an HDF5 file; write the rows as JSON lines or Parquet"),
    (b"Obj\x01", "an Avro file; write the rows as JSON lines or Parquet"),
    (b"ORC", "an ORC file; write it again as Parquet"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and give the folder"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file: run git lfs pull"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "an image"),
    (b"\x7fELF", "a program"),
    (b"<!DOCTYPE html", "a web page; download the file itself"),
    (b"<html", "a web page; download the file itself"),
)  # fmt: skip
# The first bytes of a file of torch.save before version 1.6, and of a pickle since protocol 2.
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x80-\x95()\]}cXKMGJUNq]")


def _open_binary(file: SourceFile, head: bytes) -> Container | None:
    """A container that is not text; None for a text."""
    name = file.name
    if head.startswith(b"PAR1"):
        # The sizes are told once, for the first rows and for all.
        once: list[Extent] = []
        return _seekable(file, "parquet", functools.partial(parquet_batches, known=once))
    if head.startswith(b"ARROW1\x00\x00"):
        return _arrow(file, stream=False)
    if head.startswith(b"\xff\xff\xff\xff"):
        return _arrow(file, stream=True)
    if head.startswith(b"PK\x03\x04"):
        if b"data.pkl" in head[:600]:
            return _seekable(file, "torch", torch_batches)
        raise InvalidInputError(
            f"{name}: a zip archive in which no rollouts can be found (an archive inside another "
            "one, a spreadsheet, arrays of numpy); unpack it and give the folder"
        )
    if head.startswith(_OLD_TORCH):
        return _seekable(file, "torch", torch_batches)
    if _PICKLE.match(head) or re.search(r"\.(pkl|pickle)(\.|$)", file.file_name):
        raise InvalidInputError(f"{name}: a pickle; {PICKLE}")
    if head[257:262] == b"ustar":
        raise InvalidInputError(f"{name}: a tar archive; unpack it and give the folder")
    for start, what in _REFUSED:
        if head[: len(start)].lower() == start.lower():
            raise InvalidInputError(f"{name}: {what}")
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    if b"\x00" in head and not marked:
        raise UnknownContainerError(f"{name}: expected {_KNOWN}; got bytes of another kind")
    return None


def _arrow(file: SourceFile, *, stream: bool) -> Container:
    known: list[Spool] = []
    return Container(
        file, "arrow", lambda limits: ipc_batches(file, limits, stream=stream, known=known)
    )


_KNOWN = "JSON lines, JSON, Parquet, Arrow, CSV, YAML or torch.save, plain or compressed"


def _seekable(
    file: SourceFile, kind: str, batches: Callable[[SourceFile, Any, Limits], Batches]
) -> Container:
    """A container that is read at any position: from disk, or from a temporary file."""
    spooled: list[Spool] = []

    def source() -> Any:
        if not spooled and not _is_plain(file):
            spooled.append(spool(file))
        if spooled:
            return spooled[0].open()
        return pa.OSFile(str(file.path)) if kind != "torch" else open_bytes(file)

    def opened(limits: Limits) -> Batches:
        with reading(file.name), source() as stream:
            yield from batches(file, stream, limits)

    return Container(file, kind, opened)


def _is_plain(file: SourceFile) -> bool:
    """Whether the bytes on disk are the bytes of the container."""
    if file.path is None or file.member:
        return False
    with reading(file.name), file.path.open("rb") as stream:
        return compression_of(stream.read(16)) is None


def _open_text(file: SourceFile, head: bytes, whole: bool) -> Container:
    if not head.strip():
        if whole:
            raise UnknownContainerError(f"{file.name}: the file is empty")
        return Container(file, "jsonl", lambda limits: line_batches(file, limits))
    suffixes = {suffix.lower() for suffix in Path(file.file_name).suffixes}
    kind, batches = _json_kind(head, whole, ".json" in suffixes)
    if kind == "json":
        known: list[Outline] = []
        one = functools.partial(one_object_batches, file, known=known)
        return Container(file, kind, one, known)
    if batches is not None:
        return Container(file, kind, lambda limits: batches(file, limits))
    table = bool(suffixes & {".csv", ".tsv", ".yaml", ".yml"})
    if head.lstrip()[:1] in (b"{", b"[") and not table:
        raise UnknownContainerError(f"{file.name}: expected {_KNOWN}; {_why_no_json(head)}")
    text = head.decode(errors="ignore")
    is_yaml = bool(re.match(r"\s*(#.*\n\s*)*(---(\s|$)|- |[A-Za-z_][\w-]*:(\s|$))", text))
    if suffixes & {".yaml", ".yml"}:
        return Container(file, "yaml", lambda limits: yaml_batches(file, limits))
    delimiter = csv_delimiter(text, whole=whole)
    if suffixes & {".csv", ".tsv"} or (delimiter and not is_yaml):
        chosen = delimiter or ("\t" if ".tsv" in suffixes else ",")
        return Container(file, "csv", lambda limits: csv_batches(file, chosen, limits))
    if is_yaml:
        return Container(file, "yaml", lambda limits: yaml_batches(file, limits))
    shown = text.strip().splitlines()[0][:60] if text.strip() else ""
    raise UnknownContainerError(f"{file.name}: expected {_KNOWN}; the text begins {shown!r}")


def _json_kind(
    head: bytes, whole: bool, is_json: bool
) -> tuple[str, Callable[[SourceFile, Limits], Batches] | None]:
    text = head.lstrip()
    line, line_break, rest = text.partition(b"\n")
    first, ended = text[:1], bool(line_break) or whole
    more = bool(rest.strip())
    if first in (b"{", b"["):
        if ended and _is_json(line):
            if first == b"[":
                follows = rest.lstrip()[:1] in (b"[", b"{") and more
                return ("jsonl", line_batches) if follows else ("array", array_batches)
            single = is_json and whole and not more
            return ("json", value_batches) if single else ("jsonl", line_batches)
        if any(_is_json(row) for row in rest.split(b"\n")[:20] if row[:2] == b'{"'):
            return "jsonl", line_batches  # the first row is damaged
        if not ended and first == b"{":
            return ("json", value_batches) if is_json else ("jsonl", line_batches)
        if first == b"[" and re.match(rb'\[\s*([\[{"\]\d-]|true|false|null|NaN)', text):
            return "array", array_batches
        if first == b"{" and re.match(rb'\{\s*["}]', text):
            values = itertools.islice(split_values(io.BytesIO(text), array=False), 2)
            several = [why is None for _, why in values] == [True, True]
            return ("jsonl" if several else "json"), value_batches
    elif any(_is_json(row) for row in rest.split(b"\n")[:20] if row[:2] == b'{"'):
        return "jsonl", line_batches
    return "", None


def _why_no_json(head: bytes) -> str:
    line = head.strip().split(b"\n")[0]
    try:
        json_value(line)
    except ValueError as error:
        hint = "; write it by json.dumps, not by str" if b"'" in line[:200] else ""
        return f"the first line is {error}{hint}"
    return "no row is JSON"


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json_value(line), dict | list)
    except ValueError:
        return False

"""The batches of one file: of a general container, or as a reader itself opens or gathers them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import orjson
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.batch import Batch
from rlvr_fast.store.readers.containers import Container, open_container
from rlvr_fast.store.readers.object_rows import ObjectRows
from rlvr_fast.store.readers.reader import Reader, Sample, SourceFile
from rlvr_fast.store.readers.streams import longest_value, source_digest

__all__ = ["RowSource", "digest_of", "open_source", "read_by"]

# Rows that a reader opens are whole objects of its tool and may be large.
_ROWS = 256
_SAMPLE_ROWS = 100


class RowSource(Protocol):
    """The rows of one file."""

    def sample(self) -> Sample:
        """The first rows."""
        ...

    def batches(self) -> Iterator[Batch]:
        """All rows."""
        ...


class _Opened:
    """A file that a reader opens itself."""

    def __init__(self, file: SourceFile, reader: Reader) -> None:
        self._file = file
        self._reader = reader

    def _rows(self) -> Iterator[Any]:
        assert self._reader.opens is not None
        assert self._file.path is not None
        for _, row in self._reader.opens(self._file.path):
            yield row

    def sample(self) -> Sample:
        """The first rows."""
        return Sample(self._file, "rows", list(itertools.islice(self._rows(), _SAMPLE_ROWS)))

    def batches(self) -> Iterator[Batch]:
        """All rows."""
        yield from _chunks(self._file, enumerate(self._rows(), 1), [])


class _Gathered:
    """A file whose reader makes fewer rows of several."""

    def __init__(self, file: SourceFile, inner: RowSource, reader: Reader) -> None:
        self._file = file
        self._inner = inner
        self._reader = reader

    def sample(self) -> Sample:
        """The first rows."""
        return self._inner.sample()

    def batches(self) -> Iterator[Batch]:
        """All rows."""
        faults: list[tuple[int, str]] = []

        def numbered() -> Iterator[tuple[int, Any]]:
            for batch in self._inner.batches():
                faults.extend(batch.faults)
                yield from zip(batch.numbers, batch.rows(), strict=True)

        def kept() -> Iterator[tuple[int, Any]]:
            assert self._reader.gather is not None
            for number, row, why in self._reader.gather(numbered()):
                if why:
                    faults.append((number, why))
                else:
                    yield number, row

        yield from _chunks(self._file, kept(), faults)


def _chunks(
    file: SourceFile, rows: Iterable[tuple[int, Any]], faults: list[tuple[int, str]]
) -> Iterator[Batch]:
    """Batches of numbered rows, each with the faults that were met on the way."""
    pending = iter(rows)
    while chunk := list(itertools.islice(pending, _ROWS)):
        yield Batch(file, [n for n, _ in chunk], values=[row for _, row in chunk], faults=faults[:])
        faults.clear()
    if faults:
        yield Batch(file, [], values=[], faults=faults[:])


def open_source(file: SourceFile, readers: Sequence[Reader]) -> tuple[RowSource, Reader | None]:
    """(rows of a file, the reader that claims the file or None).

    Args:
        file: the file.
        readers: the readers in the order in which they are asked.
    """
    if file.path is not None and not file.member:
        for reader in readers:
            if reader.claims is not None and reader.claims(file.path):
                return _Opened(file, reader), reader
    return open_container(file), None


def digest_of(
    file: SourceFile, stopped: Callable[[], bool] = lambda: False
) -> tuple[str, int | None]:
    """(SHA-256 in hexadecimal, bytes) of a source; of one in memory, of its values.

    An iterator of rows can be read once only, and has the digest "".

    Args:
        file: the source.
        stopped: whether nobody waits for the digest any longer.
    """
    stored = source_digest(file, stopped)
    if stored is not None:
        return stored.sha256, stored.bytes
    digest = hashlib.sha256()
    if isinstance(file.data, pa.Table):
        for batch in file.data.to_batches(max_chunksize=20_000):
            digest.update(batch.serialize())
        digest.update(file.data.schema.remove_metadata().serialize())
    elif isinstance(file.data, ObjectRows) and file.data.lasting:
        for row in file.data.rows():
            try:
                data = orjson.dumps(row, default=repr, option=orjson.OPT_NON_STR_KEYS)
            except TypeError:  # integers beyond 64 bits, half of a surrogate pair
                data = repr(row).encode("utf-8", "surrogatepass")
            digest.update(data)
    else:
        return "", None
    return digest.hexdigest(), None


def read_by(source: RowSource, file: SourceFile, reader: Reader) -> RowSource:
    """The rows as a reader wants them.

    Raises:
        InvalidInputError: the file is one long object, and the reader needs the whole of it.
    """
    if isinstance(source, Container) and source.is_cut and not reader.takes_pieces:
        raise InvalidInputError(
            f"{file.name}: refused: one JSON object of more than {longest_value(file):,} bytes; of "
            f"the layout {reader.name} no longer ones are read. Give several files"
        )
    return source if reader.gather is None else _Gathered(file, source, reader)

"""The files of a run directory: which stages and parts there are, and reading one Parquet file."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunDirectoryError, StorageError
from rlvr_fast.expansion import ExpansionError, parquet_extents, window_rows
from rlvr_fast.safe_files import open_regular
from rlvr_fast.store.files import open_parquet
from rlvr_fast.store.part_names import PART, part_order
from rlvr_fast.store.schemas import DAMAGE, schema_mismatch, stage_schema, value_fault
from rlvr_fast.store.switching import switch_decided

__all__ = [
    "PIECE_BYTES",
    "Joined",
    "damage_message",
    "joined_pieces",
    "may_lie_beside_parts",
    "part_problem",
    "read_part",
    "read_pieces",
    "repair_remedy",
    "stage_folders",
    "stage_parts",
]

# About the most bytes of a run that a stage has in memory at a time.
PIECE_BYTES = 32 << 20
# A file of at most so many bytes is read at once; so many files are joined at most, since a table
# takes kilobytes of its own.
_SMALL = 1 << 20
_TOGETHER = 1000
_BUFFER = 1 << 20
# Hashes of (device, inode, time, size) of small files that hold little: a command reads each part
# several times.
_seen: set[int] = set()


def may_lie_beside_parts(file: Path) -> bool:
    """Whether a file that is no part may lie in the folder of a stage."""
    return file.name.startswith(".") or (file.suffix == ".json" and file.is_file())


def stage_folders(run: Path) -> list[str]:
    """The stages that have a folder in `run`: of "samples", "answers" and each "scores/LABEL"."""
    found = [name for name in ("samples", "answers") if (run / name).is_dir()]
    scores = run / "scores"
    if scores.is_dir():
        found += [f"scores/{p.name}" for p in sorted(scores.iterdir()) if p.is_dir()]
    return found


def stage_parts(run: Path, stage: str) -> list[Path]:
    """The parts of `stage` in the order in which they were written.

    Raises:
        InvalidInputError: there is no such stage.
        RunDirectoryError: the folder holds a file that is no part, which the message names; or
            other parts are taking the place of some at this moment.
    """
    stage_schema(stage)
    folder = run / stage
    if not folder.is_dir():
        return []
    found = _listed(run, folder)
    if switch_decided(run):  # in the middle of the list there may have been both, or neither
        raise RunDirectoryError(
            f"{run}: its parts are being compacted at this moment; give the command again"
        )
    return found


def _listed(run: Path, folder: Path) -> list[Path]:
    found = []
    for file in folder.iterdir():
        if PART.fullmatch(file.name):
            found.append(file)
        elif not may_lie_beside_parts(file):
            raise RunDirectoryError(
                damage_message(file, "not a part of this stage (part-NNNNNN.parquet)", run)
            )
    return sorted(found, key=part_order)


def part_problem(file: Path, schema: pa.Schema | None, run: Path) -> str | None:
    """The fault of a Parquet file that its footer shows, None where the footer shows none.

    Raises:
        RunDirectoryError: not a regular file.
        StorageError: the file system refuses to read the file.
    """
    try:
        with open_parquet(file, root=run) as parquet:
            found = parquet.schema_arrow
    except RunDirectoryError:
        raise
    except DAMAGE as error:
        _raise_unreadable(file, error)
        return f"truncated or no Parquet file ({_first_line(error)})"
    return None if schema is None else schema_mismatch(found, schema)


def read_part(
    file: Path, schema: pa.Schema | None, columns: Sequence[str] | None, run: Path
) -> pa.Table:
    """Reads a Parquet file of a run as a whole; see `read_pieces`."""
    pieces = list(read_pieces(file, schema, columns, run, limit=None))
    return pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces)


def read_pieces(
    file: Path,
    schema: pa.Schema | None,
    columns: Sequence[str] | None,
    run: Path,
    *,
    limit: int | None = PIECE_BYTES,
) -> Iterator[pa.Table]:
    """Reads a Parquet file of a run, and checks its schema, page checksums and sizes.

    Args:
        file: the file.
        schema: the schema that the file has to have; None accepts any.
        columns: the columns to read, where the file has them; None reads all.
        run: the run directory, for the message of an error.
        limit: about the most bytes of a piece; None gives the whole file as one. A file without
            rows is one piece.

    Raises:
        RunDirectoryError: the file is damaged, has another schema, expands beyond what its size
            allows, or is no regular file.
        StorageError: the file system refuses to read the file.
    """
    for piece in _raw_pieces(file, schema, columns, run, limit):
        yield _sound(piece, schema, file, run)


def _raw_pieces(
    file: Path,
    schema: pa.Schema | None,
    columns: Sequence[str] | None,
    run: Path,
    limit: int | None,
) -> Iterator[pa.Table]:
    """As `read_pieces`, under the schema of the file; the values are not checked yet."""
    try:
        with contextlib.ExitStack() as stack:
            handle = stack.enter_context(open_regular(file, root=run))
            status = os.fstat(handle.fileno())
            size = status.st_size
            source: Any = handle
            read_at = functools.partial(_read_at, handle)
            if size <= _SMALL:  # most parts of a run of many: one read for all
                data = handle.read()
                source, read_at = pa.BufferReader(data), functools.partial(_slice, data)
            parquet = stack.enter_context(
                pq.ParquetFile(
                    source,
                    page_checksum_verification=True,
                    pre_buffer=False,
                    buffer_size=0 if size <= _SMALL else _BUFFER,
                )
            )
            found = parquet.schema_arrow
            problem = None if schema is None else schema_mismatch(found, schema)
            if problem is None:
                if columns is not None:
                    columns = [name for name in columns if name in found.names]
                mark = hash((status.st_dev, status.st_ino, status.st_mtime_ns, size))
                extents = []
                if mark not in _seen:
                    extents = parquet_extents(
                        parquet, read_at, size, lambda **k: open_parquet(file, root=run, **k)
                    )
                    if size <= _SMALL and sum(extent.bytes for extent in extents) <= _SMALL:
                        _seen.add(mark)
                if limit is None or sum(extent.bytes for extent in extents) <= limit:
                    table = parquet.read(columns=columns, use_threads=size > _SMALL)
                    yield _under(table, schema)
                    return
                for group, extent in enumerate(extents):
                    for batch in parquet.iter_batches(
                        window_rows(extent, limit), row_groups=[group], columns=columns
                    ):
                        yield _under(pa.Table.from_batches([batch]), schema)
                return
    except RunDirectoryError:
        raise
    except ExpansionError as error:
        problem = f"refused, since its {error}"
    except DAMAGE as error:
        _raise_unreadable(file, error)
        problem = f"truncated or damaged ({_first_line(error)})"
    raise RunDirectoryError(damage_message(file, problem, run))


def _under(table: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """The table under the fields of its stage.

    Parts of other writers may allow nulls or carry metadata; parts are joined under one schema.
    """
    if schema is None:
        return table
    fields = [schema.field(name) for name in table.column_names]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def _sound(table: pa.Table, schema: pa.Schema | None, file: Path, run: Path) -> pa.Table:
    """The table, once its values are checked.

    Raises:
        RunDirectoryError: a value that its column may not hold.
    """
    problem = None if schema is None else value_fault(table, schema)
    if problem is not None:
        raise RunDirectoryError(damage_message(file, problem, run))
    return table


def _read_at(handle: BinaryIO, at: int, size: int) -> bytes:
    return os.pread(handle.fileno(), size, max(at, 0))


def _slice(data: bytes, at: int, size: int) -> bytes:
    return data[max(at, 0) : max(at, 0) + size]


class Joined(NamedTuple):
    """Rows of files that were read together.

    Attributes:
        rows: the rows, in the order of the files.
        files: (file, number of its rows), for each file or piece of a file.
    """

    rows: pa.Table
    files: list[tuple[Path, int]]

    def by_file(self) -> Iterator[tuple[Path, pa.Table]]:
        """(file, its rows) for each of the files."""
        start = 0
        for file, number in self.files:
            yield file, self.rows.slice(start, number)
            start += number


def joined_pieces(
    files: Iterable[Path], schema: pa.Schema | None, columns: Sequence[str] | None, run: Path
) -> Iterator[Joined]:
    """The rows of some files: large files in pieces, small files together.

    What is done for each table costs as much for two rows as for thousands.

    Args:
        files: the files, in the order of their rows.
        schema: as for `read_pieces`.
        columns: as for `read_pieces`.
        run: as for `read_pieces`.

    Yields:
        Rows of about `PIECE_BYTES` at most.
    """
    waiting: list[tuple[Path, pa.Table]] = []
    size = 0
    for file in files:
        for piece in _raw_pieces(file, schema, columns, run, PIECE_BYTES):
            more = piece.nbytes
            if waiting and (size + more > PIECE_BYTES or len(waiting) >= _TOGETHER):
                joined = _joined(waiting, schema, run)
                waiting, size = [], 0
                yield joined
                del joined
            waiting.append((file, piece))
            size += more
    if waiting:
        yield _joined(waiting, schema, run)


def _joined(waiting: list[tuple[Path, pa.Table]], schema: pa.Schema | None, run: Path) -> Joined:
    tables = [table for _, table in waiting]
    rows = tables[0]
    if len(tables) > 1:
        rows = pa.concat_tables(tables, promote_options="default").combine_chunks()
    if schema is not None and value_fault(rows, schema) is not None:
        for file, table in waiting:  # which of them
            _sound(table, schema, file, run)
        _sound(rows, schema, waiting[0][0], run)
    return Joined(rows, [(file, len(table)) for file, table in waiting])


def _raise_unreadable(file: Path, error: BaseException) -> None:
    # Arrow reports damaged bytes as an OSError too, but only the operating system sets errno.
    if isinstance(error, OSError) and error.errno is not None:
        if isinstance(error, FileNotFoundError):
            raise StorageError(
                f"{file}: gone since the run was opened (compacted, or moved by hand); give the "
                "command again, which reads the parts that are there now"
            ) from error
        raise StorageError(f"{file}: cannot be read ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def damage_message(file: Path, problem: str, run: Path) -> str:
    """The message of an error about a damaged file: the fault and the remedy."""
    return f"{file}: {problem}. {repair_remedy(run)}."


def repair_remedy(run: Path) -> str:
    """How a damaged file of a run is moved aside."""
    return (
        f"`rlvr-fast doctor {run} --repair` moves it to {run}/quarantine and keeps the rest; the "
        "stage that wrote it then makes again exactly what is missing"
    )

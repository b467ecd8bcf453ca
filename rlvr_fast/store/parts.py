"""The files of a run directory: which stages and parts there are, and reading one Parquet file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunDirectoryError, StorageError
from rlvr_fast.store.schemas import DAMAGE, schema_mismatch, stage_schema, value_fault

__all__ = [
    "PART",
    "damage_message",
    "may_lie_beside_parts",
    "part_number",
    "part_problem",
    "read_part",
    "repair_remedy",
    "stage_folders",
    "stage_parts",
]

PART = re.compile(r"part-\d{6,}\.parquet")


def part_number(part: Path) -> int:
    """The number in the name of a part."""
    return int(part.stem.partition("-")[2])


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
        RunDirectoryError: the folder holds a file that is no part; the message names the file.
    """
    stage_schema(stage)
    folder = run / stage
    if not folder.is_dir():
        return []
    found = []
    for file in folder.iterdir():
        if PART.fullmatch(file.name):
            found.append(file)
        elif not may_lie_beside_parts(file):
            raise RunDirectoryError(
                damage_message(file, "not a part of this stage (part-NNNNNN.parquet)", run)
            )
    return sorted(found, key=part_number)


def part_problem(file: Path, schema: pa.Schema | None) -> str | None:
    """The fault of a Parquet file that its footer shows, None where the footer shows none.

    Raises:
        StorageError: the file system refuses to read the file.
    """
    try:
        found = pq.read_schema(file)
    except RunDirectoryError:
        raise
    except DAMAGE as error:
        _raise_unreadable(file, error)
        return f"truncated or no Parquet file ({_first_line(error)})"
    return None if schema is None else schema_mismatch(found, schema)


def read_part(
    file: Path, schema: pa.Schema | None, columns: Sequence[str] | None, run: Path
) -> pa.Table:
    """Reads a Parquet file of a run and checks its schema and page checksums.

    Args:
        file: the file.
        schema: the schema that the file has to have; None accepts any.
        columns: the columns to read, where the file has them; None reads all.
        run: the run directory, for the message of an error.

    Raises:
        RunDirectoryError: the file is damaged or has another schema.
        StorageError: the file system refuses to read the file.
    """
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            found = parquet.schema_arrow
            problem = None if schema is None else schema_mismatch(found, schema)
            if problem is None:
                if columns is not None:
                    columns = [name for name in columns if name in found.names]
                table = parquet.read(columns=columns)
                problem = None if schema is None else value_fault(table, schema)
                if problem is None:
                    return table
    except RunDirectoryError:
        raise
    except DAMAGE as error:
        _raise_unreadable(file, error)
        problem = f"truncated or damaged ({_first_line(error)})"
    raise RunDirectoryError(damage_message(file, problem, run))


def _raise_unreadable(file: Path, error: BaseException) -> None:
    # Arrow reports damaged bytes as an OSError too, but only the operating system sets errno.
    if isinstance(error, OSError) and error.errno is not None:
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

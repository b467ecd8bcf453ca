"""The files of a stage: their names, and reading them whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.store.schemas import schema_mismatch

__all__ = ["PART", "damage", "is_foreign_ok", "part_number", "part_problem", "read_part"]

PART = re.compile(r"part-\d{6,}\.parquet")


def part_number(part: Path) -> int:
    return int(part.stem.partition("-")[2])


def is_foreign_ok(file: Path) -> bool:
    """Whether a file that is no part may lie in a stage's folder."""
    return file.name.startswith(".") or (file.suffix == ".json" and file.is_file())


def part_problem(file: Path, schema: pa.Schema | None) -> str | None:
    """What the footer of a Parquet file says is wrong with it, None if nothing is."""
    try:
        found = pq.read_schema(file)
    except (OSError, pa.ArrowException) as error:
        return f"truncated or no Parquet file ({_first_line(error)})"
    return None if schema is None else schema_mismatch(found, schema)


def read_part(
    file: Path, schema: pa.Schema | None, columns: Sequence[str] | None, run: Path
) -> pa.Table:
    """Reads a Parquet file of the run, checking its schema and page checksums."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            found = parquet.schema_arrow
            problem = None if schema is None else schema_mismatch(found, schema)
            if problem is None:
                if columns is not None:
                    columns = [name for name in columns if name in found.names]
                return parquet.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        problem = f"truncated or damaged ({_first_line(error)})"
    raise RunDirectoryError(damage(file, problem, run))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def damage(file: Path, problem: str, run: Path) -> str:
    return (
        f"{file}: {problem}. `rlvr-fast doctor {run} --repair` moves it to {run}/quarantine and "
        "keeps the rest; the stage that wrote it then makes again exactly what is missing."
    )

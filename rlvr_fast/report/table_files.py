"""The file of a table of many rows: compressed CSV alone, written column by column.

A table of more than `MOST_ROWS` rows is no table for a paper, and its JSON and LaTeX would be
several times as large as the runs' own numbers. It is written as NAME.csv.gz, which pandas, polars
and R read by the same call as NAME.csv.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from rlvr_fast.shown_text import csv_cell, json_escaped
from rlvr_fast.store.files import replacing

__all__ = [
    "MOST_ROWS",
    "SUFFIXES",
    "ColumnRows",
    "csv_column",
    "is_large",
    "suffixes",
    "table_file",
    "table_json",
    "write_large",
]

# Rows of a table that has the three files CSV, JSON and LaTeX.
MOST_ROWS = 30_000
_LEVEL = 4
# Endings of the files of tables: of most, and of large ones.
_FILES, _LARGE = (".csv", ".json", ".tex"), (".csv.gz",)
SUFFIXES = (*_FILES, *_LARGE)


class ColumnRows(Sequence[dict[str, Any]]):
    """The rows of a table, held as columns; a row is made when it is asked for.

    Args:
        columns: key to values, all of one length: a sequence, or an array of numpy or Arrow.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = dict(columns)
        sizes = {len(values) for values in self.columns.values()}
        if len(sizes) > 1:
            raise ValueError(f"columns of different lengths: {sorted(sizes)}")
        self._size = sizes.pop() if sizes else 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return list(_rows({k: v[at] for k, v in self.columns.items()}))
        if not -self._size <= at < self._size:
            raise IndexError(f"row {at} of {self._size}")
        place = at % self._size
        return next(_rows({k: v[place : place + 1] for k, v in self.columns.items()}))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return _rows(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def _rows(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lists = [v.tolist() if hasattr(v, "tolist") else v for v in columns.values()]
    for values in zip(*lists, strict=True):
        yield dict(zip(columns, values, strict=True))


def is_large(rows: Sequence[Any]) -> bool:
    """Whether a table has more than `MOST_ROWS` rows."""
    return len(rows) > MOST_ROWS


def suffixes(rows: Sequence[Any]) -> tuple[str, ...]:
    """The endings of a table's files."""
    return _LARGE if is_large(rows) else _FILES


def table_file(name: str, rows: Sequence[Any]) -> str:
    """The file of a table that a reader opens first, as the page names it."""
    return f"tables/{name}{suffixes(rows)[0]}"


def table_json(caption: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The JSON document of a table: its caption, and its rows, one a line.

    One call encodes all rows, as with an indent the standard library encodes in Python, many times
    slower than in C.

    Args:
        caption: of the table.
        rows: keys to texts, finite numbers, booleans and None.
    """
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n", ": ")).encode
    # Strings of JSON hold no line feed, so that each one here stands behind a separator.
    lines = encode(list(rows))[1:-1].replace("},\n{", "}\n{").replace(",\n", ", ")
    listed = "[\n  " + lines.replace("}\n{", "},\n  {") + "\n ]" if rows else "[]"
    return json_escaped(f'{{\n "caption": {encode(caption)},\n "rows": {listed}\n}}')


def csv_column(values: Sequence[Any]) -> Sequence[Any]:
    """`csv_cell` of each cell of a column."""
    kinds = {*map(type, values)}
    if kinds <= {int, bool, type(None)}:
        return values
    if kinds <= {float, int, bool, type(None)}:
        return ["" if value != value else value for value in values]  # nan
    if kinds <= {str, type(None)}:  # names repeat
        known = {value: csv_cell(value) for value in {*values}}
        return [known[value] for value in values]
    return [csv_cell(value) for value in values]


def write_large(keys: Sequence[str], rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Writes a table as compressed CSV.

    Args:
        keys: of the columns, in order.
        rows: of the table; what they lack of a column is an empty cell.
        file: its name.
    """
    with replacing(file) as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
        head = io.StringIO(newline="")
        csv.writer(head).writerow([csv_cell(key) for key in keys])
        packed.write(head.getvalue().encode("utf-8"))
        for start in range(0, len(rows), MOST_ROWS):
            some = slice(start, start + MOST_ROWS)
            block = pa.table({key: _column(rows, key, some) for key in keys})
            arrow_csv.write_csv(
                block,
                packed,
                arrow_csv.WriteOptions(include_header=False, quoting_style="needed"),
            )


def _column(rows: Sequence[dict[str, Any]], key: str, some: slice) -> pa.Array:
    values: Any
    if isinstance(rows, ColumnRows):
        values = rows.columns[key][some] if key in rows.columns else [None] * len(rows[some])
    else:
        values = [row.get(key) for row in rows[some]]
    # nan is an empty cell
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return pa.array(values, from_pandas=True)
    values = values.tolist() if hasattr(values, "tolist") else values
    if any(isinstance(value, str) for value in values):
        values = csv_column(values)
    try:
        found = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of several types
        found = pa.array([None if value is None else str(value) for value in values])
    return found.cast(pa.string()) if pa.types.is_null(found.type) else found

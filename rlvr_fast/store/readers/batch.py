"""Some rows of a file at a time, as Python values or as an Arrow record batch."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING, SourceFile, value_at

__all__ = ["Batch", "Batches", "Limits", "column_at"]


class Limits(NamedTuple):
    """The most rows of a batch, and about how many bytes of the source."""

    rows: int = 20_000
    bytes: int = 32 << 20


@dataclass(slots=True)
class Batch:
    """Rows of a file that follow one another.

    Attributes:
        file: the file.
        numbers: the number of each row in its file, from 1; of JSONL the number of the line.
        table: the rows as a record batch; None where they are Python values.
        values: the rows as Python values; None where they are a record batch.
        faults: (row number, why) of rows that are cut off, damaged or no JSON: not among the rows.
    """

    file: SourceFile
    numbers: Sequence[int]
    table: pa.RecordBatch | None = None
    values: list[Any] | None = None
    faults: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self) -> list[Any]:
        """The rows as Python values; maps of Arrow become mappings.

        Raises:
            InvalidInputError: a value that Python cannot hold, such as a date in the year 20 000.
        """
        if self.table is None:
            return self.values or []
        try:
            rows: list[Any] = self.table.to_pylist(maps_as_pydicts="lossy")
        except (ValueError, OverflowError, ArithmeticError, pa.ArrowException) as error:
            raise InvalidInputError(
                f"{self.file.name}, rows {self.numbers[0]} to {self.numbers[-1]}: a value that "
                f"Python cannot hold ({error}); write the column as text"
            ) from None
        return rows

    def column(self, path: str) -> pa.Array | list[Any] | None:
        """The value of each row at a dotted and indexed path, as `value_at` reads it.

        Returns:
            An Arrow array where the rows are a record batch (null where a row lacks the value),
            else a list (`MISSING` where a row lacks the value); None where no row has the path.
        """
        if self.table is not None:
            return column_at(self.table, path)
        rows = self.values or []
        if re.search(r"[.\[\]]", path):
            found = [value_at(row, path) for row in rows]
        else:
            try:
                return [row[path] for row in rows] or None
            except (KeyError, TypeError, IndexError):
                found = [row.get(path, MISSING) if isinstance(row, Mapping) else MISSING
                         for row in rows]  # fmt: skip
        return found if any(value is not MISSING for value in found) else None


Batches: TypeAlias = Generator[Batch, None, None]

_STEP = re.compile(r"\[(-?\d+)\]|([^.\[\]]+)")


def column_at(batch: pa.RecordBatch, path: str) -> pa.Array | None:
    """The column at a path through struct fields and list items, without Python objects.

    Dictionaries are decoded and string views become strings. A column that is itself named with
    dots or brackets is taken first.

    Returns:
        An array of the batch's length; None where the schema has no such path.
    """
    names = batch.schema.names
    if path in names:
        return _plain(batch.column(names.index(path)))
    steps = [int(index) if index else key for index, key in _STEP.findall(path)]
    if not steps or steps[0] not in names:
        return None
    array = _plain(batch.column(names.index(steps[0])))
    for step in steps[1:]:
        array = _step(array, step)
        if array is None:
            return None
        array = _plain(array)
    return array


def _step(array: pa.Array, step: int | str) -> pa.Array | None:
    kind = array.type
    if isinstance(step, str):
        if pa.types.is_struct(kind):
            index = kind.get_field_index(step)
            return pc.struct_field(array, [index]) if index >= 0 else None
        if pa.types.is_map(kind) and _is_text(kind.key_type):
            return pc.map_lookup(array, pa.scalar(step, kind.key_type), "first")
        return None
    if pa.types.is_fixed_size_list(kind):
        array = array.cast(pa.list_(kind.value_type))
    elif not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return None
    # pc.list_element refuses an index that one of the lists does not have.
    lengths = array.value_lengths().cast(pa.int64())
    starts = array.offsets[:-1].cast(pa.int64())
    at = pc.add(starts, step if step >= 0 else pc.add(lengths, step))
    inside = pc.greater(lengths, step) if step >= 0 else pc.greater_equal(lengths, -step)
    return array.values.take(pc.if_else(inside, at, pa.scalar(None, pa.int64())))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(array: pa.Array) -> pa.Array:
    """Without extension types, dictionaries, views, and lists of a fixed size."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == pa.string_view():
        array = array.cast(pa.large_string())
    elif pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
        # The cast of a slice of list views loses the values of its first lists (Arrow 26).
        kind = pa.large_list(array.type.value_type)
        array = array.take(pa.array(range(len(array)), pa.int64())).cast(kind)
    elif pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        entry = array.type.value_type
        if pa.types.is_dictionary(entry):
            array = array.cast(pa.large_list(entry.value_type))
    return array

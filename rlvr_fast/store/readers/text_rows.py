"""Rows of CSV and YAML."""

from __future__ import annotations

import ast
import csv
import functools
import io
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.archives import MAX_IN_MEMORY, reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import longest_value, open_text

__all__ = ["checked_value", "csv_batches", "csv_delimiter", "yaml_batches"]

_DELIMITERS = ",\t;|"
_MAX_COLUMNS = 10_000
# The module csv takes 4 bytes for each character of a field, and copies it.
_LONGEST_ROW = 24 << 20
# A YAML text is parsed as a whole, into a node for each value.
_LONGEST_YAML = 64 << 20
_WIDE = 4
# A value of more lists or deeper than this is no rollout. Aliases of YAML and references of a
# pickle count as often as they are used: some hundred bytes can stand for billions of values.
_MAX_LISTS = 1_000_000
_MAX_NODES = 100_000_000
_MAX_DEPTH = 200
_LISTS = (dict, list, tuple, set)


def csv_delimiter(head: str, *, whole: bool) -> str | None:
    """The delimiter of a CSV text: the one that gives the most columns, equal in all rows.

    Args:
        head: the beginning of the text.
        whole: whether it is all of the text; else its last row is not counted.

    Returns:
        None where no delimiter gives two columns or more.
    """
    found, most = None, 1
    for delimiter in _DELIMITERS:
        try:
            with _FieldLimit():
                reader = csv.reader(io.StringIO(head, ""), delimiter=delimiter)
                rows = [row for row in reader if row]
        except csv.Error:
            continue
        rows = rows if whole or len(rows) < 2 else rows[:-1]
        counts = {len(row) for row in rows[:50]}
        if len(counts) == 1 and (count := counts.pop()) > most and all(rows[0]):
            found, most = delimiter, count
    return found


class _FieldLimit:
    """The longest field of a CSV file is a setting of the whole process."""

    def __init__(self, most: int = MAX_IN_MEMORY) -> None:
        self._most = most

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(self._most)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._before)


def csv_batches(file: SourceFile, delimiter: str, limits: Limits) -> Batches:
    """The rows of a CSV file with a header; every column is text.

    Raises:
        InvalidInputError: no header, a name that stands twice in it, damaged compression.
        StorageError: the file system refuses to read.
    """
    with reading(file.name), open_text(file) as stream:
        # Bytes that are not UTF-8 become surrogates, so that the row can be named.
        text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="")
        lines = _Lines(text, file.name, min(longest_value(file), _LONGEST_ROW))
        reader = csv.reader(lines, delimiter=delimiter)
        header = _next(reader, lines, file)
        if not header:
            raise InvalidInputError(f"{file.name}: expected a CSV file with a header; no row found")
        twice = {name for name in header if header.count(name) > 1} if len(header) < 1000 else set()
        if twice or len(header) > _MAX_COLUMNS:
            what = f"the column {min(twice)!r} twice" if twice else f"{len(header):,} columns"
            raise InvalidInputError(f"{file.name}: the header names {what}")
        number, finished = 0, False
        lists: set[int] | None = None
        while not finished:
            numbers: list[int] = []
            rows: list[list[str]] = []
            faults: list[tuple[int, str]] = []
            size = 0
            while len(rows) < limits.rows and size < limits.bytes:
                row = _next(reader, lines, file)
                if row is None:
                    finished = True
                    break
                if not row:
                    continue
                number += 1
                # Python keeps 4 bytes for each character of a text that has one beyond U+FFFF.
                size += sum(len(field) if field.isascii() else _WIDE * len(field) for field in row)
                if len(row) != len(header):
                    faults.append((number, f"expected {len(header)} fields, got {len(row)}"))
                elif not _is_unicode(row):
                    faults.append((number, "not UTF-8"))
                else:
                    numbers.append(number)
                    rows.append(row)
            if rows or faults:
                columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
                if lists is None and rows:
                    lists = _list_columns(columns)
                arrays = [
                    _list_array(column) if place in (lists or ()) else _text_array(column)
                    for place, column in enumerate(columns)
                ]
                table = pa.RecordBatch.from_arrays(arrays, names=header)
                yield Batch(file, numbers, table, faults=faults)


def _text_array(column: Sequence[str]) -> pa.Array:
    return pa.array(column, pa.large_string())


def _list_columns(columns: Sequence[Sequence[str]]) -> set[int]:
    """The columns whose every cell holds a list: of texts, or of as many values as the texts.

    Tables with lists are written to CSV as JSON, or as Python spells a list (pandas).
    """
    lists: dict[int, list[list[Any]]] = {}
    for place, column in enumerate(columns):
        if all(cell[:1] == "[" and cell[-1:] == "]" for cell in column):
            values = [value for value in map(_list_of, column) if value is not None]
            if len(values) == len(column):
                lists[place] = values
    texts = [
        values
        for values in lists.values()
        if all(value and all(isinstance(item, str) for item in value) for value in values)
    ]
    if not texts:
        return set()
    sizes = [len(value) for value in texts[0]]
    return {place for place, values in lists.items() if [len(v) for v in values] == sizes}


def _list_of(cell: str) -> list[Any] | None:
    """The list that a cell spells in JSON or in Python; None where it spells none."""
    try:
        value = orjson.loads(cell)
    except orjson.JSONDecodeError:
        try:
            value = ast.literal_eval(cell)
        except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
            return None
    return value if isinstance(value, list) else None


def _list_array(column: Sequence[str]) -> pa.Array:
    """Lists of the cells; a cell that spells no list is one text."""
    values = [_list_of(cell) or [cell] for cell in column]
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Values of several types, or half of a surrogate pair.
        texts = [[str(item).encode("utf-8", "replace").decode() for item in v] for v in values]
        return pa.array(texts, pa.list_(pa.large_string()))


class _Lines:
    """The lines of a CSV text; a row may go on over several of them."""

    def __init__(self, text: io.TextIOWrapper, name: str, most: int) -> None:
        self._text, self._name, self.most = text, name, most
        self.size = 0  # characters since the last row

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.most + 1)
        if not line:
            raise StopIteration
        self.size += len(line)
        if self.size > self.most:
            raise InvalidInputError(
                f"{self._name}: refused: a row of more than {self.most:,} characters, or a quote "
                "that is not closed. Write longer rows as JSON lines"
            )
        return line


def _next(reader: Any, lines: _Lines, file: SourceFile) -> list[str] | None:
    lines.size = 0
    try:
        with _FieldLimit(lines.most):
            row: list[str] | None = next(reader, None)
            return row
    except csv.Error as error:
        raise InvalidInputError(f"{file.name}, line {reader.line_num}: {error}") from None


def _is_unicode(row: list[str]) -> bool:
    for field in row:
        if not field.isascii():
            try:
                field.encode()
            except UnicodeEncodeError:
                return False
    return True


def yaml_batches(file: SourceFile, limits: Limits) -> Batches:
    """The rows of a YAML file: a mapping is a row, a list holds rows; any number of documents.

    Raises:
        InvalidInputError: not YAML, or its aliases expand to a value without bounds.
        StorageError: the file system refuses to read.
    """
    import yaml

    number = 0
    with reading(file.name), open_text(file) as stream:
        data = stream.read(_LONGEST_YAML + 1)
        if len(data) > _LONGEST_YAML:
            raise InvalidInputError(
                f"{file.name}: refused: a YAML text of more than {_LONGEST_YAML:,} bytes, which "
                "is read as a whole. Write the rows as JSON lines, or in several files"
            )
        try:
            for document in yaml.load_all(data, _loader()):
                checked_value(document, file.name)
                values = document if isinstance(document, list) else [document]
                values = [value for value in values if value is not None]
                for start in range(0, len(values), limits.rows):
                    part = values[start : start + limits.rows]
                    yield Batch(file, range(number + 1, number + 1 + len(part)), values=part)
                    number += len(part)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise InvalidInputError(
                f"{file.name}{place}: not a readable YAML text: {error.problem}"
            ) from None
        except (yaml.YAMLError, ValueError, RecursionError, MemoryError) as error:
            if isinstance(error, InvalidInputError):
                raise
            why = str(error) or type(error).__name__
            raise InvalidInputError(f"{file.name}: not a readable YAML text: {why}") from None


@functools.cache
def _loader() -> Any:
    """A safe loader that reads by libyaml, where that is there; a date is a text."""
    import yaml
    from yaml.composer import Composer
    from yaml.constructor import SafeConstructor
    from yaml.resolver import Resolver

    class Shallow(Composer):  # type: ignore[misc]
        """Builds the nodes in Python: libyaml's own recursion ends the process on deep nesting."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise yaml.YAMLError(f"nested deeper than {_MAX_DEPTH}")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    base: Any
    try:
        from yaml.cyaml import CParser
    except ImportError:
        base = type("Loader", (Shallow, yaml.SafeLoader), {})
    else:

        class Loader(Shallow, CParser, SafeConstructor, Resolver):  # type: ignore[misc]
            def __init__(self, stream: Any) -> None:
                CParser.__init__(self, stream)
                Composer.__init__(self)
                SafeConstructor.__init__(self)
                Resolver.__init__(self)

        base = Loader
    base.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in Resolver.yaml_implicit_resolvers.items()
    }
    return base


def checked_value(value: Any, name: str) -> None:
    """Refuses a value that holds itself, or that expands beyond bounds by shared references.

    Raises:
        InvalidInputError: the value is deeper than 200, or has more than 1 million lists and
            mappings, or 100 million values in them.
    """
    lists = nodes = 0
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        children = item.values() if isinstance(item, dict) else item
        if not isinstance(item, _LISTS):
            continue
        lists += 1
        nodes += len(children)
        if depth > _MAX_DEPTH or lists > _MAX_LISTS or nodes > _MAX_NODES:
            what = "values nested too deep" if depth > _MAX_DEPTH else f"more than {nodes:,} values"
            raise InvalidInputError(
                f"{name}: expected rows of rollouts, got {what}: references inside the file repeat "
                "each other"
            )
        stack += [(x, depth + 1) for x in children if isinstance(x, _LISTS)]

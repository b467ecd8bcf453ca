r"""Rows of JSON: one a line, one value after another, or the elements of an array.

Lines end at \n alone: U+2028 and U+0085 are content. An array or a stream of values is split by its
brackets and strings, so that memory holds one batch and not the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.archives import MAX_IN_MEMORY, reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.json_objects import (
    CutObject,
    Outline,
    Piece,
    is_longer,
    outline,
    pieces,
)
from rlvr_fast.store.readers.json_values import check_row, json_value, size_in_memory
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import longest_row, longest_value, open_text

__all__ = [
    "array_batches",
    "line_batches",
    "one_object_batches",
    "split_values",
    "value_batches",
]

_BLOCK = 1 << 22
_DEEPEST = 1000
_BLANK = b" \t\r\n"


def _too_long(most: int) -> str:
    return f"longer than {most:,} bytes"


class _Rows:
    """The batch that is being filled."""

    def __init__(self, file: SourceFile, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._clear()

    def _clear(self) -> None:
        self._values: list[Any] = []
        self._numbers: list[int] = []
        self._faults: list[tuple[int, str]] = []
        self._size = 0

    def add(self, number: int, data: bytes) -> bool:
        """Parses a row; whether the batch is full."""
        try:
            check_row(data)
            self._values.append(json_value(data))
            self._numbers.append(number)
        except ValueError as error:
            self._faults.append((number, str(error)))
        self._size += size_in_memory(data)
        return self._size >= self._limits.bytes or len(self._numbers) >= self._limits.rows

    def fault(self, number: int, why: str) -> None:
        self._faults.append((number, why))

    def take(self) -> Iterator[Batch]:
        """The batch, if there is anything in it."""
        if self._values or self._faults:
            batch = Batch(self._file, self._numbers, values=self._values, faults=self._faults)
            self._clear()
            yield batch


def line_batches(file: SourceFile, limits: Limits) -> Batches:
    """The rows of a JSONL file; a blank line is no row but counts as a line.

    Raises:
        InvalidInputError: no such file, or damaged compression.
        StorageError: the file system refuses to read.
    """
    with reading(file.name), open_text(file) as stream:
        rows = _Rows(file, limits)
        number = 0
        most = longest_row(file)
        for lines, finished in _lines(stream, min(_BLOCK, limits.bytes), most):
            lines.reverse()
            while lines:
                line = lines.pop()
                number += 1
                if line is None:
                    rows.fault(number, _too_long(most))
                elif line and not line.isspace():
                    if not finished:
                        _add_last(rows, number, line)
                        continue
                    full = rows.add(number, line)
                    del line
                    if full:
                        yield from rows.take()
        yield from rows.take()


def _add_last(rows: _Rows, number: int, data: bytes) -> None:
    try:
        check_row(data)
        json_value(data)
    except ValueError as error:
        rows.fault(number, f"cut off at the end of the file ({error})")
    else:
        rows.add(number, data)


def _lines(
    stream: io.BufferedReader, size: int, most: int = MAX_IN_MEMORY
) -> Iterator[tuple[list[bytes | None], bool]]:
    """(lines, whether they end in a line break); None for a line beyond the limit."""
    pieces: list[bytes] = []
    pending, too_long = 0, False
    while block := stream.read(size):
        cut = block.rfind(b"\n")
        if cut < 0:
            pending += len(block)
            pieces.append(block)
            if pending > most:
                pieces, too_long = [], True
            continue
        lines: list[bytes | None]
        if too_long:
            first = block.index(b"\n")
            lines = [None, *(block[first + 1 : cut].split(b"\n") if cut > first else [])]
        else:
            pieces.append(block[:cut])
            # One line may be most of the memory: no second copy of it stays.
            joined = b"".join(pieces)
            pieces.clear()
            lines = list(joined.split(b"\n")) if b"\n" in joined else [joined]
            del joined
        rest = block[cut + 1 :]
        del block
        yield lines, True
        pieces, pending, too_long = [rest], len(rest), False
    if too_long:
        yield [None], False
    elif pending:
        yield [b"".join(pieces)], False


def array_batches(file: SourceFile, limits: Limits) -> Batches:
    """The elements of a JSON array.

    Raises:
        InvalidInputError: no such file, or damaged compression.
        StorageError: the file system refuses to read.
    """
    return _split_batches(file, limits, array=True)


def value_batches(file: SourceFile, limits: Limits) -> Batches:
    """JSON objects that follow one another, each over any number of lines.

    Raises:
        InvalidInputError: no such file, or damaged compression.
        StorageError: the file system refuses to read.
    """
    return _split_batches(file, limits, array=False)


def one_object_batches(file: SourceFile, limits: Limits, known: list[Outline]) -> Batches:
    """The one object of a JSON file; in pieces where it is longer than a row may be.

    Args:
        file: the file.
        limits: the size of a batch.
        known: receives the outline of an object that is read in pieces.

    Raises:
        InvalidInputError: no such file, damaged compression, or a long object that cannot be cut.
        StorageError: the file system refuses to read.
    """
    most = longest_value(file)
    if not known:
        with reading(file.name), open_text(file) as stream:
            try:
                whole = not is_longer(stream, most)
            except ValueError:  # cut off, or nested too deep: the parser says so
                whole = True
        if whole:
            yield from value_batches(file, limits)
            return
        with reading(file.name), open_text(file) as stream:
            try:
                known.append(outline(stream, most))
            except ValueError as error:
                raise InvalidInputError(
                    f"{file.name}: refused: one JSON object of more than {most:,} bytes, which "
                    f"cannot be read in pieces ({error}). Write the rows as JSON lines"
                ) from None
    shared: dict[str, Any] = {}
    with reading(file.name), open_text(file) as stream:
        try:
            for piece in pieces(stream, known[0], most, limits.bytes, size_in_memory):
                yield _piece_batch(file, piece, shared)
        except (ValueError, KeyError) as error:  # not what was read before
            raise InvalidInputError(f"{file.name}: not readable as JSON ({error})") from None


def _piece_batch(file: SourceFile, piece: Piece, shared: dict[str, Any]) -> Batch:
    first = piece.number == 1
    faults: list[tuple[int, str]] = []
    try:
        for item in piece.items:
            check_row(item)
        value = json_value(piece.text(piece.items, first=first))
    except ValueError:
        good = []
        for number, item in enumerate(piece.items, piece.number):  # which of them
            try:
                check_row(item)
                json_value(item if piece.is_list else b"{" + item + b"}")
                good.append(item)
            except ValueError as error:
                faults.append((number, str(error)))
        value = json_value(piece.text(good, first=first))
    found = CutObject(value)
    found.shared = shared
    return Batch(file, [piece.number], values=[found], faults=faults)


def _split_batches(file: SourceFile, limits: Limits, *, array: bool) -> Batches:
    with reading(file.name), open_text(file) as stream:
        rows = _Rows(file, limits)
        for number, (data, why) in enumerate(
            split_values(
                stream, array=array, block=min(_BLOCK, limits.bytes), most=longest_row(file)
            ),
            1,
        ):
            if why is not None:
                rows.fault(number, why)
            elif rows.add(number, data):
                yield from rows.take()
        yield from rows.take()


_OUTSIDE_ARRAY = re.compile(rb'[\[\]{}"]')
_BETWEEN = re.compile(rb'[\[\]{}",]')
_QUOTE, _COMMA, _END = ord('"'), ord(","), ord("]")
_OPENING = frozenset(b"[{")


def split_values(
    stream: Any, *, array: bool, block: int = _BLOCK, most: int = MAX_IN_MEMORY
) -> Iterator[tuple[bytes, str | None]]:
    """Splits a JSON text into values by its brackets and strings.

    Args:
        stream: has `read`; UTF-8.
        array: whether the text is one array, whose elements are yielded; else values that follow
            one another.
        block: bytes to read at a time.
        most: the most bytes of a value.

    Yields:
        (the text of a value, None), or (b"", why the value cannot be had). The texts are not
        checked: each may be something else than JSON.
    """
    between = _BETWEEN if array else _OUTSIDE_ARRAY
    buffer = bytearray()
    start = position = depth = 0
    opened, closed, in_string, too_long = not array, False, False, False
    while data := stream.read(block):
        if closed:
            if data.strip(_BLANK):
                yield b"", "text after the end of the array"
                return
            continue
        del buffer[:start]
        position -= start
        start = 0
        buffer += data
        if not opened:
            text = buffer.lstrip(_BLANK)
            if not text:
                buffer.clear()
                continue
            start = position = len(buffer) - len(text) + 1  # behind the bracket
            opened = True
        while True:
            if in_string:
                quote = buffer.find(b'"', position)
                if quote < 0:
                    position = len(buffer)
                    break
                position = quote + 1
                before = quote - 1
                while before >= start and buffer[before] == 0x5C:
                    before -= 1
                in_string = (quote - before) % 2 == 0
                continue
            match = (_OUTSIDE_ARRAY if depth else between).search(buffer, position)
            if match is None:
                position = len(buffer)
                break
            position = match.end()
            char = buffer[position - 1]
            if char == _QUOTE:
                in_string = True
                continue
            if char in _OPENING:
                depth += 1
                if depth > _DEEPEST:
                    yield b"", "nested too deep; what follows is not read"
                    return
                continue
            end = position
            if char == _COMMA or (depth == 0 and array and char == _END):
                end -= 1
                closed = char == _END
            elif depth > 1 or (array and depth == 1):
                depth -= 1
                continue
            else:
                depth = 0
                if array:
                    continue  # a brace that closes nothing: the parser says so
            value = bytes(memoryview(buffer)[start:end])
            start = position
            if too_long:
                yield b"", _too_long(most)
            elif not array:
                yield value.lstrip(b"," + _BLANK), None
            elif not (closed and not value.strip(_BLANK)):
                yield value, None
            too_long = False
            if closed:
                if buffer[position:].strip(_BLANK):
                    yield b"", "text after the end of the array"
                    return
                break
        if position - start > most:
            too_long = True
            # Backslashes at the end say whether a quote behind them ends the string.
            keep = len(buffer) - len(buffer.rstrip(b"\\")) if in_string else 0
            start = len(buffer) - keep
    rest = bytes(buffer[start:]).strip(_BLANK)
    if not closed and (rest or too_long or array):
        yield b"", f"cut off at the end of the file (after {rest[-40:].decode(errors='replace')!r})"

"""One JSON object that is too long for memory, as several: each holds some rows of its long list.

The object around the rollouts of a tool holds settings and a long list, or a long mapping, of rows.
Each piece repeats the settings and holds some of the rows, so that a reader takes it for the whole
object. A value longer than any row may be is a list of rows; what is cut holds rows alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

import orjson

__all__ = ["CutObject", "Outline", "Piece", "is_longer", "outline", "pieces"]

_BLOCK = 1 << 22
# Levels of objects around a long list, and the most bytes of the short values beside it.
_DEPTH = 4
_FRAME = 1 << 20
_DEEPEST = 1000  # of any JSON that is read
_BLANK = b" \t\r\n"
_STRUCTURE = re.compile(rb'[\[\]{}"]')
_END_OF_SCALAR = re.compile(rb"[,\]}\s]")


class CutObject(dict[str, Any]):
    """A piece of an object.

    Attributes:
        shared: one mapping for all pieces of the object, for what a reader finds in the first.
    """

    shared: dict[str, Any]


@dataclass(slots=True)
class Outline:
    """What an object or list beyond the limit holds.

    Attributes:
        is_list: whether it is a list.
        short: (key, value) of the members up to the limit, as text, where they lie beside long
            ones; empty where they are rows.
        long: the members beyond the limit, by their key as text.
        items: number of its items.
    """

    is_list: bool
    short: list[tuple[bytes, bytes]] = field(default_factory=list)
    long: dict[bytes, Outline] = field(default_factory=dict)
    items: int = 0

    def beside(self, *, first: bool) -> list[bytes]:
        """The members that a piece repeats, as text.

        Lists beside a long list, and mappings beside a long mapping, may be rows as well: they
        stand in the first piece alone.
        """
        kinds = {b"[" if each.is_list else b"{" for each in self.long.values()}
        return [key + b":" + value for key, value in self.short if first or value[:1] not in kinds]


class Piece(NamedTuple):
    """Some rows of a long list or mapping.

    Attributes:
        number: of the first of them, from 1.
        above: the objects around them, the outermost first, each with the key that leads on.
        is_list: whether they stand in a list.
        items: the rows as text, in a mapping with their keys.
    """

    number: int
    above: list[tuple[Outline, bytes]]
    is_list: bool
    items: list[bytes]

    def text(self, items: list[bytes], *, first: bool) -> bytes:
        """The object with some of the rows."""
        start, end = (b"[", b"]") if self.is_list else (b"{", b"}")
        for around, key in reversed(self.above):
            members = [*around.beside(first=first), key + b":"]
            start, end = b"{" + b",".join(members) + start, end + b"}"
        return start + b",".join(items) + end


class _Text:
    """A JSON text that is read forwards; what lies behind is dropped."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = bytearray()
        self._at = 0

    def _more(self) -> bool:
        del self._data[: self._at]
        self._at = 0
        block = self._stream.read(_BLOCK)
        self._data += block
        return bool(block)

    def peek(self) -> bytes:
        """The next character that is not white space; b"" at the end."""
        while True:
            while self._at < len(self._data) and self._data[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._data):
                return bytes(self._data[self._at : self._at + 1])
            if not self._more():
                return b""

    def take(self, wanted: bytes) -> bytes:
        """Takes the next character, which has to be one of some."""
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"not JSON: expected one of {wanted.decode()}, got {found!r}")
        self._at += 1
        return found

    def value(self, most: int) -> bytes | None:
        """The text of the next value; None, and nothing is taken, where it is longer."""
        if self.peek() in (b"{", b"[", b'"'):
            size = self._length(most)
        else:
            size = self._length_of_scalar(most)
        if size is None or size > most:
            return None
        text = bytes(memoryview(self._data)[self._at : self._at + size])
        self._at += size
        return text

    def _length_of_scalar(self, most: int) -> int | None:
        size = 0
        while size <= most:
            end = _END_OF_SCALAR.search(self._data, self._at + size)
            if end is not None:
                return end.start() - self._at
            size = len(self._data) - self._at
            if not self._more():
                return size
        return None

    def _length(self, most: int) -> int | None:
        size = depth = 0
        in_string = False
        while True:
            if in_string:
                quote = self._data.find(b'"', self._at + size)
                if quote >= 0:
                    before = quote - 1
                    while self._data[before] == 0x5C:  # ends at the quote that opens the string
                        before -= 1
                    size = quote + 1 - self._at
                    in_string = (quote - before) % 2 == 0
                    if not in_string and not depth:
                        return size
                    continue
            else:
                mark = _STRUCTURE.search(self._data, self._at + size)
                if mark is not None:
                    size = mark.end() - self._at
                    if mark[0] == b'"':
                        in_string = True
                    elif mark[0] in (b"[", b"{"):
                        depth += 1
                        if depth > _DEEPEST:
                            raise ValueError("nested too deep")
                    else:
                        depth -= 1
                        if not depth:
                            return size
                    continue
            size = len(self._data) - self._at
            if size > most:
                return None
            if not self._more():
                raise ValueError("cut off at the end of the file")

    def keys(self, *, is_list: bool) -> Iterator[bytes]:
        """The key of each member of what was just opened; the caller takes the value."""
        if self.peek() in (b"]", b"}"):
            self.take(b"]" if is_list else b"}")
            return
        while True:
            key = b""
            if not is_list:
                key = self.value(_FRAME) or b""
                if key[:1] != b'"':
                    raise ValueError(f"not JSON: expected a key, got {key[:20]!r}")
                self.take(b":")
            yield key
            if self.take(b",]" if is_list else b",}") != b",":
                return


def is_longer(stream: BinaryIO, most: int) -> bool:
    """Whether the first value of a JSON text has more bytes than `most`.

    Raises:
        ValueError: the text ends within the value.
    """
    return _Text(stream).value(most) is None


def outline(stream: BinaryIO, most: int) -> Outline:
    """What an object holds that has more bytes than `most`.

    Raises:
        ValueError: it cannot be cut: no JSON, a row beyond the limit, or long lists of other values
            than rows; the message says which.
    """
    text = _Text(stream)
    found = _outline(text, most, 0)
    if text.peek():
        raise ValueError("text after the end of the object")
    return found


def _outline(text: _Text, most: int, depth: int) -> Outline:
    found = Outline(text.take(b"{[") == b"[")
    size, rows = 0, True
    for key in text.keys(is_list=found.is_list):
        found.items += 1
        value = text.value(most)
        if value is None:
            if found.is_list or depth == _DEPTH or text.peek() not in (b"{", b"["):
                raise ValueError(f"a row or text of more than {most:,} bytes")
            found.long[key] = _outline(text, most, depth + 1)
            continue
        rows = rows and (value[:1] == b"{" or (value[:1] == b"[" and not found.is_list))
        size += len(key) + len(value)
        if size <= _FRAME:
            found.short.append((key, value))
    if not found.long or size > _FRAME:
        found.short = []
        if not rows:
            raise ValueError("a long list, or mapping, of other values than objects")
    lengths = {each.items for each in found.long.values() if each.is_list}
    for key, value in found.short:
        if value[:1] == b"[" and len(orjson.loads(value)) in lengths:
            raise ValueError(f"the list {key.decode(errors='replace')} is as long as that of rows")
    return found


def pieces(
    stream: BinaryIO, plan: Outline, most: int, size: int, size_of: Callable[[bytes], int] = len
) -> Iterator[Piece]:
    """The rows of an object, about `size` bytes at a time.

    Args:
        stream: the text of the object.
        plan: what `outline` found with the same `most`.
        most: the limit.
        size: the bytes of a piece.
        size_of: the bytes of a row.
    """
    number = 1
    for above, is_list, items in _walk(_Text(stream), plan, [], most, size, size_of):
        yield Piece(number, above, is_list, items)
        number += len(items)


def _walk(
    text: _Text,
    plan: Outline,
    above: list[tuple[Outline, bytes]],
    most: int,
    size: int,
    size_of: Callable[[bytes], int],
) -> Iterator[tuple[list[tuple[Outline, bytes]], bool, list[bytes]]]:
    text.take(b"[" if plan.is_list else b"{")
    items: list[bytes] = []
    held = 0
    for key in text.keys(is_list=plan.is_list):
        value = text.value(most)
        if value is None:
            if items:
                yield above, plan.is_list, items
                items, held = [], 0
            inside = [*above, (plan, key)]
            yield from _walk(text, plan.long[key], inside, most, size, size_of)
        elif not plan.short:
            items.append(value if plan.is_list else key + b":" + value)
            held += size_of(value)
            if held >= size:
                yield above, plan.is_list, items
                items, held = [], 0
    if items:
        yield above, plan.is_list, items

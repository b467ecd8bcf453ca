"""Rows of Python objects: lists of mappings, and files that torch.save wrote."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.archives import reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.text_rows import checked_value

__all__ = ["PICKLE", "ObjectRows", "object_batches", "torch_batches"]

PICKLE = (
    "a pickle can run any program when it is read, so nothing is unpickled. Write the rows as JSON "
    "lines in the program that trusts the file: "
    'import json, pickle; rows = pickle.load(open(FILE, "rb")); '
    'open("rollouts.jsonl", "w").writelines(json.dumps(row) + "\\n" for row in rows)'
)
_SAMPLE_ROWS = 100


class ObjectRows:
    """Rows in memory; the first ones can be looked at without using up an iterator."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._once = not isinstance(rows, Sequence)
        self._rows: Iterable[Any] = rows
        self._head: list[Any] = []
        if self._once:
            iterator = iter(rows)
            self._head = list(itertools.islice(iterator, _SAMPLE_ROWS))
            self._rows = iterator
        self._used = False

    @property
    def lasting(self) -> bool:
        """Whether the rows can be read more than once."""
        return not self._once

    def head(self) -> list[Any]:
        """The first rows."""
        return self._head if self._once else list(itertools.islice(self._rows, _SAMPLE_ROWS))

    def rows(self) -> Iterator[Any]:
        """All rows; of an iterator, once.

        Raises:
            InvalidInputError: the rows of an iterator were taken before.
        """
        if self._used and self._once:
            raise InvalidInputError(
                "the rows of an iterator can be read once only; give a list instead"
            )
        self._used = True
        return itertools.chain(self._head, self._rows)


def object_batches(file: SourceFile, rows: Iterable[Any], limits: Limits) -> Batches:
    """Rows in memory; attributes of objects become keys.

    Raises:
        InvalidInputError: a row holds itself.
    """
    number = 0
    iterator = iter(rows)
    while part := list(itertools.islice(iterator, limits.rows)):
        values = [_plain(row, file.name) for row in part]
        yield Batch(file, range(number + 1, number + 1 + len(part)), values=values)
        number += len(part)


def torch_batches(file: SourceFile, source: BinaryIO, limits: Limits) -> Batches:
    """The rows of a file of torch.save: those of "samples", else the value as one row.

    Raises:
        InvalidInputError: the file is damaged, or holds more than tensors, numbers, texts,
            lists and mappings.
        StorageError: the file system refuses to read.
    """
    import torch

    with reading(file.name, "file of torch.save"):
        try:
            value = torch.load(source, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:
            why = (str(error) or type(error).__name__).splitlines()[0]
            raise InvalidInputError(
                f"{file.name}: not readable by torch.load(weights_only=True) ({why}). The file is "
                f"damaged, or holds objects of classes: {PICKLE.replace('pickle.load(open', 'torch.load(open')}"  # noqa: E501
            ) from None
    checked_value(value, file.name)
    samples = value.get("samples") if isinstance(value, Mapping) else None
    yield from object_batches(file, samples if isinstance(samples, list) else [value], limits)


def _plain(value: Any, name: str) -> Any:
    """Without tensors, arrays and objects of classes."""
    try:
        return _converted(value)
    except RecursionError:
        raise InvalidInputError(f"{name}: a row holds itself, or is nested too deep") from None


def _converted(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _converted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_converted(item) for item in value]
    if hasattr(value, "tolist"):  # a tensor of torch, an array or number of numpy
        if str(getattr(value, "dtype", "")).startswith("torch.") and hasattr(value, "detach"):
            value = value.detach().to_dense() if value.is_sparse else value.detach()
        return _converted(value.tolist())
    if hasattr(value, "__dict__"):
        return {key: _converted(item) for key, item in vars(value).items() if key[:1] != "_"}
    slots = getattr(type(value), "__slots__", ())
    slots = (slots,) if isinstance(slots, str) else slots
    if slots:
        return {key: _converted(getattr(value, key, None)) for key in slots}
    return value

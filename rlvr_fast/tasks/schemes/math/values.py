"""What a reader of answers gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Read", "Same", "Unread", "Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says, once read. Each kind of answer has its own (`kinds/`)."""


@dataclass(frozen=True, slots=True)
class Unread(Value):
    """A text that no kind reads. It equals the same text and nothing else."""

    text: str


# Reads a part of an answer, such as an element of a list.
Read = Callable[[str], Value]
# Whether the answer's part equals the gold's part: (gold, answer).
Same = Callable[[Value, Value], bool]

"""Errors of checks that go on after one of them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from rlvr_fast.errors import InvalidInputError, RlvrError, fault_kept

__all__ = ["Faults"]


class Faults:
    """Errors of checks that go on after one of them."""

    def __init__(self) -> None:
        self.found: list[RlvrError] = []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """A block whose error is kept; one message is kept once."""
        with fault_kept(self.found), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they come again from what is checked here
            yield

    def add(self, message: str) -> None:
        """Keeps one more fault."""
        with self.kept():
            raise InvalidInputError(message)

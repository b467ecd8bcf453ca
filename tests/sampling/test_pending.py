"""Rows gathered before they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlvr_fast.sampling import Completion
from rlvr_fast.sampling.pending import PendingDraws


def completion(index: int, ids: Any) -> Completion:
    return Completion("p", index, f"text {index}", ids, "stop", index)


def test_token_ids_of_every_kind_of_sequence_are_kept() -> None:
    pending = PendingDraws()
    for index, ids in enumerate(
        ([1, 2, 2**31 - 1], (3,), np.array([4, 5], np.uint16), [np.int64(6), True], [], None)
    ):
        pending.add(completion(index, ids))
    table = pending.table()
    found = [[1, 2, 2**31 - 1], [3], [4, 5], [6, 1], [], []]
    assert table["token_ids"].to_pylist() == found
    assert table["text"].to_pylist() == [f"text {index}" for index in range(6)]


class Clearing:
    """An integer that empties the list in which it stands."""

    def __init__(self, holder: list[Any]) -> None:
        self.holder = holder

    def __index__(self) -> int:
        self.holder.clear()
        return 1


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([1, 2**31], OverflowError),
        ([1, -(2**31) - 1], OverflowError),
        ([1, 2**70], OverflowError),
        ([1, "2"], TypeError),
        ([1, 2.0], TypeError),
        (7, TypeError),
    ],
)
def test_ids_that_are_none_leave_the_rows_before(ids: Any, kind: type[Exception]) -> None:
    pending = PendingDraws()
    pending.add(completion(0, [1, 2]))
    with pytest.raises(kind):
        pending.add(completion(1, ids))
    assert pending.table()["token_ids"].to_pylist() == [[1, 2]]


def test_a_list_that_changes_while_it_is_read_is_refused() -> None:
    pending = PendingDraws()
    ids: list[Any] = [1, 2, 3]
    ids[1] = Clearing(ids)
    pending.add(completion(0, [1, 2]))
    with pytest.raises(ValueError, match="changed while it was read"):
        pending.add(completion(1, ids))
    assert pending.table()["token_ids"].to_pylist() == [[1, 2]]

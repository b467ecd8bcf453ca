"""Batches of rows where a layout writes several rows for one draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from rlvr_fast.store.importing.detection import Recognised
from rlvr_fast.store.readers.containers import Batch

__all__ = ["gathered_batches"]

_ROWS = 4096


def gathered_batches(known: Recognised) -> Iterator[Batch]:
    """The batches of a file, without the rows that its reader leaves out.

    Args:
        known: the file and its reader.
    """
    gather = known.reader.gather
    if gather is None:
        yield from known.container.batches()
        return
    damaged: list[tuple[int, str]] = []

    def rows() -> Iterator[tuple[int, Any]]:
        for batch in known.container.batches():
            damaged.extend(batch.faults)
            yield from zip(map(int, batch.numbers), batch.rows(), strict=True)

    results = gather(rows())
    while chunk := list(itertools.islice(results, _ROWS)):
        left_out = [(number, why) for number, _, why in chunk if why]
        kept = [(number, row) for number, row, why in chunk if not why]
        yield Batch(
            file=known.file,
            numbers=[number for number, _ in kept],
            values=[row for _, row in kept],
            faults=[*damaged, *left_out],
        )
        damaged.clear()
    if damaged:
        yield Batch(file=known.file, numbers=[], values=[], faults=damaged)

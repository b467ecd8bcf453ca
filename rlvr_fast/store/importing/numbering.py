"""Sample indices of imported draws, and the draws that repeat another."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.columns import Column, take
from rlvr_fast.store.index import MAX_SAMPLE_INDEX
from rlvr_fast.store.rollouts.values import read_indices

__all__ = ["Numbering", "Repeats"]

Codes = npt.NDArray[np.int64]


class Numbering:
    """Gives each draw its sample index: the stated one, or its number among those of its problem.

    Problems are numbered from 0; several files go on where the earlier ones ended.
    """

    def __init__(self) -> None:
        self._next = np.zeros(0, np.int64)
        self._keys: list[tuple[npt.NDArray[Any], ...]] = []
        self._names: list[str] = []

    def number(
        self, problem: Codes, stated: Column | None, kept: Codes, numbers: Codes, name: str
    ) -> Codes:
        """The sample index of each draw of a batch.

        Args:
            problem: the problem of each draw.
            stated: the column of stated indices over all draws of the batch, if there is one.
            kept: the places of the draws in that column.
            numbers: the row number of each draw.
            name: the file.

        Raises:
            InvalidInputError: a stated index is missing or out of range.
        """
        if stated is not None:
            index = np.asarray(read_indices(take(stated, kept)), np.int64)
            bad = np.flatnonzero((index < 0) | (index > MAX_SAMPLE_INDEX))
            if bad.size:
                raise InvalidInputError(
                    f"{name}, row {int(numbers[bad[0]])}: expected a sample index "
                    f"0..{MAX_SAMPLE_INDEX}. Number the completions in the order of the rows "
                    "instead: --field sample_index="
                )
            self._record(problem, index, numbers, name)
            return index
        size = max(len(self._next), int(problem.max(initial=-1)) + 1)
        self._next = np.concatenate([self._next, np.zeros(size - len(self._next), np.int64)])
        order = np.argsort(problem, kind="stable")
        grouped = problem[order]
        starts = np.flatnonzero(np.diff(grouped, prepend=-1))
        lengths = np.diff(np.append(starts, len(grouped)))
        index = np.empty(len(problem), np.int64)
        index[order] = np.arange(len(grouped)) - np.repeat(starts, lengths)
        index += self._next[problem]
        self._next += np.bincount(problem, minlength=size)
        self._record(problem, index, numbers, name)
        return index

    def _record(self, problem: Codes, index: Codes, numbers: Codes, name: str) -> None:
        self._names.append(name)
        file = np.full(len(index), len(self._names) - 1, np.int32)
        self._keys.append((problem << 32 | index, numbers.astype(np.int32), file))

    def check(self, problem_id: Callable[[int], str]) -> None:
        """Refuses two draws of one problem with one index.

        Args:
            problem_id: the id of a problem.

        Raises:
            InvalidInputError: such draws; the message names both rows.
        """
        if not self._keys:
            return
        key, numbers, files = (np.concatenate([e[at] for e in self._keys]) for at in range(3))
        order = np.argsort(key, kind="stable")
        twice = np.flatnonzero(np.diff(key[order]) == 0)
        if twice.size:
            one, two = (
                f"{self._names[int(files[row])]}, row {int(numbers[row])}"
                for row in order[twice[0] : twice[0] + 2]
            )
            problem, index = divmod(int(key[order[twice[0]]]), 1 << 32)
            raise InvalidInputError(
                f"{two}: problem {problem_id(problem)!r} has sample_index {index} twice (also in "
                f"{one}). Where the index does not number the draws of a problem, number them in "
                "the order of the rows: --field sample_index="
            )


class Repeats:
    """Counts the draws that repeat another draw of their problem to the letter."""

    def __init__(self) -> None:
        self._marks: list[tuple[Codes, Codes]] = []

    def add(self, problem: Codes, texts: pa.Array) -> None:
        """Adds the draws of a batch."""
        self._marks.append((problem, _marks(texts)))

    def count(self) -> int:
        """The number of draws that repeat an earlier one."""
        if not self._marks:
            return 0
        pairs = np.stack([np.concatenate([e[at] for e in self._marks]) for at in (0, 1)], axis=1)
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        return int(np.count_nonzero((np.diff(pairs[order], axis=0) == 0).all(axis=1)))


def _marks(texts: pa.Array) -> Codes:
    """A number for each text, of its CRC-32 and its length; empty texts have none in common."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    whole = whole.cast(pa.large_string())
    offsets = np.frombuffer(whole.buffers()[1], np.int64)[whole.offset :][: len(whole) + 1]
    data = memoryview(whole.buffers()[2] or b"").cast("B")
    sums = [zlib.crc32(data[a:b]) for a, b in itertools.pairwise(offsets.tolist())]
    lengths = np.diff(offsets)
    marks = np.asarray(sums, np.int64) << 31 ^ lengths
    marks[lengths == 0] = -1 - np.arange(np.count_nonzero(lengths == 0))
    return marks

"""The keys (problem_id, sample_index) that a stage holds, kept as one bitmap for each problem."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError

__all__ = ["MAX_SAMPLE_INDEX", "KeyIndex"]

# Limits the bitmap of a problem with one absurdly large sample_index to 16 MiB.
MAX_SAMPLE_INDEX = 2**24 - 1
_FEW = 1000
# The bytes of all bitmaps: a few draws with absurd numbers, of many problems, are no run of ours.
_ROOM = 1 << 28
_ROOM_PER_ROW = 1000


class KeyIndex:
    """The keys of a stage, one byte for each draw; keys are looked up, never compared pairwise.

    Attributes:
        rows: number of keys that were added.
    """

    def __init__(self, problem_ids: pa.Array) -> None:
        self._problem_ids = problem_ids
        self._seen: list[npt.NDArray[np.bool_]] = [np.zeros(0, np.bool_)] * len(problem_ids)
        self._number: dict[str, int] | None = None
        self._room = 0
        self.rows = 0

    def rows_of(self, table: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(row number of the problem, sample index) of each row of `table`.

        Raises:
            InvalidInputError: a problem that is not of this run, or an index out of range.
        """
        ids = table.column("problem_id")
        problem = self._places(ids)
        unknown = np.flatnonzero(problem < 0)
        if unknown.size:
            at = int(unknown[0])
            raise InvalidInputError(
                f"problem {ids[at].as_py()!r} (row {at}) is not in problems.parquet"
            )
        index = table.column("sample_index").to_numpy().astype(np.int64)
        bad = np.flatnonzero((index < 0) | (index > MAX_SAMPLE_INDEX))
        if bad.size:
            raise InvalidInputError(
                f"problem {ids[int(bad[0])].as_py()!r} (row {int(bad[0])}): expected a "
                f"sample_index in 0..{MAX_SAMPLE_INDEX}, got {int(index[bad[0]])}"
            )
        return problem, index

    def _places(self, ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """The row number of each problem, -1 for one that is not of this run."""
        if len(ids) < _FEW:  # Arrow would hash all problems of the run for two rows
            if self._number is None:
                names = self._problem_ids.to_pylist()
                self._number = dict(zip(names, range(len(names)), strict=True))
            number = self._number
            return np.array([number.get(name, -1) for name in ids.to_pylist()], np.int64)
        found = pc.index_in(ids.combine_chunks(), value_set=self._problem_ids)
        return np.asarray(pc.fill_null(found, -1), np.int64)

    def is_new(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether neither the stage nor an earlier row has its key."""
        problem, index = self.rows_of(table)
        key = problem << 32 | index
        new = np.zeros(len(key), np.bool_)
        new[np.unique(key, return_index=True)[1]] = True
        for number, rows in _by_problem(problem):
            seen = self._seen[number]
            inside = index[rows] < len(seen)
            new[rows[inside]] &= ~seen[index[rows[inside]]]
        return new

    def add(self, table: pa.Table) -> None:
        """Adds the keys of `table`.

        Raises:
            InvalidInputError: as `rows_of`, or numbers far beyond the number of draws. Nothing is
                added then.
        """
        problem, index = self.rows_of(table)
        groups = [(n, rows, int(index[rows].max()) + 1) for n, rows in _by_problem(problem)]
        wanted = sum(max(top - len(self._seen[number]), 0) for number, _, top in groups)
        if self._room + wanted > max(_ROOM, _ROOM_PER_ROW * (self.rows + len(index))):
            number, _, top = max(groups, key=lambda group: group[2])
            raise InvalidInputError(
                f"expected draws that are numbered from 0 on, got a sample_index up to {top - 1} "
                f"(problem {self._problem_ids[number].as_py()!r}) in {self.rows + len(index)} draws"
            )
        for number, rows, top in groups:
            seen = self._seen[number]
            if top > len(seen):
                grown = np.zeros(max(top, min(2 * len(seen), MAX_SAMPLE_INDEX + 1)), np.bool_)
                grown[: len(seen)] = seen
                self._room += len(grown) - len(seen)
                self._seen[number] = seen = grown
            seen[index[rows]] = True
        self.rows += len(index)

    def contains(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether the stage has its key; an unknown problem has none."""
        problem = self._places(table.column("problem_id"))
        index = table.column("sample_index").to_numpy()
        held = np.zeros(len(index), np.bool_)
        for number, rows in _by_problem(problem):
            if number < 0:
                continue
            seen = self._seen[number]
            inside = rows[(index[rows] >= 0) & (index[rows] < len(seen))]
            held[inside] = seen[index[inside]]
        return held

    def missing(self, number: int, num_samples: int) -> npt.NDArray[np.int64]:
        """Sample indices below `num_samples` that problem `number` lacks, ascending."""
        seen = self._seen[number][:num_samples]
        return np.concatenate([np.flatnonzero(~seen), np.arange(len(seen), num_samples)])

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of samples of each problem."""
        return np.array([int(np.count_nonzero(s)) for s in self._seen], np.int64)

    def gaps(self) -> list[tuple[str, int]]:
        """(problem_id, number of indices missing below the largest) of each problem with a gap."""
        found = []
        for number, seen in enumerate(self._seen):
            held = np.flatnonzero(seen)
            if held.size and held[-1] + 1 > held.size:
                found.append((self._problem_ids[number].as_py(), int(held[-1] + 1 - held.size)))
        return found


def _by_problem(
    problem: npt.NDArray[np.int64],
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    if not len(problem):
        return []
    order = np.argsort(problem, kind="stable")
    ends = np.flatnonzero(np.diff(problem[order])) + 1
    return [(int(problem[rows[0]]), rows) for rows in np.split(order, ends)]

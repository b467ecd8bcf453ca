"""The keys (problem_id, sample_index) that a stage holds, as sorted numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError

__all__ = ["MAX_SAMPLE_INDEX", "KeyIndex", "ProblemRows"]

MAX_SAMPLE_INDEX = 2**24 - 1
_FEW = 1000
_BITS = 32
_INDEX = (1 << _BITS) - 1
_BLOCK = 1 << 20

Ints = npt.NDArray[np.int64]


class ProblemRows:
    """The row of each problem in problems.parquet, by its id."""

    def __init__(self, problem_ids: pa.Array) -> None:
        self.ids = problem_ids
        self._number: dict[str, int] | None = None

    def of(self, ids: pa.ChunkedArray | pa.Array) -> Ints:
        """The row of each of some ids, -1 for one that is not of this run."""
        if len(ids) < _FEW:  # Arrow would hash all problems of the run for two rows
            if self._number is None:
                names = self.ids.to_pylist()
                self._number = dict(zip(names, range(len(names)), strict=True))
            number = self._number
            return np.array([number.get(name, -1) for name in ids.to_pylist()], np.int64)
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        found = pc.index_in(ids.cast(self.ids.type), value_set=self.ids)
        return np.asarray(pc.fill_null(found, -1), np.int64)


class KeyIndex:
    """The keys of a stage, 8 bytes for each draw, whatever the largest sample index is.

    The keys lie in sorted arrays, each less than half as long as the one before it: adding a part
    costs about as much as the part has rows.

    Attributes:
        rows: number of keys that were added.
    """

    def __init__(self, problem_ids: pa.Array) -> None:
        self._problems = ProblemRows(problem_ids)
        self._sorted: list[Ints] = []
        self.rows = 0

    def rows_of(self, table: pa.Table) -> tuple[Ints, Ints]:
        """(row number of the problem, sample index) of each row of `table`.

        Raises:
            InvalidInputError: a problem that is not of this run, or an index out of range.
        """
        ids = table.column("problem_id")
        problem = self._problems.of(ids)
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

    def _keys(self, table: pa.Table) -> Ints:
        problem, index = self.rows_of(table)
        return problem << _BITS | index

    def is_new(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether neither the stage nor an earlier row has its key."""
        return self._is_new(self._keys(table))

    def _is_new(self, keys: Ints) -> npt.NDArray[np.bool_]:
        new = np.zeros(len(keys), np.bool_)
        new[np.unique(keys, return_index=True)[1]] = True
        new[self._holds(keys)] = False
        return new

    def _holds(self, keys: Ints) -> npt.NDArray[np.bool_]:
        held = np.zeros(len(keys), np.bool_)
        for known in self._sorted:
            at = np.searchsorted(known, keys)
            held |= known[np.minimum(at, len(known) - 1)] == keys
        return held

    def add(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Adds the keys of `table`, each once; gives what `is_new` said of them before.

        Raises:
            InvalidInputError: as `rows_of`; nothing is added then.
        """
        keys = self._keys(table)
        new = self._is_new(keys)
        self.rows += len(keys)
        fresh = np.sort(keys[new])
        while len(fresh) and self._sorted and len(self._sorted[-1]) < 2 * len(fresh):
            fresh = np.concatenate([self._sorted.pop(), fresh])
            fresh.sort(kind="stable")  # which merges runs that are sorted
        if len(fresh):
            self._sorted.append(fresh)
        return new

    def contains(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether the stage has its key; an unknown problem has none."""
        problem = self._problems.of(table.column("problem_id"))
        index = table.column("sample_index").to_numpy().astype(np.int64)
        known = (problem >= 0) & (index >= 0)
        return self._holds(np.where(known, problem << _BITS | index, -1))

    def missing(self, first: int, wanted: Ints) -> tuple[Ints, Ints]:
        """The sample indices that some problems lack.

        Args:
            first: the row number of the first of them; the others follow it.
            wanted: for each, the number of samples that it is to have.

        Returns:
            The indices below `wanted` that the problems lack, ascending for each, problem after
            problem; and where those of each begin, with the end of the last: shape [problems + 1].
        """
        starts = np.concatenate([[0], np.cumsum(wanted)])
        lacking = np.ones(int(starts[-1]), np.bool_)
        for known in self._sorted:
            a, b = np.searchsorted(known, [first << _BITS, first + len(wanted) << _BITS])
            problem, index = (known[a:b] >> _BITS) - first, known[a:b] & _INDEX
            asked = index < wanted[problem]
            lacking[starts[problem[asked]] + index[asked]] = False
        flat = np.flatnonzero(lacking)
        bounds = np.searchsorted(flat, starts)
        return flat - np.repeat(starts[:-1], np.diff(bounds)), bounds

    def num_missing(self, wanted: Ints) -> int:
        """How many draws all problems lack, of the numbers of samples `wanted` of each."""
        held = 0
        for known in self._sorted:
            for at in range(0, len(known), _BLOCK):  # the memory of a block, not of all keys
                keys = known[at : at + _BLOCK]
                held += int(np.count_nonzero((keys & _INDEX) < wanted[keys >> _BITS]))
        return int(wanted.sum()) - held

    def counts(self) -> Ints:
        """Number of samples of each problem."""
        size = len(self._problems.ids)
        found = np.zeros(size, np.int64)
        for known in self._sorted:
            found += np.bincount(known >> _BITS, minlength=size)
        return found

    def gaps(self) -> list[tuple[str, int]]:
        """(problem_id, number of indices missing below the largest) of each problem with a gap."""
        counts = self.counts()
        beyond = np.zeros(len(counts), np.int64)  # one more than the largest index
        for known in self._sorted:
            ends = np.flatnonzero(np.diff(known >> _BITS, append=-1))
            last = known[ends]
            at = last >> _BITS
            beyond[at] = np.maximum(beyond[at], (last & _INDEX) + 1)
        lacking = beyond - counts
        return [
            (self._problems.ids[number].as_py(), int(lacking[number]))
            for number in np.flatnonzero(lacking).tolist()
        ]

"""The keys (problem_id, sample_index) that a stage holds, as bits of sorted words."""

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
# 64 sample indices of a problem are the bits of one word, whose key is that of the first of them
# without its last 6 bits: all zeros.
_WORD = 6
_PROBLEM = _BITS - _WORD  # what a key of a word is shifted by
_START = (1 << _PROBLEM) - 1
_BLOCK = 1 << 20
_ONES = np.array([byte.bit_count() for byte in range(256)], np.uint8)

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


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
    """The keys of a stage: a bit for each draw, in words of 64 sample indices of a problem.

    A word has a key of 8 bytes. Draws without gaps take 2 bits each, draws of far scattered indices
    16 bytes. The words lie in arrays sorted by their keys, each less than half as long as the one
    before it, and no word in two of them: adding a part costs about as much as the part has rows.

    Attributes:
        rows: number of keys that were added.
    """

    def __init__(self, problem_ids: pa.Array) -> None:
        self._problems = ProblemRows(problem_ids)
        self._sorted: list[tuple[Ints, Words]] = []
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
        new = ~self._holds(keys)
        ascending = np.sort(keys)
        if (ascending[1:] == ascending[:-1]).any():
            first = np.zeros(len(keys), np.bool_)
            first[np.unique(keys, return_index=True)[1]] = True
            new &= first
        return new

    def _holds(self, keys: Ints) -> npt.NDArray[np.bool_]:
        held = np.zeros(len(keys), np.bool_)
        places, bits = keys >> _WORD, _bit(keys)
        for known, words in self._sorted:
            at = np.minimum(np.searchsorted(known, places), len(known) - 1)
            held |= (known[at] == places) & (words[at] & bits != 0)
        return held

    def add(self, table: pa.Table, *, all_or_none: bool = False) -> npt.NDArray[np.bool_]:
        """Adds the keys of `table`, each once; gives what `is_new` said of them before.

        Args:
            table: the rows.
            all_or_none: adds nothing where a key is not new.

        Raises:
            InvalidInputError: as `rows_of`; nothing is added then.
        """
        keys = self._keys(table)
        new = self._is_new(keys)
        if all_or_none and not new.all():
            return new
        self.rows += len(keys)
        fresh = np.sort(keys[new])
        places = fresh >> _WORD
        first = np.flatnonzero(np.diff(places, prepend=-1))
        if not len(first):
            return new
        places, words = places[first], np.bitwise_or.reduceat(_bit(fresh), first)
        for known, there in self._sorted:  # into the words that there are
            at = np.minimum(np.searchsorted(known, places), len(known) - 1)
            same = known[at] == places
            there[at[same]] |= words[same]
            places, words = places[~same], words[~same]
        while len(places) and self._sorted and len(self._sorted[-1][0]) < 2 * len(places):
            known, there = self._sorted.pop()
            places = np.concatenate([known, places])
            order = np.argsort(places, kind="stable")  # which merges runs that are sorted
            places, words = places[order], np.concatenate([there, words])[order]
        if len(places):
            self._sorted.append((places, words))
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
        for known, words in self._sorted:
            a, b = np.searchsorted(known, [first << _PROBLEM, first + len(wanted) << _PROBLEM])
            asked = a + np.flatnonzero(
                (known[a:b] & _START) << _WORD < wanted[(known[a:b] >> _PROBLEM) - first]
            )
            for at in range(0, len(asked), _BLOCK >> _WORD):
                some = asked[at : at + (_BLOCK >> _WORD)]
                word, bit = np.nonzero(_bits(words[some]))
                problem = (known[some] >> _PROBLEM)[word] - first
                index = ((known[some] & _START) << _WORD)[word] + bit
                below = index < wanted[problem]
                lacking[starts[problem[below]] + index[below]] = False
        flat = np.flatnonzero(lacking)
        bounds = np.searchsorted(flat, starts)
        return flat - np.repeat(starts[:-1], np.diff(bounds)), bounds

    def num_missing(self, wanted: Ints) -> int:
        """How many draws all problems lack, of the numbers of samples `wanted` of each."""
        held = 0
        for known, words in self._sorted:
            for at in range(0, len(known), _BLOCK):  # the memory of a block, not of all words
                places = known[at : at + _BLOCK]
                below = wanted[places >> _PROBLEM] - ((places & _START) << _WORD)
                held += int(_ones(words[at : at + _BLOCK] & _lowest(below)).sum())
        return int(wanted.sum()) - held

    def counts(self) -> Ints:
        """Number of samples of each problem."""
        size = len(self._problems.ids)
        found = np.zeros(size, np.int64)
        for known, words in self._sorted:
            # In double precision, which is exact for numbers below 2**53.
            counted = np.bincount(known >> _PROBLEM, _ones(words), minlength=size)
            found += counted.astype(np.int64)
        return found

    def gaps(self) -> list[tuple[str, int]]:
        """(problem_id, number of indices missing below the largest) of each problem with a gap."""
        counts = self.counts()
        beyond = np.zeros(len(counts), np.int64)  # one more than the largest index
        for known, words in self._sorted:
            ends = np.flatnonzero(np.diff(known >> _PROBLEM, append=-1))
            last = known[ends]
            top = 1 << _WORD
            length = top - np.argmax(_bits(words[ends])[:, ::-1], axis=1)
            at = last >> _PROBLEM
            beyond[at] = np.maximum(beyond[at], ((last & _START) << _WORD) + length)
        lacking = beyond - counts
        return [
            (self._problems.ids[number].as_py(), int(lacking[number]))
            for number in np.flatnonzero(lacking).tolist()
        ]


def _bit(keys: Ints) -> Words:
    """The bit of each key in its word."""
    return np.uint64(1) << (keys & ((1 << _WORD) - 1)).astype(np.uint64)


def _bits(words: Words) -> npt.NDArray[np.uint8]:
    """The bits of words, the lowest first: uint8 of 0 and 1, shape [words, 64]."""
    parts = words.astype("<u8").view(np.uint8)
    return np.unpackbits(parts, bitorder="little").reshape(-1, 1 << _WORD)


def _ones(words: Words) -> Ints:
    """The number of bits that are 1 in each word."""
    ones: Ints = _ONES[words.view(np.uint8)].reshape(-1, 8).sum(1, dtype=np.int64)
    return ones


def _lowest(number: Ints) -> Words:
    """Words whose lowest bits, `number` of them, are 1; none for negative, all above 63."""
    shift = np.clip(64 - number, 0, 63).astype(np.uint64)
    return np.where(number > 0, ~np.uint64(0) >> shift, np.uint64(0))

"""Groups of equal answers to a problem."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlvr_fast import _core
from rlvr_fast.answers.arrow import string_array, to_problem_column, to_string_column
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.errors import InvalidInputError, StorageError, file_error
from rlvr_fast.vocabulary import STATUSES, Policy, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AnswerGroups", "AnswerIndex", "group_answers"]


@dataclass(frozen=True, slots=True)
class AnswerGroups:
    """The distinct pairs of problem and answer among some rows, in the order of their first rows.

    Attributes:
        problem_id: pyarrow array [groups], int64 or large_string as the ids were given.
        answer: pyarrow large_string array [groups]; null is the group of rows without an answer.
        count: int64 [groups], the number of rows of each group.
        first_row: int64 [groups], the first row of each group.
        group_of_row: uint32 [rows], the group of each row; None from an index, which keeps no rows.
    """

    problem_id: Any
    answer: Any
    count: NDArray[np.int64]
    first_row: NDArray[np.int64]
    group_of_row: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        return len(self.count)

    def entropy(self) -> tuple[Any, NDArray[np.float64]]:
        """The answer entropy of each problem, in nats: ``-sum p ln p`` over its groups.

        The rows without an answer are one group.

        Returns:
            ``(problem_ids, entropies)``: a pyarrow array of the problems in the order of their
            first rows, and a float64 array of the same length.
        """
        encoded = self.problem_id.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        problems = encoded.dictionary
        totals = np.bincount(codes, weights=self.count, minlength=len(problems))
        p = self.count / totals[codes]
        entropies = np.bincount(codes, weights=-p * np.log(p), minlength=len(problems))
        return problems, np.maximum(entropies, 0.0)


def _groups(parts: dict[str, Any], group_of_row: NDArray[np.uint32] | None) -> AnswerGroups:
    import pyarrow as pa

    ids = parts["problem_id"]
    return AnswerGroups(
        problem_id=string_array(ids) if isinstance(ids, tuple) else pa.array(ids),
        answer=string_array(parts["answer"]),
        count=parts["count"],
        first_row=parts["first_row"],
        group_of_row=group_of_row,
    )


def group_answers(
    problem_ids: Any, answers: Any, *, rows: bool = True, _hash_bits: int = 128
) -> AnswerGroups:
    """Group rows by problem and answer, byte for byte.

    Rows are hashed (128 bits), split by hash and counted on all threads; a comparison of the bytes
    confirms equal hashes. The result is the same for any number of threads.

    Args:
        problem_ids: one for each row: integers, strings, or an Arrow array of either
            (dictionary-encoded or not), without nulls.
        answers: one for each row: a list of str or None, or any Arrow string array, read in place.
            The rows of a problem without an answer form one group. To group equal values, give
            canonical forms (:func:`normalize_answers`).
        rows: whether to return ``group_of_row`` too.

    Returns:
        The groups in the order of their first rows.

    Raises:
        InvalidInputError: lengths that differ, a null problem id (the message names its row), or
            other types.

    Example:
        >>> groups = group_answers(["a", "a", "b", "a"], ["1", "2", "1", "1"])
        >>> groups.answer.to_pylist(), groups.count.tolist(), groups.group_of_row.tolist()
        (['1', '2', '1'], [2, 1, 1], [0, 1, 2, 0])
    """
    parts = _core.group_answers(
        to_problem_column(problem_ids), to_string_column(answers, "answers"), _hash_bits, rows
    )
    return _groups(parts, parts["group_of_row"] if rows else None)


class AnswerIndex:
    r"""Counts of distinct answers: added to part by part, merged, saved and loaded.

    An index holds distinct answers and no rows: at most 64 bytes for each group, and the bytes of
    the answers.

    Args:
        normalize: group canonical forms (see :func:`normalize_answers`) in place of answers as they
            were written.

    Example:
        >>> index = AnswerIndex()
        >>> index.add([1, 1, 2], [r"\boxed{0.5}", r"\boxed{\frac12}", "no answer"])
        {'found': 2, 'unfinished': 0, 'missing': 1, 'malformed': 0}
        >>> index.groups().answer.to_pylist(), index.groups().count.tolist()
        (['1/2', None], [2, 1])
    """

    def __init__(self, *, normalize: bool = True, _hash_bits: int = 128) -> None:
        self._core = _core.GroupIndex(normalize, _hash_bits)
        self._normalize = normalize

    def add(
        self,
        problem_ids: Any,
        texts: Any,
        *,
        policy: Policy | None = "auto",
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> dict[Status, int]:
        """Add completions: extract, normalise and count in one pass over the text.

        Args:
            problem_ids: one for each row, as for :func:`group_answers`.
            texts: one for each row, as for :func:`extract_answers`.
            policy: how to extract (see :func:`extract_answers`); None: the texts are answers.
            max_bytes: the greatest length of an answer, in bytes.

        Returns:
            The number of rows with each status. The rows of a problem without an answer are one
            group. After an error the index holds a part of the rows: discard it.

        Raises:
            InvalidInputError: as :func:`group_answers` and :func:`extract_answers`.
        """
        counts = self._core.add(
            to_problem_column(problem_ids), to_string_column(texts, "texts"), policy, max_bytes
        )
        return dict(zip(STATUSES, counts, strict=True))

    def merge(self, other: AnswerIndex) -> None:
        """Add the groups of `other`, as if its rows had been added after the rows of this index."""
        self._core.merge(other._core)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file, whole or not at all.

        Raises:
            InvalidInputError: the folder does not exist.
            StorageError: the file system has no room or refuses the write.
        """
        folder = Path(path).parent
        if not folder.is_dir():
            raise InvalidInputError(f"can't open {path} to write an answer index: no such folder")
        try:
            self._core.save(os.fspath(path))
        except InvalidInputError as error:  # the core gives every failed write this type
            raise StorageError(str(error)) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, normalize: bool = True) -> AnswerIndex:
        """Read an index that :meth:`save` wrote.

        Raises:
            InvalidInputError: the file is missing, damaged, or no index.
            StorageError: the file system refuses to read the file.
        """
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise file_error(
                error, f"can't open the answer index {path} ({error.strerror})"
            ) from error
        index = cls(normalize=normalize)
        index._core.load(os.fspath(path))
        return index

    def groups(self) -> AnswerGroups:
        """The groups in the order of their first rows."""
        return _groups(self._core.groups(), None)

    def __len__(self) -> int:
        return int(self._core.num_groups)

    @property
    def num_rows(self) -> int:
        """The number of rows that were added."""
        return int(self._core.num_rows)

    @property
    def memory(self) -> int:
        """The memory that the index uses, in bytes."""
        return int(self._core.memory)

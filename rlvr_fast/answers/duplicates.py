"""Exact and near duplicates among completions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlvr_fast import _core
from rlvr_fast.answers.arrow import is_arrow, to_string_column
from rlvr_fast.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DuplicateGroups", "find_duplicates"]


@dataclass(frozen=True, slots=True)
class DuplicateGroups:
    """Groups of rows that are duplicates, in the order of their first rows.

    A row without a duplicate is a group of its own.

    Attributes:
        group_of_row: uint32 [rows], the group of each row.
        count: int64 [groups], the number of rows of each group.
        first_row: int64 [groups], the first row of each group.
    """

    group_of_row: NDArray[np.uint32]
    count: NDArray[np.int64]
    first_row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.count)

    @property
    def num_repeats(self) -> int:
        """The number of rows that are duplicates of an earlier row."""
        return int(np.sum(self.count - 1))


def find_duplicates(
    texts_or_token_ids: Any, *, threshold: float | None = None, ngram: int = 5
) -> DuplicateGroups:
    """Find completions that are duplicates: repeated draws, or solutions that differ in few words.

    Args:
        texts_or_token_ids: a list of str, a list of token-id lists, or an Arrow array of strings or
            of lists of integers, read in place. None and null are duplicates of each other.
        threshold: None finds exact duplicates (equal 128-bit hashes). A number in (0, 1] also links
            rows whose sets of n-grams have at least this Jaccard similarity; linked rows form one
            group. MinHash with banding proposes pairs and misses a pair at the threshold with
            probability below 1e-3; the exact Jaccard similarity confirms each pair.
        ngram: tokens in an n-gram: token ids, or the words of a text.

    Returns:
        The groups in the order of their first rows; the same for any number of threads.

    Raises:
        InvalidInputError: a threshold outside (0, 1], or rows that are neither texts nor token ids.

    Example:
        >>> find_duplicates(["a b c", "a b d", "a b c"]).group_of_row.tolist()
        [0, 1, 0]
    """
    column = texts_or_token_ids
    if not is_arrow(column):
        import pyarrow as pa

        rows = list(column)
        if any(isinstance(row, (str, bytes)) for row in rows) or all(row is None for row in rows):
            column = to_string_column(rows, "texts")
        else:
            try:
                ids = [None if row is None else np.asarray(row, dtype=np.int64) for row in rows]
                column = pa.array(ids, pa.large_list(pa.int64()))
            except (TypeError, ValueError, OverflowError) as error:
                raise InvalidInputError(
                    f"expected a list of texts or of token-id lists: {error}"
                ) from error
    return DuplicateGroups(*_core.find_duplicates(column, threshold, ngram))

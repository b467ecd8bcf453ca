"""Which draws of a batch are imported, and the reasons why others are left out."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import FREE_VALUE_BYTES
from rlvr_fast.store.importing.columns import to_list
from rlvr_fast.store.importing.roles import RoleBatch
from rlvr_fast.store.importing.summary import ImportSummary
from rlvr_fast.store.options import ImportOptions

__all__ = ["Selection"]

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
# Reasons that are worded for each row: counted together, and shown for the first row.
_PARTICULAR = re.compile(
    r"(not JSON|not UTF-8|cut off at the end of the file)(?:: | \()(.*?)\)?", re.DOTALL
)


# The longest completion that is imported, in bytes of UTF-8.
LONGEST_COMPLETION = FREE_VALUE_BYTES // 2


class Selection:
    """Chooses the draws of batch after batch; counts the others in the summary."""

    def __init__(self, summary: ImportSummary, options: ImportOptions, *, joined: bool) -> None:
        self._summary = summary
        self._strict = options.strict
        self._filter = options.filter
        self._first_filter: dict[str, str] = {}
        self._filters: dict[str, None] = {}
        self._joined = joined

    def check_filter(self) -> None:
        """Refuses a filter that no row has.

        Raises:
            InvalidInputError: the message names the filters of the rows.
        """
        if self._filter is None or self._filter in self._filters:
            return
        if not self._filters:
            raise InvalidInputError(
                f"--filter {self._filter}: the rows have no filters; leave the option out"
            )
        raise InvalidInputError(
            f"--filter {self._filter}: no row is of this filter; "
            f"the rows have: {', '.join(self._filters)}"
        )

    def leave_out(self, why: str, where: str, number: int = 1) -> None:
        """Counts rows that are left out.

        Raises:
            InvalidInputError: the user asked for every row.
        """
        if self._strict:
            raise InvalidInputError(
                f"{where}: {why}; without --strict such rows are left out and counted"
            )
        particular = _PARTICULAR.fullmatch(why)
        if particular is not None:
            why, where = particular[1], f"{where}: {particular[2]}"
        self._summary.left_out[why] += number
        self._summary.examples.setdefault(why, where)

    def kept(
        self,
        roles: RoleBatch,
        problem: Codes,
        texts: pa.Array,
        token_ids: pa.Array | None,
        not_finished: Bools,
        numbers: Codes,
        name: str,
    ) -> Bools:
        """Which draws of a batch are imported.

        Args:
            roles: the batch.
            problem: the problem of each draw, -1 for none.
            texts: the completions, null where there is none.
            token_ids: their token ids, if the file has any.
            not_finished: draws whose finish reason says that they failed.
            numbers: the row number of each draw.
            name: the file.
        """
        keep = np.ones(len(problem), np.bool_)

        def drop(mask: Bools, why: str) -> None:
            bad = mask & keep
            if bad.any():
                first = f"{name}, row {int(numbers[int(np.argmax(bad))])}"
                self.leave_out(why, first, int(bad.sum()))
                keep[bad] = False

        if "error" in roles.of_draws:
            failed = map(_is_error, to_list(roles.of_draws["error"]))
            drop(np.fromiter(failed, np.bool_, len(keep)), "the draw failed")
        if "filter" in roles.of_rows:
            filters = to_list(roles.of_rows["filter"])
            self._filters.update(dict.fromkeys(map(str, filters)))
            # The files of two tasks have filters of other names.
            read = self._filter or self._first_filter.get(name)
            if read is None:
                read = next((str(value) for value in filters if value is not None), "None")
                self._first_filter[name] = read
            others = np.array([str(value) != read for value in filters], np.bool_)
            drop(others[roles.row_of_draw], f"of another filter than {read!r}")
        if self._joined:
            drop(problem < 0, "not among the problems of --problems")
        drop(problem < 0, "no question and no problem id")
        empty = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), np.bool_)
        if token_ids is not None:
            lengths = pc.fill_null(pc.list_value_length(token_ids), 0).to_numpy()
            empty = empty & (lengths == 0)
        drop(empty, "no completion")
        # A larger value might compress so well that the part is refused when it is read.
        size = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
        drop(size > LONGEST_COMPLETION, f"longer than {LONGEST_COMPLETION:,} bytes")
        drop(np.asarray(not_finished, np.bool_), "the draw was aborted (its finish reason)")
        return keep


def _is_error(value: Any) -> bool:
    # nan, which differs from itself, stands for no value in tables made by pandas.
    return bool(value) and value == value and value not in ("null", "None")

"""Tables of problems: the check that ids are unique, and the differences between two tables."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError

__all__ = ["check_unique", "problem_differences"]


def check_unique(problems: pa.Table) -> None:
    """Checks that there are problems and that each problem_id comes once.

    Raises:
        InvalidInputError: a problem_id comes twice, or there is no problem.
    """
    ids = problems["problem_id"].to_pylist()
    if not ids:
        raise InvalidInputError("problems: expected at least one problem, got none")
    seen: set[str] = set()
    for problem_id in ids:
        if problem_id in seen:
            raise InvalidInputError(f"problems: the problem_id {problem_id!r} comes twice")
        seen.add(problem_id)


def problem_differences(a: pa.Table, b: pa.Table, *, ordered: bool = True) -> list[str]:
    """The differences between two tables of problems, in words.

    Args:
        a: a table of problems.
        b: the other table, with the same columns.
        ordered: whether the order of the problems, and the "index" in their metadata, count. Two
            imports of the same problems may have two orders.

    Returns:
        One message for each column that differs, with the first problem that differs.
    """
    left, right = a["problem_id"].to_pylist(), b["problem_id"].to_pylist()
    if left != right and (ordered or set(left) != set(right)):
        only = sorted(set(left) ^ set(right))
        what = f"problem {only[0]!r} is in one only" if only else "their order differs"
        return [f"{len(left)} and {len(right)} problems: {what}"]
    if left != right:
        b = b.take(pc.index_in(a["problem_id"], b["problem_id"].combine_chunks()))
    found = []
    for column in a.column_names[1:]:
        if a[column].equals(b[column]):
            continue
        for row, (x, y) in enumerate(
            zip(a[column].to_pylist(), b[column].to_pylist(), strict=True)
        ):
            if x != y and (
                ordered or column != "metadata" or _without_index(x) != _without_index(y)
            ):
                found.append(f"{column} of problem {left[row]!r}: {_short(x)} and {_short(y)}")
                break
    return found


def _without_index(metadata: str) -> Any:
    value = json.loads(metadata)
    return {k: v for k, v in value.items() if k != "index"} if isinstance(value, dict) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Tables of problems: each once, and what tells two of them apart."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError

__all__ = ["check_unique", "problem_differences"]


def check_unique(problems: pa.Table) -> None:
    """Raises InvalidInputError where a problem comes twice, or there is none."""
    ids = problems["problem_id"].to_pylist()
    if not ids:
        raise InvalidInputError("problems: expected at least one problem, got none")
    seen: set[str] = set()
    for problem_id in ids:
        if problem_id in seen:
            raise InvalidInputError(f"problems: the problem_id {problem_id!r} comes twice")
        seen.add(problem_id)


def problem_differences(a: pa.Table, b: pa.Table, *, ordered: bool = True) -> list[str]:
    """What differs between two tables of problems, in words; the first differing problem each.

    Without `ordered` neither their order nor the "index" of their metadata counts: completions of
    two models may have been written in two orders.
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
            if x != y and (ordered or column != "metadata" or _placeless(x) != _placeless(y)):
                found.append(f"{column} of problem {left[row]!r}: {_short(x)} and {_short(y)}")
                break
    return found


def _placeless(metadata: str) -> Any:
    value = json.loads(metadata)
    return {k: v for k, v in value.items() if k != "index"} if isinstance(value, dict) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

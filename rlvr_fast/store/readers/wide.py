"""One column for each draw: `r1_solution_1` to `r1_solution_3` of DeepMath, `response_0`, ..."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.naming import names_of, plain_name
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile
from rlvr_fast.store.readers.row_roles import roles_beside

__all__ = ["READER"]

_NUMBERED = re.compile(r"(?P<name>.*?)[_\-\s]?\(?(?P<number>\d{1,5})\)?")
_COMPLETIONS = frozenset(names_of("completion")) | {"r1_solution", "sample", "try", "attempt"}
_BESIDE = ("verdict", "reward", "finish_reason", "token_ids", "logprobs", "reasoning")


def _numbered(keys: Collection[str], names: Collection[str]) -> dict[int, str]:
    """Number to key, for keys such as `response_3` with one of these names."""
    found: dict[str, dict[int, str]] = {}
    for key in keys:
        parts = _NUMBERED.fullmatch(key)
        if parts and plain_name(parts["name"]) in names:
            found.setdefault(plain_name(parts["name"]), {})[int(parts["number"])] = key
    return max(found.values(), key=len, default={})


def _draws(row: Mapping[str, Any]) -> dict[int, str]:
    texts = [key for key, value in row.items() if isinstance(key, str) and isinstance(value, str)]
    return _numbered(texts, _COMPLETIONS)


def _matches(sample: Sample) -> bool:
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    return any(len(_draws(row)) > 1 and "question" in roles_beside(row) for row in rows)


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    draws = _draws(row)
    keys = [key for key in row if isinstance(key, str)]
    of_draw = {role: _numbered(keys, names_of(role)) for role in _BESIDE}
    used = {key for columns in (draws, *of_draw.values()) for key in columns.values()}
    # A value for the whole row is a mean over its draws.
    beside = {
        role: value
        for role, value in roles_beside(row, taken=used).items()
        if role not in _BESIDE or role == "finish_reason"
    }
    for number, key in sorted(draws.items()):
        judged = {role: row[keys[number]] for role, keys in of_draw.items() if number in keys}
        yield {**beside, **judged, "completion": row[key], "sample_index": number - min(draws)}


def _about(sample: Sample) -> About:
    columns: dict[int, str] = {}
    for row in sample.rows:
        if isinstance(row, Mapping):
            columns.update(_draws(row))
    names = ", ".join(columns[number] for number in sorted(columns))
    return About(notes=[f"each of the columns {names} holds one draw"])


READER = Reader(
    name="wide",
    help="one column a draw: r1_solution_1..3 of DeepMath, response_0, response_1, ...",
    matches=_matches,
    fields={"completion": "a column for each draw", "sample_index": "the number of the column"},
    rows=_rows,
    about=_about,
)

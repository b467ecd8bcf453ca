"""The roles of the fields beside a nested completion, by their usual names, row by row."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import Any

from rlvr_fast.store.readers.naming import FITS, NAMES, plain_name
from rlvr_fast.store.readers.reader import ROLES, value_at

__all__ = ["roles_beside"]

# Names that may number the rows say nothing certain here: the question identifies the problem.
_FIRST_TIER = ("problem_id",)
# Names of a run rather than of a draw: one value for many draws.
_OF_A_RUN = frozenset(
    ["epoch", "trial", "attempt", "repeat", "run", "run_id", "run_index", "replica", "sample"]
)
# Names of numbers, which are a verdict only where they hold true or false.
_NUMBERS = NAMES["verdict"][-1].split()
_DOTTED = (
    "reward_model.ground_truth",
    "extra_info.question",
    "extra_info.answer",
    "meta_info.finish_reason.type",
)


def roles_beside(
    row: Mapping[str, Any], taken: Collection[str] = (), roles: Collection[str] | None = None
) -> dict[str, Any]:
    """Role to value, for the fields of a row that have usual names.

    Other short fields stay under their own names, so that the user can name one as the verdict.

    Args:
        row: the row.
        taken: keys of the row that mean something else.
        roles: the roles wanted; None is all but the completion.
    """
    keys = tuple(key for key in row if isinstance(key, str))
    found = {}
    used = set(taken)
    for role, path in _candidates(keys):
        if role in found or path in used or (roles is not None and role not in roles):
            continue
        value = value_at(row, path)
        if value is None or value == "" or not _fits(role, value):
            continue
        if role == "verdict" and plain_name(path) in _NUMBERS and not isinstance(value, bool):
            continue
        found[role] = value
        used.add(path)
    for key in keys if roles is None else ():
        if key not in ROLES and key not in used and _is_short(row[key]):
            found[key] = row[key]
    return found


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 200)


def _fits(role: str, value: Any) -> bool:
    return FITS[role](value) if isinstance(value, str | int | float | list | dict) else False


@functools.lru_cache(maxsize=256)
def _candidates(keys: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    paths = {plain_name(key): key for key in reversed(keys)}
    paths.update((name, name) for name in _DOTTED if name.partition(".")[0] in keys)
    return tuple(
        (role, paths[name])
        for role in NAMES
        if role != "completion"
        for names in (NAMES[role][:1] if role in _FIRST_TIER else NAMES[role])
        for name in names.split()
        if name in paths and not (role == "sample_index" and name in _OF_A_RUN)
    )

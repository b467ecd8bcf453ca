"""The fields of given rows, by the usual names of a role and the values that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.naming import FITS, plain_name
from rlvr_fast.store.readers.reader import MISSING, value_at

__all__ = ["RowFields"]

# Roles that may stand inside an object of a row under a usual name, as in `metadata.answer`.
_INSIDE = ("question", "gold", "problem_id", "sample_index", "verdict", "finish_reason")
# Roles whose values decide little: a row of another kind does not rule a field out.
_LENIENT = ("completion", "question", "gold", "finish_reason", "model")


class RowFields:
    """The fields of rows: found by their usual names, and taken once for a role.

    `resolve_roles` decides which of the fields that fit a role is taken.
    """

    def __init__(self, rows: list[Mapping[str, Any]], given: Mapping[str, str], where: str) -> None:
        self._rows = rows
        self._given = dict(given)
        self._where = where
        self._columns: dict[str, str | tuple[str, ...]] = dict(given)
        # A verdict may be a comparison of any field, which keeps its own role.
        self._used = {path for role, path in given.items() if role != "verdict"}
        self._notes: list[str] = []
        self._paths: dict[str, str] = {}
        # The paths one level inside a row, by their last part.
        self._inside: dict[str, str] = {}
        for path in self._all_paths():
            names = [plain_name(part) for part in path.split(".")]
            self._paths.setdefault(".".join(names), path)
            if len(names) == 2:
                self._inside.setdefault(names[1], path)

    def _all_paths(self) -> Iterator[str]:
        # Names in full come first, so that a field of another spelling never hides one.
        for row in self._rows:
            for key, value in row.items():
                if not isinstance(key, str):
                    continue
                yield key
                if isinstance(value, Mapping):
                    for inner, deeper in value.items():
                        yield f"{key}.{inner}"
                        if isinstance(deeper, Mapping):
                            yield from (f"{key}.{inner}.{last}" for last in deeper)

    def _values(self, path: str) -> list[Any]:
        """The value of each row; None where a row does not have it."""
        values = [value_at(row, path) for row in self._rows]
        return [None if v is MISSING or v == "" or v != v else v for v in values]

    def _present(self, role: str, names: str) -> list[str]:
        """The paths of these names whose values fit the role, without those already taken."""
        found = self._fitting(role, names, self._paths)
        if not found and role in _INSIDE:
            found = self._fitting(role, names, self._inside)
        return found

    def _fitting(self, role: str, names: str, paths: Mapping[str, str]) -> list[str]:
        found: list[str] = []
        for name in names.split():
            path = paths.get(name)
            if path is None or path in self._used or path in found:
                continue
            values = [v for v in self._values(path) if v is not None]
            fitting = sum(map(FITS[role], values))
            if fitting and (
                fitting == len(values) or (role in _LENIENT and 2 * fitting > len(values))
            ):
                found.append(path)
        return found

    def _take(self, role: str, path: str | tuple[str, ...]) -> None:
        self._columns[role] = path
        self._used.update((path,) if isinstance(path, str) else path)

    def _of_role(self, role: str) -> list[Any]:
        paths = self._columns.get(role, ())
        columns = [self._values(p) for p in ((paths,) if isinstance(paths, str) else paths)]
        return [
            next((v for v in row if v is not None), None) for row in zip(*columns, strict=True)
        ] or [None] * len(self._rows)

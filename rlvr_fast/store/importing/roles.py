"""From a batch of rows to one column for each role, one value for each row or draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.columns import Column, coalesce, is_null, values_for_draws
from rlvr_fast.store.importing.detection import Recognised
from rlvr_fast.store.readers.batch import Batch
from rlvr_fast.store.readers.reader import MISSING, ROLES, Reader, value_at
from rlvr_fast.store.rollouts.completions import draws_per_row

__all__ = ["RoleBatch", "RoleReader"]

# The most draws, and about the most bytes of text, that are made into columns at a time.
_PIECE_DRAWS = 20_000
_PIECE_BYTES = 32 << 20
_HEAD = 100
# Roles that a reader may give besides: which of several copies of a completion a row is, and which
# request it answers.
_EXTRA = ("filter", "request_id")
# Roles with a value for each draw; the others belong to the problem.
_OF_DRAWS = (
    "reasoning",
    "sample_index",
    "token_ids",
    "finish_reason",
    "verdict",
    "reward",
    "logprobs",
    "reference_logprobs",
    "seed",
    "error",
    "judged",
)


@dataclass(slots=True)
class RoleBatch:
    """The roles of a batch.

    Attributes:
        numbers: the row number of each row, from 1.
        of_rows: role to column over rows.
        row_of_draw: for each draw, its row.
        of_draws: role to column over draws; "completion" is always there.
        faults: (row number, reason) of rows that cannot be read; they have no draws.
    """

    numbers: npt.NDArray[np.int64]
    of_rows: dict[str, Column] = field(default_factory=dict)
    row_of_draw: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    of_draws: dict[str, Column] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def pieces(self) -> Iterator[RoleBatch]:
        """The draws in pieces of limited size: one row may hold any number of draws."""
        draws = len(self.row_of_draw)
        texts = self.of_draws["completion"]
        if isinstance(texts, list):
            head = texts[:_HEAD]
            mean = sum(len(text) for text in head if isinstance(text, str)) / max(len(head), 1)
        else:
            mean = texts.nbytes / max(draws, 1)
        step = max(1, min(_PIECE_DRAWS, int(_PIECE_BYTES / max(mean, 1.0))))
        if step >= draws:
            yield self
            return
        for start in range(0, draws, step):
            piece = slice(start, start + step)
            of_draws = {role: column[piece] for role, column in self.of_draws.items()}
            yield RoleBatch(self.numbers, self.of_rows, self.row_of_draw[piece], of_draws)


class RoleReader:
    """Reads the roles of the batches of one file."""

    def __init__(
        self, recognised: Recognised, given: Mapping[str, object], judged: str | None
    ) -> None:
        """Sets up the paths of the roles.

        Args:
            recognised: the file and its reader.
            given: role to the path that the user gives, None to leave the role out.
            judged: path of a field outside the layout that holds the verdict, if any.
        """
        self._known = recognised
        self._given = {k: None if v is None else str(v) for k, v in given.items()}
        if judged is not None:
            self._given["judged"] = judged
        self._checked: set[str] = set()
        self.fields: dict[str, str] = {}

    def read(self, batch: Batch) -> RoleBatch:
        """The roles of a batch.

        Raises:
            InvalidInputError: a path that the user gives is in no row, or no row has a completion.
        """
        numbers = np.asarray(batch.numbers, np.int64)
        faults = list(batch.faults)
        if self._known.reader.rows is None:
            columns = self._by_fields(batch)
        else:
            columns, origin = self._by_rows(batch, numbers, faults)
            numbers = numbers[origin]
        for role, value in self._known.about.roles.items():
            if role not in columns:
                columns[role] = [value] * len(numbers)
        if "completion" not in columns:
            if "token_ids" not in columns:
                if not len(numbers):
                    return RoleBatch(numbers, faults=faults)
                keys = ", ".join(sorted(map(str, self._known.sample.keys))) or "no keys"
                raise InvalidInputError(
                    f"{batch.file.name}: no field of the layout {self._known.reader.name} holds "
                    f"completions; the rows have: {keys}. Name the field with --field "
                    "completion=PATH, or leave --format out to have the layout recognised"
                )
            columns["completion"] = [None] * len(numbers)
        return _split(numbers, columns, faults)

    def _by_fields(self, batch: Batch) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for role, paths in self._known.fields.items():
            if role in self._given:
                continue
            found: list[Column] = []
            for path in (paths,) if isinstance(paths, str) else paths:
                column = batch.column(path)
                if column is None or is_null(column).all():
                    continue
                found.append(column)
                self.fields.setdefault(role, path)
                if not is_null(column).any():
                    break
            if found:
                columns[role] = coalesce(found)
        for role, given in self._given.items():
            if given is None:
                continue
            named = batch.column(given)
            if named is not None:
                columns[role] = named
                self.fields[role] = given
            self._check_present(role, given, named is not None)
        return columns

    def _by_rows(
        self, batch: Batch, numbers: npt.NDArray[np.int64], faults: list[tuple[int, str]]
    ) -> tuple[dict[str, Column], npt.NDArray[np.int64]]:
        reader = self._known.reader
        assert reader.rows is not None
        rollouts: list[Mapping[str, Any]] = []
        origin: list[int] = []
        rows = batch.rows()
        for place, row in enumerate(rows):
            try:
                made = list(reader.rows(row, batch.file))
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                faults.append((int(numbers[place]), f"not a row of the layout {reader.name}"))
                continue
            if not made:
                faults.append((int(numbers[place]), "no completion"))
            rollouts += made
            origin += [place] * len(made)
        names = {name for rollout in rollouts for name in rollout}
        columns: dict[str, Column] = {}
        for role in (*ROLES, *_EXTRA):
            if role in names and role not in self._given:
                columns[role] = [rollout.get(role, MISSING) for rollout in rollouts]
                self.fields.setdefault(role, _described(reader, role))
        for role, given in self._given.items():
            if given is None:
                continue
            values = [value_at(rows[place], given) for place in origin]
            if all(value is MISSING for value in values):
                # A field of a draw that the reader has found inside the row.
                values = [value_at(rollout, given) for rollout in rollouts]
            present = any(value is not MISSING for value in values)
            if present:
                columns[role] = values
                self.fields[role] = given
            self._check_present(role, given, present)
        return columns, np.asarray(origin, np.int64)

    def _check_present(self, role: str, path: str, present: bool) -> None:
        if role in self._checked:
            return
        self._checked.add(role)
        if present or self._known.sample.has(path):
            return
        flag = "--verdict" if role == "judged" else f"--field {role}={path}"
        keys = ", ".join(sorted(map(str, self._known.sample.keys))) or "no keys"
        raise InvalidInputError(
            f"{self._known.file.name}: {flag}: no row has a field {path!r}; the rows have: {keys}"
        )


def _described(reader: Reader, role: str) -> str:
    """The field that a reader of nested rows takes a role from."""
    paths = reader.fields.get(role)
    if paths is None:
        return f"as {reader.name} writes it"
    return paths if isinstance(paths, str) else " or ".join(paths)


def _split(
    numbers: npt.NDArray[np.int64], columns: dict[str, Column], faults: list[tuple[int, str]]
) -> RoleBatch:
    """The columns over rows, and those over draws."""
    repeats, texts = draws_per_row(columns.pop("completion"))
    of_rows = {role: column for role, column in columns.items() if role not in _OF_DRAWS}
    of_draws = {role: column for role, column in columns.items() if role in _OF_DRAWS}
    if repeats is None:
        row_of_draw = np.arange(len(numbers), dtype=np.int64)
    else:
        repeats = np.asarray(repeats, np.int64)
        row_of_draw = np.repeat(np.arange(len(numbers), dtype=np.int64), repeats)
        bad: dict[int, str] = {}
        for role, column in of_draws.items():

            def fault(row: int, why: str, role: str = role) -> None:
                bad.setdefault(row, f"{role.replace('_', ' ')}: {why}")

            of_draws[role] = values_for_draws(column, repeats, fault=fault)
        for row in np.flatnonzero(repeats == 0).tolist():
            bad.setdefault(row, "no completion")
        faults += [(int(numbers[row]), why) for row, why in bad.items()]
        if bad:
            keep = ~np.isin(row_of_draw, np.fromiter(bad, np.int64, len(bad)))
            of_draws = {role: _filtered(column, keep) for role, column in of_draws.items()}
            texts = _filtered(texts, keep)
            row_of_draw = row_of_draw[keep]
    of_draws["completion"] = texts
    return RoleBatch(numbers, of_rows, row_of_draw, of_draws, faults)


def _filtered(column: Column, keep: npt.NDArray[np.bool_]) -> Column:
    if isinstance(column, list):
        return [value for value, kept in zip(column, keep.tolist(), strict=True) if kept]
    import pyarrow as pa

    return column.filter(pa.array(keep))

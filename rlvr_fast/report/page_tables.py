"""How the page shows a table: columns that belong together in one cell, and the room they need."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from rlvr_fast.report.table import Column, Table, cell_text
from rlvr_fast.shown_text import visible

__all__ = ["MANY_COLUMNS", "Shown", "ems", "runs", "shown"]

# Tables of more columns than this are set closer.
MANY_COLUMNS = 11

# Widths in units of the font's size, as the widest of the usual system fonts has them.
_PER_CHARACTER = 0.64
_PER_BOLD_CHARACTER = 0.7
_BOLD_ROWS = ("overall", "domain")
_PADDING, _CLOSE_PADDING = 1.2, 0.7
_WIDEST_TEXT, _CLOSE_TEXT = 17.0, 12.0
_BAR = 14.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One column of the page: a column of the table, with the limits that stand in its cells.

    Attributes:
        column: the column.
        low: key of the lower limit; "" for none.
        high: key of the upper limit; "" for none.
    """

    column: Column
    low: str = ""
    high: str = ""

    def value(self, row: dict[str, Any]) -> str:
        """The value as it is printed: a lower limit alone as "≥ x", not as an estimate."""
        value, low, high = (row.get(key) if key else None for key in self._keys)
        if _finite(low) and value == low and not _finite(high):
            return cell_text(low, "at least")
        return cell_text(value, self.column.kind)

    def limits(self, row: dict[str, Any]) -> str:
        """The interval of the value as it is printed; "" where there is none."""
        value, low, high = (row.get(key) if key else None for key in self._keys)
        if not (_finite(low) or _finite(high)) or _missing(value):
            return ""
        if value == low and not _finite(high):
            return ""
        kind = self.column.kind
        return f"{cell_text(low, kind)} to {cell_text(high, kind)}"

    def cell(self, row: dict[str, Any], limit: int = 600) -> Markup:
        """The contents of a cell, its text cut to `limit` characters."""
        value = row.get(self.column.key)
        text = Markup("RL") if value == "rl" else escape(visible(self.value(row), limit))
        limits = self.limits(row) if self.low else ""
        return text + Markup(' <span class="ci">{}</span>').format(limits) if limits else text

    @property
    def _keys(self) -> tuple[str, str, str]:
        return self.column.key, self.low, self.high


def shown(table: Table, skip: Collection[str] = ()) -> list[Shown]:
    """The columns of a table on the page; an interval stands in the cell of its estimate.

    A pair of columns with the titles "low" and "high" is the interval of the column before.

    Args:
        table: the table.
        skip: keys of columns that the page leaves out.
    """
    columns = [c for c in table.columns if c.key not in skip]
    out: list[Shown] = []
    at = 0
    while at < len(columns):
        following = [c.title for c in columns[at + 1 : at + 3]]
        if following == ["low", "high"]:
            out.append(Shown(columns[at], columns[at + 1].key, columns[at + 2].key))
            at += 3
        else:
            out.append(Shown(columns[at]))
            at += 1
    return out


def runs(rows: Sequence[dict[str, Any]], key: str) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Rows that follow each other with one value of `key`: (the value, the rows)."""
    return [(value, list(some)) for value, some in groupby(rows, key=lambda row: row.get(key))]


def ems(columns: Sequence[Shown], table: Table, bar: bool = False) -> float:
    """The width that a table needs, in units of its font size.

    Args:
        columns: as `shown` gives them.
        table: the table.
        bar: whether a column of bars follows.
    """
    total = _BAR if bar else 0.0
    close = len(columns) > MANY_COLUMNS
    padding, widest = (_CLOSE_PADDING, _CLOSE_TEXT) if close else (_PADDING, _WIDEST_TEXT)
    for one in columns:
        words = [0.92 * _PER_BOLD_CHARACTER * len(word) for word in one.column.title.split()]
        width = max([1.0, *words, *(_cell_ems(one, row) for row in table.rows)])
        total += padding + (min(width, widest) if one.column.kind == "text" else width)
    return math.ceil(10 * total) / 10


def _cell_ems(one: Shown, row: dict[str, Any]) -> float:
    bold = row.get("kind") in _BOLD_ROWS
    value = (_PER_BOLD_CHARACTER if bold else _PER_CHARACTER) * len(one.value(row))
    return max(value, 0.85 * _PER_CHARACTER * len(one.limits(row)))


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))

"""The numbers of results as trackers take them: groups of finite numbers by name, with a step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Logged", "report_numbers", "table_numbers"]

# The counts and ratios of a report that stand under "overall" of its summary.
_LABELS = ("preserved", "expanded", "shrunk", "out", "undetermined", "srr", "ndr", "sds", "nscr")


class Logged(NamedTuple):
    """The arguments of one `Tracker.log`."""

    group: str
    numbers: dict[str, float]
    step: int


def report_numbers(summary: Mapping[str, Any]) -> Iterator[Logged]:
    """The headline of a report: support, pass@k of both models with k as the step, entropies.

    Args:
        summary: the object of summary.json.
    """
    overall = summary.get("overall") or {}
    yield from _some("support", {name: overall.get(name) for name in _LABELS}, 0)
    curves: Mapping[str, Mapping[str, Any]] = summary.get("pass_at_k") or {}
    depths = {int(k) for curve in curves.values() for k in curve}
    for k in sorted(depths):
        yield from _some("pass_at_k", {who: curve.get(str(k)) for who, curve in curves.items()}, k)
    entropy: Mapping[str, Mapping[str, Any]] = summary.get("entropy") or {}
    values = {f"{name}/{who}": v for who, each in entropy.items() for name, v in each.items()}
    yield from _some("entropy", values, 0)


def table_numbers(group: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Logged]:
    """The numbers of the rows of a table, with the number of the row as the step."""
    for step, row in enumerate(rows):
        yield from _some(group, row, step)


def _some(group: str, values: Mapping[str, Any], step: int) -> Iterator[Logged]:
    """The values that are finite numbers, unless there is none."""
    numbers = {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    if numbers:
        yield Logged(group, numbers, step)

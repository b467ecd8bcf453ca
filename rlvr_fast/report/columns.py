"""Columns and cells that the tables of several sections share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rlvr_fast.metrics import SupportShift
from rlvr_fast.report.comparison import Group
from rlvr_fast.report.depth import DepthShift
from rlvr_fast.report.problems import FloatArray
from rlvr_fast.report.table import Column
from rlvr_fast.vocabulary import Rule

__all__ = [
    "GROUP",
    "LEVEL",
    "RATIOS",
    "SHIFT",
    "group_cells",
    "known_mean",
    "known_sum",
    "ratio",
    "rule_text",
    "shift_cells",
    "shift_columns",
    "shown_counts",
]

# The confidence of every interval.
LEVEL = 0.95

GROUP = (Column("kind", "level"), Column("group", "group"))

SHIFT = (
    Column("problems", "N", "count", "problems"),
    Column("preserved", "P", "count", "preserved: reached by both models"),
    Column("shrunk", "S", "count", "shrunk: reached by the base model only"),
    Column("expanded", "E", "count", "expanded: reached by the RL model only"),
    Column("out", "O", "count", "out of support: reached by neither model"),
    Column("undetermined", "?", "count", "undetermined: the samples do not decide"),
    Column("srr", "SRR", "share", "support retention rate, P/(P+S)"),
    Column("ndr", "NDR", "share", "net discovery rate, E/(P+E)"),
    Column("sds", "SDS", "share", "support dynamic score, harmonic mean of SRR and NDR"),
    Column("nscr", "NSCR", "signed", "net support change rate, (E−S)/(P+E+S)"),
)
RATIOS = ("srr", "ndr", "sds", "nscr")


def shift_columns(whole: bool) -> tuple[Column, ...]:
    """The columns `SHIFT`, for whole counts or for expected ones, which have a decimal."""
    regions = {column.key for column in SHIFT[1:5]}
    return tuple(c if whole or c.key not in regions else replace(c, kind="length") for c in SHIFT)


def rule_text(rule: Rule, zeta: float, epsilon: float | None = None) -> str:
    """The rule in words, for captions.

    Args:
        rule: the rule.
        zeta: the rule "epsilon" decides with confidence 1 - zeta.
        epsilon: the threshold; None where each problem has its own.
    """
    if rule == "seen":
        return "reached = at least one correct draw"
    threshold = "−ln(" + f"{zeta:g})/n" if epsilon is None else f"{epsilon:.3g}"
    return f"reached = correct mass above ε = {threshold} with {1 - zeta:.0%} confidence"


def group_cells(group: Group) -> dict[str, Any]:
    """The cells of the columns `GROUP`."""
    return {"kind": group.kind, "group": group.name}


def shift_cells(shift: SupportShift | DepthShift) -> dict[str, Any]:
    """The cells of the columns `SHIFT`: counts and the four ratios."""
    return shift.as_dict()


def shown_counts(cells: dict[str, Any]) -> dict[str, Any]:
    """The cells of the columns `SHIFT` with expected numbers rounded to the decimal they show."""
    regions = {column.key for column in SHIFT[1:5]}
    return {
        key: round(value, 1) if key in regions and isinstance(value, float) else value
        for key, value in cells.items()
    }


def known_mean(values: FloatArray) -> float:
    """Mean of the finite values; nan without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def known_sum(values: FloatArray) -> float:
    """Sum of the finite values; nan where values were given and none is finite."""
    known = values[np.isfinite(values)]
    return float(known.sum()) if known.size or not values.size else float("nan")


def ratio(top: float, bottom: float) -> float:
    """The quotient of two numbers; nan where the bottom is not above 0."""
    return float(top) / float(bottom) if bottom > 0 else float("nan")

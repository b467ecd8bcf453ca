"""Cells that are written column by column are those that each value has alone."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest

from rlvr_fast.report.table import Kind, cell_text, column_texts
from rlvr_fast.report.table_files import csv_column
from rlvr_fast.shown_text import csv_cell

NUMBERS = [0.0, -0.0, 0.0004, -1.5, 12345.678, math.nan, math.inf, -math.inf, 7, -3, None, True]
COLUMNS: list[list[Any]] = [
    [],
    NUMBERS,
    [value for value in NUMBERS if isinstance(value, float)],
    [value for value in NUMBERS if value is not True],
    [np.float64(0.25), np.float64("nan"), 1.0],
]


@pytest.mark.parametrize("values", COLUMNS)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_column_is_printed_as_its_cells(values: list[Any], kind: Kind) -> None:
    if kind == "at least":
        values = [value for value in values if value is None or value >= 0]
    assert column_texts(values, kind) == [cell_text(value, kind) for value in values]


@pytest.mark.parametrize("values", [*COLUMNS, ["=1", "a", None, "a;=1", "é"], ["-1", 2.0, None]])
def test_a_column_of_csv_is_its_cells(values: list[Any]) -> None:
    assert [repr(v) for v in csv_column(values)] == [repr(csv_cell(v)) for v in values]

"""How values are printed, and how the page puts a table's columns into cells."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pytest

from rlvr_fast.report.page_tables import ems, runs, shown
from rlvr_fast.report.table import Column, Table, cell_text, latex

COLUMNS = (
    Column("kind", "level"),
    Column("group", "group"),
    Column("beta", "β", "decimal"),
    Column("beta_low", "low", "decimal"),
    Column("beta_high", "high", "decimal"),
    Column("limit", "chance", "at least"),
    Column("low", "low", "share"),
)


def table(*rows: dict) -> Table:
    return Table("t", "A table.", COLUMNS, list(rows))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12399, "≥ 0.123"),  # a limit is never rounded above itself
        (0.99999, "≥ 0.999"),
        (0.5, "≥ 0.5"),
        (0.0, "≥ 0"),
        (12.39, "≥ 12.3"),
        (1234.9, "≥ 1,230"),
        (2.0000001e-7, "≥ 2e−07"),
        (1e-310, "≥ 0"),
        (math.nan, "–"),
        (None, "–"),
        (np.float64(0.25), "≥ 0.25"),
    ],
)
def test_a_lower_limit_is_printed_as_one(value: float | None, text: str) -> None:
    assert cell_text(value, "at least") == text


def test_a_lower_limit_does_not_depend_on_the_precision_of_the_caller() -> None:
    with decimal.localcontext(decimal.Context(prec=2)):
        assert cell_text(0.12399, "at least") == "≥ 0.123"


def test_a_lower_limit_never_exceeds_its_value() -> None:
    for value in np.exp(np.random.default_rng(0).uniform(-20, 20, 500)):
        printed = float(cell_text(float(value), "at least")[2:].replace(",", "").replace("−", "-"))
        assert printed <= value
        assert printed >= value * 0.98 or value > 1000


def test_numbers_from_a_thousand_keep_their_digits() -> None:
    assert cell_text(1234.5, "number") == "1,234"
    assert cell_text(0.0123456, "number") == "0.0123"


def test_latex_prints_the_sign() -> None:
    row = {"kind": "overall", "group": "Overall", "limit": 0.25}
    assert r"$\geq$ 0.25" in latex(table(row))


def test_an_interval_stands_in_the_cell_of_its_estimate() -> None:
    columns = shown(table(), skip=("kind",))
    assert [(c.column.key, c.low, c.high) for c in columns] == [
        ("group", "", ""),
        ("beta", "beta_low", "beta_high"),
        ("limit", "", ""),
        ("low", "", ""),
    ]
    beta = columns[1]
    assert beta.cell({"beta": 1.5, "beta_low": -0.25, "beta_high": 2.0}) == (
        '1.50 <span class="ci">−0.25 to 2.00</span>'
    )
    assert beta.cell({"beta": 1.5, "beta_low": math.nan, "beta_high": math.nan}) == "1.50"
    assert beta.cell({"beta": math.nan, "beta_low": 0.1, "beta_high": 0.2}) == "–"
    # A lower limit that stands as its own estimate is no estimate.
    assert beta.cell({"beta": 0.5, "beta_low": 0.5, "beta_high": math.inf}) == "≥ 0.5"
    assert beta.cell({"beta": 0.5, "beta_low": 0.5, "beta_high": None}) == "≥ 0.5"


def test_cells_hold_text_only() -> None:
    group = shown(table(), skip=("kind",))[0]
    assert group.cell({"group": "<b>\u202e&"}) == "&lt;b&gt;⟨U+202E⟩&amp;"
    assert len(group.cell({"group": "x" * 900}, 60)) == 60


def test_the_room_of_a_table_covers_its_longest_cells() -> None:
    row = {"kind": "task", "group": "g", "beta": 1.0, "limit": 0.1, "low": 0.1}
    narrow = table(row)
    wide = table({**row, "beta_low": -1234.0, "beta_high": 1234.0})
    bold = table({**row, "kind": "overall"})
    columns = shown(narrow, skip=("kind",))
    assert ems(columns, wide) > ems(columns, bold) > ems(columns, narrow)
    assert ems(columns, narrow, bar=True) > ems(columns, narrow)


def test_runs_of_rows() -> None:
    rows = [{"kind": "a", "n": 1}, {"kind": "a", "n": 2}, {"kind": "b", "n": 3}, {"n": 4}]
    assert [(kind, [r["n"] for r in some]) for kind, some in runs(rows, "kind")] == [
        ("a", [1, 2]),
        ("b", [3]),
        (None, [4]),
    ]

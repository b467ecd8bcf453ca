"""Every payload in every medium: nothing acts, nothing hides, honest text stays."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import latex_tokens
import numpy as np
import pytest
from payloads import PAYLOADS, hidden_in

from rlvr_fast import shown_text
from rlvr_fast.report import charts, figures
from rlvr_fast.report.arms import arm_folder
from rlvr_fast.report.table import Column, Table, latex, write_tables

HONEST = [
    "What is 3 + 4?", "x = -5", "naïve café", "题目一", "(1, -2); y", "a/b_c-d.e",
    "\u05d0\u05d1 \u0627\u0644", "👨\u200d👩\u200d👧", "می\u200cخواهم", "50 % & more",
    "ε ≤ 0.1 — “x”", "नमस्ते", "สวัสดีครับ", "שָׁלוֹם", "e\u0301 =\u0338", "❤\ufe0f 1\ufe0f\u20e3 ©\ufe0f",
]  # fmt: skip
every_payload = pytest.mark.parametrize("name", PAYLOADS)


@every_payload
def test_terminal(name: str) -> None:
    for lines in (True, False):
        shown = shown_text.terminal(PAYLOADS[name], lines=lines)
        assert not hidden_in(shown, lines="\n\t" if lines else "")
        shown.encode()


@every_payload
def test_json(name: str) -> None:
    value = {PAYLOADS[name]: [PAYLOADS[name], {"number": 1.5, "none": float("nan")}]}
    text = shown_text.json_text(value, indent=1)
    assert not hidden_in(text)
    text.encode()
    assert json.loads(text) == {PAYLOADS[name]: [PAYLOADS[name], {"number": 1.5, "none": None}]}


@every_payload
def test_json_in_a_script_element(name: str) -> None:
    text = shown_text.script_json({PAYLOADS[name]: PAYLOADS[name]})
    assert text.isascii()
    assert not re.search(r"[<>&\x00-\x1f\x7f]", text)
    assert json.loads(text) == {PAYLOADS[name]: PAYLOADS[name]}


@every_payload
@pytest.mark.parametrize("draw", ["svg of the page", "attribute"])
def test_svg(name: str, draw: str) -> None:
    payload = PAYLOADS[name]
    if draw == "attribute":
        text = f"<svg title=\"{shown_text.svg(payload)}\" other='{shown_text.svg(payload)}'/>"
    else:
        one = np.array([0.5, 0.6])
        text = str(charts.pass_chart(np.array([1, 2]), one, one, name=payload, bands={}))
    found = ElementTree.fromstring(text)
    assert [element.tag for element in found.iter() if element.tag == "script"] == []
    assert not hidden_in(text)
    text.encode()


def test_svg_of_every_chart() -> None:
    joined = " ".join(PAYLOADS.values())
    ones = np.array([0.5, 0.6])
    for svg in (
        charts.cover_chart(ones, ones, ones, name=joined),
        charts.cost_chart(np.array([1.0, 2.0]), ones, ones, name=joined),
        charts.taxonomy_chart(ones, ones, ["preserved", "out"], [0, 1], [joined, joined], depth=8),
    ):
        ElementTree.fromstring(str(svg))
        assert not hidden_in(str(svg))


@pytest.mark.slow
def test_figures(tmp_path: Path) -> None:
    """All payloads as titles, labels and ticks of one figure; every format is written."""

    def draw() -> object:
        figure, axes = figures.panel_grid([None] * 12)  # type: ignore[list-item]
        names = [figures.plain_name(text) for text in PAYLOADS.values()]
        for axis, title in zip(axes, names, strict=False):
            axis.set_title(title)
        axes[0].set_xticks(range(len(names)), names)
        axes[1].set_yticks(range(len(names)), names)
        axes[2].set_xlabel(names[-1])
        for at, text in enumerate(names):
            axes[3].text(0, at, text)
        return figure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font does not have, crowded axes
        written = figures.write_figures({"all": draw}, tmp_path)
    assert len(written) == 3
    text = (tmp_path / "all.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert not hidden_in(text)
    # Dollars are printed, and start no mathematics.
    assert "$\\frac{1}{0}$ $x" in text


def table(name: str, **more: str) -> Table:
    columns = (Column("text", more.get("title", "text")), Column("number", "n", "number"))
    rows = [{"text": PAYLOADS[name], "number": -1.5}, {"text": "plain", "number": 2.0}]
    return Table("t", more.get("caption", "A caption."), columns, rows)


@every_payload
@pytest.mark.parametrize("place", ["first cell", "caption", "title"])
def test_latex(name: str, place: str) -> None:
    payload = PAYLOADS[name]
    text = latex(table(name, **({place: payload} if place != "first cell" else {})))
    assert latex_tokens.control_sequences(text) <= latex_tokens.OWN
    assert not hidden_in(text, lines="\n")
    assert [len(row) for row in latex_tokens.rows(text)] == [2, 2]
    text.encode()


@every_payload
def test_csv(name: str, tmp_path: Path) -> None:
    write_tables([table(name)], tmp_path)
    text = (tmp_path / "t.csv").read_text("utf-8")
    assert not hidden_in(text, lines="\n\r\t")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [2, 2, 2]
    assert float(rows[1][1]) == -1.5
    # A spreadsheet of a country with semicolons, one that splits at tabs, and one that has lost
    # count of the quotation marks.
    cells = [cell for row in rows for cell in row]
    for delimiter in ";\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            split = csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting)
            cells += [cell for row in split for cell in row]
    numbers = ("-1.5",)
    for cell in cells:
        start = cell.lstrip(" \"'\u3000") if cell[:1] != "'" else cell
        assert not start.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d")) or (
            start in numbers
        ), cell


@every_payload
@pytest.mark.parametrize("make", [shown_text.file_name, arm_folder])
def test_file_names(name: str, make: Callable[[str], str], tmp_path: Path) -> None:
    made = make(PAYLOADS[name])
    assert made
    assert made.strip(".- ") != ""
    assert len(made.encode()) <= 120
    assert not set(made) & set('/\\\x00:*?"<>|')
    assert not hidden_in(made, lines="")
    assert made.lower() not in ("nul", "con", "prn", "aux")
    (tmp_path / made).mkdir()
    assert (tmp_path / made).parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [made]


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_stays(text: str) -> None:
    assert shown_text.terminal(text) == text
    assert shown_text.visible(text) == text
    assert shown_text.visible(text, lines=False) == text
    assert json.loads(shown_text.json_text([text])) == [text]
    assert text in shown_text.json_text([text])
    assert shown_text.csv_cell(text) == text


def test_stored_json_is_text() -> None:
    """A reader refuses halves of surrogate pairs; the names of files may hold them."""
    text = shown_text.json_text({"name\udcff": "a\ud800\U000e0041\x9b"}, stored=True)
    assert json.loads(text) == {"name\ufffd": "a\ufffd\U000e0041\x9b"}
    assert not hidden_in(text)


def test_numbers_stay_numbers() -> None:
    assert [shown_text.csv_cell(value) for value in (-1, -0.5, True, None)] == [
        -1,
        -0.5,
        True,
        None,
    ]


@pytest.mark.parametrize("text", ["\n", "\t ", ";", "\"'\n"])
def test_a_cell_of_blanks_is_read_once(text: str) -> None:
    """A pattern that reads them again from each blank on would take hours."""
    long = text * 500_000
    assert shown_text.csv_cell(f"{long}=1").rstrip("=1 ").endswith("'")
    assert shown_text.csv_cell(f"a{long}b").startswith("a")


def test_no_line_of_latex_is_too_long() -> None:
    long = "x" * 300_000
    table = Table("long", long, (Column("a", long),), [{"a": long}])
    assert max(map(len, latex(table).splitlines())) < 20_000


def test_long_text_is_cut() -> None:
    assert len(shown_text.terminal("x" * 10**7, 1000)) < 1100
    assert "9,999,000 more" in shown_text.terminal("x" * 10**7, 1000)
    assert len(shown_text.visible("x" * 10**7, 60)) == 60

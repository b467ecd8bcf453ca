"""Tables as data, and their files: CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from pathlib import Path
from typing import Any, Literal

from rlvr_fast.report.folder import check_folder, write_file
from rlvr_fast.report.table_files import (
    SUFFIXES,
    csv_column,
    is_large,
    suffixes,
    table_json,
    write_large,
)
from rlvr_fast.shown_text import csv_cell, finite
from rlvr_fast.shown_text import latex as latex_escape

__all__ = [
    "Column",
    "Kind",
    "Table",
    "cell_text",
    "column_texts",
    "finite",
    "latex",
    "write_tables",
]

# "at least" is a lower limit: printed as "≥ x", rounded down.
Kind = Literal[
    "text", "count", "share", "signed", "number", "decimal", "length", "p", "range", "at least"
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: of the value in each row.
        title: the heading.
        kind: how a value is printed.
        hint: what the value means, for headings that need more words.
    """

    key: str
    title: str
    kind: Kind = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as data.

    Attributes:
        name: of its files.
        caption: names the level and, where one matters, the rule of the counts.
        columns: in the order of the files.
        rows: one mapping from column keys to values for each row.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[dict[str, Any]]

    def cells(self) -> list[list[str]]:
        """The rows as they are printed."""
        return [list(row) for row in zip(*self.texts(), strict=True)]

    def values(self) -> list[Sequence[Any]]:
        """The values of each column; None for what a row lacks."""
        rows = list(self.rows)
        return [[row.get(c.key) for row in rows] for c in self.columns]

    def texts(self) -> list[list[str]]:
        """The columns as they are printed."""
        return list(map(column_texts, self.values(), (c.kind for c in self.columns)))


def cell_text(value: Any, kind: Kind) -> str:
    """A value as it is printed; an en dash for None and nan."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "–") if value else "–"
    if kind in ("text", "range"):
        return str(value)
    if kind == "count":
        return f"{value:,.0f}"
    if kind == "share":
        return f"{value:.3f}"
    if kind == "signed":
        return f"{value:+.3f}".replace("-", "−")
    if kind == "p":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    if kind == "decimal":
        return (f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−")
    if kind == "length":
        return f"{value:,.1f}"
    if kind == "at least":
        return f"≥ {_number(_rounded_down(value))}"
    return _number(value)


# Of the kinds that most numbers of long tables have: the text of a finite number.
_FINITE_TEXT: dict[Kind, Callable[[Any], str]] = {
    "count": "{:,.0f}".format,
    "share": "{:.3f}".format,
    "signed": lambda value: f"{value:+.3f}".replace("-", "−"),
    "length": "{:,.1f}".format,
}


def column_texts(values: Sequence[Any], kind: Kind) -> list[str]:
    """`cell_text` of each value of a column."""
    text = _FINITE_TEXT.get(kind)
    if text is not None and {*map(type, values)} <= {float, int, type(None)}:
        return [
            text(value) if value is not None and math.isfinite(value) else cell_text(value, kind)
            for value in values
        ]
    return [cell_text(value, kind) for value in values]


def _number(value: float) -> str:
    """Three significant digits, and every digit of a number of 1000 or more."""
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−")


def _rounded_down(value: float) -> float:
    """The largest number of three significant digits that is not above a value."""
    if value == 0:
        return 0.0
    digits = 2 - math.floor(math.log10(abs(value)))
    # Exact in decimals, under a context that is not the caller's: a product of floats could round
    # up what it is to round down.
    unit = Decimal((0, (1,), -min(digits, 300)))
    return float(Decimal(value).quantize(unit, ROUND_FLOOR, Context()))


def write_tables(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Writes NAME.csv, NAME.json and NAME.tex for each table; returns their paths.

    A table of very many rows has the one file NAME.csv.gz, see `table_files`.

    Raises:
        RunDirectoryError: `folder` is a run directory, or holds links, pipes or devices.
        OSError: as the file system raises it.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        stem = folder / table.name
        for other in {*SUFFIXES} - {*suffixes(table.rows)}:  # of an earlier report of another size
            stem.with_suffix(other).unlink(missing_ok=True)
        if is_large(table.rows):
            written.append(stem.with_suffix(".csv.gz"))
            write_large([c.key for c in table.columns], table.rows, written[-1])
            continue
        keys = [c.key for c in table.columns]
        columns = table.values()
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([csv_cell(key) for key in keys])
        writer.writerows(zip(*map(csv_column, columns), strict=True))
        write_file(stem.with_suffix(".csv"), text.getvalue())
        plain = [
            dict(zip(keys, row, strict=True))
            for row in zip(*map(_finite_column, columns), strict=True)
        ]
        write_file(stem.with_suffix(".json"), table_json(table.caption, plain) + "\n")
        write_file(stem.with_suffix(".tex"), latex(table))
        written += [stem.with_suffix(s) for s in (".csv", ".json", ".tex")]
    return written


def _finite_column(values: Sequence[Any]) -> Sequence[Any]:
    """`finite` of each cell of a column."""
    kinds = {*map(type, values)}
    if kinds <= {str, int, bool, type(None)}:
        return values
    if kinds == {float}:
        return [value if math.isfinite(value) else None for value in values]
    return [finite(value) for value in values]


# TeX does not read a line of 200,000 characters; the other files hold whole texts.
_CELL_CHARACTERS = 400
# Characters that pdfLaTeX prints without a macro.
_PLAIN_LATEX = re.compile(r"[\x20-\x7e\xa1-\xff‘’“”…\u0100-\u017f]*")


def _escaped(texts: Sequence[str]) -> list[str]:
    # names and short numbers repeat
    known = {text: latex_escape(text, _CELL_CHARACTERS) for text in {*texts}}
    return [known[text] for text in texts]


def latex(table: Table) -> str:
    """A booktabs table; a longtable above 40 rows, which do not fit a page."""
    align = "".join("l" if c.kind == "text" else "r" for c in table.columns)
    head = " & ".join(latex_escape(c.title, _CELL_CHARACTERS) for c in table.columns) + r" \\"
    columns = map(_escaped, table.texts())
    body = [" & ".join(cells) + r" \\" for cells in zip(*columns, strict=True)]
    caption = latex_escape(table.caption, 10 * _CELL_CHARACTERS)
    if len(body) > 40:
        lines = [
            r"\begin{longtable}{" + align + "}",
            r"\caption{" + caption + r"}\\",
            r"\toprule", head, r"\midrule", r"\endhead", *body, r"\bottomrule",
            r"\end{longtable}",
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}", r"\centering", r"\caption{" + caption + "}",
            r"\begin{tabular}{" + align + "}", r"\toprule", head, r"\midrule", *body,
            r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
    needs = "% needs \\usepackage{booktabs,longtable}\n"
    if not _PLAIN_LATEX.fullmatch("".join(lines)):
        needs += "% needs XeLaTeX or LuaLaTeX, for names in other scripts\n"
    return needs + "\n".join(lines) + "\n"

"""Progress bars, tables and errors of the command line."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress

__all__ = [
    "error",
    "flush",
    "note",
    "print_json",
    "print_table",
    "progress_bars",
    "replace_unencodable",
    "result",
]

# Results go to standard output, notes and progress to standard error, so that
# `rlvr-fast ... --json | jq` reads results alone.
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


# What an output that is not UTF-8 shows for these characters; for others, a question mark.
_ASCII = str.maketrans({"−": "-", "–": "-", "’": "'", "“": '"', "”": '"', "∞": "inf", "≈": "~"})


def replace_unencodable() -> None:
    """Has standard output and error write a question mark for a character they cannot encode."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def flush() -> None:
    """Writes what standard output has not written yet; raises OSError where that fails."""
    if sys.stdout is None:  # closed before Python started, as `>&-` does
        return
    try:
        sys.stdout.flush()
    except OSError:
        # Python would write again at exit, and exit with another code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


# Control characters of a file would act on the terminal: they are shown as their escapes. So are
# the marks that reverse the direction of a line.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F))
} | {code: f"\\u{code:04x}" for code in range(0x2066, 0x206A)}


def _shown(text: str, console: Console) -> Text:
    text = text.translate(_CONTROLS)
    # Text, not markup: the name of a task or problem may look like markup.
    return Text(text.translate(_ASCII) if console.options.ascii_only else text)


def note(message: str) -> None:
    """Prints a line for the person at the terminal, on standard error."""
    _err.print(_shown(message, _err), soft_wrap=True)


def result(message: str) -> None:
    """Prints a line of the result."""
    _out.print(_shown(message, _out), soft_wrap=True)


def error(message: str) -> None:
    """Prints the last line before a non-zero exit."""
    _err.print(Text("error: ", style="bold red") + _shown(message, _err), soft_wrap=True)


def print_json(value: Any) -> None:
    """Prints one JSON document; nan and infinities become null."""
    ascii_only = _out.options.ascii_only
    print(json.dumps(_finite(value), indent=2, ensure_ascii=ascii_only, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, heads: int = 1
) -> None:
    """Prints a table whose first column is text and whose others are numbers; nan is a dash.

    Where the terminal is too narrow for the table, the columns go on in further tables below. The
    first `heads` columns stand in each table.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    for i, chosen in enumerate(_columns_that_fit(columns, cells, _out.width, heads)):
        table = Table(
            title=None if i else _shown(title, _out), title_justify="left", header_style="bold"
        )
        for at in chosen:
            justify: Literal["left", "right"] = "right" if at >= heads else "left"
            table.add_column(_shown(columns[at], _out), justify=justify, no_wrap=at > 0)
        for row in cells:
            table.add_row(*(_shown(row[at], _out) for at in chosen))
        _out.print(table)


def _columns_that_fit(
    columns: Sequence[str], cells: Sequence[Sequence[str]], width: int, heads: int
) -> list[list[int]]:
    """The columns of each table: the heads in all of them, the others in order, once each."""
    wide = [
        max(cell_len(text) for text in (column, *(row[at] for row in cells))) + 3
        for at, column in enumerate(columns)
    ]
    first = [*range(min(heads, len(columns)))]
    # The first column may be broken over lines.
    taken = 1 + sum(min(wide[at], width // 3) if at == 0 else wide[at] for at in first)
    parts, used = [[*first]], taken
    for at in range(len(first), len(wide)):
        if used + wide[at] > width and len(parts[-1]) > len(first):
            parts.append([*first])
            used = taken
        parts[-1].append(at)
        used += wide[at]
    return parts


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return "–" if value is None else str(value)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Progress | None]:
    """Yields a callable that draws a bar for each stage, with rate and time left; None if quiet."""
    if quiet:
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s", style="dim")

    bars = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=_err,
        # Lines for a file or a pipe go there, and not above the bars.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )
    known: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if not known:
            bars.start()  # not before: a command that fails at once shows no empty bars
        if stage not in known:
            known[stage] = bars.add_task(stage, total=total or None)
        bars.update(known[stage], completed=done, total=total or None)

    try:
        try:
            yield report
        finally:
            if known:
                bars.stop()
    except KeyboardInterrupt:
        importing = bool(known) and list(known)[-1].startswith("import")
        kept = "nothing of this import" if importing else "what was finished"
        note(f"interrupted; {kept} is kept, run the same command to go on")
        raise

"""What the command line draws: progress bars, tables, errors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress

__all__ = ["error", "note", "print_json", "print_table", "progress_bars"]

# Results go to standard output, everything said on the way to standard error, so that
# `rlvr-fast ... --json | jq` reads results alone.
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def note(message: str) -> None:
    """A line for the person at the terminal."""
    _err.print(Text(message), soft_wrap=True)


def result(message: str) -> None:
    """A line of the result."""
    _out.print(Text(message), soft_wrap=True)


def error(message: str) -> None:
    """The last line before a non-zero exit."""
    _err.print(Text("error: ", style="bold red") + Text(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output; nan and infinities become null."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table whose first column is text and whose others are numbers (nan prints as a dash)."""
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if i == 0 else "right", no_wrap=i > 0)
    for row in rows:
        # Text, not markup: names of tasks and problems are not ours to interpret.
        table.add_row(*(Text(_cell(value)) for value in row))
    _out.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return "–" if value is None else str(value)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Progress | None]:
    """A bar for each stage that reports to the yielded callable, with rate and time left."""
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
    )
    known: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in known:
            known[stage] = bars.add_task(stage, total=total)
        bars.update(known[stage], completed=done, total=total)

    try:
        with bars:
            yield report
    except KeyboardInterrupt:
        note("interrupted; what was finished is kept, run the same command to go on")
        raise

"""Progress bars, tables and errors of the command line."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rlvr_fast.shown_text import json_text, terminal

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress

__all__ = [
    "error",
    "flush",
    "guard_streams",
    "note",
    "print_json",
    "print_table",
    "progress_bars",
    "result",
]

# What an output that is not UTF-8 shows for these characters; for others, a question mark.
_ASCII = str.maketrans({"−": "-", "–": "-", "’": "'", "“": '"', "”": '"', "∞": "inf", "≈": "~"})


class _Shown(io.TextIOBase):
    """A stream on which all text is made safe for a terminal, whoever writes it.

    Warnings, tracebacks and messages of other packages quote the files that they read.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str, /) -> int:
        # A bar of another package begins with the carriage return that goes back to its line.
        start = "\r" if text.startswith("\r") else ""
        self.stream.write(start + terminal(text.removeprefix("\r").replace("\r\n", "\n")))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return int(self.stream.fileno())

    def isatty(self) -> bool:
        return bool(self.stream.isatty())

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self.stream.encoding)  # without one, others write to the stream below

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return "replace"

    def __getattr__(self, name: str) -> Any:
        # With the bytes below, others would write past this stream: click does for ASCII.
        if name in ("buffer", "detach", "raw"):
            raise AttributeError(name)
        return getattr(self.stream, name)


class _Console(Console):
    """A console that prints its own styles past the guard of its stream."""

    @property
    def file(self) -> IO[str]:
        """The stream of the moment."""
        stream: Any = Console.file.fget(self)  # type: ignore[attr-defined]
        found: IO[str] = stream.stream if isinstance(stream, _Shown) else stream
        return found

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._file = stream


# Results go to standard output, notes and progress to standard error, so that
# `rlvr-fast ... --json | jq` reads results alone.
_out = _Console(highlight=False)
_err = _Console(stderr=True, highlight=False)


def guard_streams() -> None:
    """Has everything that is printed pass `shown_text.terminal`, the styles of rich excepted.

    Characters that the encoding of a stream does not have are question marks.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
            setattr(sys, name, _Shown(stream))


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


# A message may quote a file; nobody reads more of it than this.
_MESSAGE_CHARACTERS, _CELL_CHARACTERS = 20_000, 400


def _shown(
    text: str, console: Console, limit: int | None = _MESSAGE_CHARACTERS, *, lines: bool = True
) -> Text:
    text = terminal(text, limit, lines=lines)
    # Text, not markup: the name of a task or problem may look like markup.
    return Text(text.translate(_ASCII) if console.options.ascii_only else text)


def _message(text: str, console: Console) -> Text:
    """A message whose further lines are indented: none of them looks like a message of its own."""
    return _shown(text.rstrip("\n").replace("\n", "\n  "), console)


def note(message: str) -> None:
    """Prints a line for the person at the terminal, on standard error."""
    _err.print(_message(message, _err), soft_wrap=True)


def result(message: str) -> None:
    """Prints a line of the result."""
    _out.print(_message(message, _out), soft_wrap=True)


def error(message: str) -> None:
    """Prints the last line before a non-zero exit."""
    _err.print(Text("error: ", style="bold red") + _message(message, _err), soft_wrap=True)


def print_json(value: Any) -> None:
    """Prints one JSON document; nan and infinities become null."""
    print(json_text(value, indent=2, ascii_only=_out.options.ascii_only))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, heads: int = 1
) -> None:
    """Prints a table whose first column is text and whose others are numbers; nan is a dash.

    Where the terminal is too narrow for the table, the columns go on in further tables below. The
    first `heads` columns stand in each table.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    columns = [_cell(column) for column in columns]
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
    return "–" if value is None else terminal(str(value), _CELL_CHARACTERS, lines=False)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Progress | None]:
    """Yields a callable that draws a bar for each stage, with rate and time left; None if quiet."""
    if quiet:
        yield None
        return
    from rich.file_proxy import FileProxy
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
            for name in ("stdout", "stderr"):
                # Rich prints the lines of others above its bars, and would obey their escapes.
                # Where the bars stop, it puts the streams back.
                if isinstance(stream := getattr(sys, name), FileProxy):
                    setattr(sys, name, _Shown(stream))
        if stage not in known:
            known[stage] = bars.add_task(
                terminal(stage, _CELL_CHARACTERS, lines=False), total=total or None
            )
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

"""Printed output of the results of commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr_fast import console

if TYPE_CHECKING:
    from rlvr_fast.options import Options
    from rlvr_fast.progress import Progress
    from rlvr_fast.report.report import Report
    from rlvr_fast.report.table import Table
    from rlvr_fast.store import Run
    from rlvr_fast.tracking.options import TrackOptions
    from rlvr_fast.tracking.recording import Recording

__all__ = ["print_grades", "print_report", "print_table", "print_tables", "run_stage", "tracked"]


def run_stage(
    what: str, stage: Callable[[Progress | None], Run], *, json: bool, quiet: bool
) -> None:
    """Runs one stage under a progress bar, and prints what the run that it returns holds now."""
    from rlvr_fast.doctor import describe

    with console.progress_bars(quiet=quiet or json) as progress:
        run = stage(progress)
    facts = describe(run)
    if json:
        console.print_json(facts)
    else:
        counts = ", ".join(f"{v:,} {k}" for k, v in facts["counts"].items())
        console.result(f"{run.path}: {what}: {counts}")


@contextlib.contextmanager
def tracked(
    options: TrackOptions,
    what: str,
    folder: str | Path,
    config: Options | Mapping[str, Any],
    *,
    json: bool,
) -> Iterator[Recording]:
    """The trackers of a command; says where they show it."""
    from rlvr_fast.tracking.recording import track_job

    with track_job(options, what=what, folder=folder, config=config) as record:
        if not json:
            for name, place in record.places.items():
                console.note(f"{name}: {place}")
        yield record


def print_grades(run: Run, *, json: bool) -> None:
    """Prints what a graded run holds: numbers, whose verdicts these are, and warnings."""
    from rlvr_fast.answers.sentences import grading_sentences
    from rlvr_fast.doctor import describe

    if json:
        console.print_json(describe(run))
        return
    first, *others = grading_sentences(run)
    console.result(f"{run.path}: {first}")
    for line in others:
        console.result(line)


def print_report(report: Report, *, json: bool) -> None:
    """Prints the headline of a report, and the path of its page."""
    if json:
        console.print_json({**report.summary(), "report": str(report.page)})
        return
    for line in report.headline().split("\n"):
        console.result(line)
    if not report.comparison.unread():
        columns, rows = report.headline_table()
        title = f"Problems kept, lost and found (rule: {report.comparison.rule})"
        console.print_table(title, columns, rows)
        if cut := report.page_choice.groups_sentence():
            console.result(cut)
    console.result(f"Report: {report.page}")


def print_tables(tables: Sequence[Table], notes: Sequence[str], *, json: bool) -> None:
    """Prints several tables of a report by their names, and notes on them."""
    if json:
        found = {t.name: {"caption": t.caption, "rows": t.rows} for t in tables}
        console.print_json({**found, "notes": list(notes)})
        return
    for table in tables:
        print_table(table, json=False)
    for note in notes:
        console.note(note)


def print_table(table: Table, *, json: bool) -> None:
    """Prints one table of a report."""
    if json:
        console.print_json({"caption": table.caption, "rows": table.rows})
        return
    kinds = [column.kind == "text" for column in table.columns]
    heads = kinds.index(False) if False in kinds else 1
    titles: list[Any] = [column.title for column in table.columns]
    console.print_table(table.caption, titles, table.cells(), heads=heads)

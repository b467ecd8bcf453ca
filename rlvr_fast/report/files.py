"""A report to a folder: `index.html`, `summary.json`, `tables/` and `figures/`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from rlvr_fast.errors import file_error
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.figures import write_figures
from rlvr_fast.report.folder import check_folder, write_file
from rlvr_fast.report.page import render_page
from rlvr_fast.report.report import Report, measure
from rlvr_fast.report.sections import load_sections
from rlvr_fast.report.table import write_tables

__all__ = ["write_report"]


def write_report(
    comparison: Comparison, out: str | Path, *, progress: Progress | None = None
) -> Report:
    """Measure every section, write the report into the folder `out` and return the report.

    Leaves `index.html` (one file, opens offline), `summary.json`, `tables/` (CSV, JSON, LaTeX) and
    `figures/` (PNG, SVG, PDF).

    Args:
        comparison: the two runs, as `compare_runs` gives them.
        out: the folder, made if missing.
        progress: called as progress("report", steps done, steps in all).

    Raises:
        InvalidInputError: `out` cannot be a folder, as a file lies there for example.
        RunDirectoryError: `out` is a run directory, or holds links, pipes or devices.
        StorageError: the file system refused to write a file.
    """
    folder = Path(out)
    check_folder(folder)
    sections = load_sections()
    step = steps(progress, "report", len(sections) + 3)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = measure(comparison, sections, step)
        text = json.dumps(report.summary(), indent=2, allow_nan=False)
        write_file(folder / "summary.json", text + "\n")
        write_tables(report.tables.values(), folder / "tables")
        step()
        write_figures(report.figures, folder / "figures")
        step()
        page = folder / "index.html"
        write_file(page, render_page(report))
        step()
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename and Path(error.filename) != folder:
            reason = f"{Path(error.filename).name}: {reason}"
        raise file_error(
            error,
            f"{folder}: cannot write the report: {reason}; "
            "name a folder with room that may be written to",
        ) from error
    return replace(report, page=page)

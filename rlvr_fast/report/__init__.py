"""Two runs to a comparison; a comparison to tables, figures and one HTML page."""

from __future__ import annotations

from rlvr_fast.report.comparison import Comparison, compare_runs
from rlvr_fast.report.dynamics import reference_perplexity, training_dynamics, write_dynamics
from rlvr_fast.report.files import write_report
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.report import Report, build_report
from rlvr_fast.report.table import Table, write_tables

__all__ = [
    "CompareOptions",
    "Comparison",
    "Report",
    "Table",
    "build_report",
    "compare_runs",
    "reference_perplexity",
    "training_dynamics",
    "write_dynamics",
    "write_report",
    "write_tables",
]

"""Two runs to a comparison; a comparison to tables, figures and one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlvr_fast.lazy_names import lazy_name

if TYPE_CHECKING:
    from rlvr_fast.report.comparison import Comparison, compare_runs
    from rlvr_fast.report.dynamics import reference_perplexity, training_dynamics, write_dynamics
    from rlvr_fast.report.files import write_report
    from rlvr_fast.report.matching import MatchedSupport, matched_support, write_matched
    from rlvr_fast.report.options import CompareOptions
    from rlvr_fast.report.planning import sampling_plan
    from rlvr_fast.report.report import Report, build_report
    from rlvr_fast.report.table import Table, write_tables

# name -> the module that defines it. Resolved on first use, so that the command line reads the
# options of a comparison without numpy and matplotlib.
_HOME = {
    "CompareOptions": "options",
    "Comparison": "comparison",
    "MatchedSupport": "matching",
    "Report": "report",
    "Table": "table",
    "build_report": "report",
    "compare_runs": "comparison",
    "matched_support": "matching",
    "reference_perplexity": "dynamics",
    "sampling_plan": "planning",
    "training_dynamics": "dynamics",
    "write_dynamics": "dynamics",
    "write_matched": "matching",
    "write_report": "files",
    "write_tables": "table",
}

__all__ = [
    "CompareOptions",
    "Comparison",
    "MatchedSupport",
    "Report",
    "Table",
    "build_report",
    "compare_runs",
    "matched_support",
    "reference_perplexity",
    "sampling_plan",
    "training_dynamics",
    "write_dynamics",
    "write_matched",
    "write_report",
    "write_tables",
]


def __getattr__(name: str) -> Any:
    return lazy_name(__name__, _HOME, name)


def __dir__() -> list[str]:
    return __all__

"""The run directory: tables, atomic parts, lock, resume, import of rollouts, check, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlvr_fast.lazy_names import lazy_name

if TYPE_CHECKING:
    from rlvr_fast.store.check import Finding, verify
    from rlvr_fast.store.compacting import Compacted, compact_run
    from rlvr_fast.store.completions import CompletionKeys, completion_keys
    from rlvr_fast.store.differences import Difference, differences
    from rlvr_fast.store.digests import require_sealed_grades, require_sealed_scores, seal
    from rlvr_fast.store.importing import (
        ImportSummary,
        check_sources,
        import_rollouts,
        preview_rollouts,
    )
    from rlvr_fast.store.info import Draw, RunInfo, draw_seeds, unrecorded
    from rlvr_fast.store.merging import Merged, merge_runs
    from rlvr_fast.store.options import ImportOptions
    from rlvr_fast.store.problem_tables import align_problems
    from rlvr_fast.store.repairs import repair
    from rlvr_fast.store.repeats import Repeats, find_repeats, same_completions
    from rlvr_fast.store.run import Run
    from rlvr_fast.store.schemas import ANSWERS, GRADES, PROBLEMS, SAMPLES, SCORES, stage_schema

# name -> the module that defines it, imported on first use: the options of an import are read
# for the help of the command line, without Arrow.
_HOME = {
    "ANSWERS": "schemas",
    "Compacted": "compacting",
    "CompletionKeys": "completions",
    "Difference": "differences",
    "Draw": "info",
    "Finding": "check",
    "GRADES": "schemas",
    "ImportOptions": "options",
    "ImportSummary": "importing",
    "Merged": "merging",
    "PROBLEMS": "schemas",
    "Repeats": "repeats",
    "Run": "run",
    "RunInfo": "info",
    "SAMPLES": "schemas",
    "SCORES": "schemas",
    "align_problems": "problem_tables",
    "check_sources": "importing",
    "compact_run": "compacting",
    "completion_keys": "completions",
    "differences": "differences",
    "draw_seeds": "info",
    "find_repeats": "repeats",
    "import_rollouts": "importing",
    "merge_runs": "merging",
    "preview_rollouts": "importing",
    "repair": "repairs",
    "require_sealed_grades": "digests",
    "require_sealed_scores": "digests",
    "same_completions": "repeats",
    "seal": "digests",
    "stage_schema": "schemas",
    "unrecorded": "info",
    "verify": "check",
}

__all__ = [
    "ANSWERS",
    "GRADES",
    "PROBLEMS",
    "SAMPLES",
    "SCORES",
    "Compacted",
    "CompletionKeys",
    "Difference",
    "Draw",
    "Finding",
    "ImportOptions",
    "ImportSummary",
    "Merged",
    "Repeats",
    "Run",
    "RunInfo",
    "align_problems",
    "check_sources",
    "compact_run",
    "completion_keys",
    "differences",
    "draw_seeds",
    "find_repeats",
    "import_rollouts",
    "merge_runs",
    "preview_rollouts",
    "repair",
    "require_sealed_grades",
    "require_sealed_scores",
    "same_completions",
    "seal",
    "stage_schema",
    "unrecorded",
    "verify",
]


def __getattr__(name: str) -> Any:
    return lazy_name(__name__, _HOME, name)

"""Faults of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlvr_fast.doctor.findings import finding
from rlvr_fast.doctor.repeats import repeated_draws

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["examine_run"]


def examine_run(path: str | Path, *, repair: bool = False) -> list[dict[str, str]]:
    """Finds damage, gaps, repeated seeds and repeated completions in a run directory.

    Args:
        path: the run directory.
        repair: move damaged parts aside first. Nothing is deleted; the stage that wrote a part
            makes again exactly what is missing.

    Returns:
        Findings, each with a level ("error", "warning", "info"), a place, a message and a remedy.

    Raises:
        RunDirectoryError: `path` is no run directory.
    """
    from rlvr_fast import store

    if not (Path(path) / "run.json").exists():
        store.Run.open(path)  # raises the error that says so
    findings: list[dict[str, str]] = []
    if repair:
        findings += [
            finding("info", moved, "moved aside", "run the stage that wrote it again")
            for moved in store.repair(path)
        ]
    found = store.verify(path)
    findings += [finding(f.level, f.path, f.message, f.remedy) for f in found]
    if not any(f.level == "error" for f in found):
        run = store.Run.open(path, check=False)  # `verify` has read all of it
        findings += _grading(run)
        findings += repeated_draws(run)
    return findings


def _grading(run: Run) -> list[dict[str, str]]:
    """Whose verdicts a run has, and why completions have no answer."""
    grading = run.read_json("grading.json") or {}
    where = run.path / "grading.json"
    found = []
    if grading.get("unparsed"):
        unparsed = grading["unparsed"]
        message = f"{unparsed['message']} Likely reason: {unparsed['reason']}"
        found.append(finding("warning", where, message, unparsed["remedy"]))
    graded = grading.get("graded") or {}
    lacking = graded.get("without_gold") or {}
    if lacking.get("problems"):
        from rlvr_fast.answers.sentences import GIVE_GOLDS

        message = (
            f"no gold answer for {lacking['problems']:,} of {len(run.problems()):,} problems: "
            f"{lacking['completions']:,} completions are not graded (verdict error), and a "
            "comparison leaves these problems out"
        )
        found.append(finding("warning", where, message, GIVE_GOLDS))
    without = graded.get("without_verdict", 0)
    if grading.get("verdicts") == "imported":
        message = "the verdicts came with the rollouts; nothing was verified"
        if without:
            message += f"; {without:,} completions have none and count as neither right nor wrong"
        found.append(finding("warning" if without else "info", where, message, ""))
    if grading.get("imported_agreement"):
        found.append(finding("info", where, grading["imported_agreement"]["message"], ""))
    return found

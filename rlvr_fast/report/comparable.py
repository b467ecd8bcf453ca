"""Checks that two runs belong to one experiment, so that their difference is one of models."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report.grades import require_graded
from rlvr_fast.report.options import DIFFERENCES
from rlvr_fast.store import Run, differences

__all__ = ["check_comparable", "run_differences"]


def run_differences(base: Run, rl: Run) -> dict[str, str]:
    """Which of `DIFFERENCES` two runs disagree on, each with the difference in words."""
    found: dict[str, list[str]] = {}
    for difference in differences(base, rl):
        found.setdefault(difference.kind, []).append(difference.message)
    # Another verifier or another limit is another notion of "correct".
    verified = [_verification(run) for run in (base, rl)]
    imported = [_imported_graders(run) for run in (base, rl)]
    if any(imported):
        if imported[0] != imported[1]:
            found.setdefault("verifiers", []).append(_mixed_graders((base, rl), imported))
        verified = []
    if verified and not verified[0].keys() & verified[1].keys() > {"limits"}:
        # Two files may name their tasks differently.
        verified = [_whatever_task(one) for one in verified]
    for what in sorted(verified[0].keys() & verified[1].keys()) if verified else ():
        left, right = (one[what] for one in verified)
        if left != right:
            found.setdefault("verifiers", []).append(f"{what} {left} and {right}")
    return {kind: "; ".join(messages) for kind, messages in found.items()}


def check_comparable(base: Run, rl: Run, allow: Collection[str] = ()) -> dict[str, str]:
    """`run_differences`, refused unless `allow` names them all.

    Raises:
        InvalidInputError: a difference that is not allowed, or an unknown name in `allow`.
        RunDirectoryError: a run that is not graded, which would differ by that alone.
    """
    unknown = sorted(set(allow) - set(DIFFERENCES))
    if unknown:
        raise InvalidInputError(
            f"allow names {', '.join(map(repr, unknown))}; it may hold {', '.join(DIFFERENCES)}"
        )
    for run in (base, rl):
        require_graded(run)
    found = run_differences(base, rl)
    refused = [name for name in found if name not in allow]
    if refused:
        shown = "\n".join(f"  {name}: {found[name]}" for name in refused)
        raise InvalidInputError(
            f"{base.path} and {rl.path} are not runs of one experiment:\n{shown}\n"
            f"Draw or grade them alike, or allow the difference by name: "
            + " ".join(f"--allow {name}" for name in refused)
        )
    return found


def _mixed_graders(runs: tuple[Run, Run], imported: list[list[str]]) -> str:
    """In words: one side's verdicts came with its rollouts and the other's not, or otherwise."""
    if all(imported):
        rules = " and ".join(
            f"{name}’s by {', '.join(graders)}"
            for name, graders in zip(("base", "RL"), imported, strict=True)
        )
        return (
            f"the verdicts of both models came with their rollouts, {rules}. Where the two rules "
            "mean the same, as two names of one reward do, accept them: --allow verifiers"
        )
    text = " and ".join(
        f"{name}’s verdicts "
        + (f"came with its rollouts ({', '.join(graders)})" if graders else "are ours")
        for name, graders in zip(("base", "RL"), imported, strict=True)
    )
    ours, theirs = (runs[0], runs[1]) if imported[1] else (runs[1], runs[0])
    if (ours.read_json("import.json") or {}).get("verdict"):
        return (
            f"{text}. To take the verdicts of both files: rlvr-fast grade {ours.path.name} "
            "--verdicts imported --regrade"
        )
    if any((gold or "").strip() for gold in theirs.problems()["gold"].to_pylist()):
        return (
            f"{text}. To verify both: rlvr-fast grade {theirs.path.name} --verdicts ours --regrade"
        )
    name = "base" if imported[0] else "RL"
    return (
        f"{text}. The problems of {name} have no gold answers; to verify both, import {name} with "
        "the golds into another folder: rlvr-fast compare BASE RL --out FOLDER --problems "
        "math:FILE, where FILE has questions and gold answers"
    )


def _imported_graders(run: Run) -> list[str]:
    """The graders of a run whose verdicts came with its rollouts; empty for our verdicts."""
    grading = run.read_json("grading.json") or {}
    if grading.get("verdicts") != "imported":
        return []
    return sorted({str(task.get("verifier")) for task in (grading.get("tasks") or {}).values()})


def _whatever_task(verification: dict[str, Any]) -> dict[str, Any]:
    tasks = [value for key, value in verification.items() if key != "limits"]
    verifiers = sorted({str(value) for value in tasks})
    return {"limits": verification["limits"], **({"verifiers": verifiers} if tasks else {})}


def _verification(run: Run) -> dict[str, Any]:
    """How the answers of a run were verified: the limits, and the verifier of each task."""
    grading = run.read_json("grading.json") or {}
    tasks = grading.get("tasks") or {}
    verifiers = {
        f"verifier of {name}": {k: task[k] for k in ("verifier", "equivalence") if k in task}
        for name, task in tasks.items()
    }
    return {"limits": grading.get("limits"), **verifiers}

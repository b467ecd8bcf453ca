"""Faults of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlvr_fast.doctor.findings import finding
from rlvr_fast.doctor.repeats import repeated_draws
from rlvr_fast.safe_files import check_tree

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["examine_run"]


def examine_run(path: str | Path, *, repair: bool = False) -> list[dict[str, str]]:
    """Finds damage, forgery, gaps, repeated seeds and repeated completions in a run directory.

    Digests say whether files are those that grades and scores were made from. What follows from
    the samples is counted again: seeds, answers, canonical forms, counts and the verdicts that
    canonical forms decide. Verdicts that need a verifier are not made again.

    Args:
        path: the run directory.
        repair: move damaged parts aside first. Nothing is deleted; the stage that wrote a part
            makes again exactly what is missing.

    Returns:
        Findings, each with a level ("error", "warning", "info"), a place, a message and a remedy.

    Raises:
        RunDirectoryError: `path` is no run directory, or holds anything but regular files and
            folders.
    """
    from rlvr_fast import store
    from rlvr_fast.doctor.recount import recount
    from rlvr_fast.doctor.seeds import foreign_draws
    from rlvr_fast.store.check import opened_and_verified

    check_tree(path)
    copied = repair and (Path(path) / "grading.json").exists()
    if not (Path(path) / "run.json").exists() and not copied:
        store.Run.open(path)  # raises the error that says so
    findings: list[dict[str, str]] = []
    if repair:
        moved = [*store.repair(path), *_repair_grading(Path(path))]
        findings += [finding("info", file, "moved aside", "") for file in moved]
    run, found = opened_and_verified(path)
    findings += [finding(f.level, f.path, f.message, f.remedy) for f in found]
    if run is not None and not any(f.level == "error" for f in found):
        findings += _missing(run)
        findings += foreign_draws(run)
        counted = recount(run)
        findings += counted
        # Words of a file whose other words do not hold are not passed on.
        where = str(run.path / "grading.json")
        if not any(f["level"] == "error" and f["where"] == where for f in counted):
            findings += _grading(run)
        findings += repeated_draws(run)
    return findings


def _repair_grading(path: Path) -> list[Path]:
    """Moves a journal aside that cannot be relied on, and settings that no grading goes on from."""
    from rlvr_fast.answers.journal import journal_outcomes
    from rlvr_fast.answers.normalization import CANONICAL_GRADER
    from rlvr_fast.errors import RunDirectoryError
    from rlvr_fast.store import Run
    from rlvr_fast.store.repairs import quarantine

    run, moved = Run.open(path, check=False), []
    with run.writing():
        file = path / "verdicts.jsonl"
        try:
            if file.exists():
                for _ in journal_outcomes(file):
                    pass
        except ValueError:
            moved.append(quarantine(path, file))
        try:
            grading = run.read_json("grading.json") or {}
        except RunDirectoryError:  # a run without problems, of which nothing else was repaired
            return moved
        begun = "made_from" in grading or run.parts("answers")
        if grading and not begun and grading.get("canonical") != CANONICAL_GRADER:
            moved.append(quarantine(path, path / "grading.json"))
    return moved


def _unsealed(run: Run) -> list[dict[str, str]]:
    """Grades and scores that do not say what they were made from."""
    from rlvr_fast.store.digests import grading_options

    text = (
        "does not say what {} were made from (made_from): {} was not finished, or was made by an "
        "earlier version; a comparison refuses it"
    )
    found = []
    names = {"grading.json": ("the grades", "the grading")} if _graded(run) else {}
    for stage in run.stages():
        if stage.startswith("scores/") and run.parts(stage):
            names[f"{stage}/scores.json"] = ("the scores", "the scoring")
    for name, words in names.items():
        if (run.read_json(name) or {}).get("made_from") is None:
            remedy = "give the command that scored the run again: it scores what is missing"
            if name == "grading.json":
                remedy = f"rlvr-fast grade {run.path}{grading_options(run)} --regrade"
            found.append(finding("warning", run.path / name, text.format(*words), remedy))
    return found


def _graded(run: Run) -> bool:
    return (run.path / "grades.parquet").exists()


def _missing(run: Run) -> list[dict[str, str]]:
    """Stages that were begun and lack rows, with the commands that add them."""
    from rlvr_fast.store.digests import grading_options

    found = _unsealed(run)
    total = int(run.num_samples().sum())
    if run.info.imported and not (run.path / "import.json").exists():
        text = "missing, so nothing says where the completions of this imported run come from"
        found.append(finding("warning", run.path / "import.json", text, "import them again"))
    begun = run.path / "grading.json", run.path / "answers", run.path / "verdicts.jsonl"
    if any(file.exists() for file in begun) and not _graded(run):
        command = f"rlvr-fast grade {run.path}{grading_options(run)}"
        found.append(finding("warning", run.path / "grades.parquet", "not graded yet", command))
    lacking = total - int(run.num_samples("answers").sum())
    if _graded(run) and lacking:
        text = f"{lacking} of {total} draws are not graded yet, and no comparison counts them"
        command = f"rlvr-fast grade {run.path}{grading_options(run)}"
        found.append(finding("warning", run.path / "grades.parquet", text, command))
    for stage in run.stages():
        if not stage.startswith("scores/"):
            continue
        lacking = total - int(run.num_samples(stage).sum())
        if lacking:
            about = (run.read_json(f"{stage}/scores.json") or {}).get("model") or {}
            model, adapter = about.get("name"), (about.get("adapter") or {}).get("name")
            label = stage.removeprefix("scores/").removesuffix("-sampling")
            command = f"rlvr-fast score {run.path} --model {model or 'MODEL'} --label {label}"
            command += f" --adapter {adapter}" if adapter else ""
            text = f"{lacking} of {total} draws have no scores"
            found.append(finding("warning", run.path / stage, text, command))
    return found


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

"""The whole job: sample, grade, score, compare, report.

The only place that knows the order of the stages. Each stage reads tables of a run directory and
adds one table to it, and each is resumable, so running a study again finishes what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlvr_fast.progress import named
from rlvr_fast.study.checks import StudyCheck, check_study
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.stages import draw_sides, score_sides

if TYPE_CHECKING:
    from rlvr_fast.answers.options import GradeOptions
    from rlvr_fast.progress import Progress
    from rlvr_fast.report.options import CompareOptions
    from rlvr_fast.report.report import Report
    from rlvr_fast.store import ImportSummary, Run
    from rlvr_fast.store.options import ImportOptions

__all__ = ["StudyResult", "check_source", "report_runs", "run_of", "run_study"]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Where a study left its parts.

    Attributes:
        base: run directory of the base model.
        rl: run directory of the RL-trained model.
        report: the report, as `write_report` returns it.
    """

    base: Path
    rl: Path
    report: Report


def run_study(
    config: StudyConfig,
    *,
    check: StudyCheck | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> StudyResult:
    """Does the whole job; resumable at any point.

    Leaves `out/base`, `out/rl`, the runs of further models in `out/arms`, and `out/report`.
    Everything that can be checked is checked first (`check_study`). One model is loaded at a time,
    models that differ in their adapter alone are loaded once, and what is finished loads none.

    Args:
        config: models, folder, and the options of each stage.
        check: what `check_study` found of it a moment ago; by default it is called.
        progress: called as progress("STAGE SIDE", done, total).
        tell: called with each sentence for the user that is no error.

    Returns:
        The run directories and the report.

    Raises:
        InvalidInputError: no such model, task or engine; runs that are not comparable. Where the
            checks find several faults, the message lists all.
        MissingDependencyError: an optional package is not installed.
        RunDirectoryError: a run directory of another study, or a folder that holds anything but
            regular files and folders.
        StorageError: the file system refused to write a file, or another process is writing to a
            run.
    """
    from rlvr_fast.answers.grading import grade_run

    check = check or check_study(config)
    check.require()
    if tell is not None:
        for sentence in check.remarks:
            tell(sentence)
    out = Path(config.out)
    runs = draw_sides(config, check.sides, check.finished, progress=progress, tell=tell)
    for side, run in runs.items():
        grade_run(run, config.grade, progress=named(progress, side))
    score_sides(config, check.sides, runs, progress=progress)
    report = report_runs(
        runs["base"],
        runs["rl"],
        config.compare,
        out=out / "report",
        arms={side.name: runs[side.name] for side in check.sides if side.arm},
        labels={side.name: side.model.label for side in check.sides if side.model.label},
        progress=progress,
    )
    return StudyResult(out / "base", out / "rl", report)


def check_source(source: str | Path, importing: ImportOptions) -> None:
    """Refuses what `run_of` and `report_runs` would refuse after the work on another source.

    Args:
        source: a run directory, or rollouts.
        importing: options of the import.

    Raises:
        InvalidInputError: rollouts that are not there or not recognised.
        RunDirectoryError: a run directory that is not graded.
    """
    from rlvr_fast.report.grades import require_graded
    from rlvr_fast.store import Run, check_sources

    if _is_run(source):
        require_graded(Run.open(source))
    else:
        check_sources(source, importing)


def run_of(
    source: str | Path,
    out: Path,
    importing: ImportOptions,
    grading: GradeOptions,
    *,
    told: Callable[[ImportSummary], None] | None = None,
    graded: Callable[[Run], None] | None = None,
    progress: Progress | None = None,
) -> Run:
    """The graded run of one side: a run directory, or rollouts that are imported and graded.

    Args:
        source: a run directory, which has to be graded; or a file, folder or pattern of rollouts.
        out: the run directory to make of rollouts.
        importing: options of the import.
        grading: options of the grading of rollouts.
        told: called with what the import found, before the run is made.
        graded: called with the run after its grading.
        progress: called as progress("STAGE SIDE", done, total).

    Raises:
        InvalidInputError: rollouts that are not recognised, or that cannot be graded.
        RunDirectoryError: `out` holds another run.
        StorageError: a source cannot be read, or the run cannot be written.
    """
    from rlvr_fast.answers.grading import grade_run
    from rlvr_fast.store import Run, import_rollouts

    if _is_run(source):
        return Run.open(source)
    told_of = named(progress, out.name)

    def found(summary: ImportSummary) -> None:
        if told is not None:
            told(summary)
        # Before the run is made: with golds or a verdict the same command can be given again.
        _require_verdicts(source, summary, grading)

    run = import_rollouts(source, out, importing, told=found, progress=told_of)
    grade_run(run, grading, progress=told_of)
    if graded is not None:
        graded(run)
    return run


def _is_run(source: str | Path) -> bool:
    """Whether a source is a run directory, even one whose run.json is a link to nowhere."""
    return os.path.lexists(Path(source) / "run.json")


def _require_verdicts(source: str | Path, summary: ImportSummary, grading: GradeOptions) -> None:
    """InvalidInputError where rollouts have neither gold answers nor verdicts to grade by."""
    from rlvr_fast.errors import InvalidInputError

    judged = summary.verdict is not None
    lacking = [p for p in summary.problems if p.gold is None and p.spec is None]
    alone = len(lacking) == len(summary.problems) and grading.verdicts == "auto"
    if not lacking or (judged and (grading.verdicts == "imported" or alone)):
        return
    first = lacking[0].question or lacking[0].problem_id
    remedies = ["--problems math:FILE or --field gold=PATH gives gold answers"]
    if judged:
        remedies.append("--verdicts imported takes the verdicts of the file")
    else:
        remedies.append("--verdict FIELD or --verdict 'FIELD>=X' takes a verdict of the file")
    raise InvalidInputError(
        f"{source}: {len(lacking):,} of {len(summary.problems):,} problems have no gold answer to "
        f"verify with{'' if judged else ', and no verdicts came along'} (the first: "
        f"{first[:80]!r}). {'; '.join(remedies)}"
    )


def report_runs(
    base: Run,
    rl: Run,
    options: CompareOptions,
    *,
    out: str | Path,
    arms: Mapping[str, Run] | None = None,
    labels: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compares two graded runs and writes the report into the folder `out`.

    Args:
        base: run of the base model.
        rl: run of the RL-trained model.
        options: rule, confidence, epsilon, accepted differences and further k.
        out: the folder. A report of the same runs that lies there keeps its epsilon, unless the
            options give one.
        arms: names to further graded RL runs, as for `compare_runs`.
        labels: what the report calls models, as for `compare_runs`.
        progress: called with the stages "compare" and "report".

    Raises:
        InvalidInputError: runs that are not comparable.
        RunDirectoryError: a run that is not graded.
    """
    from rlvr_fast.report.comparison import compare_runs
    from rlvr_fast.report.files import write_report

    comparison = compare_runs(
        base, rl, options, arms=arms, labels=labels, keep=out, progress=progress
    )
    return write_report(comparison, out, progress=progress)

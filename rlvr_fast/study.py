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

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.safe_files import check_tree, enclosing_run, is_run
from rlvr_fast.study_config import StudyConfig, demo_config

if TYPE_CHECKING:
    from rlvr_fast.answers.options import GradeOptions
    from rlvr_fast.progress import Progress
    from rlvr_fast.report.options import CompareOptions
    from rlvr_fast.report.report import Report
    from rlvr_fast.store import ImportSummary, Run
    from rlvr_fast.store.options import ImportOptions

__all__ = [
    "STUDY_FOLDERS",
    "StudyConfig",
    "StudyResult",
    "check_place",
    "check_source",
    "demo_config",
    "report_runs",
    "run_of",
    "run_study",
]


# What a study makes in its folder, and a comparison of rollouts in the folder of its runs.
STUDY_FOLDERS = ("base", "rl", "arms", "report")


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


def check_place(folder: Path) -> None:
    """Refuses a folder that no runs may be made in, before anything is written.

    Raises:
        RunDirectoryError: a run directory, a folder inside one, or runs and a report that hold
            anything but regular files and folders.
        StorageError: a folder cannot be read.
    """
    run = enclosing_run(folder)
    if run is not None or is_run(folder):
        what = "a run directory" if run is None else f"inside the run directory {run}"
        raise RunDirectoryError(f"{folder}: {what}; name another folder for the runs that are made")
    check_tree(folder, only=STUDY_FOLDERS)


def run_study(config: StudyConfig, *, progress: Progress | None = None) -> StudyResult:
    """Does the whole job; resumable at any point.

    Leaves `out/base`, `out/rl`, the runs of further models in `out/arms`, and `out/report`.

    Args:
        config: models, folder, and the options of each stage.
        progress: called as progress("STAGE SIDE", done, total).

    Returns:
        The run directories and the report.

    Raises:
        InvalidInputError: no such model, task or engine; runs that are not comparable.
        MissingDependencyError: an optional package is not installed.
        RunDirectoryError: a run directory of another study, or a folder that holds anything but
            regular files and folders.
        StorageError: the file system refused to write a file, or another process is writing to a
            run.
    """
    from rlvr_fast.answers.grading import grade_run
    from rlvr_fast.report.arms import arm_folder, check_names
    from rlvr_fast.sampling.drawing import draw_run

    check_names(config.arms)
    out = Path(config.out)
    check_place(out)
    models = {
        "base": (config.base, config.base_revision),
        "rl": (config.rl, config.rl_revision),
    }
    runs = {
        side: draw_run(
            model,
            out / side,
            config.sample,
            revision=revision,
            progress=_named(progress, side),
        )
        for side, (model, revision) in models.items()
    }
    arms = {
        name: draw_run(
            model,
            out / "arms" / arm_folder(name),
            config.sample,
            revision=revision,
            progress=_named(progress, name),
        )
        for name, (model, revision) in config.arm_models().items()
    }
    for side, run in (runs | arms).items():
        grade_run(run, config.grade, progress=_named(progress, side))
    _score(config, runs, models, progress)
    report = report_runs(
        runs["base"], runs["rl"], config.compare, out=out / "report", arms=arms, progress=progress
    )
    return StudyResult(out / "base", out / "rl", report)


def _score(
    config: StudyConfig,
    runs: Mapping[str, Run],
    models: Mapping[str, tuple[str, str | None]],
    progress: Progress | None,
) -> None:
    """Scores every completion under both models, in each pass of the study."""
    from rlvr_fast.store.sampling_values import beyond_one_pass

    # Without what as_sampled would refuse: a greedy run, say, has no distribution to score under.
    defined = {
        side: bool(run.info.sampling["temperature"]) and not beyond_one_pass(run.info.sampling)
        for side, run in runs.items()
    }
    passes = {
        side: [options for options in config.score if known or not options.as_sampled]
        for side, known in defined.items()
    }
    if not any(passes.values()):
        return
    from rlvr_fast.scoring.run import score_run
    from rlvr_fast.scoring.scorer import Scorer

    for label, (model, revision) in models.items():
        scorer = Scorer(model, revision=revision, **config.score[0].model_arguments())
        for side, run in runs.items():
            for options in passes[side]:
                name = f"{side} under {label}" + (", as sampled" if options.as_sampled else "")
                score_run(run, scorer, options, label=label, progress=_named(progress, name))


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
    named = _named(progress, out.name)

    def found(summary: ImportSummary) -> None:
        if told is not None:
            told(summary)
        # Before the run is made: with golds or a verdict the same command can be given again.
        _require_verdicts(source, summary, grading)

    run = import_rollouts(source, out, importing, told=found, progress=named)
    grade_run(run, grading, progress=named)
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
        progress: called with the stages "compare" and "report".

    Raises:
        InvalidInputError: runs that are not comparable.
        RunDirectoryError: a run that is not graded.
    """
    from rlvr_fast.report.comparison import compare_runs
    from rlvr_fast.report.files import write_report

    comparison = compare_runs(base, rl, options, arms=arms, keep=out, progress=progress)
    return write_report(comparison, out, progress=progress)


def _named(progress: Progress | None, name: str) -> Progress | None:
    """The progress of a stage, with `name` behind the name of the stage."""
    if progress is None:
        return None

    def report(stage: str, done: int, total: int) -> None:
        progress(f"{stage} {name}", done, total)

    return report

"""The commands of the whole job: demo and study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlvr_fast import console
from rlvr_fast.cli.parameters import Json, Quiet
from rlvr_fast.cli.results import print_report, tracked
from rlvr_fast.tracking.options import TrackOptions

if TYPE_CHECKING:
    from rlvr_fast.study import StudyConfig

__all__ = ["demo", "study"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and the report.")] = Path("demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Take a few problems, for a few seconds.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do the whole job on the embedded pair of models."""
    from rlvr_fast.study import demo_config

    _study(demo_config(out, quick=quick), TrackOptions(), json=json, quiet=quiet)


def study(
    config: Annotated[Path, typer.Argument(help="A study file (YAML).", show_default=False)],
    tracking: TrackOptions,
    out: Annotated[Path | None, typer.Option(help="Folder in place of the file's `out`.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check the study, and print its work without doing it."),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample, grade, score, compare and report, from one file.

    Everything that can be checked is checked first. Run the command again to finish what is
    missing.
    """
    from rlvr_fast.study import StudyConfig

    asked = StudyConfig.from_yaml(config).with_out(out)
    if dry_run:
        _print_work(asked, json=json)
    else:
        _study(asked, tracking, json=json, quiet=quiet)


def _print_work(config: StudyConfig, *, json: bool) -> None:
    """Checks a study and prints what is left to do."""
    from rlvr_fast.study import check_study, study_work, work_sentences

    check = check_study(config)
    check.require()
    work = study_work(config, check)
    if json:
        console.print_json({**work.to_json(), "remarks": list(check.remarks)})
        return
    for remark in check.remarks:
        console.note(remark)
    for sentence in work_sentences(work):
        console.result(sentence)


def _study(config: StudyConfig, tracking: TrackOptions, *, json: bool, quiet: bool) -> None:
    from rlvr_fast.study import check_study, run_study
    from rlvr_fast.tracking.numbers import report_numbers

    check = check_study(config)
    check.require()  # before a tracker shows a job that never began
    tell = None if quiet or json else console.note
    with (
        console.progress_bars(quiet=quiet or json) as progress,
        tracked(tracking, "study", config.out, config, json=json) as record,
    ):
        result = run_study(config, check=check, progress=record.progress(progress), tell=tell)
        record.log(report_numbers(result.report.summary()))
        record.keep(Path(config.out) / "report", result.report.headline())
    print_report(result.report, json=json)

"""The commands of one stage: sample, grade and score."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlvr_fast import console
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.cli.parameters import Given, Json, Quiet, RunDirectory
from rlvr_fast.cli.results import print_grades, run_stage, tracked
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.shown_text import file_name
from rlvr_fast.tracking.options import TrackOptions

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress
    from rlvr_fast.store import Run

__all__ = ["grade", "sample", "score"]

Revision = Annotated[str | None, typer.Option(help="Hub revision of the model.")]
Adapter = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="A LoRA adapter of the model, as peft saves it."),
]


def sample(
    model: Annotated[str, typer.Argument(help="A local folder, a .gguf file or a hub name.")],
    options: Annotated[Given[SampleOptions], "without --plan"],
    tracking: TrackOptions,
    out: Annotated[Path, typer.Option(help="The run directory, new or to be topped up.")],
    revision: Revision = None,
    adapter: Adapter = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="A file of `rlvr-fast plan --out`: draw what it asks of this run, with the run's "
            "own options."
        ),
    ] = None,
    first_sample: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="INDEX",
            help="Draw the samples from this index on, up to --samples; `rlvr-fast merge` joins "
            "the run to that of the samples below.",
        ),
    ] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw completions into a run directory.

    A killed command goes on where it stopped when it is given again. A run that is named with more
    samples, or with further tasks beside its own, gets these.
    """
    from rlvr_fast.errors import InvalidInputError
    from rlvr_fast.sampling.drawing import draw_run
    from rlvr_fast.sampling.planned import recorded_options

    if plan is not None and "samples" in options.values:
        raise InvalidInputError("--samples and --plan exclude each other: a plan has the numbers")
    made = options.made(None if plan is None else recorded_options(out))

    def stage(progress: Progress | None) -> Run:
        config = {"model": model, "revision": revision, **asdict(made)}
        if adapter is not None:
            config["adapter"] = str(adapter)
        with tracked(tracking, "sample", out, config, json=json) as record:
            told = record.progress(progress)
            return draw_run(
                model,
                out,
                made,
                revision=revision,
                adapter=adapter,
                plan=plan,
                first_sample=first_sample,
                progress=told,
                tell=None if quiet or json else console.note,
            )

    run_stage("samples", stage, json=json, quiet=quiet)


def grade(
    run: RunDirectory, options: GradeOptions, json: Json = False, quiet: Quiet = False
) -> None:
    """Extract and verify the answers, each distinct one once."""
    from rlvr_fast.answers.grading import grade_run
    from rlvr_fast.store import Run

    opened = Run.open(run)
    with console.progress_bars(quiet=quiet or json) as progress:
        grade_run(opened, options, progress=progress)
    print_grades(opened, json=json)


def score(
    run: RunDirectory,
    model: Annotated[str, typer.Option(help="The model that scores (not the one that drew).")],
    options: ScoreOptions,
    label: Annotated[
        str | None,
        typer.Option(help="Name of the scores, e.g. base or rl; by default the model's name."),
    ] = None,
    revision: Revision = None,
    adapter: Adapter = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score the completions of a run under a model.

    The completions are teacher-forced: log-probability, entropy and perplexity of each.
    """
    from rlvr_fast.store import Run

    def stage(progress: Progress | None) -> Run:
        opened = Run.open(run)
        from rlvr_fast.scoring.runs.run import score_run

        # A model and its adapter score under names of their own.
        named = Path(model).name if adapter is None else f"{Path(model).name}-{adapter.name}"
        name = label or file_name(named)
        score_run(
            opened,
            model,
            options,
            label=name,
            revision=revision,
            adapter=adapter,
            progress=progress,
        )
        return opened

    run_stage("scores", stage, json=json, quiet=quiet)

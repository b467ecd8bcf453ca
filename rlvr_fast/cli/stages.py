"""The commands of one stage: sample, grade, score and import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlvr_fast import console
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.cli.parameters import Json, Quiet, RunDirectory, flag_values
from rlvr_fast.cli.results import print_grades, run_stage
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.scoring.options import ScoreOptions

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress
    from rlvr_fast.store import Run

__all__ = ["grade", "import_rollouts", "sample", "score"]

Revision = Annotated[str | None, typer.Option(help="Hub revision of the model.")]


def sample(
    model: Annotated[str, typer.Argument(help="A local folder, a .gguf file or a hub name.")],
    options: SampleOptions,
    out: Annotated[Path, typer.Option(help="The run directory, new or to be topped up.")],
    revision: Revision = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw completions into a run directory.

    A killed command goes on where it stopped when it is given again.
    """
    from rlvr_fast.sampling.drawing import draw_run

    run_stage(
        "samples",
        lambda progress: draw_run(model, out, options, revision=revision, progress=progress),
        json=json,
        quiet=quiet,
    )


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
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score the completions of a run under a model.

    The completions are teacher-forced: log-probability, entropy and perplexity of each.
    """
    from rlvr_fast.store import Run

    def stage(progress: Progress | None) -> Run:
        opened = Run.open(run)
        from rlvr_fast.scoring.run import score_run

        name = label or Path(model).name
        score_run(opened, model, options, label=name, revision=revision, progress=progress)
        return opened

    run_stage("scores", stage, json=json, quiet=quiet)


def import_rollouts(
    rollouts: Annotated[Path, typer.Argument(help="Finished completions: JSONL or Parquet.")],
    out: Annotated[Path, typer.Option(help="The run directory to make.")],
    model: Annotated[str, typer.Option(help="The model that drew them, as recorded.")],
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SOURCE",
            help="Which field holds what, e.g. completion=response, gold=answer. "
            "Fields named question, completion, problem_id, gold, task, sample_index, token_ids or "
            "finish_reason are taken as they are; gold= leaves one out. [may be repeated]",
        ),
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature, as drawn.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Top-p, as drawn.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest completion, as drawn.")] = None,
    task: Annotated[str, typer.Option(help="Name of the task.")] = "imported",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a run directory of completions that already exist."""
    fields: dict[str, str | None] = {}
    for entry in field or ():
        name, sign, source = entry.partition("=")
        if not sign or not name:
            raise InvalidInputError(f"--field takes NAME=SOURCE, not {entry!r}")
        fields[name] = source or None
    given = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    sampling = {**given, **flag_values(SamplingParameters, **given)}
    from rlvr_fast import store

    run_stage(
        "samples",
        lambda progress: store.import_rollouts(
            rollouts,
            out,
            model=model,
            fields=fields,
            sampling=sampling,
            task=task,
            progress=progress,
        ),
        json=json,
        quiet=quiet,
    )

"""The commands on whole run directories: compact and merge."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from rlvr_fast import console
from rlvr_fast.cli.parameters import Json, Quiet, RunDirectory

__all__ = ["compact", "merge"]


def compact(run: RunDirectory, json: Json = False, quiet: Quiet = False) -> None:
    """Join the small parts of a run to few large ones.

    Every row stays, in its order, and grades and scores stay valid. A killed command leaves the run
    as it was, or as it is to be.
    """
    from rlvr_fast.store import compact_run

    with console.progress_bars(quiet=quiet or json) as progress:
        done = compact_run(run, progress=progress)
    if json:
        console.print_json({"run": str(run), "stages": [dataclasses.asdict(one) for one in done]})
        return
    for one in done:
        console.result(
            f"{run}: {one.stage}: {one.parts_before:,} parts to {one.parts:,}, "
            f"{one.bytes_before / 1e6:,.1f} MB to {one.bytes / 1e6:,.1f} MB"
        )


def merge(
    out: Annotated[Path, typer.Argument(help="The new run, or one that gets the draws too.")],
    runs: Annotated[list[Path], typer.Argument(help="The run directories, which stay.")],
    keep_first: Annotated[
        bool,
        typer.Option(
            "--keep-first",
            help="Of different completions for one draw take that of the run named first.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Join runs of one model that were drawn apart.

    They have one set of sampling parameters and one prompt template; each draw is kept once. Grade
    and score the new run: verdicts and scores are not carried over.
    """
    from rlvr_fast.store import merge_runs

    with console.progress_bars(quiet=quiet or json) as progress:
        done = merge_runs(out, runs, keep_first=keep_first, progress=progress)
    draws = int(done.run.num_samples().sum())
    if json:
        taken = {str(run): number for run, number in zip(runs, done.taken, strict=True)}
        facts = {"run": str(out), "draws": draws, "taken": taken, "repeated": done.repeated}
        console.print_json(facts | {"notes": done.notes})
        return
    for run, number in zip(runs, done.taken, strict=True):
        console.result(f"{run}: {number:,} draws taken")
    console.result(f"{out}: {draws:,} draws; {done.repeated:,} were there already")
    for note in done.notes:
        console.note(note)

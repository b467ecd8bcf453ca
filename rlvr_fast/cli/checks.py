"""The commands that check the package, the machine and runs: replay, bench and doctor."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from rlvr_fast import console
from rlvr_fast.cli.parameters import Json, Quiet
from rlvr_fast.scoring.options import ScoreOptions

__all__ = ["bench", "doctor", "replay"]


def replay(json: Json = False) -> None:
    """Recompute the published tables of both papers."""
    from rlvr_fast.metrics.replay import replay as recompute

    rows = [dataclasses.asdict(row) for row in recompute()]
    if json:
        console.print_json(rows)
        return
    marks = {True: "agrees", False: "DIFFERS", None: ""}
    console.print_table(
        "Published numbers, recomputed",
        ("source", "row", "quantity", "printed", "recomputed", ""),
        [
            [
                row["source"],
                row["row"],
                row["quantity"],
                row["printed"],
                row["recomputed"],
                "known misprint" if row["misprint"] else marks[row["agrees"]],
            ]
            for row in rows
        ],
    )
    checked = [row for row in rows if row["agrees"] is not None]
    agree, misprints = (sum(row[key] for row in checked) for key in ("agrees", "misprint"))
    console.result(
        f"{len(checked)} printed numbers: {agree} agree within half a unit of their last digit, "
        f"{misprints} are known misprints."
    )
    if any(row["agrees"] is False and not row["misprint"] for row in rows):
        raise typer.Exit(1)


def bench(
    options: Annotated[ScoreOptions, "device"],
    quick: Annotated[
        bool, typer.Option("--quick", help="Take small shapes, for a few seconds.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time the scoring kernels beside this machine's limits."""
    from rlvr_fast.scoring.kernels.benchmarks import run_benchmarks

    with console.progress_bars(quiet=quiet or json) as progress:
        machine, timings = run_benchmarks(options.device, quick=quick, progress=progress)
    rows = [timing.row() for timing in timings]
    if json:
        console.print_json({"machine": machine, "rows": rows})
        return
    console.print_table("This machine", ("what", "measured"), list(machine.items()))
    columns = ("kernel", "ms", "limit", "limit ms", "share", "error")
    keys = ("what", "median_ms", "limit", "limit_ms", "share_of_limit", "error_against_float64")
    console.print_table("Kernels", columns, [[row[key] for key in keys] for row in rows])


def doctor(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run directory to examine; without one, this installation."),
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Move damaged parts aside.")] = False,
    json: Json = False,
) -> None:
    """Examine a run directory, or this installation."""
    from rlvr_fast.doctor import examine_installation, examine_run

    if run is None:
        facts = examine_installation()
        if json:
            console.print_json(facts)
        else:
            console.print_table("This installation", ("what", "state"), list(facts.items()))
        return
    findings = examine_run(run, repair=repair)
    if json:
        console.print_json({"run": str(run), "findings": findings})
    else:
        for finding in findings:
            remedy = f" -> {finding['remedy']}" if finding["remedy"] else ""
            console.result(f"{finding['level']}: {finding['where']}: {finding['message']}{remedy}")
        if all(f["level"] == "info" for f in findings):
            console.result(f"{run}: nothing wrong found")
    if any(f["level"] == "error" for f in findings):
        raise typer.Exit(1)

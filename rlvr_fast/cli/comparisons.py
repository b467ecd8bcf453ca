"""The commands that compare graded runs: compare, dynamics, references and plan."""

from __future__ import annotations

import enum
import functools
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlvr_fast import console
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.cli.imports import print_summary
from rlvr_fast.cli.parameters import BaseRun, Json, Quiet, RlRun
from rlvr_fast.cli.results import print_grades, print_report, print_table, print_tables, tracked
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.tracking.options import TrackOptions

if TYPE_CHECKING:
    from rlvr_fast.report.threshold import Threshold
    from rlvr_fast.store import ImportSummary, Run


class Order(enum.StrEnum):
    """The order of the rows of `dynamics`."""

    order = "order"
    temperature = "temperature"


__all__ = ["compare", "dynamics", "plan", "references"]

# Rows of a plan on the terminal.
_MOST_ROWS = 1000


def compare(
    base: Annotated[
        str,
        typer.Argument(help="The base model's run, or rollouts: a file, a folder, a pattern."),
    ],
    rl: Annotated[str, typer.Argument(help="The same of the RL-trained model.")],
    options: CompareOptions,
    importing: ImportOptions,
    grading: Annotated[GradeOptions, "policy", "verdicts", "workers", "timeout", "regrade"],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    arm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RUN",
            help="A further RL run or its rollouts: a seed, a recipe, a control. [may be repeated]",
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder for the runs that are made of rollouts; by default --out."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two runs or sets of rollouts: tables, figures, a page.

    Rollouts that any tool wrote are imported and graded first, into OUT/base and OUT/rl.
    """
    from rlvr_fast.errors import InvalidInputError
    from rlvr_fast.report.arms import arm_folder, parse_arms
    from rlvr_fast.report.folder import check_folder
    from rlvr_fast.study import check_place, check_source, report_runs, run_of

    check_folder(out)
    if runs is not None:
        check_place(runs)
    arms = parse_arms(arm or ())
    # The RL run among the arms has its name there, and is imported once.
    named_rl = [
        name for name, source in arms.items() if Path(source).resolve() == Path(rl).resolve()
    ]
    if base == rl == "-":
        raise InvalidInputError('standard input ("-") is given for both sides; one can be a file')
    if "-" in arms.values():
        raise InvalidInputError('--arm takes no standard input ("-"): give a file')
    for source in (base, rl, *arms.values()):
        check_source(source, importing)
    imported: list[tuple[str, list[str]]] = []
    folder = runs or out

    def told(side: str, source: str, summary: ImportSummary) -> None:
        files = sorted(each["sha256"] for each in summary.sources)
        if not json:
            console.result(f"{'Base' if side == 'base' else side}: {source}")
            print_summary(summary)
        for other, known in imported:
            if files == known:
                console.note(
                    f"WARNING: {other} and {side} are the same rollouts: their files are equal"
                )
        imported.append((side, files))

    def graded(run: Run) -> None:
        if not json:
            print_grades(run, json=False)
            console.result("")

    sides = [("base", base, folder / "base"), ("RL", rl, folder / "rl")]
    further = [name for name in arms if name not in named_rl[:1]]
    sides += [(name, arms[name], folder / "arms" / arm_folder(name)) for name in further]
    with console.progress_bars(quiet=quiet or json) as progress:
        left, right, *others = (
            run_of(
                source,
                place,
                importing,
                grading,
                told=functools.partial(told, side, source),
                graded=graded,
                progress=progress,
            )
            for side, source, place in sides
        )
        named = dict(zip(further, others, strict=True)) | dict.fromkeys(named_rl[:1], right)
        report = report_runs(left, right, options, out=out, arms=named, progress=progress)
    print_report(report, json=json)


def dynamics(
    base: BaseRun,
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Graded runs of checkpoints, in the order of training.")
    ],
    options: CompareOptions,
    tracking: TrackOptions,
    by: Annotated[
        Order,
        typer.Option(help="Order of the rows; with temperature, the runs may differ in it."),
    ] = Order.order,
    base_at: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="The base model drawn at another temperature, with --by temperature: RL runs are "
            "set beside the base of equal temperature and of equal token entropy. [may be "
            "repeated]",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for table and figure.")] = Path("dynamics"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Follow a training: several checkpoints against one base run."""
    from rlvr_fast.errors import InvalidInputError
    from rlvr_fast.report.dynamics import training_dynamics, write_dynamics
    from rlvr_fast.report.folder import check_folder
    from rlvr_fast.report.matching import matched_support, write_matched
    from rlvr_fast.store import Run
    from rlvr_fast.tracking.numbers import table_numbers

    if base_at and by is not Order.temperature:
        raise InvalidInputError(
            "--base-at gives base runs at other temperatures: it needs --by temperature"
        )
    check_folder(out)
    runs = {key: Run.open(path) for key, path in _by_name(checkpoints).items()}
    bases = {key: Run.open(path) for key, path in _by_name([base, *(base_at or ())]).items()}
    first = next(iter(bases.values()))
    config = {"base": str(base), "checkpoints": list(map(str, checkpoints)), **asdict(options)}
    with (
        console.progress_bars(quiet=quiet or json) as progress,
        tracked(tracking, "dynamics", out, config, json=json) as record,
    ):
        told = record.progress(progress)
        table = training_dynamics(first, runs, options, by=by.value, progress=told)
        matched = (
            matched_support(bases, runs, options, progress=told)
            if by is Order.temperature
            else None
        )
        write_dynamics(table, out)
        if matched is not None:
            write_matched(matched, out)
        record.log(table_numbers("dynamics", table.rows))
        record.keep(out, table.caption)
    if matched is None:
        print_table(table, json=json)
    else:
        print_tables([table, matched.table], matched.notes, json=json)
    if not json:
        console.result(f"{'Table' if matched is None else 'Tables'} and figure: {out}")


def _by_name(paths: list[Path]) -> dict[str, Path]:
    """Paths by their last part, or from their common folder on where two have one last part."""
    from rlvr_fast.errors import InvalidInputError

    for path in paths:
        if paths.count(path) > 1:
            raise InvalidInputError(f"{path} is given twice: a run stands once in a table")
    whole = [path.absolute() for path in paths]
    names = [path.name for path in whole]
    if len(set(names)) < len(names):
        common = Path(os.path.commonpath(whole))
        names = [str(path.relative_to(common)) for path in whole]
    return dict(zip(names, paths, strict=True))


def references(
    base: BaseRun,
    rl: RlRun,
    traces: Annotated[
        Path, typer.Argument(help="Reference traces: imported, then scored under each model.")
    ],
    options: Annotated[CompareOptions, "rule", "zeta", "epsilon", "allow"],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table as CSV, JSON and LaTeX.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the perplexity of given traces, by region of support."""
    from rlvr_fast.report.comparison import compare_runs
    from rlvr_fast.report.dynamics import reference_perplexity
    from rlvr_fast.report.folder import check_folder
    from rlvr_fast.report.table import write_tables
    from rlvr_fast.store import Run

    if out is not None:
        check_folder(out)
    opened = Run.open(traces)
    with console.progress_bars(quiet=quiet or json) as progress:
        comparison = compare_runs(Run.open(base), Run.open(rl), options, progress=progress)
    table = reference_perplexity(comparison, opened)
    if out is not None:
        write_tables([table], out)
    print_table(table, json=json)


def plan(
    base: BaseRun,
    rl: RlRun,
    options: Annotated[CompareOptions, "zeta", "epsilon", "allow"],
    budget: Annotated[int | None, typer.Option(min=1, help="Samples to spend, in all.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the plan, which `rlvr-fast sample --plan FILE` follows."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show where more samples would decide the most labels.

    The labels are those that the rule epsilon leaves open at the epsilon that is printed; with
    --epsilon it is the one given. No report folder is read.
    """
    from rlvr_fast.report.comparison import compare_runs
    from rlvr_fast.report.planning import sampling_plan, write_sampling_plan
    from rlvr_fast.store import Run

    with console.progress_bars(quiet=quiet or json) as progress:
        comparison = compare_runs(Run.open(base), Run.open(rl), options, progress=progress)
    undetermined, rows = sampling_plan(comparison, budget=budget)
    if out is not None:
        write_sampling_plan(comparison, rows, out)
        for side in comparison.sides:
            if side.run.info.imported:
                console.note(
                    f"{side.run.path} is imported: draw its samples where it was drawn, and import "
                    "them"
                )
    if json:
        threshold = comparison.threshold.as_dict()
        console.print_json({"epsilon": threshold, "undetermined": undetermined, "plan": rows})
        return
    console.result(f"{undetermined} labels are undetermined under the epsilon rule.")
    console.result(_epsilon_text(comparison.threshold))
    if rows:
        columns = ("problem", "base +", "RL +", "probability", "samples", "decided")
        shown = rows[:_MOST_ROWS]
        console.print_table("Sample these first", columns, [list(row.values()) for row in shown])
        if len(shown) < len(rows):
            console.result(f"{len(shown):,} of {len(rows):,} problems are shown; --json gives all.")
    if out is not None:
        console.result(f"Plan: {out}. To follow it: rlvr-fast sample MODEL --out RUN --plan {out}")


def _epsilon_text(threshold: Threshold) -> str:
    """The threshold of a plan, and how a comparison after further draws keeps it."""
    text = f"epsilon = {threshold.value!r}"
    if threshold.least < threshold.most:
        text += (
            f" (-ln(zeta)/n is {threshold.least:.3g} to {threshold.most:.3g} over the problems, by "
            "their numbers of samples)"
        )
    if threshold.value >= 1:
        return f"{text}: the samples are too few for the rule to decide any label."
    return (
        f"{text}. After more samples, `compare --epsilon {threshold.value!r}` keeps it, so that "
        "labels decided so far keep their threshold."
    )

"""The command line: argument parsing only. The work is in study.py, the drawing in console.py.

Exit codes: 0 done, 2 bad input, 1 failure, 130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlvr_fast import __version__, console
from rlvr_fast.errors import InvalidInputError, MissingDependencyError, RlvrError

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress

app = typer.Typer(
    name="rlvr-fast",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What did RLVR do to the answers a base model could already reach, and how sure are we?",
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
Rule = Annotated[str, typer.Option(help="Support rule: 'seen' or 'epsilon'.")]
Zeta = Annotated[float, typer.Option(help="1 - confidence of the detection threshold.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="A difference between the runs to accept; may be repeated."),
]
RunDir = Annotated[Path, typer.Argument(help="A run directory.", show_default=False)]


def _version(value: bool) -> None:
    if value:
        print(f"rlvr-fast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and the report.")] = Path("demo"),
    quick: Annotated[bool, typer.Option(help="A few problems, a few seconds.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The whole job on the embedded pair of models: a base and its RL-trained twin."""
    from rlvr_fast import study

    _study(study.demo_config(out, quick=quick), json=json, quiet=quiet)


@app.command(name="study")
def study_command(
    config: Annotated[Path, typer.Argument(help="A study file (YAML).", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Overrides the file's `out`.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample, grade, score, compare and report; run again to finish what is missing."""
    from rlvr_fast import study

    _study(study.with_out(study.StudyConfig.from_yaml(config), out), json=json, quiet=quiet)


def _study(config: Any, *, json: bool, quiet: bool) -> None:
    from rlvr_fast import study

    with console.progress_bars(quiet=quiet or json) as progress:
        result = study.run_study(config, progress=progress)
    _show(result.comparison, result.report, json=json)


def _stage(what: str, work: Callable[[Progress | None], Any], *, json: bool, quiet: bool) -> None:
    """Runs one stage under its progress bar, and says what the run it returns holds now."""
    from rlvr_fast.doctor import describe

    with console.progress_bars(quiet=quiet or json) as progress:
        run = work(progress)
    facts = describe(run)
    if json:
        console.print_json(facts)
    else:
        counts = ", ".join(f"{v:,} {k}" for k, v in facts["counts"].items())
        console.result(f"{run.path}: {what}: {counts}")


def _show(comparison: Any, page: Path, *, json: bool) -> None:
    summary = comparison.summary()
    if json:
        console.print_json({**summary, "report": str(page)})
        return
    console.result(comparison.headline())
    columns, rows = comparison.headline_table()
    title = f"Problems kept, lost and found (rule: {comparison.rule})"
    console.print_table(title, columns, rows)
    console.result(f"Report: {page}")


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="A local directory, .gguf file or hub name.")],
    tasks: Annotated[
        list[str],
        typer.Option(
            help="reasoning_gym:NAME?size=50&seed=7, math:FILE, code:humaneval; may be repeated."
        ),
    ],
    samples: Annotated[int, typer.Option(min=1, help="Completions a problem, in all.")],
    out: Annotated[Path, typer.Option(help="The run directory, new or to be topped up.")],
    engine: Annotated[str, typer.Option(help="'transformers' or 'vllm'.")] = "transformers",
    revision: Annotated[str | None, typer.Option(help="Hub revision of the model.")] = None,
    template: Annotated[
        str, typer.Option(help="'auto', 'plain', 'chat', or a file with {question}.")
    ] = "auto",
    temperature: Annotated[float, typer.Option(min=0.0)] = 0.6,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.95,
    max_tokens: Annotated[int, typer.Option(min=1)] = 16384,
    seed: Annotated[int, typer.Option()] = 0,
    stop: Annotated[list[str] | None, typer.Option(help="Stop string; may be repeated.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw completions into a run directory; a killed run goes on where it stopped."""
    from rlvr_fast import study

    params = study.sampling_parameters(
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        stop=tuple(stop or ()),
    )
    _stage(
        "samples",
        lambda progress: study.sample(
            model,
            tasks=tasks,
            samples=samples,
            out=out,
            params=params,
            engine=engine,
            revision=revision,
            template=template,
            progress=progress,
        ),
        json=json,
        quiet=quiet,
    )


@app.command()
def grade(
    run: RunDir,
    policy: Annotated[
        str,
        typer.Option(
            help="Extraction: auto, answer_tag, boxed, after_think, final_line, last_number, "
            "code_block."
        ),
    ] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Verifier processes.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one answer.")] = 5.0,
    audit: Annotated[int, typer.Option(min=0, help="Verdicts to check a second way.")] = 0,
    regrade: Annotated[bool, typer.Option(help="Grade anew, under another policy say.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Extract and verify the answers, each distinct one once."""
    from rlvr_fast import study

    _stage(
        "grades",
        lambda progress: study.grade(
            run,
            policy=policy,
            workers=workers,
            timeout=timeout,
            audit=audit,
            regrade=regrade,
            progress=progress,
        ),
        json=json,
        quiet=quiet,
    )


@app.command()
def score(
    run: RunDir,
    model: Annotated[str, typer.Option(help="The model that scores (not the one that drew).")],
    label: Annotated[
        str | None, typer.Option(help="Name of the scores, e.g. 'base' or 'rl'.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Hub revision of the model.")] = None,
    as_sampled: Annotated[
        bool,
        typer.Option(help="Under the run's own temperature and top-p, into LABEL-sampling."),
    ] = False,
    per_token: Annotated[bool, typer.Option(help="Keep per-token log-probs, entropies.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Teacher-force the run's completions: log-prob, entropy, perplexity under a model."""
    from rlvr_fast import study

    _stage(
        "scores",
        lambda progress: study.score(
            run,
            model,
            label=label or Path(model).name,
            revision=revision,
            as_sampled=as_sampled,
            per_token=per_token,
            progress=progress,
        ),
        json=json,
        quiet=quiet,
    )


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="The base model's graded run.")],
    rl: Annotated[Path, typer.Argument(help="The RL-trained model's graded run.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    rule: Rule = "seen",
    zeta: Zeta = 0.05,
    allow: Allow = None,
    k: Annotated[
        list[int] | None,
        typer.Option(min=1, help="A further k for pass@k, besides powers of two; repeatable."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two graded runs: tables, figures and one HTML page."""
    from rlvr_fast import study

    with console.progress_bars(quiet=quiet or json) as progress:
        comparison, page = study.compare(
            base,
            rl,
            out=out,
            rule=rule,
            zeta=zeta,
            allow=allow or (),
            ks=k or (),
            progress=progress,
        )
    _show(comparison, page, json=json)


@app.command(name="import")
def import_command(
    rollouts: Annotated[Path, typer.Argument(help="Finished completions: JSONL or Parquet.")],
    out: Annotated[Path, typer.Option(help="The run directory to make.")],
    model: Annotated[str, typer.Option(help="The model that drew them, as recorded.")],
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="Which field holds what, e.g. completion=response, gold=answer; repeatable. "
            "Fields named question, completion, problem_id, gold, task, sample_index, token_ids or "
            "finish_reason are taken as they are; gold= leaves one out."
        ),
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="As drawn.")] = None,
    top_p: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="As drawn.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="As drawn.")] = None,
    task: Annotated[str, typer.Option(help="Name of the task.")] = "imported",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a run directory of completions that already exist."""
    from rlvr_fast.store import import_rollouts

    fields: dict[str, str | None] = {}
    for entry in field or ():
        name, sign, source = entry.partition("=")
        if not sign or not name:
            raise InvalidInputError(f"--field takes NAME=SOURCE, not {entry!r}")
        fields[name] = source or None
    sampling = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    _stage(
        "samples",
        lambda progress: import_rollouts(
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


@app.command()
def dynamics(
    base: Annotated[Path, typer.Argument(help="The base model's graded run.")],
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Graded runs of checkpoints, in the order of training.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for table and figure.")] = Path("dynamics"),
    rule: Rule = "seen",
    zeta: Zeta = 0.05,
    allow: Allow = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Follow a training: several checkpoints against one base run."""
    from rlvr_fast import study

    names = [path.name for path in checkpoints]
    keys = names if len(set(names)) == len(names) else [str(path) for path in checkpoints]
    with console.progress_bars(quiet=quiet or json) as progress:
        table = study.dynamics(
            base,
            dict(zip(keys, checkpoints, strict=True)),
            out=out,
            rule=rule,
            zeta=zeta,
            allow=allow or (),
            progress=progress,
        )
    _print(table, json=json)
    if not json:
        console.result(f"Table and figure: {out}")


@app.command()
def references(
    base: Annotated[Path, typer.Argument(help="The base model's graded run.")],
    rl: Annotated[Path, typer.Argument(help="The RL-trained model's graded run.")],
    traces: Annotated[
        Path, typer.Argument(help="Reference traces: imported, then scored under each model.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table as CSV, JSON and LaTeX.")
    ] = None,
    rule: Rule = "seen",
    zeta: Zeta = 0.05,
    allow: Allow = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Perplexity of given reference traces on kept, lost, found and unsolved problems."""
    from rlvr_fast import study

    with console.progress_bars(quiet=quiet or json) as progress:
        table = study.references(
            base,
            rl,
            traces,
            out=out,
            rule=rule,
            zeta=zeta,
            allow=allow or (),
            progress=progress,
        )
    _print(table, json=json)


def _print(table: Any, *, json: bool) -> None:
    if json:
        console.print_json({"caption": table.caption, "rows": table.rows})
        return
    kinds = [column.kind == "text" for column in table.columns]
    heads = kinds.index(False) if False in kinds else 1
    titles = [column.title for column in table.columns]
    console.print_table(table.caption, titles, table.cells(), heads=heads)


@app.command()
def plan(
    base: Annotated[Path, typer.Argument(help="The base model's graded run.")],
    rl: Annotated[Path, typer.Argument(help="The RL-trained model's graded run.")],
    budget: Annotated[int | None, typer.Option(min=1, help="Samples to spend, in all.")] = None,
    zeta: Zeta = 0.05,
    allow: Allow = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Where more samples would decide the most labels that the epsilon rule leaves open."""
    from rlvr_fast import study

    with console.progress_bars(quiet=quiet or json) as progress:
        undetermined, rows = study.plan(
            base, rl, zeta=zeta, budget=budget, allow=allow or (), progress=progress
        )
    if json:
        console.print_json({"undetermined": undetermined, "plan": rows})
        return
    console.result(f"{undetermined} labels are undetermined under the epsilon rule.")
    if rows:
        columns = ("problem", "base +", "RL +", "chance", "samples", "decided")
        console.print_table("Sample these first", columns, [list(row.values()) for row in rows])


@app.command()
def replay(json: Json = False) -> None:
    """Recompute the published tables of both papers from their own counts."""
    from rlvr_fast import study

    rows = study.replay()
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


@app.command()
def bench(
    device: Annotated[str, typer.Option(help="'auto' (a GPU if any), 'cpu' or 'cuda'.")] = "auto",
    quick: Annotated[bool, typer.Option(help="Small shapes, a few seconds.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time the scoring kernels beside this machine's own measured limits."""
    from rlvr_fast import study

    with console.progress_bars(quiet=quiet or json) as progress:
        machine, rows = study.bench(device=device, quick=quick, progress=progress)
    if json:
        console.print_json({"machine": machine, "rows": rows})
        return
    console.print_table("This machine", ("what", "measured"), list(machine.items()))
    columns = ("kernel", "ms", "limit", "limit ms", "share", "error")
    keys = ("what", "median_ms", "limit", "limit_ms", "share_of_limit", "error_against_float64")
    console.print_table("Kernels", columns, [[row[key] for key in keys] for row in rows])


@app.command()
def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run directory to examine.")] = None,
    repair: Annotated[bool, typer.Option(help="Move damaged parts aside.")] = False,
    json: Json = False,
) -> None:
    """Examine a run directory (or, without one, this installation)."""
    from rlvr_fast import doctor as examine

    if run is None:
        facts = examine.examine_installation()
        if json:
            console.print_json(facts)
        else:
            console.print_table("This installation", ("what", "state"), list(facts.items()))
        return
    findings = examine.examine_run(run, repair=repair)
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


def main() -> None:
    """Entry point of `rlvr-fast`."""
    console.spare_the_terminal()
    try:
        app(prog_name="rlvr-fast")
    except (InvalidInputError, MissingDependencyError) as problem:
        console.error(str(problem))
        sys.exit(2)
    except RlvrError as problem:
        console.error(str(problem))
        sys.exit(1)
    except OSError as problem:
        if problem.filename is None:
            raise
        console.error(f"{problem.filename}: {problem.strerror}")
        sys.exit(1)

"""The command import, and the printed account of what an import found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlvr_fast import console
from rlvr_fast.cli.parameters import Json, Quiet
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.tasks.schemes import scheme_of

if TYPE_CHECKING:
    from rlvr_fast.store import ImportSummary

__all__ = ["import_rollouts", "print_summary"]

_TAIL = 300


def import_rollouts(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Finished completions: files, folders, patterns, or - for standard input; "
            "several are one run.",
            show_default=False,
        ),
    ],
    options: ImportOptions,
    out: Annotated[Path | None, typer.Option(help="The run directory to make.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that drew them; by default as the files say.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Its revision.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a run directory of completions that already exist.

    The layouts of many trainers and harnesses are recognised: docs/import.md.
    """
    from rlvr_fast import store
    from rlvr_fast.doctor import describe

    if dry_run:
        with console.progress_bars(quiet=quiet or json) as progress:
            summary = store.preview_rollouts(sources, options, model=model, progress=progress)
        if json:
            console.print_json(summary.to_json() | _found(summary))
        else:
            print_summary(summary, full=True)
        return
    if out is None:
        raise InvalidInputError("where to? --out RUN names the run directory to make")
    found: list[ImportSummary] = []
    with console.progress_bars(quiet=quiet or json) as progress:
        run = store.import_rollouts(
            sources,
            out,
            options,
            model=model,
            revision=revision,
            told=found.append,
            progress=progress,
        )
    if json:
        console.print_json(describe(run))
        return
    for summary in found:
        print_summary(summary)
    facts = describe(run)["counts"]
    already = "" if found else " (imported before, from these very files)"
    console.result(
        f"{run.path}: {facts['problems']:,} problems, {facts.get('samples', 0):,} samples{already}"
    )


def print_summary(summary: ImportSummary, *, full: bool = False) -> None:
    """Prints what an import found.

    Args:
        summary: the import.
        full: with an example, and every field.
    """
    for name, text in summary_lines(summary, full=full):
        console.result(f"{name + ':':<19}{text}")


def summary_lines(summary: ImportSummary, *, full: bool) -> list[tuple[str, str]]:
    """(what, text) of each line about an import."""
    draws = [problem.draws for problem in summary.problems]
    spread = f"{min(draws)}" if min(draws) == max(draws) else f"{min(draws)} to {max(draws)}"
    golds = sum(problem.gold is not None for problem in summary.problems)
    posed = bool(summary.specs)
    tested = "code_block" in {scheme_of(spec).policy for spec in summary.specs}
    lines = [
        ("layout", f"{summary.reader} ({summary.layout})"),
        ("files", _listed([s["name"] for s in summary.sources])),
        ("model", _model(summary)),
        ("problems", f"{len(draws):,} x {spread} completions = {summary.draws:,}"),
        ("fields", _fields(summary)),
        ("gold answers", "the task's tests" if tested else _golds(summary, golds)),
        ("verdicts", _verdicts(summary)),
        ("sampling", _sampling(summary.sampling)),
        ("finish reasons", _counted(summary.finish_reasons)),
    ]
    if posed or summary.matched:
        lines.insert(6, ("problems from", summary.matched or "the tasks that the rows name"))
    if not tested:
        lines.append(("answers found", _answers(summary.first_texts)))
    if summary.special_tokens:
        lines.append(("cut at", _counted(summary.special_tokens)))
    if summary.prompts_cut:
        lines.append(("prompt cut", f"in front of {_several(summary.prompts_cut, 'completion')}"))
    if summary.with_logprobs:
        lines.append(("log-probs", _counted(summary.with_logprobs)))
    if summary.repeated:
        repeated = _several(summary.repeated, "completion")
        lines.append(("repeated", f"{repeated} equal to another of the same problem"))
    for why, number in summary.left_out.items():
        rows = _several(number, "row")
        lines.append(("left out", f"{rows}: {why} (first: {summary.examples[why]})"))
    if summary.skipped and full:
        lines += [("skipped", f"{name}: {why}") for name, why in summary.skipped[:20]]
        if len(summary.skipped) > 20:
            lines.append(("skipped", f"and {_several(len(summary.skipped) - 20, 'file')} more"))
    elif summary.skipped:
        files = _several(len(summary.skipped), "file")
        lines.append(("skipped", f"{files} without rollouts (import --dry-run names them)"))
    lines += [("note", note) for note in summary.notes]
    if full and summary.first_texts:
        problem = summary.problems[0]
        lines.append(("a problem", _shortened(problem.question or problem.problem_id)))
        if problem.gold is not None:
            lines.append(("its gold", problem.gold))
        lines.append(("a completion ends", _tail(summary.first_texts[0])))
    return lines


def _found(summary: ImportSummary) -> dict[str, Any]:
    """What a preview found besides what import.json records."""
    golds = sum(problem.gold is not None for problem in summary.problems)
    return {
        "draws": summary.draws,
        "problems": len(summary.problems),
        "golds": golds,
        "model": summary.model,
        "sampling": summary.sampling,
        "finish_reasons": dict(summary.finish_reasons),
        "skipped": [{"file": name, "why": why} for name, why in summary.skipped],
        "left_out_first": summary.examples,
    }


def _golds(summary: ImportSummary, golds: int) -> str:
    if golds:
        return f"{golds:,} of {len(summary.problems):,} problems"
    if summary.verdict is not None:
        return "none; the verdicts that came along need none"
    return "none, and no verdicts: --problems math:FILE, --field gold=PATH or --verdict FIELD"


def _model(summary: ImportSummary) -> str:
    name = str(summary.model.get("name"))
    return name if summary.model_said else f"not named in the files; taken as {name!r}"


def _fields(summary: ImportSummary) -> str:
    """ROLE=PATH of each field; the roles that a reader of nested rows makes come last."""
    made = [role for role, path in summary.fields.items() if path.startswith("as ")]
    named = [f"{role}={path}" for role, path in summary.fields.items() if role not in made]
    if made:
        named.append(f"{', '.join(made)} as the layout has them")
    return ", ".join(named)


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _tail(text: str) -> str:
    return text if len(text) <= _TAIL else "..." + text[-_TAIL:]


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{len(names):,}: {names[0]}, {names[1]}, ..., {names[-1]}"


def _verdicts(summary: ImportSummary) -> str:
    if summary.verdict is None:
        return "none came along"
    counts = {key: value for key, value in summary.verdict.items() if key != "rule" and value}
    return f"{summary.verdict['rule']}: {_counted(counts)}"


def _sampling(sampling: dict[str, Any]) -> str:
    known = {k: v for k, v in sampling.items() if v is not None and v != []}
    return ", ".join(f"{k} {v}" for k, v in known.items()) or "not recorded in the files"


def _counted(counts: Any) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _answers(texts: Sequence[str]) -> str:
    from rlvr_fast.answers import extract_answers

    if not texts:
        return "no texts"
    _, statuses = extract_answers(list(texts))
    found = sum(status == "found" for status in statuses)
    return f"in {found:,} of the first {len(texts):,} completions"


def _shortened(text: str) -> str:
    return text if len(text) <= _TAIL else text[: _TAIL - 3] + "..."

"""Several runs against one base: the checkpoints of a training, and given reference traces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import pass_at_k_interval, perplexity, support_ratios, support_shift
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.columns import rule_text
from rlvr_fast.report.comparable import check_comparable
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.figures import COLOURS, STYLE, new_figure, plain_name, save_figure
from rlvr_fast.report.imported import gradable_problems
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.problems import IntArray, common_problems, read_problems, task_domains
from rlvr_fast.report.scores import read_scores
from rlvr_fast.report.sections.entropy import entropy_row
from rlvr_fast.report.several import (
    depth_of_curves,
    depth_text,
    fewest_draws,
    interval_columns,
    limits,
    reach,
    shift_at,
    whole,
)
from rlvr_fast.report.sides import Side, read_side
from rlvr_fast.report.table import Column, Kind, Table, write_tables
from rlvr_fast.report.temperature import (
    dependences,
    temperature_of,
    temperature_order,
    with_temperature,
)
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import LABEL_KEYS, REGIONS

__all__ = ["Order", "reference_perplexity", "training_dynamics", "write_dynamics"]

# The order of the rows: of training, or of the temperature that the runs were drawn at.
Order = Literal["order", "temperature"]
T = TypeVar("T")

_REGION_KEYS = ("preserved", "shrunk", "expanded", "out")


def training_dynamics(
    base: Run,
    checkpoints: Mapping[str, Run],
    options: CompareOptions = CompareOptions(),
    *,
    by: Order = "order",
    progress: Progress | None = None,
) -> Table:
    """Support, accuracy, entropy and length of each checkpoint against one base run.

    The first row is the base run itself. The problems are the ones that all runs share. Under the
    rule "seen" every problem is compared at the least number of samples that any run has of it: the
    counts are expected values over every choice of so many draws. Under the rule "epsilon" all
    runs have one threshold. pass@k is given at 1, at `options.k`, and at the largest k that nine
    of ten problems have in all runs, over those problems.

    Args:
        base: a graded run of the base model.
        checkpoints: a name ("step 100") to a graded run, in the order of training.
        options: as for `compare_runs`.
        by: the order of the rows: as given, or by the temperature of sampling, which may then
            differ between the runs.
        progress: called as progress("read", runs read, runs in all).

    Raises:
        InvalidInputError: no checkpoint, or a run that is not comparable with the base.
        RunDirectoryError: a run that is not graded.
    """
    if not checkpoints:
        raise InvalidInputError("checkpoints is empty: give at least one run to compare with base")
    if by not in get_args(Order):
        raise InvalidInputError(f"by is {by!r}, expected one of {', '.join(get_args(Order))}")
    problems = read_problems(base, task_domains(base.info.tasks))
    left_out = 0
    for run in checkpoints.values():
        allow = with_temperature(base, run, options.allow) if by == "temperature" else options.allow
        check_comparable(base, run, allow)
        shared = common_problems(problems, run)
        problems, _ = gradable_problems(shared, base, run)
        left_out += len(shared) - len(problems)
    step = steps(progress, "read", 1 + len(checkpoints))
    sides = {"base": _summed(read_side(base, "base", problems.ids))}
    step()
    for name, run in checkpoints.items():
        ids = common_problems(problems, run).rl_ids
        sides[name] = replace(_summed(read_side(run, "rl", ids)), name=name)
        step()
    rows = list(sides.items())
    if by == "temperature":
        rows[1:] = sorted(rows[1:], key=lambda row: temperature_order(row[1]))
    depth = fewest_draws([side.draws for side in sides.values()])
    k = depth_of_curves(depth)
    further = [at for at in sorted(set(options.k)) if at not in (1, k)]
    temperatures = {temperature_of(side) for side in sides.values()}
    table = [
        _dynamics_row(name, sides["base"], side, depth, further, options) for name, side in rows
    ]
    seen = options.rule == "seen"
    counts: Kind = "count" if all(whole(r[x]) for r in table for x in _REGION_KEYS) else "length"
    columns = (
        Column("checkpoint", "checkpoint"),
        *([Column("temperature", "T", "number", "temperature")] if len(temperatures) > 1 else []),
        Column("preserved", "P", counts, "reached by both"),
        Column("shrunk", "S", counts, "reached by the base only"),
        Column("expanded", "E", counts, "reached by the checkpoint only"),
        Column("out", "O", counts, "reached by neither"),
        *([] if seen else [Column("undetermined", "?", "count", "the samples do not decide")]),
        *interval_columns("srr", "SRR", "share", "support retention rate, P/(P+S)"),
        *interval_columns("ndr", "NDR", "share", "net discovery rate, E/(P+E)"),
        Column("sds", "SDS", "share"),
        Column("nscr", "NSCR", "signed"),
        *interval_columns("pass_at_1", "pass@1", "share"),
        *(Column(f"pass_at_{at}", f"pass@{at}", "share") for at in further),
        *interval_columns("pass_at_n", f"pass@{k}", "share"),
        Column("token_entropy", "token entropy", "share", "nats"),
        Column("answer_entropy", "answer entropy", "share", "nats"),
        Column("mean_length", "length", "length", "tokens"),
    )
    rule = rule_text(options.rule, options.zeta)
    if not seen:
        rule += f", ε = {_epsilon(options, k):.3g} for every run"
    caption = (
        f"{'Temperatures' if by == 'temperature' else 'Training dynamics'}, {depth_text(depth)} "
        f"({rule})"
        + (f"; {left_out} without a gold answer are left out" if left_out else "")
        + "."
        + "".join(f" {text}" for text in dependences(sides.values()))
    )
    return Table("dynamics", caption, columns, table)


def _summed(side: Side) -> Side:
    """A run without what it holds for every draw and every answer: there may be many runs."""
    return replace(
        side, answers=_emptied(side.answers), scores={}, completions=_emptied(side.completions)
    )


def _emptied(columns: T) -> T:
    """Columns of one length, of none; copies, as a slice would keep the whole."""
    return replace(
        columns,  # type: ignore[type-var]
        **{
            f.name: value[:0].copy() if isinstance(value, np.ndarray) else value[:0]
            for f in fields(columns)  # type: ignore[arg-type]
            if isinstance(value := getattr(columns, f.name), (np.ndarray, tuple))
        },
    )


def _epsilon(options: CompareOptions, depth: int) -> float:
    """The one threshold of the rule "epsilon" for all runs."""
    if options.epsilon is not None:
        return options.epsilon
    return -math.log(options.zeta) / max(depth, 1)


def _dynamics_row(
    name: str,
    base: Side,
    side: Side,
    depth: IntArray,
    further: list[int],
    options: CompareOptions,
) -> dict[str, Any]:
    k = depth_of_curves(depth)
    entropy = entropy_row(side, np.arange(side.num_samples.size))
    curve = pass_at_k_interval(*side.draws[(depth >= max(k, 1))], k=[1, *further, max(k, 1)])
    ends = [(curve.value[i], curve.low[i], curve.high[i]) for i in (0, -1)]
    if side.repeats.reason:
        ends = [(value, np.nan, np.nan) for value, _, _ in ends]
    return {
        "checkpoint": name,
        "temperature": temperature_of(side),
        **_labels(base, side, depth, options),
        **limits("pass_at_1", *ends[0]),
        **{
            f"pass_at_{at}": float(value)
            for at, value in zip(further, curve.value[1:], strict=False)
        },
        **limits("pass_at_n", *ends[1]),
        "token_entropy": entropy.token,
        "answer_entropy": entropy.answer,
        "mean_length": entropy.mean_length,
    }


def _labels(base: Side, side: Side, depth: IntArray, options: CompareOptions) -> dict[str, float]:
    """Counts and ratios of one run; the base beside itself keeps what it reaches."""
    if options.rule == "epsilon":
        epsilon = _epsilon(options, depth_of_curves(depth))
        found = support_shift(
            base.draws, side.draws, rule="epsilon", zeta=options.zeta, epsilon=epsilon
        )
        return {**found.as_dict(), **_no_limits(found.srr, found.ndr)}
    if side is base:
        reached = float(reach(base.draws, depth).sum())
        counts = {"preserved": reached, "shrunk": 0.0, "expanded": 0.0}
        ratios = support_ratios(reached, 0.0, 0.0)
        return {
            **counts,
            "out": float((depth > 0).sum()) - reached,
            "sds": float(ratios.sds),
            "nscr": float(ratios.nscr),
            **_no_limits(float(ratios.srr), float(ratios.ndr)),
        }
    one = shift_at(base.draws, side.draws, depth)
    row: dict[str, float] = {key: getattr(one, key).value * one.problems for key in _REGION_KEYS}
    row |= {"sds": one.sds.value, "nscr": one.nscr.value}
    if base.repeats.reason or side.repeats.reason:
        return row | _no_limits(one.srr.value, one.ndr.value)
    return row | limits("srr", *one.srr) | limits("ndr", *one.ndr)


def _no_limits(srr: float, ndr: float) -> dict[str, float]:
    return limits("srr", srr) | limits("ndr", ndr)


def write_dynamics(table: Table, out: str | Path) -> list[Path]:
    """Writes the table (CSV, JSON, LaTeX) and its figure (PNG, SVG, PDF) into `out`."""
    import matplotlib

    folder = Path(out)
    written = write_tables([table], folder)
    names = [plain_name(str(row["checkpoint"])) for row in table.rows]
    x = np.arange(len(names))
    panels = (
        ("pass@k", ("pass_at_1", "pass_at_n"), ("s--", "o-")),
        ("problems", ("preserved", "shrunk", "expanded"), ("o-", "v-", "^-")),
        ("entropy, nats", ("token_entropy", "answer_entropy"), ("s--", "o-")),
    )
    titles = {c.key: c.title for c in table.columns}
    titles |= {region.key: f"{region.letter} {region.word}" for region in REGIONS}
    with matplotlib.rc_context(STYLE):
        figure = new_figure(8.4, 2.6)
        for axis, (title, keys, styles) in zip(
            figure.subplots(1, len(panels)), panels, strict=True
        ):
            for key, style, color in zip(keys, styles, ("base", "rl", "expanded"), strict=False):
                values = np.array([row[key] for row in table.rows], dtype=np.float64)
                shade = COLOURS.get(key, COLOURS[color])
                axis.plot(x, values, style, ms=3.5, lw=1.3, color=shade, label=titles[key])
                low, high = (
                    np.array([row.get(f"{key}_{end}", np.nan) for row in table.rows], np.float64)
                    for end in ("low", "high")
                )
                axis.vlines(x, low, high, color=shade, lw=1.0, alpha=0.5)
            axis.set_title(title)
            axis.set_xticks(x, names, rotation=30, ha="right")
            axis.set_ylim(bottom=0)
            axis.legend()
        written += save_figure(figure, folder / table.name)
    return written


def reference_perplexity(comparison: Comparison, traces: Run) -> Table:
    """Perplexity of given reference traces under every model that scored them, by region.

    Rows are split by the region of the problem under the comparison's rule, as in table 2 of
    arXiv 2507.14843.

    Args:
        comparison: the two runs.
        traces: a run directory of finished completions (`rlvr-fast import`) on problems of the
            comparison, scored with `rlvr-fast score` under one label per model.

    Raises:
        InvalidInputError: the traces hold no scores of problems of the comparison.
    """
    labels = np.array(comparison.labels())
    rows: list[dict[str, Any]] = []
    shared = common_problems(comparison.problems, traces)
    place = {problem_id: i for i, problem_id in enumerate(comparison.problems.ids)}
    rows_of = np.array([place[problem_id] for problem_id in shared.ids], np.int64)
    for label, scores in read_scores(traces, shared.rl_ids).items():
        value = perplexity(scores.logprob, scores.num_tokens)
        for region in ("all", *LABEL_KEYS):
            mask = np.isfinite(value)
            if region != "all":
                mask &= labels[rows_of[scores.problem]] == region
            if mask.any():
                low, median, high = np.quantile(value[mask], [0.25, 0.5, 0.75])
                rows.append(
                    {
                        "scored_by": label,
                        "region": region,
                        "number": int(mask.sum()),
                        "problems": int(np.unique(scores.problem[mask]).size),
                        "mean": float(value[mask].mean()),
                        "lower": float(low),
                        "median": float(median),
                        "upper": float(high),
                    }
                )
    if not rows:
        raise InvalidInputError(
            f"{traces.path} holds no scores of problems of this comparison; score it first: "
            f"rlvr-fast score {traces.path} --model MODEL --label base"
        )
    columns = (
        Column("scored_by", "under model"),
        Column("region", "problems"),
        Column("number", "traces", "count"),
        Column("problems", "on problems", "count"),
        Column("mean", "mean", "decimal"),
        Column("lower", "lower quartile", "decimal"),
        Column("median", "median", "decimal"),
        Column("upper", "upper quartile", "decimal"),
    )
    caption = f"Perplexity of reference traces, by region (rule: {comparison.rule})."
    return Table("reference_perplexity", caption, columns, rows)

"""Several runs against one base: the checkpoints of a training, and given reference traces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import pass_at_k, perplexity, support_shift
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.columns import rule_text, shift_cells
from rlvr_fast.report.comparable import check_comparable
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.figures import COLOURS, STYLE, new_figure, save_figure
from rlvr_fast.report.imported import gradable_problems
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.problems import common_problems, read_problems, task_domains
from rlvr_fast.report.scores import read_scores
from rlvr_fast.report.sections.entropy import entropy_row
from rlvr_fast.report.sides import Side, read_side, sample_ks
from rlvr_fast.report.table import Column, Table, write_tables
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import LABEL_KEYS, REGIONS

__all__ = ["reference_perplexity", "training_dynamics", "write_dynamics"]


def training_dynamics(
    base: Run,
    checkpoints: Mapping[str, Run],
    options: CompareOptions = CompareOptions(),
    *,
    progress: Progress | None = None,
) -> Table:
    """Support, accuracy, entropy and length of each checkpoint against one base run.

    The first row is the base run itself. The problems are the ones that all runs share. pass@k is
    given at 1, at `options.k`, and at the largest number of samples that all runs have.

    Args:
        base: a graded run of the base model.
        checkpoints: a name ("step 100") to a graded run, in the order of training.
        options: as for `compare_runs`.
        progress: called as progress("read", runs read, runs in all).

    Raises:
        InvalidInputError: no checkpoint, or a run that is not comparable with the base.
        RunDirectoryError: a run that is not graded.
    """
    if not checkpoints:
        raise InvalidInputError("checkpoints is empty: give at least one run to compare with base")
    problems = read_problems(base, task_domains(base.info.tasks))
    left_out = 0
    for run in checkpoints.values():
        check_comparable(base, run, options.allow)
        shared = common_problems(problems, run)
        problems, _ = gradable_problems(shared, base, run)
        left_out += len(shared) - len(problems)
    step = steps(progress, "read", 1 + len(checkpoints))
    first = read_side(base, "base", problems.ids)
    step()
    sides = {}
    for name, run in checkpoints.items():
        sides[name] = read_side(run, "rl", common_problems(problems, run).rl_ids)
        step()
    depth = min(ks[-1] if (ks := sample_ks(first, side)) else 0 for side in sides.values())
    further = [k for k in sorted(set(options.k)) if k not in (1, depth)]
    rows = [
        _dynamics_row(name, first, side, depth, further, options)
        for name, side in (("base", first), *sides.items())
    ]
    columns = (
        Column("checkpoint", "checkpoint"),
        Column("preserved", "P", "count", "reached by both"),
        Column("shrunk", "S", "count", "reached by the base only"),
        Column("expanded", "E", "count", "reached by the checkpoint only"),
        Column("out", "O", "count", "reached by neither"),
        Column("srr", "SRR", "share"),
        Column("ndr", "NDR", "share"),
        Column("sds", "SDS", "share"),
        Column("nscr", "NSCR", "signed"),
        Column("pass_at_1", "pass@1", "share"),
        *(Column(f"pass_at_{k}", f"pass@{k}", "share") for k in further),
        Column("pass_at_n", f"pass@{depth}", "share"),
        Column("token_entropy", "token entropy", "share", "nats"),
        Column("answer_entropy", "answer entropy", "share", "nats"),
        Column("mean_length", "length", "length", "tokens"),
    )
    caption = (
        f"Training dynamics, {len(problems)} problems ({rule_text(options.rule, options.zeta)})"
        + (f"; {left_out} without a gold answer are left out." if left_out else ".")
    )
    return Table("dynamics", caption, columns, rows)


def _dynamics_row(
    name: str, base: Side, side: Side, depth: int, further: list[int], options: CompareOptions
) -> dict[str, Any]:
    shift = support_shift(base.draws, side.draws, rule=options.rule, zeta=options.zeta)
    entropy = entropy_row(side, np.arange(side.num_samples.size))
    curve = pass_at_k(side.num_samples, side.num_correct, [1, *further, max(depth, 1)])
    known = np.isfinite(curve)
    number = known.sum(axis=0)
    mean = np.where(known, curve, 0.0).sum(axis=0) / np.maximum(number, 1)
    mean = np.where(number > 0, mean, np.nan)
    return {
        "checkpoint": name,
        **shift_cells(shift),
        "pass_at_1": float(mean[0]),
        **{f"pass_at_{k}": float(value) for k, value in zip(further, mean[1:], strict=False)},
        "pass_at_n": float(mean[-1]),
        "token_entropy": entropy.token,
        "answer_entropy": entropy.answer,
        "mean_length": entropy.mean_length,
    }


def write_dynamics(table: Table, out: str | Path) -> list[Path]:
    """Writes the table (CSV, JSON, LaTeX) and its figure (PNG, SVG, PDF) into `out`."""
    import matplotlib

    folder = Path(out)
    written = write_tables([table], folder)
    names = [str(row["checkpoint"]) for row in table.rows]
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

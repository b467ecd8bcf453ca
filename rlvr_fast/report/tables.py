"""The tables of a comparison, once as data; written as CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rlvr_fast.metrics import SupportShift
from rlvr_fast.report import analysis
from rlvr_fast.report.comparison import RULES, Comparison, Group, plain
from rlvr_fast.report.sides import IntArray

__all__ = [
    "Column",
    "Table",
    "all_tables",
    "cell_text",
    "headline_table",
    "summary",
    "write_tables",
]

Kind = Literal["text", "count", "share", "signed", "number", "decimal", "length", "p"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: key in the rows, heading, how a value is printed, and what it means."""

    key: str
    title: str
    kind: Kind = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as data. ``caption`` names the rule and level of what is counted."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]


def cell_text(value: Any, kind: Kind) -> str:
    """A value as it is printed; an en dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if kind == "text":
        return str(value)
    if kind == "count":
        return f"{value:,.0f}"
    if kind == "share":
        return f"{value:.3f}"
    if kind == "signed":
        return f"{value:+.3f}".replace("-", "−")
    if kind == "p":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    if kind == "decimal":
        return (f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−")
    if kind == "length":
        return f"{value:,.1f}"
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1e4 else f"{value:,.0f}"


GROUP = (Column("kind", "level"), Column("group", "group"))
SHIFT = (
    Column("problems", "N", "count", "problems"),
    Column("preserved", "P", "count", "preserved: reached by both models"),
    Column("shrunk", "S", "count", "shrunk: reached by the base model only"),
    Column("expanded", "E", "count", "expanded: reached by the RL model only"),
    Column("out", "O", "count", "out of support: reached by neither model"),
    Column("undetermined", "?", "count", "undetermined: the samples do not decide"),
    Column("srr", "SRR", "share", "support retention rate, P/(P+S)"),
    Column("ndr", "NDR", "share", "net discovery rate, E/(P+E)"),
    Column("sds", "SDS", "share", "support dynamic score, harmonic mean of SRR and NDR"),
    Column("nscr", "NSCR", "signed", "net support change rate, (E−S)/(P+E+S)"),
)


def rule_text(rule: str, zeta: float) -> str:
    """The rule in words, for captions."""
    if rule == "seen":
        return "reached = at least one correct draw"
    return f"reached = correct mass above ε = −ln({zeta:g})/n with {1 - zeta:.0%} confidence"


def _group_cells(group: Group) -> dict[str, Any]:
    return {"kind": group.kind, "group": group.name}


def shift_cells(shift: SupportShift) -> dict[str, Any]:
    """Counts and the four ratios."""
    return shift.as_dict()


def support_table(comparison: Comparison, rule: str) -> Table:
    """Problem level, one row per group."""
    rows = [
        {**_group_cells(g), **shift_cells(comparison.group_shift(g, rule))}
        for g in comparison.groups
    ]
    return Table(
        f"support_{rule}",
        f"Support of problems ({rule_text(rule, comparison.zeta)}).",
        GROUP + SHIFT,
        rows,
    )


def evidence_table(comparison: Comparison) -> Table:
    """How much of each group's shift is more than luck (rule "seen", problem level)."""
    rows = []
    for group, e in zip(comparison.groups, comparison.evidence, strict=True):
        shift = comparison.group_shift(group, "seen")
        row: dict[str, Any] = {
            **_group_cells(group),
            "shrunk": shift.shrunk,
            "shrunk_by_luck": e.exchange.shrunk,
            "p_shrunk": e.exchange.p_shrunk,
            "expanded": shift.expanded,
            "expanded_by_luck": e.exchange.expanded,
            "p_expanded": e.exchange.p_expanded,
            "p_sign": e.sign_p,
            "split_half_shrunk": e.split_half.shrunk,
            "worse": e.worse,
            "better": e.better,
        }
        for name in ("srr", "ndr", "sds", "nscr"):
            estimate = getattr(e.interval, name) if e.interval is not None else None
            row[f"{name}_low"] = estimate.low if estimate else None
            row[f"{name}_high"] = estimate.high if estimate else None
            row[f"{name}_least"], row[f"{name}_most"] = getattr(e.bounds, name)
        rows.append(row)
    columns = (
        *GROUP,
        Column("shrunk", "lost", "count", "problems lost under the rule “seen once”"),
        Column("shrunk_by_luck", "by luck", "length", "expected if the two models were one"),
        Column("p_shrunk", "p", "p", "chance of at least as many lost, were the models one"),
        Column("expanded", "found", "count", "problems found under the rule “seen once”"),
        Column("expanded_by_luck", "by luck", "length", "expected if the two models were one"),
        Column("p_expanded", "p", "p", "chance of at least as many found, were the models one"),
        Column("p_sign", "E vs S, p", "p", "exact sign test: found against lost"),
        Column(
            "split_half_shrunk",
            "base vs itself",
            "length",
            "problems lost, and as many found, between two halves of the base model’s draws",
        ),
        Column("worse", "less often", "count", "Fisher’s test, 5 % false discoveries"),
        Column("better", "more often", "count", "Fisher’s test, 5 % false discoveries"),
        *(
            column
            for name in ("srr", "ndr", "sds", "nscr")
            for column in (
                Column(f"{name}_low", f"{name.upper()} low", "share", "95 % interval"),
                Column(f"{name}_high", "high", "share", "95 % interval"),
                Column(f"{name}_least", "least", "share", "if draws without verdict went one way"),
                Column(f"{name}_most", "most", "share", "or the other"),
            )
        ),
    )
    return Table(
        "evidence",
        "How much of the shift is more than luck (problem level, reached = at least one correct "
        "draw). Intervals are for the population of such problems.",
        columns,
        rows,
    )


def answer_table(comparison: Comparison, rule: str) -> Table:
    """Distinct correct answers, one row per group."""
    rows = [
        {**_group_cells(g), **shift_cells(analysis.answer_shift(comparison, g, rule))}
        for g in comparison.groups
    ]
    for row in rows:
        row["answers"] = row.pop("problems")
        del row["out"]
    columns = (
        *GROUP,
        Column("answers", "answers", "count", "distinct correct answers seen by either model"),
        *(c for c in SHIFT if c.key not in ("problems", "out")),
    )
    return Table(
        f"answers_{rule}",
        f"Support of distinct correct answers ({rule_text(rule, comparison.zeta)}).",
        columns,
        rows,
    )


def pass_table(comparison: Comparison) -> Table:
    """pass@k of both models, one row per group and k."""
    rows = []
    for group, evidence in zip(comparison.groups, comparison.evidence, strict=True):
        curves = analysis.pass_curves(comparison, group)
        for i, k in enumerate(curves.ks):
            rows.append(
                {
                    **_group_cells(group),
                    "k": int(k),
                    "base": float(curves.base[i]),
                    "base_low": float(evidence.base_curve.low[i]),
                    "base_high": float(evidence.base_curve.high[i]),
                    "rl": float(curves.rl[i]),
                    "rl_low": float(evidence.rl_curve.low[i]),
                    "rl_high": float(evidence.rl_curve.high[i]),
                    "difference": float(curves.rl[i] - curves.base[i]),
                    "difference_low": float(evidence.difference.low[i]),
                    "difference_high": float(evidence.difference.high[i]),
                    "problems": int(curves.problems[i]),
                }
            )
    columns = (
        *GROUP,
        Column("k", "k", "count"),
        Column("base", "base", "share", "mean unbiased pass@k of the base model"),
        Column("base_low", "low", "share", "95 % interval"),
        Column("base_high", "high", "share", "95 % interval"),
        Column("rl", "RL", "share", "mean unbiased pass@k of the RL model"),
        Column("rl_low", "low", "share", "95 % interval"),
        Column("rl_high", "high", "share", "95 % interval"),
        Column("difference", "RL − base", "signed"),
        Column("difference_low", "low", "signed", "95 % interval, paired"),
        Column("difference_high", "high", "signed", "95 % interval, paired"),
        Column("problems", "problems", "count", "problems with at least k samples in both runs"),
    )
    return Table(
        "pass_at_k",
        "Mean pass@k (unbiased) of both models, 95 % intervals over problems.",
        columns,
        rows,
    )


def shift_at_k_table(comparison: Comparison) -> Table:
    """Expected regions had only k samples been drawn."""
    rows = []
    for group in comparison.groups:
        shift = analysis.shift_at_k(comparison, group)
        for i, k in enumerate(shift.ks):
            rows.append(
                {
                    **_group_cells(group),
                    "k": int(k),
                    "preserved": float(shift.preserved[i]),
                    "shrunk": float(shift.shrunk[i]),
                    "expanded": float(shift.expanded[i]),
                    "out": float(shift.out[i]),
                    "problems": int(shift.problems[i]),
                }
            )
    columns = (
        *GROUP,
        Column("k", "k", "count"),
        Column("preserved", "P", "length"),
        Column("shrunk", "S", "length"),
        Column("expanded", "E", "length"),
        Column("out", "O", "length"),
        Column("problems", "problems", "count"),
    )
    return Table(
        "support_at_k",
        'Expected support of problems had only k samples been drawn (rule "seen").',
        columns,
        rows,
    )


def entropy_table(comparison: Comparison) -> Table:
    """Entropy, accuracy and length of both models, one row per group and model."""
    rows = []
    for group in comparison.groups:
        for side in comparison.sides:
            e = analysis.entropy_row(side, group)
            rows.append(
                {
                    **_group_cells(group),
                    "model": side.name,
                    "accuracy": e.accuracy,
                    "mean_length": e.mean_length,
                    "token_entropy": e.token,
                    "answer_entropy": e.answer,
                    "distinct_answers": e.distinct_answers,
                }
            )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("accuracy", "accuracy", "share", "mean share of correct draws (pass@1)"),
        Column("mean_length", "length", "length", "mean completion length in tokens"),
        Column("token_entropy", "token entropy", "share", "nats per position"),
        Column("answer_entropy", "answer entropy", "share", "nats, over distinct answers"),
        Column("distinct_answers", "distinct answers", "length", "mean per problem"),
    )
    return Table("entropy", "Accuracy, response length and entropies.", columns, rows)


def failure_table(comparison: Comparison) -> Table:
    """Draws without a verdict, and the bounds they put on the accuracy."""
    rows = []
    for group in comparison.groups:
        for side in comparison.sides:
            f = analysis.failure_row(side, group)
            rows.append(
                {
                    **_group_cells(group),
                    "model": side.name,
                    "unparsed": f.unparsed,
                    "timeout": f.timeout,
                    "error": f.error,
                    "truncated": f.truncated,
                    "lowest": f.lowest,
                    "highest": f.highest,
                }
            )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("unparsed", "unparsed", "share", "no answer could be extracted"),
        Column("timeout", "time-out", "share", "the verifier ran out of time"),
        Column("error", "error", "share", "the verifier failed"),
        Column("truncated", "cut off", "share", "stopped at the token limit"),
        Column("lowest", "accuracy, if all wrong", "share"),
        Column("highest", "if all right", "share"),
    )
    return Table(
        "failures", "Share of draws without a verdict, and the bounds they leave.", columns, rows
    )


def perplexity_table(comparison: Comparison) -> Table:
    """Each run's completions under each model."""
    rows = [
        {
            "completions": r.completions,
            "scored_by": r.scored_by,
            "subset": r.subset,
            "number": r.number,
            "lower": r.lower,
            "median": r.median,
            "upper": r.upper,
        }
        for r in analysis.perplexity_rows(comparison)
    ]
    columns = (
        Column("completions", "completions of"),
        Column("scored_by", "under model"),
        Column("subset", "subset"),
        Column("number", "number", "count"),
        Column("lower", "lower quartile", "decimal"),
        Column("median", "median", "decimal"),
        Column("upper", "upper quartile", "decimal"),
    )
    return Table("perplexity", "Perplexity of completions (quartiles).", columns, rows)


def completion_table(comparison: Comparison) -> Table:
    """Completion level: each run's correct completions under the other model."""
    rows = []
    for side, other in ((comparison.rl, "base"), (comparison.base, "rl")):
        c = analysis.completion_support(comparison, side, other)
        if c is None:
            continue
        rows.append(
            {
                "completions": c.completions,
                "other": c.other,
                "number": c.number,
                "problems": c.problems,
                "outside": c.outside,
                "problems_outside": c.problems_outside if math.isfinite(c.outside) else None,
                "median_own": c.median_own,
                "median_other": c.median_other,
                "log_ratio_lower": c.log_ratio[0],
                "log_ratio": c.log_ratio[1],
                "log_ratio_upper": c.log_ratio[2],
                "temperature": c.temperature,
                "top_p": c.top_p,
            }
        )
    columns = (
        Column("completions", "correct completions of"),
        Column("other", "under model"),
        Column("number", "completions", "count"),
        Column("problems", "problems", "count"),
        Column("outside", "share outside the nucleus", "share"),
        Column("problems_outside", "problems with all outside", "count"),
        Column("median_own", "median log p, own", "number"),
        Column("median_other", "median log p, other", "number"),
        Column("log_ratio_lower", "log ratio, lower quartile", "number"),
        Column(
            "log_ratio",
            "median log ratio",
            "number",
            "log p under the other model minus log p under its own, nats",
        ),
        Column("log_ratio_upper", "upper quartile", "number"),
        Column("temperature", "temperature", "number"),
        Column("top_p", "top-p", "number"),
    )
    return Table("completions", "Support of completions (teacher-forced).", columns, rows)


def histogram_table(comparison: Comparison) -> Table:
    """Problems per accuracy bin of both models."""
    rows = []
    for group in comparison.groups:
        base, rl = analysis.histograms(comparison, group)
        for label, b, r in zip(base.bins, base.counts, rl.counts, strict=True):
            rows.append({**_group_cells(group), "accuracy": label, "base": int(b), "rl": int(r)})
    columns = (
        *GROUP,
        Column("accuracy", "accuracy"),
        Column("base", "base", "count"),
        Column("rl", "RL", "count"),
    )
    return Table("accuracy_histogram", "Problems per accuracy bin.", columns, rows)


def problem_table(comparison: Comparison) -> Table:
    """Every problem, with its counts and labels."""
    base, rl = comparison.sides
    labels = {}
    for rule in RULES:
        values = comparison.shifts[rule].labels
        assert values is not None
        labels[rule] = values
    kept, lost, found = answers_by_problem(comparison)
    ids, tasks = comparison.problems.ids, comparison.problems.tasks
    rows = [
        {
            "problem_id": ids[i],
            "task": tasks[i],
            "label_seen": str(labels["seen"][i]),
            "label_epsilon": str(labels["epsilon"][i]),
            "base_samples": int(base.num_samples[i]),
            "base_correct": int(base.num_correct[i]),
            "base_undecided": int(base.num_undecided[i]),
            "rl_samples": int(rl.num_samples[i]),
            "rl_correct": int(rl.num_correct[i]),
            "rl_undecided": int(rl.num_undecided[i]),
            "answers_kept": int(kept[i]),
            "answers_lost": int(lost[i]),
            "answers_found": int(found[i]),
            "base_answer_entropy": float(base.answer_entropy[i]),
            "rl_answer_entropy": float(rl.answer_entropy[i]),
        }
        for i in range(len(ids))
    ]
    columns = tuple(
        Column(key, key.replace("_", " "), _PROBLEM_KINDS.get(key, "count"))
        for key in (rows[0] if rows else _PROBLEM_KINDS)
    )
    return Table("problems", "Every problem.", columns, rows)


_PROBLEM_KINDS: dict[str, Kind] = {
    "problem_id": "text",
    "task": "text",
    "label_seen": "text",
    "label_epsilon": "text",
    "base_answer_entropy": "share",
    "rl_answer_entropy": "share",
}


def answers_by_problem(
    comparison: Comparison,
) -> tuple[IntArray, IntArray, IntArray]:
    """Distinct correct answers kept, lost and found in each problem (rule "seen")."""
    answers, total = comparison.answers, len(comparison.problems)
    in_base, in_rl = answers.base_count > 0, answers.rl_count > 0
    kept, lost, found = (
        np.bincount(answers.problem[mask], minlength=total).astype(np.int64)
        for mask in (in_base & in_rl, in_base & ~in_rl, ~in_base & in_rl)
    )
    return kept, lost, found


def all_tables(comparison: Comparison) -> Iterator[Table]:
    """Every table that is written beside the page."""
    for rule in RULES:
        yield support_table(comparison, rule)
        yield answer_table(comparison, rule)
    yield evidence_table(comparison)
    yield pass_table(comparison)
    yield shift_at_k_table(comparison)
    yield entropy_table(comparison)
    yield failure_table(comparison)
    yield perplexity_table(comparison)
    yield completion_table(comparison)
    yield histogram_table(comparison)
    yield problem_table(comparison)


def headline_table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """(columns, rows) for a terminal: support of problems and pass@k at both ends."""
    table = support_table(comparison, comparison.rule)
    shown = [c for c in table.columns if c.key != "kind"]
    if not any(row["undetermined"] for row in table.rows):
        shown = [c for c in shown if c.key != "undetermined"]
    ks = analysis.curve_ks(comparison)
    ends = [1, ks[-1]] if len(ks) > 1 else ks
    columns = [c.title for c in shown]
    columns += [f"{side} pass@{k}" for k in ends for side in ("base", "RL")]
    rows = []
    for group, row in zip(comparison.groups, table.rows, strict=True):
        curves = analysis.pass_curves(comparison, group, ends)
        cells = [cell_text(row[c.key], c.kind) for c in shown]
        for i in range(len(ends)):
            cells += [cell_text(float(v[i]), "share") for v in (curves.base, curves.rl)]
        rows.append(tuple(cells))
    return tuple(columns), rows


def summary(comparison: Comparison) -> dict[str, Any]:
    """The object of summary.json: strict JSON, None for what is not a number."""
    overall = comparison.groups[0]
    curves = analysis.pass_curves(comparison, overall)
    powers = [(i, int(k)) for i, k in enumerate(curves.ks) if k & (k - 1) == 0]
    by_kind: dict[str, dict[str, Any]] = {"task": {}, "domain": {}}
    for group in comparison.groups[1:]:
        by_kind[group.kind][group.name] = shift_cells(comparison.group_shift(group))
    entropy = {}
    for side in comparison.sides:
        row = analysis.entropy_row(side, overall)
        entropy[side.name] = {
            "token": row.token,
            "answer": row.answer,
            "accuracy": row.accuracy,
            "mean_length": row.mean_length,
        }
    sampling = dict(plain(comparison.base.run.info.sampling))
    if "sampling" in comparison.allowed:
        sampling = {side.name: dict(plain(side.run.info.sampling)) for side in comparison.sides}
    value = {
        "rule": comparison.rule,
        "zeta": comparison.zeta,
        "overall": shift_cells(comparison.shift),
        "tasks": by_kind["task"],
        "domains": by_kind["domain"],
        "pass_at_k": {
            "base": {str(k): float(curves.base[i]) for i, k in powers},
            "rl": {str(k): float(curves.rl[i]) for i, k in powers},
        },
        "delta_se": analysis.sampling_gap(comparison, overall),
        "entropy": entropy,
        "models": {
            side.name: {"name": side.model, "revision": side.revision} for side in comparison.sides
        },
        "sampling": sampling,
        "samples": {
            side.name: {
                "total": int(side.num_samples.sum()),
                "least": int(side.num_samples.min()),
                "most": int(side.num_samples.max()),
            }
            for side in comparison.sides
        },
        "evidence": evidence_table(comparison).rows[0],
        "answers": shift_cells(analysis.answer_shift(comparison, overall)),
        "completions": completion_table(comparison).rows,
        "perplexity": perplexity_table(comparison).rows,
        "failures": [row for row in failure_table(comparison).rows if row["kind"] == "overall"],
        "allowed_differences": comparison.allowed,
        "notes": list(comparison.notes),
    }
    cleaned: dict[str, Any] = finite(value)
    return cleaned


def finite(value: Any) -> Any:
    """The value with None in place of nan and infinities, so that it is strict JSON."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def write_tables(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Writes NAME.csv, NAME.json and NAME.tex for each table; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        stem = folder / table.name
        rows = [{c.key: finite(row.get(c.key)) for c in table.columns} for row in table.rows]
        with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([c.key for c in table.columns])
            writer.writerows([_csv_cell(v) for v in row.values()] for row in rows)
        stem.with_suffix(".json").write_text(
            json.dumps({"caption": table.caption, "rows": rows}, ensure_ascii=False, indent=1)
            + "\n",
            encoding="utf-8",
        )
        stem.with_suffix(".tex").write_text(latex(table), encoding="utf-8")
        written += [stem.with_suffix(s) for s in (".csv", ".json", ".tex")]
    return written


def _csv_cell(value: Any) -> Any:
    # A spreadsheet runs a cell that starts like a formula; ids and task names are not ours.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "–": "--", "−": "$-$", "ε": r"$\varepsilon$", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; control characters are dropped."""
    text = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    return "".join(_LATEX.get(ch, ch) for ch in text)


def latex(table: Table) -> str:
    """A booktabs table, longtable where it would not fit a page."""
    align = "".join("l" if c.kind == "text" else "r" for c in table.columns)
    head = " & ".join(latex_escape(c.title) for c in table.columns) + r" \\"
    body = [
        " & ".join(latex_escape(cell_text(row.get(c.key), c.kind)) for c in table.columns) + r" \\"
        for row in table.rows
    ]
    caption = latex_escape(table.caption)
    if len(body) > 40:
        lines = [
            r"\begin{longtable}{" + align + "}",
            r"\caption{" + caption + r"}\\",
            r"\toprule", head, r"\midrule", r"\endhead", *body, r"\bottomrule",
            r"\end{longtable}",
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}", r"\centering", r"\caption{" + caption + "}",
            r"\begin{tabular}{" + align + "}", r"\toprule", head, r"\midrule", *body,
            r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
    return "% needs \\usepackage{booktabs,longtable}\n" + "\n".join(lines) + "\n"

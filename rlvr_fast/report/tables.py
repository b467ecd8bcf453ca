"""The tables of the papers: support, curves, entropies, perplexity, problems."""

from __future__ import annotations

import math
from typing import Any

from rlvr_fast.metrics import SupportShift
from rlvr_fast.report import analysis
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.table import Column, Table

__all__ = [
    "GROUP",
    "answer_table",
    "completion_table",
    "entropy_table",
    "failure_table",
    "group_cells",
    "histogram_table",
    "pass_table",
    "perplexity_table",
    "rule_text",
    "shift_at_k_table",
    "shift_cells",
    "support_table",
]

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


def group_cells(group: Group) -> dict[str, Any]:
    return {"kind": group.kind, "group": group.name}


def shift_cells(shift: SupportShift) -> dict[str, Any]:
    """Counts and the four ratios."""
    return shift.as_dict()


def support_table(comparison: Comparison, rule: str) -> Table:
    """Problem level, one row per group."""
    rows = [
        {**group_cells(g), **shift_cells(comparison.group_shift(g, rule))}
        for g in comparison.groups
    ]
    return Table(
        f"support_{rule}",
        f"Problem level: support of problems ({rule_text(rule, comparison.zeta)}).",
        GROUP + SHIFT,
        rows,
    )


def answer_table(comparison: Comparison, rule: str) -> Table:
    """Distinct correct answers, one row per group."""
    rows = [
        {**group_cells(g), **shift_cells(analysis.answer_shift(comparison, g, rule))}
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
        f"Answer level: support of distinct correct answers ({rule_text(rule, comparison.zeta)}).",
        columns,
        rows,
    )


def pass_table(comparison: Comparison) -> Table:
    """pass@k of both models, one row per group and k."""
    rows = []
    for group, evidence in zip(comparison.groups, comparison.evidence, strict=True):
        curves = analysis.pass_curves(comparison, group, list(comparison.ks))
        for i, k in enumerate(curves.ks):
            rows.append(
                {
                    **group_cells(group),
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
        "Problem level: mean pass@k (unbiased) of both models, 95 % intervals over problems.",
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
                    **group_cells(group),
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
        'Problem level: expected support had only k samples been drawn (rule "seen").',
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
                    **group_cells(group),
                    "model": side.name,
                    "accuracy": e.accuracy,
                    "mean_length": e.mean_length,
                    "token_entropy": e.token,
                    "answer_entropy": e.answer,
                    "answer_entropy_32": e.answer_32,
                    "distinct_answers": e.distinct_answers,
                }
            )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column(
            "accuracy", "accuracy", "share", "share of correct draws, as expected of 32 of them"
        ),
        Column("mean_length", "length", "length", "mean completion length in tokens"),
        Column("token_entropy", "token entropy", "share", "nats per position"),
        Column("answer_entropy", "answer entropy", "share", "nats, over distinct answers"),
        Column(
            "answer_entropy_32",
            "at 32 draws",
            "share",
            "answer entropy to expect of 32 of the draws, as in the published tables",
        ),
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
                    **group_cells(group),
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
        Column("unparsed", "unparsed", "number", "no answer could be extracted"),
        Column("timeout", "time-out", "number", "the verifier ran out of time"),
        Column("error", "error", "number", "the verifier failed"),
        Column("truncated", "cut off", "number", "stopped at the token limit"),
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
    return Table(
        "perplexity", "Completion level: perplexity (quartiles over completions).", columns, rows
    )


def completion_table(comparison: Comparison) -> Table:
    """Completion level: each run's correct completions under the other model."""
    rows = [
        {
            "completions": c.completions,
            "other": c.other,
            "distribution": c.distribution,
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
        for side, other in ((comparison.rl, "base"), (comparison.base, "rl"))
        for c in analysis.completion_support(comparison, side, other)
    ]
    columns = (
        Column("completions", "completions of", "text", "correct ones only"),
        Column("other", "under"),
        Column("distribution", "distribution"),
        Column("number", "number", "count", "correct completions"),
        Column("problems", "problems", "count"),
        Column("outside", "outside nucleus", "share", "with a token the other can never draw"),
        Column("problems_outside", "wholly outside", "count", "problems all of whose are so"),
        Column("median_own", "log p, own", "number", "median under the model that wrote them"),
        Column(
            "median_other",
            "log p, other",
            "number",
            "median under the other model; −∞ where it can draw less than half of them",
        ),
        Column("log_ratio_lower", "log ratio, lower quartile", "number"),
        Column(
            "log_ratio",
            "median log ratio",
            "number",
            "log p under the other model minus log p under its own, nats, of those it can draw",
        ),
        Column("log_ratio_upper", "upper quartile", "number"),
        Column("temperature", "temperature", "number"),
        Column("top_p", "top-p", "number"),
    )
    return Table(
        "completions",
        "Completion level: correct completions of one model, teacher-forced under the other, under "
        "the distribution they were sampled from and at the temperature of the scores.",
        columns,
        rows,
    )


def histogram_table(comparison: Comparison) -> Table:
    """Problems per accuracy bin of both models."""
    rows = []
    for group in comparison.groups:
        base, rl = analysis.histograms(comparison, group)
        for label, b, r in zip(base.bins, base.counts, rl.counts, strict=True):
            rows.append({**group_cells(group), "accuracy": label, "base": int(b), "rl": int(r)})
    columns = (
        *GROUP,
        Column("accuracy", "accuracy"),
        Column("base", "base", "count"),
        Column("rl", "RL", "count"),
    )
    return Table("accuracy_histogram", "Problems per accuracy bin.", columns, rows)

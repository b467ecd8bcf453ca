"""The tables of what the counts prove, and of what lies beyond the samples."""

from __future__ import annotations

from typing import Any

from rlvr_fast.report.beyond import unseen_of_group
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.table import Column, Kind, Table, cell_text
from rlvr_fast.report.tables import GROUP, group_cells

__all__ = [
    "beyond_table",
    "bounds_table",
    "evidence_table",
    "plan_table",
    "reweighting_table",
    "unseen_table",
]


_SHARES = {"preserved": "kept", "shrunk": "lost", "expanded": "found", "out": "reached by neither"}


def evidence_table(comparison: Comparison) -> Table:
    """How much of each group's shift is more than luck (rule "seen", problem level)."""
    rows = []
    for group, e in zip(comparison.groups, comparison.evidence, strict=True):
        shift = comparison.group_shift(group, "seen")
        row: dict[str, Any] = {
            **group_cells(group),
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
        for name in _SHARES:
            estimate = getattr(e.interval, name) if e.interval is not None else None
            row[f"{name}_share"] = estimate.value if estimate else None
            row[f"{name}_share_low"] = estimate.low if estimate else None
            row[f"{name}_share_high"] = estimate.high if estimate else None
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
            for name, title in _SHARES.items()
            for column in (
                Column(f"{name}_share", f"share {title}", "share", "of problems like these"),
                Column(f"{name}_share_low", "low", "share", "95 % interval"),
                Column(f"{name}_share_high", "high", "share", "95 % interval"),
            )
        ),
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
        "Problem level: how much of the shift is more than luck (reached = at least one correct "
        "draw). Intervals are for the population of such problems.",
        columns,
        rows,
    )


_BOUNDED: tuple[tuple[str, str, Kind], ...] = (
    ("shrunk", "lost", "count"),
    ("expanded", "found", "count"),
    ("srr", "SRR", "share"),
    ("ndr", "NDR", "share"),
    ("sds", "SDS", "share"),
    ("nscr", "NSCR", "signed"),
)


def bounds_table(comparison: Comparison) -> Table:
    """Each group's shift over every way the draws without a verdict could have gone."""
    rows = [
        {
            **group_cells(group),
            **{
                f"{name}_{end}": value
                for name, _, _ in _BOUNDED
                for end, value in zip(("least", "most"), getattr(e.bounds, name), strict=True)
            },
        }
        for group, e in zip(comparison.groups, comparison.evidence, strict=True)
    ]
    columns = [*GROUP]
    for name, title, kind in _BOUNDED:
        columns += [Column(f"{name}_least", f"{title}, least", kind)]
        columns += [Column(f"{name}_most", "most", kind)]
    return Table(
        "bounds",
        "Problem level: the shift if every draw without a verdict had been right or wrong, "
        "whichever moves a number most (rule “seen once”).",
        tuple(columns),
        rows,
    )


def bounds_as_ranges(table: Table) -> Table:
    """The bounds with one column a number, "least to most", as the page shows them."""
    columns = (*GROUP, *(Column(name, title, "range") for name, title, _ in _BOUNDED))
    rows = []
    for row in table.rows:
        cells = {column.key: row[column.key] for column in GROUP}
        for name, _, kind in _BOUNDED:
            least, most = (cell_text(row[f"{name}_{end}"], kind) for end in ("least", "most"))
            cells[name] = least if least == most else f"{least} to {most}"
        rows.append(cells)
    return Table(table.name, table.caption, columns, rows)


def beyond_table(comparison: Comparison) -> Table:
    """pass@k past the samples, by a fitted law, and what that law gets wrong on hidden samples."""
    rows: list[dict[str, Any]] = []
    for side in comparison.sides:
        curve = comparison.beyond.extrapolated.get(side.name)
        held = comparison.beyond.held_out.get(side.name)
        for i in range(curve.k.size if curve is not None else 0):
            assert curve is not None
            rows.append(
                {
                    "model": side.name,
                    "k": int(curve.k[i]),
                    "source": "measured" if curve.problems[i] else "extrapolated",
                    "value": float(curve.value[i]),
                    "low": float(curve.low[i]),
                    "high": float(curve.high[i]),
                    "kept": held.keep if held else None,
                    "worst_error": held.worst_error if held else None,
                }
            )
    columns = (
        Column("model", "model"),
        Column("k", "k", "count"),
        Column("source", "source"),
        Column("value", "pass@k", "share"),
        Column("low", "low", "share", "95 % interval, without the error of the law"),
        Column("high", "high", "share", "95 % interval, without the error of the law"),
        Column("kept", "checked with", "count", "samples a problem kept in the check"),
        Column("worst_error", "worst error", "share", "largest error of the check"),
    )
    return Table(
        "beyond",
        "pass@k past the samples (zero-inflated Beta law), and its check on hidden samples.",
        columns,
        rows,
    )


def unseen_table(comparison: Comparison) -> Table:
    """Correct answers not drawn yet, one row per group and model."""
    rows = []
    for group in comparison.groups:
        for side in comparison.sides:
            u = unseen_of_group(comparison.beyond.unseen[side.name], group.members)
            rows.append(
                {
                    **group_cells(group),
                    "model": side.name,
                    "seen": u.seen,
                    "richness": u.richness,
                    "new_answer": u.new_answer,
                }
            )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("seen", "seen", "count", "distinct correct answers drawn"),
        Column("richness", "at least", "count", "Chao1 lower bound of how many there are"),
        Column(
            "new_answer",
            "chance of a new one",
            "number",
            "Good–Turing: mean chance that one more draw is a correct answer not seen before",
        ),
    )
    return Table(
        "unseen", "Answer level: distinct correct answers, seen and unseen.", columns, rows
    )


def plan_table(comparison: Comparison, limit: int | None = None) -> Table:
    """Where more samples would decide the labels of the rule "epsilon"."""
    plan = comparison.beyond.plan
    rows = [
        {
            "problem_id": comparison.problems.ids[int(plan.problem[i])],
            "base_extra": int(plan.base_extra[i]),
            "rl_extra": int(plan.rl_extra[i]),
            "probability": float(plan.probability[i]),
            "cumulative_samples": int(plan.cumulative_samples[i]),
            "cumulative_decided": float(plan.cumulative_decided[i]),
        }
        for i in range(plan.problem.size)[:limit]
    ]
    columns = (
        Column("problem_id", "problem"),
        Column("base_extra", "more of base", "count"),
        Column("rl_extra", "more of RL", "count"),
        Column("probability", "chance to decide", "share"),
        Column("cumulative_samples", "samples in all", "count", "of this row and those above"),
        Column("cumulative_decided", "decided by then", "length", "expected number of problems"),
    )
    return Table("plan", "Where more samples would decide most labels.", columns, rows)


def reweighting_table(comparison: Comparison) -> Table:
    """How far RL is base, reweighted by correctness; one row per group."""
    rows = [
        {
            **group_cells(group),
            "beta": r.beta,
            "low": r.low,
            "high": r.high,
            "heterogeneity_p": r.heterogeneity_p,
            "before": r.before,
            "after": r.after,
            "noise": r.noise,
            "new_mass": r.new_mass,
            "new_correct_mass": r.new_correct_mass,
            "ceiling": r.ceiling.seen,
        }
        for group, r in zip(comparison.groups, comparison.reweighting, strict=True)
    ]
    columns = (
        *GROUP,
        Column("beta", "β", "decimal", "the tilt exp(βR) that best explains RL’s accuracies"),
        Column("low", "low", "decimal", "95 % interval"),
        Column("high", "high", "decimal", "95 % interval"),
        Column("heterogeneity_p", "one β for all, p", "p", "p-value of one β fitting all problems"),
        Column("before", "distance", "share", "mean total variation of the answers, RL and base"),
        Column("after", "after the tilt", "share", "the same once base is tilted to RL’s accuracy"),
        Column("noise", "by luck", "share", "what sampling alone would leave after the tilt"),
        Column("new_mass", "new answers", "share", "share of RL’s draws that base never gave"),
        Column("new_correct_mass", "new and right", "share", "of these, the correct ones"),
        Column(
            "ceiling",
            "ceiling",
            "share",
            "what pass@k of a tilt can tend to, on problems base solved",
        ),
    )
    return Table(
        "reweighting",
        "Answer level: how much of RL is base reweighted by correctness (exponential tilt).",
        columns,
        rows,
    )

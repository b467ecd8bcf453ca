"""The comparison in short: the headline table, summary.json, and the list of all tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.metrics import Crossover
from rlvr_fast.report import analysis
from rlvr_fast.report.chances import guessing_table, importance_refusal, importance_table
from rlvr_fast.report.comparison import RULES, Comparison, plain
from rlvr_fast.report.evidence_tables import (
    beyond_table,
    bounds_table,
    evidence_table,
    plan_table,
    reweighting_table,
    unseen_table,
)
from rlvr_fast.report.problem_tables import problem_evidence_table, problem_table
from rlvr_fast.report.table import Table, cell_text, finite
from rlvr_fast.report.tables import (
    answer_table,
    completion_table,
    entropy_table,
    failure_table,
    histogram_table,
    pass_table,
    perplexity_table,
    shift_at_k_table,
    shift_cells,
    support_table,
)

__all__ = ["all_tables", "headline_table", "summary"]


def all_tables(comparison: Comparison) -> Iterator[Table]:
    """Every table that is written beside the page."""
    for rule in RULES:
        yield support_table(comparison, rule)
        yield answer_table(comparison, rule)
    yield evidence_table(comparison)
    yield bounds_table(comparison)
    yield pass_table(comparison)
    yield shift_at_k_table(comparison)
    yield beyond_table(comparison)
    yield unseen_table(comparison)
    yield reweighting_table(comparison)
    yield plan_table(comparison)
    yield entropy_table(comparison)
    yield failure_table(comparison)
    yield perplexity_table(comparison)
    yield completion_table(comparison)
    yield importance_table(comparison)
    yield guessing_table(comparison)
    yield histogram_table(comparison)
    yield problem_table(comparison)
    yield problem_evidence_table(comparison)


def headline_table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """(columns, rows) for a terminal 80 columns wide: support of problems."""
    table = support_table(comparison, comparison.rule)
    shown = [c for c in table.columns if c.key != "kind"]
    if not any(row["undetermined"] for row in table.rows):
        shown = [c for c in shown if c.key != "undetermined"]
    rows = [tuple(cell_text(row[c.key], c.kind) for c in shown) for row in table.rows]
    return tuple(c.title for c in shown), rows


def pass_sentence(comparison: Comparison) -> str:
    """pass@k of both models at both ends of the curves, in one sentence."""
    ks = analysis.curve_ks(comparison)
    if not ks:
        return ""
    curves = analysis.pass_curves(comparison, comparison.groups[0])
    ends = [0, len(ks) - 1] if len(ks) > 1 else [0]
    parts = [f"pass@{ks[i]} went from {curves.base[i]:.3f} to {curves.rl[i]:.3f}" for i in ends]
    return ", ".join(parts) + "."


def summary(comparison: Comparison, tables: Mapping[str, Table] | None = None) -> dict[str, Any]:
    """The object of summary.json: strict JSON, None for what is not a number.

    `tables` by name, where they have been made already, spares making the costly ones twice.
    """
    made = tables or {}
    completions = made.get("completions") or completion_table(comparison)
    perplexities = made.get("perplexity") or perplexity_table(comparison)
    importance = made.get("importance") or importance_table(comparison)
    guessing = made.get("guessing") or guessing_table(comparison)
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
            "answer_at_32": row.answer_32,
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
        "crossover": crossover_cells(comparison.evidence[0].crossover),
        "reweighting": reweighting_table(comparison).rows[0],
        "undecided_problems": comparison.beyond.plan.undetermined,
        "answers": shift_cells(analysis.answer_shift(comparison, overall)),
        "completions": completions.rows,
        "importance": {
            "refusal": importance_refusal(comparison) or None,
            "problems": len(importance.rows),
            "trusted": sum(not row["reason"] for row in importance.rows),
        },
        "guessing": [row for row in guessing.rows if row["kind"] == "overall"],
        "perplexity": perplexities.rows,
        "failures": [row for row in failure_table(comparison).rows if row["kind"] == "overall"],
        "allowed_differences": comparison.allowed,
        "notes": list(comparison.notes),
    }
    cleaned: dict[str, Any] = finite(value)
    return cleaned


def crossover_cells(found: Crossover | None) -> dict[str, Any] | None:
    """k* with its interval, as plain data."""
    if found is None:
        return None
    return {
        "k": found.k,
        "low": found.low,
        "high": found.high,
        "share_crossing": found.share_crossing,
        "verdict": found.verdict,
        "max_k": found.max_k,
    }

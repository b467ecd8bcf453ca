"""Distinct correct answers: how many of them both models give, or only one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.metrics import SupportShift, support_shift
from rlvr_fast.report.columns import GROUP, SHIFT, group_cells, rule_text, shift_cells
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.grades import AnswerCounts, verdict_code
from rlvr_fast.report.problems import BoolArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Column, Table
from rlvr_fast.vocabulary import RULES, Rule

__all__ = ["SECTION", "AnswerSupport"]


@dataclass(frozen=True, slots=True)
class AnswerSupport:
    """Distinct correct answers of both runs, one row per (problem, answer).

    An answer that neither model gave is unknown, so there is no "out" at this level. Rows are
    ordered by problem, then by falling count.

    Attributes:
        problem: row of the answer's problem.
        canonical: the answer in its canonical form.
        base_count: draws of the base model that gave the answer.
        rl_count: draws of the RL model that gave the answer.
        known: for each problem of the comparison, whether the answers of both models are known;
            shifts leave the others out.
        shifts: for each rule the shift of each group's answers.
    """

    problem: IntArray
    canonical: tuple[str, ...]
    base_count: IntArray
    rl_count: IntArray
    known: BoolArray
    shifts: dict[Rule, tuple[SupportShift, ...]]

    @property
    def many(self) -> bool:
        """Whether some problem has more than one distinct correct answer."""
        return bool(np.bincount(self.problem[self.known[self.problem]]).max(initial=0) > 1)

    def by_problem(self) -> tuple[list[int | None], ...]:
        """Answers kept, lost and found in each problem (rule "seen"); None where not known."""
        in_base, in_rl = self.base_count > 0, self.rl_count > 0
        counts = (
            np.bincount(self.problem[mask], minlength=self.known.size).tolist()
            for mask in (in_base & in_rl, in_base & ~in_rl, ~in_base & in_rl)
        )
        known = self.known.tolist()
        return tuple(
            [number if yes else None for number, yes in zip(numbers, known, strict=True)]
            for numbers in counts
        )


def _measure(context: Context) -> Findings[AnswerSupport]:
    comparison = context.comparison
    found = _support(comparison)
    tables = {rule: _table(comparison, found, rule) for rule in RULES}
    return Findings(
        measured=found,
        tables=tuple(tables.values()),
        summary={"answers": shift_cells(found.shifts[comparison.rule][0])},
        view=lambda: {"tables": tables, "many": found.many},
    )


def _support(comparison: Comparison) -> AnswerSupport:
    base, rl = comparison.sides
    both = pa.concat_tables([_correct(base.answers, "base"), _correct(rl.answers, "rl")])
    table = both.group_by(["problem", "canonical"]).aggregate([("base", "sum"), ("rl", "sum")])
    table = table.append_column("total", pc.add(table.column("base_sum"), table.column("rl_sum")))
    table = table.sort_by(
        [("problem", "ascending"), ("total", "descending"), ("canonical", "ascending")]
    )
    problem, in_base, in_rl = (
        np.asarray(table.column(name).to_numpy(), dtype=np.int64)
        for name in ("problem", "base_sum", "rl_sum")
    )
    draws = ((base.num_samples[problem], in_base), (rl.num_samples[problem], in_rl))
    known = base.answers_known & rl.answers_known
    masks = [np.isin(problem, group.members) & known[problem] for group in comparison.groups]
    shifts: dict[Rule, tuple[SupportShift, ...]] = {}
    for rule in RULES:
        whole = support_shift(*draws, rule=rule, zeta=comparison.zeta)
        shifts[rule] = tuple(whole.subset(mask) for mask in masks)
    return AnswerSupport(
        problem=problem,
        canonical=tuple(table.column("canonical").to_pylist()),
        base_count=in_base,
        rl_count=in_rl,
        known=known,
        shifts=shifts,
    )


def _correct(answers: AnswerCounts, column: str) -> pa.Table:
    rows = np.flatnonzero(answers.verdict == verdict_code("correct"))
    # An answer without a canonical form cannot be matched between the runs.
    rows = np.asarray([r for r in rows if answers.canonical[r] is not None], dtype=np.int64)
    zero = np.zeros(rows.size, np.int64)
    count = answers.count[rows]
    return pa.table(
        {
            "problem": answers.problem[rows],
            "canonical": pa.array([answers.canonical[r] for r in rows], pa.large_string()),
            "base": count if column == "base" else zero,
            "rl": count if column == "rl" else zero,
        }
    )


def _table(comparison: Comparison, found: AnswerSupport, rule: Rule) -> Table:
    """Distinct correct answers, one row per group."""
    rows: list[dict[str, Any]] = [
        {**group_cells(group), **shift_cells(shift)}
        for group, shift in zip(comparison.groups, found.shifts[rule], strict=True)
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


SECTION = Section("answers", _measure)

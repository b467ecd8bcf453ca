"""Distinct correct answers: how many of them both models give, or only one.

Most answers of a problem with many correct ones are drawn once or never, so two identical models
share few of them. The counts therefore stand beside those that identical models would show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.metrics import SupportShift, support_shift
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.report.answer_evidence import AnswerEvidence, answer_evidence
from rlvr_fast.report.claims import PAGE_LEVEL, holds, p_text
from rlvr_fast.report.columns import GROUP, RATIOS, SHIFT, group_cells, rule_text
from rlvr_fast.report.comparison import Comparison, count_of
from rlvr_fast.report.depth import DepthShift
from rlvr_fast.report.grades import AnswerCounts, verdict_code
from rlvr_fast.report.problems import BoolArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sentences import expected_text
from rlvr_fast.report.table import Column, Kind, Table
from rlvr_fast.vocabulary import RULES, Rule

__all__ = ["SECTION", "AnswerSupport", "luck_sentences"]

# Columns of the file that the page's table leaves out.
_HIDDEN = (
    "kind",
    "preserved_by_luck",
    "expanded_by_luck",
    *(f"{ratio}{end}" for ratio in ("sds", "nscr") for end in ("", "_low", "_high")),
)
_ALL_DRAWS = tuple(f"{name}_all_draws" for name in ("preserved", "shrunk", "expanded"))


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
        shifts: for each rule the shift of each group's answers, counted with all draws.
        evidence: of each group's answers, under the rule "seen".
    """

    problem: IntArray
    canonical: tuple[str, ...]
    base_count: IntArray
    rl_count: IntArray
    known: BoolArray
    shifts: dict[Rule, tuple[SupportShift, ...]]
    evidence: tuple[AnswerEvidence, ...]

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
    tables: dict[Rule, Table] = {
        "seen": _seen_table(comparison, found),
        "epsilon": _epsilon_table(comparison, found),
    }
    return Findings(
        measured=found,
        tables=tuple(tables.values()),
        summary={"answers": _summary(comparison, found)},
        view=lambda: {
            "tables": tables,
            "many": found.many,
            "hidden": (*_HIDDEN, *(_ALL_DRAWS if _at_equal_depth(found) else ())),
            "luck": luck_sentences(comparison, found.evidence[0]) if found.many else [],
        },
    )


def _summary(comparison: Comparison, found: AnswerSupport) -> dict[str, Any]:
    """The counts of all answers under the chosen rule, and what identical models would show."""
    overall = found.evidence[0]
    if comparison.rule == "epsilon":
        return found.shifts["epsilon"][0].as_dict()
    return {
        **overall.shift.as_dict(),
        **_luck_cells(overall),
        "all_draws": found.shifts["seen"][0].as_dict(),
    }


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
    masks = [_rows_of(problem, group.members[known[group.members]]) for group in comparison.groups]
    shifts: dict[Rule, tuple[SupportShift, ...]] = {}
    for rule in RULES:
        epsilon = comparison.epsilon if rule == "epsilon" else None
        whole = support_shift(*draws, rule=rule, zeta=comparison.zeta, epsilon=epsilon)
        shifts[rule] = tuple(whole.subset(mask) for mask in masks)
    return AnswerSupport(
        problem=problem,
        canonical=tuple(table.column("canonical").to_pylist()),
        base_count=in_base,
        rl_count=in_rl,
        known=known,
        shifts=shifts,
        evidence=answer_evidence(
            *(Draws(*side) for side in draws),
            decided=(
                Draws(base.decided.num_samples[problem], in_base),
                Draws(rl.decided.num_samples[problem], in_rl),
            ),
            problem=problem,
            masks=masks,
            independent=comparison.independent,
        ),
    )


def _rows_of(problem: IntArray, members: IntArray) -> IntArray:
    """The rows of some problems, in order; `problem` of each row and `members` rise."""
    start, end = (np.searchsorted(problem, members, side=side) for side in ("left", "right"))
    number = end - start
    return np.repeat(start - np.cumsum(number) + number, number) + np.arange(number.sum())


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


def _at_equal_depth(found: AnswerSupport) -> bool:
    """Whether the counts with all draws are those at the common depth."""
    return all(isinstance(e.shift, SupportShift) for e in found.evidence)


def _luck_cells(evidence: AnswerEvidence) -> dict[str, float]:
    """What identical models would show at the common depth, and the adjusted p-values."""
    null = evidence.null
    return {
        "preserved_by_luck": null.preserved_at_depth,
        "shrunk_by_luck": null.shrunk_at_depth,
        "expanded_by_luck": null.expanded_at_depth,
        "srr_by_luck": null.srr_at_depth,
        "ndr_by_luck": null.ndr_at_depth,
        "p_shrunk": evidence.p_shrunk,
        "p_expanded": evidence.p_expanded,
    }


def _answer_cells(shift: SupportShift | DepthShift, answers: int) -> dict[str, Any]:
    """Counts and ratios of distinct answers, of which those reached by neither are unknown."""
    cells = {"answers": answers, **shift.as_dict()}
    del cells["problems"], cells["out"]
    return cells


def _seen_table(comparison: Comparison, found: AnswerSupport) -> Table:
    """Distinct correct answers under the rule "seen", one row per group."""
    rows: list[dict[str, Any]] = []
    for group, e, all_draws in zip(
        comparison.groups, found.evidence, found.shifts["seen"], strict=True
    ):
        row = {
            **group_cells(group),
            **_answer_cells(e.shift, all_draws.problems),
            **_luck_cells(e),
            "lost_singly": e.lost_singly,
            "found_singly": e.found_singly,
            **{
                f"{name}_all_draws": getattr(all_draws, name)
                for name in ("preserved", "shrunk", "expanded")
            },
        }
        for ratio in RATIOS:
            estimate = getattr(e.interval, ratio) if e.interval else None
            row[f"{ratio}_low"] = estimate.low if estimate else None
            row[f"{ratio}_high"] = estimate.high if estimate else None
        rows.append(row)
    equal = _at_equal_depth(found)
    kind: Kind = "count" if equal else "length"
    same = "expected of identical models at the common depth"
    columns = (
        *GROUP,
        Column("answers", "answers", "count", "distinct correct answers seen by either model"),
        *(
            Column(c.key, c.title, kind if c.kind == "count" else c.kind, c.hint)
            for c in SHIFT
            if c.key not in ("problems", "out", *RATIOS)
        ),
        *(
            column
            for c in SHIFT
            if c.key in RATIOS
            for column in (
                c,
                Column(f"{c.key}_low", "low", "share", "95 % interval for new problems"),
                Column(f"{c.key}_high", "high", "share", "95 % interval for new problems"),
            )
        ),
        Column("preserved_by_luck", "P by luck", "length", same),
        Column("shrunk_by_luck", "S, E by luck", "length", f"{same}, equal for S and E"),
        Column("expanded_by_luck", "E by luck", "length", same),
        Column("srr_by_luck", "SRR by luck", "share", same),
        Column("ndr_by_luck", "NDR by luck", "share", same),
        Column("p_shrunk", "p of S", "p", "at least as many lost, were the models identical"),
        Column("p_expanded", "p of E", "p", "at least as many found, were the models identical"),
        Column(
            "lost_singly", "S singly", "count", "lost, and Fisher’s test on the answer shows it"
        ),
        Column(
            "found_singly", "E singly", "count", "found, and Fisher’s test on the answer shows it"
        ),
        *(
            Column(f"{name}_all_draws", f"{letter} all draws", "count", "counted with all draws")
            for letter, name in (("P", "preserved"), ("S", "shrunk"), ("E", "expanded"))
        ),
    )
    depth = comparison.depth_text(comparison.groups[0])
    return Table(
        "answers_seen",
        f"Answer level: support of distinct correct answers ({rule_text('seen', comparison.zeta)}; "
        f"{'counts' if equal else 'expected counts'} at {depth}). Intervals are for new problems; "
        f"p-values are adjusted: a change is claimed at {PAGE_LEVEL:g} or less.",
        columns,
        rows,
    )


def _epsilon_table(comparison: Comparison, found: AnswerSupport) -> Table:
    """Distinct correct answers under the rule "epsilon", one row per group."""
    rows = [
        {**group_cells(group), **_answer_cells(shift, shift.problems)}
        for group, shift in zip(comparison.groups, found.shifts["epsilon"], strict=True)
    ]
    columns = (
        *GROUP,
        Column("answers", "answers", "count", "distinct correct answers seen by either model"),
        *(c for c in SHIFT if c.key not in ("problems", "out")),
    )
    return Table(
        "answers_epsilon",
        "Answer level: support of distinct correct answers "
        f"({rule_text('epsilon', comparison.zeta, comparison.epsilon)}).",
        columns,
        rows,
    )


def luck_sentences(comparison: Comparison, evidence: AnswerEvidence) -> list[str]:
    """What identical models would show on all answers, and whether the draws show more."""
    shift, null = evidence.shift, evidence.null
    out = [
        f"At {comparison.depth_text(comparison.groups[0])}, two identical models would show an SRR "
        f"of {_share(null.srr_at_depth)} and an NDR of {_share(null.ndr_at_depth)} on these "
        f"answers ({expected_text(null.preserved_at_depth)} kept, "
        f"{expected_text(null.shrunk_at_depth)} lost, {expected_text(null.expanded_at_depth)} "
        f"found): an answer drawn seldom is easily missed. "
        f"Observed: SRR {_share(shift.srr)}, NDR {_share(shift.ndr)}."
    ]
    if not comparison.independent:
        return [*out, "The draws are not independent, so that no test of this change is valid."]
    tests = (
        ("lost", evidence.p_shrunk, evidence.lost_singly),
        ("found", evidence.p_expanded, evidence.found_singly),
    )
    for word, p, singly in tests:
        number = (
            f"More answers are {word} than identical models would show ({p_text(p)})"
            if holds(p)
            else f"The draws do not show more {word} than identical models would ({p_text(p)})"
        )
        if singly or holds(p):
            number += (
                f"; by a test on each answer, {count_of(singly, 'answer')} "
                f"{'is' if singly == 1 else 'are'} {word} beyond luck"
            )
        out.append(f"{number}.")
    return out


def _share(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.3f}"


SECTION = Section("answers", _measure)

"""The tables of single problems: counts and labels, and how sure each of them is."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast.metrics import clopper_pearson
from rlvr_fast.report.comparison import RULES, Comparison
from rlvr_fast.report.sides import IntArray
from rlvr_fast.report.table import Column, Kind, Table

__all__ = ["answers_by_problem", "problem_evidence_table", "problem_table"]


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


def problem_evidence_table(comparison: Comparison) -> Table:
    """Every problem: its accuracies with intervals, the test of a change, the tilt, the unseen."""
    columns: list[Column] = [Column("problem_id", "problem"), Column("task", "task")]
    values: dict[str, Any] = {
        "problem_id": comparison.problems.ids,
        "task": comparison.problems.tasks,
    }

    def add(key: str, title: str, kind: Kind, hint: str, data: Any) -> None:
        columns.append(Column(key, title, kind, hint))
        values[key] = np.asarray(data).tolist()

    for side in comparison.sides:
        interval = clopper_pearson(side.num_samples, side.num_correct)
        hint = "95 % interval (Clopper–Pearson)"
        add(f"{side.name}_accuracy", f"{side.name} accuracy", "share", "", side.accuracy)
        add(f"{side.name}_low", "low", "share", hint, interval.low)
        add(f"{side.name}_high", "high", "share", hint, interval.high)
    tests = comparison.tests
    changed = np.where(tests.discovery, tests.direction, 0)
    words = np.array(["less often", "", "more often"])[changed + 1]
    add("p_value", "p", "p", "Fisher’s exact test of one accuracy for both models", tests.p_value)
    add("q_value", "q", "p", "the same with false-discovery control", tests.q_value)
    add("changed", "solved", "text", "where q is at most 0.05", words)
    tilt, distance = comparison.tilt, comparison.distances
    hint = "the tilt exp(βR) from base’s accuracy to RL’s"
    add("beta", "β", "decimal", hint, tilt.problem_beta)
    add("beta_low", "low", "decimal", "95 % interval", tilt.problem_low)
    add("beta_high", "high", "decimal", "95 % interval", tilt.problem_high)
    for key, title, hint in (
        ("tv_base", "distance", "total variation of the answers, RL and base"),
        ("tv", "after the tilt", "the same once base is tilted to RL’s accuracy"),
        ("tv_noise", "by luck", "what sampling alone would leave after the tilt"),
        ("kl_reweighting", "KL, reweighting", "nats: of RL’s accuracy from base’s"),
        ("kl_within", "KL, within", "nats: left within the right and within the wrong answers"),
        ("new_mass", "new answers", "share of RL’s draws that base never gave"),
        ("new_correct_mass", "new and right", "of these, the correct ones"),
    ):
        add(key, title, "share", hint, getattr(distance, key))
    for side in comparison.sides:
        unseen = comparison.beyond.unseen[side.name]
        name = side.name
        add(f"{name}_answers", f"{name} answers", "count", "distinct correct ones", unseen.seen)
        hint = "Chao1 lower bound of how many there are"
        add(f"{name}_at_least", "at least", "length", hint, unseen.richness)
        add(f"{name}_at_least_low", "low", "length", "95 % interval", unseen.richness_low)
        add(f"{name}_at_least_high", "high", "length", "95 % interval", unseen.richness_high)
        hint = "Good–Turing: chance that one more draw is a correct answer not seen before"
        add(f"{name}_unseen", "unseen mass", "number", hint, unseen.mass)
        add(f"{name}_unseen_low", "low", "number", "95 % interval", unseen.mass_low)
        add(f"{name}_unseen_high", "high", "number", "95 % interval", unseen.mass_high)
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return Table(
        "problem_evidence",
        "How sure every problem is: accuracies, change, tilt, and answers not drawn yet.",
        tuple(columns),
        rows,
    )

"""Several RL runs against one base: each against base and RL, over seeds, problem by problem."""

from __future__ import annotations

import numpy as np

from rlvr_fast.report.arm_tables import (
    Arms,
    listed_problems,
    measure_arms,
    pass_table,
    problem_table,
    seed_table,
    support_table,
    together_table,
    withheld,
)
from rlvr_fast.report.arms import arms_dependence
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.facts import count_of
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.several import depth_text, whole

__all__ = ["SECTION"]


def _measure(context: Context) -> Findings[Arms | None]:
    comparison = context.comparison
    if not comparison.arms:
        return Findings(measured=None, view=lambda: {"arms": None, "note": ""})
    draws = (comparison.rl.draws, *(arm.draws for arm in comparison.arms))
    names = (comparison.rl_name, *(arm.name for arm in comparison.arms))
    found = measure_arms(comparison.base.draws, names, draws)
    if found is None:
        note = "No problem has draws of the base and of every arm: the arms cannot be compared."
        return Findings(measured=None, headline=note, view=lambda: {"arms": None, "note": note})
    dependence = " ".join(
        filter(None, [comparison.dependence, arms_dependence(comparison.sides, comparison.arms)])
    )
    table = support_table(found)
    passing = pass_table(found)
    seeds = seed_table(found, [a | b for a, b in zip(table.rows, passing.rows, strict=True)])
    together = together_table(found)
    if dependence:
        table, passing, seeds, together = map(withheld, (table, passing, seeds, together))
    merged = [a | b for a, b in zip(table.rows, passing.rows, strict=True)]
    problems = problem_table(comparison, found, draws)
    tables = [table, passing, *([seeds] if seeds.rows else []), together, problems]
    return Findings(
        measured=found,
        tables=tables,
        headline=_headline(found, luck=not dependence),
        summary={
            "arms": {
                "problems": int(found.rows.size),
                "runs": merged,
                "seeds": seeds.rows,
                "together": together.rows,
                "dependence": dependence,
                "models": {
                    arm.name: " with the adapter ".join(
                        filter(None, (arm.side.model, arm.side.adapter))
                    )
                    for arm in comparison.arms
                },
                "allowed_differences": {arm.name: arm.allowed for arm in comparison.arms},
            }
        },
        view=lambda: {
            "arms": found,
            "note": "",
            "table": table,
            "passing": passing,
            "seeds": seeds,
            "together": together,
            "listed": listed_problems(problems, found),
            "sentence": _headline(found, luck=not dependence),
            "dependence": dependence,
            "notes": _notes(comparison, found),
        },
    )


def _said(number: float) -> str:
    """A number of problems in a sentence: whole numbers whole, small ones never 0."""
    if whole(number):
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 0.05 else "under 0.05"


def _headline(found: Arms, *, luck: bool) -> str:
    o, e = found.shared.observed, found.shared.equal
    text = (
        f"Of {depth_text(found.depth)}, {_said(o.lost_by_all)} {_are(o.lost_by_all)} lost by all "
        f"{len(found.names)} runs, {_said(o.lost_by_any)} by at least one of them, and "
        f"{_said(o.found_by_all)} {_are(o.found_by_all)} found by all"
    )
    if luck and np.isfinite(e.lost_by_any) and np.isfinite(e.found_by_all):
        text += (
            f". Were the base and all runs one model, luck would show {_said(e.lost_by_all)}, "
            f"{_said(e.lost_by_any)} and {_said(e.found_by_all)}"
        )
    return f"{text}."


def _are(number: float) -> str:
    return "is" if number == 1 else "are"


def _notes(comparison: Comparison, found: Arms) -> list[str]:
    """What a reader of the section has to know of the arms."""
    notes = []
    total = len(comparison.problems)
    if found.rows.size < total:
        notes.append(
            f"The arms are compared on {found.rows.size} of {count_of(total, 'problem')}: on those "
            "that the base, the RL run and every arm have drawn."
        )
    if found.depth.min() != found.depth.max() or any(
        np.any(side.num_samples != found.depth[0]) for side in comparison.sides
    ):
        notes.append(
            "The runs have different numbers of draws. Each problem is compared at the least "
            "number of any run; counts are then expected values over every choice of so many draws."
        )
    for arm in comparison.arms:
        if arm.allowed:
            differences = "; ".join(f"{k}: {v}" for k, v in arm.allowed.items())
            notes.append(f"{arm.name} differs from the base run, as was allowed: {differences}.")
        drawn, unparsed = int(arm.side.num_samples.sum()), int(arm.side.num_unparsed.sum())
        if 2 * unparsed >= drawn > 0:
            notes.append(
                f"{arm.name}: {unparsed:,} of {drawn:,} completions have no answer that could be "
                "found. They count as not correct, which says nothing about the model."
            )
    return notes


SECTION = Section("arms", _measure)

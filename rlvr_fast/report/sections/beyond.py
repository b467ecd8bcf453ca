"""Past the samples: what twice as many reach at least, correct answers not drawn, open labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlvr_fast.metrics import (
    HoldOut,
    LowerCurve,
    Plan,
    chao1,
    clopper_pearson,
    extrapolate_pass_at_k,
    good_turing,
    hold_out,
    plan,
)
from rlvr_fast.report.columns import GROUP, LEVEL, group_cells, known_mean, known_sum
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.grades import verdict_code
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.sides import Side, curve_depth
from rlvr_fast.report.table import Column, Table
from rlvr_fast.report.table_files import ColumnRows

__all__ = ["SECTION", "Beyond", "UnseenAnswers"]

# Problems and samples below which a lower limit says next to nothing.
_LEAST_PROBLEMS = 8
_LEAST_SAMPLES = 16
# Rows of the plan on the page; the file has them all.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class UnseenAnswers:
    """Correct answers of one model, seen and unseen; arrays are over problems.

    Attributes:
        seen: distinct correct answers drawn.
        richness: Chao1's lower bound of how many there are; nan where answers are not known.
        richness_low: lower end of its 95 % interval.
        richness_high: upper end.
        mass: probability (Good-Turing) that a next draw is a correct answer not drawn before; nan
            without draws.
        mass_low: lower end of its 95 % interval.
        mass_high: upper end.
    """

    seen: IntArray
    richness: FloatArray
    richness_low: FloatArray
    richness_high: FloatArray
    mass: FloatArray
    mass_low: FloatArray
    mass_high: FloatArray


@dataclass(frozen=True, slots=True)
class Beyond:
    """What the samples say past their number, for all problems together.

    Attributes:
        at_least: by model, lower limits of pass@k at n and at 2n; without models that have too
            little data, and empty where the draws are not independent.
        held_out: by model, the limit from half of the samples beside what all of them show.
        plan: where more samples would decide labels of the rule "epsilon".
        unseen: by model, the correct answers of each problem.
    """

    at_least: dict[str, LowerCurve]
    held_out: dict[str, HoldOut]
    plan: Plan
    unseen: dict[str, UnseenAnswers]


def _measure(context: Context) -> Findings[Beyond]:
    comparison = context.comparison
    found = _beyond(comparison)
    at_least, unseen = _at_least_table(comparison, found), _unseen_table(comparison, found)
    planned = _plan_table(comparison, found.plan)
    return Findings(
        measured=found,
        tables=(at_least, unseen, planned),
        summary={"undecided_problems": found.plan.undetermined},
        view=lambda: {
            "at_least": at_least,
            "checks": [
                (s, found.held_out[s.name]) for s in comparison.sides if s.name in found.held_out
            ],
            "many": context.measured(ANSWERS).many,
            "unseen": unseen,
            "undetermined": found.plan.undetermined,
            "plan": replace(planned, rows=planned.rows[:_SHOWN]),
        },
    )


def _beyond(comparison: Comparison) -> Beyond:
    at_least: dict[str, LowerCurve] = {}
    held_out: dict[str, HoldOut] = {}
    for side in comparison.sides:
        depth = curve_depth(side, side)
        n, c = side.draws[side.num_samples >= max(depth, 1)]
        if not comparison.independent or n.size < _LEAST_PROBLEMS or depth < _LEAST_SAMPLES:
            continue
        at_least[side.name] = extrapolate_pass_at_k(n, c, k=[depth, 2 * depth], level=LEVEL)
        held_out[side.name] = hold_out(n, c, keep=depth // 2, level=LEVEL)
    return Beyond(
        at_least,
        held_out,
        plan(
            comparison.base.draws,
            comparison.rl.draws,
            zeta=comparison.zeta,
            epsilon=comparison.epsilon,
        ),
        {side.name: _unseen(side) for side in comparison.sides},
    )


def _unseen(side: Side) -> UnseenAnswers:
    total = side.num_samples.size
    right = side.answers.verdict == verdict_code("correct")
    right &= np.array([text is not None for text in side.answers.canonical], bool)
    problem, count = side.answers.problem[right], side.answers.count[right]
    bounds = np.searchsorted(problem, np.arange(total + 1))
    seen = np.diff(bounds).astype(np.int64)
    drawn = (side.num_samples > 0) & side.answers_known
    # Without an answer drawn once both estimates add nothing, and the probability has a bound.
    richness = np.repeat(seen[np.newaxis].astype(np.float64), 3, axis=0)
    none = np.zeros(total, np.int64)
    mass = np.stack([none, none, clopper_pearson(side.num_samples, none).high])
    mass = np.where(drawn, mass, np.nan)
    known: dict[tuple[int, bytes], tuple[list[float], list[float]]] = {}
    for i in np.flatnonzero(seen):
        counts = count[bounds[i] : bounds[i + 1]]
        if counts.min() == 1:
            draws = int(side.num_samples[i])
            # of problems with few draws many have the same counts
            one = draws, counts.tobytes()
            if one not in known:
                many, unseen = chao1(counts, draws=draws), good_turing(counts, draws=draws)
                known[one] = (
                    [many.value, many.low, many.high],
                    [unseen.value, unseen.low, unseen.high],
                )
            richness[:, i], mass[:, i] = known[one]
    richness[:, ~side.answers_known] = np.nan
    return UnseenAnswers(seen, *richness, *mass)


def _at_least_table(comparison: Comparison, found: Beyond) -> Table:
    """pass@n, and what pass@2n is at least, with the same limit from half of the samples."""
    rows: list[dict[str, Any]] = []
    for side in comparison.sides:
        curve = found.at_least.get(side.name)
        if curve is None:
            continue
        held = found.held_out[side.name]
        rows += [
            {
                "model": side.name,
                "k": int(curve.k[i]),
                "value": float(curve.value[i]),
                "at_least": float(curve.low[i]) if np.isnan(curve.value[i]) else None,
                "problems": int(curve.problems[0]),
                "kept": held.keep,
                "kept_at_least": held.low,
                "kept_measured": held.measured,
            }
            for i in range(curve.k.size)
        ]
    columns = (
        Column("model", "model"),
        Column("k", "k", "count"),
        Column("value", "measured", "share", "mean unbiased pass@k; none past the samples"),
        Column(
            "at_least",
            "at least",
            "at least",
            "one-sided 95 % limit for new problems",
        ),
        Column("problems", "problems", "count", "the same problems at each k"),
        Column("kept", "checked with", "count", "samples a problem kept in the check"),
        Column("kept_at_least", "check: at least", "at least", "at twice the samples kept"),
        Column("kept_measured", "check: measured", "share", "at twice the samples kept"),
    )
    return Table(
        "beyond",
        "Problem level: what pass@k is at least at twice the number of samples, whatever the law "
        "of the problems (one-sided 95 % limits).",
        columns,
        rows,
    )


def _unseen_table(comparison: Comparison, found: Beyond) -> Table:
    """Correct answers not drawn yet, one row per group and model."""
    rows = []
    for group in comparison.groups:
        for side in comparison.sides:
            unseen = found.unseen[side.name]
            rows.append(
                {
                    **group_cells(group),
                    "model": side.name,
                    "seen": int(unseen.seen[group.members].sum()),
                    "richness": known_sum(unseen.richness[group.members]),
                    "new_answer": known_mean(unseen.mass[group.members]),
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


def _plan_table(comparison: Comparison, found: Plan) -> Table:
    """Where more samples would decide the labels of the rule "epsilon"."""
    ids = comparison.problems.ids
    rows = ColumnRows(
        {
            "problem_id": [ids[i] for i in found.problem.tolist()],
            "base_extra": found.base_extra,
            "rl_extra": found.rl_extra,
            "probability": found.probability,
            "cumulative_samples": found.cumulative_samples,
            "cumulative_decided": found.cumulative_decided,
        }
    )
    columns = (
        Column("problem_id", "problem"),
        Column("base_extra", "more of base", "count"),
        Column("rl_extra", "more of RL", "count"),
        Column("probability", "chance to decide", "share"),
        Column("cumulative_samples", "samples in all", "count", "of this row and those above"),
        Column("cumulative_decided", "decided by then", "length", "expected number of problems"),
    )
    return Table("plan", "Where more samples would decide most labels.", columns, rows)


SECTION = Section("beyond", _measure)

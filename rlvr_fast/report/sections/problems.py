"""Every problem: counts, labels, intervals, tests, and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import FisherTests, clopper_pearson
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.grades import verdict_code
from rlvr_fast.report.problems import FloatArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.sections.answers import AnswerSupport
from rlvr_fast.report.sections.beyond import SECTION as BEYOND
from rlvr_fast.report.sections.beyond import UnseenAnswers
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sections.reweighting import SECTION as REWEIGHTING
from rlvr_fast.report.sections.reweighting import Reweighting
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Kind, Table
from rlvr_fast.report.untrusted import visible
from rlvr_fast.vocabulary import LABEL_KEYS, LABELS, RULES

__all__ = ["SECTION"]

# What all problems together may add to the page; a page must open on a phone.
_PROBLEM_BYTES = 2_600_000


@dataclass(frozen=True, slots=True)
class _Known:
    """The measurements of every problem; `limits` are the intervals of both accuracies."""

    comparison: Comparison
    answers: AnswerSupport
    tests: FisherTests
    reweighting: Reweighting
    unseen: dict[str, UnseenAnswers]
    limits: dict[str, tuple[FloatArray, FloatArray]]


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    limits = {side.name: clopper_pearson(*side.draws) for side in comparison.sides}
    known = _Known(
        comparison,
        context.measured(ANSWERS),
        context.measured(EVIDENCE).tests,
        context.measured(REWEIGHTING),
        context.measured(BEYOND).unseen,
        {name: (interval.low, interval.high) for name, interval in limits.items()},
    )
    return Findings(
        measured=None,
        tables=(_problem_table(known), _evidence_table(known)),
        view=lambda: {"labels": LABELS},
        data=lambda: {"problems": _data(known)},
    )


_PROBLEM_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("problem_id", "text"),
    ("task", "text"),
    ("label_seen", "text"),
    ("label_epsilon", "text"),
    ("base_samples", "count"),
    ("base_correct", "count"),
    ("base_undecided", "count"),
    ("rl_samples", "count"),
    ("rl_correct", "count"),
    ("rl_undecided", "count"),
    ("answers_kept", "count"),
    ("answers_lost", "count"),
    ("answers_found", "count"),
    ("base_answer_entropy", "share"),
    ("rl_answer_entropy", "share"),
)


def _problem_table(known: _Known) -> Table:
    """Every problem, with its counts and labels."""
    comparison = known.comparison
    base, rl = comparison.sides
    problems = comparison.problems
    columns: tuple[Iterable[Any], ...] = (
        problems.ids,
        problems.tasks,
        *(comparison.labels(rule) for rule in RULES),
        *(a.tolist() for a in (base.num_samples, base.num_correct, base.num_undecided)),
        *(a.tolist() for a in (rl.num_samples, rl.num_correct, rl.num_undecided)),
        *known.answers.by_problem(),
        base.answer_entropy.tolist(),
        rl.answer_entropy.tolist(),
    )
    return Table(
        "problems",
        "Every problem.",
        tuple(Column(key, key.replace("_", " "), kind) for key, kind in _PROBLEM_COLUMNS),
        _rows([key for key, _ in _PROBLEM_COLUMNS], columns),
    )


def _rows(keys: Iterable[str], columns: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    names = list(keys)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _evidence_table(known: _Known) -> Table:
    """Every problem: its accuracies with intervals, the test of a change, the tilt, the unseen."""
    comparison = known.comparison
    columns: list[Column] = [Column("problem_id", "problem"), Column("task", "task")]
    values: dict[str, Any] = {
        "problem_id": comparison.problems.ids,
        "task": comparison.problems.tasks,
    }

    def add(key: str, title: str, kind: Kind, hint: str, data: Any) -> None:
        columns.append(Column(key, title, kind, hint))
        values[key] = np.asarray(data).tolist()

    for side in comparison.sides:
        low, high = known.limits[side.name]
        hint = "95 % interval (Clopper–Pearson)"
        add(f"{side.name}_accuracy", f"{side.name} accuracy", "share", "", side.accuracy)
        add(f"{side.name}_low", "low", "share", hint, low)
        add(f"{side.name}_high", "high", "share", hint, high)
    tests = known.tests
    changed = np.where(tests.discovery, tests.direction, 0)
    words = np.array(["less often", "", "more often"])[changed + 1]
    add("p_value", "p", "p", "Fisher’s exact test of one accuracy for both models", tests.p_value)
    add("q_value", "q", "p", "the same with false-discovery control", tests.q_value)
    add("changed", "solved", "text", "where q is at most 0.05", words)
    tilt, distance = known.reweighting.tilt, known.reweighting.distances
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
        unseen = known.unseen[side.name]
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
    return Table(
        "problem_evidence",
        "How sure every problem is: accuracies, change, tilt, and answers not drawn yet.",
        tuple(columns),
        _rows(values, values.values()),
    )


def _data(known: _Known) -> list[list[Any]]:
    """One row a problem for the page's script, which names the entries."""
    comparison = known.comparison
    problems, total = comparison.problems, len(comparison.problems)
    budget = int(np.clip(_PROBLEM_BYTES // max(total, 1), 240, 4000))
    text, answer = max(budget // 3, 100), int(np.clip(budget // 16, 24, 120))
    codes = {key: i for i, key in enumerate(LABEL_KEYS)}
    task_names = {name: i for i, name in enumerate(dict.fromkeys(problems.tasks))}
    wrong = [_commonest_wrong(side, total, answer) for side in comparison.sides]
    columns: tuple[Iterable[Any], ...] = (
        [visible(problem_id, 80) for problem_id in problems.ids],
        [task_names[task] for task in problems.tasks],
        *([codes[label] for label in comparison.labels(rule)] for rule in RULES),
        *(
            counts.tolist()
            for side in comparison.sides
            for counts in (side.num_correct, side.num_samples)
        ),
        *known.answers.by_problem(),
        [visible(prompt, text) for prompt in problems.prompts],
        _answer_samples(known.answers, total, answer),
        [list(both) for both in zip(*wrong, strict=True)],
        _how_sure(known),
    )
    return [list(row) for row in zip(*columns, strict=True)]


def _how_sure(known: _Known) -> list[list[Any]]:
    """Per problem [base low, high, RL low, high, q of Fisher's test, beta, low, high]."""
    tilt = known.reweighting.tilt
    columns = [end for side in known.comparison.sides for end in known.limits[side.name]]
    columns += [known.tests.q_value, tilt.problem_beta, tilt.problem_low, tilt.problem_high]
    return [[float(f"{v:.3g}") for v in row] for row in np.stack(columns, axis=1)]


def _answer_samples(a: AnswerSupport, total: int, limit: int) -> list[list[list[Any]]]:
    """Per problem up to two answers kept, three lost and three found: [kind, text, base, rl].

    None of a problem whose answers are not known of both models.
    """
    out: list[list[list[Any]]] = [[] for _ in range(total)]
    room = [[2, 3, 3] for _ in range(total)]
    counts = (a.problem.tolist(), a.base_count.tolist(), a.rl_count.tolist())
    for row, (problem, b, r) in enumerate(zip(*counts, strict=True)):
        kind = 0 if b and r else 1 if b else 2
        if a.known[problem] and room[problem][kind]:
            room[problem][kind] -= 1
            out[problem].append([kind, visible(a.canonical[row], limit), b, r])
    return out


def _commonest_wrong(side: Side, total: int, limit: int) -> list[list[Any] | None]:
    """Per problem the wrong answer a model gives most: [text, count]."""
    out: list[list[Any] | None] = [None] * total
    wrong = np.flatnonzero(side.answers.verdict == verdict_code("incorrect"))
    problems, first = np.unique(side.answers.problem[wrong], return_index=True)
    for problem, at in zip(problems, first, strict=True):
        row = int(wrong[at])
        text = side.answers.canonical[row]
        if text is not None:
            out[int(problem)] = [visible(text, limit), int(side.answers.count[row])]
    return out


SECTION = Section("problems", _measure)

"""Every problem: counts, labels, intervals, tests, and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rlvr_fast.metrics import FisherTests, clopper_pearson
from rlvr_fast.report.claims import FDR
from rlvr_fast.report.common_answers import ProblemAnswers, answer_rows, common_answers
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.label_proofs import LabelProofs, label_proofs
from rlvr_fast.report.page_choice import PageChoice
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.sections.answers import AnswerSupport
from rlvr_fast.report.sections.beyond import SECTION as BEYOND
from rlvr_fast.report.sections.beyond import UnseenAnswers
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sections.reweighting import SECTION as REWEIGHTING
from rlvr_fast.report.sections.reweighting import Reweighting
from rlvr_fast.report.table import Column, Kind, Table
from rlvr_fast.report.table_files import ColumnRows
from rlvr_fast.shown_text import visible
from rlvr_fast.vocabulary import LABEL_KEYS, LABELS, RULES, VERDICTS

__all__ = ["SECTION"]

# What all problems together may add to the page; a page must open on a phone.
_PROBLEM_BYTES = 2_600_000
# The commonest answers that are taken from each model, and how many characters a table keeps.
_COMMONEST = 6
_ANSWER_CHARACTERS = 200
# A link finds its problem by an id of at most this length.
_ID_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class _Known:
    """The measurements of every problem; `limits` are the intervals of both accuracies."""

    comparison: Comparison
    answers: AnswerSupport
    tests: FisherTests
    reweighting: Reweighting
    unseen: dict[str, UnseenAnswers]
    limits: dict[str, tuple[FloatArray, FloatArray]]
    proofs: LabelProofs
    page: PageChoice


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
        label_proofs(comparison, context.measured(EVIDENCE).tests),
        context.page,
    )
    return Findings(
        measured=None,
        tables=(_problem_table(known), _answer_table(known), _evidence_table(known)),
        view=lambda: {"labels": LABELS},
        data=lambda: {
            "problems": _data(known),
            "problem_ids": _other_ids(known),
            **({} if known.page.every_group else {"tasks": _task_names(known)}),
            "verdicts": VERDICTS,
            "confidence": 1 - comparison.zeta,
            "epsilon": comparison.epsilon,
            "independent": comparison.independent,
        },
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
    ("one_draw_decides", "text"),
    ("chance_by_luck", "p"),
    ("fisher_p", "p"),
    ("fisher_p_adjusted", "p"),
    ("epsilon", "number"),
    ("base_lower_limit", "number"),
    ("base_upper_limit", "number"),
    ("rl_lower_limit", "number"),
    ("rl_upper_limit", "number"),
)


def _problem_table(known: _Known) -> Table:
    """Every problem, with its counts and labels."""
    comparison = known.comparison
    base, rl = comparison.sides
    problems = comparison.problems
    proofs = known.proofs
    columns: tuple[Any, ...] = (
        problems.ids,
        problems.tasks,
        *(comparison.label_array(rule) for rule in RULES),
        *(base.num_samples, base.num_correct, base.num_undecided),
        *(rl.num_samples, rl.num_correct, rl.num_undecided),
        *known.answers.by_problem(),
        base.answer_entropy,
        rl.answer_entropy,
        np.where(proofs.one_draw, "yes", "no"),
        *(proofs.luck, proofs.p_value, proofs.p_adjusted),
        np.full(len(problems), comparison.epsilon),
        *(ends[i] for i in range(2) for ends in (proofs.low, proofs.high)),
    )
    keys = [key for key, _ in _PROBLEM_COLUMNS]
    return Table(
        "problems",
        "Every problem: counts, labels, and the numbers that the labels rest on.",
        tuple(Column(key, key.replace("_", " "), kind) for key, kind in _PROBLEM_COLUMNS),
        ColumnRows(dict(zip(keys, columns, strict=True))),
    )


def _answer_table(known: _Known) -> Table:
    """The commonest answers to every problem, and one row for all others."""
    comparison = known.comparison
    base, rl = comparison.sides
    found = answer_rows(base, rl, most=_COMMONEST)
    at, others = found.problem, found.verdict < 0
    texts = [_cut(text) for text in found.text.to_pylist()]
    for row in np.flatnonzero(others).tolist():
        texts[row] = "(all other answers)"
    rows = ColumnRows(
        {
            "problem_id": pa.array(comparison.problems.ids, pa.string()).take(pa.array(at)),
            "task": pa.array(comparison.problems.tasks, pa.string()).take(pa.array(at)),
            "answer": texts,
            "verdict": np.array([*VERDICTS, ""])[found.verdict],
            "answers": found.answers,
            "base": found.base,
            "base_share": found.base / np.maximum(base.num_samples, 1)[at],
            "rl": found.rl,
            "rl_share": found.rl / np.maximum(rl.num_samples, 1)[at],
        }
    )
    columns = (
        Column("problem_id", "problem"),
        Column("task", "task"),
        Column("answer", "answer"),
        Column("verdict", "verdict"),
        Column("answers", "answers", "count", "distinct answers in this row, at least"),
        Column("base", "base", "count", "draws of the base model"),
        Column("base_share", "share", "share", "of the base model’s draws"),
        Column("rl", "RL", "count", "draws of the RL model"),
        Column("rl_share", "share", "share", "of the RL model’s draws"),
    )
    return Table(
        "problem_answers",
        f"What both models answered: the {_COMMONEST} commonest answers of each to every problem.",
        columns,
        rows,
    )


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _ANSWER_CHARACTERS:
        return text
    return text[: _ANSWER_CHARACTERS - 1] + "…"


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
        values[key] = np.asarray(data)

    for side in comparison.sides:
        low, high = known.limits[side.name]
        hint = "95 % interval (Clopper–Pearson)"
        add(f"{side.name}_accuracy", f"{side.name} accuracy", "share", "", side.accuracy)
        add(f"{side.name}_low", "low", "share", hint, low)
        add(f"{side.name}_high", "high", "share", hint, high)
    tests = known.tests
    changed = np.where(tests.discovery, tests.direction, 0)
    words = np.array(["less often", "", "more often"])[changed + 1]
    hint = "Fisher’s exact test, draws without a verdict as not correct or left out: the larger p"
    add("p_value", "p", "p", hint, tests.p_value)
    add("q_value", "q", "p", "the same with false-discovery control", tests.q_value)
    add("changed", "solved", "text", f"where q is at most {FDR:g}", words)
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
        ("new_mass", "new answers", "share of RL’s draws whose answer no draw of base gave"),
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
        "Evidence of every problem: accuracies, change, tilt, and answers not drawn yet.",
        tuple(columns),
        ColumnRows(values),
    )


def _data(known: _Known) -> list[list[Any]]:
    """One row a problem of the page for the page's script, which names the entries."""
    comparison, shown = known.comparison, known.page.problems
    problems = comparison.problems
    budget = int(np.clip(_PROBLEM_BYTES // max(shown.size, 1), 240, 4000))
    codes = {key: i for i, key in enumerate(LABEL_KEYS)}
    task_names = {name: i for i, name in enumerate(dict.fromkeys(problems.tasks))}
    answers = common_answers(*comparison.sides, most=_COMMONEST, problems=shown.tolist())
    columns: tuple[Iterable[Any], ...] = (
        [visible(problems.ids[i], 80) for i in shown],
        [task_names[problems.tasks[i]] for i in shown],
        *([codes[label] for label in comparison.label_array(r)[shown].tolist()] for r in RULES),
        *(
            counts[shown].tolist()
            for side in comparison.sides
            for counts in (side.num_correct, side.num_samples)
        ),
        *([column[i] for i in shown] for column in known.answers.by_problem()),
        [visible(problems.prompts[i], max(budget // 3, 100)) for i in shown],
        [_shown_answers(found, budget) for found in answers],
        _how_sure(known),
        _proof(known.proofs, shown),
    )
    return [list(row) for row in zip(*columns, strict=True)]


def _task_names(known: _Known) -> dict[int, str]:
    """The names of the tasks of the problems of the page, by the tasks' numbers."""
    names = known.comparison.problems.tasks
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    shown = dict.fromkeys(names[i] for i in known.page.problems)
    return {numbers[name]: visible(name, 60) for name in shown}


def _shown_answers(found: ProblemAnswers, budget: int) -> list[Any]:
    """[answers, others]: [text, verdict, base, RL] each; distinct and draws of base, then of RL.

    Small budgets show fewer answers, and less of each.
    """
    most = int(np.clip(budget // 100, 3, 2 * _COMMONEST))
    limit = int(np.clip(budget // 24, 24, 120))
    answers = [
        [a.text and visible(a.text, limit), VERDICTS.index(a.verdict), a.base, a.rl]
        for a in found.common[:most]
    ]
    hidden = found.common[most:]
    others = []
    for (distinct, draws), side in zip(found.rest, ("base", "rl"), strict=True):
        counts = [count for a in hidden if (count := getattr(a, side))]
        others += [distinct + len(counts), draws + sum(counts)]
    return [answers, others]


def _proof(proofs: LabelProofs, shown: IntArray) -> list[list[Any]]:
    """Per problem shown [one draw decides, luck, p, adjusted p, state, low, high of each]."""
    columns: list[Any] = [proofs.one_draw.astype(int), proofs.luck, proofs.p_value]
    columns.append(proofs.p_adjusted)
    for i in range(2):
        columns += [proofs.states[i], proofs.low[i], proofs.high[i]]
    return [
        [_short(v) for v in row] for row in zip(*(c[shown].tolist() for c in columns), strict=True)
    ]


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.3g}")


def _other_ids(known: _Known) -> dict[int, str]:
    """The ids that the page does not show as they are, by the problem's row there, for links."""
    ids = known.comparison.problems.ids
    return {
        i: problem_id
        for i, problem_id in enumerate(ids[row] for row in known.page.problems)
        if len(problem_id) <= _ID_CHARACTERS and visible(problem_id, 80) != problem_id
    }


def _how_sure(known: _Known) -> list[list[Any]]:
    """Per problem [base low, high, RL low, high, q of Fisher's test, beta, low, high]."""
    tilt = known.reweighting.tilt
    columns = [end for side in known.comparison.sides for end in known.limits[side.name]]
    columns += [known.tests.q_value, tilt.problem_beta, tilt.problem_low, tilt.problem_high]
    return [
        [_short(float(v)) for v in row]
        for row in np.stack([c[known.page.problems] for c in columns], axis=1)
    ]


SECTION = Section("problems", _measure)

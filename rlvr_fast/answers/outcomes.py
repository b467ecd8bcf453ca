"""Outcomes that follow without a verifier, and the table of grades."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.imported import WITHOUT_VERDICT
from rlvr_fast.answers.normalization import (
    CANONICAL_GRADER,
    compare_canonical,
    normalize_answers,
)
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.vocabulary import DECIDED, NO_GOLD, VERDICTS

__all__ = [
    "by_canonical_form",
    "by_import",
    "grades_table",
    "journal_gold",
    "problem_golds",
    "tally",
]


def problem_golds(problems: pa.Table) -> list[tuple[str, ...]]:
    """The gold answers that are accepted for each problem; none where it has no gold.

    Args:
        problems: the table of problems of a run.
    """
    rows = zip(problems["gold"].to_pylist(), problems["metadata"].to_pylist(), strict=True)
    return [
        () if gold is None else accepted_golds(gold, json.loads(metadata or "{}"))
        for gold, metadata in rows
    ]


def journal_gold(gold: str | None, metadata: Mapping[str, Any]) -> str | None:
    """What identifies the gold answer of a problem, and its alternatives, in the journal.

    Args:
        gold: the gold answer.
        metadata: the metadata of the problem, which may hold alternatives.
    """
    if gold is None:
        return None
    accepted = accepted_golds(gold, metadata)
    return gold if len(accepted) == 1 else json.dumps(accepted)


def by_import(distinct: DistinctAnswers, grader: str) -> list[Outcome]:
    """The outcomes by imported verdicts: correct, incorrect, or `error` where none was given.

    Args:
        distinct: the distinct answers, each with the number of its imported verdict.
        grader: name of the imported verdicts.
    """
    decided = [Outcome(verdict, grader) for verdict in DECIDED]
    decided.append(Outcome("error", WITHOUT_VERDICT))
    return [decided[number] for number in distinct.verdict]


def by_canonical_form(
    distinct: DistinctAnswers, metadata: Sequence[dict[str, Any]]
) -> list[Outcome | None]:
    """The outcomes that canonical forms decide; None for each answer left to its verifier.

    Args:
        distinct: the distinct answers, with the golds of each problem.
        metadata: the metadata of each problem.
    """
    ends = np.cumsum([0, *map(len, distinct.golds)]).tolist()
    flat = [text for texts in distinct.golds for text in texts]
    gold_forms = normalize_answers(pa.array(flat, pa.large_string())).to_pylist()
    outcomes: list[Outcome | None] = [None] * len(distinct)
    places: list[int] = []
    wanted: list[str | None] = []
    for place, form in enumerate(distinct.canonical):
        if form is not None:
            owner = distinct.problem[place]
            forms = gold_forms[ends[owner] : ends[owner + 1]]
            places += [place] * len(forms)
            wanted += forms
    compared = compare_canonical(
        pa.array(wanted, pa.large_string()),
        pa.array([distinct.canonical[place] for place in places], pa.large_string()),
    )
    found: dict[int, set[str]] = {}
    for place, comparison in zip(places, compared, strict=True):
        found.setdefault(place, set()).add(comparison)
    same = Outcome("correct", CANONICAL_GRADER)
    other = Outcome("incorrect", CANONICAL_GRADER)
    for place, comparisons in found.items():
        about = metadata[distinct.problem[place]]
        if "equal" in comparisons:
            outcomes[place] = same
        elif comparisons == {"different"} and not (
            # Correct may be a value within a tolerance, or a list in another notation.
            about.get("tolerance") or about.get("multiple_answers")
        ):
            outcomes[place] = other
    return outcomes


def grades_table(
    distinct: DistinctAnswers,
    outcomes: Sequence[Outcome],
    without_gold: Sequence[bool],
    settings: dict[str, Any],
    owners: Sequence[str],
) -> pa.Table:
    """The table of grades.parquet.

    Args:
        distinct: the distinct answers.
        outcomes: the outcome of each.
        without_gold: for each problem, whether it cannot be graded for want of a gold answer.
        settings: the object "tasks" of grading.json.
        owners: the task of each problem.
    """
    without = np.flatnonzero(distinct.without_answer)
    problem = np.concatenate([without, np.asarray(distinct.problem, np.int64)])
    answer_id = np.concatenate([np.full(len(without), -1), np.arange(len(distinct))])
    counts = np.concatenate([distinct.without_answer[without], distinct.counts])
    shown = [None] * len(without) + [distinct.shown(number) for number in range(len(distinct))]
    of_none = [
        Outcome("error", NO_GOLD)
        if without_gold[place]
        else Outcome("unparsed", f"extraction {settings[owners[place]]['policy']}")
        for place in without.tolist()
    ]
    verdicts = [outcome.verdict for outcome in (*of_none, *outcomes)]
    graders = [outcome.grader for outcome in (*of_none, *outcomes)]
    order = pa.array(np.lexsort((answer_id, problem)))
    names = pa.array(distinct.problems, pa.string()).take(pa.array(problem))
    table = pa.table(
        {
            "problem_id": names,
            "answer_id": pa.array(answer_id, pa.int32()),
            "canonical": pa.array(shown, pa.large_string()),
            "count": pa.array(counts, pa.int64()),
            "verdict": pa.array(verdicts, pa.string()),
            "grader": pa.array(graders, pa.string()),
        }
    )
    return table.take(order)


def tally(
    distinct: DistinctAnswers, outcomes: Sequence[Outcome], grades: pa.Table, total: int
) -> dict[str, Any]:
    """The numbers of grading.json, its object "graded".

    Args:
        distinct: the distinct answers.
        outcomes: the outcome of each.
        grades: the table of grades.parquet.
        total: number of completions.
    """
    verdicts = Counter[str]()
    for verdict, count in zip(
        grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True
    ):
        verdicts[verdict] += count
    given = np.array([text is not None for text in distinct.text], bool)
    without_verdict = np.array([o.grader == WITHOUT_VERDICT for o in outcomes], bool)
    graders = Counter(outcome.grader for outcome in outcomes)
    ungraded = grades.filter(pc.equal(grades["grader"], NO_GOLD))
    return {
        "completions": total,
        "with_answer": int(distinct.counts[given].sum()),
        "distinct_answers": int(given.sum()),
        "decided_by_canonical_form": graders[CANONICAL_GRADER],
        "without_verdict": int(distinct.counts[without_verdict].sum()),
        "without_gold": {
            "problems": len(pc.unique(ungraded["problem_id"])),
            "completions": pc.sum(ungraded["count"]).as_py() or 0,
        },
        "verdicts": {name: verdicts[name] for name in VERDICTS},
    }

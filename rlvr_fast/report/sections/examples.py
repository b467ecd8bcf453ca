"""A few completions that show a lost or a found answer, and the lists of problems by region.

Only the parts of a run that hold a wanted draw are opened, batch by batch, and reading stops at
the last one; a run of hundreds of gigabytes costs at most `_BUDGET` bytes of reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.page_choice import PageChoice
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.sections.answers import AnswerSupport
from rlvr_fast.report.sides import Side
from rlvr_fast.store.files import open_parquet
from rlvr_fast.vocabulary import REGIONS

__all__ = ["SECTION", "Example", "collect_examples"]

_BUDGET = 1 << 29


@dataclass(frozen=True, slots=True)
class Example:
    """One completion that reached an answer the other model did not.

    Attributes:
        problem: row of the problem.
        answer: the correct answer, in its canonical form; None where only verdicts are known.
        count: draws of the model that gave the answer.
        sample_index: number of the draw.
        text: the completion.
    """

    problem: int
    answer: str | None
    count: int
    sample_index: int
    text: str


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    return Findings(
        measured=None,
        view=lambda: _view(comparison, context.page, context.measured(ANSWERS)),
    )


def _view(comparison: Comparison, page: PageChoice, answers: AnswerSupport) -> dict[str, Any]:
    labels = comparison.label_array("seen")
    shown = labels[page.problems]
    ids = comparison.problems.ids
    return {
        "examples": {
            region: [_shown(comparison, e) for e in collect_examples(comparison, answers, region)]
            for region in ("shrunk", "expanded")
        },
        "lists": [
            (
                region,
                int(np.count_nonzero(labels == region.key)),
                [ids[i] for i in page.problems[shown == region.key]],
            )
            for region in REGIONS
        ],
    }


def _shown(comparison: Comparison, example: Example) -> dict[str, Any]:
    i = example.problem
    return {
        "id": comparison.problems.ids[i],
        "task": comparison.problems.tasks[i],
        "prompt": comparison.problems.prompts[i],
        "answer": example.answer,
        "count": example.count,
        "base": (int(comparison.base.num_correct[i]), int(comparison.base.num_samples[i])),
        "rl": (int(comparison.rl.num_correct[i]), int(comparison.rl.num_samples[i])),
        "text": example.text,
    }


def collect_examples(
    comparison: Comparison, answers: AnswerSupport, region: str, limit: int = 6
) -> list[Example]:
    """Completions for up to `limit` problems: base's own for "shrunk", RL's for "expanded".

    Problems with the most correct draws first: these are the clearest.
    """
    side = comparison.base if region == "shrunk" else comparison.rl
    rows = np.flatnonzero(comparison.label_array() == region)
    rows = rows[np.argsort(-side.num_correct[rows], kind="stable")][:limit]
    wanted: dict[str, tuple[int, str | None, int]] = {}
    for row in rows:
        mine = np.flatnonzero(answers.problem == row)
        counts = (answers.base_count if side is comparison.base else answers.rl_count)[mine]
        problem_id = side.ids[int(row)]
        if counts.size and counts.max() > 0:
            best = int(mine[int(np.argmax(counts))])
            wanted[problem_id] = (int(row), answers.canonical[best], int(counts.max()))
        else:
            wanted[problem_id] = (int(row), None, int(side.num_correct[row]))
    draws = _first_draws(side, {pid: answer for pid, (_, answer, _) in wanted.items()})
    texts = _texts(side, draws)
    return [
        Example(row, answer, count, draws[pid], texts[pid])
        for pid, (row, answer, count) in wanted.items()
        if pid in draws and pid in texts
    ]


def _answer_ids(side: Side, wanted: dict[str, str | None]) -> dict[str, int]:
    grades = side.run.read_table("grades.parquet")
    if grades is None or not wanted:
        return {}
    rows = grades.filter(pc.is_in(grades.column("problem_id"), pa.array(list(wanted)))).to_pylist()
    return {
        row["problem_id"]: row["answer_id"]
        for row in rows
        if row["canonical"] == wanted[row["problem_id"]] and row["verdict"] == "correct"
    }


def _first_draws(side: Side, wanted: dict[str, str | None]) -> dict[str, int]:
    """The first draw of each problem that gave the wanted answer."""
    ids = _answer_ids(side, wanted)
    found: dict[str, int] = {}
    for _, part in side.run.iter_parts(
        "answers", columns=["problem_id", "sample_index", "answer_id"]
    ):
        left = [pid for pid in ids if pid not in found]
        if not left:
            break
        rows = part.filter(pc.is_in(part.column("problem_id"), pa.array(left)))
        for row in rows.to_pylist():
            pid = row["problem_id"]
            if pid not in found and row["answer_id"] == ids[pid]:
                found[pid] = row["sample_index"]
    return found


def _texts(side: Side, draws: dict[str, int]) -> dict[str, str]:
    texts: dict[str, str] = {}
    read = 0
    for path in side.run.parts("samples"):
        if len(texts) == len(draws) or read > _BUDGET:
            break
        with open_parquet(path, root=side.run.path) as file:
            for batch in file.iter_batches(16384, columns=["problem_id", "sample_index", "text"]):
                read += batch.nbytes
                left = [pid for pid in draws if pid not in texts]
                if not left or read > _BUDGET:
                    break
                mask = pc.is_in(batch.column("problem_id"), pa.array(left))
                for row in batch.filter(mask).to_pylist():
                    if draws[row["problem_id"]] == row["sample_index"]:
                        texts[row["problem_id"]] = row["text"]
    return texts


SECTION = Section("examples", _measure)

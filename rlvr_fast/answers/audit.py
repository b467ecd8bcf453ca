"""The audit of a graded run: a second verification of a sample of its verdicts."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from rlvr_fast.answers.normalization import CANONICAL_GRADER
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.workers import DEFAULT_MEMORY_MB, verify_pairs
from rlvr_fast.errors import InvalidInputError, RunDirectoryError, shown
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.store.digests import write_sealed
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.vocabulary import DECIDED

__all__ = ["audit_run"]


def audit_run(
    run: Run,
    count: int,
    *,
    seed: int = 0,
    workers: int | None = None,
    timeout: float = 5.0,
    memory_mb: int = DEFAULT_MEMORY_MB,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Verifies a sample of the verdicts of a graded run a second time and writes audit.json.

    The sample is uniform over the distinct answers with the verdict correct or incorrect, half of
    each where there are enough. The second verifier is the reader for verdicts of canonical forms,
    Math-Verify for verdicts of the reader, and the same verifier in a fresh process for verdicts of
    Reasoning Gym and of programs, which have one verifier. A disagreement needs a human: either
    verifier may be right.

    Args:
        run: a graded run.
        count: size of the sample; all verdicts where there are fewer.
        seed: seed of the sample.
        workers: number of worker processes; default one for each processor.
        timeout: processor seconds of one verification.
        memory_mb: MiB of address space of a worker.
        progress: called as progress("audit", verdicts verified, verdicts in all).

    Returns:
        The contents of audit.json: the model; for each pair of first and second grader the numbers
        of verdicts sampled, agreed, disagreed, and without an opinion of the second (`unparsed`,
        `timeout`, `error`); and every disagreement with its gold, answer and number of completions.

    Raises:
        InvalidInputError: count below 1.
        RunDirectoryError: the run is not graded, or its grades are not those of its answers.
    """
    if count < 1:
        raise InvalidInputError(f"expected to audit at least 1 verdict, got {count}")
    grades = run.read_table("grades.parquet")
    if grades is None:
        raise RunDirectoryError(f"{run.path}: not graded yet; grade it first (rlvr-fast grade)")
    chosen = _sample(grades.to_pylist(), count, seed)
    texts = _texts(run, {row["answer_id"] for row in chosen})
    problems = {row["problem_id"]: row for row in run.problems().to_pylist()}
    specs = run.task_specs()
    pairs = []
    for row in chosen:
        problem = problems.get(row["problem_id"], {})
        if problem.get("task") not in specs or row["answer_id"] not in texts:
            raise RunDirectoryError(
                f"{run.path / 'grades.parquet'}: expected verdicts on answers of this run, got one "
                f"on answer {row['answer_id']} to problem {shown(row['problem_id'])}, which it "
                "does not hold; grade the run anew (rlvr-fast grade --regrade)"
            )
        spec = specs[problem["task"]]
        second_opinion = scheme_of(spec).second_opinion
        if second_opinion is not None and row["grader"] != CANONICAL_GRADER:
            spec = second_opinion
        pairs.append(
            Pair(
                spec,
                row["problem_id"],
                problem["gold"],
                json.loads(problem["metadata"] or "{}"),
                texts[row["answer_id"]],
            )
        )
    second: dict[int, Outcome] = {}

    def decided(place: int, outcome: Outcome) -> None:
        second[place] = outcome
        if progress is not None:
            progress("audit", len(second), len(pairs))

    verify_pairs(pairs, decided, workers=workers, timeout=timeout, memory_mb=memory_mb)
    report = _report(run, chosen, pairs, second, seed)
    write_sealed(run, "audit.json", {**report, "made_from": {}})
    return report


def _sample(rows: list[dict[str, Any]], count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    kinds = [[row for row in rows if row["verdict"] == kind] for kind in DECIDED]
    for kind in kinds:
        draw.shuffle(kind)
    few, many = sorted(kinds, key=len)
    first = few[: max(count // 2, count - len(many))]
    return sorted(first + many[: count - len(first)], key=lambda row: row["answer_id"])


def _texts(run: Run, wanted: set[int]) -> dict[int, str]:
    """The texts that were verified: the answers with the ids `wanted`, as first written."""
    texts: dict[int, str] = {}
    for _, part in run.iter_parts("answers", ["answer_id", "answer"]):
        seen, first = set(part["answer_id"].to_pylist()) & wanted - texts.keys(), {}
        if seen:
            for row, number in enumerate(part["answer_id"].to_pylist()):
                if number in seen and number not in first:
                    first[number] = row
            texts |= {number: part["answer"][row].as_py() for number, row in first.items()}
    return texts


def _report(
    run: Run,
    chosen: list[dict[str, Any]],
    pairs: list[Pair],
    second: dict[int, Outcome],
    seed: int,
) -> dict[str, Any]:
    graders: dict[str, Counter[str]] = {}
    disagreements = []
    for place, (row, pair) in enumerate(zip(chosen, pairs, strict=True)):
        outcome = second[place]
        tally = graders.setdefault(f"{row['grader']} | {outcome.grader}", Counter())
        tally["sampled"] += 1
        if outcome.verdict not in DECIDED:
            tally["no_opinion"] += 1
        elif outcome.verdict == row["verdict"]:
            tally["agreed"] += 1
        else:
            tally["disagreed"] += 1
            disagreements.append(
                {
                    "problem_id": row["problem_id"],
                    "answer_id": row["answer_id"],
                    "gold": pair.gold,
                    "answer": pair.answer,
                    "completions": row["count"],
                    "verdict": row["verdict"],
                    "second_verdict": outcome.verdict,
                    "grader": row["grader"],
                    "second_grader": outcome.grader,
                }
            )
    return {
        "model": run.info.model,
        "seed": seed,
        "sampled": len(chosen),
        "disagreed": len(disagreements),
        "graders": {
            name: {key: tally[key] for key in ("sampled", "agreed", "disagreed", "no_opinion")}
            for name, tally in graders.items()
        },
        "disagreements": disagreements,
    }

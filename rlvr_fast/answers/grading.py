"""The stage that grades a run: answers, distinct answers, verdicts; each pair is verified once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.audit import audit_run
from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.answers.journal import VerdictJournal, pair_key
from rlvr_fast.answers.normalization import (
    CANONICAL_GRADER,
    compare_canonical,
    normalize_answers,
)
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.run_extraction import GradedTask, extract_run
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.tasks import load_verifier
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.vocabulary import VERDICTS, Policy

__all__ = ["grade_run"]


def grade_run(
    run: Run,
    options: GradeOptions = GradeOptions(),
    *,
    progress: Progress | None = None,
) -> pa.Table:
    """Extracts, groups and verifies the answers of a run; resumes, and tops up after more samples.

    Writes the answers/ parts, grading.json and grades.parquet (docs/design.md), and keeps what the
    worker processes decide in verdicts.jsonl as they decide it: after kill -9 nothing that was
    extracted or decided is done again. An answer whose canonical form settles it is decided at
    once; the others go to their task's verifier in isolated processes (docs/grading.md).

    Args:
        run: a run with samples.
        options: extraction policy, limits and processes; see `GradeOptions`. Answers of another
            policy or version are refused, unless `options.regrade` has them graded anew; with
            `options.audit` audit.json is written as well.
        progress: called with the stages "extract" (completions) and "verify" (distinct answers).

    Returns:
        The table of grades.parquet: one row a distinct answer, and one with answer_id -1 and
        verdict "unparsed" for each problem with completions that gave none.

    Raises:
        InvalidInputError: a problem without the gold answer that its verifier needs; a task whose
            file or package has changed.
        RunDirectoryError: no samples; graded otherwise before (see `GradeOptions`).
        RunLockedError: another process is writing to the run.
        StorageError: the disk is full, read-only or failed; the same call resumes.
        MissingDependencyError: the run has code tasks and bubblewrap is missing.
    """
    tell = progress or (lambda stage, done, total: None)
    with run.writing():
        total = int(run.num_samples("samples").sum())
        if not total:
            raise RunDirectoryError(
                f"{run.path}: no samples to grade; sample first (rlvr-fast sample)"
            )
        tasks = _tasks(run, options.policy)
        settings = _settings(tasks, options.policy)
        settings["too_long"] = _check_settings(run, settings, options.regrade)
        run.write_json("grading.json", settings)
        problems = run.problems()
        _check_golds(run, tasks, problems)
        owners = problems["task"].to_pylist()
        exact = [tasks[name].verifier.equivalence == "exact" for name in owners]
        distinct = DistinctAnswers(problems["problem_id"].to_pylist(), exact)
        extract_run(run, tasks, owners, distinct, settings, total, tell)
        outcomes = _decide(run, tasks, problems, distinct, options, tell)
        grades = _grades(distinct, outcomes, settings["tasks"], owners)
        run.write_table("grades.parquet", grades)
        verdicts = Counter[str]()
        for verdict, count in zip(
            grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True
        ):
            verdicts[verdict] += count
        settings |= {
            "limits": {
                "timeout": options.timeout,
                "memory_mb": options.memory_mb,
                "max_answer_bytes": MAX_ANSWER_BYTES,
            },
            "graded": {
                "completions": total,
                "distinct_answers": len(distinct),
                "decided_by_canonical_form": sum(
                    outcome.grader == CANONICAL_GRADER for outcome in outcomes
                ),
                "verdicts": {name: verdicts[name] for name in VERDICTS},
            },
        }
        run.write_json("grading.json", settings)
        if options.audit:
            audit_run(
                run,
                options.audit,
                workers=options.workers,
                timeout=options.timeout,
                memory_mb=options.memory_mb,
                progress=tell,
            )
        return run.read_table("grades.parquet")


def _tasks(run: Run, policy: Policy) -> dict[str, GradedTask]:
    specs = {task["name"]: task["spec"] for task in run.info.tasks}
    tasks: dict[str, GradedTask] = {}
    for name in pc.unique(run.problems()["task"]).to_pylist():
        if name not in specs:
            raise RunDirectoryError(
                f"{run.path}: problems.parquet has problems of task {name!r}, which run.json does "
                f"not name (it names {', '.join(map(repr, specs)) or 'none'})"
            )
        verifier = load_verifier(specs[name])
        scheme = scheme_of(specs[name])
        chosen = scheme.policy if policy == "auto" else policy
        tasks[name] = GradedTask(name, specs[name], chosen, verifier)
        if scheme.runs_programs:
            from rlvr_fast.tasks.sandbox import require_sandbox

            require_sandbox()
    return tasks


def _settings(tasks: dict[str, GradedTask], policy: str) -> dict[str, Any]:
    return {
        "format": 1,
        "policy": policy,
        "canonical": CANONICAL_GRADER,
        "tasks": {
            task.name: {
                "policy": task.policy,
                "equivalence": task.verifier.equivalence,
                "verifier": task.verifier.name,
            }
            for task in tasks.values()
        },
    }


def _check_settings(run: Run, settings: dict[str, Any], regrade: bool) -> list[dict[str, Any]]:
    """Refuses to mix answers of two policies, or canonical forms of two versions, in one run.

    Returns:
        The answers over the length limit that an earlier grading found.
    """
    before = run.read_json("grading.json")
    if before is None:
        if not run.parts("answers"):
            return []
        cause = "its answers/ were extracted by an unknown policy (grading.json is missing)"
    else:
        differing = [key for key in ("policy", "canonical") if before.get(key) != settings[key]]
        if not differing:
            return list(before.get("too_long", []))
        key = differing[0]
        cause = f"it was graded with {key} {before.get(key)!r}, now {settings[key]!r} is asked for"
    if not regrade:
        raise RunDirectoryError(
            f"{run.path}: {cause}. Grade it as before, or with regrade=True (rlvr-fast grade "
            "--regrade), which deletes its answers and grades and keeps its samples"
        )
    for name in ("grades.parquet", "audit.json", "answers"):
        run.remove(name)
    return []


def _check_golds(run: Run, tasks: dict[str, GradedTask], problems: pa.Table) -> None:
    missing = [
        (name, owner)
        for name, owner, gold in zip(
            problems["problem_id"].to_pylist(),
            problems["task"].to_pylist(),
            problems["gold"].to_pylist(),
            strict=True,
        )
        if (gold is None or not gold.strip()) and tasks[owner].verifier.equivalence == "canonical"
    ]
    if missing:
        name, owner = missing[0]
        others = f" and {len(missing) - 1} more of {len(problems)}" if len(missing) > 1 else ""
        raise InvalidInputError(
            f"{run.path}: expected a gold answer for each problem of task {owner!r}, which "
            f"{tasks[owner].verifier.name} compares with; problem {name!r}{others} has none. "
            "Completions that were imported: import them anew with --field gold=FIELD"
        )


def _decide(
    run: Run,
    tasks: dict[str, GradedTask],
    problems: pa.Table,
    distinct: DistinctAnswers,
    options: GradeOptions,
    tell: Progress,
) -> list[Outcome]:
    """The outcome of each distinct answer, in the order of their ids."""
    names = problems["problem_id"].to_pylist()
    owners = problems["task"].to_pylist()
    golds = problems["gold"].to_pylist()
    metadata = [json.loads(text) for text in problems["metadata"].to_pylist()]
    outcomes: list[Outcome | None] = _by_canonical_form(distinct, golds, metadata)
    undecided = [number for number, outcome in enumerate(outcomes) if outcome is None]
    with VerdictJournal(
        run.path / "verdicts.jsonl", timeout=options.timeout, memory_mb=options.memory_mb
    ) as journal:
        waiting: list[tuple[int, str, Pair]] = []
        for number in undecided:
            owner = distinct.problem[number]
            task = tasks[owners[owner]]
            key = pair_key(task.verifier.name, names[owner], golds[owner], distinct.text[number])
            outcomes[number] = journal.get(key)
            if outcomes[number] is None:
                pair = Pair(
                    task.spec, names[owner], golds[owner], metadata[owner], distinct.text[number]
                )
                waiting.append((number, key, pair))
        done = len(undecided) - len(waiting)
        if waiting:
            tell("verify", done, len(undecided))

        def decided(place: int, outcome: Outcome) -> None:
            nonlocal done
            number, key, _ = waiting[place]
            journal.add(key, outcome)
            outcomes[number] = outcome
            done += 1
            tell("verify", done, len(undecided))

        verify_pairs(
            [pair for _, _, pair in waiting],
            decided,
            workers=options.workers,
            timeout=options.timeout,
            memory_mb=options.memory_mb,
        )
    return [outcome for outcome in outcomes if outcome is not None]


def _by_canonical_form(
    distinct: DistinctAnswers, golds: Sequence[str | None], metadata: Sequence[dict[str, Any]]
) -> list[Outcome | None]:
    """The outcomes that canonical forms decide; None for each answer left to its verifier."""
    gold_forms = normalize_answers(pa.array(golds, pa.large_string())).to_pylist()
    outcomes: list[Outcome | None] = [None] * len(distinct)
    places = [place for place, form in enumerate(distinct.canonical) if form is not None]
    compared = compare_canonical(
        pa.array([gold_forms[distinct.problem[place]] for place in places], pa.large_string()),
        pa.array([distinct.canonical[place] for place in places], pa.large_string()),
    )
    same = Outcome("correct", CANONICAL_GRADER)
    other = Outcome("incorrect", CANONICAL_GRADER)
    for place, comparison in zip(places, compared, strict=True):
        about = metadata[distinct.problem[place]]
        if comparison == "equal":
            outcomes[place] = same
        elif comparison == "different" and not (
            # Correct may be a value within a tolerance, or a list in another notation.
            about.get("tolerance") or about.get("multiple_answers")
        ):
            outcomes[place] = other
    return outcomes


def _grades(
    distinct: DistinctAnswers,
    outcomes: Sequence[Outcome],
    settings: dict[str, Any],
    owners: Sequence[str],
) -> pa.Table:
    without = np.flatnonzero(distinct.without_answer)
    problem = np.concatenate([without, np.asarray(distinct.problem, np.int64)])
    answer_id = np.concatenate([np.full(len(without), -1), np.arange(len(distinct))])
    counts = np.concatenate([distinct.without_answer[without], distinct.counts])
    shown = [None] * len(without) + [distinct.shown(number) for number in range(len(distinct))]
    verdicts = ["unparsed"] * len(without) + [outcome.verdict for outcome in outcomes]
    graders = [f"extraction {settings[owners[place]]['policy']}" for place in without.tolist()]
    graders += [outcome.grader for outcome in outcomes]
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

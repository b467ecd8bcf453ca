"""The stage that grades a run: answers, distinct answers, verdicts; each pair is verified once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.audit import audit_run
from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.answers.graded_tasks import (
    GradedTask,
    check_golds,
    choose_verdicts,
    graded_tasks,
)
from rlvr_fast.answers.imported import WITHOUT_VERDICT, agreement, imported_grader
from rlvr_fast.answers.journal import VerdictJournal, pair_key
from rlvr_fast.answers.normalization import (
    CANONICAL_GRADER,
    compare_canonical,
    normalize_answers,
)
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.run_extraction import extract_run
from rlvr_fast.answers.unparsed import diagnose
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.vocabulary import DECIDED, NO_GOLD, VERDICTS, VerdictSource

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
    once; the others go to their task's verifier in isolated processes (docs/grading.md). Where
    imported verdicts decide, nothing is verified. grading.json says whose verdicts these are, how
    often ours agree with those that came along, and the likely reason where most completions have
    no answer.

    Args:
        run: a run with samples.
        options: extraction policy, limits and processes; see `GradeOptions`. Answers of another
            policy or version are refused, unless `options.regrade` has them graded anew; with
            `options.audit` audit.json is written as well.
        progress: called with the stages "extract" (completions) and "verify" (distinct answers).

    Returns:
        The table of grades.parquet: one row a distinct answer, and one with answer_id -1 and
        verdict "unparsed" for each problem with completions that gave none. Every row of a problem
        of imported rollouts without the gold answer that its verifier needs has the verdict
        "error" and the grader "no gold answer".

    Raises:
        InvalidInputError: a problem of a sampled run, or all of an imported run, without the gold
            answer that its verifier needs; imported verdicts that did not come along; a task whose
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
        verdicts, because = choose_verdicts(run, options.verdicts)
        if options.audit and verdicts == "imported":
            raise InvalidInputError(
                f"{run.path}: an audit verifies our verdicts a second time; the verdicts of this "
                "run are imported (give --audit with --verdicts ours, which needs gold answers)"
            )
        tasks = graded_tasks(run, options.policy, verdicts)
        settings = _settings(tasks, options.policy, verdicts, because)
        settings["too_long"] = _check_settings(run, settings, options.regrade)
        run.write_json("grading.json", settings)
        problems = run.problems()
        owners = problems["task"].to_pylist()
        without_gold = [False] * len(owners)
        if verdicts == "ours":
            without_gold = check_golds(run, tasks, problems)
        exact = [tasks[name].equivalence == "exact" for name in owners]
        distinct = DistinctAnswers(problems["problem_id"].to_pylist(), exact)
        extract_run(run, tasks, owners, distinct, settings, total, tell)
        if verdicts == "imported":
            outcomes = _by_import(distinct, imported_grader(run))
        else:
            outcomes = _decide(run, tasks, problems, without_gold, distinct, options, tell)
        grades = _grades(distinct, outcomes, without_gold, settings["tasks"], owners)
        run.write_table("grades.parquet", grades)
        settings |= {
            "limits": _limits(options, verdicts),
            "graded": _tally(distinct, outcomes, grades, total),
            "imported_agreement": (
                agreement(run, _verifiable(grades)) if verdicts == "ours" else None
            ),
            "unparsed": diagnose(run, tasks, _verifiable(grades)),
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


def _verifiable(grades: pa.Table) -> pa.Table:
    """The grades of the problems that could be graded."""
    return grades.filter(pc.not_equal(grades["grader"], NO_GOLD))


def _limits(options: GradeOptions, verdicts: VerdictSource) -> dict[str, Any] | None:
    if verdicts == "imported":  # nothing was verified
        return None
    return {
        "timeout": options.timeout,
        "memory_mb": options.memory_mb,
        "max_answer_bytes": MAX_ANSWER_BYTES,
    }


def _tally(
    distinct: DistinctAnswers, outcomes: Sequence[Outcome], grades: pa.Table, total: int
) -> dict[str, Any]:
    """The numbers of grading.json."""
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


def _settings(
    tasks: dict[str, GradedTask], policy: str, verdicts: VerdictSource, because: str
) -> dict[str, Any]:
    return {
        "format": 1,
        "policy": policy,
        "verdicts": verdicts,
        "verdicts_because": because,
        "canonical": CANONICAL_GRADER,
        "tasks": {
            task.name: {
                "policy": task.policy,
                "equivalence": task.equivalence,
                "verifier": task.grader,
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
        before = {"verdicts": "ours", **before}  # what earlier versions did and did not say
        keys = ("policy", "canonical", "verdicts")
        differing = [key for key in keys if before.get(key) != settings[key]]
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


def _decide(
    run: Run,
    tasks: dict[str, GradedTask],
    problems: pa.Table,
    without_gold: Sequence[bool],
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
    for number, owner in enumerate(distinct.problem):
        if without_gold[owner]:
            outcomes[number] = Outcome("error", NO_GOLD)
    undecided = [number for number, outcome in enumerate(outcomes) if outcome is None]
    with VerdictJournal(
        run.path / "verdicts.jsonl", timeout=options.timeout, memory_mb=options.memory_mb
    ) as journal:
        waiting: list[tuple[int, str, Pair]] = []
        for number in undecided:
            owner = distinct.problem[number]
            task = tasks[owners[owner]]
            text = distinct.text[number]
            assert text is not None  # without an answer only where imported verdicts decide
            key = pair_key(
                task.grader, names[owner], _journal_gold(golds[owner], metadata[owner]), text
            )
            outcomes[number] = journal.get(key)
            if outcomes[number] is None:
                pair = Pair(task.spec, names[owner], golds[owner], metadata[owner], text)
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


def _journal_gold(gold: str | None, metadata: Mapping[str, Any]) -> str | None:
    """What identifies the gold answer and its alternatives in the journal."""
    if gold is None:
        return None
    accepted = accepted_golds(gold, metadata)
    return gold if len(accepted) == 1 else json.dumps(accepted)


def _by_import(distinct: DistinctAnswers, grader: str) -> list[Outcome]:
    """The outcomes by imported verdicts: correct, incorrect, or `error` where none was given."""
    decided = [Outcome(verdict, grader) for verdict in DECIDED]
    decided.append(Outcome("error", WITHOUT_VERDICT))
    return [decided[number] for number in distinct.verdict]


def _by_canonical_form(
    distinct: DistinctAnswers, golds: Sequence[str | None], metadata: Sequence[dict[str, Any]]
) -> list[Outcome | None]:
    """The outcomes that canonical forms decide; None for each answer left to its verifier."""
    accepted = [
        () if gold is None else accepted_golds(gold, about)
        for gold, about in zip(golds, metadata, strict=True)
    ]
    ends = np.cumsum([0, *map(len, accepted)]).tolist()
    flat = [text for texts in accepted for text in texts]
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


def _grades(
    distinct: DistinctAnswers,
    outcomes: Sequence[Outcome],
    without_gold: Sequence[bool],
    settings: dict[str, Any],
    owners: Sequence[str],
) -> pa.Table:
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

"""The stage that grades a run: answers, distinct answers, verdicts; each pair is verified once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.audit import audit_run
from rlvr_fast.answers.begun import BEGUN, Beginnings
from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.answers.graded_tasks import (
    GradedTask,
    check_golds,
    choose_verdicts,
    graded_tasks,
)
from rlvr_fast.answers.imported import agreement, imported_grader
from rlvr_fast.answers.journal import VerdictJournal, pair_key
from rlvr_fast.answers.normalization import CANONICAL_GRADER
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.answers.outcomes import (
    by_canonical_form,
    by_import,
    grades_table,
    journal_gold,
    problem_golds,
    tally,
)
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.run_extraction import extract_run
from rlvr_fast.answers.unparsed import diagnose
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.store.digests import (
    grades_made_from,
    grading_mismatches,
    journal_mark,
    write_sealed,
)
from rlvr_fast.store.files import writing_to
from rlvr_fast.vocabulary import NO_GOLD, VerdictSource

__all__ = ["grade_run"]

# The files of a grading, in the order in which they are set aside: where the first is gone, the
# others count as those of an unknown policy, which `--regrade` sets aside too.
_GRADING = ("grading.json", "grades.parquet", "audit.json", "verdicts.jsonl", "answers")
# The folder that keeps an earlier grading until a new one is complete.
_BEFORE = ".graded-before"
# What grading.json says of grades that are there.
_RESULTS = ("limits", "graded", "imported_agreement", "unparsed", "made_from")


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
            policy or version are refused. `options.regrade` grades everything anew, and keeps the
            earlier grading in a hidden folder until the new one is complete; where it is killed,
            a call without it goes on. With `options.audit` audit.json is written as well.
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
        RunDirectoryError: no samples; graded otherwise before, or files that have changed since
            (see `GradeOptions`).
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
        if begun := len(Beginnings(run)):
            settings[BEGUN] = begun
        settings["run"] = run.info.to_json()  # from which doctor restores a damaged run.json
        problems = run.problems()
        owners = problems["task"].to_pylist()
        without_gold = [False] * len(owners)
        if verdicts == "ours":
            without_gold = check_golds(run, tasks, problems)
        _begin(run, settings, options.regrade)
        exact = [tasks[name].equivalence == "exact" for name in owners]
        golds = problem_golds(problems)
        distinct = DistinctAnswers(problems["problem_id"].to_pylist(), exact, golds)
        extract_run(run, tasks, owners, distinct, settings, total, tell)
        if verdicts == "imported":
            outcomes = by_import(distinct, imported_grader(run))
        else:
            outcomes = _decide(run, tasks, problems, without_gold, distinct, options, tell)
        grades = grades_table(distinct, outcomes, without_gold, settings["tasks"], owners)
        # A process that dies between the two files leaves a grading that goes on, not two that
        # contradict each other.
        for key in _RESULTS:
            settings.pop(key, None)
        write_sealed(run, "grading.json", settings)
        run.write_table("grades.parquet", grades)
        settings |= {
            "limits": _limits(options, verdicts),
            "graded": tally(distinct, outcomes, grades, total),
            "imported_agreement": (
                agreement(run, _verifiable(grades)) if verdicts == "ours" else None
            ),
            "unparsed": diagnose(run, tasks, _verifiable(grades)),
            "made_from": grades_made_from(run),
        }
        write_sealed(run, "grading.json", settings)
        run.remove(_BEFORE)
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


def _begin(run: Run, settings: dict[str, Any], regrade: bool) -> None:
    """Prepares the run for a grading: goes on with an earlier one, or sets it aside.

    Args:
        run: the run; receives grading.json.
        settings: the settings of this grading; receives what goes on: the answers over the length
            limit and, until the new grades are there, the results of the earlier grading.
        regrade: whether to grade anew.

    Raises:
        RunDirectoryError: an earlier grading by another policy, version or source of verdicts, one
            whose files have changed since, or one that does not say what it was made from.
    """
    settings["too_long"] = []
    if regrade:
        _set_aside(run)
        write_sealed(run, "grading.json", settings)
        return
    before = run.read_json("grading.json")
    if before is not None:
        before = {"verdicts": "ours", **before}  # what earlier versions did and did not say
    cause = _cause_to_refuse(run, before, settings)
    if cause:
        raise RunDirectoryError(
            f"{cause}. Grade it as before, or with regrade=True (rlvr-fast grade {run.path} "
            "--regrade), which grades it anew and keeps its samples"
        )
    if before is not None:
        settings["too_long"] = list(before.get("too_long", []))
        settings |= {key: before[key] for key in _RESULTS if key in before}
        if "made_from" in settings and not (run.path / "verdicts.jsonl").exists():
            # A journal that is gone is no loss: the verdicts are in the grades.
            settings["made_from"] = {**settings["made_from"], "verdicts.jsonl": journal_mark(run)}
    write_sealed(run, "grading.json", settings)


def _cause_to_refuse(
    run: Run, before: dict[str, Any] | None, settings: dict[str, Any]
) -> str | None:
    """Why a grading cannot go on from what the run holds; None where it can."""
    file = run.path / "grading.json"
    if before is None:
        if not run.parts("answers"):
            return None
        return f"{file}: missing, so its answers/ were extracted by an unknown policy"
    for key in ("policy", "canonical", "verdicts"):
        if before.get(key) != settings[key]:
            return (
                f"{run.path}: it was graded with {key} {before.get(key)!r}, now "
                f"{settings[key]!r} is asked for"
            )
    if before.get(BEGUN) != settings.get(BEGUN):
        return (
            f"{file}: its answers were extracted without what the prompts hold of the assistant's "
            "turn (a prefill, or thoughts that the chat template opens)"
        )
    if "graded" in before and "made_from" not in before:
        return f"{file}: does not say what the grades were made from; an earlier version graded"
    answers = before.get("made_from", {}).get("answers", {})
    for wrong in grading_mismatches(run):
        # Parts of answers that came later are of a grading that was killed; grades are made again.
        if wrong.file.name in ("grades.parquet", "grading.json"):
            continue
        if wrong.file.parent != run.path / "answers" or wrong.file.name in answers:
            return f"{wrong.file}: {wrong.message}"
    return None


def _set_aside(run: Run) -> None:
    """Moves an earlier grading into a hidden folder, which goes when the new grades are there.

    A file that lies there already is of the last grading that was finished: the file in the run
    is deleted.
    """
    aside = run.path / _BEFORE
    for name in _GRADING:
        file = run.path / name
        if file.exists() and not (aside / name).exists():
            with writing_to(aside):
                aside.mkdir(exist_ok=True)
                file.rename(aside / name)
        run.remove(name)


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
    metadata = [json.loads(text or "{}") for text in problems["metadata"].to_pylist()]
    outcomes: list[Outcome | None] = by_canonical_form(distinct, metadata)
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
                task.grader, names[owner], journal_gold(golds[owner], metadata[owner]), text
            )
            known = journal.get(key)
            outcomes[number] = known if known and known.grader == task.grader else None
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

"""Extraction of the answers of a run: from the parts of samples/ to the parts of answers/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.bare_code import fence_code, has_bare_code
from rlvr_fast.answers.begun import BEGUN, Beginnings
from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES, extract_answers
from rlvr_fast.answers.graded_tasks import GradedTask
from rlvr_fast.answers.imported import verdict_numbers
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.store.digests import write_sealed
from rlvr_fast.vocabulary import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["answer_rows", "extract_rows", "extract_run", "load_answers"]

# Text of the completions extracted at once; memory is limited to it and one part of samples/.
BATCH_BYTES = 64 << 20
# The greatest number of answers over the length limit that grading.json names.
NAMED_TOO_LONG = 100


def extract_run(
    run: Run,
    tasks: dict[str, GradedTask],
    owners: Sequence[str],
    distinct: DistinctAnswers,
    settings: dict[str, Any],
    total: int,
    tell: Progress,
) -> None:
    """Extracts the answers of the samples that have none in answers/, part by part.

    Args:
        run: the run; receives parts of answers/ and grading.json.
        tasks: the tasks by name.
        owners: the task of each problem.
        distinct: receives every answer, those extracted before included.
        settings: the contents of grading.json, which say whether imported verdicts decide; receives
            the answers over the length limit.
        total: number of samples.
        tell: called as tell("extract", samples done, total).
    """
    done = load_answers(run, distinct, settings, total)
    if done == total:
        return
    tell("extract", done, total)
    begun = Beginnings(run) if settings.get(BEGUN) else None
    waiting: list[pa.Table] = []
    size = 0
    columns = ["problem_id", "sample_index", "text", "verdict"]
    for _, part in run.iter_parts("samples", columns):
        new = ~run.has_rows("answers", part.select(["problem_id", "sample_index"]))
        if new.any():
            waiting.append(part if new.all() else part.filter(pa.array(new)))
            size += waiting[-1].nbytes
        if size > BATCH_BYTES:
            done += _extract_batch(run, tasks, owners, distinct, settings, waiting, begun)
            tell("extract", done, total)
            waiting, size = [], 0
    if waiting:
        done += _extract_batch(run, tasks, owners, distinct, settings, waiting, begun)
        tell("extract", done, total)


def load_answers(run: Run, distinct: DistinctAnswers, settings: dict[str, Any], total: int) -> int:
    """Adds the answers of answers/ to `distinct`, under the ids that they have, and counts them.

    Args:
        run: the run.
        distinct: receives the answers.
        settings: the contents of grading.json.
        total: number of samples.

    Raises:
        RunDirectoryError: ids that do not number the distinct answers from 0 on.
    """
    done = 0
    run.num_samples("answers")  # refuses problems of another run
    columns = ["problem_id", "sample_index", "answer", "answer_id", "imported_verdict"]
    for file, part in run.iter_parts("answers", columns):
        known = part["answer_id"].to_numpy()
        fault = None
        if not run.has_rows("samples", part).all():
            fault = "holds answers of draws that are not in samples/"
        elif known.size and not -1 <= known.min() <= known.max() < total:
            fault = f"holds an answer_id beyond -1..{total - 1}"
        else:
            ids = distinct.add(part["problem_id"], part["answer"], known, _decisive(settings, part))
            if not np.array_equal(ids, known):
                fault = "equal answers have several answer_ids"
        _refuse(run, file, fault)
        done += len(part)
    _refuse(run, run.path / "answers", distinct.unnumbered())
    return done


def _refuse(run: Run, file: Path, fault: str | None) -> None:
    if fault:
        raise RunDirectoryError(
            f"{file}: {fault}; extract and grade anew: rlvr-fast grade {run.path} --regrade"
        )


def _decisive(settings: dict[str, Any], rows: pa.Table) -> NDArray[np.int64] | None:
    """The numbers of the imported verdicts of rows of answers/, where these verdicts decide."""
    if settings["verdicts"] != "imported":
        return None
    if "imported_verdict" not in rows.column_names:
        return np.full(len(rows), 2, np.int64)
    return verdict_numbers(rows["imported_verdict"])


def _extract_batch(
    run: Run,
    tasks: dict[str, GradedTask],
    owners: Sequence[str],
    distinct: DistinctAnswers,
    settings: dict[str, Any],
    waiting: list[pa.Table],
    begun: Beginnings | None,
) -> int:
    rows = pa.concat_tables(waiting, promote_options="default")
    policies = {task.policy for task in tasks.values()}
    for policy in sorted(policies):
        if len(policies) > 1:  # code tasks beside others
            ids = [
                problem_id
                for problem_id, owner in zip(distinct.problems, owners, strict=True)
                if tasks[owner].policy == policy
            ]
            chosen = rows.filter(pc.is_in(rows["problem_id"], pa.array(ids, pa.string())))
        else:
            chosen = rows
        if not len(chosen):
            continue
        chosen, answers, statuses = extract_rows(run, chosen, policy, begun)
        _report_too_long(run, settings, chosen, statuses, policy)
        table = answer_rows(chosen, answers, statuses)
        numbers = distinct.add(table["problem_id"], answers, verdicts=_decisive(settings, table))
        run.append("answers", table.append_column("answer_id", pa.array(numbers, pa.int32())))
    return len(rows)


def answer_rows(samples: pa.Table, answers: pa.Array, statuses: pa.Array) -> pa.Table:
    """The rows of answers/ that belong to some samples, but for their answer_id.

    Args:
        samples: rows of samples/.
        answers: their answers.
        statuses: their statuses.
    """
    found = {
        "problem_id": samples["problem_id"],
        "sample_index": samples["sample_index"],
        "answer": answers,
        "status": statuses,
    }
    if "verdict" in samples.column_names:
        found["imported_verdict"] = samples["verdict"]
    return pa.table(found)


def extract_rows(
    run: Run, rows: pa.Table, policy: Policy, begun: Beginnings | None
) -> tuple[pa.Table, pa.Array, pa.Array]:
    """Extracts the answers of some samples by one policy.

    Args:
        run: their run.
        rows: rows of samples/.
        policy: the policy.
        begun: what the prompts hold of the assistant's turn; None where nothing.

    Returns:
        The rows with their texts as they were read, the answers, and the status of each.
    """
    if policy == "code_block" and has_bare_code(run):
        at = rows.column_names.index("text")
        rows = rows.set_column(at, "text", fence_code(rows["text"]))
    elif begun is not None:
        rows = begun.put_before(rows)
    answers, statuses = extract_answers(rows["text"], policy=policy)
    return rows, answers, statuses


def _report_too_long(
    run: Run, settings: dict[str, Any], rows: pa.Table, statuses: pa.Array, policy: Policy
) -> None:
    """Adds answers over the length limit, which are `malformed`, to grading.json."""
    suspects = pc.and_(
        pc.equal(statuses, "malformed"),
        pc.greater(pc.binary_length(rows["text"]), MAX_ANSWER_BYTES),
    )
    rows = rows.filter(suspects)
    if not len(rows):
        return
    answers, _ = extract_answers(rows["text"], policy=policy, max_bytes=1 << 62)
    known = {(row["problem_id"], row["sample_index"]) for row in settings["too_long"]}
    for problem_id, sample_index, size in zip(
        rows["problem_id"].to_pylist(),
        rows["sample_index"].to_pylist(),
        pc.binary_length(answers).to_pylist(),
        strict=True,
    ):
        new = (problem_id, sample_index) not in known
        if size is not None and new and len(settings["too_long"]) < NAMED_TOO_LONG:
            settings["too_long"].append(
                {"problem_id": problem_id, "sample_index": sample_index, "bytes": size}
            )
    write_sealed(run, "grading.json", settings)

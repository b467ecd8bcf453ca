"""A second count of a graded run: draws by their seeds, answers by their texts, grades by answers.

Digests tie tables to files; whoever writes a table can write its digest too. What is counted again
here follows from the samples alone, except verdicts that need a verifier.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.begun import BEGUN, Beginnings
from rlvr_fast.answers.outcomes import grades_table, tally
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.answers.run_extraction import answer_rows, extract_rows
from rlvr_fast.doctor.documents import document_faults
from rlvr_fast.doctor.findings import finding
from rlvr_fast.doctor.graded import Graded, read_graded
from rlvr_fast.errors import RunDirectoryError, shown
from rlvr_fast.store.digests import grading_options
from rlvr_fast.store.parts import joined_pieces
from rlvr_fast.store.schemas import GRADES, SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rlvr_fast.store import Run

__all__ = ["recount"]

# Bytes of samples whose answers are extracted again; of larger runs a random choice of parts.
_BYTES = 1 << 30


def recount(run: Run) -> list[dict[str, str]]:
    """Counts again what a run says of its samples, and names what does not agree.

    The grades of an answer that needs its verifier are compared with the journal alone:
    `rlvr-fast grade RUN --regrade` or `--audit N` verify them again.
    """
    found = _scores(run)
    grades = run.read_table("grades.parquet")
    if grades is None:
        return found
    grading = run.read_json("grading.json")
    if grading is None:
        return found
    try:
        graded = read_graded(run, grading, grades)
    except RunDirectoryError as error:
        return [*found, finding("error", run.path / "answers", str(error), _remedy(run))]
    found += [finding("info", run.path / "grading.json", text, "") for text in graded.notes]
    for name, text in (*_answers(graded), *_grades(graded), *document_faults(graded)):
        level = "info" if name == "samples" else "error"
        found.append(finding(level, run.path / name, text, "" if level == "info" else _remedy(run)))
    return found


def _remedy(run: Run) -> str:
    return f"rlvr-fast grade {run.path}{grading_options(run)} --regrade"


# -- answers, from the samples ---------------------------------------------------------------------


def _answers(graded: Graded) -> Iterator[tuple[str, str]]:
    """Answers that are not those of their samples; a choice of many parts is a random one."""
    run = graded.run
    ids = run.problems()["problem_id"].combine_chunks()
    keys, marks = [], []
    columns = ["problem_id", "sample_index", "answer", "status", "imported_verdict"]
    for _, part in run.iter_parts("answers", columns):
        keys.append(_keys(part, ids))
        marks.append(_marks(part))
    stored = np.concatenate([np.zeros(0, np.int64), *keys])
    order = np.argsort(stored)
    stored = stored[order]
    stored_marks = np.concatenate([np.zeros(0, np.int64), *marks])[order]
    parts = run.parts("samples")
    left, wrong, without, looked_at = _BYTES, 0, 0, 0
    made_from = graded.grading.get("made_from")
    sealed = set((made_from or {}).get("samples", {}))
    early = 0

    def chosen() -> Iterator[Path]:
        nonlocal looked_at
        random.SystemRandom().shuffle(parts)
        for file in parts:
            if left > 0:
                looked_at += 1
                yield file

    def find(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        wanted = _keys(rows, ids)
        at = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
        return at, stored[at] == wanted if len(stored) else np.zeros(len(rows), np.bool_)

    columns = ["problem_id", "sample_index", "text", "verdict"]
    if run.keeps("samples"):
        pieces, looked_at = run.iter_joined("samples", columns, parts), len(parts)
    else:
        pieces = joined_pieces(chosen(), SAMPLES, columns, run.path)
    for part, files in pieces:
        left -= part.nbytes
        # Later parts are draws that were not graded yet.
        recorded = [file.name in sealed for file, _ in files]
        graded_then = np.repeat(recorded, [number for _, number in files])
        has = find(part)[1]
        without += int((graded_then & ~has).sum())
        if made_from is not None:
            early += int((~graded_then & has).sum())
        for rows in _extracted(graded, part):
            at, has = find(rows)
            wrong += int((stored_marks[at[has]] != _marks(rows)[has]).sum())
    if looked_at < len(parts):
        text = f"answers were extracted again from {looked_at} of {len(parts)} parts, drawn anew"
        yield "samples", text
    if without:
        yield "answers", f"{without} graded draws have no answer row"
    if early:
        yield "grading.json", f"{early} answers are of parts of samples/ that it does not record"
    if wrong:
        yield "answers", f"{wrong} answers are not those that their completions hold"


def _extracted(graded: Graded, part: pa.Table) -> Iterator[pa.Table]:
    """The rows of answers/ that follow from rows of samples/, policy by policy."""
    problems = graded.run.problems()
    begun = Beginnings(graded.run) if graded.grading.get(BEGUN) else None
    for policy in sorted({task.policy for task in graded.tasks.values()}):
        mine = [name for name, task in graded.tasks.items() if task.policy == policy]
        rows = part
        if len(mine) < len(graded.tasks):
            chosen = problems.filter(pc.is_in(problems["task"], pa.array(mine, pa.string())))
            wanted = chosen["problem_id"].combine_chunks()
            rows = part.filter(pc.is_in(part["problem_id"], value_set=wanted))
        rows, answers, statuses = extract_rows(graded.run, rows, policy, begun)
        yield answer_rows(rows, answers, statuses)


def _keys(rows: pa.Table, ids: pa.Array) -> NDArray[np.int64]:
    problem = pc.index_in(rows["problem_id"].combine_chunks(), value_set=ids).to_numpy()
    keys: NDArray[np.int64] = problem.astype(np.int64) << 32 | rows["sample_index"].to_numpy()
    return keys


def _marks(rows: pa.Table) -> NDArray[np.int64]:
    """A hash of the answer, status and imported verdict of each row, with a key of this process."""
    names = [name for name in ("answer", "status", "imported_verdict") if name in rows.column_names]
    values = [rows[name].to_pylist() for name in names]
    if len(values) == 2:
        values.append([None] * len(rows))
    return np.fromiter(map(hash, zip(*values, strict=True)), np.int64, len(rows))


# -- grades, from the answers ----------------------------------------------------------------------


def _grades(graded: Graded) -> Iterator[tuple[str, str]]:
    """What in grades.parquet and grading.json does not follow from the answers."""
    grades, distinct, tasks = graded.grades, graded.distinct, graded.tasks
    owners = graded.run.problems()["task"].to_pylist()
    said = graded.grading.get("tasks") or {}
    for name, task in tasks.items():
        about = said.get(name, {})
        for key, value in (("policy", task.policy), ("equivalence", task.equivalence)):
            if about.get(key, value) != value:
                yield "grading.json", f"task {name!r}: {key} {about[key]!r}, and not {value!r}"
    rows = {row["answer_id"]: row for row in grades.to_pylist() if row["answer_id"] >= 0}
    graders = {name: about.get("verifier") for name, about in said.items()}
    outcomes, wrong = [], 0
    for number, outcome in enumerate(graded.followed):
        row = rows.get(number)
        if outcome is None:
            grader = graders.get(owners[distinct.problem[number]])
            if row is not None and row["grader"] != grader:
                wrong += 1
            outcome = Outcome(row["verdict"], row["grader"]) if row else Outcome("error", "")
        elif row is not None and (row["verdict"], row["grader"]) != (
            outcome.verdict,
            outcome.grader,
        ):
            wrong += 1
        outcomes.append(outcome)
    if wrong:
        text = f"{wrong} distinct answers have another verdict, or another grader, than follows"
        yield "grades.parquet", f"{text} from their canonical forms and tasks"
    settings = {task.name: {"policy": task.policy} for task in tasks.values()}
    table = grades_table(distinct, outcomes, graded.without_gold, settings, owners)
    for column in GRADES.names:
        if column in ("verdict", "grader") and wrong:
            continue
        if not table[column].cast(GRADES.field(column).type).equals(grades[column]):
            text = f"column {column!r} is not what the answers in answers/ give"
            yield "grades.parquet", f"{text} ({_first_difference(table, grades, column)})"
    total = int(graded.run.num_samples("answers").sum())
    numbers = graded.grading.get("graded")
    counted = tally(distinct, outcomes, table, total)
    if numbers is not None and any(
        numbers[key] != value for key, value in counted.items() if key in numbers
    ):
        yield "grading.json", "its numbers (graded) are not those of the answers and verdicts"


def _first_difference(counted: pa.Table, stored: pa.Table, column: str) -> str:
    if len(counted) != len(stored):
        return f"{len(stored)} rows, and {len(counted)} follow"
    rows = zip(counted[column].to_pylist(), stored[column].to_pylist(), strict=True)
    number, (a, b) = next((i, pair) for i, pair in enumerate(rows) if pair[0] != pair[1])
    return f"row {number}: {shown(b)}, and {shown(a)} follows"


# -- scores, and the seeds of draws ----------------------------------------------------------------


def _scores(run: Run) -> list[dict[str, str]]:
    """Scores whose numbers of tokens are not those of the samples, or that no model gives."""
    labels = [stage for stage in run.stages() if stage.startswith("scores/")]
    if not labels:
        return []
    ids = run.problems()["problem_id"].combine_chunks()
    keys, lengths = [], []
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "token_ids"]):
        keys.append(_keys(part, ids))
        lengths.append(pc.list_value_length(part["token_ids"]).to_numpy())
    drawn = np.concatenate([np.zeros(0, np.int64), *keys])
    order = np.argsort(drawn)
    drawn = drawn[order]
    tokens = np.concatenate([np.zeros(0, np.int64), *lengths])[order]
    if not len(drawn):  # a finding by itself
        return []
    found = []
    for stage in labels:
        other, odd = 0, 0
        for _, part in run.iter_parts(stage):
            at = np.minimum(np.searchsorted(drawn, _keys(part, ids)), len(drawn) - 1)
            known = tokens[at] > 0
            other += int((part["num_tokens"].to_numpy() != tokens[at])[known].sum())
            logprob, entropy = (part[name].to_numpy() for name in ("logprob", "mean_entropy"))
            odd += int(((logprob > 1e-3) | (entropy < -1e-3)).sum())
        again = f"remove {run.path / stage} and score the run again"
        if other and not run.info.imported:
            text = f"{other} completions have another number of tokens than in samples/"
            found.append(finding("error", run.path / stage, text, again))
        if odd:
            text = f"{odd} completions have a probability above 1 or a negative entropy"
            found.append(finding("error", run.path / stage, text, again))
    return found

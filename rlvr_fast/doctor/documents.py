"""What grading.json, verdicts.jsonl and audit.json of a graded run say, held against its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.answers.graded_tasks import choose_verdicts
from rlvr_fast.answers.imported import agreement
from rlvr_fast.answers.journal import LIMITED, journal_outcomes, pair_key
from rlvr_fast.answers.normalization import CANONICAL_GRADER
from rlvr_fast.answers.outcomes import journal_gold
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.answers.unparsed import diagnose
from rlvr_fast.doctor.graded import Graded
from rlvr_fast.errors import InvalidInputError, RunDirectoryError, shown
from rlvr_fast.store.digests import same_identity
from rlvr_fast.store.info import RunInfo
from rlvr_fast.vocabulary import NO_GOLD

__all__ = ["document_faults"]

# What a finished grading writes beside "made_from".
_WRITTEN = [
    "policy",
    "verdicts",
    "verdicts_because",
    "canonical",
    "tasks",
    "too_long",
    "limits",
    "graded",
    "imported_agreement",
    "unparsed",
    "run",
]
_OPINIONS = ("agreed", "disagreed", "no_opinion")
# A remedy names the folder of the run, which may have another name since.
_FOLDER = re.compile(r"rlvr-fast grade [^/;|&$`\n]{1,255}? --(policy|verdicts) ")


def document_faults(graded: Graded) -> Iterator[tuple[str, str]]:
    """(file, fault) of what does not follow from the answers, the grades and the completions."""
    yield from (("grading.json", fault) for fault in _grading(graded))
    yield from (("verdicts.jsonl", fault) for fault in _journal(graded))
    yield from (("audit.json", fault) for fault in _audit(graded))


def _grading(graded: Graded) -> Iterator[str]:
    grading, run = graded.grading, graded.run
    if "made_from" not in grading:
        return  # a finding by itself
    lacking = [key for key in _WRITTEN if key not in grading]
    if lacking:
        yield f"it lacks {lacking[0]!r}, which a finished grading writes"
    if not _same_run(graded, grading.get("run")):
        yield "its copy of run.json (run) is not the run.json of this run"
    canonical = grading.get("canonical", CANONICAL_GRADER)
    if canonical != CANONICAL_GRADER:
        yield f"its canonical forms are of {shown(canonical)}, and not of {CANONICAL_GRADER!r}"
    if lacking or canonical != CANONICAL_GRADER:
        return  # the words of another version may differ
    ours = grading["verdicts"] == "ours"
    limits = grading["limits"]
    if (limits is not None) != ours or (
        limits is not None and limits.get("max_answer_bytes") != MAX_ANSWER_BYTES
    ):
        yield "its limits are not those of a grading"
    because = grading["verdicts_because"]
    if because and (grading["verdicts"], because) != _chosen(graded):
        yield "its reason for imported verdicts (verdicts_because) does not hold"
    verifiable = graded.grades.filter(pc.not_equal(graded.grades["grader"], NO_GOLD))
    counted = agreement(run, verifiable) if ours else None
    if grading["imported_agreement"] != counted:
        yield "its agreement with imported verdicts is not what the draws give"
    if _plain(grading["unparsed"]) != _plain(diagnose(run, graded.tasks, verifiable)):
        yield "what it says of completions without an answer (unparsed) does not follow"
    if not _too_long(graded):
        yield "answers that it names as too long are not"


def _same_run(graded: Graded, copy: Any) -> bool:
    if copy is None:  # what earlier versions wrote
        return True
    try:
        return same_identity(graded.run.info, RunInfo.from_json(copy, "grading.json"))
    except RunDirectoryError:
        return False


def _chosen(graded: Graded) -> tuple[str, str] | None:
    try:
        return choose_verdicts(graded.run, "auto")
    except InvalidInputError:
        return None


def _plain(unparsed: Any) -> Any:
    if not isinstance(unparsed, dict):
        return unparsed
    return {**unparsed, "remedy": _FOLDER.sub(r"rlvr-fast grade RUN --\1 ", unparsed["remedy"])}


def _too_long(graded: Graded) -> bool:
    """Whether the answers that are named as too long are malformed, and of such a length."""
    named = graded.grading["too_long"]
    left = {(one["problem_id"], one["sample_index"]) for one in named}
    if not named:
        return True
    for _, part in graded.run.iter_parts("answers", ["problem_id", "sample_index", "status"]):
        rows = part.filter(pc.equal(part["status"], "malformed"))
        columns = (rows["problem_id"].to_pylist(), rows["sample_index"].to_pylist())
        left -= set(zip(*columns, strict=True))
    return not left and all(one["bytes"] > MAX_ANSWER_BYTES for one in named)


def _journal(graded: Graded) -> Iterator[str]:
    """Lines of verdicts.jsonl that are none, or that contradict the grades."""
    run, distinct = graded.run, graded.distinct
    file = run.path / "verdicts.jsonl"
    if not file.exists():
        return
    made_from = graded.grading.get("made_from") or {}
    end = made_from.get("verdicts.jsonl", {}).get("bytes", 0)
    known: dict[str, Outcome] = {}
    later: dict[str, Outcome] = {}
    try:
        for key, outcome, place in journal_outcomes(file):
            (known if place <= end else later)[key] = outcome
    except ValueError as error:
        yield str(error)
        return
    problems = run.problems()
    names, golds = problems["problem_id"].to_pylist(), problems["gold"].to_pylist()
    metadata = [json.loads(text or "{}") for text in problems["metadata"].to_pylist()]
    wrong = 0
    for row in graded.grades.to_pylist():
        number = row["answer_id"]
        if not 0 <= number < len(distinct) or graded.followed[number] is not None:
            continue
        owner, text = distinct.problem[number], distinct.text[number]
        gold = journal_gold(golds[owner], metadata[owner])
        key = pair_key(row["grader"], names[owner], gold, text or "")
        wrong += key in known and known[key].verdict != row["verdict"]
        # A grading under other limits that was killed has verified time-outs and errors anew.
        wrong += (
            key in later
            and row["verdict"] not in LIMITED
            and later[key].verdict not in (row["verdict"], *LIMITED)
        )
    if wrong:
        yield f"{wrong} verdicts are not those of grades.parquet"


def _audit(graded: Graded) -> Iterator[str]:
    """Disagreements of audit.json over verdicts that the grades do not have."""
    audit = graded.run.read_json("audit.json")
    if audit is None:
        return
    rows = {(row["problem_id"], row["answer_id"]): row for row in graded.grades.to_pylist()}
    listed = audit["disagreements"]
    other = 0
    for one in listed:
        row = rows.get((one["problem_id"], one["answer_id"]), {})
        other += (row.get("verdict"), row.get("grader")) != (one["verdict"], one["grader"])
    graders = list(audit["graders"].values())
    totals = [sum(one[key] for one in graders) for key in ("disagreed", "sampled")]
    if (
        other
        or totals != [audit["disagreed"], audit["sampled"]]
        or totals[0] != len(listed)
        or any(one["sampled"] != sum(one[key] for key in _OPINIONS) for one in graders)
        or audit.get("model") != graded.run.info.model
    ):
        yield "it is the audit of other grades, or its numbers were changed"

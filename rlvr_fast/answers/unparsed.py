"""Runs whose completions have no answer that could be found: the likely reason and the remedy."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.begun import Beginnings
from rlvr_fast.answers.extraction import extract_answers
from rlvr_fast.answers.graded_tasks import GradedTask
from rlvr_fast.answers.imported import has_verdicts
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import Policy

__all__ = ["diagnose"]

# The share of completions without an answer that is worth a warning.
_MANY = 0.5
# Completions that are looked at for the reason.
_LOOKED_AT = 1000
# The policies that a user may try instead, the strictest mark first: of two that find nearly as
# many answers the stricter one is named. `auto` tries the first three marks itself.
_OTHERS: tuple[Policy, ...] = (
    "answer_tag",
    "boxed",
    "final_line",
    "after_think",
    "code_block",
    "last_number",
)
_NEARLY = 0.9
_ASKED = re.compile(r"\\boxed|<answer>")


def diagnose(run: Run, tasks: Mapping[str, GradedTask], grades: pa.Table) -> dict[str, Any] | None:
    """Why most completions of a run, or all of one of its tasks, have no answer.

    The reason is sought in the first 1000 completions without an answer: they were cut off (at the
    token limit, or while thinking), another policy finds answers in them, or they hold no mark.

    Args:
        run: a run with samples and answers.
        tasks: its tasks.
        grades: its table of grades.

    Returns:
        None where less than half of the completions are unparsed and each task has some answer.
        Else `completions`, `unparsed` and of these `unreadable` (answers that were found and that
        the verifier cannot read), `all_unparsed` (the tasks without any answer),
        `looked_at`, `cut_off` and `unclosed_think` (numbers of these), `found_by_policy` (answers
        that each other policy finds), `best_policy` (None where none finds any), and in words
        `message`, `reason` and `remedy`.
    """
    counts = _counts(run, grades)
    total, unparsed = (sum(c[i] for c in counts.values()) for i in (0, 1))
    without = [name for name, (drawn, missing) in counts.items() if drawn and drawn == missing]
    many = unparsed >= _MANY * total
    if not total or not (many or without):
        return None
    affected = [name for name in counts if counts[name][1]] if many else without
    texts, cut = _first_without_answer(run, affected)
    column = pa.array(texts, pa.large_string())
    _, behind = extract_answers(column, policy="after_think")
    thinking = pc.equal(behind, "unfinished").to_pylist()
    cut_off = sum(map(operator.or_, thinking, cut))
    unreadable, example = _unreadable(run, grades, affected)
    used = {tasks[name].policy for name in affected}
    found = _found_by_policy(column, used, programs=any(tasks[n].runs_programs for n in affected))
    best = _best(found)
    facts = {
        "completions": total,
        "unparsed": unparsed,
        "unreadable": unreadable,
        "all_unparsed": without,
        "looked_at": len(texts),
        "cut_off": cut_off,
        "unclosed_think": sum(thinking),
        "found_by_policy": found,
        "best_policy": best,
    }
    if unreadable >= _MANY * sum(counts[name][1] for name in affected):
        reason = f"the verifier cannot read {unreadable:,} of the answers, such as {example!r}"
        remedy = (
            "if these are not the answers, grade by another policy (rlvr-fast grade "
            f"{run.path.name} --policy NAME --regrade)"
        )
    else:
        reason, remedy = _explain(run, facts, sorted(used), affected)
    where = "" if many else f" of task {', '.join(map(repr, without[:3]))}"
    share = (unparsed, total) if many else tuple(sum(counts[n][0] for n in without) for _ in "ab")
    message = (
        f"{share[0]:,} of {share[1]:,} completions{where} have no answer that "
        f"{_policies(sorted(used))} finds and the verifier reads. They count as not correct, "
        "which says nothing about the model."
    )
    return {**facts, "message": message, "reason": reason, "remedy": remedy}


def _counts(run: Run, grades: pa.Table) -> dict[str, tuple[int, int]]:
    """For each task the number of completions, and of those without an answer."""
    problems = run.problems()
    place = pc.index_in(grades["problem_id"], value_set=problems["problem_id"].combine_chunks())
    rows = pa.table(
        {
            "task": problems["task"].take(place),
            "count": grades["count"],
            "unparsed": pc.if_else(pc.equal(grades["verdict"], "unparsed"), grades["count"], 0),
        }
    )
    summed = rows.group_by("task").aggregate([("count", "sum"), ("unparsed", "sum")])
    return {row["task"]: (row["count_sum"], row["unparsed_sum"]) for row in summed.to_pylist()}


def _unreadable(run: Run, grades: pa.Table, tasks: list[str]) -> tuple[int, str | None]:
    """Completions whose answer was found and cannot be read, and the commonest such answer."""
    ids = _problem_ids(run, tasks)
    rows = grades.filter(
        pc.and_(
            pc.and_(pc.equal(grades["verdict"], "unparsed"), pc.greater(grades["answer_id"], -1)),
            pc.is_in(grades["problem_id"], value_set=ids),
        )
    ).sort_by([("count", "descending")])
    if not len(rows):
        return 0, None
    example: str | None = rows["canonical"][0].as_py()
    return int(pc.sum(rows["count"]).as_py()), example and example[:80]


def _problem_ids(run: Run, tasks: list[str]) -> pa.Array:
    problems = run.problems()
    mine = problems.filter(pc.is_in(problems["task"], value_set=pa.array(tasks, pa.string())))
    return mine["problem_id"].combine_chunks()


def _first_without_answer(run: Run, tasks: list[str]) -> tuple[list[str], list[bool]]:
    """The first completions without an answer, and whether each ended at the token limit."""
    ids = _problem_ids(run, tasks)
    wanted = None
    for _, part in run.iter_parts("answers", ["problem_id", "sample_index", "status"]):
        rows = part.filter(
            pc.and_(
                pc.not_equal(part["status"], "found"), pc.is_in(part["problem_id"], value_set=ids)
            )
        ).select(["problem_id", "sample_index"])
        rows = rows.slice(0, _LOOKED_AT - (len(wanted) if wanted is not None else 0))
        wanted = rows if wanted is None else pa.concat_tables([wanted, rows])
        if len(wanted) == _LOOKED_AT:
            break
    texts: list[str] = []
    cut: list[bool] = []
    if wanted is None:
        return texts, cut
    keys = set(
        zip(wanted["problem_id"].to_pylist(), wanted["sample_index"].to_pylist(), strict=True)
    )
    names = pc.unique(wanted["problem_id"])
    begun = Beginnings(run)
    columns = ["problem_id", "sample_index", "text", "finish_reason"]
    for _, part in run.iter_parts("samples", columns):
        if len(texts) == len(keys):
            break
        near = part.filter(pc.is_in(part["problem_id"], value_set=names))
        pairs = zip(near["problem_id"].to_pylist(), near["sample_index"].to_pylist(), strict=True)
        rows = near.take(np.flatnonzero([pair in keys for pair in pairs]))
        rows = begun.put_before(rows)
        texts += rows["text"].to_pylist()
        cut += pc.equal(rows["finish_reason"], "length").to_pylist()
    return texts, cut


def _found_by_policy(column: pa.Array, used: set[Policy], *, programs: bool) -> dict[str, int]:
    """How many answers each other policy finds; for programs no policy but a fenced block."""
    found: dict[str, int] = {}
    for policy in _OTHERS:
        if policy not in used and (policy == "code_block") == programs:
            _, statuses = extract_answers(column, policy=policy)
            found[policy] = int(np.count_nonzero(pc.equal(statuses, "found")))
    return found


def _best(found: Mapping[str, int]) -> str | None:
    most = max(found.values(), default=0)
    if not most:
        return None
    return next(policy for policy, number in found.items() if number >= _NEARLY * most)


def _explain(
    run: Run, facts: Mapping[str, Any], used: list[Policy], affected: list[str]
) -> tuple[str, str]:
    """The likely reason, and the remedy."""
    looked, best = facts["looked_at"], facts["best_policy"]
    reasons, remedies = [], []
    if facts["cut_off"] >= _MANY * looked and looked:
        text = f"{facts['cut_off']:,} of the first {looked:,} of them were cut off"
        if facts["unclosed_think"]:
            text += f" ({facts['unclosed_think']:,} begin <think> and never end it)"
        reasons.append(text)
        remedies.append("draw them again with a larger --max-tokens")
    found = facts["found_by_policy"].get(best, 0) if best else 0
    if found:
        reasons.append(f"the policy {best} finds an answer in {found:,} of the first {looked:,}")
        command = f"rlvr-fast grade {run.path.name} --policy {best} --regrade"
        remedies.append(f"if these are the answers: {command}")
    if has_verdicts(run):
        command = f"rlvr-fast grade {run.path.name} --verdicts imported --regrade"
        remedies.append(f"to take the verdicts that came with the rollouts: {command}")
    if not reasons:
        if used == ["code_block"]:
            reasons.append("they hold no block of code fenced by ``` or ~~~")
            remedies.append("give the programs with their fences, or ask for a fenced block")
        else:
            asked = _asks_for_mark(run, affected)
            reasons.append(
                "they hold no <answer>, \\boxed or text after </think>"
                + ("" if asked else ", and the questions ask for none")
            )
            remedies.append(
                "ask for the answer in \\boxed{} and draw again, or import the verdicts of the "
                "file (--verdict FIELD)"
            )
    return "; ".join(reasons), "; or ".join(remedies)


def _asks_for_mark(run: Run, tasks: list[str]) -> bool:
    """Whether some of the first questions, or what is kept of their prompts, ask for a mark."""
    problems = run.problems()
    mine = problems.filter(pc.is_in(problems["task"], value_set=pa.array(tasks, pa.string())))
    first = mine.slice(0, 20)
    words = [*first["prompt"].to_pylist(), *first["metadata"].to_pylist()]
    return any(_ASKED.search(word.replace("\\\\", "\\")) for word in words)


def _policies(used: list[Policy]) -> str:
    names = " or ".join(used)
    return f"the policy {names}" if len(used) == 1 else f"the policies {names}"

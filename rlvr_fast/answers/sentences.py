"""What a grading found, in sentences: for the terminal, and for findings about a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlvr_fast.store import Run

__all__ = ["GIVE_GOLDS", "grading_sentences", "unparsed_sentence", "without_gold_sentences"]

GIVE_GOLDS = "import the rollouts anew with golds (--problems math:FILE, or --field gold=FIELD)"


def grading_sentences(run: Run) -> list[str]:
    """What grading.json says of a graded run, the numbers first; empty for an ungraded run.

    Texts of completions are quoted with their control characters escaped.
    """
    grading = run.read_json("grading.json") or {}
    graded = grading.get("graded")
    if not graded:
        return []
    said = [_numbers(graded, len(run.problems()), grading)]
    said += without_gold_sentences(graded)
    if grading.get("verdicts_because"):
        said.append(grading["verdicts_because"])
    agreement = grading.get("imported_agreement")
    if agreement:
        said.append(agreement["message"])
        said += [_example(example) for example in agreement["examples"]]
    if grading.get("unparsed"):
        said.append(unparsed_sentence(grading["unparsed"]))
    return said


def _numbers(graded: Mapping[str, Any], problems: int, grading: Mapping[str, Any]) -> str:
    verdicts = graded["verdicts"]
    text = f"{_count(graded['completions'], 'completion')} of {_count(problems, 'problem')}"
    with_answer = graded.get("with_answer", graded["completions"] - verdicts["unparsed"])
    text += f", {with_answer:,} with an answer"
    if with_answer:
        text += f" ({graded['distinct_answers']:,} distinct)"
    imported = grading.get("verdicts") == "imported"
    if not with_answer and not imported:
        return f"{text}."
    not_graded = (graded.get("without_gold") or {}).get("completions", 0)
    undecided = verdicts["timeout"] + verdicts["error"] - not_graded
    text += f": {verdicts['correct']:,} correct, {verdicts['incorrect']:,} incorrect"
    if imported:
        names = sorted({str(task["verifier"]) for task in grading["tasks"].values()})
        text += f" ({'; '.join(names)})"
        if undecided:
            text += f", {undecided:,} on which the file says nothing, so that they count as neither"
        return f"{text}."
    if verdicts["unparsed"]:
        text += f", {verdicts['unparsed']:,} without an answer"
    if undecided:
        text += f", {undecided:,} not decided (time-out or error)"
    if not_graded:
        text += f", {not_graded:,} not graded"
    return f"{text}."


def without_gold_sentences(graded: Mapping[str, Any]) -> list[str]:
    """That some problems of imported rollouts have no gold answer; empty where all have one."""
    found = graded.get("without_gold") or {}
    if not found.get("problems"):
        return []
    problems = _count(found["problems"], "problem")
    return [
        f"WARNING: {problems} without a gold answer, with "
        f"{_count(found['completions'], 'completion')} that cannot be graded (verdict error). A "
        f"comparison leaves such problems out. Remedy: {GIVE_GOLDS}."
    ]


def unparsed_sentence(unparsed: Mapping[str, Any]) -> str:
    """That most completions have no answer, with the likely reason and the remedy."""
    return (
        f"WARNING: {unparsed['message']} Likely reason: {unparsed['reason']}. "
        f"Remedy: {unparsed['remedy']}."
    )


def _example(example: Mapping[str, Any]) -> str:
    answer = "none" if example["answer"] is None else _quoted(example["answer"], 80)
    return (
        f"  {example['kind']}: problem {_quoted(example['problem_id'], 60)}, draw "
        f"{example['sample_index']}: gold {_quoted(example['gold'], 80)}, answer {answer}, end of "
        f"the completion {_quoted(example['tail'], 120, end=True)}"
    )


def _quoted(text: str | None, limit: int, *, end: bool = False) -> str:
    if text is None:
        return "none"
    if len(text) > limit:
        text = "…" + text[-limit:] if end else text[:limit] + "…"
    return repr(text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

"""What a reader of a report has to know of verdicts, answers and settings that are not known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report.grades import verdict_code, without_gold
from rlvr_fast.report.problems import IntArray, Problems
from rlvr_fast.report.sides import Side
from rlvr_fast.store import Run, unrecorded
from rlvr_fast.vocabulary import DECIDED

__all__ = ["gradable_problems", "import_notes", "unread_remedy", "unread_sentence", "warnings_of"]

# The share of a model's draws without an answer that makes its accuracy doubtful.
_MANY = 0.5


def warnings_of(base: Side, rl: Side) -> list[str]:
    """Sentences without which the main numbers mislead."""
    found = []
    for side in (base, rl):
        stored = side.grading.get("unparsed")
        drawn, unparsed = int(side.num_samples.sum()), int(side.num_unparsed.sum())
        if stored:
            found.append(
                f"{side.title}: {stored['message']} Likely reason: {stored['reason']}. Remedy: "
                f"{stored['remedy']}."
            )
        elif drawn and unparsed >= _MANY * drawn:
            found.append(
                f"{side.title}: {unparsed:,} of {drawn:,} completions have no answer that could be "
                "found. They count as not correct, which says nothing about the model."
            )
    imported = [side for side in (base, rl) if side.imported_verdicts]
    if len(imported) == 1:
        (other,) = {"base", "RL"} - {imported[0].title}
        found.append(
            f"The verdicts of the {imported[0].title} model came with its rollouts "
            f"({_graders(imported[0])}) and were not verified here; those of the {other} model "
            "were made here. What differs may be the graders and not the models."
        )
    elif imported:
        graders = [_graders(side) for side in imported]
        named = graders[0] if graders[0] == graders[1] else f"base: {graders[0]}; RL: {graders[1]}"
        found.append(
            f"The verdicts of both models came with the rollouts ({named}): nothing was verified "
            "here."
        )
    return found


def _graders(side: Side) -> str:
    tasks = (side.grading.get("tasks") or {}).values()
    return ", ".join(sorted({str(task.get("verifier")) for task in tasks}))


def gradable_problems(problems: Problems, base: Run, rl: Run) -> tuple[Problems, list[str]]:
    """The problems that both runs could grade, and a note on those that are left out.

    Args:
        problems: the problems of both runs.
        base: the run of the base model.
        rl: the run of the RL model.

    Raises:
        InvalidInputError: no problem is left.
    """
    unknown = without_gold(base), without_gold(rl)
    lacking = [
        [problem_id in names for problem_id in ids]
        for names, ids in zip(unknown, (problems.ids, problems.rl_ids), strict=True)
    ]
    kept = [i for i, missing in enumerate(zip(*lacking, strict=True)) if not any(missing)]
    number = len(problems) - len(kept)
    if not number:
        return problems, []
    numbers = f"base: {sum(lacking[0]):,}, RL: {sum(lacking[1]):,}"
    if not kept:
        raise InvalidInputError(
            f"{base.path} and {rl.path} share {_count(len(problems))}, none with a gold "
            f"answer in both runs (without: {numbers}): nothing to compare. Import them with golds "
            "(--problems math:FILE, or --field gold=FIELD), or grade both by the verdicts of their "
            "files (rlvr-fast grade RUN --verdicts imported --regrade)"
        )
    note = (
        f"{number:,} of {_count(len(problems))} "
        f"{'is' if number == 1 else 'are'} left out, as {'it has' if number == 1 else 'they have'} "
        f"no gold answer to grade by ({numbers})."
    )
    return problems.take(kept), [note]


def unread_sentence(sides: Iterable[Side], problems: int) -> str:
    """In place of a headline: the completions of these sides hold no answer that was found."""
    names = " or ".join(side.title for side in sides)
    return (
        f"Nothing can be said about {_count(problems)}: no answer was found and read in any "
        f"completion of {names}."
    )


def unread_remedy(sides: Iterable[Side]) -> str:
    """The options that grade the rollouts of these sides otherwise; empty where none is known."""
    unread = list(sides)
    policies = {(side.grading.get("unparsed") or {}).get("best_policy") for side in unread}
    policy = policies.pop() if len(policies) == 1 else None
    if not policy:
        if not all((side.run.read_json("import.json") or {}).get("verdict") for side in unread):
            return ""
        return (
            "Verdicts came with these rollouts. To take them, compare the same rollouts again with "
            "--verdicts imported --regrade."
        )
    return (
        f"The policy {policy} finds answers. If they are the final ones, compare the same rollouts "
        f"again with --policy {policy} --regrade."
    )


def import_notes(problems: Problems, base: Side, rl: Side) -> list[str]:
    """Sentences about what imported runs do not record."""
    notes = []
    renamed = sum(x != y for x, y in zip(problems.ids, problems.rl_ids, strict=True))
    if renamed:
        notes.append(
            f"{_problems(renamed)} under other ids in the RL run and matched by the question; "
            "the ids of the base run are shown."
        )
    unrecorded_of: dict[str, list[str]] = {}
    unknown_of: dict[int, list[str]] = {}
    for side in (base, rl):
        missing = unrecorded(side.run.info)
        if missing and not side.num_ended.any():
            missing.append("why a completion ended")
        if missing and not side.length_count.any():
            missing.append("token ids, and with them lengths")
        if missing:
            unrecorded_of.setdefault(", ".join(missing), []).append(side.title)
        without = _without_verdict(side)
        if without:
            notes.append(
                f"{without:,} of {side.title}’s completions came without a verdict. They are "
                "counted as draws that are not decided, and pass@k takes them as not correct."
            )
        judged = _judged_without_answer(side)
        if judged:
            notes.append(
                f"In {judged:,} of {side.title}’s {int(side.num_samples.sum()):,} completions no "
                "answer was found, though their file judges them. Distinct answers, and those "
                "kept, lost or found, are known of the other completions only."
            )
        unknown = int((~side.answers_known).sum())
        if unknown:
            unknown_of.setdefault(unknown, []).append(side.title)
    notes += [
        f"Not recorded of the imported rollouts of {' and '.join(titles)}, and therefore not "
        f"compared: {missing}."
        for missing, titles in unrecorded_of.items()
    ]
    notes += [
        f"On {unknown:,} of {len(problems):,} problems no answer was found in the completions of "
        f"{' and '.join(titles)}: verdicts are known there, and distinct answers and their entropy "
        "are not."
        for unknown, titles in unknown_of.items()
    ]
    return notes


def _without_verdict(side: Side) -> int:
    if not side.imported_verdicts:
        return 0
    draws: IntArray = side.num_error
    return int(draws.sum())


def _judged_without_answer(side: Side) -> int:
    """Completions with an imported verdict and no answer, on problems where others have one."""
    if not side.imported_verdicts:
        return 0
    answers = side.answers
    decided = np.isin(answers.verdict, [verdict_code(word) for word in DECIDED])
    without = np.array([text is None for text in answers.canonical], bool)
    rows = decided & without & side.answers_known[answers.problem]
    return int(answers.count[rows].sum())


def _problems(number: int) -> str:
    return "1 problem is" if number == 1 else f"{number:,} problems are"


def _count(problems: int) -> str:
    return "1 problem" if problems == 1 else f"{problems:,} problems"

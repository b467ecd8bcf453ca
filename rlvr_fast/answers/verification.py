"""Verification of mathematical answers against gold answers, without a run directory."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES
from rlvr_fast.answers.normalization import compare_canonical, normalize_answers
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.workers import DEFAULT_MEMORY_MB, verify_pairs
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.schemes import GOLD_ANSWERS
from rlvr_fast.vocabulary import Verdict

__all__ = ["verify_answers"]


def verify_answers(
    golds: Sequence[str],
    answers: Sequence[str | None],
    *,
    timeout: float = 5.0,
    workers: int | None = None,
    memory_mb: int = DEFAULT_MEMORY_MB,
) -> list[Verdict]:
    r"""Whether each answer equals its gold answer: canonical forms first, then the reader.

    Each distinct pair is decided once. Gold and answer are not interchangeable: the answer
    4210 is correct for the gold 4210_5, but not the other way round (docs/grading.md).

    Args:
        golds: one gold answer for each row.
        answers: one extracted answer (not a whole completion) for each row. None, an empty answer
            and one longer than `MAX_ANSWER_BYTES` (64 KiB) are `unparsed`.
        timeout: processor seconds of one verification, in a process that is ended after them; the
            verdict is then `timeout`.
        workers: number of worker processes; default one for each processor.
        memory_mb: MiB of address space of a worker.

    Returns:
        "correct", "incorrect", "unparsed", "timeout" or "error" for each row.

    Raises:
        InvalidInputError: different lengths, or a missing gold (the message names its row).

    Example:
        >>> verify_answers(["1/2", "7", r"\sqrt{8}"], ["0.50", "eight", r"2\sqrt2"])
        ['correct', 'incorrect', 'correct']
    """
    golds, answers = list(golds), list(answers)
    if len(golds) != len(answers):
        raise InvalidInputError(
            f"expected one gold for each answer, got {len(golds)} golds and {len(answers)} answers"
        )
    for row, gold in enumerate(golds):
        if not isinstance(gold, str) or not gold.strip():
            raise InvalidInputError(f"golds: row {row}: missing gold answer, got {gold!r}")
    for row, answer in enumerate(answers):
        if answer is not None and not isinstance(answer, str):
            raise InvalidInputError(
                f"answers: row {row}: expected text or None, got {type(answer).__name__}"
            )
    distinct = list(dict.fromkeys(zip(golds, answers, strict=True)))
    forms = normalize_answers([gold for gold, _ in distinct])
    compared = compare_canonical(forms, normalize_answers([answer for _, answer in distinct]))
    verdicts: dict[tuple[str, str | None], Verdict] = {}
    waiting: list[tuple[str, str]] = []
    for (gold, answer), comparison in zip(distinct, compared, strict=True):
        if answer is None or not answer.strip() or _too_long(answer):
            verdicts[gold, answer] = "unparsed"
        elif comparison == "unknown":
            waiting.append((gold, answer))
        else:
            verdicts[gold, answer] = "correct" if comparison == "equal" else "incorrect"

    def decided(place: int, outcome: Outcome) -> None:
        verdicts[waiting[place]] = outcome.verdict

    verify_pairs(
        [
            Pair(GOLD_ANSWERS, str(place), gold, {}, answer)
            for place, (gold, answer) in enumerate(waiting)
        ],
        decided,
        workers=workers,
        timeout=timeout,
        memory_mb=memory_mb,
    )
    return [verdicts[pair] for pair in zip(golds, answers, strict=True)]


def _too_long(answer: str) -> bool:
    return len(answer.encode("utf-8", "replace")) > MAX_ANSWER_BYTES

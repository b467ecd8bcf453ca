"""Our reader on one gold answer and one extracted answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata as importlib_metadata
from typing import Any

from rlvr_fast.errors import MissingDependencyError
from rlvr_fast.tasks.base import Equivalence
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, order
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul
from rlvr_fast.tasks.schemes.math.values import Unread
from rlvr_fast.vocabulary import Verdict

__all__ = ["READER_VERSION", "MathVerifier"]

# Counts up where the reader gives any answer another verdict: verdicts of two versions are not
# mixed in one run.
READER_VERSION = 2

# Longer texts are no answers, and reading takes time.
_LONGEST = 4000
_SOMETHING = re.compile(r"\w")


class MathVerifier:
    """The reader of answers (`reading.py`) on gold and answer.

    Gold and answer are not interchangeable: an answer may lack the unit of the gold, or have one
    where the gold has none (docs/grading.md). An answer to a problem with several golds is correct
    where golds and answers match one to one. Where the metadata holds "alternative_golds", an
    answer is correct that is correct for any of them; where it holds "unit", the gold is in that
    unit; where it holds "tolerance", a number within that distance of the gold is correct.
    """

    equivalence: Equivalence = "canonical"

    @property
    def name(self) -> str:
        """Name and version of the reader, and of the library that computes its values."""
        try:
            flint = importlib_metadata.version("python-flint")
        except importlib_metadata.PackageNotFoundError as error:
            raise MissingDependencyError(
                "verifying mathematical answers needs python-flint: pip install python-flint"
            ) from error
        return f"rlvr_fast reader {READER_VERSION}, python-flint {flint}"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Imports what computes values; see `Verifier`."""
        import flint  # noqa: F401

        read_answer("1/2")  # imports the kinds of answers

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """The limit that the caller asks for."""
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """The verdict on `answer`; `unparsed` where it holds neither a letter nor a digit."""
        if gold is None:
            raise ValueError(f"problem {problem_id!r} has no gold answer")
        if len(answer) > _LONGEST:
            return "unparsed"
        value = read_answer(answer)
        if isinstance(value, Unread) and not _SOMETHING.search(value.text):
            return "unparsed"
        right = any(_accepts(wanted, metadata, answer) for wanted in accepted_golds(gold, metadata))
        return "correct" if right else "incorrect"


def _accepts(gold: str, metadata: Mapping[str, Any], answer: str) -> bool:
    wanted = read_answer(gold)
    unit = metadata.get("unit")
    if isinstance(unit, str):
        with_unit = read_answer(f"{gold} {unit}")
        wanted = wanted if isinstance(with_unit, Unread) else with_unit
    given = read_answer(answer)
    if one_answer(wanted, given):
        return True
    tolerance = metadata.get("tolerance")
    return tolerance is not None and _within(gold, answer, str(tolerance))


def _within(gold: str, answer: str, tolerance: str) -> bool:
    """Whether a number is no further from the gold than the problem's file allows."""
    values = [read_answer(text) for text in (gold, answer, tolerance)]
    terms = [value.term for value in values if isinstance(value, Expression)]
    if len(terms) < len(values):
        return False
    difference = Add((terms[0], Mul((MINUS, terms[1]))))
    return order(Mul((difference, difference)), Mul((terms[2], terms[2]))) in (-1, 0)

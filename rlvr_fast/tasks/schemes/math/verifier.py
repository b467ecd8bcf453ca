"""Math-Verify on one gold answer and one extracted answer."""

from __future__ import annotations

import functools
import itertools
import logging
import re
from collections.abc import Mapping
from importlib import metadata as importlib_metadata
from typing import Any

from rlvr_fast.errors import MissingDependencyError
from rlvr_fast.tasks.base import Equivalence
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.vocabulary import Verdict

__all__ = ["MathVerifier", "parse", "split_answers"]

# A whole answer in e-notation; Math-Verify reads the e as Euler's number ('1e5' as 1*E*5).
E_NOTATION = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[eE]([+-]?\d{1,4})")
DOLLAR = re.compile(r"(?<!\\)\$+")
MARKED = re.compile(r"(?<!\\)\$|\\boxed|\\fbox|\\\(|\\\[")
COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
WORD = re.compile(r"\b[A-Za-z]{3,}\b")
SEPARATOR = re.compile(r"[,;]|(?:\\text\s*\{\s*)?\b(?:and|or)\b(?:\s*\})?")
DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class MathVerifier:
    """Math-Verify (https://github.com/huggingface/Math-Verify) on gold and answer.

    Its own time limits are off: they need the main thread's alarm signal and do not end C code,
    whereas a worker process is killed from outside at any time.

    `verify(gold, answer)` of Math-Verify is not symmetric (an answer 'x = 5' is unwrapped for the
    gold '5', but not always the other way round), so the gold always stands first. An answer to a
    problem with several golds is correct where golds and answers match one to one. Where the
    metadata holds "alternative_golds", an answer is correct that is correct for any of them.
    """

    equivalence: Equivalence = "canonical"

    @property
    def name(self) -> str:
        """Name and version of Math-Verify."""
        return _grader()

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Imports Math-Verify; see `Verifier`."""
        import math_verify  # noqa: F401

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """The limit that the caller asks for."""
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """The verdict on `answer`; `unparsed` where Math-Verify reads nothing in it."""
        if gold is None:
            raise ValueError(f"problem {problem_id!r} has no gold answer")
        if not parse(answer):
            return "unparsed"
        right = any(_accepts(wanted, metadata, answer) for wanted in accepted_golds(gold, metadata))
        return "correct" if right else "incorrect"


def _accepts(gold: str, metadata: Mapping[str, Any], answer: str) -> bool:
    if equal(gold, answer):
        return True
    if metadata.get("multiple_answers") and _all_matched(gold, answer):
        return True
    tolerance = metadata.get("tolerance")
    return tolerance is not None and _within(gold, answer, str(tolerance))


@functools.cache
def _grader() -> str:
    try:
        return f"math-verify {importlib_metadata.version('math-verify')}"
    except importlib_metadata.PackageNotFoundError as error:
        raise MissingDependencyError(
            "verifying mathematical answers needs Math-Verify: pip install math-verify"
        ) from error


def prepared(text: str) -> str:
    """The text for Math-Verify: marked mathematics unchanged, any other text in a box."""
    text = text.strip()
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1].rstrip()  # the end of a sentence; Math-Verify does not parse '635.'
    if match := E_NOTATION.fullmatch(text):
        text = rf"{match[1]} \times 10^{{{int(match[2])}}}"
    if MARKED.search(text):
        without = DOLLAR.sub("", text)
        if "\\boxed" in text or "\\(" in text or "\\[" in text or "\n" in without:
            return text
        # '$69$,$84$' is one answer in dollars, '$5$ apples' is prose with mathematics in it
        if re.search(
            r"(?<!\\)\b[A-Za-z]{3,}\b", re.sub(r"\\[A-Za-z]+(?:\{[^{}]*\})?", "", without)
        ):
            return text
        text = without
    return f"\\boxed{{{text}}}"


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Any, ...]:
    """Math-Verify's readings of an answer; empty where it finds none."""
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    from math_verify import parse as math_verify_parse

    return tuple(math_verify_parse(prepared(text), parsing_timeout=None))


def equal(gold: str, answer: str) -> bool:
    """Whether any reading of the gold equals any reading of the answer by Math-Verify's rules.

    A comparison that raises an exception is no match, as in Math-Verify itself.

    Raises:
        MemoryError: a comparison ran out of memory.
        RecursionError: a comparison ran out of stack.
    """
    from math_verify import verify

    for wanted, got in itertools.product(parse(gold), parse(answer)):
        try:
            if verify([wanted], [got], timeout_seconds=None, raise_on_error=True):
                return True
        except (MemoryError, RecursionError):
            raise
        except Exception:
            continue
    return False


def split_answers(text: str) -> list[str]:
    """The answers of a list, split at its outermost commas, semicolons, 'and' and 'or'.

    Example:
        >>> split_answers("$(1,2)$, $(3,4)$ and 5")
        ['(1,2)', '(3,4)', '5']
    """
    text = DOLLAR.sub("", text).strip()
    while text.startswith("\\{") and text.endswith("\\}"):
        text = text[2:-2].strip()
    parts, start, position, depth = [], 0, 0, 0
    while position < len(text):
        letter = text[position]
        if depth == 0 and (match := SEPARATOR.match(text, position)):
            parts.append(text[start:position])
            start = position = match.end()
            continue
        if letter == "\\":
            position += 1  # an escaped brace does not nest
        else:
            depth = max(0, depth + DEPTH.get(letter, 0))
        position += 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _all_matched(gold: str, answer: str) -> bool:
    golds, answers = split_answers(gold), split_answers(answer)
    if len(golds) != len(answers) or len(golds) < 2 or len(golds) > 64:
        return False
    matches = [[j for j, item in enumerate(answers) if equal(want, item)] for want in golds]
    owner: dict[int, int] = {}  # answer -> gold: a perfect matching by augmenting paths

    def place(gold_index: int, seen: set[int]) -> bool:
        for answer_index in matches[gold_index]:
            if answer_index not in seen:
                seen.add(answer_index)
                if answer_index not in owner or place(owner[answer_index], seen):
                    owner[answer_index] = gold_index
                    return True
        return False

    return all(place(index, set()) for index in range(len(golds)))


def _within(gold: str, answer: str, tolerance: str) -> bool:
    try:
        values = [complex(parse(text)[0].evalf()) for text in (gold, answer)]
        return abs(values[0] - values[1]) <= float(tolerance)
    except (AttributeError, IndexError, TypeError, ValueError):
        return False

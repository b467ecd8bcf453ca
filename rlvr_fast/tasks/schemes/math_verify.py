"""A second opinion on mathematical answers: Math-Verify. Has no problems."""

from __future__ import annotations

import functools
import itertools
import logging
import re
from collections.abc import Mapping
from importlib import metadata as importlib_metadata
from typing import Any

from rlvr_fast.errors import MissingDependencyError
from rlvr_fast.tasks.base import Equivalence, Scheme, Verifier
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["SCHEME", "MathVerifyVerifier"]

# A whole answer in e-notation; Math-Verify reads the e as Euler's number ('1e5' as 1*E*5).
E_NOTATION = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[eE]([+-]?\d{1,4})")
DOLLAR = re.compile(r"(?<!\\)\$+")
MARKED = re.compile(r"(?<!\\)\$|\\boxed|\\fbox|\\\(|\\\[")


class MathVerifyVerifier:
    """Math-Verify (https://github.com/huggingface/Math-Verify) on gold and answer.

    Its own time limits are off: they need the main thread's alarm signal and do not end C code,
    whereas a worker process is killed from outside at any time. `verify(gold, answer)` of
    Math-Verify is not symmetric, so the gold always stands first.
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
        if not _parse(answer):
            return "unparsed"
        right = any(_equal(wanted, answer) for wanted in accepted_golds(gold, metadata))
        return "correct" if right else "incorrect"


@functools.cache
def _grader() -> str:
    try:
        return f"math-verify {importlib_metadata.version('math-verify')}"
    except importlib_metadata.PackageNotFoundError as error:
        raise MissingDependencyError(
            "a second opinion on mathematical answers needs Math-Verify: pip install math-verify"
        ) from error


def _prepared(text: str) -> str:
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
def _parse(text: str) -> tuple[Any, ...]:
    """Math-Verify's readings of an answer; empty where it finds none."""
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    from math_verify import parse as math_verify_parse

    return tuple(math_verify_parse(_prepared(text), parsing_timeout=None))


def _equal(gold: str, answer: str) -> bool:
    """Whether any reading of the gold equals any reading of the answer by Math-Verify's rules.

    A comparison that raises an exception is no match, as in Math-Verify itself; but one that runs
    out of memory or stack decides nothing, and raises.
    """
    from math_verify import verify

    for wanted, got in itertools.product(_parse(gold), _parse(answer)):
        try:
            if verify([wanted], [got], timeout_seconds=None, raise_on_error=True):
                return True
        except (MemoryError, RecursionError):
            raise
        except Exception:
            continue
    return False


def _verifier(spec: TaskSpec) -> Verifier:
    return MathVerifyVerifier()


SCHEME = Scheme(
    name="math_verify",
    form="math_verify:opinion",
    help="Math-Verify on gold and answer",
    verifier=_verifier,
    packages=("math-verify",),
)

"""From the text of an answer to its value, and whether two values are one answer."""

from __future__ import annotations

import functools
import importlib
import re
from types import ModuleType

from rlvr_fast.tasks.schemes.math.evaluation.outcomes import sharing
from rlvr_fast.tasks.schemes.math.kinds import KINDS
from rlvr_fast.tasks.schemes.math.parts.derivatives import with_variables
from rlvr_fast.tasks.schemes.math.parts.letters import with_greek
from rlvr_fast.tasks.schemes.math.parts.splitting import with_cases
from rlvr_fast.tasks.schemes.math.parts.unknowns import without_arguments
from rlvr_fast.tasks.schemes.math.values import Unread, Value
from rlvr_fast.tasks.schemes.math.writing import LONGEST, clean

__all__ = ["one_answer", "read_answer"]

# Parts of parts: deeper nesting is not read.
_DEEPEST = 24
# Different parts of one text; beyond, no part is read.
_MOST_PARTS = 2000


@functools.cache
def _kinds() -> tuple[ModuleType, ...]:
    return tuple(
        importlib.import_module(f"rlvr_fast.tasks.schemes.math.kinds.{name}") for name in KINDS
    )


@functools.lru_cache(maxsize=4096)
def read_answer(text: str) -> Value:
    """The value of an answer; `Unread` where no kind reads it.

    Example:
        >>> read_answer("1/2") == read_answer("$1/2$")
        True
    """
    with sharing():
        return _read(with_cases(clean(text)), 0, {})


def _read(text: str, depth: int, known: dict[str, Value]) -> Value:
    """The value of a part.

    Args:
        text: the part.
        depth: how many parts it is in.
        known: the values of parts that were read: several kinds may ask for the same one.
    """
    text = text.strip()
    if text in known:
        return known[text]
    value: Value | None = None
    if text and depth < _DEEPEST and len(text) <= LONGEST and len(known) < _MOST_PARTS:
        for kind in _kinds():
            value = kind.read(text, lambda part: _read(part, depth + 1, known))
            if value is not None:
                break
    known[text] = Unread(_tight(text)) if value is None else value
    return known[text]


# Braces around one sign, and spaces that only stand apart.
_ONE_SIGN = re.compile(r"(?:(?<=[\^_])|(?P<command>\\[A-Za-z]+) ?)\{(?P<sign>\w)\}")
_SPACE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")


def _tight(text: str) -> str:
    r"""A text without spaces and braces that change nothing: `x_{1}\prec{y}` is `x_1 \prec y`."""
    return _SPACE.sub("", _ONE_SIGN.sub(_bare_sign, text))


def _bare_sign(match: re.Match[str]) -> str:
    command, sign = match["command"], match["sign"]
    return f"{command} {sign}" if command else sign


def one_answer(gold: Value, answer: Value) -> bool:
    """Whether an answer equals the gold answer.

    Args:
        gold: the value of the gold answer.
        answer: the value of the answer. A bare answer may lack what the gold has (a unit), so the
            two are not interchangeable.

    Example:
        >>> one_answer(read_answer("5"), read_answer("5"))
        True
    """
    with sharing():
        for kind in _kinds():
            if hasattr(kind, "as_whole"):
                gold, answer = kind.as_whole(gold, answer)
        return _same(*with_variables(*without_arguments(*with_greek(gold, answer))))


def _same(gold: Value, answer: Value) -> bool:
    if isinstance(gold, Unread) or isinstance(answer, Unread):
        return gold == answer
    for kind in _kinds():
        verdict: bool | None = kind.compare(gold, answer, _same)
        if verdict is not None:
            return verdict
    return False

"""Verdicts that came with rollouts, and the rules that make verdicts of rewards."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.rollouts.columns import (
    Column,
    arrow_array,
    distinct_values,
    is_absent,
    is_list,
    refuse_deep_nesting,
)
from rlvr_fast.store.rollouts.values import read_rewards

__all__ = ["RuleChoice", "VerdictRule", "choose_rule", "read_verdicts", "to_verdict"]

_FORMS = "FIELD, FIELD>=X, FIELD>X, FIELD<=X, FIELD<X, FIELD==X or FIELD!=X"
_RULE = re.compile(
    r"\s*(?P<field>[^<>=!\s]+(?:\s+[^<>=!\s]+)*)\s*(?:(?P<op>>=|<=|==|!=|>|<)(?P<x>.*))?"
)

_COMPARE: dict[str, Callable[..., npt.NDArray[np.bool_]]] = {
    ">=": np.greater_equal,
    ">": np.greater,
    "<=": np.less_equal,
    "<": np.less,
    "==": np.equal,
    "!=": np.not_equal,
}

# An incorrect verdict may be a time-out of the tool's verifier: formats.md, limit-of-RLVR.
_TRUE = frozenset(
    {"true", "t", "1", "1.0", "c", "correct", "right", "pass", "passed", "yes", "y", "accepted"}
    | {"success", "succeeded", "ok", "solved", "ac", "equivalent", "valid"}
)
_FALSE = frozenset(
    {"false", "f", "0", "0.0", "-1", "-1.0", "i", "p", "n", "incorrect", "wrong", "fail", "failed"}
    | {"no", "rejected", "failure", "timeout", "timed out", "time limit exceeded", "unsolved", "wa"}
    | {"not correct", "partial", "partially correct", "wrong answer", "not equivalent", "invalid"}
)


def to_verdict(value: Any) -> bool | None:
    """Whether a verdict says that a completion is correct; None where it says neither.

    Args:
        value: true or false; 1, 0 or -1, where a number between -1 and 1 is partial credit and not
            correct; words (correct, pass, yes, C; incorrect, fail, timeout, no, I, N); inspect's
            "P" (partial) is not correct; an object with "value", "correct", "is_correct", "score"
            or "passed"; a list, whose entries all have to be correct (verdicts of tests).
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if value == 1:
            return True
        return False if -1 <= value < 1 else None
    if isinstance(value, str):
        word = value.strip().lower().rstrip(".")
        # Judges of NeMo-Skills: "Judgement: Yes".
        word = re.sub(r"^(?:\*\*)?judge?ment:?(?:\*\*)?:?\s*", "", word)
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        number = re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", word)
        return to_verdict(float(word)) if number else None
    if isinstance(value, Mapping):
        for key in ("value", "correct", "is_correct", "passed", "score"):
            if not is_absent(value.get(key)):
                return to_verdict(value[key])
        return None
    if is_list(value):
        verdicts = [to_verdict(item) for item in value]
        if not verdicts or None in verdicts:
            return False if False in verdicts else None
        return all(verdicts)
    return None


@refuse_deep_nesting
def read_verdicts(column: Column) -> npt.NDArray[np.int8]:
    """The verdicts of a column: 1 correct, 0 incorrect, -1 where a row has none."""
    array = arrow_array(column)
    if array is not None:
        if pa.types.is_boolean(array.type):
            return np.asarray(pc.fill_null(array.cast(pa.int8()), -1), np.int8)
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
            numbers = read_rewards(array)
            known = np.where((numbers >= -1) & (numbers < 1), 0, -1)
            return np.where(numbers == 1, 1, known).astype(np.int8)
    codes, values = distinct_values(column)
    verdicts = [to_verdict(value) for value in values]
    table = [-1 if verdict is None else int(verdict) for verdict in verdicts]
    return _by_code(table, codes)


def _by_code(table: list[int], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    # The code of a row without a value is -1: the last entry.
    verdicts: npt.NDArray[np.int8] = np.array([*table, -1], np.int8)[codes]
    return verdicts


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """Which field says whether a completion is correct, and from which value on.

    Attributes:
        field: a role, or the name or path of a field.
        op: ">=", ">", "<=", "<", "==" or "!="; None where the field holds verdicts.
        threshold: a number, or a text for "==" and "!=".
    """

    field: str
    op: str | None = None
    threshold: float | str | None = None

    @classmethod
    def parse(cls, text: str) -> VerdictRule:
        """The rule of a text such as "acc", "reward>=1" or "status==pass".

        Raises:
            InvalidInputError: a text of another form, or a threshold that is no number.
        """
        match = _RULE.fullmatch(text)
        if match is None:
            raise InvalidInputError(f"expected a verdict as {_FORMS}, got {text!r}")
        field, op = match["field"], match["op"]
        if op is None:
            return cls(field)
        given = match["x"].strip()
        threshold: float | str = given.strip("\"'")
        try:
            number = float(given)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            threshold = number
        elif op not in ("==", "!=") or not threshold:
            raise InvalidInputError(
                f"verdict {text!r}: expected a number after {op}, got {given!r}; "
                f"the forms are {_FORMS}"
            )
        return cls(field, op, threshold)

    @property
    def text(self) -> str:
        """The rule as `parse` takes it."""
        if self.op is None:
            return self.field
        x = self.threshold
        return (
            f"{self.field}{self.op}{x:g}" if isinstance(x, float) else f"{self.field}{self.op}{x}"
        )

    def verdicts(self, column: Column) -> npt.NDArray[np.int8]:
        """The verdicts of the column of `field`: 1 correct, 0 incorrect, -1 for no value."""
        if self.op is None:
            return read_verdicts(column)
        if isinstance(self.threshold, str):
            codes, values = distinct_values(column)
            wanted = self.threshold.lower()
            same = [str(value).strip().lower() == wanted for value in values]
            table = [int(equal == (self.op == "==")) for equal in same]
            return _by_code(table, codes)
        rewards = read_rewards(column)
        assert self.threshold is not None
        verdicts = _COMPARE[self.op](rewards, self.threshold).astype(np.int8)
        verdicts[np.isnan(rewards)] = -1
        return verdicts


class RuleChoice(NamedTuple):
    """The rule for rewards whose meaning nobody stated, and why it was taken.

    Attributes:
        rule: the rule; None where the rewards do not tell.
        reason: one sentence for the user.
    """

    rule: VerdictRule | None
    reason: str


def choose_rule(rewards: Iterable[float], field: str = "reward") -> RuleChoice:
    """The rule that makes verdicts of rewards, by the distinct values seen in the first rows.

    Rewards of 0 and 1 are correct from 1 on, rewards of -1 and 1 above 0. Where the greatest reward
    is 1 and others lie between, 1 is correct and the others are partial credit.

    Args:
        rewards: distinct rewards; nan is left out.
        field: the name of the field, for the rule.
    """
    seen = sorted({float(reward) for reward in rewards if not math.isnan(reward)})
    if not seen:
        return RuleChoice(None, f"{field} holds no number")
    shown = ", ".join(f"{reward:g}" for reward in seen[:4]) + (", ..." if len(seen) > 4 else "")
    if set(seen) <= {0.0, 1.0}:
        return RuleChoice(VerdictRule(field, ">=", 1.0), f"{field} is 0 or 1")
    if set(seen) <= {-1.0, 1.0}:
        return RuleChoice(VerdictRule(field, ">", 0.0), f"{field} is -1 or 1")
    if seen[-1] == 1.0:
        return RuleChoice(
            VerdictRule(field, ">=", 1.0),
            f"the greatest {field} is 1 and others lie below ({shown}): taken as partial credit",
        )
    return RuleChoice(
        None,
        f"{field} holds {shown}, at most {seen[-1]:g}: name the threshold, as in {field}>=X",
    )

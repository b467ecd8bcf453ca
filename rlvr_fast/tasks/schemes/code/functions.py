"""Problems whose programs complete starter code: a function is called with values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rlvr_fast.tasks.sandbox import Limits, open_program
from rlvr_fast.tasks.schemes.code.calls import Caller, CallError, served
from rlvr_fast.tasks.schemes.code.outputs import same_value
from rlvr_fast.tasks.schemes.code.prelude import PRELUDE
from rlvr_fast.vocabulary import Verdict

__all__ = ["CallTests", "call_tests"]

MOST_READ_DIGITS = 4000  # that `int` reads; a Decimal has no such limit


@dataclass(frozen=True, slots=True)
class CallTests:
    """LiveCodeBench's functional tests of one problem.

    Attributes:
        function: the function, or the method of the class `Solution` where the answer has one.
        cases: the arguments of a call, and the value that is expected.
        file: where they stand; hidden from programs.
    """

    function: str
    cases: tuple[tuple[tuple[Any, ...], Any], ...]
    file: str

    @property
    def count(self) -> int:
        """The number of calls."""
        return len(self.cases)

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        """Correct where every call, each in a sandbox of its own, returns the expected value."""
        files, argv = served(f"Solution.{self.function}", [[PRELUDE, answer]])
        for arguments, wanted in self.cases:
            with open_program(files, argv, limits=limits, hidden=[self.file]) as running:
                try:
                    passed = same_value(Caller(running)(*arguments), wanted)
                except CallError:
                    passed = False
                if not passed:
                    return "timeout" if running.finish().outcome == "timeout" else "incorrect"
        return "correct"


def call_tests(function: str, cases: Sequence[tuple[str, str]], file: str) -> CallTests:
    """Tests read from texts: an argument on each line of an input, and the value, in JSON.

    Raises:
        ValueError: a text that is not JSON.
        RecursionError: JSON of too many levels.
    """
    return CallTests(
        function,
        tuple(
            (tuple(_value(line) for line in given.split("\n") if line.strip()), _value(wanted))
            for given, wanted in cases
        ),
        file,
    )


def _value(text: str) -> Any:
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int:
    return int(digits) if len(digits) < MOST_READ_DIGITS else int(Decimal(digits))

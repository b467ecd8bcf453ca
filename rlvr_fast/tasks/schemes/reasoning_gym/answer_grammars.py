"""What an answer may look like, for each dataset whose verifier evaluates text.

Several verifiers of Reasoning Gym hand an answer to `eval` or to sympy's `parse_expr`, which runs
it as Python. Each of them has a grammar here, an allow-list that is checked before the dataset's
code sees the answer: an answer outside of it is incorrect. A grammar admits every form that its
dataset can score as correct and that its question asks for; it bounds lengths, digits, exponents
and depth, so that an answer inside of it takes little time and memory, or is ended by the clock.

Forms that a dataset scores as correct whatever the problem are outside: numbers that its verifier
does not see (countdown, puzzle24), the integral itself (integration), nan (complex_arithmetic,
number_sorting).

`tests/hostile/answers` reads the source of the installed Reasoning Gym: a dataset whose verifier
evaluates and that has no grammar here fails that test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlvr_fast.tasks.schemes.reasoning_gym.expressions import (
    Bounds,
    refusal_of_expression,
    syntax_of,
)

__all__ = ["EVALUATING", "GRAMMARS", "Grammar", "refusal"]

# The longest answer that extraction takes.
MAX_LENGTH = 64 << 10

# Names that sympy reads as symbols or as the constants pi, E and I: the letters (those that are
# something else in sympy left out), alone or numbered, as constants of integration are written.
_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - set("NOQS")
_SYMBOLS = frozenset(
    _LETTERS
    | {f"{letter}{link}{number}" for letter in "CKck" for link in ("", "_") for number in range(10)}
    | {"pi", "const", "constant", "Const", "Constant"}
)
_ELEMENTARY = (
    "sqrt", "cbrt", "exp", "ln", "Abs", "abs", "sign", "erf", "erfi", "Si", "Ci", "Ei", "li",
    "sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan", "asec", "acsc", "acot",
    "sinh", "cosh", "tanh", "sech", "csch", "coth", "asinh", "acosh", "atanh", "asech", "acsch",
    "acoth",
)  # fmt: skip
# The least and the largest number of arguments of each function.
_FUNCTIONS = {
    **dict.fromkeys(_ELEMENTARY, (1, 1)),
    "log": (1, 2),
    "root": (2, 2),
    "Rational": (1, 2),
}
# An antiderivative that sympy did not find stands in a gold answer as Integral(f, x).
_WITH_INTEGRAL = {**_FUNCTIONS, "Integral": (2, 2)}
# Verifiers that count the numbers of an answer as words of digits see none in 250e0, and 3 and 7 in
# 3.7; the full stop of a sentence may follow a number.
_UNCOUNTED = re.compile(r"\d[eE]|\.\d", re.ASCII)
_POLYNOMIALS = Bounds(length=MAX_LENGTH, digits=1024, exponent_bits=14.0)

_INTEGER_ROWS = re.compile(r"\s*(?:\d{1,6}(?:\s+|$))*")
_BOARD = re.compile(r"[Q_ \t\r\n]*")
_LETTERS_ONLY = re.compile(r"[A-E \t\r\n]*")
_BASED_INTEGER = re.compile(
    r"\s*[+-]?(?:0[xX][\da-fA-F_]{1,1024}|0[oObB][\d_]{1,1024}|\d[\d_]{0,1023})\s*"
)
_SORTED_ITEM = re.compile(r"""(["']?)\s{0,8}[+-]?[\d.][\d.eE+-]{0,63}\s{0,8}\1""", re.ASCII)
_PROBABILITY = re.compile(
    r"\s*[+-]?\.?\d[\d,_.]{0,63}(?:[eE](?:-\d{1,3}|\+?\d{1,2})|\s?/\s?[\d,_]{1,64})?\s*"
)
# float and complex read words as well, and the score of a distance of nan is 1.
_TERM = r"(?:(?:[0-9]{1,64}\.?[0-9]{0,64}|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,3})?)?\s*[iIjJ]?"
_COMPLEX = re.compile(rf"\s*\({{0,4}}\s*[+-]?\s*{_TERM}\s*(?:[+-]\s*{_TERM}\s*)?\){{0,4}}\s*")
_QUOTED = re.compile(r"""\s*(["'])([^"'\\\n]*)\1\s*""")
_LIST_TOKEN = re.compile(
    r"""-?\d{1,20}(?![\w.])|'[A-Za-z0-9_ .]{0,64}'|"[A-Za-z0-9_ .]{0,64}"|[][(),]|[ \t\n]+|\r\n""",
    re.ASCII,
)
_LIST_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Grammar:
    """The answers that one dataset's verifier is given.

    Attributes:
        describe: what an answer has to be, for messages.
        refusal: why an answer to an entry of the dataset is outside the grammar, else None.
        evaluates: whether the verifier evaluates text as Python.
    """

    describe: str
    refusal: Callable[[str, Mapping[str, Any]], str | None]
    evaluates: bool = True


def refusal(dataset: str, answer: str, entry: Mapping[str, Any]) -> str | None:
    """Why an answer is outside the grammar of its dataset; None where it is inside, or none exists.

    Args:
        dataset: the name of the dataset.
        answer: the answer, as its verifier would get it.
        entry: the problem, as the dataset generated it.

    Example:
        >>> refusal("countdown", "().__class__", {})
        "not an arithmetic expression of integers: '.' is no part of an expression"
    """
    grammar = GRAMMARS.get(dataset)
    if grammar is None:
        return None
    reason = (
        f"it has more than {MAX_LENGTH} characters"
        if len(answer) > MAX_LENGTH
        else grammar.refusal(answer, entry)
    )
    return None if reason is None else f"not {grammar.describe}: {reason}"


def _arithmetic(answer: str, entry: Mapping[str, Any]) -> str | None:
    if _UNCOUNTED.search(answer):
        return "its numbers have to be integers without an exponent"
    return refusal_of_expression(answer)


def _antiderivative(answer: str, entry: Mapping[str, Any]) -> str | None:
    variable = entry["metadata"]["variable"]
    functions = _WITH_INTEGRAL if "Integral(" in entry["answer"] else _FUNCTIONS
    if quoted := _QUOTED.fullmatch(answer):
        answer = quoted[2].replace("^", "**")  # sympy reads the text of a quoted expression so
    return refusal_of_expression(answer, names=_SYMBOLS, functions=functions, variable=variable)


def _polynomial(answer: str, entry: Mapping[str, Any]) -> str | None:
    posed = re.findall(r"[A-Za-z]\w*", entry["metadata"]["polynomial_expr"], re.ASCII)
    return refusal_of_expression(answer, names=frozenset(posed), bounds=_POLYNOMIALS)


def _matching(pattern: re.Pattern[str], otherwise: str) -> Callable[..., str | None]:
    def check(answer: str, entry: Mapping[str, Any]) -> str | None:
        return None if pattern.fullmatch(answer) else otherwise

    return check


def _plain_or_list(plain: re.Pattern[str]) -> Callable[..., str | None]:
    """The text that the question asks for, or a list literal (which earns partial credit)."""

    def check(answer: str, entry: Mapping[str, Any]) -> str | None:
        return None if plain.fullmatch(answer) else _refusal_of_list(answer)

    return check


def _refusal_of_list(answer: str) -> str | None:
    text = answer.strip()
    position = depth = 0
    while position < len(text):
        match = _LIST_TOKEN.match(text, position)
        if match is None:
            return f"{text[position]!a} is no part of it"
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(match[0], 0)
        if depth > _LIST_DEPTH:
            return "it is nested too deeply"
        position = match.end()
    tree = syntax_of(text)
    if tree is None or not isinstance(tree, (ast.List, ast.Tuple)):
        return "it is neither"
    waiting: list[ast.expr] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.List, ast.Tuple)):
            waiting.extend(node.elts)
        elif isinstance(node, ast.UnaryOp):
            waiting.append(node.operand)
        elif not isinstance(node, ast.Constant):
            return f"{type(node).__name__} is no part of a list"
    return None


def _sorted(answer: str, entry: Mapping[str, Any]) -> str | None:
    text = answer.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return "it has no brackets around it"
    items = [item.strip() for item in text[1:-1].split(",")]
    # Words such as nan are left out: no comparison of the verifier finds one of them wrong.
    wrong = next((item for item in items if not _SORTED_ITEM.fullmatch(item)), None)
    return None if wrong is None or items == [""] else f"{wrong[:20]!a} is no number"


def _of_source(answer: str, entry: Mapping[str, Any]) -> str | None:
    return refusal(entry["metadata"]["source_dataset"], answer, entry)


_ARITHMETIC = Grammar("an arithmetic expression of integers", _arithmetic)
_ANTIDERIVATIVE = Grammar("an antiderivative in elementary functions", _antiderivative)
_MATRIX = Grammar("rows of integers, or a list of them", _plain_or_list(_INTEGER_ROWS))

GRAMMARS: dict[str, Grammar] = {
    "binary_matrix": _MATRIX,
    "bitwise_arithmetic": Grammar("an integer", _matching(_BASED_INTEGER, "it is none")),
    "coin_flip": Grammar(
        "a probability as a decimal or a fraction",
        _matching(_PROBABILITY, "it is neither, or too long"),
        evaluates=False,
    ),
    "complex_arithmetic": Grammar(
        "a complex number", _matching(_COMPLEX, "it is none"), evaluates=False
    ),
    "composite": Grammar("an answer of the dataset that posed the problem", _of_source),
    "countdown": _ARITHMETIC,
    "intermediate_integration": _ANTIDERIVATIVE,
    "n_queens": Grammar("a board of Q and _, or a list of its rows", _plain_or_list(_BOARD)),
    "number_sorting": Grammar("a list of numbers in brackets", _sorted),
    "polynomial_multiplication": Grammar("a polynomial in the variables posed", _polynomial),
    "puzzle24": _ARITHMETIC,
    "simple_integration": _ANTIDERIVATIVE,
    "spiral_matrix": _MATRIX,
    "string_insertion": Grammar(
        "a text of the letters A to E, or a list of them", _plain_or_list(_LETTERS_ONLY)
    ),
}

# The datasets whose verifiers evaluate text, answers or golds, as Python.
EVALUATING = frozenset(name for name, grammar in GRAMMARS.items() if grammar.evaluates)

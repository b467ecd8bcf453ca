r"""Sets of real numbers: intervals, unions, differences, set-builder notation.

A set is kept as it was written, as a tree of operations on intervals. Two sets are one where they
agree on each end of an interval in either of them and between neighbouring ends. Where the ends
cannot be ordered (they have symbols), the trees are compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import List, Set, Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.parts.number_sets import by_sign, in_words
from rlvr_fast.tasks.schemes.math.parts.ordering import floor_and_ceil, order
from rlvr_fast.tasks.schemes.math.parts.polynomials import real_roots
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family, Named, Relation
from rlvr_fast.tasks.schemes.math.parts.set_grid import ends_of, grid_of, is_empty, members
from rlvr_fast.tasks.schemes.math.parts.set_values import (
    EMPTY,
    REALS,
    Interval,
    NamedSet,
    Operation,
    SetOf,
    points,
    without,
)
from rlvr_fast.tasks.schemes.math.parts.splitting import enclosed, split, words
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = [
    "EMPTY",
    "REALS",
    "Interval",
    "NamedSet",
    "Operation",
    "SetOf",
    "as_set",
    "compare",
    "ends_of",
    "in_words",
    "integers_in",
    "is_empty",
    "points",
    "read",
    "same_sets",
    "without",
]


# More integers than any answer lists.
_MOST_INTEGERS = 128
# The first element of sets of integers.
_FIRST = {"Z": None, "N": 1, "Z+": 1, "N+": 1, "N*": 1, "Z0+": 0, "N0+": 0}

_EXCEPT = "except for|except|excluding|other than|without"
_SETS = re.compile(
    r"(?P<union>\\cup(?![A-Za-z])|(?<=[\])}]) ?[Uu] ?(?=[\[(\\{]))"
    r"|(?P<intersection>\\cap(?![A-Za-z]))"
    r"|\\setminus(?![A-Za-z])|(?<=[\w}]) ?- ?(?=\\?\{)"
    rf"|{words(_EXCEPT)}"
)
_BUT = re.compile(_EXCEPT)
# A backslash alone is the sign of a difference in plain text; cleaning drops or joins it.
_REALS_BUT = re.compile(r"(?:\\mathbb\{R\}|^R)(?: ?- ?| ?)(?=\\?\{)")
# Braces of a set in plain text; those around one letter or a command are LaTeX's.
_PLAIN_SET = re.compile(r"^\{([^{}\\]*[\d,][^{}\\]*)\}$")
_INFINITY = re.compile(r"([+-]?) ?(?:\\infty|oo|inf(?:ty|inity)?|Infinity)")
# "all real x", before what is left out.
_ALL_REAL = re.compile(
    r"(?:[a-z] (?:is|can be|may be) )?(?:all|any|every) real "
    r"(?:(?:numbers?|values?(?: of)?) ?)?[a-z]?",
    re.I,
)
_EMPTY = re.compile(
    r"\\emptyset|\\\{\\\}|\{\}|(?:the )?empty set|"
    r"(?:(?:there (?:are|is|exists?)|(?:it|(?:the|this) (?:equation|system|inequality)) has) )?"
    r"no (?:real |such )?solutions?(?: exists?)?",
    re.I,
)
# The letters of sets of numbers in plain text, beside a set.
_LETTERS: dict[Value, Value] = {
    Expression(Symbol("R")): REALS,
    **{Expression(Symbol(letter)): NamedSet(letter) for letter in "NZQC"},
}
_FRENCH = re.compile(r"([\[\]])([^\[\]]*)([\[\]])")
_FRENCH_SIGNS = re.compile(r"^\]|\[$|\[ ?(?=\\cup|\\cap|\\setminus)|\\(?:cup|cap|setminus) ?\]")
_BAR = re.compile(rf"\\mid(?![A-Za-z])|\||:|{words('such that')}")
_ENDS = re.compile(r"[,;]")


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a set of numbers; see `kinds`."""
    if _EMPTY.fullmatch(text):
        return EMPTY
    if _ALL_REAL.fullmatch(text):
        return REALS
    named = by_sign(text) or in_words(text, alone=True)
    if named is not None:
        return named
    text = _REALS_BUT.sub(r"\\mathbb{R} \\setminus ", text)
    usual = _usual_brackets(text)
    french = usual.count("[") + usual.count("]") != text.count("[") + text.count("]")
    text = usual
    operations = split(text, _SETS)
    if operations is None:
        return None
    if operations.marks:
        return _operation(operations.parts, operations.marks, read)
    return _interval(text, french, read) or _builder(text, read)


def _usual_brackets(text: str) -> str:
    """`]1,2[` as `(1,2)`, where the square brackets of a text cannot be meant otherwise."""
    if not _FRENCH_SIGNS.search(text):
        return text
    return _FRENCH.sub(
        lambda match: (
            ("(" if match[1] == "]" else "[") + match[2] + (")" if match[3] == "[" else "]")
        ),
        text,
    )


def _operation(parts: Sequence[str], marks: Sequence[str], read: Read) -> Value | None:
    values = [read(_PLAIN_SET.sub(r"\\{\1\\}", part)) for part in parts]
    operands = [as_set(value) or _unknown_set(value) for value in values]
    if _ALL_REAL.fullmatch(parts[0]):
        operands[0] = REALS
    total = operands[0]
    if total == EMPTY and len(parts) == 2 and _BUT.fullmatch(marks[0]):
        left = _exceptions(values[1])  # no solutions except 0
        return Set(tuple(map(Expression, ends_of(left)))) if left is not None else None
    for index, mark in enumerate(marks):
        operand = operands[index + 1]
        name = "minus"
        if re.search(r"cup|∪|^[Uu]$", mark):
            name = "union"
        elif re.search(r"cap|∩", mark):
            name = "intersection"
        elif operand is None:
            operand = _exceptions(values[index + 1])
        if total is None or operand is None:
            return None
        if isinstance(total, Operation) and total.name == name and name != "minus":
            total = Operation(name, (*total.parts, operand))
        else:
            total = Operation(name, (total, operand))
    return total


def _exceptions(value: Value) -> Value | None:
    """The numbers in "all real numbers except 1 and 2" as a set."""
    value = value.value if isinstance(value, Named) else value
    parts = value.parts if isinstance(value, List) else (value,)
    terms = [part.term for part in parts if isinstance(part, Expression)]
    return points(terms) if len(terms) == len(parts) else None


def _unknown_set(value: Value) -> Value | None:
    if isinstance(value, Expression) and isinstance(value.term, Symbol):
        return value
    return None


def _interval(text: str, pairs: bool, read: Read) -> Value | None:
    brackets = enclosed(text)
    if brackets is None or brackets[0] not in "([" or brackets[2] not in ")]":
        return None
    inside = split(brackets[1], _ENDS, most=2)
    if inside is None or len(inside.parts) != 2:
        return None
    infinite = [_INFINITY.fullmatch(part.strip("{} ")) for part in inside.parts]
    if not pairs and not any(infinite) and brackets[0] + brackets[2] in ("()", "[]"):
        return None  # a pair, which `as_set` takes for an interval where the other side is one
    if (infinite[0] and infinite[0][1] != "-") or (infinite[1] and infinite[1][1] == "-"):
        return None
    ends: list[Term | None] = []
    for part, match in zip(inside.parts, infinite, strict=True):
        value = None if match else read(part)
        if value is not None and not isinstance(value, Expression):
            return None
        ends.append(value.term if value is not None else None)
    closed = [brackets[0] == "[", brackets[2] == "]"]
    lower, upper = ends
    if lower is not None and upper is not None and not all(closed) and order(lower, upper) == 0:
        return None  # (1, 1] holds nothing: it is no answer
    return Interval(lower, closed[0] and lower is not None, upper, closed[1] and upper is not None)


def _builder(text: str, read: Read) -> Value | None:
    brackets = enclosed(text)
    if brackets is None or brackets[0] not in ("\\{", "{") or brackets[2] not in ("\\}", "}"):
        return None
    inside = split(brackets[1], _BAR)
    if inside is None or len(inside.parts) < 2 or not inside.marks[0]:
        return None
    start = brackets[1].index(inside.marks[0], len(inside.parts[0]))
    condition_text = brackets[1][start + len(inside.marks[0]) :].strip()
    element, condition = read(inside.parts[0]), read(condition_text)
    if isinstance(element, Unread) or isinstance(condition, Unread):
        return None
    return _of_condition(element, condition)


def _of_condition(element: Value, condition: Value) -> Value:
    r"""`\{x \in \mathbb{R} : x > 0\}` as an interval where the condition is on x alone."""
    variable, domain = element, None
    if isinstance(element, Named):
        variable, domain = element.name, as_set(element.value)
    if isinstance(condition, Named) and condition.name == variable:
        found = as_set(condition.value)
        if found is not None and (domain is not None or variable is element):
            whole = integers_in(domain, found)
            if whole is not None:
                return whole
            parts = (found,) if domain in (None, REALS) else (domain, found)
            return (
                found if len(parts) == 1 else Operation("intersection", tuple(filter(None, parts)))
            )
    if isinstance(condition, Named) and isinstance(condition.name, Expression):
        name = condition.name.term
        lone = not isinstance(condition.value, Expression)  # y = 1 - x is a condition
        if lone and isinstance(name, Symbol) and name.name in symbols(element):
            return Family(element, ((name.name, condition.value),))
    roots = _roots(variable, condition) if domain in (None, REALS) else None
    return SetOf(element, condition) if roots is None else Set(tuple(map(Expression, roots)))


def _roots(variable: Value, condition: Value) -> list[Term] | None:
    """The real solutions of a polynomial equation, where there are some and they are known."""
    if not isinstance(condition, Relation) or condition.signs != ("=",):
        return None
    if not isinstance(variable, Expression) or not isinstance(variable.term, Symbol):
        return None
    left, right = condition.sides
    if not (isinstance(left, Expression) and isinstance(right, Expression)):
        return None
    difference = Add((left.term, Mul((Number(Fraction(-1)), right.term))))
    return real_roots(difference, variable.term.name) or None


def integers_in(domain: Value | None, interval: Value) -> Value | None:
    """The integers in a bounded interval, one by one; None where they are not known or too many."""
    if not isinstance(domain, NamedSet) or domain.name not in _FIRST:
        return None
    if not isinstance(interval, Interval) or interval.lower is None or interval.upper is None:
        return None
    ends = [floor_and_ceil(end) for end in (interval.lower, interval.upper)]
    if ends[0] is None or ends[1] is None:
        return None
    (_, low), (high, _) = ends[0], ends[1]
    if ends[0][0] == low and not interval.with_lower:
        low += 1
    if ends[1][1] == high and not interval.with_upper:
        high -= 1
    first = _FIRST[domain.name]
    if domain.name == "N" and low <= 0 <= high:
        return None  # whether 0 is a natural number is a convention
    low = low if first is None else max(low, first)
    if high - low >= _MOST_INTEGERS:
        return None
    return Set(tuple(Expression(Number(Fraction(place))) for place in range(low, high + 1)))


def as_set(value: Value) -> Value | None:
    """The value as a set of real numbers, where it can be one; a pair is an interval then."""
    if isinstance(value, Interval | NamedSet | Operation | SetOf):
        return value
    if isinstance(value, Set):
        terms = [part.term for part in value.parts if isinstance(part, Expression)]
        return points(terms) if len(terms) == len(value.parts) else None
    if isinstance(value, Tuple) and len(value.parts) == 2 and value.bracket in ("(", "["):
        lower, upper = value.parts
        if isinstance(lower, Expression) and isinstance(upper, Expression):
            closed = value.bracket == "["
            if order(lower.term, upper.term) in ((1,) if closed else (0, 1)):
                return None
            return Interval(lower.term, closed, upper.term, closed)
    return None


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two sets are one; see `kinds`."""
    kinds = (Interval, NamedSet, Operation, SetOf)
    if not isinstance(gold, kinds) and not isinstance(answer, kinds):
        return None
    if isinstance(gold, SetOf) and isinstance(answer, SetOf):
        return _same_builders(gold, answer, same)
    letters = {gold, answer} & _LETTERS.keys()
    if len(letters) == 1:
        (letter,) = letters
        return same(*(_LETTERS[letter] if value == letter else value for value in (gold, answer)))
    first, second = as_set(gold), as_set(answer) or _listed(answer)
    if first is None or second is None:
        return None
    return same_sets(first, second, same)


def _listed(value: Value) -> Value | None:
    """The parts of a list, "(-oo, 1) and (2, oo)", as one set; for an answer to a set."""
    if not isinstance(value, List) or len(value.parts) < 2:
        return None
    sets = [None if isinstance(part, Set) else as_set(part) for part in value.parts]
    known = tuple(part for part in sets if part is not None)
    return Operation("union", known) if len(known) == len(sets) else None


def _same_builders(gold: SetOf, answer: SetOf, same: Same) -> bool:
    renamed = answer
    if isinstance(gold.element, Expression) and isinstance(answer.element, Expression):
        first, second = gold.element.term, answer.element.term
        if isinstance(first, Symbol) and isinstance(second, Symbol):
            renamed = put(answer, {second.name: first})
    return same(gold.element, renamed.element) and same(gold.condition, renamed.condition)


def same_sets(gold: Value, answer: Value, same: Same) -> bool:
    """Whether two sets have the same elements."""
    grid = grid_of(gold, answer)
    if grid is not None:
        first, second = members(gold, grid), members(answer, grid)
        if first is not None and second is not None:
            return first == second
    if isinstance(gold, Interval) and isinstance(answer, Interval):
        return (
            gold.with_lower == answer.with_lower
            and gold.with_upper == answer.with_upper
            and _same_ends(gold.lower, answer.lower)
            and _same_ends(gold.upper, answer.upper)
        )
    if isinstance(gold, NamedSet) and isinstance(answer, NamedSet):
        pair = {gold.name, answer.name}
        return len(pair) == 1 or pair in ({"N", "Z+"}, {"N", "Z0+"}, {"N+", "Z+"}, {"N0+", "Z0+"})
    if isinstance(gold, Operation) and isinstance(answer, Operation):
        if gold.name != answer.name:
            return False
        matched = all_in_order if gold.name == "minus" else all_matched
        return matched(gold.parts, answer.parts, same)
    return False


def _same_ends(gold: Term | None, answer: Term | None) -> bool:
    if gold is None or answer is None:
        return gold is answer
    return equal_terms(gold, answer)

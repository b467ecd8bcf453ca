r"""Matrices and vectors: `\begin{pmatrix}`, linear combinations of them, determinants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.choice import Choice
from rlvr_fast.tasks.schemes.math.kinds.collection import Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.words import Words
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, ZERO
from rlvr_fast.tasks.schemes.math.parts.splitting import enclosed, environment, split
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Constant, Mul, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Matrix", "cells", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Matrix(Value):
    """Rows of terms, all of one length."""

    rows: tuple[tuple[Term, ...], ...]


_ENVIRONMENTS = frozenset(("pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"))
_ROW = re.compile(r"\\\\(?:\s*\[[^\]]*\])?|\\cr(?![A-Za-z])")
_CELL = re.compile(r"&")
_SEMICOLON = re.compile(r";")
_BETWEEN = re.compile(r",")
_COLUMNS = re.compile(r"\s*\{[lcr| ]*\}")
_PYTHON = re.compile(r"(?:(?:np|numpy|sp|sympy)\.)?(?:array|matrix|Matrix)\((.*)\)", re.S)
_TRANSPOSED = re.compile(r"(.*)\^ ?(?:T|\\top|\{ ?(?:T|\\top|\\intercal) ?\})", re.S)
_SUM = re.compile(r"[+-]")
_MATRIX = re.compile(
    r"(\\left\s*)?(?:[(\[]\s*)?\\begin\s*\{(?:[pbB]?matrix|smallmatrix|array)\*?\}"
)
_TUPLE = re.compile(r"\(|\\langle(?![A-Za-z])")
_TUPLE_OR_LIST = re.compile(rf"\[|{_TUPLE.pattern}")
_COMMA = re.compile(r"[,;]")
_MOST_TUPLE = 12
_UNITS = ("hat(i)", "hat(j)", "hat(k)")
_ONE = Number(Fraction(1))
_IDENTITIES: list[Value] = [Choice("I"), Words(("identity", "matrix"))]
_TIMES = re.compile(r"(?:\\cdot|\\times|\*)\s*$")
# Determinants are expanded along a row: n! terms.
_LARGEST_DETERMINANT = 4
_MOST_CELLS = 400


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a matrix, a sum of multiples of matrices, or a determinant."""
    if match := _PYTHON.fullmatch(text):
        value = read(match[1])
        return value if isinstance(value, Tuple) else None
    if match := _TRANSPOSED.fullmatch(text):
        column = _multiple_of_tuple(match[1], "[]")  # a tuple with this sign is written as a row
        matrix = None if column is not None else _single(match[1])
        return column if matrix is None else _transposed(matrix)
    if (matrix := _plain(text)) is not None:
        return matrix
    if "\\begin" not in text and "," not in text and ";" not in text:
        return None
    if "\\begin" in text:
        determinant = _determinant(text)
        if determinant is not None:
            return Expression(determinant)
    return _sum(text)


def _plain(text: str) -> Matrix | None:
    """`[1, 2; 3, 4]`: two or more rows of two or more cells."""
    brackets = enclosed(text) if ";" in text else None
    lines = split(brackets[1], _SEMICOLON) if brackets and brackets[0] == "[" else None
    if lines is None or brackets is None or brackets[2] != "]" or not lines.marks:
        return None
    matrix = _of_lines(lines.parts, _BETWEEN)
    return matrix if matrix is not None and len(matrix.rows[0]) > 1 else None


def _transposed(matrix: Matrix) -> Matrix:
    return Matrix(tuple(zip(*matrix.rows, strict=True)))


def _sum(text: str) -> Matrix | None:
    pieces = split(text, _SUM, most=16)
    if pieces is None:
        return None
    total: Matrix | None = None
    parts, marks = list(pieces.parts), ["+", *pieces.marks]
    if not parts[0] and len(parts) > 1:
        del parts[0], marks[0]
    if "\\begin" not in text and not _tuples(parts):
        return None
    for mark, part in zip(marks, parts, strict=True):
        matrix = _multiple(part)
        if matrix is None:
            return None
        if mark == "-":
            matrix = _scaled(MINUS, matrix)
        if total is None:
            total = matrix
        elif _shape(total) != _shape(matrix):
            return None
        else:
            total = Matrix(
                tuple(
                    tuple(Add(pair) for pair in zip(first, second, strict=True))
                    for first, second in zip(total.rows, matrix.rows, strict=True)
                )
            )
    return total


def _tuples(parts: list[str]) -> bool:
    """Whether a sum has tuples, one of them without a factor: f(1, 2) is a value of f."""
    return len(parts) > 1 and any(part.startswith(("(", "\\langle")) for part in parts)


def _shape(matrix: Matrix) -> tuple[int, int]:
    return len(matrix.rows), len(matrix.rows[0])


def _scaled(factor: Term, matrix: Matrix) -> Matrix:
    return Matrix(tuple(tuple(Mul((factor, cell)) for cell in row) for row in matrix.rows))


def _multiple(text: str) -> Matrix | None:
    """A matrix with a factor before it, or before a product of two matrices."""
    match = _MATRIX.search(text)
    if match is None:
        return _multiple_of_tuple(text)
    before, rest = text[: match.start()].strip(), text[match.start() :].strip()
    matrix = _single(rest)
    if matrix is None or not before:
        return matrix
    before = _TIMES.sub("", before).strip()
    factor = parse_term(before)
    return None if factor is None else _scaled(factor, matrix)


def _multiple_of_tuple(text: str, *more: str) -> Matrix | None:
    """`t(1, 2)` as a column with a factor; the brackets may also be of other kinds, as "[]"."""
    for match in (_TUPLE_OR_LIST if more else _TUPLE).finditer(text):
        brackets = enclosed(text[match.start() :])
        inside = split(brackets[1], _COMMA, most=_MOST_TUPLE) if brackets else None
        if brackets is None or inside is None or not inside.marks:
            continue
        if brackets[0] + brackets[2] not in ("()", "\\langle\\rangle", *more):
            continue
        terms = [parse_term(part) for part in inside.parts]
        column = tuple((term,) for term in terms if term is not None)
        before = _TIMES.sub("", text[: match.start()].strip()).strip()
        factor = parse_term(before) if before else _ONE
        if len(column) < len(terms) or factor is None:
            return None
        return _scaled(factor, Matrix(column))
    return None


def _single(text: str) -> Matrix | None:
    whole = environment(text)
    if whole is None:
        brackets = enclosed(text)
        if brackets is None or brackets[0] + brackets[2] not in ("()", "[]", "{}"):
            return None
        return _single(brackets[1]) or _sum(brackets[1])
    name, inside = whole
    if name not in _ENVIRONMENTS:
        return None
    return _rows(name, inside)


def _rows(name: str, inside: str) -> Matrix | None:
    if name == "array":
        inside = _COLUMNS.sub("", inside, count=1)
    lines = split(inside, _ROW)
    if lines is None:
        return None
    return _of_lines([line for line in lines.parts if line], _CELL)


def _of_lines(lines: Sequence[str], separator: re.Pattern[str]) -> Matrix | None:
    """The matrix of rows as texts; None where their lengths differ."""
    rows: list[tuple[Term, ...]] = []
    for line in lines:
        cells = split(line, separator)
        if cells is None:
            return None
        terms = [parse_term(cell) for cell in cells.parts]
        known = tuple(term for term in terms if term is not None)
        if len(known) != len(terms):
            return None
        rows.append(known)
    if not rows or len({len(row) for row in rows}) != 1 or len(rows) * len(rows[0]) > _MOST_CELLS:
        return None
    return Matrix(tuple(rows))


def _determinant(text: str) -> Term | None:
    r"""The value of `vmatrix`, and of `\det` of a matrix."""
    inner = re.fullmatch(r"\\det\s*(?=\\begin|\(|\\left)(.*)", text, re.S)
    whole = environment(text)
    matrix = None
    if inner is not None:
        matrix = _single(inner[1].strip())
    elif whole is not None and whole[0] == "vmatrix":
        matrix = _rows("matrix", whole[1])
    elif bars := re.fullmatch(r"(?:\||\\lvert)(.*)(?:\||\\rvert)", text, re.S):
        matrix = _single(bars[1].strip())
    if matrix is None or len(matrix.rows) != len(matrix.rows[0]):
        return None
    return None if len(matrix.rows) > _LARGEST_DETERMINANT else _expanded(matrix.rows)


def _expanded(rows: tuple[tuple[Term, ...], ...]) -> Term:
    if len(rows) == 1:
        return rows[0][0]
    parts = []
    for column, cell in enumerate(rows[0]):
        minor = tuple(row[:column] + row[column + 1 :] for row in rows[1:])
        factors = (cell, _expanded(minor))
        parts.append(Mul((MINUS, *factors)) if column % 2 else Mul(factors))
    return Add(tuple(parts))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two matrices agree, cell by cell; a column or a row also equals a tuple."""
    gold, answer = _with_components(gold, answer), _with_components(answer, gold)
    gold, answer = _identity(gold, answer), _identity(answer, gold)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        return _shape(gold) == _shape(answer) and all(
            all(map(equal_terms, first, second))
            for first, second in zip(gold.rows, answer.rows, strict=True)
        )
    if isinstance(gold, Matrix) and isinstance(answer, Tuple):
        return all_in_order(_parts(gold, answer), answer.parts, same)
    if isinstance(gold, Tuple) and isinstance(answer, Matrix):
        return all_in_order(gold.parts, _parts(answer, gold), same)
    return False if isinstance(gold, Matrix) or isinstance(answer, Matrix) else None


def _with_components(value: Value, other: Value) -> Value:
    r"""`\hat{i} + 2 \hat{j}` as a column, to compare it with a tuple or a column."""
    if not isinstance(value, Expression) or not isinstance(other, Matrix | Tuple):
        return value
    size = len(cells(other)) if isinstance(other, Matrix) else len(other.parts)
    units = _UNITS[:size]
    if size in (2, 3) and symbols(value) and symbols(value) <= {"j", "k"}:
        value = Expression(_with_hats(value.term))
    if size not in (2, 3) or not symbols(value) & set(units):
        return value
    none = dict.fromkeys(units, ZERO)
    terms = tuple(put(value.term, {**none, unit: _ONE}) for unit in units)
    total = Add(tuple(Mul((term, Symbol(unit))) for term, unit in zip(terms, units, strict=True)))
    if not equal_terms(total, value.term):
        return value
    return Matrix(tuple((term,) for term in terms))


def _with_hats(term: Term) -> Term:
    """`i + 2j` in bold letters: a cleaned text has no bold ones."""
    if isinstance(term, Add | Mul):
        return type(term)(tuple(map(_with_hats, term.parts)))
    if term == Constant("i"):
        return Symbol("hat(i)")
    return Symbol(f"hat({term.name})") if isinstance(term, Symbol) else term


def _identity(value: Value, other: Value) -> Value:
    """A multiple of the identity matrix I as a matrix, to compare it with a square one."""
    if not isinstance(other, Matrix) or len(other.rows) != len(other.rows[0]):
        return value
    if value in _IDENTITIES:
        value = Expression(Symbol("I"))
    if len(other.rows) < 2 or not isinstance(value, Expression) or len(symbols(value)) != 1:
        return value
    (name,) = symbols(value)
    if name not in ("I", f"I_{len(other.rows)}"):
        return value
    factor = put(value.term, {name: _ONE})
    if not equal_terms(Mul((factor, Symbol(name))), value.term):
        return value
    size = range(len(other.rows))
    return Matrix(tuple(tuple(factor if i == j else ZERO for j in size) for i in size))


def _parts(matrix: Matrix, other: Tuple) -> tuple[Value, ...]:
    """The matrix as the parts of a tuple: of its rows, or of its cells if it is a vector."""
    inner = [part.bracket for part in other.parts if isinstance(part, Tuple)]
    if inner:
        return tuple(Tuple(tuple(map(Expression, row)), inner[0]) for row in matrix.rows)
    return cells(matrix)


def cells(matrix: Matrix) -> tuple[Value, ...]:
    """The cells of a row or a column; none of any other matrix."""
    if len(matrix.rows) > 1 and len(matrix.rows[0]) > 1:
        return ()
    return tuple(Expression(cell) for row in matrix.rows for cell in row)

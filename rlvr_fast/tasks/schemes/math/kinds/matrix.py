r"""Matrices and vectors: `\begin{pmatrix}`, linear combinations of them, determinants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.collection import Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.matching import all_in_order
from rlvr_fast.tasks.schemes.math.kinds.splitting import enclosed, environment, split
from rlvr_fast.tasks.schemes.math.terms import equal_terms, parse_term
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Matrix", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Matrix(Value):
    """Rows of terms, all of one length."""

    rows: tuple[tuple[Term, ...], ...]


_MINUS = Number(Fraction(-1))
_ENVIRONMENTS = frozenset(("pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"))
_ROW = re.compile(r"\\\\(?:\s*\[[^\]]*\])?|\\cr(?![A-Za-z])")
_CELL = re.compile(r"&")
_COLUMNS = re.compile(r"\s*\{[lcr| ]*\}")
_SUM = re.compile(r"[+-]")
_MATRIX = re.compile(
    r"(\\left\s*)?(?:[(\[]\s*)?\\begin\s*\{(?:[pbB]?matrix|smallmatrix|array)\*?\}|\\binom(?=\s*\{)"
)
_TIMES = re.compile(r"(?:\\cdot|\\times|\*)\s*$")
_BINOMIAL = re.compile(r"\\binom\s*\{")
# Determinants are expanded along a row: n! terms.
_LARGEST_DETERMINANT = 4
_MOST_CELLS = 400


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a matrix, a sum of multiples of matrices, or a determinant."""
    if "\\begin" not in text and "\\binom" not in text:
        return None
    if "\\begin" in text:
        determinant = _determinant(text)
        if determinant is not None:
            return Expression(determinant)
    return _sum(text)


def _sum(text: str) -> Matrix | None:
    pieces = split(text, _SUM, most=16)
    if pieces is None:
        return None
    total: Matrix | None = None
    parts, marks = list(pieces.parts), ["+", *pieces.marks]
    if not parts[0] and len(parts) > 1:
        del parts[0], marks[0]
    if "\\begin" not in text and not _vectors(parts):
        return None
    for mark, part in zip(marks, parts, strict=True):
        matrix = _multiple(part)
        if matrix is None:
            return None
        if mark == "-":
            matrix = _scaled(_MINUS, matrix)
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


def _vectors(parts: list[str]) -> bool:
    r"""Whether each part is a multiple of one `\binom`, which then is a column."""
    return len(parts) > 1 and all(
        len(_BINOMIAL.findall(part)) == 1 and part.endswith("}") for part in parts
    )


def _shape(matrix: Matrix) -> tuple[int, int]:
    return len(matrix.rows), len(matrix.rows[0])


def _scaled(factor: Term, matrix: Matrix) -> Matrix:
    return Matrix(tuple(tuple(Mul((factor, cell)) for cell in row) for row in matrix.rows))


def _multiple(text: str) -> Matrix | None:
    """A matrix with a factor before it, or before a product of two matrices."""
    match = _MATRIX.search(text)
    if match is None:
        return None
    before, rest = text[: match.start()].strip(), text[match.start() :].strip()
    matrix = _single(rest)
    if matrix is None or not before:
        return matrix
    before = _TIMES.sub("", before).strip()
    factor = parse_term(before)
    return None if factor is None else _scaled(factor, matrix)


def _single(text: str) -> Matrix | None:
    if text.startswith("\\binom"):
        pair = re.fullmatch(r"\\binom\s*\{([^{}]*)\}\s*\{([^{}]*)\}", text)
        if pair is None:
            return None
        cells = [parse_term(pair[1]), parse_term(pair[2])]
        known = [cell for cell in cells if cell is not None]
        return Matrix(tuple((cell,) for cell in known)) if len(known) == 2 else None
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
    texts = [line for line in lines.parts if line]
    rows: list[tuple[Term, ...]] = []
    for line in texts:
        cells = split(line, _CELL)
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
    elif text.startswith("|") and text.endswith("|"):
        matrix = _single(text[1:-1].strip())
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
        parts.append(Mul((_MINUS, *factors)) if column % 2 else Mul(factors))
    return Add(tuple(parts))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two matrices agree, cell by cell; a column or a row also equals a tuple."""
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


def _parts(matrix: Matrix, other: Tuple) -> tuple[Value, ...]:
    """The matrix as the parts of a tuple: of its rows, or of its cells if it is a vector."""
    rows = tuple(Tuple(tuple(map(Expression, row)), "[") for row in matrix.rows)
    if any(isinstance(part, Tuple) for part in other.parts):
        return rows
    if len(matrix.rows) == 1 or len(matrix.rows[0]) == 1:
        return tuple(Expression(cell) for row in matrix.rows for cell in row)
    return ()

"""The canonical form of an answer: a text such that equal forms mean equal values."""

from __future__ import annotations

from typing import Any, Literal, get_args

from rlvr_fast import __version__, _core
from rlvr_fast.answers.arrow import is_arrow, string_array, to_string_column

__all__ = [
    "CANONICAL_GRADER",
    "UNRESOLVED",
    "CanonicalComparison",
    "compare_canonical",
    "complete_forms",
    "normalize_answers",
]

# The name beside a verdict that canonical forms decided.
CANONICAL_GRADER = f"rlvr_fast {__version__} canonical 2"
# The first character of an unresolved form; no resolved form begins with it.
UNRESOLVED = "?"

CanonicalComparison = Literal["equal", "different", "unknown"]
# The compiled core numbers the comparisons in this order.
_COMPARISONS: tuple[CanonicalComparison, ...] = get_args(CanonicalComparison)


def normalize_answers(answers: Any, *, return_resolved: bool = False) -> Any:
    r"""Give each answer its canonical form.

    The canonical form of an answer is a text such that two answers with equal forms have one
    verdict, whatever the gold answer is. Resolved are sums of rational multiples of radicals,
    powers of pi, i and symbols (``\frac{\sqrt{2}}{2}`` = ``1/\sqrt2``), tuples, intervals, sets,
    lists, matrices and words. An answer whose exact value cannot be determined in 128-bit rationals
    is unresolved: its form is ``?`` and its own text with blanks collapsed, and equals no resolved
    form.

    The form drops fonts, ``\text``, sizes, spacing, math delimiters and a final period. A name
    (``x = 5``) and a unit (``5 cm``, ``\$5``) are part of the form; `complete_forms` drops them
    where the gold has none. A decimal of 7 or more significant digits has its digits as its form,
    because it may be rounded. Answers that have two readings, or a value of another kind, are
    unresolved: percentages, ``1/2x``, ``f(2x)``, ``AB``, inequalities. ``(1,2)`` has one form, as a
    point and as an open interval; ``1,234`` is 1234, ``1, 234`` is the list of 1 and 234.

    Args:
        answers: a list of str (or None), or any Arrow string array, read in place.
        return_resolved: also return whether each answer is resolved.

    Returns:
        The forms: a list for a list (None for None), else a ``large_string`` pyarrow array. With
        ``return_resolved`` a pair: the forms, and a list of bool or a boolean pyarrow array.

    Raises:
        InvalidInputError: answers that are not strings.

    Example:
        >>> normalize_answers(["0.50", r"\frac12", "x = 1/2", r"\sqrt{8}", "50%"])
        ['1/2', '1/2', 'x=1/2', '2*2^(1/2)', '?50%']
    """
    parts, resolved = _core.normalize_answers(to_string_column(answers, "answers"))
    forms = string_array(parts)
    arrow = is_arrow(answers)
    result = forms if arrow else forms.to_pylist()
    if not return_resolved:
        return result
    if not arrow:
        return result, [bool(flag) for flag in resolved]
    import pyarrow as pa

    return result, pa.array(resolved.astype(bool))


def compare_canonical(golds: Any, answers: Any) -> list[CanonicalComparison]:
    """Compare pairs of canonical forms, as far as the forms prove a result.

    ``equal``: the forms are the same, or differ only in a name or unit that one of them lacks.
    ``different``: the values are exact and differ at any magnitude, or two elements of them do.
    ``unknown``: anything else; a slower verifier decides.

    Args:
        golds: forms from :func:`normalize_answers`: a list of str (or None, which gives
            ``unknown``) or an Arrow string array.
        answers: the forms to compare with, as many as ``golds``.

    Returns:
        One of ``equal``, ``different``, ``unknown`` for each pair.

    Raises:
        InvalidInputError: different lengths, or values that are not strings.

    Example:
        >>> compare_canonical(["1/2", "1/2", "1/3"], ["1/2", "2", "?about a third"])
        ['equal', 'different', 'unknown']
    """
    codes = _core.compare_canonical(
        to_string_column(golds, "golds"), to_string_column(answers, "answers")
    )
    return [_COMPARISONS[code] for code in codes]


def complete_forms(forms: Any, golds: Any) -> Any:
    """The form that stands for all forms that differ in dressing only, given the gold.

    A name or unit that the gold lacks is dropped, and one that only the gold has is added; a list
    that meets no tuple is sorted. A form and its completion have one verdict against this gold.

    Args:
        forms: forms from :func:`normalize_answers`: a list of str (or None) or an Arrow string
            array.
        golds: the form of the gold of each, or None, which changes nothing.

    Returns:
        A list for a list, else a ``large_string`` pyarrow array.

    Raises:
        InvalidInputError: different lengths, or values that are not strings.

    Example:
        >>> complete_forms(normalize_answers(["x = 5", "5 cm", "5"]), ["5", "5", "x=5"])
        ['5', '5', 'x=5']
    """
    completed = string_array(
        _core.complete_forms(to_string_column(forms, "forms"), to_string_column(golds, "golds"))
    )
    return completed if is_arrow(forms) else completed.to_pylist()

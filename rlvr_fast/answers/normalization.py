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
    "normalize_answers",
]

# The name beside a verdict that canonical forms decided.
CANONICAL_GRADER = f"rlvr_fast {__version__} canonical"
# The first character of an unresolved form; no resolved form begins with it.
UNRESOLVED = "?"

CanonicalComparison = Literal["equal", "different", "unknown"]
# The compiled core numbers the comparisons in this order.
_COMPARISONS: tuple[CanonicalComparison, ...] = get_args(CanonicalComparison)


def normalize_answers(answers: Any, *, return_resolved: bool = False) -> Any:
    r"""Give each answer its canonical form.

    The canonical form of an answer is a text such that two answers with equal forms have equal
    values. Resolved are sums of rational multiples of radicals, powers of pi, i and symbols
    (``\frac{\sqrt{2}}{2}`` = ``1/\sqrt2``), tuples, intervals, sets, matrices, words and choices.
    An answer whose exact value cannot be determined in 128-bit rationals is unresolved: its form is
    ``?`` and its own text with blanks collapsed, and equals no resolved form.

    The form drops fonts, ``\text``, sizes, spacing, math delimiters, a final period, ``x =``, and,
    as rule graders do, currency signs, degrees and units: a form holds the number without its unit.
    An answer with two readings is unresolved: percentages (50% is 50 in some golds and .5 in
    others), ``2^10``, ``1/2x``, ``f(2x)``. ``(1,2)`` has one form, as a point and as an open
    interval; ``1,234`` is 1234, ``1, 234`` is the set of 1 and 234, and ``(1,234)`` is a pair.

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
        ['1/2', '1/2', '1/2', '2*2^(1/2)', '?50%']
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

    ``equal``: the forms are the same. ``different``: both values are exact and differ by more than
    2e-6 absolutely and 1e-9 relatively, or two elements of the values do; no verifier's rounding
    makes such values equal (math-verify compares floats to six decimals). ``unknown``: anything
    else; a slower verifier decides.

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

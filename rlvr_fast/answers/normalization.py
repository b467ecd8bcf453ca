"""The canonical form of answers, and what two canonical forms say about their values."""

from __future__ import annotations

from typing import Any, Literal

from rlvr_fast import _core
from rlvr_fast.answers._arrow import is_arrow, string_array, to_string_column

__all__ = ["UNRESOLVED", "Comparison", "compare_canonical", "normalize_answers"]

UNRESOLVED = "?"
"""The first character of an unresolved form; no resolved form begins with it."""

Comparison = Literal["equal", "different", "unknown"]
_COMPARISONS: tuple[Comparison, ...] = ("equal", "different", "unknown")


def normalize_answers(answers: Any, *, return_resolved: bool = False) -> Any:
    r"""Give each answer its canonical form: equal forms mean equal values.

    Exact are sums of rational multiples of radicals, powers of pi, i and symbols
    (``\frac{\sqrt{2}}{2}`` = ``1/\sqrt2``), tuples, intervals, sets, matrices, words and choices.
    An answer whose value can't be told exactly, or in 128-bit rationals, is unresolved: its form is
    its own text behind a ``?`` with blanks collapsed, equal to no resolved form.

    Dropped as dressing are fonts, ``\text``, sizes, spacing, math delimiters, a final period,
    ``x =``, and, as rule graders do, currency signs, degrees and units: a form says the number, but
    not its unit. What two readings leave open stays unresolved: percentages (50% is 50 in some
    golds and .5 in others), ``2^10``, ``1/2x``, ``f(2x)``. ``(1,2)`` has one form
    whether it is a point or an open interval; ``1,234`` is 1234, ``1, 234`` is the set of 1 and
    234, and ``(1,234)`` a pair.

    Args:
        answers: a list of str (or None), or any Arrow string array, read in place.
        return_resolved: also return whether each answer is resolved.

    Returns:
        The forms, a list for a list (None for None), else a ``large_string`` pyarrow array; with
        ``return_resolved`` the pair of these and a list of bool or a boolean pyarrow array.

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


def compare_canonical(golds: Any, answers: Any) -> list[Comparison]:
    """Decide pairs of canonical forms where that can be done soundly.

    ``equal``: the forms are the same. ``different``: both values are exact and differ by more than
    2e-6 absolutely and 1e-9 relatively, so that no verifier's rounding calls them equal
    (math-verify compares floats to six decimals), or their structures hold such a difference.
    ``unknown``: anything else, for a slower verifier to decide.

    Args:
        golds, answers: forms from :func:`normalize_answers`, one of each for a pair: lists of str
            (or None, which gives ``unknown``) or Arrow string arrays.

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

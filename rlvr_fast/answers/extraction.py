"""Extraction of the final answer of a completion."""

from __future__ import annotations

from typing import Any

from rlvr_fast import _core
from rlvr_fast.answers.arrow import is_arrow, string_array, to_string_column
from rlvr_fast.vocabulary import STATUSES, Policy

__all__ = ["MAX_ANSWER_BYTES", "extract_answers"]

MAX_ANSWER_BYTES = 64 << 10


def extract_answers(
    texts: Any, *, policy: Policy = "auto", max_bytes: int = MAX_ANSWER_BYTES
) -> tuple[Any, Any]:
    r"""Extract the final answer of each completion.

    A policy takes the *last* mark of its kind, and never falls back to an earlier mark:

    * ``answer_tag``: the last ``<answer>...</answer>``, in any case; of a sentence around a box
      the box;
    * ``boxed``: the last ``\boxed{...}``, ``\fbox{...}`` or ``\framebox{...}``, braces balanced, or
      ``\boxed 12``; several boxes of one statement are joined by commas; a box that is only talked
      about (``\boxed{}``, ``\boxed{...}``) hides no other;
    * ``after_think``: the text after the thoughts;
    * ``final_line``: what the last statement of the answer states ("Answer: 12", "the answer is
      12", "#### 12", a heading "Final Answer"), without the reasons behind it;
    * ``last_number``: the last number in the text, sign and fraction included;
    * ``code_block``: the last program between fences, rather than output, commands or summaries;
    * ``auto``: the answer tag, else the box, else the text after the thoughts (arXiv 2507.14843,
      App. B.3). An unfinished or malformed tag or box decides too; later kinds are not tried. A
      line "Answer: D" below the box outranks it.

    Under every policy thoughts (``<think>...</think>`` and the like) hold no answer, and a text
    ends where another problem or turn follows an answer ("Question:", "User:", ``<|im_end|>``).

    The statuses are ``found``; ``unfinished``: the mark (tag, box or fence) or the thoughts are not
    closed; ``missing``: there is no mark; ``malformed``: the answer is empty, only talked about, or
    longer than ``max_bytes``.

    Args:
        texts: a list of str (or None), or any Arrow string array, chunked or not, read in place.
            Null is ``missing``. Bytes that are not UTF-8 come out as U+FFFD.
        policy: one of the names above.
        max_bytes: the greatest length of an answer, in bytes.

    Returns:
        ``(answers, statuses)``, one of each for each text: lists for a list, a ``large_string`` and
        a ``string`` pyarrow array for Arrow. An answer is None (null) unless its status is
        ``found``.

    Raises:
        InvalidInputError: an unknown policy, or texts that are not strings.

    Example:
        >>> extract_answers([r"so \boxed{\frac{1}{2}}.", "cut off in \\boxed{1"])
        (['\\frac{1}{2}', None], ['found', 'unfinished'])
    """
    column = to_string_column(texts, "texts")
    parts, codes = _core.extract_answers(column, policy, max_bytes)
    answers = string_array(parts)
    if not is_arrow(texts):
        return answers.to_pylist(), [STATUSES[code] for code in codes]
    import pyarrow as pa

    names = pa.array(STATUSES, pa.string())
    return answers, pa.DictionaryArray.from_arrays(pa.array(codes), names).cast(pa.string())

"""Completions of imported runs that are programs by themselves, without a fence."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store import Run
from rlvr_fast.store.readers.code_text import BARE_CODE

__all__ = ["fence_code", "has_bare_code"]


def has_bare_code(run: Run) -> bool:
    """Whether a run was imported from a layout whose completions are programs without a fence."""
    return (run.read_json("import.json") or {}).get("reader") in BARE_CODE


# A fence, and all up to the end of the last thoughts.
_FENCE = r"```|(?m:^\s*~~~)"
_THOUGHTS = r"(?is)^.*</think(?:ing)?>[ \t]*\r?\n?"


def fence_code(texts: Any) -> Any:
    r"""Texts without a fence, inside one; other texts, and blank ones, as they are.

    Thoughts before the program are left out.

    Args:
        texts: an Arrow column of texts.

    Example:
        >>> import pyarrow as pa
        >>> fence_code(pa.chunked_array([["x = 1", "```python\ny = 2\n```"]])).to_pylist()
        ['```python\nx = 1\n```', '```python\ny = 2\n```']
    """
    texts = texts.cast(pa.large_string())
    bare = pc.and_not(
        pc.match_substring_regex(texts, r"\S"), pc.match_substring_regex(texts, _FENCE)
    )
    before, after, between = (
        pa.scalar(text, pa.large_string()) for text in ("```python\n", "\n```", "")
    )
    programs = pc.replace_substring_regex(texts, _THOUGHTS, "")
    return pc.if_else(bare, pc.binary_join_element_wise(before, programs, after, between), texts)

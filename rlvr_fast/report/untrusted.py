"""Untrusted text, made safe to show.

Everything that comes from a model or a data set is untrusted text. It reaches the page through
jinja2's autoescape or as JSON that the script shows with `textContent`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup

from rlvr_fast.report.table import finite

__all__ = ["script_json", "visible"]

_HIDDEN = [*(i for i in range(32) if i not in (9, 10)), *range(127, 160), 0x2028, 0x2029]
_HIDDEN += [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_VISIBLE = {code: f"⟨U+{code:04X}⟩" for code in _HIDDEN}


def visible(text: str | None, limit: int | None = None) -> str:
    """Text whose control and direction-changing characters can be seen, cut to `limit`."""
    if text is None:
        return "none"
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text.translate(_VISIBLE)


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no character of it can end the element."""
    text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return Markup(re.sub(r"[<>&]", lambda m: f"\\u{ord(m[0]):04x}", text))

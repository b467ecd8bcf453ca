"""The contents list of the page, from the sections that are on it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup

__all__ = ["contents"]

# Tags of our own templates; other people's text is escaped and holds none.
_SECTION = re.compile(r'<section\b[^>]*\bid="([\w-]+)"[^>]*>.*?<h2\b[^>]*>(.*?)</h2>', re.DOTALL)


def contents(parts: Iterable[str]) -> list[tuple[str, str]]:
    """(id, title) of every section in the order of the page.

    Args:
        parts: HTML of the templates, in the order of the page. A section without an id or a
            heading is left out.
    """
    return [
        (name, str(Markup(title).striptags()))
        for part in parts
        for name, title in _SECTION.findall(str(part))
    ]

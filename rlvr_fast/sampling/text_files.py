"""Text files of the user that become parts of prompts."""

from __future__ import annotations

from pathlib import Path

from rlvr_fast.safe_files import read_linked

__all__ = ["read_text"]

_MOST_BYTES = 1 << 20


def read_text(file: Path) -> tuple[str, bytes]:
    """The text of a file in UTF-8, as editors of any system write it; and its bytes.

    A byte order mark at the beginning is no part of the text, and lines end in a line feed alone.

    Raises:
        OSError: no such file.
        ValueError: more than 1 MiB, or not UTF-8.
    """
    data = read_linked(file, at_most=_MOST_BYTES, pipes=True)
    return data.decode("utf-8-sig").replace("\r\n", "\n"), data

"""The names of parts, and their order."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["PART", "part_number", "part_order"]

PART = re.compile(r"part-[0-9]{6,}\.parquet")


def part_order(part: Path) -> tuple[int, str]:
    """What parts are sorted by: names with more zeros than needed have the number of another."""
    return part_number(part), part.name


def part_number(part: Path) -> int:
    """The number in the name of a part."""
    return int(part.stem.partition("-")[2])

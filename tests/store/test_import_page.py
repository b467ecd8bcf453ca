"""docs/import.md names every layout and every role as the code has them."""

from __future__ import annotations

from pathlib import Path

from rlvr_fast.store.readers import load_readers
from rlvr_fast.store.readers.reader import ROLES

PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text("utf-8")


def rows(heading: str) -> list[tuple[str, str]]:
    """The rows of the first table under a heading."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(name.strip("`"), text) for name, text in cells if name != "`--format`"]


def test_the_page_lists_every_layout_in_the_order_of_detection() -> None:
    listed = [(reader.name, reader.help.replace("|", "/")) for reader in load_readers()]
    assert rows("Names of the layouts") == listed
    assert len({name for name, _ in listed}) == len(listed)


def test_the_page_lists_every_role() -> None:
    assert rows("Fields") == list(ROLES.items())

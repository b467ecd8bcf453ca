"""Do two report folders say the same? For reports that two checkouts write of the same runs.

    git worktree add ../before COMMIT
    (cd ../before && python -m rlvr_fast compare BASE RL --out OLD_FOLDER)
    python -m rlvr_fast compare BASE RL --out NEW_FOLDER
    python bench/same_report.py OLD_FOLDER NEW_FOLDER [--allow PATTERN]...

Compared are every file of tables/ (CSV, also packed, JSON, LaTeX) and summary.json, to the last
digit; the text
of index.html, with the texts that a reader or a screen reader meets in attributes; the data of the
page's script; and the names of the figures. The order of keys in JSON and white space in text do
not count. Each difference is one line; a line in which the regular expression PATTERN is found is
shown as allowed. The exit code is 1 where a difference is left over.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

# Attributes that are read out or shown on hover.
SPOKEN = ("aria-label", "aria-valuetext", "placeholder", "title")
# Elements that do not part the word they stand in.
INLINE = {"a", "abbr", "b", "bdi", "code", "em", "i", "span", "sup"}


class PageText(HTMLParser):
    """The words of a page: text, spoken attributes, and the script's data apart."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.spoken: list[str] = []
        self.data = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "style"):
            self._inside = "data" if named.get("id") == "data" else "nothing"
        self.text += "" if tag in INLINE else " "
        for name in SPOKEN:
            if named.get(name):
                self.spoken.append(" ".join(named[name].split()))

    def handle_endtag(self, tag: str) -> None:
        self.text += "" if tag in INLINE else " "
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data
        elif not self._inside:
            self.text += data


def read_page(path: Path) -> PageText:
    page = PageText()
    page.feed(path.read_text("utf-8"))
    page.close()
    return page


def differences(old: Path, new: Path) -> list[str]:
    """One line for each difference between the report folders `old` and `new`."""
    return [
        *_names(old, new, "tables"),
        *_names(old, new, "figures"),
        *(line for name in _shared(old, new, "tables") for line in _files(old, new, name)),
        *_files(old, new, "summary.json"),
        *_pages(old / "index.html", new / "index.html"),
    ]


def _names(old: Path, new: Path, folder: str) -> list[str]:
    before, after = ({p.name for p in (root / folder).glob("*")} for root in (old, new))
    return [f"{folder}/{name}: missing in {new}" for name in sorted(before - after)] + [
        f"{folder}/{name}: missing in {old}" for name in sorted(after - before)
    ]


def _shared(old: Path, new: Path, folder: str) -> list[str]:
    before, after = ({p.name for p in (root / folder).glob("*")} for root in (old, new))
    return [f"{folder}/{name}" for name in sorted(before & after)]


def _text(file: Path) -> str:
    raw = file.read_bytes()
    return (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8")


def _files(old: Path, new: Path, name: str) -> list[str]:
    before, after = (_text(root / name) for root in (old, new))
    if before == after:
        return []
    if name.endswith(".json"):
        return list(_values(json.loads(before), json.loads(after), name))
    if name.endswith((".csv", ".csv.gz")):
        return list(_values(*(list(csv.reader(t.splitlines(True))) for t in (before, after)), name))
    return list(_values(before.splitlines(), after.splitlines(), name))


def _values(old: Any, new: Any, where: str) -> Iterator[str]:
    """The differences of two values of JSON; 1 and 1.0 differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if key not in new or key not in old:
                yield f"{where}: {key}: only in the {'old' if key in old else 'new'} report"
            else:
                yield from _values(old[key], new[key], f"{where}: {key}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where}: {len(old)} entries, then {len(new)}"
        for i, (left, right) in enumerate(zip(old, new, strict=False)):
            yield from _values(left, right, f"{where}: {i}")
    elif type(old) is not type(new) or old != new:
        yield f"{where}: {old!r} -> {new!r}"


def _pages(old: Path, new: Path) -> list[str]:
    before, after = read_page(old), read_page(new)
    found = _sequences(before.text.split(), after.text.split(), "index.html: text", " ")
    found += _sequences(before.spoken, after.spoken, "index.html: attributes", " | ")
    return found + sorted(
        _values(json.loads(before.data), json.loads(after.data), "index.html: data")
    )


def _sequences(old: list[str], new: list[str], where: str, between: str) -> list[str]:
    if old == new:
        return []
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    start = min(len(old), len(new)) if start is None else start
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    return [
        f"{where}: {between.join(left[a:b])!r} -> {between.join(right[c:d])!r}"
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every difference; 1 where one is not allowed."""
    parser = argparse.ArgumentParser(description="Do two report folders say the same?")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allow", action="append", default=[], metavar="PATTERN")
    options = parser.parse_args(arguments)
    refused = 0
    for line in differences(options.old, options.new):
        allowed = any(re.search(pattern, line) for pattern in options.allow)
        refused += not allowed
        print(f"allowed: {line}" if allowed else line)
    print(f"{options.old} and {options.new}: {refused or 'no'} differences")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

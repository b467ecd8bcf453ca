"""What the pages README.md and docs/*.md print: blocks of code, commands, words in code."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "Command", "blocks", "commands", "spans"]

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
_SPAN = re.compile(r"(`+)(.+?)\1", re.S)
_VARIABLE = re.compile(r"\w+=")
_KEYWORDS = ("do", "then", "else")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: the file, from the root of the checkout.
        line: number of its first line in the file, from 1.
        language: what stands behind the fence; empty for commands of a shell.
        text: its lines.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A printed command of `rlvr-fast`.

    Attributes:
        place: page and line.
        words: its words, without `rlvr-fast`.
    """

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place} {' '.join(self.words)}"


def blocks(page: str, language: str | None = None) -> list[Block]:
    """The fenced blocks of a page, of one language where it is given ("" for a shell's)."""
    text = (ROOT / page).read_text("utf-8")
    found = [
        Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if language in (None, block.language)]


def spans(page: str) -> list[str]:
    """The code inside of the lines of a page, each with single spaces."""
    text = _FENCE.sub("", (ROOT / page).read_text("utf-8"))
    return [" ".join(code.split()) for _, code in _SPAN.findall(text)]


def commands(page: str, *, inline: bool = True) -> list[Command]:
    """The commands of `rlvr-fast` in the blocks of a page, and inside of its lines."""
    found = []
    for block in blocks(page, ""):
        line = block.line
        for text in _logical_lines(block.text):
            found += [Command(f"{page}:{line}", words) for words in _read(text)]
            line += text.count("\n") + 1
    if inline:
        printed = [code for code in spans(page) if code.startswith("rlvr-fast ")]
        found += [Command(page, words) for code in printed for words in _read(code)]
    return found


def _logical_lines(text: str) -> list[str]:
    return re.split(r"(?<!\\)\n", text.removesuffix("\n"))


def _read(line: str) -> list[tuple[str, ...]]:
    """The commands of `rlvr-fast` in a line of a shell, without what stands in front of them."""
    reader = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=";|&")
    reader.whitespace_split = True
    if "rlvr-fast" not in line:  # no shell: an output, JSON
        return []
    simple: list[list[str]] = [[]]
    for word in reader:
        if set(word) <= set(";|&"):
            simple.append([])
        elif simple[-1] or not (word in _KEYWORDS or _VARIABLE.match(word)):
            simple[-1].append(word)
    return [tuple(words[1:]) for words in simple if words and words[0] == "rlvr-fast"]

"""Questions that stand inside longer texts: inside prompts, or inside the prompts of a task."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

__all__ = ["QuestionTexts"]

# What a question inside a longer text stands after, and what it ends with, unless at a line's end.
_OPENS = re.compile(r"[.:?!>*`\uff1a\u3002]$")
_CLOSES = re.compile(r"[.?!:`$)}\]>\u3002\uff1f]$")
# A shorter question could stand in a longer one by chance.
_FEWEST_WORDS, _FEWEST_LETTERS = 4, 16
_ANCHOR_WORDS = 6


class _Words:
    """A text as words; `starts` says before which of them a question may begin."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        line_starts = set()
        for line in unicodedata.normalize("NFC", text).splitlines():
            line_starts.add(len(self.words))
            self.words += line.split()
        line_starts.add(len(self.words))
        self.line_starts = line_starts

    def starts(self) -> Iterator[int]:
        for at in range(len(self.words)):
            if at in self.line_starts or _OPENS.search(self.words[at - 1]):
                yield at

    def ends(self, at: int) -> bool:
        """Whether a question may end before the word `at`."""
        return at in self.line_starts or _CLOSES.search(self.words[at - 1]) is not None


class QuestionTexts:
    """The questions of tasks, found in longer texts, or by shorter ones.

    A question stands whole in the longer text, from the beginning of a sentence or line to the end
    of one. Each direction is looked up by the first words of the shorter text.
    """

    def __init__(self, questions: Sequence[str], keys: Sequence[str]) -> None:
        """Takes the questions and, of each, its `question_key`."""
        self._keys = [key.split(" ") for key in keys]
        self._words = [_Words(question) for question in questions]
        self._first: dict[tuple[str, ...], list[int]] = {}
        for place, key in enumerate(self._keys):
            if _is_long(key):
                self._first.setdefault(tuple(key[:_ANCHOR_WORDS]), []).append(place)
        self._within: dict[tuple[str, ...], list[tuple[int, int]]] | None = None

    def inside(self, question: str, key: str) -> int | None:
        """The task's problem whose question the text holds, or else whose question holds the text.

        Of several questions in a text (examples before the problem) the last one is meant; a text
        inside the questions of several problems is nobody's.
        """
        whole = _Words(question)
        best: tuple[int, int, int] | None = None
        sizes = sorted({len(anchor) for anchor in self._first})
        for at in whole.starts():
            for size in sizes:
                for place in self._first.get(tuple(whole.words[at : at + size]), ()):
                    own = self._keys[place]
                    if _stands_at(own, whole, at):
                        best = max(best or (0, 0, 0), (at + len(own), len(own), -place))
        if best is not None:
            return -best[2]
        part = key.split(" ")
        if not _is_long(part):
            return None
        if self._within is None:
            self._within = {}
            for place, words in enumerate(self._words):
                for at in words.starts():
                    anchor = tuple(words.words[at : at + _FEWEST_WORDS])
                    self._within.setdefault(anchor, []).append((place, at))
        found = {
            place
            for place, at in self._within.get(tuple(part[:_FEWEST_WORDS]), ())
            if _stands_at(part, self._words[place], at)
        }
        return found.pop() if len(found) == 1 else None

    def holds(self, question: str, key: str, place: int) -> bool:
        """Whether one of the text and the question of a problem stands inside the other."""
        own, part = self._keys[place], key.split(" ")
        whole, other = _Words(question), self._words[place]
        return any(_stands_at(own, whole, at) for at in whole.starts()) or any(
            _stands_at(part, other, at) for at in other.starts()
        )


def _is_long(words: Sequence[str]) -> bool:
    return len(words) >= _FEWEST_WORDS and sum(map(len, words)) >= _FEWEST_LETTERS


def _stands_at(part: Sequence[str], whole: _Words, at: int) -> bool:
    end = at + len(part)
    return whole.words[at:end] == part and end <= len(whole.words) and whole.ends(end)

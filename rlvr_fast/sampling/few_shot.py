"""Examples before the question: read from a file, and put into a prompt."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.safe_files import at_home
from rlvr_fast.sampling.text_files import read_text

__all__ = ["Examples", "read_examples"]

_PAIRS = (".json", ".jsonl", ".ndjson")
_FORM = 'objects {"question": TEXT, "answer": TEXT}'


@dataclass(frozen=True, slots=True)
class Examples:
    """What stands before the question; one of the two is empty.

    Attributes:
        name: the name of the file.
        sha256: of its contents.
        pairs: questions and answers.
        text: a text.
    """

    name: str
    sha256: str
    pairs: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def before(self, template: str) -> str:
        """The examples as the beginning of a text, in the form of a template.

        Args:
            template: holds {question}. The answer of an example stands where the completion of a
                prompt begins: behind a blank, unless the template ends in white space.
        """
        if self.text:
            return self.text.rstrip() + "\n\n"
        gap = "" if template[-1:].isspace() else "\n" if template == "{question}" else " "
        return "".join(
            f"{template.replace('{question}', question)}{gap}{answer}\n\n"
            for question, answer in self.pairs
        )


def read_examples(file: str | Path) -> Examples:
    """The examples of a file.

    Args:
        file: .json (a list) or .jsonl (one a line) of objects with `question` and `answer`; any
            other file is a text.

    Raises:
        InvalidInputError: no such file, one of more than 1 MiB, or of another form; the message
            names the entry.
    """
    path = Path(at_home(str(file)))
    try:
        text, data = read_text(path)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"expected a readable file of examples, got {str(file)!r} ({error})"
        ) from None
    if not text.strip():
        raise InvalidInputError(f"{path}: holds no examples")
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() not in _PAIRS:
        return Examples(path.name, digest, text=text)
    return Examples(path.name, digest, pairs=tuple(_pairs(path, text)))


def _pairs(path: Path, text: str) -> list[tuple[str, str]]:
    found = []
    for where, entry in _entries(path, text):
        if not isinstance(entry, dict) or set(entry) != {"question", "answer"}:
            raise InvalidInputError(f"{where}: expected {_FORM}, got {shown(entry)}")
        pair = entry["question"], entry["answer"]
        if not all(isinstance(each, str) and each.strip() for each in pair):
            raise InvalidInputError(f"{where}: expected two texts, got {shown(entry)}")
        found.append(pair)
    if not found:
        raise InvalidInputError(f"{path}: holds no examples, expected {_FORM}")
    return found


def _entries(path: Path, text: str) -> list[tuple[str, Any]]:
    if path.suffix.lower() == ".json":
        entries = _json(text, str(path))
        if not isinstance(entries, list):
            raise InvalidInputError(f"{path}: expected a list of {_FORM}, got {shown(entries)}")
        return [(f"{path}, entry {number}", each) for number, each in enumerate(entries, 1)]
    lines = [(f"{path}, line {n}", line) for n, line in enumerate(text.split("\n"), 1)]
    return [(where, _json(line, where)) for where, line in lines if line.strip()]


def _json(text: str, where: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where}: not JSON ({error})") from None
    return value

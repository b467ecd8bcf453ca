"""What to say of a file whose layout no reader knows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.naming import (
    FITS,
    holds_completion,
    is_chat,
    is_list,
    names_of,
    text_of,
)
from rlvr_fast.store.readers.reader import MISSING, Reader, Sample, value_at

__all__ = ["describe_unknown", "guessed_fields"]

_MOST_KEYS = 30
# Roles whose values are texts too.
_NO_TEXTS = ("finish_reason", "problem_id", "model", "task", "system", "question")


def describe_unknown(sample: Sample, readers: Sequence[Reader]) -> str:
    """What was found in a file that no reader matches, and what to try.

    Args:
        sample: its first rows.
        readers: the known readers.

    Returns:
        Sentences for an error: the keys found, the nearest formats, the `--field` line to try.
    """
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    if not rows:
        what = type(sample.rows[0]).__name__ if sample.rows else "nothing"
        return (
            f"{sample.file.name}: expected rows that are objects with named fields, got {what}. "
            "Write one JSON object a line, with the question and the completion as fields."
        )
    paths = list(_paths(rows))
    shown = ", ".join(paths[:_MOST_KEYS]) + (", ..." if len(paths) > _MOST_KEYS else "")
    sentences = [f"{sample.file.name}: no known format of rollouts. Keys found: {shown}."]
    near = _nearest(paths, readers)
    if near:
        sentences.append(f"Nearest formats: {'; '.join(near)}.")
    guess = guessed_fields(sample)
    if "completion" in guess:
        line = " ".join(f"--field {role}={path}" for role, path in guess.items())
        sentences.append(f"To name the fields yourself, try: {line}")
    else:
        sentences.append(
            "No field holds the text of a completion; name it if there is one: "
            "--field question=... --field completion=..."
        )
    return " ".join(sentences)


def _paths(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Keys, and the keys of objects and of the first object of a list, in order of appearance."""
    seen: dict[str, None] = {}
    for row in rows:
        for path in _paths_of(row, "", 2):
            seen.setdefault(path)
    yield from seen


def _paths_of(value: Any, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping) and depth >= 0:
        for key, inner in list(value.items())[:_MOST_KEYS]:
            yield from _paths_of(inner, f"{path}.{key}" if path else str(key), depth - 1)
    elif is_list(value) and value and isinstance(value[0], Mapping | list) and not is_chat(value):
        yield from _paths_of(value[0], f"{path}[0]", depth - 1)
    elif path:
        yield path


def _nearest(paths: Sequence[str], readers: Sequence[Reader]) -> list[str]:
    """The two formats whose fields overlap most with the paths, with what they lack."""
    heads = {path.split(".")[0].split("[")[0] for path in paths}
    scored = []
    for reader in readers:
        wanted = {
            role: (names,) if isinstance(names, str) else tuple(names)
            for role, names in reader.fields.items()
        }
        if not wanted or reader.name == "plain":
            continue
        found = {r for r, names in wanted.items() if any(_head(name) in heads for name in names)}
        if len(found) > 1:
            lacking = [names[0] for role, names in wanted.items() if role not in found]
            score = len(found) / math.sqrt(len(wanted))
            text = reader.name + (f" (but no {', '.join(lacking[:4])})" if lacking else "")
            scored.append((-score, text))
    return [text for _, text in sorted(scored)[:2]]


def _head(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def guessed_fields(sample: Sample) -> dict[str, str]:
    """Role to path, guessed by the values: the longest text is the completion.

    The question is a text that is the same in several rows, or the longest of the others; the
    gold a short value; the id a short value that differs.
    """
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    columns = {}
    for path in _paths(rows):
        values = [v for row in rows if (v := value_at(row, path)) is not MISSING and v is not None]
        if values:
            columns[path] = values
    length = {
        path: sum(len(text_of(v)) for v in values) / len(values)
        for path, values in columns.items()
        if all(map(holds_completion, values)) and any(len(text_of(v)) > 0 for v in values)
    }
    guess: dict[str, str] = {}
    named = _named(columns, "question", guess)
    if named is not None:
        guess["question"] = named
    texts = [path for path in length if path not in guess.values() and not _means_other(path)]
    if texts:
        guess = {"completion": max(texts, key=length.__getitem__), **guess}
    if "question" not in guess:
        others = [
            path
            for path in length
            if path not in guess.values() and all(map(FITS["question"], columns[path]))
        ]
        if others:
            guess["question"] = max(others, key=length.__getitem__)
    for role in ("gold", "problem_id", "verdict", "reward", "finish_reason"):
        found = _named(columns, role, guess)
        if found is not None:
            guess[role] = found
    if "verdict" not in guess:
        truths = [
            path
            for path, values in columns.items()
            if path not in guess.values() and all(isinstance(v, bool) for v in values)
        ]
        if len(truths) == 1:
            guess["verdict"] = truths[0]
    order = ("question", "completion", "gold", "problem_id", "verdict", "reward", "finish_reason")
    return {role: guess[role] for role in order if role in guess}


def _means_other(path: str) -> bool:
    """Whether the usual name of another role ends a path."""
    last = path.rpartition(".")[2].lower()
    if {"reference", "gold", "golden", "gt", "truth", "expected"} & set(last.split("_")):
        return True
    return any(last in names_of(role) for role in _NO_TEXTS)


def _named(columns: Mapping[str, list[Any]], role: str, taken: Mapping[str, str]) -> str | None:
    """A path whose last part, or a word of it, is a usual name of the role."""
    names = names_of(role)
    for name in names:
        for path, values in columns.items():
            last = path.rpartition(".")[2].lower()
            if path not in taken.values() and last == name and all(map(FITS[role], values)):
                return path
    for path, values in columns.items():
        words = path.rpartition(".")[2].lower().replace("-", "_").split("_")
        if path not in taken.values() and all(map(FITS[role], values)) and set(words) & set(names):
            return path
    return None

"""What stands beside a file of rollouts: the folders of its path, and small files of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.store.readers.reader import SourceFile

__all__ = [
    "MAX_SETTINGS_BYTES",
    "number_in",
    "path_parts",
    "read_settings",
    "sampling_of",
    "text_list",
]

# Files of settings and results are read whole; a larger one is passed over.
MAX_SETTINGS_BYTES = 64 << 20

_SAMPLING_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "max_tokens": "max_tokens",
    "max_new_tokens": "max_tokens",
    "max_gen_toks": "max_tokens",
    "tokens_to_generate": "max_tokens",
    "stop": "stop",
    "until": "stop",
    "stop_seqs": "stop",
    "stop_tokens": "stop",
}
_TEXT_LITERAL = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(,|\Z)""", re.S)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


def path_parts(file: SourceFile) -> list[str]:
    """The names of the folders above a file and its own name; [] for rows in memory."""
    if file.path is None:
        return []
    parts = list(file.path.absolute().parts)
    return parts + [part for part in re.split(r"[/\\]", file.member) if part]


def read_settings(path: Path, limit: int = MAX_SETTINGS_BYTES) -> dict[str, Any]:
    """The JSON object in a small file; {} where there is none, or where it is not readable."""
    try:
        if not path.is_file() or path.stat().st_size > limit:
            return {}
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def sampling_of(*settings: Any) -> dict[str, Any]:
    """Sampling parameters under our names, of mappings or of texts "a=1,b=2"; the first wins.

    A value that is null, or no number (no text or list of texts for `stop`), is left out.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        if isinstance(setting, str):
            pairs = (part.partition("=") for part in setting.split(","))
            setting = {name.strip(): number_in(value) for name, _, value in pairs}
        if not isinstance(setting, Mapping):
            continue
        for theirs, ours in _SAMPLING_NAMES.items():
            value = setting.get(theirs)
            if ours == "stop":
                value = [value] if isinstance(value, str) else value
                good = isinstance(value, list) and len(value) > 0
                good = good and all(isinstance(text, str) for text in value)
            else:
                good = isinstance(value, int | float) and not isinstance(value, bool)
            if good and ours not in found:
                found[ours] = value
    return found


def number_in(text: Any) -> Any:
    """The number that a text spells, else the value itself."""
    if not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text


def text_list(value: Any) -> list[str] | None:
    """A list of texts, also where it was written as Python prints one: "['a', 'b']".

    None where the value is anything else.
    """
    if isinstance(value, list):
        return value if all(isinstance(text, str) for text in value) else None
    if not isinstance(value, str) or not re.fullmatch(r"\[.*\]", value.strip(), re.S):
        return None
    inner, found, at = value.strip()[1:-1], [], 0
    while inner[at:].strip():
        match = _TEXT_LITERAL.match(inner, at)
        if match is None:
            return None
        found.append(_ESCAPE.sub(_unescape, match[1] if match[1] is not None else match[2]))
        at = match.end()
    return found


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        point = int(code[1:], 16)
        return chr(point) if point <= 0x10FFFF else match[0]
    return _ESCAPES.get(code, code if code in "\\'\"" else match[0])

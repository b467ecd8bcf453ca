"""What readers of harnesses share: folders of a path, files of settings, values as texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.safe_files import read_linked
from rlvr_fast.store.readers.common import sampling_of
from rlvr_fast.store.readers.reader import SourceFile

__all__ = [
    "MAX_SETTINGS_BYTES",
    "first_gold",
    "number_in",
    "path_parts",
    "read_settings",
    "settings_of",
    "text_list",
]

# Files of settings and results are read whole; a larger one is passed over.
MAX_SETTINGS_BYTES = 64 << 20

# Names of sampling parameters that harnesses have for themselves.
_OWN_NAMES = {
    "max_gen_toks": "max_tokens",
    "tokens_to_generate": "max_tokens",
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
        value = json.loads(read_linked(path, at_most=limit))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def settings_of(*settings: Any) -> dict[str, Any]:
    """Sampling parameters under our names, of mappings or of texts "a=1,b=2"; the first wins."""
    found = []
    for setting in settings:
        if isinstance(setting, str):
            pairs = (part.partition("=") for part in setting.split(","))
            setting = {name.strip(): number_in(value) for name, _, value in pairs}
        if isinstance(setting, Mapping):
            named = {_OWN_NAMES.get(str(name), name): value for name, value in setting.items()}
            found.append({name: value for name, value in named.items() if value not in ([], "")})
    return sampling_of(*found)


def first_gold(golds: Any) -> tuple[Any, dict[str, Any]]:
    """(the gold, metadata) of golds of which any one makes an answer correct.

    A list of golds elsewhere says that an answer has several parts, all of them needed.
    """
    if not isinstance(golds, list) or not golds:
        return (None if golds == [] else golds), {}
    return golds[0], {"alternative_golds": golds[1:]} if len(golds) > 1 else {}


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

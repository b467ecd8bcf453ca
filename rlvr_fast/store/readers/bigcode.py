"""bigcode-evaluation-harness: `generations_TASK.json`, lists of texts without any id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.safe_files import read_linked
from rlvr_fast.store.readers.code_text import BARE_CODE_NOTE
from rlvr_fast.store.readers.reader import About, Reader, Sample

__all__ = ["READER"]

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\[\s*(?:\"|\])")
_MAX_BYTES = 1 << 30
_MAX_SETTINGS = 16 << 20


def _claims(path: Path) -> bool:
    """Whether the file begins as a list of lists of texts."""
    try:
        with path.open("rb") as file:
            return _START.match(file.read(4096)) is not None
    except OSError:
        return False


def _opens(path: Path) -> Iterator[tuple[str, Any]]:
    if path.stat().st_size > _MAX_BYTES:
        raise InvalidInputError(f"{path}: a list of lists of texts above {_MAX_BYTES} bytes")
    try:
        generations = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not JSON ({error})") from None
    for position, texts in enumerate(generations):
        where = f"{path}, element {position + 1}"
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise InvalidInputError(f"{where}: expected a list of texts, the draws of a problem")
        yield where, {"position": position, "generations": texts}


def _matches(sample: Sample) -> bool:
    return sample.keys == {"position", "generations"}


def _about(sample: Sample) -> About:
    about = About(
        notes=[
            BARE_CODE_NOTE,
            "the file has neither ids nor questions: a problem is known by its position, from 0, "
            "in the data set; --problems code:humaneval gives the questions of HumanEval",
        ]
    )
    path = sample.file.path
    settings = _settings(path.parent / "evaluation_results.json") if path else {}
    model = settings.get("model")
    about.model = model if isinstance(model, str) else None
    about.sampling = {
        name: settings[key]
        for name, key in (
            ("temperature", "temperature"),
            ("top_p", "top_p"),
            ("top_k", "top_k"),
            ("seed", "seed"),
        )
        if isinstance(settings.get(key), int | float)
    }
    return about


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(read_linked(path, at_most=_MAX_SETTINGS))
    except (OSError, ValueError, RecursionError):
        return {}
    config = value.get("config") if isinstance(value, dict) else None
    return config if isinstance(config, dict) else {}


READER = Reader(
    name="bigcode",
    help="bigcode-evaluation-harness: generations_TASK.json, a list of lists of texts",
    matches=_matches,
    fields={"problem_id": "position", "completion": "generations"},
    about=_about,
    opens=_opens,
    claims=_claims,
)

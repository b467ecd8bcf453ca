"""What readers share: small files beside a source, sampling parameters, chats cut into two."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.safe_files import read_linked
from rlvr_fast.store.readers.reader import MISSING, About, Sample, SourceFile, value_at

__all__ = [
    "GOLD_KEYS",
    "SAMPLING_NAMES",
    "beside",
    "correctness_keys",
    "first_key",
    "gold_of",
    "number",
    "plain_list",
    "sampling_of",
    "split_chat",
    "tell_policy",
]

# Names under which data sets keep the gold answer, the usual ones first.
GOLD_KEYS = ("answer", "ground_truth", "expected_answer", "gold_answer", "gold", "target", "label")

# A neighbour of a source is a short description of a run; a larger file is something else.
_MOST_BYTES = 4 << 20

# Our name of a sampling parameter to the names that tools give it.
SAMPLING_NAMES = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "min_p": ("min_p",),
    "presence_penalty": ("presence_penalty",),
    "frequency_penalty": ("frequency_penalty",),
    "repetition_penalty": ("repetition_penalty", "repeat_penalty"),
    "min_tokens": ("min_tokens", "min_new_tokens"),
    "stop_token_ids": ("stop_token_ids",),
    "max_tokens": (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_new_tokens",
        "response_length",
    ),
    "seed": ("seed",),
    "stop": ("stop", "stop_sequences"),
}
# The types of parameters that are no numbers; "stop" stands for one text, too.
_KINDS = {"stop": int | float | str | list, "stop_token_ids": list}


def beside(file: SourceFile, *names: str) -> Mapping[str, Any]:
    """The JSON object in the first readable file of these names beside a source; else empty.

    Args:
        file: the source; one inside an archive or in memory has no neighbours.
        names: relative to the folder of the source, such as "metadata.json" or "../meta.json".
            A file of JSON lines gives its first line.
    """
    if file.path is None or file.member:
        return {}
    for name in names:
        path = file.path.parent / name
        try:
            state = path.stat()
        except (OSError, ValueError):
            continue
        if state.st_size <= _MOST_BYTES:
            found = _json_object(path, state.st_mtime_ns, state.st_size)
            if found:
                return found
    return {}


@functools.lru_cache(maxsize=64)
def _json_object(path: Path, changed: int, size: int) -> Mapping[str, Any]:
    # Time of change and size are part of the cache's key only.
    try:
        text = read_linked(path, at_most=_MOST_BYTES).decode("utf-8-sig", errors="replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = json.loads(text.strip().split("\n", 1)[0])
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def sampling_of(*sources: Any) -> dict[str, Any]:
    """The sampling parameters that mappings hold, under our names; the first mapping wins."""
    found: dict[str, Any] = {}
    for source in sources:
        if not isinstance(source, Mapping):
            continue
        for name, keys in SAMPLING_NAMES.items():
            value = first_key(source, *keys)
            kinds = _KINDS.get(name, int | float)
            if isinstance(value, kinds) and not isinstance(value, bool):
                found.setdefault(name, value)
        if isinstance(source.get("extra_body"), Mapping):
            for name, value in sampling_of({**source["extra_body"], "extra_body": None}).items():
                found.setdefault(name, value)
    return found


def first_key(row: Any, *keys: str) -> Any:
    """The first value of these keys that is neither null nor an empty text; else None."""
    if not isinstance(row, Mapping):
        return None
    return next((row[k] for k in keys if k in row and row[k] is not None and row[k] != ""), None)


def gold_of(*places: Any) -> Any:
    """The gold answer under one of its usual names in the first mapping that has one."""
    return next((g for g in (first_key(p, *GOLD_KEYS) for p in places) if g is not None), None)


def number(value: Any) -> float | None:
    """A finite number (a truth value counts as one), or the sum of a list of them; else None."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        parts = [number(part) for part in value]
        known = [part for part in parts if part is not None]
        return sum(known) if known and len(known) == len(parts) else None
    if isinstance(value, int | float):
        try:
            result = float(value)
        except OverflowError:
            return None
        return result if abs(result) < float("inf") else None
    return None


def plain_list(value: Any) -> list[Any] | None:
    """A list, tuple, array or tensor as a list; None for anything else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, list | tuple) else None


def split_chat(messages: Any) -> tuple[list[Any], list[Any]]:
    """A chat as the messages before the first answer, and the answer's messages.

    What follows the last message of the assistant (an environment's remark) is left out.
    """
    chat = [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    answers = [i for i, m in enumerate(chat) if m.get("role") in ("assistant", "model", "gpt")]
    if not answers:
        return chat, []
    return chat[: answers[0]], chat[answers[0] : answers[-1] + 1]


def correctness_keys(keys: Sequence[str]) -> list[str]:
    """The names among these that speak of correctness: `accuracy_reward`, `is_correct`, `acc`."""
    return [key for key in keys if re.search(r"accura|correct|(?:^|_)acc(?:$|_)", key.lower())]


def tell_policy(about: About, sample: Sample, path: str, word: str = "step") -> None:
    """Says which policy of a training run drew the rows: the model's revision.

    Args:
        about: gets the revision, or a note where the first rows are of several policies.
        sample: the first rows.
        path: where a row holds the step or version.
        word: "step" or "version".
    """
    values = {str(value_at(row, path)) for row in sample.rows} - {str(MISSING), "None"}
    if len(values) == 1:
        about.revision = f"{word} {values.pop()}"
    elif values:
        about.notes.append(
            f"the rows are of several {word}s, and training changes the policy with each: import "
            f"one {word} as one run"
        )

"""Logs of inspect-ai: `.eval` archives and `.json` logs.

Source: UKGovernmentBEIS/inspect_ai, src/inspect_ai/log/_log.py (`EvalLog`, `EvalSample`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.store.readers.archives import archive_members, read_member
from rlvr_fast.store.readers.harness_values import MAX_SETTINGS_BYTES, first_gold, settings_of
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER", "content_texts"]

_HEADERS = ("header.json", "_journal/start.json")
# One member a sample, or a folder a sample whose sample.json lacks the long texts. An id such as
# HumanEval/0 has a slash.
_SAMPLE = re.compile(r"samples/.+_epoch_\d+(\.json|/sample\.json)", re.S)
_TEXTS = re.compile(r"(samples/.+_epoch_\d+)/attachments/\d+\.json", re.S)
_ATTACHMENT = re.compile(r"attachment://([0-9a-f]+)")


def _claims(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return False
        members = archive_members(path)
    except (OSError, RlvrError):
        return False
    return any(name in members for name in _HEADERS) and any(
        name.startswith(("samples/", "_journal/")) for name in members
    )


def _opens(path: Path) -> Iterator[tuple[str, Any]]:
    members = archive_members(path)
    folders: dict[str, list[str]] = {}
    for name in members:
        if match := _TEXTS.fullmatch(name):
            folders.setdefault(match[1], []).append(name)
    number = 0
    for name in members:
        if not _SAMPLE.fullmatch(name):
            continue
        number += 1
        try:
            row = _member(path, name)
            if isinstance(row, dict) and name.endswith("/sample.json"):
                chunks = folders.get(name.removesuffix("/sample.json"), [])
                row["attachments"] = dict(_numbered_texts(path, chunks))
        except InvalidInputError as error:
            # One damaged member leaves the others readable: the draw is left out and counted.
            row = {"error": str(error)}
        yield f"{path}, sample {number}", row


def _numbered_texts(path: Path, chunks: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The texts of a sample that is stored in chunks, by number; a chunk's name is its first."""
    for chunk in chunks:
        texts = _member(path, chunk)
        start = int(chunk.rsplit("/", 1)[1].removesuffix(".json"))
        for number, text in enumerate(texts if isinstance(texts, list) else (), start):
            yield str(number), text


def _member(path: Path, name: str) -> Any:
    try:
        return json.loads(read_member(path, name))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: {name}: expected JSON ({error})") from None


def _matches(sample: Sample) -> bool:
    if sample.has("eval.task", "samples") and sample.has("eval.model"):
        return True
    return sample.has("epoch", "output.choices", "target", "input") and "messages" in (
        sample.keys | {"messages" if sample.has("message_refs") else ""}
    )


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Of the logs of a task and its retries, the last: it has the samples of those before."""
    last: dict[Any, tuple[str, SourceFile]] = {}
    for file in files:
        spec = _archive_header(file.path).get("eval")
        task = spec.get("task_id") if isinstance(spec, Mapping) else None
        key = task if isinstance(task, str) and task else id(file)
        created = str(spec.get("created")) if isinstance(spec, Mapping) else ""
        if key not in last or created >= last[key][0]:
            last[key] = (created, file)
    kept = {id(file) for _, file in last.values()}
    return [file for file in files if id(file) in kept]


def _header(sample: Sample) -> Mapping[str, Any]:
    row = sample.rows[0] if sample.rows else None
    if isinstance(row, Mapping) and "eval" in row:
        return row
    return _archive_header(sample.file.path)


def _archive_header(path: Path | None) -> Mapping[str, Any]:
    if path is None or not _claims(path):
        return {}
    try:
        names = [name for name in _HEADERS if name in archive_members(path)]
        value = json.loads(read_member(path, names[0], MAX_SETTINGS_BYTES)) if names else {}
    except (OSError, ValueError, RecursionError, RlvrError):
        return {}
    return value if isinstance(value, dict) else {}


def _about(sample: Sample) -> About:
    header = _header(sample)
    spec = header.get("eval")
    spec = spec if isinstance(spec, Mapping) else {}
    plan = header.get("plan")
    config = plan.get("config") if isinstance(plan, Mapping) else None
    model = spec.get("model")
    task = spec.get("task")
    about = About(
        model=model if isinstance(model, str) else None,
        sampling=settings_of(spec.get("model_generate_config"), config),
    )
    if isinstance(task, str) and task:
        about.roles["task"] = task
    if header.get("status") not in (None, "success"):
        about.notes.append(
            f"{sample.file.name}: the log has the status {header['status']!r}, expected 'success': "
            "samples may be missing"
        )
    scorers = [name for name, _ in _scores(_first_sample(sample))]
    if len(scorers) > 1:
        about.notes.append(
            f"verdicts are those of the scorer {scorers[0]!r}; the log also has "
            f"{', '.join(map(repr, scorers[1:]))} (of an .eval file: "
            f"--verdict scores.{scorers[1]}.value)"
        )
    return about


def _first_sample(sample: Sample) -> Any:
    row = sample.rows[0] if sample.rows else None
    if isinstance(row, Mapping) and isinstance(row.get("samples"), list) and row["samples"]:
        return row["samples"][0]
    return row


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    if isinstance(row, Mapping) and "eval" in row and "samples" in row:
        samples = row["samples"]
        for sample in samples if isinstance(samples, list) else ():
            yield from _rows(sample, file)
        return
    if not isinstance(row, Mapping):
        yield {"completion": None, "error": "the sample is no JSON object"}
        return
    row = _with_attachments(row)
    gold, metadata = first_gold(row.get("target"))
    rollout: dict[str, Any] = {
        "problem_id": row.get("id"),
        "question": _question(row),
        "gold": gold,
        "completion": None,
    }
    epoch = row.get("epoch")
    if isinstance(epoch, int) and not isinstance(epoch, bool) and epoch >= 1:
        rollout["sample_index"] = epoch - 1
    system = _system(row)
    if system:
        rollout["system"] = system
    if row.get("error"):
        rollout["error"] = _message(row["error"])
    output = row.get("output")
    output = output if isinstance(output, Mapping) else {}
    if output.get("error"):
        rollout.setdefault("error", _message(output["error"]))
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, Mapping):
        message = choice.get("message")
        message = message if isinstance(message, Mapping) else {}
        text, reasoning = content_texts(message.get("content"))
        rollout["completion"] = text
        if reasoning:
            rollout["reasoning"] = reasoning
        rollout["finish_reason"] = choice.get("stop_reason")
        logprobs = choice.get("logprobs")
        content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
        if isinstance(content, list) and content:
            rollout["logprobs"] = [
                token.get("logprob") if isinstance(token, Mapping) else None for token in content
            ]
    elif isinstance(output.get("completion"), str) and output["completion"]:
        rollout["completion"] = output["completion"]
    for _, value in _scores(row)[:1]:
        # A number between 0 and 1 is partial credit and needs a threshold.
        if isinstance(value, bool | str) or value in (0, 1):
            rollout["verdict"] = value
        elif isinstance(value, int | float):
            rollout["reward"] = value
    if isinstance(row.get("metadata"), Mapping):
        metadata = {**row["metadata"], **metadata}
    if metadata:
        rollout["metadata"] = metadata
    yield rollout


def _scores(row: Any) -> list[tuple[str, Any]]:
    """The name and value of each scorer, in the order of the log."""
    scores = row.get("scores") if isinstance(row, Mapping) else None
    if not isinstance(scores, Mapping):
        # Logs of 2024 have one unnamed score.
        scores = {"score": row["score"]} if isinstance(row, Mapping) and "score" in row else {}
    found = []
    for name, score in scores.items():
        value = score.get("value") if isinstance(score, Mapping) else None
        if isinstance(value, Mapping) and len(value) == 1:
            value = next(iter(value.values()))
        found.append((str(name), value))
    return found


def _question(row: Mapping[str, Any]) -> Any:
    given = row.get("input")
    if row.get("choices") and isinstance(given, str):
        # The options stand in the message that the solver made of the input.
        for message in _messages(row):
            if message.get("role") == "user":
                return content_texts(message.get("content"))[0]
    if isinstance(given, list):
        return [
            {"role": m.get("role"), "content": content_texts(m.get("content"))[0]}
            for m in given
            if isinstance(m, Mapping)
        ]
    return given


def _system(row: Mapping[str, Any]) -> str | None:
    if isinstance(row.get("input"), list):
        return None
    for message in _messages(row):
        if message.get("role") == "system":
            text = content_texts(message.get("content"))[0]
            return text if isinstance(text, str) else None
    return None


def _messages(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages = row.get("messages")
    return [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []


def content_texts(content: Any) -> tuple[Any, str | None]:
    """The text and the reasoning of a message's content."""
    if not isinstance(content, list):
        return content, None
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    thoughts = []
    for part in parts:
        if part.get("type") == "reasoning":
            # The reasoning of a redacted part is encrypted; its summary is all that is readable.
            thought = part.get("summary") if part.get("redacted") else part.get("reasoning")
            thoughts.append(thought if isinstance(thought, str) else "")
    return "\n".join(texts), "\n".join(filter(None, thoughts)) or None


def _message(error: Any) -> str:
    text = error.get("message") if isinstance(error, Mapping) else error
    return text if isinstance(text, str) and text else "the sample has an error"


def _with_attachments(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with the texts that it keeps aside put back where they belong."""
    kept = row.get("attachments")
    if not isinstance(kept, Mapping) or not kept:
        return row

    def put_back(value: Any) -> Any:
        if isinstance(value, str):
            if "attachment://" not in value:
                return value
            # A reference inside an attachment is text, not a reference.
            return _ATTACHMENT.sub(lambda m: _text_of(kept.get(m[1]), m[0]), value)
        if isinstance(value, list):
            return [put_back(item) for item in value]
        if isinstance(value, Mapping):
            return {key: put_back(item) for key, item in value.items()}
        return value

    names = ("input", "messages", "output", "target", "choices", "metadata")
    return {**row, **{name: put_back(row[name]) for name in names if name in row}}


def _text_of(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


READER = Reader(
    name="inspect",
    help="inspect-ai logs: logs/*.eval or *.json of `inspect eval`",
    matches=_matches,
    rows=_rows,
    about=_about,
    choose=_choose,
    opens=_opens,
    claims=_claims,
    takes_pieces=True,
)

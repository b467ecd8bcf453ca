"""Predictions of OpenCompass: `predictions/{model}/{dataset}.json`, and `.jsonl` while it runs.

Source: open-compass/opencompass, opencompass/openicl/icl_inferencer/icl_base_inferencer.py,
opencompass/openicl/icl_evaluator/icl_base_evaluator.py and opencompass/tasks/openicl_eval.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.harness_values import path_parts, read_settings
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_ROLES = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}
_CORRECT = ("correct", "is_correct", "cascade_correct")


def _matches(sample: Sample) -> bool:
    if sample.has("origin_prompt", "prediction"):
        return True
    row = sample.rows[0] if len(sample.rows) == 1 else None
    return isinstance(row, Mapping) and any(
        isinstance(entry, Mapping) and {"origin_prompt", "prediction"} <= entry.keys()
        for key, entry in list(row.items())[:3]
        if str(key).isdigit()
    )


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    if not isinstance(row, Mapping):
        return
    if "origin_prompt" in row:
        yield from _entry(row, None)
        return
    entries = [entry for key, entry in row.items() if str(key).isdigit()]
    verdicts = _verdicts(file, entries)
    for entry, verdict in zip(entries, verdicts, strict=True):
        yield from _entry(entry, verdict)


def _entry(entry: Any, verdict: Any) -> Iterable[Rollout]:
    if not isinstance(entry, Mapping) or "prediction" not in entry:
        yield {"completion": None, "error": "no prediction"}
        return
    prompt = entry.get("origin_prompt")
    rollout: dict[str, Any] = {"question": _question(prompt), "gold": entry.get("gold")}
    rollout_of_server = entry.get("rollout")
    if isinstance(rollout_of_server, Mapping):
        rollout["finish_reason"] = rollout_of_server.get("finish_reason")
    if verdict is not None:
        rollout["verdict"] = verdict
    prediction = entry["prediction"]
    if not isinstance(prediction, list):
        yield {**rollout, "completion": prediction}
    elif isinstance(prompt, list) and not all(isinstance(turn, Mapping) for turn in prompt):
        yield {**rollout, "completion": None, "error": "a dialogue of several rounds"}
    else:
        for text in prediction:
            yield {**rollout, "completion": text}


def _question(prompt: Any) -> Any:
    if not isinstance(prompt, list):
        return prompt
    return [
        {"role": _ROLES.get(str(turn.get("role")), "user"), "content": turn.get("prompt")}
        for turn in prompt
        if isinstance(turn, Mapping)
    ]


def _verdicts(file: SourceFile, entries: Sequence[Any]) -> list[Any]:
    """The verdict of each entry, of results/ beside predictions/; null where it is not known."""
    nothing = [None] * len(entries)
    if file.path is None or file.member or file.path.parent.parent.name != "predictions":
        return nothing
    root = file.path.parent.parent.parent
    details = read_settings(root / "results" / file.path.parent.name / file.path.name)
    found = details.get("details")
    if isinstance(found, Mapping):
        rows = [found.get(str(number)) for number in range(len(entries))]
        return [_correct(row) for row in rows]
    if not isinstance(found, list) or not found:
        return nothing
    # n replicas of the data set follow each other in the predictions; the details have one entry
    # a problem, with a list of n in it.
    replicas, rest = divmod(len(entries), len(found))
    if rest:
        return nothing
    lists = [_correct(row) for row in found]
    if any(not isinstance(values, list) or len(values) != replicas for values in lists):
        return [None if isinstance(v, list) else v for v in lists] if replicas == 1 else nothing
    return [values[replica] for replica in range(replicas) for values in lists]


def _correct(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return None
    return next((row[name] for name in _CORRECT if row.get(name) is not None), None)


def _about(sample: Sample) -> About:
    about = About()
    parts = path_parts(sample.file)
    if len(parts) > 2 and parts[-3] == "predictions":
        about.model = parts[-2]
        about.roles["task"] = re.sub(r"(_\d+)?\.jsonl?(\..*)?$", "", parts[-1])
    return about


READER = Reader(
    name="opencompass",
    help="OpenCompass: WORK_DIR/DATE/predictions/MODEL/DATASET.json",
    matches=_matches,
    rows=_rows,
    about=_about,
)

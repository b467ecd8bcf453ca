"""Results of SkyThought: `results.json`, one object with an entry a problem.

Source: NovaSky-AI/SkyThought, skythought/evals/inference_and_check.py and util/results.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rlvr_fast.store.readers.common import beside, gold_of, sampling_of
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_MORE_GOLDS = ("Answer", "answerKey", "solution")


def _matches(sample: Sample) -> bool:
    row = sample.rows[0] if len(sample.rows) == 1 else None
    return isinstance(row, Mapping) and any(
        isinstance(entry, Mapping)
        and "responses" in entry
        and bool({"input_conversation", "token_usages"} & entry.keys())
        for entry in list(row.values())[:3]
    )


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    for key, entry in row.items() if isinstance(row, Mapping) else ():
        if not isinstance(entry, Mapping):
            yield {"completion": None, "error": "an entry that is no object"}
            continue
        gold = gold_of(entry)
        rollout = {
            "problem_id": key,
            "question": entry.get("input_conversation") or entry.get("prompt"),
            "gold": next((entry[n] for n in _MORE_GOLDS if entry.get(n)), None)
            if gold is None
            else gold,
        }
        draws = list(_draws(entry.get("responses")))
        if not draws:
            yield {**rollout, "completion": None, "error": "no response was kept"}
        for draw in draws:
            found = {**rollout, "completion": draw.get("content")}
            if draw.get("correctness") is not None:
                found["verdict"] = draw["correctness"]
            yield found


def _draws(responses: Any) -> Iterable[Mapping[str, Any]]:
    """The responses; results of early 2025 have an object of them, by temperature."""
    if isinstance(responses, Mapping):
        if "content" in responses:
            yield responses
        else:
            for inner in responses.values():
                yield from _draws(inner)
    elif isinstance(responses, list):
        yield from (draw for draw in responses if isinstance(draw, Mapping))


def _about(sample: Sample) -> About:
    settings = beside(sample.file, "summary.json").get("configuration")
    settings = settings if isinstance(settings, Mapping) else {}
    about = About(sampling=sampling_of(settings.get("sampling_params")))
    for name in ("model", "task"):
        part = settings.get(name)
        value = part.get("name") if isinstance(part, Mapping) else None
        if isinstance(value, str) and value:
            if name == "model":
                about.model = value
            else:
                about.roles["task"] = value
    return about


READER = Reader(
    name="skythought",
    help="SkyThought: results.json of `skythought evaluate` and `skythought generate`",
    matches=_matches,
    rows=_rows,
    about=_about,
)

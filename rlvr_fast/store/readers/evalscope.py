"""Output of EvalScope: `reviews/{model}/{benchmark}_{subset}.jsonl`, or the same in `predictions/`.

Source: modelscope/evalscope, evalscope/api/evaluator/cache.py and evalscope/api/metric/scorer.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.common import split_chat
from rlvr_fast.store.readers.harness_values import path_parts
from rlvr_fast.store.readers.inspect_log import content_texts
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return sample.has("index", "sample_score.score.value") or sample.has(
        "index", "model_output.choices", "messages"
    )


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    if not isinstance(row, Mapping):
        return
    scored = row["sample_score"] if isinstance(row.get("sample_score"), Mapping) else {}
    score = scored["score"] if isinstance(scored.get("score"), Mapping) else {}
    asked, answers = split_chat(row.get("messages"))
    # Repeats of a problem have numbers of their own as `index`: the question identifies it.
    rollout: dict[str, Any] = {
        "question": [_plain(message) for message in asked] or row.get("input"),
        "gold": row.get("target") or None,
        "completion": None,
    }
    output = row["model_output"] if isinstance(row.get("model_output"), Mapping) else {}
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message: Any = answers[-1] if answers else None
    if isinstance(choice, Mapping):
        message = choice.get("message")
        rollout["finish_reason"] = choice.get("stop_reason")
    if isinstance(message, Mapping):
        rollout["completion"], reasoning = content_texts(message.get("content"))
        if reasoning:
            rollout["reasoning"] = reasoning
    elif isinstance(score.get("prediction"), str):
        rollout["completion"] = score["prediction"]
    if output.get("error"):
        rollout["error"] = output["error"]
    values = score.get("value")
    if isinstance(values, Mapping) and values:
        main = score.get("main_score_name")
        value = values[main] if main in values else next(iter(values.values()))
        rollout["verdict" if value in (0, 1) else "reward"] = value
    yield rollout


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": message.get("role"), "content": content_texts(message.get("content"))[0]}


def _about(sample: Sample) -> About:
    about = About()
    parts = path_parts(sample.file)
    if len(parts) > 2 and parts[-3] in ("reviews", "predictions"):
        about.model = parts[-2]
        about.roles["task"] = re.sub(r"\.jsonl?(\..*)?$", "", parts[-1])
    return about


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Without the predictions of which there are reviews."""
    places = [(file, path_parts(file)) for file in files]
    reviewed = {(*parts[:-3], *parts[-2:]) for _, parts in places if parts[-3:-2] == ["reviews"]}
    return [
        file
        for file, parts in places
        if parts[-3:-2] != ["predictions"] or (*parts[:-3], *parts[-2:]) not in reviewed
    ]


READER = Reader(
    name="evalscope",
    help="EvalScope: OUTPUT/DATE/reviews/MODEL/BENCHMARK_SUBSET.jsonl",
    matches=_matches,
    rows=_rows,
    about=_about,
    choose=_choose,
)

"""Details of lighteval: `details_{task}_{date}.parquet`, of 2025 and of the versions before.

Source: huggingface/lighteval, src/lighteval/logging/evaluation_tracker.py and info_loggers.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.store.readers.harness_values import (
    first_gold,
    number_in,
    read_settings,
    settings_of,
    text_list,
)
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(r"details_(.+?)_(\d{4}-\d\d-\d\dT[^/]*?)\.parquet")
_NO_TEXT = "log-likelihoods of given choices: nothing was generated"


def _matches(sample: Sample) -> bool:
    return _is_new(sample) or sample.has("full_prompt", "predictions", "gold_index")


def _is_new(sample: Sample) -> bool:
    return sample.has("doc.query", "model_response.text", "metric") or (
        sample.has("doc.gold_index", "doc.choices") and "model_response" in sample.keys
    )


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    if not isinstance(row, Mapping):
        return
    if "doc" in row:
        yield from _new(row)
    else:
        yield from _old(row)


def _new(row: Mapping[str, Any]) -> Iterable[Rollout]:
    doc = row["doc"] if isinstance(row.get("doc"), Mapping) else {}
    response = row["model_response"] if isinstance(row.get("model_response"), Mapping) else {}
    texts = text_list(response.get("text")) or []
    gold, metadata = first_gold(_golds(doc.get("choices"), doc.get("gold_index")))
    rollout: dict[str, Any] = {
        "problem_id": doc.get("id"),
        "question": doc.get("original_query") or doc.get("query"),
        "gold": gold,
    }
    if metadata:
        rollout["metadata"] = metadata
    if isinstance(doc.get("task_name"), str) and doc["task_name"]:
        rollout["task"] = doc["task_name"]
    if doc.get("instruction"):
        rollout["system"] = doc["instruction"]
    if response.get("input_tokens"):
        rollout["prompt_token_ids"] = response["input_tokens"]
    if not texts:
        yield {**rollout, "completion": None, "error": _NO_TEXT}
        return
    thoughts = _beside(response.get("reasonings"), texts)
    ids = _beside(response.get("output_tokens"), texts)
    verdict = _verdict(row.get("metric")) if len(texts) == 1 else None
    for text, thought, tokens in zip(texts, thoughts, ids, strict=True):
        found = {**rollout, "completion": text}
        if thought:
            found["reasoning"] = thought
        if tokens:
            found["token_ids"] = tokens
        if verdict is not None:
            found["verdict"] = verdict
        yield found


def _old(row: Mapping[str, Any]) -> Iterable[Rollout]:
    # Versions before 0.11 wrote lists and numbers as Python prints them.
    gold, metadata = first_gold(_old_golds(row))
    rollout: dict[str, Any] = {"question": row.get("full_prompt"), "gold": gold}
    if metadata:
        rollout["metadata"] = metadata
    example = row.get("example")
    if isinstance(example, str) and example and example in str(row.get("full_prompt")):
        rollout["question"] = example
    texts = text_list(row.get("predictions")) or []
    if not texts:
        yield {**rollout, "completion": None, "error": _NO_TEXT}
        return
    metrics = row.get("metrics")
    verdict = _verdict(metrics) if len(texts) == 1 else None
    for text in texts:
        found = {**rollout, "completion": text}
        if verdict is not None:
            found["verdict"] = verdict
        yield found


def _old_golds(row: Mapping[str, Any]) -> Any:
    golds = text_list(row.get("gold"))
    if golds:
        return golds
    choices = text_list(row.get("choices"))
    index = row.get("gold_index")
    if isinstance(index, str):
        index = [number_in(part) for part in index.strip("[] ").split(",")]
    return _golds(choices, index)


def _golds(choices: Any, index: Any) -> Any:
    if not isinstance(choices, list):
        return None
    indices = index if isinstance(index, list) else [index]
    good = [i for i in indices if type(i) is int and 0 <= i < len(choices)]
    golds: list[Any] = []
    for i in good:
        golds.extend(choices[i] if isinstance(choices[i], list) else [choices[i]])
    return golds


def _beside(values: Any, texts: list[str]) -> list[Any]:
    return values if isinstance(values, list) and len(values) == len(texts) else [None] * len(texts)


def _verdict(metrics: Any) -> bool | None:
    """What all metrics of 0 and 1 say of the one text; None where they differ."""
    if isinstance(metrics, str):
        pairs = re.findall(r"""['"]([^'"]+)['"]:\s*([\d.]+|True|False)""", metrics)
        metrics = {name: {"True": 1, "False": 0}.get(v, number_in(v)) for name, v in pairs}
    if not isinstance(metrics, Mapping):
        return None
    values = [
        value[0] if isinstance(value, list) and len(value) == 1 else value
        for value in metrics.values()
    ]
    said = {bool(v) for v in values if isinstance(v, int | float) and v in (0, 1)}
    return said.pop() if len(said) == 1 else None


def _about(sample: Sample) -> About:
    about = About()
    match = _NAME.fullmatch(sample.file.file_name)
    if match and not sample.has("doc.task_name"):
        about.roles["task"] = match[1]
    if match:
        results = _results(sample.file.path, match[2])
        general = results.get("config_general")
        general = general if isinstance(general, Mapping) else {}
        config = general.get("model_config")
        config = config if isinstance(config, Mapping) else {}
        name = general.get("model_name") or config.get("model_name")
        about.model = name if isinstance(name, str) else None
        revision = config.get("revision") or general.get("model_sha")
        about.revision = revision if isinstance(revision, str) and revision else None
        about.sampling = settings_of(config.get("generation_parameters"))
    size = sample.first("doc.generation_size")
    if type(size) is int:
        about.sampling.setdefault("max_tokens", size)
    texts = text_list(sample.first("model_response.text")) or []
    if len(texts) > 1:
        about.notes.append(
            f"a metric judges the {len(texts)} samples of a problem as one: it is not taken as a "
            "verdict"
        )
    return about


def _results(path: Path | None, date: str) -> dict[str, Any]:
    """results_{date}.json: beside the details, above them, or in OUTPUT/results/MODEL."""
    if path is None:
        return {}
    name = f"results_{date}.json"
    folders = path.absolute().parents[:6]
    places = [folder / name for folder in folders[:3]]
    for folder in folders:
        if folder.name == "details":
            model = path.absolute().parent.relative_to(folder).parts[:-1]
            places.append(folder.parent.joinpath("results", *model, name))
    return next(filter(None, map(read_settings, places)), {})


READER = Reader(
    name="lighteval",
    help="lighteval: OUTPUT/details/MODEL/DATE/details_TASK_DATE.parquet of --save-details",
    matches=_matches,
    rows=_rows,
    about=_about,
)

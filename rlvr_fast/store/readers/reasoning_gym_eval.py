"""Results of Reasoning Gym's own evaluation: `results.json`, or `CATEGORY/DATASET.json`.

Source: open-thought/reasoning-gym, eval/eval.py; published in open-thought/reasoning-gym-eval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.harness_values import path_parts, read_settings, settings_of
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return any(
        isinstance(entry, Mapping)
        and {"question", "expected_answer"} <= entry.keys()
        and ("completions" in entry or "full_model_response" in entry)
        for row in sample.rows[:1]
        for dataset in _datasets(row)
        for entry in dataset["results"]
    )


def _datasets(row: Any) -> list[Mapping[str, Any]]:
    """The results of data sets in a file of one, of a category, or of all."""
    if not isinstance(row, Mapping):
        return []
    if isinstance(row.get("results"), list):
        return [row]
    found = []
    for name in ("categories", "datasets"):
        inner = row.get(name)
        for part in inner if isinstance(inner, list) else ():
            if isinstance(part, Mapping) and (name == "categories" or "results" in part):
                found.extend(_datasets(part))
    return found


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    for dataset in _datasets(row):
        name, spec = _name(dataset), _spec(dataset)
        for number, entry in enumerate(dataset["results"]):
            if not isinstance(entry, Mapping):
                yield {"completion": None, "error": "a result that is no object"}
                continue
            rollout: dict[str, Any] = {
                "problem_id": number,
                "question": entry.get("question"),
                "gold": entry.get("expected_answer"),
            }
            if name is not None:
                rollout["task"] = name
            if spec is not None:
                rollout["spec"] = spec
            if isinstance(dataset.get("system_prompt"), str):
                rollout["system"] = dataset["system_prompt"]
            if isinstance(entry.get("metadata"), Mapping):
                rollout["metadata"] = entry["metadata"]
            draws = entry.get("completions", [entry] if "full_model_response" in entry else [])
            draws = draws if isinstance(draws, list) else []
            if not draws:
                why = entry.get("error") or "no completion was kept"
                yield {**rollout, "completion": None, "error": why}
            for draw in draws:
                yield {**rollout, **_draw(draw)}


def _draw(draw: Any) -> dict[str, Any]:
    if not isinstance(draw, Mapping):
        return {"completion": None, "error": "a completion that is no object"}
    found = {"completion": draw.get("full_model_response")}
    # An error here is one of the scorer; the completion itself is whole.
    if isinstance(draw.get("score"), int | float) and not draw.get("error"):
        found["reward"] = draw["score"]
    return found


def _name(dataset: Mapping[str, Any]) -> str | None:
    names = (dataset.get(key) for key in ("name", "dataset", "dataset_name"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _spec(dataset: Mapping[str, Any]) -> str | None:
    """The task spec with which the same problems are made again; None where it has no spelling."""
    config, name = dataset.get("config"), _name(dataset)
    if not isinstance(config, Mapping) or name is None:
        return None
    nested = config.get("params")
    values = {**config, **nested} if isinstance(nested, Mapping) else dict(config)
    values.pop("params", None)
    if type(values.get("seed")) is not int:
        return None  # drawn from a seed that nobody knows
    # Every problem of the data set was asked, and an index gives the same problem at every size.
    values["size"] = len(dataset["results"])
    options = {}
    for option, value in values.items():
        if isinstance(value, list) and not any(isinstance(v, list | Mapping) for v in value):
            options[str(option)] = "[" + ",".join(_text(item) for item in value) + "]"
        elif isinstance(value, list | Mapping):
            return None
        else:
            options[str(option)] = _text(value)
    return str(TaskSpec("reasoning_gym", name, options))


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _about(sample: Sample) -> About:
    # `--format` asks for any file.
    row = sample.rows[0] if sample.rows and isinstance(sample.rows[0], Mapping) else {}
    settings = row.get("metadata") if "categories" in row else None
    if not isinstance(settings, Mapping) and sample.file.path is not None:
        # A file of one data set lies one folder below the summary.
        folders = sample.file.path.absolute().parents[:2]
        settings = next(
            (found for folder in folders if (found := read_settings(folder / "summary.json"))), {}
        )
    settings = settings if isinstance(settings, Mapping) else {}
    model = settings.get("model", row.get("model"))
    return About(model=model if isinstance(model, str) else None, sampling=settings_of(settings))


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Without the files of single data sets below a results.json, which holds them all."""
    whole = [tuple(path_parts(f)[:-1]) for f in files if f.file_name == "results.json"]
    return [
        file
        for file in files
        if file.file_name == "results.json"
        or not any(tuple(path_parts(file)[: len(folder)]) == folder for folder in whole)
    ]


READER = Reader(
    name="reasoning-gym-eval",
    help="Reasoning Gym's eval.py: results.json, or CATEGORY/DATASET.json",
    matches=_matches,
    rows=_rows,
    about=_about,
    choose=_choose,
    verdict="reward>=1",
)

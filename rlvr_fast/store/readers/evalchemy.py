"""Results of evalchemy: `results_{date}.json`, with the examples of each benchmark.

Source: mlfoundations/evalchemy, eval/chat_benchmarks/*/eval_instruct.py and eval/eval_tracker.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rlvr_fast.store.readers.lm_eval import about_results
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_QUESTIONS = ("problem", "question", "Question", "prompt", "question_content", "instruction")
_GOLDS = ("expected_answer", "answer", "gold", "final_answer", "ground_truth")
_IDS = ("id", "unique_id", "problem_id", "question_id", "task_id", "index", "idx")
_OUTPUTS = ("model_outputs", "model_output")


def _matches(sample: Sample) -> bool:
    row = sample.rows[0] if len(sample.rows) == 1 else None
    results = row.get("results") if isinstance(row, Mapping) else None
    return isinstance(results, Mapping) and any(
        isinstance(example, Mapping) and any(name in example for name in _OUTPUTS)
        for _, examples in _benchmarks(results)
        for example in examples
    )


def _benchmarks(results: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    return [
        (str(name), result["examples"])
        for name, result in results.items()
        if isinstance(result, Mapping) and isinstance(result.get("examples"), list)
    ]


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    results = row.get("results") if isinstance(row, Mapping) else None
    for task, examples in _benchmarks(results if isinstance(results, Mapping) else {}):
        for number, example in enumerate(examples):
            if not isinstance(example, Mapping):
                yield {"completion": None, "error": "an example that is no object"}
                continue
            outputs = _first(example, _OUTPUTS)
            given = _first(example, _IDS)
            rollout: dict[str, Any] = {
                "task": task,
                "problem_id": number if given is None else given,
                "question": _question(example),
                "gold": _first(example, _GOLDS),
            }
            if outputs is None:
                yield {**rollout, "completion": None, "error": "no model output was kept"}
            for text in outputs if isinstance(outputs, list) else [outputs]:
                if outputs is not None:
                    yield {**rollout, "completion": text}


def _question(example: Mapping[str, Any]) -> Any:
    question = _first(example, _QUESTIONS)
    options = example.get("multiple_choice_string")
    if isinstance(question, str) and isinstance(options, str) and options not in question:
        return f"{question}\n{options}"
    return question


def _first(example: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((example[name] for name in names if example.get(name) is not None), None)


def _about(sample: Sample) -> About:
    row = sample.rows[0] if sample.rows else None
    return about_results(row if isinstance(row, Mapping) else {})


READER = Reader(
    name="evalchemy",
    help="evalchemy: OUTPUT/MODEL/results_DATE.json",
    matches=_matches,
    rows=_rows,
    about=_about,
)

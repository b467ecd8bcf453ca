"""Samples of lm-evaluation-harness: `samples_{task}_{date}.jsonl`.

Source: EleutherAI/lm-evaluation-harness, lm_eval/evaluator.py and
lm_eval/loggers/evaluation_tracker.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.store.readers.harness_values import first_gold, read_settings, settings_of, text_list
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER", "about_results"]

_NAME = re.compile(r"samples_(.+?)_(\d{4}-\d\d-\d\dT[^/]*?)\.jsonl?(?:\..*)?")
_QUESTIONS = ("problem", "question", "Problem", "Question", "prompt", "input", "query")
_NO_TEXT = "log-likelihoods of given choices: nothing was generated"


def _matches(sample: Sample) -> bool:
    return sample.has("doc_id", "doc", "resps", "filtered_resps") and sample.has("arguments")


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    if not isinstance(row, Mapping):
        return
    prompt, settings = _request(row)
    resps = row.get("resps")
    answers = resps[0] if isinstance(resps, list) and resps else None
    gold, metadata = first_gold(_golds(row))
    rollout: dict[str, Any] = {
        "problem_id": row.get("doc_id"),
        "filter": row.get("filter"),
        "gold": gold,
    }
    doc = row.get("doc")
    question, system = _question(doc, prompt)
    rollout["question"] = question
    if system:
        rollout["system"] = system
    if question is not prompt:
        metadata["prompt"] = prompt
    if metadata:
        rollout["metadata"] = metadata
    texts = text_list(answers)
    # Log-likelihoods are requested with a continuation, generations with settings.
    if not texts or isinstance(settings, str):
        yield {**rollout, "completion": None, "error": _NO_TEXT}
        return
    # A metric judges the answer that the filter made of all repeats: of one repeat, that one.
    verdict = _verdict(row) if len(texts) == 1 else None
    for text in texts:
        found = {**rollout, "completion": text}
        if verdict is not None:
            found["verdict"] = verdict
        yield found


def _request(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """The prompt and the generation settings of the first request; None where there are none."""
    arguments = row.get("arguments")
    if isinstance(arguments, Mapping):
        first = arguments.get("gen_args_0")
        pair = [first.get("arg_0"), first.get("arg_1")] if isinstance(first, Mapping) else []
    elif isinstance(arguments, list) and arguments and isinstance(arguments[0], list):
        pair = arguments[0]
    else:
        pair = []
    prompt = pair[0] if pair else None
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]  # a chat list as JSON, in the named tuple that marks it as such
    settings = pair[1] if len(pair) > 1 else None
    return _chat(prompt), settings


def _chat(prompt: Any) -> Any:
    """A chat list where the prompt is the JSON text of one."""
    if isinstance(prompt, str) and prompt.lstrip().startswith("[{") and '"role"' in prompt:
        try:
            chat = json.loads(prompt)
        except (ValueError, RecursionError):
            return prompt
        if isinstance(chat, list):
            return chat
    return prompt


def _question(doc: Any, prompt: Any) -> tuple[Any, str | None]:
    """The question of a document where the prompt holds it, else the prompt; the system prompt.

    A few-shot prompt holds the questions of the shots too.
    """
    system = None
    asked = prompt
    if isinstance(prompt, list):
        chat = [message for message in prompt if isinstance(message, Mapping)]
        texts = [message.get("content") for message in chat if message.get("role") == "user"]
        asked = texts[-1] if texts else None
        said = chat[0].get("content") if chat and chat[0].get("role") == "system" else None
        system = said if isinstance(said, str) else None
    if isinstance(doc, Mapping) and isinstance(asked, str):
        for name in _QUESTIONS:
            text = doc.get(name)
            if isinstance(text, str) and text.strip() and text.strip() in asked:
                return text, system
    return prompt, None


def _golds(row: Mapping[str, Any]) -> Any:
    target = row.get("target")
    several = text_list(target) if isinstance(target, str) else None
    if several:
        return several
    if target not in (None, "", "None"):
        return target
    doc = row.get("doc")
    return doc.get("answer") if isinstance(doc, Mapping) else None


def _verdict(row: Mapping[str, Any]) -> Any:
    metrics = row.get("metrics")
    names = metrics if isinstance(metrics, list) else [n for n in _METRICS if n in row]
    for name in names:
        value = row.get(name) if isinstance(name, str) else None
        if isinstance(value, int | float) and value in (0, 1):
            return bool(value)
    return None


_METRICS = ("exact_match", "math_verify", "acc", "pass@1", "pass_at_1")  # files without `metrics`


def _about(sample: Sample) -> About:
    match = _NAME.fullmatch(sample.file.file_name)
    row = sample.rows[0] if sample.rows and isinstance(sample.rows[0], Mapping) else {}
    settings = _request(row)[1]
    about = about_results(_results(sample.file.path, match[2]) if match else {}, settings)
    if match:
        about.roles["task"] = match[1]
    if isinstance(settings, Mapping) and settings.get("do_sample") is False:
        about.sampling.setdefault("temperature", 0)
    resps = row.get("resps")
    if isinstance(resps, list) and resps and isinstance(resps[0], list) and len(resps[0]) > 1:
        about.notes.append(
            f"a metric judges the {len(resps[0])} repeats of a problem as one: it is not taken as "
            "a verdict"
        )
    return about


def about_results(results: Mapping[str, Any], settings: Any = None) -> About:
    """The model and its settings of a results file, which evalchemy writes too.

    Args:
        results: the object in the file.
        settings: generation settings of a request, which go before those of the file.
    """
    about = About()
    config = results.get("config")
    config = config if isinstance(config, Mapping) else {}
    arguments = config.get("model_args")
    arguments = _pairs(arguments) if isinstance(arguments, str) else arguments
    arguments = arguments if isinstance(arguments, Mapping) else {}
    names = (results.get("model_name"), arguments.get("pretrained"), arguments.get("model"))
    about.model = next((name for name in names if isinstance(name, str) and name), None)
    revision = arguments.get("revision") or config.get("model_revision")
    about.revision = revision if isinstance(revision, str) else None
    about.sampling = settings_of(settings, config.get("gen_kwargs"))
    if isinstance(results.get("system_instruction"), str) and results["system_instruction"]:
        about.roles["system"] = results["system_instruction"]
    if arguments.get("think_end_token"):
        about.notes.append(
            "think_end_token was set, with which lm-eval stores answers without their thinking"
        )
    return about


def _pairs(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _results(path: Path | None, date: str) -> dict[str, Any]:
    """The results that were written with the samples: of the same date, else the last before it."""
    if path is None:
        return {}
    try:
        # In one run the samples have the date of the results.
        beside = sorted(
            other
            for other in path.parent.glob("*.json")
            if other.stem.startswith("results_") or other.stem.endswith(date)
        )
    except OSError:
        return {}
    same = [other for other in beside if other.stem.endswith(date)]
    earlier = [other for other in beside if other.stem <= f"results_{date}"]
    for other in (same or earlier or beside)[-1:]:
        return read_settings(other)
    return {}


READER = Reader(
    name="lm-eval",
    help="lm-evaluation-harness: OUTPUT/MODEL/samples_TASK_DATE.jsonl of --log_samples",
    matches=_matches,
    rows=_rows,
    about=_about,
)

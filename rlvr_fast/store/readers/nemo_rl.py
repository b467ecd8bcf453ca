"""NeMo-RL: validation and training data of its logger, and evaluation_data.json of run_eval.

Source: nemo_rl/utils/logger.py (`log_batched_dict_as_jsonl`: one row a sample, in which every
value is a list of one), nemo_rl/algorithms/grpo.py, nemo_rl/evals/eval.py at 7ea279ab.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import (
    beside,
    number,
    plain_list,
    sampling_of,
    split_chat,
)
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

# extra_env_info is the text of a Python dict: the gold is the literal behind its name.
_GOLD = re.compile(
    r"""['"](?:ground_truth|expected_answer|answer)['"]:\s*"""
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?[\d.]+(?:e[+-]?\d+)?)""",
    re.DOTALL,
)


def _is_eval(row: Any) -> bool:
    return isinstance(row, Mapping) and {"prompt", "response", "extra_env_info"} <= row.keys()


def _is_logged(row: Any) -> bool:
    return isinstance(row, Mapping) and "rewards" in row and bool(_content(row))


def _content(row: Mapping[str, Any]) -> list[Any]:
    """The messages of the one sample, or, of training data, the texts of its messages."""
    content = row.get("content")
    while isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        content = content[0]
    return content if isinstance(content, list) else []


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _matches(sample: Sample) -> bool:
    if any(map(_is_eval, sample.rows)):
        return True
    if isinstance(sample.first("evaluation_data"), list):
        return any(map(_is_eval, sample.first("evaluation_data")))
    return any(_is_logged(row) and "idx" in row for row in sample.rows)


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if isinstance(row, Mapping) and isinstance(row.get("evaluation_data"), list):
        for part in row["evaluation_data"]:
            yield from _rows(part, file)
    elif _is_eval(row):
        info = row["extra_env_info"]
        yield {
            "question": row["prompt"],
            "completion": row["response"],
            "reward": number(row.get("reward")),
            # sample_index counts all samples of the file, not those of a problem.
            "gold": _gold(info),
        }
    elif _is_logged(row):
        yield _logged(row)


def _gold(info: Any) -> Any:
    if isinstance(info, Mapping):
        return info.get("ground_truth", info.get("expected_answer", info.get("answer")))
    found = _GOLD.search(info) if isinstance(info, str) else None
    try:
        return ast.literal_eval(found.group(1)) if found else None
    except (ValueError, SyntaxError):
        return None


def _logged(row: Mapping[str, Any]) -> Rollout:
    content = _content(row)
    question: Any
    completion: Any
    if all(isinstance(part, str) for part in content):
        # Texts without roles: the prompt, the response, then what the environment said.
        question, completion = content[0], content[1] if len(content) > 1 else None
    else:
        question, completion = split_chat(content)
    rollout = {
        "question": question,
        "completion": completion,
        "reward": number(_one(row["rewards"])),
    }
    tokens, mask = (plain_list(_one(row.get(k))) for k in ("token_ids", "token_loss_mask"))
    if tokens and mask and len(tokens) == len(mask) and any(mask):
        first = next(i for i, drawn in enumerate(mask) if drawn)
        rollout["prompt_token_ids"] = tokens[:first]
        rollout["token_ids"] = [t for t, drawn in zip(tokens, mask, strict=True) if drawn]
        logprobs = plain_list(_one(row.get("generation_logprobs")))
        if logprobs and len(logprobs) == len(mask):
            rollout["logprobs"] = [v for v, drawn in zip(logprobs, mask, strict=True) if drawn]
    return rollout


def _about(sample: Sample) -> About:
    found = About()
    if sample.file.file_name.startswith("evaluation_data"):
        config = beside(sample.file, "config.json")
        model = config.get("model_name")
        found.model = model if isinstance(model, str) else None
        found.sampling = sampling_of(config)
        # NeMo-RL writes -1 or null where top_k is off.
        if found.sampling.get("top_k") in (-1, 0):
            del found.sampling["top_k"]
    elif step := re.search(r"_step(\d+)", sample.file.file_name):
        found.revision = f"step {int(step.group(1))}"
    return found


READER = Reader(
    name="nemo-rl",
    help="NeMo-RL's val_data_stepN.jsonl, train_data_stepN.jsonl and evaluation_data.json",
    matches=_matches,
    rows=_rows,
    about=_about,
)

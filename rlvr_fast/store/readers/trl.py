"""TRL: the completions that GRPOTrainer keeps.

Source: `log` in trl/trainer/grpo_trainer.py (TRL 1.10): step, prompt, completion, one column for
each reward function, what `log_extra` added, advantage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import (
    GOLD_KEYS,
    correctness_keys,
    first_key,
    number,
    policy_note,
    steps_of,
)
from rlvr_fast.store.readers.reader import ROLES, About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_KNOWN = {"step", "prompt", "completion", "advantage", "__index_level_0__", "Unnamed: 0"}


def _matches(sample: Sample) -> bool:
    named = re.match(r"completions?_\d+\.", sample.file.file_name)
    return sample.has("step", "prompt", "completion") and (
        "advantage" in sample.keys or bool(named)
    )


def _reward_columns(row: Mapping[str, Any]) -> list[str]:
    """The columns that can be a reward function's: numbers, by a name that says so where any does.

    A reward that was not applied to a row is null or not a number.
    """
    numeric = [
        key
        for key, value in row.items()
        if key not in _KNOWN and (value is None or isinstance(value, int | float))
    ]
    return [key for key in numeric if "reward" in key.lower()] or numeric


def _verdict_column(row: Mapping[str, Any]) -> str | None:
    columns = _reward_columns(row)
    speaking = correctness_keys([k for k in row if k not in _KNOWN and not isinstance(row[k], str)])
    chosen = speaking or columns
    return chosen[0] if len(chosen) == 1 else None


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    column = _verdict_column(row)
    # The columns that name no role stay, so that the user can name one of them as the verdict.
    others = {key: value for key, value in row.items() if key not in ROLES or key == "verdict"}
    yield {
        **others,
        "question": row.get("prompt"),
        "completion": row.get("completion"),
        "reward": number(row[column]) if column else None,
        "gold": first_key(row, *GOLD_KEYS, "solution"),
    }


def _about(sample: Sample) -> About:
    found = About()
    if len(steps_of(sample)) > 1:
        found.notes.append(policy_note("TRL", "step", "this file holds several steps"))
    union = {k: v for row in sample.rows if isinstance(row, Mapping) for k, v in row.items()}
    columns = _reward_columns(union)
    if len(columns) > 1:
        column = _verdict_column(union)
        names = ", ".join(columns)
        found.notes.append(
            f"the reward functions are {names}; {column} is taken as the verdict"
            if column
            else f"the reward functions are {names}; --verdict NAME says which one is the verdict"
        )
    return found


READER = Reader(
    name="trl",
    help="TRL's GRPOConfig(log_completions=True): completions/completions_STEP.parquet",
    matches=_matches,
    rows=_rows,
    about=_about,
)

"""TRL: the completions that GRPOTrainer keeps.

Source: `log` in trl/trainer/grpo_trainer.py (TRL 1.10): step, prompt, completion, one column for
each reward function, what `log_extra` added, advantage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rlvr_fast.store.readers.common import GOLD_KEYS, correctness_keys, tell_policy
from rlvr_fast.store.readers.reader import About, Columns, Reader, Sample

__all__ = ["READER"]

# A data set's column that a reward function logs is no reward.
_KNOWN = {
    *("step", "prompt", "completion", "advantage", "__index_level_0__", "Unnamed: 0", ""),
    *GOLD_KEYS,
    "solution",
}


def _matches(sample: Sample) -> bool:
    if sample.has("step", "prompt", "completion", "advantage"):
        return True
    named = re.match(r"completions?_\d+\.", sample.file.file_name)
    return (
        bool(named) and sample.has("prompt", "completion") and bool(_reward_columns(_union(sample)))
    )


def _reward_columns(row: Mapping[str, Any]) -> list[str]:
    """The columns that can be a reward function's: numbers, by a name that says so where any does.

    A reward that was not applied to a row is null or not a number. Of CSV, numbers are texts.
    """
    numeric = [key for key, value in row.items() if key not in _KNOWN and _is_number(value)]
    return [k for k in numeric if "reward" in k.lower() or correctness_keys([k])] or numeric


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value or "nan")
        except ValueError:
            return False
        return True
    return value is None or isinstance(value, int | float)


def _verdict_column(row: Mapping[str, Any]) -> str | None:
    columns = _reward_columns(row)
    chosen = correctness_keys(columns) or columns
    return chosen[0] if len(chosen) == 1 else None


def _union(sample: Sample) -> Mapping[str, Any]:
    """One row with the columns of all first rows."""
    return {k: v for row in sample.rows if isinstance(row, Mapping) for k, v in row.items()}


def _columns(sample: Sample, given: Mapping[str, str]) -> Columns:
    fields: dict[str, str | tuple[str, ...]] = {
        "question": "prompt",
        "completion": "completion",
        "gold": (*GOLD_KEYS, "solution"),
    }
    column = _verdict_column(_union(sample))
    return fields if column is None else {**fields, "reward": column}


def _about(sample: Sample) -> About:
    found = About()
    tell_policy(found, sample, "step")
    union = _union(sample)
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
    columns=_columns,
    about=_about,
)

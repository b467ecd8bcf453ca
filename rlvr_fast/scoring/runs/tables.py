"""Scores of completions as rows of a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rlvr_fast.scoring.models.sequences import Ids
from rlvr_fast.scoring.results import SequenceScores
from rlvr_fast.store.schemas import stage_schema

__all__ = ["score_table"]

_LISTS = ("token_logprobs", "token_entropies")


def score_table(rows: pa.Table, parts: Sequence[tuple[Ids, SequenceScores]]) -> pa.Table:
    """The scores of some rows, in the order of the rows.

    Args:
        rows: problem_id and sample_index of draws.
        parts: places in `rows`, each at most once, and the scores of the draws there.
    """
    if not parts:
        return stage_schema("scores/none").empty_table()
    which = np.concatenate([places for places, _ in parts])
    order = np.argsort(which)
    keys = rows.select(["problem_id", "sample_index"]).take(pa.array(which[order]))
    columns: dict[str, Any] = {"problem_id": keys[0], "sample_index": keys[1]}
    for name, value in parts[0][1]._asdict().items():
        if value is None or name in ("perplexity", *_LISTS):
            continue
        columns[name] = pa.array(np.concatenate([getattr(s, name) for _, s in parts])[order])
    for name in _LISTS:
        if getattr(parts[0][1], name) is not None:
            lists = [values for _, scores in parts for values in getattr(scores, name)]
            columns[name] = pa.array([lists[at] for at in order], pa.list_(pa.float32()))
    return pa.table(columns)

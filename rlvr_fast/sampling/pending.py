"""Finished draws that are not stored yet, gathered by columns."""

from __future__ import annotations

import itertools
from array import array
from typing import Any

import numpy as np
import pyarrow as pa

from rlvr_fast._core import append_int32
from rlvr_fast.sampling.engine import Completion
from rlvr_fast.store import SAMPLES

__all__ = ["PendingDraws"]

# Bytes of a row beside its text and token ids, about.
_ROW_BYTES = 200


class PendingDraws:
    """Rows of samples/ in the making, with 4 bytes a token id instead of a Python integer each.

    An exception in `add`, Ctrl-C included, leaves the rows before it whole; nothing may be added
    after it.

    Attributes:
        size: number of bytes, about.
    """

    def __init__(self) -> None:
        self.size = 0
        self._problems: list[str] = []
        self._indices: list[int] = []
        self._texts: list[str] = []
        self._ids, self._lengths = bytearray(), array("i")
        self._reasons: list[str] = []
        self._logprobs: list[array[float] | None] = []
        self._seeds: list[int | None] = []  # the last column: a row that has it is whole

    def __len__(self) -> int:
        return len(self._seeds)

    def add(self, completion: Completion) -> None:
        """Adds a row."""
        problem, index, text, ids, reason, seed, logprobs = completion
        # Unknown ids are stored as those of imported rollouts: scoring encodes the text then.
        if ids is not None:
            append_int32(self._ids, ids)
        self._lengths.append(0 if ids is None else len(ids))
        self._problems.append(problem)
        self._indices.append(index)
        self._texts.append(text)
        self._reasons.append(reason)
        self._logprobs.append(None if logprobs is None else array("f", logprobs))
        self._seeds.append(seed)
        self.size += 4 * self._lengths[-1] + len(text) + _ROW_BYTES

    def table(self) -> pa.Table:
        """The rows that were added."""
        count = len(self)
        ends = array("i", itertools.accumulate(self._lengths[:count], initial=0))
        ids = pa.array(np.frombuffer(self._ids, np.int32, ends[-1]), pa.int32())
        values: dict[str, Any] = {
            "problem_id": self._problems,
            "sample_index": self._indices,
            "text": self._texts,
            "token_ids": pa.ListArray.from_arrays(pa.array(np.frombuffer(ends, np.int32)), ids),
            "finish_reason": self._reasons,
            "seed": self._seeds,
        }
        if any(each is not None for each in self._logprobs):
            values["token_logprobs"] = [
                None if each is None else np.frombuffer(each, np.float32) if each else []
                for each in self._logprobs
            ]
        return pa.table(
            {
                name: column
                if isinstance(column, pa.Array)
                else pa.array(column[:count], SAMPLES.field(name).type)
                for name, column in values.items()
            }
        )

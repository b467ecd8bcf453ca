"""Token ids and log-probabilities that came with finished completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["scores_of", "token_lists"]

_LISTS = pa.list_(pa.int32())


def token_lists(
    given: pa.Array | None, texts: pa.Array, tokenize: Callable[[str], Sequence[int]] | None
) -> pa.Array:
    """The token ids of each completion; an empty list where neither file nor tokenizer has them.

    Args:
        given: the lists of the file, null where a row has none.
        texts: the completions.
        tokenize: text to token ids, for the rows without.
    """
    if tokenize is not None:
        known = [None] * len(texts) if given is None else given.to_pylist()
        return pa.array(
            [
                list(tokenize(text)) if ids is None else ids
                for ids, text in zip(known, texts.to_pylist(), strict=True)
            ],
            _LISTS,
        )
    if given is None:
        offsets = pa.array(np.zeros(len(texts) + 1, np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], pa.int32()))
    lists = given.cast(_LISTS)
    return pc.fill_null(lists, pa.scalar([], _LISTS)) if lists.null_count else lists


def scores_of(values: pa.Array, keys: Mapping[str, pa.Array]) -> pa.Table | None:
    """The rows of a scores stage; None where no completion has log-probabilities.

    Args:
        values: the log-probability of each token of each completion, nats; null where unknown.
        keys: the columns problem_id and sample_index.
    """
    known = values.is_valid()
    if not pc.any(known).as_py():
        return None
    values = values.filter(known)
    lengths = pc.list_value_length(values).to_numpy().astype(np.int64)
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    ends = np.concatenate([[0.0], np.cumsum(flat)])
    stops = np.cumsum(lengths)
    columns: dict[str, Any] = {name: column.filter(known) for name, column in keys.items()}
    columns |= {
        "num_tokens": pa.array(lengths, pa.int32()),
        "logprob": pa.array(ends[stops] - ends[stops - lengths], pa.float64()),
        # The entropy of the distribution is not among what came along.
        "mean_entropy": pa.array(np.full(len(lengths), np.nan), pa.float64()),
        "token_logprobs": values.cast(pa.list_(pa.float32())),
    }
    return pa.table(columns)

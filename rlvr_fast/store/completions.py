"""Keys of stored completions: equal completions have equal keys, without their texts in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store.run import Run

__all__ = ["CompletionKeys", "completion_keys", "row_hashes"]

Ints = npt.NDArray[np.int64]
# A token of a text without token ids is about so many bytes.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class CompletionKeys:
    """One row for each stored draw of some problems, by problem and sample index.

    Attributes:
        problem: row of the problem.
        index: sample index.
        key: a 64-bit hash of the token ids, or of the text where there are none. It belongs to
            this process: keys are compared with each other and never stored.
        tokens: number of tokens; a quarter of the bytes of a text without token ids.
        seed: the recorded seed, -1 where there is none.
        texts: whether some keys are of texts.
    """

    problem: Ints
    index: Ints
    key: Ints
    tokens: Ints
    seed: Ints
    texts: bool = False


def completion_keys(run: Run, ids: pa.Array) -> CompletionKeys:
    """The keys of all draws of the problems `ids`, read in pieces.

    Texts are read only where completions have no token ids.
    """
    parts, hashed = [], []
    columns = ["problem_id", "sample_index", "token_ids", "seed"]
    first = run.iter_joined("samples", ["token_ids"], run.parts("samples")[:1])
    some = any(pc.any(pc.equal(pc.list_value_length(rows[0]), 0)).as_py() for rows, _ in first)
    if some:  # texts are needed, and read in the same pass
        columns.append("text")
    for _, part in run.iter_parts("samples", columns):
        found = part.column("problem_id").combine_chunks()
        code = pc.fill_null(pc.index_in(found.cast(ids.type), value_set=ids), -1).to_numpy()
        key, length = row_hashes(part.column("token_ids"), width=4)
        seed = pc.fill_null(part.column("seed"), -1).to_numpy()
        index = part.column("sample_index").to_numpy()
        if some:
            hashed.append(row_hashes(part["text"], width=1))
        parts.append([np.asarray(c, np.int64) for c in (code, index, key, length, seed)])
    joined = [np.concatenate(c) for c in zip(*parts, strict=True)] or [np.zeros(0, np.int64)] * 5
    code, index, key, length, seed = joined
    texts = bool((length == 0).any())
    if texts:
        if not some:
            pieces = run.iter_parts("samples", ["text"])
            hashed = [row_hashes(part["text"], width=1) for _, part in pieces]
        of_text, size = (np.concatenate(c) for c in zip(*hashed, strict=True))
        key = np.where(length == 0, of_text, key)
        length = np.where(length == 0, size // _BYTES_PER_TOKEN, length)
    order = np.lexsort((index, code))
    order = order[code[order] >= 0]
    return CompletionKeys(code[order], index[order], key[order], length[order], seed[order], texts)


def row_hashes(column: pa.ChunkedArray, *, width: int) -> tuple[Ints, Ints]:
    """(hash, number of elements) of each row of lists or texts; `width` bytes an element."""
    keys, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        if not len(chunk):
            continue
        values = chunk.buffers()[2] if width == 1 else chunk.values.buffers()[1]
        offset_type = np.dtype(np.int64 if width == 1 else np.int32)
        offsets = np.frombuffer(chunk.buffers()[1], offset_type)[chunk.offset :][: len(chunk) + 1]
        first = 0 if width == 1 else chunk.values.offset
        ends = ((offsets.astype(np.int64) + first) * width).tolist()
        view = memoryview(values if values is not None else b"")
        hashed = [hash(view[a:b].tobytes()) for a, b in itertools.pairwise(ends)]
        keys.append(np.array(hashed, np.int64))
        lengths.append(np.diff(offsets).astype(np.int64))
    return np.concatenate(keys), np.concatenate(lengths)

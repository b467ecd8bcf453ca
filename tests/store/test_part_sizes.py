"""How many bytes the numbers of tokens take in a part."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_run import make, samples

from rlvr_fast.store import Run
from rlvr_fast.store.files import write_parquet

PAGES = [*Path(__file__).parents[2].glob("docs/*.md"), Path(__file__).parents[2] / "README.md"]
PER_TEXT = 400


def bytes_a_token(path: Path, ids: np.ndarray, kind: pa.DataType) -> float:
    """Of ids in texts of `PER_TEXT` tokens, as a part holds them."""
    ends = np.arange(0, len(ids) // PER_TEXT * PER_TEXT + 1, PER_TEXT, dtype=np.int32)
    column = pa.ListArray.from_arrays(pa.array(ends), pa.array(ids[: ends[-1]], kind))
    write_parquet(path, pa.table({"token_ids": column}))
    assert pq.read_table(path)["token_ids"].combine_chunks().equals(column)
    found = pq.ParquetFile(path).metadata
    size = sum(
        found.row_group(at).column(0).total_compressed_size for at in range(found.num_row_groups)
    )
    return size / int(ends[-1])


@pytest.mark.parametrize("vocabulary", [49_152, 151_936, 262_144])
def test_a_token_takes_three_bytes_at_most_whatever_it_is(tmp_path, vocabulary):
    ids = np.random.default_rng(0).integers(0, vocabulary, 200_000)
    assert bytes_a_token(tmp_path / "part", ids.astype(np.int32), pa.int32()) <= 3


@pytest.mark.parametrize("vocabulary", [49_152, 151_936])
def test_words_of_real_text_take_two_bytes_at_most(tmp_path, vocabulary):
    words = re.findall(r"\w+|\W", "\n".join(page.read_text("utf-8") for page in PAGES))
    # Each word has an id of its own, anywhere in the vocabulary: no order helps.
    place = np.random.default_rng(0).permutation(vocabulary)
    number = {word: place[at] for at, word in enumerate(dict.fromkeys(words))}
    ids = np.array([number[word] for word in words], np.int32)
    assert bytes_a_token(tmp_path / "part", ids, pa.int32()) <= 2


def test_parts_of_whole_integers_stay_readable(tmp_path):
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", 0), ("t/1", 9)]))
    part = run.parts("samples")[0]
    table = pq.read_table(part)
    pq.write_table(table, part, compression="snappy")  # as earlier versions and others write
    again = Run.open(run.path)
    assert again.read("samples").equals(table)
    again.append("samples", samples([("t/2", 3)]))
    assert len(Run.open(run.path).read("samples")) == 3


def test_log_probabilities_of_less_than_float32_take_less(tmp_path):
    rng = np.random.default_rng(0)
    values = -rng.exponential(0.5, 200_000).astype(np.float16).astype(np.float32)
    assert bytes_a_token(tmp_path / "part", values, pa.float32()) <= 2.5

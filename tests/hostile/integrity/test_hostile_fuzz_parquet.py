"""Parquet files of a run with flipped bits: an error that names the file, or the same result."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import Fuzzer, flipped_byte

TRIALS = 4  # for each file and each kind of digests
CHOSEN = 5  # of the columns below, for each column of a file


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "sealed anew"])
def test_flipped_bits(fuzzer: Fuzzer, sealed: bool) -> None:
    draw = random.Random(f"bits {sealed}")
    for name in fuzzer.files():
        data = (fuzzer.whole.path / name).read_bytes()
        for number in range(TRIALS):
            text = fuzzer.trial(name, flipped_byte(draw, data), sealed=sealed)
            assert text is None, f"{name}, trial {number}: {text}"


def columns(rows: int) -> list[pa.Array]:
    """Columns of other kinds, or of values that the commands do not expect."""
    values: list[tuple] = [
        (None, pa.string()),
        (b"\xff", pa.binary()),
        (7, pa.int64()),
        ([1], pa.list_(pa.int64())),
        ({"a": 1}, None),
        (-1, pa.int64()),
        (float("nan"), pa.float64()),
        (float("inf"), pa.float64()),
        ("sums/0", pa.dictionary(pa.int32(), pa.string())),
        ("x" * 3000, pa.string()),
        ("", pa.large_string()),
        ("[1]", pa.string()),
        ('{"tolerance": [], "alternative_golds": 3, "multiple_answers": "x"}', pa.string()),
        ('{"alternative_golds": [null, 4], "domain": [], "answer_space": "x"}', pa.string()),
        ([None], pa.list_(pa.int32())),
        ([-5], pa.list_(pa.int32())),
        (None, pa.int32()),
        (2**31 - 1, pa.int32()),
        (-5, pa.int32()),
        (2**62, pa.int64()),
        (True, pa.bool_()),
    ]
    return [pa.array([value] * rows, kind) for value, kind in values]


@pytest.mark.parametrize(
    "name",
    [
        "problems.parquet",
        "grades.parquet",
        "samples/part-000001.parquet",
        "answers/part-000000.parquet",
        "scores/m/part-000001.parquet",
    ],
)
def test_columns_of_other_kinds_and_values(fuzzer: Fuzzer, name: str) -> None:
    table = pq.read_table(fuzzer.whole.path / name)
    draw = random.Random(name)
    for column in table.column_names:
        at = table.column_names.index(column)
        for values in draw.sample(columns(len(table)), CHOSEN):
            sink = pa.BufferOutputStream()
            pq.write_table(table.set_column(at, column, values), sink)
            text = fuzzer.trial(name, sink.getvalue().to_pybytes(), sealed=False)
            assert text is None, f"{column} as {values.type} {values[0]}: {text}"

"""Distinct values of columns of any type."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.columns import arrow_array, distinct_values, text_array

SCALARS = st.none() | st.sampled_from(["a", "b", "", "ab"])
# The order of keys is part of a value.
MESSAGES = st.tuples(SCALARS, SCALARS).map(lambda two: {"role": two[0], "content": two[1]})
ROWS = st.one_of(
    st.lists(SCALARS, max_size=8),
    st.lists(st.none() | st.integers(-2, 2), max_size=8),
    st.lists(st.none() | st.booleans(), max_size=8),
    st.lists(st.none() | st.lists(SCALARS, max_size=3), max_size=8),
    st.lists(st.none() | MESSAGES, max_size=8),
    st.lists(st.none() | st.lists(st.none() | MESSAGES, max_size=3), max_size=8),
)  # fmt: skip


@given(ROWS, st.integers(0, 3))
def test_codes_give_the_rows_back(rows: list[object], start: int) -> None:
    for column in (rows[start:], pa.array(rows)[start:]):
        codes, values = distinct_values(column)
        assert [None if code < 0 else values[code] for code in codes] == rows[start:]
        assert all(values.count(value) == 1 for value in values)
        firsts = [code for code in dict.fromkeys(codes.tolist()) if code >= 0]
        assert firsts == list(range(len(values)))


@pytest.mark.parametrize(
    ("column", "codes", "values"),
    [
        ([1, 1.0, True, "1", 1], [0, 1, 2, 3, 0], [1, 1.0, True, "1"]),
        ([None, MISSING, math.nan, "a"], [-1, -1, -1, 0], ["a"]),
        ([{"a": [1]}, {"a": [1]}, {"a": [2]}], [0, 0, 1], [{"a": [1]}, {"a": [2]}]),
        (pa.array(["b", "a", "b"], pa.string_view()), [0, 1, 0], ["b", "a"]),
        (
            pa.array([["a"], ["a"]], pa.list_(pa.string_view())),
            [0, 0],
            [["a"]],
        ),
        (pa.array([{"a": 1}, {"a": 2}, {"a": 1}]), [0, 1, 0], [{"a": 1}, {"a": 2}]),
        (pa.array([[("k", 1)], [("k", 1)]], pa.map_(pa.string(), pa.int8())), [0, 0], [[("k", 1)]]),
        (pa.nulls(2), [-1, -1], []),
        (pa.array([[1, 2], [1, 2]], pa.list_(pa.int8(), 2)), [0, 0], [[1, 2]]),
    ],
)
def test_columns_of_other_types(column, codes, values) -> None:
    found, distinct = distinct_values(column)
    assert (found.tolist(), distinct) == (codes, values)


def test_texts_that_are_not_utf8() -> None:
    data = pa.array([b"a\xff", None, b"b"])
    text = pa.Array.from_buffers(pa.string(), 3, data.buffers(), 1)
    assert arrow_array(text).to_pylist() == ["a\ufffd", None, "b"]
    assert distinct_values(text)[1] == ["a\ufffd", "b"]
    with pytest.raises(InvalidInputError, match="is no text"):
        distinct_values(pa.StructArray.from_arrays([text], ["content"]))


def test_lone_surrogates() -> None:
    assert text_array(["\ud800a", "\ud83d\ude00", None]).to_pylist() == [
        "\ufffda",
        "\U0001f600",
        None,
    ]

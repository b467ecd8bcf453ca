"""Ids, golds, token ids, log-probabilities, rewards and indices."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.values import (
    read_gold,
    read_golds,
    read_id,
    read_ids,
    read_indices,
    read_logprobs,
    read_rewards,
    read_token_ids,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        (7, "7"),
        (7.0, "7"),
        ("7", "7"),
        ("7.0", "7"),
        (" 7 ", "7"),
        (np.int64(7), "7"),
        (np.float64(7), "7"),
        (-7, "-7"),
        (2**70, str(2**70)),
        (str(2**70), str(2**70)),
        (0.5, "0.5"),
        ("007", "007"),
        ("1e3", "1e3"),
        ("7.05", "7.05"),
        ("HumanEval/7", "HumanEval/7"),
        (None, None),
        (MISSING, None),
        (NAN, None),
        ("", None),
        ("  ", None),
        (["a", 7.0], '["a",7]'),
        ({"split": "test", "index": np.int64(7)}, '{"split":"test","index":7}'),
        ("\ud800", "\ufffd"),
    ],
)
def test_ids(value, identifier) -> None:
    assert read_id(value) == identifier
    assert read_ids([value, "x"]).to_pylist() == [identifier, "x"]


@pytest.mark.parametrize("value", [True, b"7"])
def test_no_ids(value) -> None:
    with pytest.raises(InvalidInputError, match="row 2 of these rows: expected an id"):
        read_ids([7, value])


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (pa.array([7, None]), ["7", None]),
        (pa.array([7, 8], pa.uint64()), ["7", "8"]),
        (pa.array([7.0, None, NAN]), ["7", None, None]),
        (pa.array(["7", "7.0", "a", None]), ["7", "7", "a", None]),
        (pa.array(["7", "a"]).dictionary_encode(), ["7", "a"]),
        (pa.array([{"index": 7}]), ['{"index":7}']),
        (pa.array([], pa.string()), []),
    ],
)
def test_columns_of_ids(column, ids) -> None:
    found = read_ids(column)
    assert (found.type, found.to_pylist()) == (pa.string(), ids)


@given(st.integers(-(10**30), 10**30))
def test_an_integer_has_one_id(number: int) -> None:
    assert read_id(number) == read_id(str(number)) == read_id(f"{number}.0") == str(number)


TESTS = {"inputs": ["1\n"], "outputs": ["2\n"]}


@pytest.mark.parametrize(
    ("value", "text", "multiple"),
    [
        ("42", "42", False),
        (" 42 ", "42", False),
        (42, "42", False),
        (42.0, "42", False),
        (0.5, "0.5", False),
        (True, "True", False),
        (np.int64(42), "42", False),
        (["42"], "42", False),
        (["1", "2"], "1, 2", True),
        (np.array(["1", "2"], dtype=object), "1, 2", True),
        ([["1"], ["2", None]], "1, 2", True),
        ('["42"]', "42", False),
        ('["1", "2"]', "1, 2", True),
        ("[1, 2]", "[1, 2]", False),
        ("[0, 1)", "[0, 1)", False),
        ("{1, 2}", "{1, 2}", False),
        ({"ground_truth": "42", "style": "rule"}, "42", False),
        ({"ground_truth": ["42"]}, "42", False),
        ({"target": 42}, "42", False),
        ('{"ground_truth": "42"}', "42", False),
        ({"numbers": [1, 2], "target": 3}, "3", False),
        ("Then 6 * 7 = 42.\n#### 42", "42", False),
        ("So $\\boxed{42}$.", "42", False),
        (None, None, False),
        (MISSING, None, False),
        (NAN, None, False),
        ("", None, False),
        (" ", None, False),
        ([], None, False),
        ([None], None, False),
        ("[]", "[]", False),
        ({}, None, False),
        (TESTS, None, False),
        ([{"input": "1", "output": "2"}], None, False),
        ('{"inputs": ["1"], "outputs": ["2"]}', None, False),
        ('[{"input": "1", "output": "2"}]', None, False),
    ],
)
def test_golds(value, text: str | None, multiple: bool) -> None:
    gold = read_gold(value)
    assert (gold.text, gold.multiple, gold.fault) == (text, multiple, None)


@pytest.mark.parametrize(
    ("value", "field", "fault"),
    [
        ("No box.", "doc.solution", "neither a"),
        ("\\boxed{1", "answer", "unbalanced braces"),
        (math.inf, "answer", "is inf"),
        ({"foo": 1}, "answer", "an object with the keys foo"),
    ],
)
def test_a_gold_that_is_none_says_why(value, field: str, fault: str) -> None:
    gold = read_gold(value, field)
    assert gold.text is None
    assert gold.fault is not None
    assert fault in gold.fault


def test_columns_of_golds() -> None:
    for column in (["42", None, ["1", "2"], "42"], pa.array([["42"], None, ["1", "2"], ["42"]])):
        codes, golds = read_golds(column)
        assert codes.tolist() == [0, -1, 1, 0]
        assert [gold.text for gold in golds] == ["42", "1, 2"]


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ([[1, 2], None, MISSING, []], [[1, 2], None, None, []]),
        ([np.array([1, 2])], [[1, 2]]),
        ([[1.0, 2.0]], [[1, 2]]),
        ([[1, 2, -100, -100]], [[1, 2]]),
        ([[[1, 2]]], [[1, 2]]),
        ([["a", "b"], [1.5], [-1], [2**31], "12", [True]], [None] * 6),
        (pa.array([[1, 2], None]), [[1, 2], None]),
        (pa.array([[1, 2, -100], [3]]), [[1, 2], [3]]),
        (pa.array([[1.0, 2.0]]), [[1, 2]]),
        (pa.array([[1, 2]], pa.list_(pa.int16(), 2)), [[1, 2]]),
        (pa.array([["a"]]), [None]),
        (pa.nulls(2), [None, None]),
        (pa.array([[0], [1, 2], [3]])[1:2], [[1, 2]]),
    ],
)
def test_token_ids(column, ids) -> None:
    found = read_token_ids(column)
    assert (found.type, found.to_pylist()) == (pa.list_(pa.int32()), ids)


@pytest.mark.parametrize(
    ("value", "logprobs"),
    [
        ([-0.5, -1.0], [-0.5, -1.0]),
        ([None, -1.0], [NAN, -1.0]),
        (np.array([-0.5]), [-0.5]),
        ([], []),
        ({"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}, [-0.5]),
        ([{"token": "a", "logprob": -0.5}], [-0.5]),
        ({"tokens": ["a"], "token_logprobs": [-0.5]}, [-0.5]),
        ([{"42": {"logprob": -0.5, "rank": 1}, "7": {"logprob": -2.0}}], [-0.5]),
        ([None, {"42": {"logprob": -0.5}}], [NAN, -0.5]),
        ([{"42": -0.5}], [-0.5]),
        ([[-0.5, 42, None], [-1.0, 7, "a"]], [-0.5, -1.0]),
        (None, None),
        (MISSING, None),
        ("x", None),
        (["x"], None),
        ({"content": None}, None),
        ({}, None),
    ],
)
def test_logprobs(value, logprobs) -> None:
    found = read_logprobs([value])
    assert found.type == pa.list_(pa.float32())
    np.testing.assert_equal(found.to_pylist(), [logprobs])


def test_arrow_columns_of_logprobs() -> None:
    found = read_logprobs(pa.array([[-0.5, -1.0], None]))
    assert (found.type, found.to_pylist()) == (pa.list_(pa.float32()), [[-0.5, -1.0], None])


@pytest.mark.parametrize(
    ("value", "reward"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (True, 1.0),
        (False, 0.0),
        (np.float32(0.5), 0.5),
        ("0.5", 0.5),
        ("-1", -1.0),
        ("True", 1.0),
        ([0.0, 0.0, 1.0], 1.0),
        ([0.25, 0.25], 0.5),
        ({"score": 1.0, "acc": True}, 1.0),
        ({"reward": 0.5}, 0.5),
        ({"math": {"score": 1.0, "weight": 0.5}, "form": {"score": 1.0, "weight": 0.25}}, 0.75),
        ({"math": {"score": 1.0, "weight": 2.0}, "form": None}, 2.0),
        ({"math": {"score": 1.0}}, 1.0),
        ({"a": 1.0, "b": 2.0}, NAN),
        (None, NAN),
        (MISSING, NAN),
        (NAN, NAN),
        ("", NAN),
        ("good", NAN),
        ("1_0", NAN),
        ([], NAN),
        ({}, NAN),
        (10**400, NAN),
    ],
)
def test_rewards(value, reward: float) -> None:
    np.testing.assert_equal(read_rewards([value]), [reward])


@pytest.mark.parametrize(
    ("column", "rewards"),
    [
        (pa.array([1, None]), [1.0, NAN]),
        (pa.array([0.5, None]), [0.5, NAN]),
        (pa.array([True, False, None]), [1.0, 0.0, NAN]),
        (pa.array(["1.0", "x"]), [1.0, NAN]),
        (pa.array([[0.0, 1.0], None]), [1.0, NAN]),
        (pa.chunked_array([pa.array([1.0]), pa.array([0.0])]), [1.0, 0.0]),
        (pa.nulls(1), [NAN]),
    ],
)
def test_arrow_columns_of_rewards(column, rewards) -> None:
    found = read_rewards(column)
    assert found.dtype == np.float64
    np.testing.assert_equal(found, rewards)


def test_indices() -> None:
    values = [3, 3.0, "3", "3.0", np.int32(3), None, MISSING, -1, True, "x", 3.5, 2**63, "9" * 30]
    assert read_indices(values).tolist() == [3] * 5 + [-1] * 8
    assert read_indices(pa.array([3, None, -5], pa.int8())).tolist() == [3, -1, -1]
    assert read_indices(pa.array([3, 2**63], pa.uint64())).tolist() == [3, -1]
    assert read_indices(pa.array([3.0, NAN, None])).tolist() == [3, -1, -1]


def test_values_that_are_nested_too_deep_are_refused() -> None:
    value: object = "a"
    for _ in range(100_000):
        value = [value]
    for read in (read_ids, read_golds, read_rewards):
        with pytest.raises(InvalidInputError, match="nested too deep"):
            read([value])

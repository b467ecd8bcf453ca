"""Draws: the counts of one model, checked, broadcast and read-only; pairs stand for Draws."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import Draws
from rlvr_fast.metrics.draws import as_draws, paired


def lists(draws: Draws) -> tuple[list[int], list[int]]:
    return draws.num_samples.tolist(), draws.num_correct.tolist()


def test_draws_is_public() -> None:
    assert rlvr_fast.Draws is Draws


@pytest.mark.parametrize(
    ("num_samples", "num_correct", "want"),
    [
        (8, [3, 0], ([8, 8], [3, 0])),
        ([8, 4], 2, ([8, 4], [2, 2])),
        ([8], [3, 0], ([8, 8], [3, 0])),
        (8, 3, ([8], [3])),
        ([], [], ([], [])),
        ([8.0, 4.0], [True, False], ([8, 4], [1, 0])),
        (np.array([8, 4], dtype=np.uint8), np.array([3, 4], dtype=np.int16), ([8, 4], [3, 4])),
    ],
)
def test_counts_broadcast_to_int64(num_samples: Any, num_correct: Any, want: Any) -> None:
    draws = Draws(num_samples, num_correct)
    assert lists(draws) == want
    assert draws.problems == len(want[0])
    assert draws.num_samples.dtype == draws.num_correct.dtype == np.int64
    assert draws.num_samples.shape == draws.num_correct.shape == (draws.problems,)


@pytest.mark.parametrize(
    ("num_samples", "num_correct", "message"),
    [
        ([8, 4, 2], [3, 5, 3], "num_correct exceeds num_samples: entry 1 has 5 correct of 4 sam"),
        ([8, -1], [3, 0], "num_samples must not be negative; entry 1 is -1"),
        ([8, 4], [3, -2], "num_correct must not be negative; entry 1 is -2"),
        ([8, 4], [3, 1.5], "num_correct must hold whole numbers; entry 1 is 1.5"),
        ([8, np.nan], [3, 1], "num_samples must hold whole numbers; entry 1 is nan"),
        (-8, 3, "num_samples must not be negative; the value is -8"),
        (["8"], [3], "num_samples must hold whole numbers, got dtype <U1"),
        ([8, 4], [1, 1, 1], r"one entry a problem; got shapes \(2,\) and \(3,\)"),
        ([[8, 4]], [[3, 1]], r"lists of one number a problem, got shape \(1, 2\)"),
    ],
)
def test_a_refusal_names_the_counts_and_the_entry(
    num_samples: Any, num_correct: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Draws(num_samples, num_correct)
    with pytest.raises(InvalidInputError, match=message.replace("num_", "rl_")):
        as_draws((num_samples, num_correct), "rl")


def test_draws_are_read_only_and_hold_their_own_copy() -> None:
    given_samples = np.array([8, 4])
    draws = Draws(given_samples, [3, 0])
    given_samples[0] = 1
    assert lists(draws) == ([8, 4], [3, 0])
    with pytest.raises(ValueError, match="read-only"):
        draws.num_correct[0] = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        draws.num_correct = np.array([4, 4])  # type: ignore[misc]


def test_draws_unpack_into_the_pair() -> None:
    num_samples, num_correct = Draws([8, 4], [3, 0])
    assert (num_samples.tolist(), num_correct.tolist()) == ([8, 4], [3, 0])


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (slice(1, None), ([4, 2], [0, 1])),
        ([True, False, True], ([8, 2], [3, 1])),
        (np.array([2, 0]), ([2, 8], [1, 3])),
        (1, ([4], [0])),
        (np.array([], dtype=np.int64), ([], [])),
    ],
)
def test_rows_of_draws(rows: Any, want: Any) -> None:
    part = Draws([8, 4, 2], [3, 0, 1])[rows]
    assert isinstance(part, Draws)
    assert lists(part) == want


def test_draws_can_be_copied_and_pickled() -> None:
    draws = Draws([8, 4], [3, 0])
    for other in (copy.deepcopy(draws), pickle.loads(pickle.dumps(draws))):
        assert lists(other) == lists(draws)


def test_pairs_stand_for_draws() -> None:
    draws = Draws([8, 4], [3, 0])
    assert as_draws(draws, "base") is draws
    assert lists(as_draws(([8, 4], [3, 0]), "base")) == lists(draws)
    assert lists(as_draws(np.array([[8, 4], [3, 0]]), "base")) == lists(draws)  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [5, None, [1, 2, 3], ([1], [1], [1])])
def test_other_types_are_refused_as_draws(counts: Any) -> None:
    message = r"base must be Draws\(num_samples, num_correct\) or such a pair"
    with pytest.raises(InvalidInputError, match=message):
        as_draws(counts, "base")


def test_paired_refuses_different_problems() -> None:
    message = r"base and rl must describe the same problems; got shapes \(2,\) and \(1,\)"
    with pytest.raises(InvalidInputError, match=message):
        paired((8, [1, 2]), (8, 1))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20))
def test_draws_accept_just_the_counts_with_at_most_n_correct(rows: list[tuple[int, int]]) -> None:
    num_samples, num_correct = [row[0] for row in rows], [row[1] for row in rows]
    if all(c <= n for n, c in rows):
        assert lists(Draws(num_samples, num_correct)) == (num_samples, num_correct)
    else:
        with pytest.raises(InvalidInputError, match="exceeds"):
            Draws(num_samples, num_correct)

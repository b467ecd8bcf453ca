"""Bounds over undecided verdicts against enumeration of all outcomes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    accessibility,
    accessibility_bounds,
    pass_at_k,
    pass_at_k_bounds,
    support_shift,
    support_shift_bounds,
)


def test_pass_at_k_bounds() -> None:
    bounds = pass_at_k_bounds([10, 10], [2, 0], num_undecided=[3, 0], k=[1, 4])
    np.testing.assert_allclose(bounds.low, pass_at_k(10, [2, 0], [1, 4]))
    np.testing.assert_allclose(bounds.high, pass_at_k(10, [5, 0], [1, 4]))
    with pytest.raises(InvalidInputError, match="exceeds"):
        pass_at_k_bounds([4], [3], num_undecided=[2], k=1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=4))
def test_shift_bounds_are_the_extremes_over_all_outcomes(rows: list[tuple[int, ...]]) -> None:
    bc, bu, rc, ru = np.array(rows).T
    seen: dict[str, list[float]] = {}
    for choice in itertools.product((0, 1), repeat=2 * len(rows)):
        pick = np.array(choice).reshape(2, -1)
        shift = support_shift((4, bc + bu * pick[0]), (4, rc + ru * pick[1]))
        for name, value in shift.as_dict().items():
            seen.setdefault(name, []).append(value)
    bounds = support_shift_bounds((4, bc), (4, rc), base_undecided=bu, rl_undecided=ru)
    for name in ("preserved", "expanded", "shrunk", "out", "srr", "ndr", "sds", "nscr"):
        values = np.array(seen[name], dtype=float)
        values = values[~np.isnan(values)]
        got = getattr(bounds, name)
        if values.size:
            assert got == pytest.approx((values.min(), values.max())), name
        else:
            assert np.isnan(got).all()


def test_bounds_of_the_epsilon_rule() -> None:
    base = accessibility(8192, [0, 3, 900, 2, 7], rule="epsilon")
    rl = accessibility(8192, [5, 3, 0, 40, 7], rule="epsilon")
    bounds = accessibility_bounds(base, rl)
    assert bounds.preserved == (1, 3)
    assert bounds.expanded == (0, 3)
    assert bounds.shrunk == (1, 2)
    assert bounds.out == (0, 2)
    assert bounds.srr == (1 / 3, 3 / 4)
    with pytest.raises(InvalidInputError, match="-1, 0 and 1"):
        accessibility_bounds([2], [0])


def test_a_model_without_samples_may_reach_a_problem_or_not() -> None:
    base, rl = ([4, 0, 4], [2, 0, 1]), ([4, 4, 0], [1, 3, 0])
    bounds = support_shift_bounds(base, rl, base_undecided=0, rl_undecided=0)
    assert (bounds.preserved, bounds.expanded, bounds.shrunk) == ((1, 3), (0, 1), (0, 1))
    assert support_shift(base, rl).undetermined == 2
    assert bounds.srr[0] <= support_shift(base, rl).srr <= bounds.srr[1]

"""Support rules, labels and ratios against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import (
    beta,
)

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    SupportShift,
    accessibility,
    clopper_pearson,
    detection_threshold,
    support_shift,
)
from rlvr_fast.metrics.support import support_ratios


@pytest.mark.parametrize(
    ("k", "threshold"),
    [
        (256, 0.011702),
        (1024, 0.0029255),
        (2048, 0.0014628),
        (4096, 7.314e-4),
        (8192, 3.657e-4),
        (16384, 1.828e-4),
    ],
)
def test_detection_threshold_as_in_the_paper(k: int, threshold: float) -> None:
    assert detection_threshold(k) == pytest.approx(threshold, rel=3e-4)
    exact = detection_threshold(k, exact=True)
    assert exact < detection_threshold(k)
    assert (1 - exact) ** k == pytest.approx(0.05, rel=1e-9)


def test_seen_rule_labels_and_ratios() -> None:
    shift = support_shift((64, [1, 0, 64, 0, 2]), (64, [1, 5, 0, 0, 1]))
    assert shift.labels is not None
    assert shift.labels.tolist() == ["preserved", "expanded", "shrunk", "out", "preserved"]
    assert (shift.preserved, shift.expanded, shift.shrunk, shift.out) == (2, 1, 1, 1)
    assert shift.srr == pytest.approx(2 / 3)
    assert shift.ndr == pytest.approx(1 / 3)
    assert shift.sds == pytest.approx(2 / (3 / 2 + 3))
    assert shift.nscr == 0
    assert shift.subset([True, True, False, False, False]).as_dict()["problems"] == 2


def test_shifts_compare_by_their_counts() -> None:
    assert support_shift((4, [1, 0]), (4, [1, 1])) == support_shift((4, [2, 0]), (4, [3, 2]))
    assert support_shift((4, [1, 0]), (4, [1, 1])) == SupportShift.from_counts(1, 1, 0, 0)
    assert support_shift((4, [1, 0]), (4, [1, 1])) != SupportShift.from_counts(1, 0, 1, 0)


@given(*[st.integers(0, 50)] * 4)
def test_sds_is_the_harmonic_mean(p: int, e: int, s: int, o: int) -> None:
    shift = SupportShift.from_counts(p, e, s, o)
    if p == 0 or e == 0:
        assert shift.sds == 0
    else:
        assert shift.sds == pytest.approx(2 / (1 / shift.srr + 1 / shift.ndr))
    assert math.isnan(shift.srr) == (p + s == 0)
    assert math.isnan(shift.ndr) == (p + e == 0)
    assert math.isnan(shift.nscr) == (p + e + s == 0)


def test_epsilon_rule_needs_seven_of_8192() -> None:
    assert accessibility(8192, np.arange(9), rule="epsilon").tolist() == [
        0, -1, -1, -1, -1, -1, -1, 1, 1,
    ]  # fmt: skip
    shift = support_shift((8192, [0, 7, 3, 0, 7]), (8192, [0, 0, 7, 9, 8]), rule="epsilon")
    assert shift.labels is not None
    assert shift.labels.tolist() == ["out", "shrunk", "undetermined", "expanded", "preserved"]
    assert shift.undetermined == 1


@given(st.integers(10, 20_000), st.floats(0.001, 0.5))  # fewer may not decide
def test_0_of_n_is_not_reached_at_the_exact_threshold_of_n(n: int, zeta: float) -> None:
    epsilon = detection_threshold(n, zeta=zeta, exact=True)
    assert accessibility(n, 0, rule="epsilon", zeta=zeta, epsilon=epsilon) == 0
    assert accessibility(n, 0, rule="epsilon", zeta=zeta, epsilon=epsilon * 0.999) == -1


def test_epsilon_rule_takes_the_shallower_depth() -> None:
    # 100 samples of the base allow no threshold below ln(20)/100 = 3 %, at any number of RL's
    shift = support_shift((100, [0] * 4), (10_000, [0, 100, 300, 500]), rule="epsilon")
    assert shift.labels is not None
    assert shift.labels.tolist() == ["out", "out", "undetermined", "expanded"]


@pytest.mark.parametrize("zeta", [0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9])
def test_epsilon_rule_at_few_samples_calls_no_solved_problem_unsolved(zeta: float) -> None:
    for n in range(1, 31):
        states = accessibility(n, np.arange(n + 1), rule="epsilon", zeta=zeta)
        if states[n] < 1:  # not even n of n would be reached: nothing is decided
            assert (states == -1).all(), n
        assert (np.diff(np.where(states < 0, 0.5, states)) >= 0).all(), n
        for epsilon in (1e-4, 0.3, 0.8, 0.99, 1.0, 1.5, 40.0):
            assert accessibility(n, n, rule="epsilon", zeta=zeta, epsilon=epsilon) != 0


def test_two_of_two_correct_are_not_solved_by_neither() -> None:
    assert support_shift((2, [2, 0]), (2, [2, 0]), rule="epsilon").undetermined == 2
    assert support_shift((5, [5]), (5, [5]), rule="epsilon").undetermined == 1
    assert support_shift((6, [6, 0]), (6, [6, 0]), rule="epsilon").as_dict()["preserved"] == 1


def test_problems_without_samples_are_undetermined() -> None:
    assert support_shift(([0, 4], [0, 1]), (4, [1, 1])).undetermined == 1
    assert support_shift(([0, 4], [0, 1]), (4, [1, 1]), rule="epsilon").labels is not None


def test_support_shift_refuses() -> None:
    with pytest.raises(InvalidInputError, match="same problems"):
        support_shift((4, [1, 2]), (4, [1]))
    with pytest.raises(InvalidInputError, match="base_correct exceeds base_samples"):
        support_shift((4, [5]), (4, [1]))
    with pytest.raises(InvalidInputError, match="rule must be"):
        support_shift((4, [1]), (4, [1]), rule="often")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="zeta"):
        support_shift((4, [1]), (4, [1]), rule="epsilon", zeta=0)
    with pytest.raises(InvalidInputError, match="zeta"):
        support_shift((4, [1]), (4, [1]), rule="seen", zeta=float("nan"))
    with pytest.raises(InvalidInputError, match="no labels"):
        SupportShift.from_counts(1, 1, 1, 1).subset([True])


def test_ratios_of_arrays() -> None:
    ratios = support_ratios([1, 0, 0], [1, 0, 2], [2, 0, 0])
    np.testing.assert_allclose(ratios.srr, [1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(ratios.sds, [2 * 1 / (1 + 2 + 2), 0, 0])
    np.testing.assert_allclose(ratios.nscr, [-1 / 4, np.nan, 1])


def test_beta_tail_identity_used_by_the_epsilon_rule() -> None:
    interval = clopper_pearson(8192, 7, level=0.9)
    assert float(interval.low) == pytest.approx(beta.ppf(0.05, 7, 8186), rel=1e-9)
    assert float(interval.low) > 3.657e-4

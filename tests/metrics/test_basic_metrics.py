"""The published metrics against exact rational arithmetic and hand-computed cases."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, entropy

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    SupportShift,
    accessibility,
    accuracy_histogram,
    answer_entropies,
    answer_entropy,
    delta_se,
    detection_threshold,
    mean_token_entropy,
    pass_at_k,
    perplexity,
    solvable_coverage,
    support_shift,
)


def exact_pass(n: int, c: int, k: int) -> float:
    return float(1 - Fraction(math.comb(n - c, k), math.comb(n, k)))


def test_pass_at_k_equals_rational_arithmetic_for_every_small_case() -> None:
    cases = [(n, c, k) for n in range(1, 41) for c in range(n + 1) for k in range(1, n + 1)]
    n, c, k = np.array(cases).T
    got = np.array([pass_at_k(a, b, d) for a, b, d in zip(n[::7], c[::7], k[::7], strict=True)])
    want = np.array([exact_pass(*case) for case in cases[::7]])
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("n", [1024, 8192, 16384, 30_011])
def test_pass_at_k_equals_rational_arithmetic_for_large_n(n: int) -> None:
    for c in (0, 1, 2, 3, 17, n // 3, n - 20, n - 1, n):
        for k in (1, 2, 5, 16, 17, 256, n // 2, n - 3, n - 1, n):
            got = float(pass_at_k(n, c, k))
            assert got == pytest.approx(exact_pass(n, c, k), rel=1e-10, abs=1e-300), (c, k)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_rises_with_k_and_with_c(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    ks = np.arange(1, n + 1)
    curve = pass_at_k(n, c, ks)
    assert (np.diff(curve) >= -1e-12).all()
    assert curve[0] == c / n
    assert (curve >= 0).all()
    assert (curve <= 1).all()
    if c < n:
        assert (pass_at_k(n, c + 1, ks) >= curve - 1e-12).all()


def test_pass_at_k_shapes_and_undefined_values() -> None:
    n = np.array([[4, 8, 0]])
    c = np.array([[1, 0, 0]])
    assert pass_at_k(n, c, 2).shape == (1, 3)
    assert pass_at_k(n, c, [1, 8]).shape == (1, 3, 2)
    assert np.isnan(pass_at_k(n, c, [1, 8])).tolist() == [
        [[False, True], [False, False], [True, True]]
    ]
    assert pass_at_k([], [], [1, 2]).shape == (0, 2)
    assert float(pass_at_k(10, 0, 10)) == 0.0
    assert float(pass_at_k(10, 1, 10)) == 1.0


def test_pass_at_k_is_unbiased() -> None:
    n, p = 12, 0.23
    c = np.arange(n + 1)
    weights = binom.pmf(c, n, p)
    for k in (1, 3, 12):
        mean = float((weights * pass_at_k(n, c, k)).sum())
        assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        ([4], [5], 1, "entry 0 has 5 correct of 4"),
        ([4], [-1], 1, "negative"),
        ([4.5], [1], 1, "whole numbers"),
        ([4, 4], [1, 1, 1], 1, "shapes"),
        ([4], [1], 0, "at least 1"),
        (["4"], [1], 1, "whole numbers"),
        ([4], [np.nan], 1, "whole numbers"),
    ],
)
def test_pass_at_k_refuses(n: list[int], c: list[int], k: int, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        pass_at_k(n, c, k)


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


@given(st.integers(1, 20_000), st.floats(0.001, 0.5))
def test_none_of_n_is_inaccessible_at_the_exact_threshold_of_n(n: int, zeta: float) -> None:
    epsilon = detection_threshold(n, zeta=zeta, exact=True)
    assert accessibility(n, 0, rule="epsilon", zeta=zeta, epsilon=epsilon) == 0
    assert accessibility(n, 0, rule="epsilon", zeta=zeta, epsilon=epsilon * 0.999) == -1


def test_epsilon_rule_takes_the_shallower_depth() -> None:
    # 100 of the base's draws support no finer threshold than ln(20)/100 = 3 %, whatever RL has
    shift = support_shift((100, [0] * 4), (10_000, [0, 100, 300, 500]), rule="epsilon")
    assert shift.labels is not None
    assert shift.labels.tolist() == ["out", "out", "undetermined", "expanded"]


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
    with pytest.raises(InvalidInputError, match="no labels"):
        SupportShift.from_counts(1, 1, 1, 1).subset([True])


def test_answer_entropy() -> None:
    counts = [5, 3, 0, 2]
    assert answer_entropy(counts) == pytest.approx(entropy([5, 3, 2]))
    assert answer_entropy(counts, correction="miller-madow") == pytest.approx(
        entropy([5, 3, 2]) + 2 / 20
    )
    assert answer_entropy([7]) == 0
    assert math.isnan(answer_entropy([]))
    assert math.isnan(answer_entropy([0, 0]))
    many = answer_entropies(problem_index=[1, 0, 1, 3, 1], counts=[5, 4, 3, 1, 2], num_problems=5)
    np.testing.assert_allclose(many, [0, entropy([5, 3, 2]), np.nan, 0, np.nan])


def test_perplexity_and_token_entropy() -> None:
    got = perplexity([-3.0, -np.inf, 0.0, np.nan], [3, 2, 0, 1])
    assert got[0] == pytest.approx(math.e)
    assert np.isinf(got[1])
    assert np.isnan(got[2:]).all()
    assert float(mean_token_entropy([0.5, np.nan, 1.5])) == 1.0
    grouped = mean_token_entropy([0.5, np.nan, 1.5, 2.0], groups=[0, 1, 0, 2], num_groups=4)
    np.testing.assert_allclose(grouped, [1.0, np.nan, 2.0, np.nan])


def test_accuracy_histogram_edges_are_exact() -> None:
    n = 30
    counts = accuracy_histogram(n, np.arange(n + 1)).counts
    assert counts.tolist() == [1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1]
    histogram = accuracy_histogram([0, 10, 10], [0, 9, 10])
    assert histogram.skipped == 1
    assert dict(zip(histogram.bins, histogram.counts.tolist(), strict=True))["(0.8, 0.9]"] == 1


def test_delta_se_and_coverage() -> None:
    np.testing.assert_allclose(delta_se([67.2, 69.1], [26.1, 25.1]), [41.1, 44.0])
    coverage = solvable_coverage("abcd", {"a", "b"}, {"b", "c"})
    assert (coverage.both, coverage.base_only, coverage.rl_only, coverage.neither) == (
        ("b",), ("a",), ("c",), ("d",),
    )  # fmt: skip
    assert coverage.shift.srr == 0.5
    with pytest.raises(InvalidInputError, match="not among"):
        solvable_coverage("abcd", {"z"}, set())


def test_answer_entropy_of_fewer_draws() -> None:
    """Exactly the mean over every choice of the draws."""
    answers = [0, 0, 0, 1, 1, 2]
    for draws in (1, 2, 4, 6):
        chosen = [
            answer_entropy(np.bincount([answers[i] for i in subset]))
            for subset in itertools.combinations(range(6), draws)
        ]
        (value,) = answer_entropies(problem_index=[0, 0, 0], counts=[3, 2, 1], draws=draws)
        assert value == pytest.approx(np.mean(chosen))
    both = answer_entropies(problem_index=[0, 1, 1], counts=[3, 40, 24], num_problems=3, draws=32)
    assert np.isnan(both[0])
    assert np.isnan(both[2])
    assert both[1] < answer_entropy([40, 24])
    with pytest.raises(InvalidInputError, match="draws"):
        answer_entropies(problem_index=[0], counts=[3], draws=0)

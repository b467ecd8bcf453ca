"""pass^k, G-Pass@k and Cover@tau against enumeration."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    at_least_correct,
    bayes_at_n,
    cover_at,
    g_pass_at_k,
    majority_at_k,
    mg_pass_at_k,
    pass_at_k,
    pass_hat_k,
)


def test_g_pass_and_pass_hat_by_enumeration() -> None:
    draws = [1, 1, 1, 0, 0]
    for k, tau in itertools.product((1, 2, 3, 5), (0.2, 0.5, 0.75, 1.0)):
        subsets = list(itertools.combinations(draws, k))
        want = np.mean([sum(s) >= max(1, math.ceil(tau * k)) for s in subsets])
        assert float(g_pass_at_k(5, 3, k=k, tau=tau)) == pytest.approx(want), (k, tau)
    np.testing.assert_allclose(pass_hat_k(5, 3, k=[1, 2, 3, 4]), [0.6, 0.3, 0.1, 0])
    np.testing.assert_allclose(
        g_pass_at_k([5, 5], [3, 0], k=[2, 4], tau=0.1), pass_at_k(5, [3, 0], [2, 4])
    )
    assert np.isnan(pass_hat_k(5, 3, k=6))
    with pytest.raises(InvalidInputError, match="tau"):
        g_pass_at_k(5, 3, k=2, tau=0.0)


def test_cover_at() -> None:
    assert cover_at([10, 10, 0], [3, 10, 0], tau=[0.3, 0.31, 1.0]).tolist() == [1.0, 0.5, 0.5]
    assert float(cover_at(10, [3, 1], tau=0.2)) == 0.5


def test_at_least_correct_is_every_g_pass_at_once() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(5, 40, 60)
    c = rng.binomial(n, rng.random(60))
    tail = at_least_correct(n, c, k=5)
    for j in range(1, 6):
        np.testing.assert_allclose(tail[:, j - 1], g_pass_at_k(n, c, k=5, tau=j / 5), atol=1e-12)
    assert np.isnan(at_least_correct([4, 6], [2, 2], k=5)[0]).all()
    cover = at_least_correct(10, c[:20] % 11, k=10).mean(axis=0)
    np.testing.assert_allclose(cover, cover_at(10, c[:20] % 11, tau=np.arange(1, 11) / 10))


def test_mg_pass_is_the_mean_of_the_upper_half() -> None:
    for k in (1, 2, 3, 5):
        taus = [i / k for i in range(math.ceil(k / 2) + 1, k + 1)]
        want = 2 / k * sum(float(g_pass_at_k(7, 4, k=k, tau=tau)) for tau in taus)
        assert float(mg_pass_at_k(7, 4, k=k)) == pytest.approx(want)
    assert np.isnan(mg_pass_at_k([3, 9], [1, 1], k=4)[0])


def test_bayes_at_n() -> None:
    got = bayes_at_n([10, 10, 0], [3, 10, 0])
    assert got.value == pytest.approx((4 / 12 + 11 / 12) / 2)
    variance = (4 * 8 + 11 * 1) / 12**2 / 13 / 4
    assert got.deviation == pytest.approx(math.sqrt(variance))
    assert got.low == pytest.approx(got.value - 1.959964 * got.deviation)
    assert got.problems == 2
    assert math.isnan(bayes_at_n(0, [0]).value)
    # 4 of 8 draws: the mean over every choice
    posterior = [(sum(s) + 1) / 6 for s in itertools.combinations([1, 1, 1, 0, 0, 0, 0, 0], 4)]
    some = bayes_at_n(8, [3], draws=4)
    assert some.value == pytest.approx(np.mean(posterior))
    spread = np.mean([m * (1 - m) / 7 for m in posterior])
    assert some.deviation == pytest.approx(math.sqrt(spread))
    assert bayes_at_n([8, 3], [3, 1], draws=4).problems == 1


def _majority_by_enumeration(drawn: list[int | None], right: set[int], k: int) -> float:
    """Answers by number, None for a draw that casts no vote."""
    wins = []
    for subset in itertools.combinations(drawn, k):
        votes = Counter(answer for answer in subset if answer is not None)
        top = max(votes.values(), default=0)
        tied = [answer for answer, count in votes.items() if count == top]
        wins.append(sum(a in right for a in tied) / len(tied) if tied else 0.0)
    return float(np.mean(wins))


def test_majority_by_enumeration() -> None:
    # answers 0 and 3 are correct; 2 draws cast no vote
    counts, votes, correct = [4, 3, 2, 1, 2], [1, 1, 1, 1, 0], [1, 0, 0, 1, 0]
    drawn = [0] * 4 + [1] * 3 + [2] * 2 + [3] + [None] * 2
    ks = [1, 2, 3, 5, 12]
    got = majority_at_k(
        problem_index=[0] * 5 + [1],
        counts=[*counts, 2],
        correct=[*correct, 1],
        votes=[*votes, 1],
        k=ks,
        subsets=4000,
    )
    want = [_majority_by_enumeration(drawn, {0, 3}, k) for k in ks]
    assert got.value[0, [0, 1, 4]].tolist() == pytest.approx([want[0], want[1], want[4]])
    assert got.error[0, [0, 1, 4]].tolist() == [0, 0, 0]
    for j in (2, 3):
        assert 0 < got.error[0, j] < 0.01
        assert abs(got.value[0, j] - want[j]) < 4 * got.error[0, j]
    assert got.value[1, :2].tolist() == [1, 1]
    assert np.isnan(got.value[1, 2:]).all()
    assert got.mean_error()[0] == 0


def test_majority_at_its_edges() -> None:
    def at(counts: list[int], correct: list[int], votes: list[int], k: int) -> float:
        rows = [0] * len(counts)
        got = majority_at_k(problem_index=rows, counts=counts, correct=correct, votes=votes, k=k)
        return float(got.value[0, 0])

    assert at([3, 3], [1, 0], [1, 1], 6) == 0.5  # a tie
    assert at([6], [0], [0], 3) == 0  # nobody votes
    assert at([2, 3], [1, 0], [1, 0], 4) == 1  # at least one of 4 draws votes
    assert at([2, 3], [1, 0], [1, 0], 3) == pytest.approx(0.9)  # not where all 3 have no answer
    with pytest.raises(InvalidInputError, match="one table"):
        majority_at_k(problem_index=[0], counts=[1, 2], correct=[1], votes=[1], k=1)

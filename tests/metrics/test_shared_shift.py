"""What several runs lose or find together, against enumeration and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import exchange_null, expected_support_shift, shared_shift

KEYS = ("lost_by_all", "lost_by_any", "found_by_all", "found_by_any")


def labels(hits: tuple[bool, ...]) -> dict[str, bool]:
    """The four numbers of one problem; the base's hit comes first."""
    base, *arms = hits
    return {
        "lost_by_all": base and not any(arms),
        "lost_by_any": base and not all(arms),
        "found_by_all": not base and all(arms),
        "found_by_any": not base and any(arms),
    }


def test_counts_where_all_runs_are_equally_deep() -> None:
    base, arms = [4, 4, 0, 8, 0], [[0, 3, 0, 8, 1], [0, 0, 1, 8, 1], [0, 2, 0, 0, 5]]
    found = shared_shift((8, base), arms=[(8, arm) for arm in arms])
    rows = [labels(tuple(c > 0 for c in column)) for column in zip(base, *arms, strict=True)]
    for key in KEYS:
        assert getattr(found.observed, key) == sum(row[key] for row in rows)
    assert found.lost_by.tolist() == [3, 1, 0, 1, 0]
    assert found.found_by.tolist() == [0, 0, 1, 0, 3]
    assert found.lost.tolist() == [1, 2, 2]
    assert found.reached == 3
    assert found.independent.lost_by_all == pytest.approx(3 * (1 / 3) * (2 / 3) * (2 / 3))
    assert found.independent.lost_by_any == pytest.approx(3 * (1 - (2 / 3) * (1 / 3) * (1 / 3)))


def test_expected_numbers_by_enumeration() -> None:
    """Every subsample of the common depth, and every way to deal the pooled draws out."""
    sizes, correct, depth = (3, 4, 2), (2, 1, 1), 2
    runs = [[1] * c + [0] * (n - c) for n, c in zip(sizes, correct, strict=True)]
    found = shared_shift((sizes[0], [correct[0]]), arms=[(sizes[1], [1]), (sizes[2], [1])])
    choices = [list(itertools.combinations(run, depth)) for run in runs]
    rows = [labels(tuple(any(hand) for hand in hands)) for hands in itertools.product(*choices)]
    for key in KEYS:
        assert getattr(found.observed, key) == pytest.approx(np.mean([r[key] for r in rows]))
    pooled = [draw for run in runs for draw in run]
    deals = []
    for order in set(itertools.permutations(pooled)):
        hands = tuple(any(order[depth * i : depth * (i + 1)]) for i in range(3))
        deals.append(labels(hands))
    for key in KEYS:
        assert getattr(found.equal, key) == pytest.approx(np.mean([r[key] for r in deals]))
    # all draws counted: the base and both arms keep their own numbers
    lost = shared_shift((3, [2]), arms=[(4, [0]), (2, [0])])
    assert lost.p_lost_by_all == pytest.approx((3 / 9) * (2 / 8))
    gained = shared_shift((3, [0]), arms=[(4, [3]), (2, [1])])
    whole = [
        labels((any(order[:3]), any(order[3:7]), any(order[7:])))["found_by_all"]
        for order in set(itertools.permutations(pooled))
    ]
    assert gained.p_found_by_all == pytest.approx(np.mean(whole))


def test_one_arm_is_the_shift_of_two_models() -> None:
    base, rl = ([8, 16, 5], [3, 0, 1]), ([16, 8, 5], [0, 2, 0])
    found = shared_shift(base, arms=[rl])
    expected = expected_support_shift(base, rl)
    assert found.observed.lost_by_all == pytest.approx(expected.shrunk)
    assert found.observed.found_by_any == pytest.approx(expected.expanded)
    null = exchange_null(base, rl)
    assert found.p_lost_by_all == pytest.approx(null.p_shrunk)
    assert found.p_found_by_all == pytest.approx(null.p_expanded)


def test_equal_models_are_seldom_called_unequal() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([np.full(40, 0.03), np.full(40, 0.12)])
    rows, lost, found = [], [], []
    for _ in range(200):
        base, *arms = (rng.binomial(n, p) for n in (16, 16, 24, 8))
        one = shared_shift(
            (16, base), arms=[(n, c) for n, c in zip((16, 24, 8), arms, strict=True)]
        )
        rows.append([[getattr(x, key) for key in KEYS] for x in (one.observed, one.equal)])
        lost.append(one.p_lost_by_all)
        found.append(one.p_found_by_all)
    observed, expected = np.mean(rows, axis=0)
    assert observed == pytest.approx(expected, rel=0.05)
    assert np.mean(np.array(lost) <= 0.05) <= 0.08
    assert np.mean(np.array(found) <= 0.05) <= 0.08


def test_edges() -> None:
    empty = shared_shift((0, [0, 0]), arms=[(4, [1, 1])])
    assert empty.problems == 0
    assert empty.observed.lost_by_any == 0
    assert np.isnan(empty.lost_by).all()
    many = shared_shift((4, [1, 0]), arms=[(4, [0, 1])] * 12)
    assert np.isnan(many.p_found_by_all)
    assert many.observed.lost_by_all == 1
    assert 0 < many.equal.lost_by_all < 1
    shallow = shared_shift((8, [4, 0]), arms=[(8, [0, 1])], depth=[2, 0])
    assert shallow.problems == 1
    assert shallow.reached == pytest.approx(1 - (4 * 3) / (8 * 7))
    with pytest.raises(InvalidInputError, match="arms is empty"):
        shared_shift((8, [4]), arms=[])
    with pytest.raises(InvalidInputError, match=r"same problems.*arms\[0\] has 2"):
        shared_shift((8, [4]), arms=[(8, [4, 4])])
    with pytest.raises(InvalidInputError, match=r"depth must be at most the samples.*entry 1 is 9"):
        shared_shift((8, [4, 4]), arms=[(16, [4, 4])], depth=[8, 9])

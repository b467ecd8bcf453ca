"""The expected support shift against enumeration of all subsamples."""

from __future__ import annotations

import itertools

import pytest

from rlvr_fast.metrics import (
    expected_support_shift,
    support_shift,
)


def test_expected_shift_is_the_average_over_all_subsamples() -> None:
    base, rl = [1, 0, 0, 1, 0], [0, 0, 1, 0]
    labels = {"preserved": 0, "expanded": 0, "shrunk": 0, "out": 0}
    pairs = list(itertools.product(itertools.combinations(base, 2), itertools.combinations(rl, 2)))
    for b, r in pairs:
        shift = support_shift((2, [sum(b)]), (2, [sum(r)]))
        for name in labels:
            labels[name] += getattr(shift, name)
    expected = expected_support_shift((5, [2]), (4, [1]), k=2)
    for name, count in labels.items():
        assert getattr(expected, name) == pytest.approx(count / len(pairs)), name
    assert expected_support_shift(([5, 1], [2, 1]), (4, [1, 1]), k=2).skipped == 1

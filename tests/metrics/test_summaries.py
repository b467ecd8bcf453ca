"""Accuracy histogram, delta-SE and solvable problems against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    accuracy_histogram,
    delta_se,
    solvable_coverage,
)


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

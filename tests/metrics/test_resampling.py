"""The random numbers of intervals: those of a seed, whether they are kept or drawn again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rlvr_fast.metrics import resampling
from rlvr_fast.metrics.resampling import Exponentials


@pytest.fixture
def _few_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(resampling, "_KEPT", 1000)
    monkeypatch.setattr(resampling, "_FIRST_KEPT", 64)
    resampling._kept.cache_clear()
    yield
    resampling._kept.cache_clear()


@pytest.mark.usefixtures("_few_kept")
@pytest.mark.parametrize(
    "shapes",
    [[(10, 7), (3,)], [(40, 20), (200,), (1,)], [(40, 20), (30, 20), (5,)], [(70, 30), (2, 2)]],
)
def test_kept_numbers_are_those_of_the_seed(shapes: list[tuple[int, ...]]) -> None:
    for _ in range(2):  # the second time all are kept that can be
        mine, numpy = Exponentials(7), np.random.default_rng(7)
        for shape in shapes:
            np.testing.assert_array_equal(
                mine.standard_exponential(shape), numpy.standard_exponential(shape)
            )
        alpha = np.full(3, 2.5)
        np.testing.assert_array_equal(mine.standard_gamma(alpha), numpy.standard_gamma(alpha))


@pytest.mark.usefixtures("_few_kept")
def test_kept_numbers_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Exponentials(7).standard_exponential((5,))[0] = 1.0

"""The plan of bench/gpu_peers.py: shapes, their order, and the forecast of a call."""

from __future__ import annotations

import itertools

import pytest
from peers.plan import (
    ALIGNED,
    ROWS,
    VOCABULARIES,
    WIDTHS,
    Case,
    Forecast,
    MachineLimits,
    parse_case,
    plan,
)


def test_every_shape_is_planned_once():
    cases = plan()
    assert len(cases) == len(set(cases))
    grid = {
        Case(job, *shape)
        for job in ("linear", "divergence")
        for shape in itertools.product(ROWS, WIDTHS, VOCABULARIES)
    }
    assert grid <= set(cases)
    extra = {case.vocabulary for case in set(cases) - grid}
    assert extra == set(ALIGNED.values())


def test_the_shapes_of_the_targets_come_first():
    """A short run must measure a shape of every target, and both sizes of a ragged pair."""
    first = plan()[:16]
    linear = [case for case in first if case.job == "linear"]
    assert any(case.rows >= 8192 and case.width >= 3584 for case in linear)
    assert {1024, 1536} <= {case.width for case in linear if case.rows >= 8192}
    assert {1, 16, 256} <= {case.rows for case in linear}
    assert any(case.job == "divergence" for case in first)
    for ragged, aligned in ALIGNED.items():
        shapes = {(case.width, case.vocabulary) for case in linear if case.rows == 8192}
        assert any((w, ragged) in shapes and (w, aligned) in shapes for w in WIDTHS)


def test_a_case_is_parsed():
    assert parse_case("8192x3584x152064") == Case("linear", 8192, 3584, 152064)
    assert parse_case("divergence:1x2x3") == Case("divergence", 1, 2, 3)
    for wrong in ("8192x3584", "other:1x2x3", "0x2x3", "axbxc"):
        with pytest.raises(ValueError, match="case"):
            parse_case(wrong)


def test_operations_and_bytes_count_the_products():
    assert Case("linear", 2, 3, 5).operations == 2 * 2 * 3 * 5
    assert Case("divergence", 2, 3, 5).operations == 2 * 2 * 2 * 3 * 5
    assert Case("linear", 2, 3, 5).bytes_read == 2 * (5 * 3 + 2 * 3)


def test_a_call_is_forecast_from_the_most_similar_shape():
    limits = MachineLimits(copy=4e12, product=8e14)
    forecast = Forecast()
    large, larger, few = (
        Case("linear", 8192, 3584, 152064), Case("linear", 65536, 3584, 152064),
        Case("linear", 1, 3584, 152064),
    )  # fmt: skip
    unknown = forecast.call("x", large, limits)
    assert unknown == pytest.approx(8 * limits.seconds(large))
    forecast.learn("x", large, limits, 2 * limits.seconds(large), 30.0)
    forecast.learn("x", few, limits, 50 * limits.seconds(few), 1.0)
    assert forecast.call("x", larger, limits) == pytest.approx(2 * limits.seconds(larger))
    assert forecast.call("x", few._replace(rows=2), limits) == pytest.approx(
        50 * limits.seconds(few._replace(rows=2))
    )
    # the first preparation includes imports, so it does not predict later ones
    assert forecast.case(["x"], large, limits, 5) < 30

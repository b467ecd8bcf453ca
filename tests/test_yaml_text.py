"""YAML of study files and of values on the command line."""

from __future__ import annotations

from rlvr_fast.yaml_text import parse_yaml


def test_a_date_is_a_text() -> None:
    text = "{a: 2026-01-01, b: 2026-13-01, c: 2026-01-01 10:00:00}"
    values = {"a": "2026-01-01", "b": "2026-13-01", "c": "2026-01-01 10:00:00"}
    assert parse_yaml(text, "t") == values


def test_a_number_with_an_exponent_is_a_number() -> None:
    text = "{a: 1e-1, b: 2E3, c: -.5e+1, d: 1e, e: e1, f: 1.5}"
    values = {"a": 0.1, "b": 2000.0, "c": -5.0, "d": "1e", "e": "e1", "f": 1.5}
    assert parse_yaml(text, "t") == values

"""docs/statistics.md names existing functions, their signatures, and the measured coverage."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
from planted_studies import coverage_bench

from rlvr_fast import metrics
from rlvr_fast.metrics import replay

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text("utf-8")


def test_every_function_named_exists() -> None:
    block = PAGE.partition("```python")[2].partition("```")[0]
    names = set(re.findall(r"(?:^|; )([a-z_0-9]+)\(", block, flags=re.M))
    assert len(names) > 35
    missing = {name for name in names if not hasattr(metrics, name)}
    assert not missing
    in_text = set(re.findall(r"`([a-z_0-9]+_[a-z_0-9]+)`", PAGE.partition("## Measured")[0]))
    fields = {
        "max_k",
        "tv_base",
        "tv_least",
        "tv_noise",
        "base_draws",
        "kl_reweighting",
        "kl_within",
        "beta_to_reach",
    }
    fields |= {"find_repeats", "same_completions"}  # of the report, not of the metrics
    assert {name for name in in_text - fields if not hasattr(metrics, name)} == set()


def written(name: str) -> str:
    """The call of a public function as the page writes it."""
    parts, keyword_only = [], False
    for parameter in inspect.signature(getattr(metrics, name)).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            parts.append("*")
            keyword_only = True
        default = parameter.default
        shown = f'"{default}"' if isinstance(default, str) else repr(default)
        required = default is parameter.empty
        parts.append(parameter.name if required else f"{parameter.name}={shown}")
    return f"{name}({', '.join(parts)})"


def test_signatures_equal_those_of_the_code() -> None:
    block = PAGE.partition("```python")[2].partition("```")[0]
    functions = [name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))]
    assert [written(name) for name in functions if written(name) not in block] == []


def test_public_names_are_all_there() -> None:
    assert sorted(metrics.__all__) == sorted(set(metrics.__all__))
    for name in metrics.__all__:
        assert getattr(metrics, name) is not None


def test_table_shows_the_committed_results() -> None:
    results = ROOT / "bench" / "results" / "coverage.json"
    if not results.exists():
        pytest.skip(f"{results} is absent: run bench/coverage.py")
    module = coverage_bench()
    rows = json.loads(results.read_text("utf-8"))["rows"]
    start, end = module.MARKS
    printed = PAGE.partition(start)[2].partition(end)[0].strip()
    assert printed == module.table(rows).strip()
    assert module.with_measured(PAGE, rows) == PAGE
    # the text above the table explains the rows that do not cover
    failing = {row for row in printed.splitlines() if "does not cover" in row}
    known = ("chao1, Dirichlet", "two spikes", "one in ten lost")
    assert all(any(name in row for name in known) for row in failing)


def test_replay_figures_in_the_text() -> None:
    rows = replay.replay()
    printed = sum(row.printed is not None for row in rows)
    text = " ".join(PAGE.split())
    assert (
        f"{printed} printed numbers, of which {len(replay.MISPRINTS)} do not agree with their own "
        f"counts and are named as misprints, and {len(rows) - printed} that the papers leave"
    ) in text

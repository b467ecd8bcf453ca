"""bench/README.md is the output of bench/table.py for the committed results."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"


def test_page_is_generated_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_table", BENCH / "table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    known = {path.stem for path in (BENCH / "results").glob("*.json")}
    assert known <= table.SHOWN, "a result that the page leaves out"
    assert (BENCH / "README.md").read_text("utf-8") == table.page(), "run: python bench/table.py"

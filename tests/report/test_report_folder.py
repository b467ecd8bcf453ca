"""The folder of a report: what lies there already neither blocks nor is written through."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_counts import counted_run

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report import CompareOptions
from rlvr_fast.report.comparison import Comparison, compare_runs
from rlvr_fast.report.files import write_report


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("pair")
    base = counted_run(folder / "base", [8, 8], [3, 0], seed=1)
    return compare_runs(base, counted_run(folder / "rl", [8, 8], [5, 1], seed=2))


def test_a_folder_in_the_place_of_a_file_is_named(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(InvalidInputError, match=r"summary\.json: Is a directory; name a folder"):
        write_report(comparison, tmp_path)


def test_a_k_that_no_array_holds_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 1 and at most 1000000000"):
        CompareOptions(k=(10**23,))

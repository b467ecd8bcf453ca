"""The comparison of two report folders finds what was changed in one of them, and only that."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.store import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import same_report


@pytest.fixture(scope="module")
def folder(pair: tuple[Run, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same") / "report"
    write_report(compare_runs(*pair), folder)
    return folder


@pytest.mark.slow
def test_a_report_equals_itself(folder: Path, pair: tuple[Run, Run], tmp_path: Path) -> None:
    write_report(compare_runs(*pair), tmp_path)
    assert same_report.differences(folder, tmp_path) == []
    assert same_report.main([str(folder), str(tmp_path)]) == 0


def digit(text: str) -> str:
    """The last digit of the last number with a fraction, changed."""
    at = max(i for i in range(len(text) - 1) if text[i].isdigit() and "." in text[i - 15 : i])
    return text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("tables/entropy.csv", digit, "tables/entropy.csv: "),
        ("tables/evidence.json", digit, "tables/evidence.json: rows: "),
        ("tables/support_seen.tex", lambda t: t.replace("Overall", "All"), "support_seen.tex: "),
        ("summary.json", digit, "summary.json: "),
        ("index.html", lambda t: t.replace("Each bar is all", "Bars are all"), "text: "),
        ("index.html", lambda t: t.replace("What more samples", "What more  samples"), ""),
        ("index.html", lambda t: t.replace("counts as a whole,", "counts as a whole ,"), "text: "),
        ("index.html", lambda t: t.replace('aria-label="', 'aria-label="A ', 1), "attributes: "),
        ("index.html", lambda t: t.replace('"ks":[1,', '"ks":[0,', 1), "data: groups: "),
    ],
)
def test_a_planted_change_is_found(
    folder: Path, tmp_path: Path, name: str, change: Callable[[str], str], found: str
) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    text = (other / name).read_text("utf-8")
    changed = change(text)
    assert changed != text
    (other / name).write_text(changed, "utf-8")
    lines = same_report.differences(folder, other)
    if not found:
        assert lines == []
        return
    assert lines
    assert all(found in line for line in lines)
    assert same_report.main([str(folder), str(other)]) == 1
    assert same_report.main([str(folder), str(other), "--allow", found]) == 0


@pytest.mark.parametrize("name", ["tables/plan.csv", "figures/support.png"])
def test_a_missing_file_is_found(folder: Path, tmp_path: Path, name: str) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / name).unlink()
    assert same_report.differences(folder, other) == [f"{name}: missing in {other}"]
    assert same_report.differences(other, folder) == [f"{name}: missing in {other}"]

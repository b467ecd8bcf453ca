"""Reports of many problems and tasks: what the page leaves out, that it says so, and the files.

The bounds are made small for most tests, so that a small study is a large one.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, browser
from planted_runs import write_pair

from rlvr_fast.report import Report, compare_runs, page_choice, table_files, write_report
from rlvr_fast.report.common_answers import answer_rows, common_answers
from rlvr_fast.report.table_files import ColumnRows
from rlvr_fast.vocabulary import VERDICTS

# Two reports of 120 problems are the set-up.
pytestmark = pytest.mark.slow

TASKS = {f"{'p' if i % 2 else ''}task-{i}": (1, 8, 3)[i % 3] for i in range(12)}
PROBLEMS = 120
BOUNDS = {"ALL_PROBLEMS": 50, "_PROBLEMS": 30, "ALL_TASKS": 6, "_TASKS": 4}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """One comparison as a report with everything on the page, and as a bounded one."""
    folder = tmp_path_factory.mktemp("large")
    base, rl = write_pair(
        folder, tasks=TASKS, problems_per_task=10, samples=8, scores=False, hostile=True, seed=5
    )
    comparison = compare_runs(base, rl)
    whole = write_report(comparison, folder / "whole")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in BOUNDS.items():
            patch.setattr(page_choice, name, value)
        patch.setattr(table_files, "MOST_ROWS", 100)
        bounded = write_report(comparison, folder / "bounded")
    return whole, bounded


def page_of(report: Report) -> str:
    assert report.page is not None
    return report.page.read_text("utf-8")


def text_of(page: str) -> str:
    without = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def data_of(page: str) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found)


def rows_of(file: Path) -> list[dict[str, str]]:
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")))


def number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def test_numbers_do_not_depend_on_what_the_page_shows(both: tuple[Report, Report]) -> None:
    whole, bounded = both
    assert whole.summary() == bounded.summary()
    assert whole.headline() == bounded.headline()
    assert whole.page is not None
    assert bounded.page is not None
    large = 0
    for name in whole.tables:
        old = whole.page.parent / "tables" / f"{name}.csv"
        new = bounded.page.parent / "tables" / f"{name}.csv"
        packed = new.with_suffix(".csv.gz")
        large += packed.exists()
        assert new.exists() != packed.exists(), name
        if new.exists():
            for suffix in (".csv", ".json", ".tex"):
                assert old.with_suffix(suffix).read_bytes() == new.with_suffix(suffix).read_bytes()
            continue
        left, right = rows_of(old), rows_of(packed)
        assert [{k: number(v) for k, v in row.items()} for row in left] == [
            {k: number(v) for k, v in row.items()} for row in right
        ], name
        assert not new.with_suffix(".json").exists()
    assert large >= 3


def test_every_problem_is_in_the_file(both: tuple[Report, Report]) -> None:
    report = both[1]
    assert report.page is not None
    for name in ("problems", "problem_evidence"):
        rows = rows_of(report.page.parent / "tables" / f"{name}.csv.gz")
        assert {row["problem_id"] for row in rows} == set(report.comparison.problems.ids)
        assert len(rows) == PROBLEMS


def test_every_cut_is_said(both: tuple[Report, Report]) -> None:
    page = page_of(both[1])
    text = text_of(page)
    assert "30 of 120 problems" in text
    assert "4 of 12 tasks" in text
    assert "tables/problems.csv.gz holds them all" in text
    assert "tables/problems.csv " not in text  # no such file
    for link in re.findall(r'href="(tables/[^"]+)"', page):
        assert both[1].page is not None
        assert (both[1].page.parent / link).is_file(), link
    # below each table of groups that is cut
    for name in ("support_seen", "evidence", "failures", "entropy"):
        assert re.search(rf"4 of 12 tasks are shown; all are in tables/{name}\.csv", text), name


def test_a_whole_page_says_nothing_of_cuts(both: tuple[Report, Report]) -> None:
    text = text_of(page_of(both[0]))
    assert " are shown; all are in " not in text
    assert "Shown are" not in text
    assert "whole" not in data_of(page_of(both[0]))
    assert "tasks" not in data_of(page_of(both[0]))


def test_the_page_shows_what_changed(both: tuple[Report, Report]) -> None:
    report = both[1]
    data = data_of(page_of(report))
    assert len(data["problems"]) == 30
    assert data["whole"] == {"problems": PROBLEMS, "file": "tables/problems.csv.gz"}
    labels = report.comparison.labels("seen")
    shown = {row[0] for row in data["problems"]}
    by_label = {
        label: [i for i, found in zip(report.comparison.problems.ids, labels, strict=True)
                if found == label]
        for label in ("shrunk", "expanded")
    }  # fmt: skip
    for ids in by_label.values():
        assert len(shown & set(ids)) >= min(len(ids), 6)
    # groups are those of the choice, everything first
    options = re.findall(r'<option value="(\d+)" data-task', page_of(report))
    assert options[0] == "0"
    assert sorted(map(int, options)) == sorted(map(int, data["groups"]))


def test_tasks_with_a_claim_come_first(tmp_path: Path) -> None:
    tasks = {f"t{i}": 1 for i in range(9)}
    base, rl = write_pair(tmp_path, tasks=tasks, problems_per_task=6, samples=16, scores=False)
    comparison = compare_runs(base, rl)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in BOUNDS.items():
            patch.setattr(page_choice, name, value)
        report = write_report(comparison, tmp_path / "report")
        choice = report.page_choice
    evidence = report.findings["evidence"].measured
    claimed = {
        group.index
        for group in comparison.groups
        if group.kind == "task"
        and (
            min(evidence.groups[group.index].adjusted.values()) <= 0.05
            or evidence.groups[group.index].proven_lost.size
            or evidence.groups[group.index].proven_found.size
        )
    }
    shown = {group.index for group in choice.groups if group.kind == "task"}
    assert len(shown) == 4
    assert claimed <= shown or shown <= claimed


@pytest.mark.parametrize("most", [1, 2, 6])
def test_answers_as_columns_are_those_problem_by_problem(
    both: tuple[Report, Report], most: int
) -> None:
    base, rl = both[0].comparison.sides
    found = answer_rows(base, rl, most=most)
    expected = []
    total = len(both[0].comparison.problems)
    for i, one in enumerate(common_answers(base, rl, most=most, problems=range(total))):
        expected += [(i, a.text, a.verdict, 1, a.base, a.rl) for a in one.common]
        (distinct, draws), (rl_distinct, rl_draws) = one.rest
        if draws or rl_draws:
            expected.append((i, None, "", max(distinct, rl_distinct), draws, rl_draws))
    verdicts = [*VERDICTS, ""]
    assert expected == [
        (i, text, verdicts[v], n, b, r)
        for i, text, v, n, b, r in zip(
            found.problem.tolist(), found.text.to_pylist(), found.verdict.tolist(),
            found.answers.tolist(), found.base.tolist(), found.rl.tolist(), strict=True,
        )
    ]  # fmt: skip


def test_rows_held_as_columns() -> None:
    rows = ColumnRows({"a": np.array([1, 2, 3]), "b": ["x", "y", "z"]})
    assert len(rows) == 3
    assert rows[-1] == {"a": 3, "b": "z"}
    assert rows[1:] == [{"a": 2, "b": "y"}, {"a": 3, "b": "z"}]
    assert list(rows) == [{"a": 1, "b": "x"}, *rows[1:]]
    assert type(rows[0]["a"]) is int
    with pytest.raises(IndexError):
        rows[3]
    with pytest.raises(ValueError, match="different lengths"):
        ColumnRows({"a": [1], "b": []})


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_searches_what_it_shows(both: tuple[Report, Report]) -> None:
    report = both[1]
    assert report.page is not None
    shown = data_of(page_of(report))["problems"]
    hidden = next(i for i in report.comparison.problems.ids if i not in {row[0] for row in shown})
    with browser() as tab:
        tab.open(report.page)
        status = "document.getElementById('shown').textContent"
        assert tab.ask(status) == "30 of 30 problems on this page (120 in all), page 1 of 2"
        found = tab.ask(
            "(() => { const find = document.getElementById('find');"
            f"find.value = {json.dumps(shown[7][0])};"
            "find.dispatchEvent(new Event('input'));"
            "return Array.from(document.querySelectorAll('#problem-rows .open'))"
            ".map((b) => b.textContent); })()"
        )
        assert shown[7][0] in found
        # every group that can be chosen shows its numbers, and names its tasks
        tasks = tab.ask(
            "(() => { document.getElementById('find').value = ''; const seen = [];"
            "for (const option of document.getElementById('group').options) {"
            "document.getElementById('group').value = option.value;"
            "document.getElementById('group').dispatchEvent(new Event('change'));"
            "seen.push(document.getElementById('k-out').textContent.includes('pass@k')); }"
            "return [seen.every(Boolean), Array.from(document.querySelectorAll("
            "'#problem-rows td.text')).every((c) => c.textContent !== '')]; })()"
        )
        assert tasks == [True, True]
        tab.ask(f"location.hash = '#problem=' + encodeURIComponent({json.dumps(hidden)})")
        tab.ask("window.dispatchEvent(new Event('hashchange'))")
        said = tab.ask(status)
        assert said.endswith("all 120 are in tables/problems.csv.gz.")


def test_the_page_of_many_tasks_is_small(tmp_path: Path) -> None:
    base, rl = write_pair(
        tmp_path,
        tasks={f"{'p' if i % 2 else ''}task-{i}": (1, 8, 3)[i % 3] for i in range(300)},
        problems_per_task=8,
        samples=4,
        scores=False,
    )
    report = write_report(compare_runs(base, rl), tmp_path / "report")
    assert report.page is not None
    assert report.page.stat().st_size <= 5_000_000
    page = page_of(report)
    assert "40 of 300 tasks" in text_of(page)
    assert "1,000 of 2,400 problems" in text_of(page)
    assert len(data_of(page)["problems"]) == 1000
    rows = rows_of(report.page.parent / "tables" / "problems.csv")
    assert [row["problem_id"] for row in rows] == list(report.comparison.problems.ids)

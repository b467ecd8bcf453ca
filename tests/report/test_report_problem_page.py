"""One problem opened on the page: what both models answered, and what its label rests on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import planted_runs
import pytest
from browser import CHROMIUM, Page, browser
from planted_runs import HOSTILE, write_pair
from scipy.stats import beta, fisher_exact, hypergeom

from rlvr_fast.report import Report, compare_runs, write_report
from rlvr_fast.report.label_proofs import label_proofs
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.shown_text import visible

# Names of tasks, and so ids of problems, that a link or an attribute could break on.
HOSTILE_TASKS = {"a\"b'c#d&e=f %20?<i>": 2, "back\\slash/\u202eright": 1, "ünïcode ☃": 3}
LONG = "long " * 20_000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("opened")
    pair = write_pair(folder, tasks={"puzzle": 8, "logic": 1}, samples=40, seed=5)
    return write_report(compare_runs(*pair), folder / "report")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted_runs, "HOSTILE", [*HOSTILE, LONG])
        pair = write_pair(folder, tasks=HOSTILE_TASKS, samples=24, hostile=True, seed=6)
    return write_report(compare_runs(*pair), folder / "report")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    with browser() as tab:
        yield tab


def open_link(page: Page, path: Path, problem_id: str) -> None:
    page.open(path)
    page.ask(f"location.hash = '#problem=' + encodeURIComponent({json.dumps(problem_id)})")
    end = "document.querySelector('#problem-rows tr.more') !== null"
    for _ in range(200):
        if page.ask(end):
            return
    raise AssertionError(f"the link to {problem_id!r} opened nothing")


def answers_of(report: Report) -> dict[tuple[str, str, str | None, str], int]:
    """Draws by model, problem, answer and verdict, from the files of the runs."""
    out = {}
    for side in report.comparison.sides:
        for row in side.run.read_table("grades.parquet").to_pylist():
            out[side.name, row["problem_id"], row["canonical"], row["verdict"]] = row["count"]
    return out


def test_the_table_of_answers_counts_every_draw(report: Report) -> None:
    truth = answers_of(report)
    rows = report.tables["problem_answers"].rows
    for name in ("base", "rl"):
        side = next(s for s in report.comparison.sides if s.name == name)
        for problem, drawn in zip(side.ids, side.num_samples, strict=True):
            mine = [row for row in rows if row["problem_id"] == problem]
            assert sum(row[name] for row in mine) == drawn
            shown = [row for row in mine if row["verdict"]]
            for row in shown:
                key = name, problem, row["answer"], row["verdict"]
                assert row[name] == truth.get(key, 0)
                assert row[f"{name}_share"] == pytest.approx(row[name] / drawn)
            counts = sorted((v for k, v in truth.items() if k[:2] == (name, problem)), reverse=True)
            seen = sorted((row[name] for row in shown if row[name]), reverse=True)
            assert seen[:6] == counts[:6]


def both_ways(b: int, m: int, r: int, k: int, base_undecided: int, rl_undecided: int) -> float:
    """Fisher's p with the undecided draws as not correct, or without them: the larger."""
    ways = ((m, k), (m - base_undecided, k - rl_undecided))
    return max(fisher_exact([[b, x - b], [r, y - r]]).pvalue for x, y in ways)


def test_the_grounds_of_labels(report: Report) -> None:
    comparison = report.comparison
    proofs = label_proofs(comparison, report.measured(EVIDENCE).tests)
    rows = report.tables["problems"].rows
    base, rl = comparison.sides
    p_values = []
    for i, row in enumerate(rows):
        b, m = int(base.num_correct[i]), int(base.num_samples[i])
        r, k = int(rl.num_correct[i]), int(rl.num_samples[i])
        p_values.append(both_ways(b, m, r, k, row["base_undecided"], row["rl_undecided"]))
        label = row["label_seen"]
        without = {"preserved": b == 1 or r == 1, "shrunk": b == 1, "expanded": r == 1}
        assert row["one_draw_decides"] == ("yes" if without.get(label, False) else "no")
        if label in ("shrunk", "expanded"):
            missed = k if label == "shrunk" else m
            assert row["chance_by_luck"] == pytest.approx(hypergeom(m + k, b + r, missed).pmf(0))
        else:
            assert np.isnan(row["chance_by_luck"])
        for name, c, n in (("base", b, m), ("rl", r, k)):
            low = beta.ppf(0.05, c, n - c + 1) if c else 0
            high = beta.ppf(0.95, c + 1, n - c) if c < n else 1
            assert row[f"{name}_lower_limit"] == pytest.approx(low)
            assert row[f"{name}_upper_limit"] == pytest.approx(high)
        assert row["epsilon"] == comparison.epsilon
        if row["label_epsilon"] == "preserved":
            assert min(row["base_lower_limit"], row["rl_lower_limit"]) > comparison.epsilon
        if row["label_epsilon"] == "out":
            highest = max(row["base_upper_limit"], row["rl_upper_limit"])
            assert highest <= comparison.epsilon * (1 + 1e-9)
    np.testing.assert_allclose(proofs.p_value, np.minimum(p_values, 1), atol=1e-9)
    order = np.argsort(p_values)
    holm = np.maximum.accumulate(np.array(p_values)[order] * np.arange(len(p_values), 0, -1))
    np.testing.assert_allclose(proofs.p_adjusted[order], np.minimum(5 * holm, 1), atol=1e-9)
    assert {row["label_seen"] for row in rows} >= {"preserved", "shrunk", "out"}
    assert "yes" in {row["one_draw_decides"] for row in rows}


def test_an_opened_problem_says_its_counts_and_grounds(report: Report, page: Page) -> None:
    row = next(
        r
        for r in report.tables["problems"].rows
        if r["label_seen"] == "shrunk" and r["base_correct"] > 1
    )
    open_link(page, report.page, row["problem_id"])
    shown = page.ask("document.querySelector('#problem-rows tr.more').textContent")
    assert f"Question {row['problem_id'].split('-')[1]} of {row['task']}" in shown
    assert "Why “S lost”" in shown
    counts = f"Base: {row['base_correct']} of 40 draws correct; RL: 0 of 40 draws correct."
    assert counts in shown
    assert f"all {row['base_correct']} correct draws would fall on base with probability" in shown
    cells = page.ask(
        "[...document.querySelectorAll('tr.more table.answers tbody tr')]"
        ".map(r => [...r.cells].map(c => c.firstChild ? c.firstChild.textContent : ''))"
    )
    mine = [
        r for r in report.tables["problem_answers"].rows if r["problem_id"] == row["problem_id"]
    ]
    assert sum(int(c[2]) for c in cells) == row["base_samples"]
    assert sum(int(c[3]) for c in cells) == row["rl_samples"]
    for found, expected in zip(cells, mine, strict=True):
        if expected["verdict"] not in ("", "unparsed"):
            assert found[:2] == [expected["answer"], expected["verdict"]]
        assert [int(n) for n in found[2:]] == [expected["base"], expected["rl"]]
    page.ask("document.querySelector('input[value=epsilon]').click()")
    shown = page.ask("document.querySelector('#problem-rows tr.more').textContent")
    assert f"ε = {report.comparison.epsilon:.3g}; one-sided limits, 95% each." in shown
    assert page.complaints() == []


def test_a_label_that_one_draw_decides_says_so(report: Report, page: Page) -> None:
    rows = report.tables["problems"].rows
    once = next(r for r in rows if r["one_draw_decides"] == "yes")
    often = next(r for r in rows if min(r["base_correct"], r["rl_correct"]) > 1)
    for row, says in ((once, True), (often, False)):
        open_link(page, report.page, row["problem_id"])
        shown = page.ask("document.querySelector('#problem-rows tr.more').textContent")
        assert ("One draw decides this label" in shown) == says


def test_a_link_opens_what_filters_hide(report: Report, page: Page) -> None:
    last = report.comparison.problems.ids[-1]
    page.open(report.page)
    page.ask(
        "(() => { const s = document.getElementById('near-group');"
        "s.selectedIndex = [...s.options].findIndex(o => o.text === 'puzzle');"
        "s.dispatchEvent(new Event('change')); })()"
    )
    assert page.ask("document.getElementById('group').selectedOptions[0].text").strip() == "puzzle"
    page.ask(f"location.hash = '#problem={last}'")
    for _ in range(200):
        if page.ask("document.querySelector('#problem-rows tr.more') !== null"):
            break
    assert page.ask("document.getElementById('group').value") == "0"
    assert page.ask("document.activeElement.textContent") == last
    page.ask("location.hash = '#problem=%'")
    page.ask("location.hash = '#problem=nobody'")
    for _ in range(200):
        text = page.ask("document.getElementById('shown').textContent")
        if "not in this report" in text:
            break
    assert "not in this report" in text
    assert page.complaints() == []


def test_the_pager_keeps_the_focus_of_a_keyboard(hostile: Report, page: Page) -> None:
    page.open(hostile.page)
    assert len(hostile.comparison.problems) == 36
    page.ask("document.getElementById('next').focus()")
    for key in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=key, key="Enter", code="Enter", text="\r",
                  windowsVirtualKeyCode=13)  # fmt: skip
    assert page.ask("document.querySelectorAll('#problem-rows tr').length") == 11
    assert page.ask("document.getElementById('next').disabled")
    assert page.ask("document.activeElement.id") == "previous"


def test_hostile_ids_and_answers_stay_text(hostile: Report, page: Page) -> None:
    assert len(hostile.page.read_bytes()) < 2_000_000
    page.events.clear()
    for problem_id in hostile.comparison.problems.ids[::13]:
        open_link(page, hostile.page, problem_id)
        link = page.ask("document.querySelector('tr.more a').hash")
        assert page.ask(f"decodeURIComponent({json.dumps(link)}.slice(9))") == problem_id
        assert page.ask("document.querySelectorAll('main img, main i:not(.w), iframe').length") == 0
    page.ask("document.getElementById('previous').click()")
    page.ask("document.querySelectorAll('#problem-rows .open').forEach(b => b.click())")
    shown = page.ask("document.body.textContent")
    assert "\u202e" not in shown
    assert "\x00" not in shown
    assert "⟨U+202E⟩" in shown
    assert "long long" in shown
    assert len(shown) < 1_500_000
    assert page.ask("document.scripts.length") == 2
    assert page.complaints() == []
    assert [u for u in page.requests() if not u.startswith("file:")] == []


def test_long_answers_are_cut_in_the_files(hostile: Report) -> None:
    with (hostile.page.parent / "tables" / "problem_answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert max(len(row["answer"]) for row in rows) == 200
    assert {row["task"] for row in rows} == {visible(task) for task in HOSTILE_TASKS}


def test_without_script_the_page_names_the_file(report: Report) -> None:
    text = report.page.read_text("utf-8")
    noscript = text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert 'href="tables/problems.csv"' in noscript
    assert (report.page.parent / "tables" / "problems.csv").exists()

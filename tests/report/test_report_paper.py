"""The page on paper, on a phone and on a small desktop: nothing is lost or out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, browser
from pdf_text import bare, pdf_text
from planted_runs import write_pair

from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.report.contents import contents

TASKS = {f"{'puzzle' if i % 2 else 'logic'}_with_a_long_name_{i}": 1 + i % 4 for i in range(12)}
SIZES = {"A4": (8.27, 11.69), "Letter": (8.5, 11.0)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    pair = write_pair(folder, tasks=TASKS, samples=32, problems_per_task=5)
    return write_report(compare_runs(*pair), folder / "report").page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    with browser() as tab:
        yield tab


# Every table that a reader sees: its rows, each with the texts of its cells.
TABLES = """[...document.querySelectorAll('main table')].filter(t => !t.closest('[hidden]'))
  .map(t => [...t.rows].map(r => [...r.cells].map(c => [...c.childNodes]
    .filter(n => n.className !== 'vh').map(n => n.textContent).join(''))))"""


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_paper_holds_every_cell_of_every_table(report: Path, page: Page, size: str) -> None:
    page.open(report, width=1200)
    tables = page.ask(TABLES)
    width, height = SIZES[size]
    printed = pdf_text(page.pdf(width=width, height=height)).casefold()
    widest = max(tables, key=lambda rows: len(rows[0]))
    assert len(widest[0]) >= 11
    assert len(widest) > len(TASKS)
    for rows in tables:
        for row in rows:
            for cell in (row[0], row[-1]):
                assert bare(cell).casefold() in printed
    # The last cell stands on paper as often as in the table, not cut off at the page's edge.
    for row in widest[1:]:
        wanted = bare("".join(row)).casefold()
        assert wanted in printed, f"{row} is not on {size} paper"


@pytest.mark.slow
def test_paper_holds_every_problem_and_what_is_folded(report: Path, page: Page) -> None:
    page.open(report, width=1200)
    closed = page.ask("document.querySelectorAll('details:not([open])').length")
    assert closed > 3
    folded = page.ask("document.querySelector('#definitions dd').textContent")
    printed = pdf_text(page.pdf())
    assert bare(folded) in printed
    ids = page.ask(
        "JSON.parse(document.getElementById('data').textContent).problems.map(r => r[0])"
    )
    assert len(ids) == 5 * len(TASKS)
    rows = printed[
        printed.index("Everyproblem", printed.index("Problemlevel:everyproblem.") - 900) :
    ]
    assert [i for i in ids if i not in rows] == []
    assert "Printedfor“Overall”,rule“seenonce”." in printed
    assert "Previous" not in printed
    assert page.ask("document.querySelectorAll('details:not([open])').length") == closed
    assert page.ask("document.querySelectorAll('#problem-rows tr').length") == 25


@pytest.mark.parametrize("width", [390, 1200, 1600])
def test_the_contents_list_names_every_section(report: Path, page: Page, width: int) -> None:
    page.open(report, width=width)
    listed = page.ask(
        "[...document.querySelectorAll('.toc a')].map(a => [a.hash.slice(1), a.text])"
    )
    there = page.ask(
        "[...document.querySelectorAll('main section')]"
        ".map(s => [s.id, s.querySelector('h2').textContent])"
    )
    assert listed == [["top", "Summary"], *there]
    assert len(there) > 8
    is_open = page.ask("document.querySelector('.toc details').open")
    assert is_open == (width == 1600)
    page.ask("document.querySelector('.toc a[href=\"#evidence\"]').click()")
    top = page.ask("document.getElementById('evidence').getBoundingClientRect().top")
    assert 0 <= top < 160
    assert page.ask("document.querySelector('.toc').getBoundingClientRect().bottom") > 0


def test_contents_come_from_the_sections_alone() -> None:
    parts = [
        '<section id="one" class="x"><p>&lt;section id="no"&gt;</p><h2>One &amp; <em>all</em></h2>',
        "<p>no section</p>",
        '<section id="two"><h2>Two</h2></section><section id="three"><h2>Three</h2></section>',
    ]
    assert contents(parts) == [("one", "One & all"), ("two", "Two"), ("three", "Three")]


def test_a_small_desktop_shows_the_last_columns(report: Path, page: Page) -> None:
    """Every column is in view, or a line says that the table scrolls; captions are in view."""
    page.open(report, width=1200)
    boxes = page.ask(
        """[...document.querySelectorAll('.tablebox')].filter(b => b.offsetParent).map(b => {
          const s = b.querySelector('.scroll');
          const c = b.querySelector('figcaption').getBoundingClientRect();
          return [s.scrollWidth - s.clientWidth, b.querySelector('.more-columns').hidden,
            c.right, c.height, !!s.querySelector('figcaption, caption')]; })"""
    )
    assert len(boxes) > 8
    for hidden_width, no_hint, right, height, inside in boxes:
        assert (hidden_width <= 1) == no_hint
        assert right <= 1200
        assert height > 0
        assert not inside
    assert sum(no_hint for _, no_hint, *_ in boxes) == len(boxes)


def test_a_phone_shows_every_column(report: Path, page: Page) -> None:
    page.open(report, width=390)
    page.ask("document.querySelector('#problem-rows .open').click()")
    assert page.ask("document.documentElement.scrollWidth") <= 390
    outside = page.ask(
        """[...document.querySelectorAll('main table td, main table tbody th')]
          .map(c => [c, c.getBoundingClientRect()])
          .filter(([c, at]) => c.offsetParent && (at.right > 390 || at.left < 0))
          .map(([c]) => c.textContent)"""
    )
    assert outside == []
    cells = page.ask(
        """[...document.querySelectorAll('#evidence tr.overall td')].map(c => [c.dataset.label,
          getComputedStyle(c, '::before').content, Math.round(c.getBoundingClientRect().top)])"""
    )
    assert len(cells) >= 9
    assert all(f'"{label}"' == shown for label, shown, _ in cells)
    assert len({top for *_, top in cells}) <= (len(cells) + 2) // 3  # three or more in a line
    assert page.ask("document.querySelector('#evidence td').getAttribute('role')") == "cell"


def test_rows_of_domains_and_tasks_differ(report: Path, page: Page) -> None:
    page.open(report, width=1200)
    kinds = {}
    for kind in ("overall", "domain", "task"):
        kinds[kind] = page.ask(
            f"(() => {{ const h = document.querySelector('#support tr.{kind} th');"
            "const s = getComputedStyle(h);"
            "return [s.fontWeight, s.paddingLeft, s.backgroundColor, h.textContent]; })()"
        )
    styles = [tuple(value[:3]) for value in kinds.values()]
    assert len(set(styles)) == 3
    assert kinds["domain"][3].startswith("domain ")
    assert kinds["task"][3].startswith("task ")
    bands = page.ask("[...document.querySelectorAll('#support .rows-of')].map(r => r.textContent)")
    assert bands[:2] == ["Domains", "Tasks"]


def test_headings_do_not_skip_a_level(report: Path, page: Page) -> None:
    page.open(report)
    page.ask("document.querySelector('#problem-rows .open').click()")
    levels = page.ask(
        "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]"
        ".filter(h => !h.closest('[hidden]')).map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))

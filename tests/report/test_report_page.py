"""The page in a real browser: no errors, no requests, no foreign script, working controls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, browser
from planted_runs import HOSTILE, write_pair

from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.shown_text import script_json, visible
from rlvr_fast.vocabulary import LABELS

TASKS = {"puzzle<b>": 8, "logic": 1, "poly": 3}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    base, rl = write_pair(folder, tasks=TASKS, samples=32, hostile=True, problems_per_task=16)
    return write_report(compare_runs(base, rl), folder / "report").page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    with browser() as tab:
        yield tab


def test_page_is_one_file_with_a_policy(report: Path) -> None:
    text = report.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "'unsafe-eval'" not in policy[1]
    assert "script-src 'sha256-" in policy[1]
    assert not re.search(r'(?:src|href)="(?!#|https://arxiv\.org/abs/|tables/\w+\.csv")', text), (
        "the page names another resource"
    )
    assert len(text) < 5_000_000


def test_colours_and_words_of_labels_come_from_the_vocabulary(report: Path) -> None:
    text = report.read_text("utf-8")
    for label in LABELS:
        assert text.count(f"--{label.key}: {label.colour};") == 1
        assert text.count(f"--{label.key}: {label.dark};") == 1
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    assert [tuple(x.values()) for x in data["labels"]] == [x[:3] for x in LABELS]


def test_page_loads_without_errors_or_requests(report: Path, page: Page) -> None:
    page.events.clear()
    page.open(report)
    assert page.ask("document.documentElement.dataset.ready") == "1"
    assert page.complaints() == []
    assert [u for u in page.requests() if not u.startswith("file:")] == []
    assert len(page.requests()) == 1


def test_hostile_text_stays_text(report: Path, page: Page) -> None:
    page.open(report)
    title = page.ask("document.title")
    for row in range(25):
        page.ask(f"document.querySelectorAll('#problem-rows .open')[{row}].click()")
    assert page.ask("document.title") == title
    assert page.ask("document.querySelectorAll('img, iframe, object, b[onerror]').length") == 0
    assert page.ask("document.scripts.length") == 2
    assert HOSTILE[0] in page.ask("document.getElementById('problem-rows').textContent")
    shown = page.ask("document.body.textContent")
    assert "\x00" not in shown
    assert "\u202e" not in shown
    assert "⟨U+0000⟩" in shown
    assert "⟨U+202E⟩" in shown


def test_controls_work(report: Path, page: Page) -> None:
    page.open(report)
    summary = json.loads((report.parent / "summary.json").read_text("utf-8"))
    heading = (
        "[...document.querySelectorAll('header [data-group]')].find(n => !n.hidden).textContent"
    )
    assert f"kept {summary['overall']['preserved']}" in page.ask(heading)

    def choose(index: int) -> None:
        page.ask(
            f"(() => {{ const s = document.getElementById('group'); s.selectedIndex = {index};"
            "s.dispatchEvent(new Event('change')); })()"
        )

    options = page.ask("[...document.getElementById('group').options].map(o => o.textContent)")
    task_rows = [i for i, o in enumerate(options) if o in TASKS]
    choose(task_rows[-1])
    name = options[task_rows[-1]]
    task = summary["tasks"][name]
    assert f"kept {task['preserved']}" in page.ask(heading)
    assert f"Of {task['problems']} {name} problems" in page.ask(heading)
    assert page.ask("document.getElementById('shown').textContent").startswith(
        f"{task['problems']} of {summary['overall']['problems']} problems"
    )
    choose(0)

    page.ask("document.querySelector('input[value=epsilon]').click()")
    assert "above ε" in page.ask(heading)
    page.ask("document.querySelector('input[value=seen]').click()")

    before = page.ask("document.getElementById('k-out').textContent")
    page.ask(
        "(() => { const k = document.getElementById('k'); k.value = 0;"
        "k.dispatchEvent(new Event('input')); })()"
    )
    after = page.ask("document.getElementById('k-out').textContent")
    assert "k = 32 " in before
    assert "k = 1 " in after
    assert f"pass@k {summary['pass_at_k']['base']['1']:.3f} base" in after

    page.ask("document.querySelector('[data-sort=base]').click()")
    page.ask("document.querySelector('[data-sort=base]').click()")
    cells = page.ask(
        "[...document.querySelectorAll('#problem-rows tr')].map(r => r.cells[3].textContent)"
    )
    shares = [int(c.split(" / ")[0]) / int(c.split(" / ")[1]) for c in cells]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]

    page.ask(
        "(() => { const r = document.getElementById('region'); r.value = '1';"
        "r.dispatchEvent(new Event('change')); })()"
    )
    labels = page.ask(
        "[...new Set([...document.querySelectorAll('#problem-rows tr')]"
        ".map(r => r.cells[2].textContent))]"
    )
    assert labels == (["S lost"] if summary["overall"]["shrunk"] else [])
    assert page.complaints() == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_the_page(report: Path, page: Page, width: int, dark: bool) -> None:
    page.open(report, width=width, dark=dark)
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.ask("document.querySelector('#problem-rows .open').click()")
    page.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    # Text against the background that it stands on, WCAG AA; charts and their bars aside.
    faint = page.ask(
        """(() => {
          const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
          const lum = (c) => { const v = c.slice(0, 3).map((x) => {
            x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; });
            return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
          const back = (n) => {
            for (; n; n = n.parentElement) {
              const c = rgb(getComputedStyle(n).backgroundColor);
              if (c.length < 4 || c[3] > .99) return c;
            }
            return [255, 255, 255]; };
          const text = (n) => [...n.childNodes].some((t) => t.nodeType === 3 && t.data.trim());
          return [...document.querySelectorAll('body *')]
            .filter((n) => n.checkVisibility() && !n.closest('svg, .seg') && !n.disabled && text(n))
            .map((n) => { const a = lum(rgb(getComputedStyle(n).color)), b = lum(back(n));
              return [n.tagName, n.className, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]; })
            .filter(([, , ratio]) => ratio < 4.5);
        })()"""
    )
    assert faint == []


def test_script_json_cannot_end_its_element() -> None:
    value = ["</script><!--<script>", "a&b", "\u2028", float("nan")]
    text = str(script_json(value))
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == [*value[:3], None]


def test_visible_shows_hidden_characters() -> None:
    assert visible("a\x00b\x1b\u202ec\nd\te") == "a⟨U+0000⟩b⟨U+001B⟩⟨U+202E⟩c\nd\te"
    assert visible("abcdef", 4) == "abc…"
    assert visible(None) == "none"

"""Words and forms that no headline, caption or sentence of a page may have."""

from __future__ import annotations

import html
import re

from rlvr_fast.report.facts import percent
from rlvr_fast.report.page import render_page
from rlvr_fast.report.report import Report
from rlvr_fast.report.sentences import expected_text

FORBIDDEN = re.compile(
    r"beyond doubt|without doubt|\bsurely\b|\bsure\b"
    r"|\bcertainly\b|\bcan[’']t\b|\bnever (?:by|solved|draws?)\b",
    re.IGNORECASE,
)


def words(page: str) -> str:
    """The text that a reader of the page sees, without script and style."""
    shown = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", shown))


def test_no_word_promises_more_than_the_draws_show(built: Report) -> None:
    text = words(render_page(built)) + built.headline()
    text += " ".join(table.caption for table in built.tables.values())
    assert FORBIDDEN.findall(text) == []
    assert FORBIDDEN.search("Solved by base, never by RL")


def test_no_positive_number_reads_as_nothing() -> None:
    for share in (1e-12, 1e-5, 0.0003, 0.004):
        assert percent(share) not in ("0 %", "0.0 %")
        assert expected_text(share) == "under 0.05"
    assert percent(0) == "0 %"
    assert expected_text(0) == "0"


def test_the_headline_has_one_statement_a_line(built: Report) -> None:
    lines = built.headline().splitlines()
    starts = (
        "Of 36 problems",
        "Of all problems",
        "For new tasks",
        "If the two models",
        "If RL were",
    )
    places = [next(i for i, line in enumerate(lines) if line.startswith(s)) for s in starts]
    assert places == sorted(places)
    assert lines[-1].startswith("pass@1 went from")
    assert all(line.endswith(".") for line in lines)


def test_a_page_names_no_beta_beside_another(built: Report) -> None:
    assert "β" not in built.headline()

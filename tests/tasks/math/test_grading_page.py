"""The table of docs/grading.md says what the reader decides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlvr_fast.answers import verify_answers
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer

PAGE = Path(__file__).resolve().parents[3] / "docs" / "grading.md"


def groups(cell: str) -> list[list[str]]:
    """The answers of each group of a cell: groups are parted by semicolons outside of code."""
    coded = re.sub(r"`[^`]*`", lambda match: match[0].replace(";", "\0"), cell)
    found = [re.findall(r"`([^`]+)`", group) for group in coded.split(";")]
    return [[text.replace("\0", ";") for text in texts] for texts in found if len(texts) > 1]


def table() -> list[tuple[str, str, str, bool]]:
    """(kind, gold, answer, whether they are one answer), as the page has them."""
    section = PAGE.read_text("utf-8").split("## What is one answer", 1)[1].split("\n### ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    pairs = []
    for row in rows:
        kind, same, other = (cell.strip() for cell in row.split("|")[1:4])
        for cell, expected in ((same, True), (other, False)):
            for gold, *answers in groups(cell):
                pairs += [(kind, gold, answer, expected) for answer in answers]
    return pairs


@pytest.mark.parametrize(("kind", "gold", "answer", "expected"), table())
def test_the_reader_decides_as_the_page_says(kind, gold, answer, expected):
    assert one_answer(read_answer(gold), read_answer(answer)) is expected


def test_the_public_function_decides_as_the_page_says():
    _, golds, answers, expected = zip(*table(), strict=True)
    verdicts = verify_answers(golds, answers)
    assert [verdict == "correct" for verdict in verdicts] == list(expected)


def test_gold_and_answer_are_not_interchangeable_where_the_page_says():
    section = PAGE.read_text("utf-8").split("### Gold and answer", 1)[1].split("\n### ", 1)[0]
    rows = [line.split("|")[1:5] for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == 3
    for gold, answer, straight, swapped in rows:
        texts = [read_answer(re.findall("`(.+)`", cell)[0]) for cell in (gold, answer)]
        assert one_answer(*texts) is straight.strip().startswith("correct")
        assert one_answer(*texts[::-1]) is swapped.strip().startswith("correct")

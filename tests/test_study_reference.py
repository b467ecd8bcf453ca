"""docs/study.md holds the reference that follows from the classes of options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import options_of
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.study.config import study_keys
from rlvr_fast.study.reference import put_into, study_reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "study.md"


def test_the_page_holds_the_reference() -> None:
    page = PAGE.read_text("utf-8")
    assert put_into(page) == page, "run: make docs"


def test_every_key_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", study_reference(), re.MULTILINE)
    inner = {each.name for cls in (SamplingParameters, ScoreOptions) for each in options_of(cls)}
    assert {*study_keys(), *inner} <= set(rows)
    # Every row has the four cells of its heading: no text ends a cell early.
    for line in study_reference().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected a page with the lines"):
        put_into("# Studies\n")

"""A new section is a module, a template and a line; a section may ask earlier sections."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from rlvr_fast.report import Report
from rlvr_fast.report.figures import write_figures
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections import SECTIONS, load_sections
from rlvr_fast.report.table import Table
from rlvr_fast.store import Run

MODULE = '''"""The longest question of the problems."""

from __future__ import annotations

from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.table import Column, Table


def _measure(context: Context) -> Findings[int]:
    longest = max(map(len, context.comparison.problems.prompts))
    rows = [{"characters": longest, "answers": context.measured(ANSWERS).problem.size}]
    columns = (Column("characters", "characters", "count"), Column("answers", "answers", "count"))
    table = Table("questions", "The longest question.", columns, rows)
    return Findings(
        measured=longest,
        tables=(table,),
        headline=f"The longest question has {longest} characters.",
        summary={"longest_question": longest},
        view=lambda: {"longest": longest, "table": table},
        data=lambda: {"longest": longest},
    )


SECTION = Section("toy", _measure)
'''
TEMPLATE = """{% import "macros.html.j2" as m %}
<section id="toy"><h2>Toy</h2><p>The longest question has {{ longest }} letters and signs.</p>
{{ m.table(table, rowhead="characters") }}</section>
"""
WRITE = """
import sys
from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.store import Run
base, rl, out = sys.argv[1:]
print(write_report(compare_runs(Run.open(base), Run.open(rl)), out).headline())
"""


@pytest.mark.slow
def test_a_new_section_is_a_module_a_template_and_a_line(
    pair: tuple[Run, Run], package_copy, tmp_path: Path
) -> None:
    folder = package_copy.package / "report" / "sections"
    (folder / "toy.py").write_text(MODULE)
    (folder / "toy.html.j2").write_text(TEMPLATE)
    listed = (folder / "__init__.py").read_text("utf-8")
    line = '    "problems",\n'
    assert line in listed
    (folder / "__init__.py").write_text(listed.replace(line, f'{line}    "toy",\n'), "utf-8")

    out = tmp_path / "report"
    done = subprocess.run(
        [package_copy.python, "-c", WRITE, *(str(run.path) for run in pair), str(out)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    longest = max(len(p) for p in pair[0].problems()["prompt"].to_pylist())
    (row,) = json.loads((out / "tables" / "questions.json").read_text())["rows"]
    assert row["characters"] == longest
    assert row["answers"] > 0
    assert json.loads((out / "summary.json").read_text())["longest_question"] == longest
    page = (out / "index.html").read_text("utf-8")
    assert f"<p>The longest question has {longest} letters and signs.</p>" in page
    assert page.index('id="problems"') < page.index('id="toy"') < page.index('id="definitions"')
    assert f'"longest":{longest}' in page
    assert f"The longest question has {longest} characters." in done.stdout


def test_sections_are_named_for_their_modules() -> None:
    assert tuple(section.name for section in load_sections()) == SECTIONS


def test_a_section_may_ask_only_earlier_ones(built: Report) -> None:
    context = Context(built.comparison)
    early, late = (Section(name, lambda _: Findings(measured=1)) for name in ("early", "late"))
    context.add(early)
    assert context.measured(early) == 1
    with pytest.raises(LookupError, match="'late' has not measured yet"):
        context.measured(late)


@pytest.mark.parametrize(
    "found",
    [
        Findings(measured=None, tables=(Table("t", "", (), []),)),
        Findings(measured=None, summary={"t": 1}),
        Findings(measured=None, figures={"t": dict}),
    ],
)
def test_two_sections_may_not_use_one_name(built: Report, found: Findings[None]) -> None:
    context = Context(built.comparison)
    context.add(Section("first", lambda _: found))
    with pytest.raises(ValueError, match="'second' repeats names"):
        context.add(Section("second", lambda _: found))


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_a_figure_needs_no_layout_engine(layout: str | None, tmp_path: Path) -> None:
    def draw() -> Figure:
        figure = Figure(layout=layout)
        figure.subplots().plot([0, 1])
        return figure

    written = write_figures({"toy": draw}, tmp_path)
    assert [path.name for path in written] == ["toy.png", "toy.svg", "toy.pdf"]
    assert all(path.stat().st_size > 0 for path in written)

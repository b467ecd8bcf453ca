"""The LaTeX tables compile, for any names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from planted_runs import HOSTILE, write_pair

from rlvr_fast.report import build_report, compare_runs
from rlvr_fast.report.table import Column, Table, latex, write_tables

OTHER_SCRIPTS = "% needs XeLaTeX"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latex")
    comparison = compare_runs(*write_pair(folder, tasks={"a_b & 50% {x}$": 8, "logic": 1}))
    made = build_report(comparison).tables
    names = [t for t in HOSTILE if "\u05d0" not in t] + [
        "\\input{/etc/passwd} ^^5cinput",
        "a\u202eb",
    ]
    hostile = Table("names", HOSTILE[0], (Column("name", "β"),), [{"name": t} for t in names])
    write_tables([*made.values(), hostile], folder / "tables")
    return folder / "tables"


def test_latex_has_every_character_of_a_report(tables: Path) -> None:
    files = sorted(tables.glob("*.tex"))
    assert len(files) > 15
    assert [f.name for f in files if OTHER_SCRIPTS in f.read_text("utf-8")] == []


def test_names_in_other_scripts_add_a_note_on_the_latex_engine() -> None:
    table = Table("t", "c", (Column("id", "id"),), [{"id": "题一"}])
    assert OTHER_SCRIPTS in latex(table)
    assert "题一" in latex(table)


def test_tables_compile(tables: Path, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on PATH (Debian: texlive-latex-base, texlive-latex-recommended)")
    inputs = "\n".join(f"\\input{{{f.name}}}\\clearpage" for f in sorted(tables.glob("*.tex")))
    for file in tables.glob("*.tex"):
        shutil.copy(file, tmp_path)
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\\usepackage[landscape,margin=1cm,paperwidth=90cm]{geometry}"
        "\\usepackage{booktabs,longtable}\\begin{document}\n" + inputs + "\n\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 10_000

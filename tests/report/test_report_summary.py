"""The headline, summary.json and the files of tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from planted_runs import TASKS, write_pair

from rlvr_fast import shown_text
from rlvr_fast.report import (
    CompareOptions,
    Report,
    build_report,
    compare_runs,
    table,
    write_tables,
)
from rlvr_fast.store import Run


def test_summary_has_the_documented_shape(pair: tuple[Run, Run]) -> None:
    summary = build_report(compare_runs(*pair, CompareOptions(rule="epsilon"))).summary()
    json.dumps(summary, allow_nan=False)
    counts = {"problems", "preserved", "expanded", "shrunk", "out", "undetermined"}
    ratios = {"srr", "ndr", "sds", "nscr"}
    assert summary["rule"] == "epsilon"
    assert set(summary["overall"]) == counts | ratios
    assert set(summary["tasks"]) == set(TASKS)
    assert all(set(t) == counts | ratios for t in summary["tasks"].values())
    assert list(summary["pass_at_k"]["base"]) == ["1", "2", "4", "8", "16", "32"]
    assert set(summary["entropy"]["rl"]) >= {"token", "answer", "accuracy", "mean_length"}
    assert summary["overall"]["undetermined"] > 0
    for key in counts:
        assert summary["overall"][key] == sum(t[key] for t in summary["tasks"].values())


def test_headline(built: Report) -> None:
    s = built.comparison.shift
    assert built.headline().startswith(
        f"Of 36 problems, RLVR kept {s.preserved}, lost {s.shrunk} and found {s.expanded};"
    )
    columns, rows = built.headline_table()
    assert columns[:5] == ("group", "N", "P", "S", "E")
    assert rows[0][:3] == ("Overall", "36", str(s.preserved))
    assert all(len(row) == len(columns) for row in rows)


def test_tables_are_written_three_ways(built: Report, tmp_path: Path) -> None:
    comparison = built.comparison
    write_tables(built.tables.values(), tmp_path)
    with (tmp_path / "support_seen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["group"] for r in rows] == ["Overall", "puzzles", "logic", *TASKS]
    assert int(rows[0]["preserved"]) == comparison.shift.preserved
    data = json.loads((tmp_path / "support_seen.json").read_text())
    assert data["rows"][0]["srr"] == comparison.shift.srr
    assert "at least one correct draw" in data["caption"]
    text = (tmp_path / "support_seen.tex").read_text()
    assert (
        rf"overall & Overall & {len(comparison.problems)} & {comparison.shift.preserved} &" in text
    )
    with (tmp_path / "problems.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(comparison.problems)


def test_text_cannot_act_in_latex_or_a_spreadsheet() -> None:
    assert shown_text.latex("a_b & 50% \\input{x} $^~\n#") == (
        r"a\_b \& 50\% \textbackslash{}input\{x\} \$\textasciicircum{}\textasciitilde{} \#"
    )
    assert shown_text.csv_cell("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert table.cell_text(float("nan"), "share") == "–"


def test_entropies_at_32_draws_are_those_of_32_draws(tmp_path: Path) -> None:
    """With just 32 draws they are the plug-in values; with more they are less."""
    exact = compare_runs(*write_pair(tmp_path / "a", tasks={"puzzle": 8}, samples=32))
    deep = compare_runs(*write_pair(tmp_path / "b", tasks={"puzzle": 8}, samples=128))
    for comparison in (exact, deep):
        for row in build_report(comparison).summary()["entropy"].values():
            if comparison is exact:
                assert row["answer_at_32"] == pytest.approx(row["answer"])
            else:
                assert row["answer_at_32"] < row["answer"]

"""Two run directories to one comparison: every number recounted from the Parquet files."""

from __future__ import annotations

import collections
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
<<<<<<< HEAD
from planted_runs import write_pair
from rlvr_fast.report.evidence import luck_sentences
from rlvr_fast.report.examples import collect_examples
from rlvr_fast.report.summary import all_tables
=======
from planted_runs import TASKS, write_pair
from recount import naive, rows_of
>>>>>>> options

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
<<<<<<< HEAD
from rlvr_fast.report import Comparison, analysis, compare_runs, table, write_report
=======
from rlvr_fast.report import CompareOptions, Report, build_report, compare_runs, write_report
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
>>>>>>> options
from rlvr_fast.store import Run


def test_counts_match_the_draws(pair: tuple[Run, Run], built: Report) -> None:
    comparison = built.comparison
    (_, base, base_answers), (_, rl, rl_answers) = (naive(run) for run in pair)
    regions = collections.Counter(
        {(True, True): "preserved", (True, False): "shrunk", (False, True): "expanded"}.get(
            (base[p] > 0, rl[p] > 0), "out"
        )
        for p in comparison.problems.ids
    )
    for name in ("preserved", "shrunk", "expanded", "out"):
        assert getattr(comparison.shift, name) == regions[name]
    assert regions["shrunk"] > 0
    assert comparison.shift.srr == pytest.approx(
        regions["preserved"] / (regions["preserved"] + regions["shrunk"])
    )
    answers = built.measured(ANSWERS).shifts["seen"][0]
    assert answers.preserved == len(set(base_answers) & set(rl_answers))
    assert answers.shrunk == len(set(base_answers) - set(rl_answers))
    assert answers.expanded == len(set(rl_answers) - set(base_answers))


def test_side_measures_match_the_draws(pair: tuple[Run, Run], built: Report) -> None:
    comparison = built.comparison
    for side, run in zip(comparison.sides, pair, strict=True):
        drawn, correct, _ = naive(run)
        row = built.summary()["entropy"][side.name]
        assert row["accuracy"] == pytest.approx(
            np.mean([correct[p] / drawn[p] for p in comparison.problems.ids])
        )
        samples = rows_of(run, "samples")
        assert row["mean_length"] == pytest.approx(np.mean([len(s["token_ids"]) for s in samples]))
        scores = rows_of(run, f"scores/{side.name}")
        assert row["token"] == pytest.approx(np.mean([s["mean_entropy"] for s in scores]))
        entropies = []
        for problem in comparison.problems.ids:
            answers = (
                collections.Counter(
                    a["answer_id"] for a in rows_of(run, "answers") if a["problem_id"] == problem
                )
                if problem.endswith("-3")
                else None
            )
            if answers:
                p = np.array(list(answers.values())) / sum(answers.values())
                entropies.append((problem, -(p * np.log(p)).sum()))
        for problem, value in entropies:
            at = comparison.problems.ids.index(problem)
            assert side.answer_entropy[at] == pytest.approx(value)


def test_every_problem_keeps_its_number_of_samples(tmp_path: Path, pair: tuple[Run, Run]) -> None:
    base, rl = write_pair(tmp_path, tasks=TASKS, samples=20, seed=3, scores=False)
    del base
    ids = rl.problems()["problem_id"].to_pylist()
    grades = rl.read_table("grades.parquet")
    assert grades is not None
    rl.write_table(
        "grades.parquet", grades.filter(pa.compute.not_equal(grades["problem_id"], ids[0]))
    )
    comparison = compare_runs(pair[0], Run.open(rl.path))
    assert comparison.rl.num_samples[0] == 0
    assert set(comparison.rl.num_samples[1:]) == {20}
    assert str(comparison.shift.labels[0]) == "undetermined"
    assert any("different numbers of samples" in note for note in comparison.notes)
    assert any("not graded yet" in note for note in comparison.notes)
    assert comparison.ks[-1] == 20
    report = build_report(comparison)
    overall = next(row for row in report.tables["entropy"].rows if row["model"] == "rl")
    assert math.isnan(overall["token_entropy"])
    assert report.summary()["entropy"]["rl"]["token"] is None


def test_other_sampling_is_refused_unless_allowed(tmp_path: Path, pair: tuple[Run, Run]) -> None:
    _, rl = write_pair(tmp_path, tasks=TASKS, samples=4, seed=3, scores=False)
    info = json.loads((rl.path / "run.json").read_text())
    info["sampling"]["temperature"] = 1.0
    (rl.path / "run.json").write_text(json.dumps(info))
    with pytest.raises(
        InvalidInputError, match=r"(?s)sampling.*temperature.*0\.6.*1\.0.*--allow sampling"
    ):
        compare_runs(pair[0], Run.open(rl.path))
    comparison = compare_runs(pair[0], Run.open(rl.path), CompareOptions(allow=("sampling",)))
    assert "temperature" in comparison.allowed["sampling"]
    assert set(build_report(comparison).summary()["sampling"]) == {"base", "rl"}


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("policy", "boxed", "extraction"),
        ("tasks", {"logic": {"verifier": "planted 2"}}, "verifiers"),
        ("limits", {"timeout": 1.0}, "verifiers"),
    ],
)
def test_other_grading_is_refused(
    tmp_path: Path, pair: tuple[Run, Run], key: str, value: object, kind: str
) -> None:
    _, rl = write_pair(tmp_path, tasks=TASKS, samples=4, seed=3, scores=False)
    rl.write_json("grading.json", {**rl.read_json("grading.json"), key: value})
    with pytest.raises(InvalidInputError, match=f"--allow {kind}"):
        compare_runs(pair[0], rl)
    assert kind in compare_runs(pair[0], rl, CompareOptions(allow=(kind,))).allowed


def test_other_problems_are_refused(tmp_path: Path, pair: tuple[Run, Run]) -> None:
    _, rl = write_pair(tmp_path, tasks={"puzzle": 8}, samples=4, scores=False)
    with pytest.raises(InvalidInputError, match="36 and 12 problems"):
        compare_runs(pair[0], rl)
    comparison = compare_runs(
        pair[0],
        rl,
        CompareOptions(
            allow=(
                "problems",
                "tasks",
            )
        ),
    )
    assert len(comparison.problems) == 12
    assert comparison.shift.problems == 12


def test_ungraded_run_is_named(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks=TASKS, samples=4, seed=3, scores=False)
    base.write_json("grading.json", {"limits": {"timeout": 5.0}})
    (rl.path / "grades.parquet").unlink()
    # and not that its verifiers' limits differ
    with pytest.raises(RunDirectoryError, match=r"rl: grades\.parquet is missing.*rlvr-fast grade"):
        compare_runs(base, rl)


def test_unknown_rule_and_allowance(pair: tuple[Run, Run]) -> None:
    with pytest.raises(InvalidInputError, match="rule"):
        compare_runs(*pair, CompareOptions(rule="often"))
    with pytest.raises(InvalidInputError, match="'model'"):
<<<<<<< HEAD
        compare_runs(*pair, allow=["model"])


def test_examples_are_real_completions(pair: tuple[Run, Run]) -> None:
    comparison = compare_runs(*pair)
    examples = collect_examples(comparison, "shrunk")
    assert examples
    texts = {(r["problem_id"], r["sample_index"]): r["text"] for r in rows_of(pair[0], "samples")}
    for e in examples:
        assert e.text == texts[comparison.problems.ids[e.problem], e.sample_index]
        assert e.answer in e.text
        assert comparison.rl.num_correct[e.problem] == 0


def test_summary_has_the_documented_shape(pair: tuple[Run, Run]) -> None:
    summary = compare_runs(*pair, rule="epsilon").summary()
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


def test_tables_are_written_three_ways(pair: tuple[Run, Run], tmp_path: Path) -> None:
    comparison = compare_runs(*pair)
    table.write_tables(all_tables(comparison), tmp_path)
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
    assert table.latex_escape("a_b & 50% \\input{x} $^~\n#") == (
        r"a\_b \& 50\% \textbackslash{}input\{x\} \$\textasciicircum{}\textasciitilde{} \#"
    )
    assert table._csv_cell("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert table.cell_text(float("nan"), "share") == "–"


def test_headline(pair: tuple[Run, Run]) -> None:
    comparison = compare_runs(*pair)
    s = comparison.shift
    assert comparison.headline().startswith(
        f"Of 36 problems, RLVR kept {s.preserved}, lost {s.shrunk} and found {s.expanded};"
    )
    columns, rows = comparison.headline_table()
    assert columns[:5] == ("group", "N", "P", "S", "E")
    assert rows[0][:3] == ("Overall", "36", str(s.preserved))
    assert all(len(row) == len(columns) for row in rows)


def test_evidence_rests_on_the_same_draws(pair: tuple[Run, Run]) -> None:
    comparison = compare_runs(*pair)
    ids = comparison.problems.ids
    (drawn, base, _), (_, rl, _) = (naive(run) for run in pair)
    n = [drawn[p] for p in ids]
    b, r = [base[p] for p in ids], [rl[p] for p in ids]
    row = comparison.summary()["evidence"]
    null = metrics.exchange_null(b, n, r, n)
    assert row["shrunk_by_luck"] == pytest.approx(null.shrunk)
    assert row["p_shrunk"] == pytest.approx(null.p_shrunk)
    assert row["srr_low"] < comparison.shift.srr < row["srr_high"]
    assert row["srr_least"] <= comparison.shift.srr <= row["srr_most"]
    assert row["srr_least"] < row["srr_most"]  # the runs hold unparsed and timed-out draws
    said = luck_sentences(comparison.shift, comparison.evidence[0])
    assert f"{null.shrunk:.1f} lost" in said[0]
    assert f"The {comparison.shift.shrunk} lost are" in said[1]


def test_no_nucleus_claim_from_scores_at_another_temperature(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks={"logic": 1}, samples=16, seed=3)
    comparison = compare_runs(base, rl)
    (before,) = analysis.completion_support(comparison, comparison.rl, "base")
    assert before.outside > 0
    rl.write_json("scores/base/scores.json", {"temperature": 1.0, "top_p": 0.95})
    comparison = compare_runs(base, rl)
    (after,) = analysis.completion_support(comparison, comparison.rl, "base")
    assert math.isnan(after.outside)
    assert after.log_ratio == before.log_ratio
    assert comparison.summary()["completions"][0]["outside"] is None


def test_the_ceiling_of_every_tilt_is_what_base_was_seen_to_solve(pair: tuple[Run, Run]) -> None:
    from rlvr_fast.report.sentences import ceiling_sentence

    from rlvr_fast.report import evidence_tables

    comparison = compare_runs(*pair)
    table = evidence_tables.reweighting_table(comparison)
    for group, row in zip(comparison.groups, table.rows, strict=True):
        solved = comparison.base.num_correct[group.members] > 0
        assert row["ceiling"] == pytest.approx(float(solved.mean()))
    assert f"{table.rows[0]['ceiling']:.1%}" in ceiling_sentence(comparison)


def test_progress_of_a_comparison_ends_where_it_said(pair: tuple[Run, Run], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    comparison = compare_runs(*pair, progress=lambda *step: seen.append(step))
    write_report(comparison, tmp_path, progress=lambda *step: seen.append(step))
    for stage in ("compare", "report"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert [done for done, _ in steps] == list(range(len(steps)))
        assert {total for _, total in steps} == {len(steps) - 1}


def test_entropies_at_32_draws_are_those_of_32_draws(tmp_path: Path) -> None:
    """With just 32 draws they are the plug-in values; with more they are less."""
    exact = compare_runs(*write_pair(tmp_path / "a", tasks={"puzzle": 8}, samples=32))
    deep = compare_runs(*write_pair(tmp_path / "b", tasks={"puzzle": 8}, samples=128))
    for comparison in (exact, deep):
        for row in analysis_rows(comparison):
            if comparison is exact:
                assert row["answer_at_32"] == pytest.approx(row["answer"])
            else:
                assert row["answer_at_32"] < row["answer"]


def analysis_rows(comparison: Comparison) -> list[dict]:
    return list(comparison.summary()["entropy"].values())


def test_the_figure_marks_where_the_curves_cross(pair: tuple[Run, Run]) -> None:
    from rlvr_fast.report import figures

    comparison = compare_runs(*pair)
    panels = figures._pass_at_k(comparison).axes
    marked = {a.get_title(loc="left") or a.get_title(): [t.xy[0] for t in a.texts] for a in panels}
    for group, evidence in zip(comparison.groups, comparison.evidence, strict=True):
        if group.kind != "domain":
            found = evidence.crossover
            assert found is not None
            assert marked[group.name] == ([] if found.k is None else [found.k])
    assert any(marked.values())
=======
        compare_runs(*pair, CompareOptions(allow=("model",)))
>>>>>>> options


def test_a_note_says_that_greedy_draws_are_one(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, tasks={"logic": 1}, samples=8, sampling={"temperature": 0.0})
    notes = compare_runs(*pair).notes
    assert [note for note in notes if "temperature 0" in note] == list(notes)
    assert len(notes) == 2


def test_progress_of_a_comparison_ends_where_it_said(pair: tuple[Run, Run], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    comparison = compare_runs(*pair, progress=lambda *step: seen.append(step))
    build_report(comparison, progress=lambda *step: seen.append(("build", *step[1:])))
    write_report(comparison, tmp_path, progress=lambda *step: seen.append(step))
    for stage in ("compare", "build", "report"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert [done for done, _ in steps] == list(range(len(steps)))
        assert {total for _, total in steps} == {len(steps) - 1}

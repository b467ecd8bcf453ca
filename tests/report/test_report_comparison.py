"""Two run directories to one comparison: every number recounted from the Parquet files."""

from __future__ import annotations

import collections
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from planted_runs import TASKS, write_pair
from recount import naive, rows_of

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.report import CompareOptions, Report, build_report, compare_runs, write_report
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.store import Run, seal


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
    seal(rl)
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
    seal(Run.open(rl.path))
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
    seal(rl)
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
    seal(base)
    (rl.path / "grades.parquet").unlink()
    # and not that its verifiers' limits differ
    with pytest.raises(RunDirectoryError, match=r"rl: grades\.parquet is missing.*rlvr-fast grade"):
        compare_runs(base, rl)


def test_unknown_rule_and_allowance(pair: tuple[Run, Run]) -> None:
    with pytest.raises(InvalidInputError, match="rule"):
        compare_runs(*pair, CompareOptions(rule="often"))
    with pytest.raises(InvalidInputError, match="'model'"):
        compare_runs(*pair, CompareOptions(allow=("model",)))


def test_a_warning_reports_that_greedy_draws_count_as_one(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, tasks={"logic": 1}, samples=8, sampling={"temperature": 0.0})
    comparison = compare_runs(*pair)
    assert not comparison.independent
    assert "temperature 0" in comparison.warnings[0]


@pytest.mark.slow
def test_progress_of_a_comparison_ends_at_its_total(pair: tuple[Run, Run], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    comparison = compare_runs(*pair, progress=lambda *step: seen.append(step))
    build_report(comparison, progress=lambda *step: seen.append(("build", *step[1:])))
    write_report(comparison, tmp_path, progress=lambda *step: seen.append(step))
    for stage in ("compare", "build", "report"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert [done for done, _ in steps] == list(range(len(steps)))
        assert {total for _, total in steps} == {len(steps) - 1}

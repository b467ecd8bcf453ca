from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from grading_runs import add_samples, boxed, make_run, tagged

from rlvr_fast.answers import audit_run, grade_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.tasks import load_verifier


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    source = folder / "sums.jsonl"
    golds = ["1/2", "x^2-1"]
    source.write_text(
        "".join(
            json.dumps({"id": i, "question": "?", "answer": g}) + "\n" for i, g in enumerate(golds)
        )
    )
    countdown = "reasoning_gym:countdown?max_numbers=3&min_numbers=3&seed=7&size=1"
    run, problems = make_run(folder / "run", [f"math:{source}", countdown])
    add_samples(
        run,
        {
            "sums/0": [boxed("0.5"), boxed("2"), boxed("3")],
            "sums/1": [
                boxed(r"\frac{x^3-x}{x}"),
                boxed(r"\frac{x^3-x}{x^2}"),
                boxed(r"x^2-\sin^2(x)-\cos^2(x)"),
            ],
            "countdown/0": [tagged(problems[2].gold), tagged("1 + 1")],
        },
    )
    grade_run(run)
    return run


@pytest.mark.slow
def test_each_kind_of_verdict_has_its_second_verifier(graded):
    report = audit_run(graded, 100)
    written = graded.read_json("audit.json")
    assert set(written.pop("made_from")) == {"itself"}
    assert written == report
    assert report["model"] == {"name": "by hand", "revision": "1"}
    pairs = {tuple(part.split()[0] for part in name.split(" | ")) for name in report["graders"]}
    assert ("rlvr_fast", "rlvr_fast") in pairs
    assert ("rlvr_fast", "math-verify") in pairs
    assert ("reasoning-gym", "reasoning-gym") in pairs
    assert report["sampled"] == 8
    assert report["disagreed"] == 0
    assert report["disagreements"] == []


@pytest.mark.slow
def test_a_wrong_verdict_is_found_and_named(graded):
    grades = graded.read_table("grades.parquet")
    flipped = [
        "incorrect"
        if (row["problem_id"], row["verdict"]) == ("sums/0", "correct")
        else row["verdict"]
        for row in grades.to_pylist()
    ]
    column = grades.schema.get_field_index("verdict")
    graded.write_table("grades.parquet", grades.set_column(column, "verdict", [flipped]))
    try:
        report = audit_run(graded, 100)
    finally:
        graded.write_table("grades.parquet", grades)
    (found,) = report["disagreements"]
    assert (found["problem_id"], found["gold"], found["answer"]) == ("sums/0", "1/2", "0.5")
    assert (found["verdict"], found["second_verdict"]) == ("incorrect", "correct")


@pytest.mark.slow
def test_the_sample_has_the_size_asked_for_and_both_verdicts(graded):
    report = audit_run(graded, 4)
    assert report["sampled"] == sum(t["sampled"] for t in report["graders"].values()) == 4


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("1/2", "0.5", "correct"),
        ("1/2", "0.51", "incorrect"),
        ("x^2-1", "(x-1)(x+1)", "correct"),
        ("x^2-1", "x^2+1", "incorrect"),
        ("5", "x = 5", "correct"),
        (r"\{1,2\}", "1", "incorrect"),
    ],
)
def test_math_verify_is_the_second_opinion(gold, answer, expected):
    assert load_verifier("math_verify:opinion").verify("p", gold, {}, answer) == expected


@pytest.mark.slow
def test_invalid_audit_is_refused(graded, tmp_path):
    with pytest.raises(InvalidInputError, match="at least 1 verdict"):
        audit_run(graded, 0)
    source = tmp_path / "one.jsonl"
    source.write_text('{"question": "?", "answer": "1"}\n')
    run, _ = make_run(tmp_path / "run", [f"math:{source}"])
    with pytest.raises(RunDirectoryError, match="not graded yet"):
        audit_run(run, 5)

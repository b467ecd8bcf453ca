"""Grading by the verdicts that came with rollouts, and their agreement with ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from rollout_runs import add_draws, imported_run

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.answers.normalization import CANONICAL_GRADER
from rlvr_fast.answers.sentences import grading_sentences
from rlvr_fast.doctor import describe, examine_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store import Run

HALF, SAME, OTHER = r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{3}"
DRAWS = {
    "a": [(HALF, True), (SAME, True), (SAME, False), ("no box", False), ("no box", True)],
    "b": [(OTHER, None), ("no box", None), (OTHER, True)],
}


def classes(run: Run) -> set[tuple[str, str | None, str, int]]:
    grades = run.read_table("grades.parquet")
    assert grades is not None
    return {
        (row["problem_id"], row["canonical"], row["verdict"], row["count"])
        for row in grades.to_pylist()
    }


def test_the_verdict_of_the_file_becomes_the_verdict_of_each_draw(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS)
    grades = grade_run(run, GradeOptions(verdicts="imported"))
    assert classes(run) == {
        ("a", "1/2", "correct", 2),
        ("a", "1/2", "incorrect", 1),
        ("a", None, "incorrect", 1),
        ("a", None, "correct", 1),
        ("b", "3", "error", 1),
        ("b", None, "error", 1),
        ("b", "3", "correct", 1),
    }
    by_id = {row["answer_id"]: row for row in grades.to_pylist()}
    assert sorted(by_id) == list(range(7))
    for draw in run.read("answers").to_pylist():
        row = by_id[draw["answer_id"]]
        assert row["problem_id"] == draw["problem_id"]
        assert (row["canonical"] is None) == (draw["answer"] is None)
        given = draw["imported_verdict"]
        assert (row["verdict"], row["grader"]) == (
            (given, "imported: acc") if given else ("error", "imported: no verdict given")
        )
    grading = run.read_json("grading.json")
    assert grading["verdicts"] == "imported"
    assert grading["tasks"]["imported"]["verifier"] == "imported: acc"
    assert grading["limits"] is None
    assert grading["graded"]["with_answer"] == 5
    assert grading["graded"]["without_verdict"] == 2
    assert grading["graded"]["distinct_answers"] == 4
    first, *_ = grading_sentences(run)
    assert "8 completions of 2 problems, 5 with an answer" in first
    assert "4 correct, 2 incorrect (imported: acc), 2 on which the file says nothing" in first
    (about,) = [f for f in examine_run(run.path) if f["where"].endswith("grading.json")]
    assert about["level"] == "warning"
    assert "2 completions have none" in about["message"]


def test_auto_takes_imported_verdicts_only_where_no_problem_has_a_gold_answer(tmp_path):
    without = imported_run(tmp_path / "without", DRAWS)
    grade_run(without)
    grading = without.read_json("grading.json")
    assert grading["verdicts"] == "imported"
    assert "No problem has a gold answer" in grading["verdicts_because"]
    assert grading["verdicts_because"] in grading_sentences(without)
    assert describe(without)["grading"]["verdicts"] == "imported"
    with_golds = imported_run(tmp_path / "with", DRAWS, golds={"a": "0.5", "b": "3"})
    grade_run(with_golds)
    assert with_golds.read_json("grading.json")["verdicts"] == "ours"
    assert with_golds.read_json("grading.json")["verdicts_because"] == ""
    assert classes(with_golds) == {
        ("a", None, "unparsed", 2),
        ("a", "1/2", "correct", 3),
        ("b", None, "unparsed", 1),
        ("b", "3", "correct", 2),
    }


@pytest.mark.parametrize("rule", [None, "acc"])
def test_problems_without_gold_are_not_graded_and_the_others_are(tmp_path, rule):
    run = imported_run(tmp_path / "run", DRAWS, golds={"a": "0.5", "b": " "}, rule=rule)
    grades = grade_run(run)
    assert classes(run) == {
        ("a", None, "unparsed", 2),
        ("a", "1/2", "correct", 3),
        ("b", None, "error", 1),
        ("b", "3", "error", 2),
    }
    assert {(row["problem_id"], row["grader"]) for row in grades.to_pylist()} == {
        ("a", CANONICAL_GRADER),
        ("a", "extraction auto"),
        ("b", "no gold answer"),
    }
    grading = run.read_json("grading.json")
    assert grading["graded"]["without_gold"] == {"problems": 1, "completions": 3}
    assert grading["unparsed"] is None  # 2 of the 5 completions that can be graded
    if rule:
        found = grading["imported_agreement"]
        assert [found[k] for k in ("compared", "agreed", "unparsed", "undecided")] == [5, 2, 2, 0]
    first, second, *_ = grading_sentences(run)
    assert "3 correct, 0 incorrect, 2 without an answer, 3 not graded." in first
    assert "not decided" not in first
    assert "1 problem without a gold answer, with 3 completions that cannot be graded" in second
    assert "--problems math:FILE" in second
    (about,) = [f for f in examine_run(run.path) if "gold" in f["message"]]
    assert about["level"] == "warning"
    assert "no gold answer for 1 of 2 problems: 3 completions" in about["message"]
    assert "--problems math:FILE" in about["remedy"]
    assert grade_run(Run.open(run.path)).equals(grades)


def test_a_sampled_run_without_some_golds_is_an_error(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS, golds={"a": "0.5"}, rule=None, engine="vllm")
    with pytest.raises(InvalidInputError, match=r"'b' has none"):
        grade_run(run)
    assert not run.parts("answers")


ALTERNATIVES = {
    "a": {"alternative_golds": ["0.75", 3, None, "  "]},
    "b": {"alternative_golds": ["x + 1", r"\text{none}"]},
    "c": {"alternative_golds": "7"},
}


def test_an_answer_that_equals_any_alternative_is_correct(tmp_path):
    answers = {
        "a": ["1/2", "0.5", r"\frac34", "3", "0.8"],
        "b": ["1+x", "x+2", "none", "5", r"\frac{x^2-1}{x-1}"],
        "c": ["7", "6"],
    }
    draws = {n: [(rf"\boxed{{{text}}}", None) for text in given] for n, given in answers.items()}
    golds = {"a": "0.5", "b": "5", "c": "6"}
    run = imported_run(tmp_path / "run", draws, golds=golds, metadata=ALTERNATIVES, rule=None)
    verdict = {(r["problem_id"], r["answer_id"]): r["verdict"] for r in grade_run(run).to_pylist()}
    found = {
        (row["problem_id"], row["answer"]): verdict[row["problem_id"], row["answer_id"]]
        for row in run.read("answers").to_pylist()
    }
    right = {key for key, word in found.items() if word == "correct"}
    assert right == {
        *(("a", text) for text in ("1/2", "0.5", r"\frac34")),
        *(("b", text) for text in ("1+x", "none", "5", r"\frac{x^2-1}{x-1}")),
        ("c", "6"),
    }
    assert set(found.values()) == {"correct", "incorrect"}


def test_other_alternatives_are_verified_anew(tmp_path):
    """The journal does not answer for a pair with other alternatives."""
    draws = {"a": [(r"\boxed{\frac{x^2-1}{x-1}}", None)]}
    run = imported_run(tmp_path / "run", draws, golds={"a": "x"}, rule=None)
    assert grade_run(run)["verdict"].to_pylist() == ["incorrect"]
    known = {"a": {"alternative_golds": ["x+1"]}}
    other = imported_run(tmp_path / "other", draws, golds={"a": "x"}, metadata=known, rule=None)
    (other.path / "verdicts.jsonl").write_bytes((run.path / "verdicts.jsonl").read_bytes())
    assert grade_run(other)["verdict"].to_pylist() == ["correct"]


def test_an_audit_knows_alternatives(tmp_path):
    draws = {"a": [(r"\boxed{\frac{x^2-1}{x-1}}", None), (r"\boxed{0.5}", None)]}
    known = {"a": {"alternative_golds": ["x+1", "1/2"]}}
    run = imported_run(tmp_path / "run", draws, golds={"a": "x"}, metadata=known, rule=None)
    assert set(grade_run(run, GradeOptions(audit=9))["verdict"].to_pylist()) == {"correct"}
    audit = run.read_json("audit.json")
    assert (audit["sampled"], audit["disagreed"]) == (2, 0)


@pytest.mark.parametrize("rule", [None, "acc"])
def test_neither_golds_nor_verdicts(tmp_path, rule):
    """Also where the columns of verdicts are there and empty."""
    run = imported_run(tmp_path / "run", {"a": [(HALF, None)]}, rule=rule)
    with pytest.raises(
        InvalidInputError, match=r"--problems math:FILE, or --field gold=FIELD.*--verdict FIELD"
    ):
        grade_run(run)
    with pytest.raises(InvalidInputError, match="no verdict came with these completions"):
        grade_run(run, GradeOptions(verdicts="imported"))


def test_another_source_of_verdicts_needs_regrade(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS, golds={"a": "0.5", "b": "3"})
    grade_run(run)
    ours = classes(run)
    with pytest.raises(RunDirectoryError, match=r"verdicts 'ours', now 'imported'.*--regrade"):
        grade_run(run, GradeOptions(verdicts="imported"))
    assert classes(run) == ours
    grade_run(run, GradeOptions(verdicts="imported", regrade=True))
    assert ("a", None, "correct", 1) in classes(run)
    with pytest.raises(RunDirectoryError, match="verdicts 'imported', now 'ours'"):
        grade_run(run)
    grade_run(run, GradeOptions(verdicts="ours", regrade=True))
    assert classes(run) == ours


def test_an_older_grading_counts_as_ours(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS, golds={"a": "0.5", "b": "3"})
    grade_run(run)
    grading = run.read_json("grading.json")
    del grading["verdicts"]
    run.write_json("grading.json", grading)
    grade_run(run)
    with pytest.raises(RunDirectoryError, match="verdicts 'ours'"):
        grade_run(run, GradeOptions(verdicts="imported"))


def test_more_samples_keep_the_ids_of_answers(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS)
    before = {row["answer_id"]: row for row in grade_run(run).to_pylist()}
    add_draws(run, {"a": [(HALF, False), ("new", False), (r"\boxed{9}", True)]}, first=5)
    after = {row["answer_id"]: row for row in grade_run(Run.open(run.path)).to_pylist()}
    for number, row in before.items():
        same = {key: after[number][key] for key in row if key != "count"}
        assert same == {key: row[key] for key in same}
    assert ("a", "1/2", "incorrect", 2) in classes(run)
    assert ("a", None, "incorrect", 2) in classes(run)
    assert ("a", "9", "correct", 1) in classes(run)
    assert len(after) == len(before) + 1


def test_an_interrupted_grading_resumes_with_the_same_ids(tmp_path):
    """As kill -9 leaves a run: answers stored, and no grades."""
    run = imported_run(tmp_path / "run", DRAWS)
    whole = grade_run(run)
    run.remove("grades.parquet")
    assert grade_run(Run.open(run.path)).equals(whole)


def test_a_code_task_needs_no_sandbox_and_no_file(tmp_path, monkeypatch):
    from rlvr_fast.tasks import sandbox

    def refuse() -> None:
        raise AssertionError("asked for a sandbox")

    monkeypatch.setattr(sandbox, "require_sandbox", refuse)
    program = "```python\nprint(1)\n```"
    run = imported_run(
        tmp_path / "run",
        {"a": [(program, True), (program.replace("1", "1.0"), False)]},
        spec="code:no/such/file.jsonl?sha256=00",
    )
    grade_run(run, GradeOptions(verdicts="imported"))
    assert run.read_json("grading.json")["tasks"]["imported"]["policy"] == "code_block"
    assert {row[2:] for row in classes(run)} == {("correct", 1), ("incorrect", 1)}


def test_an_unknown_kind_of_task_is_no_obstacle(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS, spec="nobody:knows")
    grade_run(run, GradeOptions(verdicts="imported"))
    assert run.read_json("grading.json")["graded"]["verdicts"]["correct"] == 4


def test_an_audit_of_imported_verdicts_is_refused(tmp_path):
    run = imported_run(tmp_path / "run", DRAWS)
    with pytest.raises(InvalidInputError, match="audit"):
        grade_run(run, GradeOptions(audit=3))
    assert not run.parts("answers")


def test_agreement_of_ours_with_theirs(tmp_path):
    hostile = "\x1b]0;pwned\x07</script>\u202e \\boxed{7}"
    run = imported_run(
        tmp_path / "run",
        {
            "a": [(HALF, True), (SAME, True), (SAME, False), (OTHER, True), (OTHER, False)],
            "b": [("none", True), ("none", False), ("none", None), (HALF, None)],
            "c": [(hostile, True)],
        },
        golds={"a": "1/2", "b": "4", "c": "8"},
    )
    grade_run(run)
    found = run.read_json("grading.json")["imported_agreement"]
    examples = found.pop("examples")
    message = found.pop("message")
    assert found == {
        "rule": "acc",
        "compared": 8,
        "agreed": 3,
        "only_ours_correct": 1,
        "only_imported_correct": 2,
        "unparsed": 2,
        "unparsed_correct": 1,
        "undecided": 0,
    }
    assert "(acc) on 3 of 8 completions (37.5%): 1 correct by ours only, 2 correct by" in message
    assert "2 without an answer that we find (1 of them correct by theirs)" in message
    told = {(e["problem_id"], e["sample_index"]): e for e in examples}
    assert set(told) == {("a", 2), ("a", 3), ("b", 0), ("c", 0)}
    assert told["a", 2] == {
        "kind": "only ours is correct",
        "problem_id": "a",
        "sample_index": 2,
        "gold": "1/2",
        "answer": "0.5",
        "tail": SAME,
    }
    assert told["b", 0]["answer"] is None
    lines = grading_sentences(run)
    assert message in lines
    assert sum(line.startswith("  ") for line in lines) == 4
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


def test_examples_are_five_of_different_answers_and_kinds(tmp_path):
    wrong = [(rf"\boxed{{{i // 3}}}", True) for i in range(30)]
    run = imported_run(
        tmp_path / "run",
        {"a": wrong, "b": [(HALF, False)] * 20 + [("x" * 5000, True)]},
        golds={"a": "77", "b": "1/2"},
    )
    grade_run(run)
    found = run.read_json("grading.json")["imported_agreement"]
    assert (found["agreed"], found["compared"]) == (0, 51)
    kinds = [e["kind"] for e in found["examples"]]
    assert len(kinds) == 5
    assert set(kinds) == {
        "only ours is correct",
        "only theirs is correct",
        "theirs is correct, we find no answer",
    }
    answers = [e["answer"] for e in found["examples"] if e["problem_id"] == "a"]
    assert len(answers) == len(set(answers)) == 3
    assert max(len(e["tail"]) for e in found["examples"]) == 200


def test_full_agreement_has_no_examples(tmp_path):
    run = imported_run(tmp_path / "run", {"a": [(HALF, True), (OTHER, False)]}, golds={"a": ".5"})
    grade_run(run)
    found = run.read_json("grading.json")["imported_agreement"]
    assert found["examples"] == []
    assert found["message"].endswith("2 of 2 completions (100.0%).")


def test_runs_without_verdicts_compare_nothing(tmp_path):
    run = imported_run(tmp_path / "run", {"a": [(HALF, None)]}, golds={"a": "1/2"}, rule=None)
    grade_run(run)
    assert run.read_json("grading.json")["imported_agreement"] is None
    assert "imported_verdict" not in run.read("answers").column_names

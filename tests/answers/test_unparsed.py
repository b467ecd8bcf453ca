"""Runs whose completions have no answer: what is said, the likely reason, the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from rollout_runs import imported_run

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.answers.sentences import grading_sentences
from rlvr_fast.doctor import describe, examine_run
from rlvr_fast.store import Run

BOXED = r"\boxed{1}"


def graded(path: Path, texts: dict[str, list[str]], **arguments) -> Run:
    golds = dict.fromkeys(texts, "1")
    draws = {name: [(text, None) for text in many] for name, many in texts.items()}
    run = imported_run(path, draws, golds=golds, rule=None, **arguments)
    grade_run(run)
    return run


def test_a_run_with_answers_has_no_warning(tmp_path):
    run = graded(tmp_path / "run", {"a": [BOXED, BOXED, "no"]})
    assert run.read_json("grading.json")["unparsed"] is None
    assert grading_sentences(run) == [
        "3 completions of 1 problem, 2 with an answer (1 distinct): 2 correct, 0 incorrect, "
        "1 without an answer."
    ]


def test_a_wholly_unparsed_run_says_so_in_a_normal_sentence(tmp_path):
    run = graded(tmp_path / "run", {"a": ["I give up"] * 4, "b": ["?"] * 8})
    first, warning = grading_sentences(run)
    assert first == "12 completions of 2 problems, 0 with an answer."
    assert warning.startswith("WARNING: 12 of 12 completions have no answer")
    assert "and the questions ask for none" in warning
    counts = describe(run)["counts"]
    assert (counts["answers"], counts["distinct answers"]) == (0, 0)
    (finding,) = [f for f in examine_run(run.path) if f["where"].endswith("grading.json")]
    assert finding["level"] == "warning"
    assert "12 of 12" in finding["message"]
    assert "boxed" in finding["remedy"]


def test_the_questions_asked_for_a_box(tmp_path):
    run = graded(
        tmp_path / "run",
        {"a": ["I give up"] * 2},
        metadata={"a": {"messages": [{"role": "system", "content": r"Use \boxed{}."}]}},
    )
    assert "ask for none" not in run.read_json("grading.json")["unparsed"]["reason"]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("So.\n#### 1", "final_line"),
        ("about 1 or so", "last_number"),
        ("```\n1\n```\n#### 1", "final_line"),
    ],
)
def test_another_policy_finds_answers(tmp_path, text, policy):
    run = graded(tmp_path / "run", {"a": [text] * 9 + ["nothing"]})
    found = run.read_json("grading.json")["unparsed"]
    assert found["best_policy"] == policy
    assert found["found_by_policy"][policy] == 9
    assert f"the policy {policy} finds an answer in 9 of the first 10" in found["reason"]
    assert f"rlvr-fast grade {run.path.name} --policy {policy} --regrade" in found["remedy"]
    grade_run(run, GradeOptions(policy=policy, regrade=True))
    assert run.read_json("grading.json")["unparsed"] is None


def test_the_answers_behind_thinking_under_another_policy(tmp_path):
    draws = {"a": [("<think>so</think> 1", None)] * 4}
    run = imported_run(tmp_path / "run", draws, golds={"a": "1"}, rule=None)
    grade_run(run, GradeOptions(policy="boxed"))
    assert run.read_json("grading.json")["unparsed"]["best_policy"] == "after_think"


def test_cut_off_while_thinking(tmp_path):
    run = graded(tmp_path / "run", {"a": ["<think>it may be"] * 5 + [BOXED]})
    found = run.read_json("grading.json")["unparsed"]
    assert (found["cut_off"], found["unclosed_think"]) == (5, 5)
    assert found["reason"].startswith("5 of the first 5 of them were cut off")
    assert "--max-tokens" in found["remedy"]


def test_cut_off_at_the_token_limit(tmp_path):
    run = graded(tmp_path / "run", {"a": ["it may be"] * 5}, finish_reason="length")
    found = run.read_json("grading.json")["unparsed"]
    assert (found["cut_off"], found["unclosed_think"]) == (5, 0)
    assert "--max-tokens" in found["remedy"]


def test_half_of_the_completions_is_the_limit(tmp_path):
    run = graded(tmp_path / "half", {"a": [BOXED] * 5 + ["no"] * 5})
    assert run.read_json("grading.json")["unparsed"]["unparsed"] == 5
    run = graded(tmp_path / "less", {"a": [BOXED] * 6 + ["no"] * 5})
    assert run.read_json("grading.json")["unparsed"] is None


def test_one_task_without_any_answer(tmp_path):
    run = graded(
        tmp_path / "run",
        {"a": [BOXED] * 50, "b": ["no"] * 3},
        tasks={"a": "easy", "b": "hard"},
    )
    found = run.read_json("grading.json")["unparsed"]
    assert found["all_unparsed"] == ["hard"]
    assert found["message"].startswith("3 of 3 completions of task 'hard' have no answer")
    assert found["looked_at"] == 3


def test_the_first_thousand_are_looked_at(tmp_path):
    run = graded(tmp_path / "run", {"a": [BOXED] + ["the answer is 1"] * 1200})
    found = run.read_json("grading.json")["unparsed"]
    assert (found["unparsed"], found["looked_at"]) == (1200, 1000)
    assert found["found_by_policy"]["final_line"] == 1000


def test_imported_verdicts_are_a_remedy(tmp_path):
    run = imported_run(tmp_path / "run", {"a": [("no", True)] * 3}, golds={"a": "1"})
    grade_run(run)
    remedy = run.read_json("grading.json")["unparsed"]["remedy"]
    assert f"rlvr-fast grade {run.path.name} --verdicts imported --regrade" in remedy
    grade_run(run, GradeOptions(verdicts="imported", regrade=True))
    assert run.read_json("grading.json")["unparsed"] is None


def test_the_command_prints_a_sentence_and_the_warning(tmp_path):
    from typer.testing import CliRunner

    from rlvr_fast.cli import app

    run = imported_run(tmp_path / "run", {"a": [("no", None)] * 12}, golds={"a": "1"}, rule=None)
    result = CliRunner().invoke(app, ["grade", str(run.path)])
    assert result.exit_code == 0, result.output
    assert "12 completions of 1 problem, 0 with an answer." in result.output
    assert "WARNING: 12 of 12" in result.output
    assert "12 answers" not in result.output


def test_answers_that_the_verifier_cannot_read(tmp_path):
    draws = {"a": [(r"\boxed{\text{}}", None)] * 4}
    run = imported_run(tmp_path / "run", draws, golds={"a": "x^2"}, rule=None)
    grade_run(run)
    grades = run.read_table("grades.parquet").to_pylist()
    assert [row["verdict"] for row in grades] == ["unparsed"]
    found = run.read_json("grading.json")["unparsed"]
    assert (found["unparsed"], found["unreadable"], found["looked_at"]) == (4, 4, 0)
    assert "cannot read 4 of the answers, such as " in found["reason"]

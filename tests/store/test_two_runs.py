"""What the runs of two models must have in common: problems by id or question, and settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from rollout_runs import imported_run

from rlvr_fast.store import Run, align_problems, differences, unrecorded


def table(**prompts: str) -> pa.Table:
    return pa.table({"problem_id": list(prompts), "prompt": list(prompts.values())})


def run_of(path: Path, prompts: dict[str, str], **arguments) -> Run:
    draws = {name: [("x", True)] for name in prompts}
    return imported_run(path, draws, prompts=prompts, **arguments)


def kinds(a: Run, b: Run) -> list[str]:
    return [difference.kind for difference in differences(a, b)]


def test_problems_match_by_id_in_any_order():
    base = table(a="What is a?", b="What is b?")
    rl = table(b="What is b?", a="What  is a?\n")
    assert align_problems(base, rl) == [("a", "a"), ("b", "b")]


def test_problems_match_by_question_where_one_side_has_no_ids():
    base = table(x7="What is 1+1?", x8="What is 1+2?", x9="What is 1+3?")
    rl = {
        "q-1": "Question: What is 1+2?\nLet's think step by step.\nAnswer:",
        "q-2": "What is  1+1?\nPlease reason step by step, and put your final answer within "
        "\\boxed{}.",
    }
    assert align_problems(base, table(**rl)) == [("x7", "q-2"), ("x8", "q-1")]


def test_row_numbers_of_two_orders_match_by_question():
    """Ids that count rows name other problems in another file."""
    base = {str(i): f"What is 1+{i}?" for i in range(5)}
    rl = {str(i): f"What is 1+{4 - i}?" for i in range(5)}
    assert align_problems(table(**base), table(**rl)) == [(str(i), str(4 - i)) for i in range(5)]


def test_one_id_with_unlike_questions_matches_last():
    assert align_problems(table(a="What is a?"), table(a="Name a.")) == [("a", "a")]
    assert align_problems(table(a=""), table(a="Name a.")) == [("a", "a")]


def test_equal_questions_match_one_to_one():
    base = table(a="Same?", b="Same?", c="Same?")
    rl = table(x="Same?", y="Same?")
    assert align_problems(base, rl) == [("a", "x"), ("b", "y")]
    assert align_problems(table(a="", b=""), table(x="", y="")) == []


def test_imported_runs_under_other_ids_and_templates_are_comparable(tmp_path):
    base = run_of(tmp_path / "base", {"7": "What is 1+1?"}, metadata={"7": {"index": 0}})
    rl = run_of(
        tmp_path / "rl",
        {"q-3": "What is 1+1?\nPut your final answer within \\boxed{}."},
        metadata={"q-3": {"index": 5, "messages": [{"role": "user", "content": "hm"}]}},
        tasks={"q-3": "gsm8k"},
    )
    assert differences(base, rl) == []


def test_an_unknown_template_around_the_question_of_one_id(tmp_path):
    base = run_of(tmp_path / "base", {"7": "What is 1+1?"})
    rl = run_of(tmp_path / "rl", {"7": "GPT4 Correct User: What is 1+1?<|end_of_turn|>Zebra"})
    assert differences(base, rl) == []


def test_other_questions_under_one_id_are_other_problems_unless_golds_agree(tmp_path):
    base = run_of(tmp_path / "base", {"7": "What is 1+1?"})
    rl = run_of(tmp_path / "rl", {"7": "How many legs has a horse?"})
    (difference,) = differences(base, rl)
    assert difference.kind == "problems"
    assert "prompt of problem '7'" in str(difference)
    base = run_of(tmp_path / "base2", {"7": "What is 1+1?"}, golds={"7": "2"})
    rl = run_of(tmp_path / "rl2", {"7": "Berechne die Summe."}, golds={"7": "2.0"})
    assert differences(base, rl) == []


@pytest.mark.parametrize(
    ("base", "rl", "same"),
    [
        ("0.5", "1/2", True),
        (r"\frac{1}{2}", "$0.50$", True),
        (r"\boxed{1,000}", "1000", True),
        ("1,000", "1", False),
        (r"\dfrac{3}{4}", r"\frac34", True),
        ("2", "2.0", True),
        ("-3", "−3", True),
        ("x^2", "x^{2}", False),
        ("A", "B", False),
        ("1/0", "0/1", False),
        ("9" * 100_000, "8" * 100_000, False),
        ("2", None, True),
        ("2", " ", True),
        ("2", "3", False),
    ],
)
def test_golds_of_one_problem(tmp_path, base, rl, same):
    runs = [
        run_of(tmp_path / name, {"7": "What is it?"}, golds={"7": gold})
        for name, gold in (("base", base), ("rl", rl))
    ]
    found = differences(*runs)
    assert (found == []) is same
    if not same:
        assert "gold of problem '7'" in str(found[0])


def test_metadata_that_verifiers_read_count_and_others_do_not(tmp_path):
    prompts = {"7": "What is it?"}
    base = run_of(tmp_path / "base", prompts, metadata={"7": {"tolerance": "0.1", "level": 3}})
    same = run_of(tmp_path / "same", prompts, metadata={"7": {"tolerance": "0.1", "row": 9}})
    other = run_of(tmp_path / "other", prompts, metadata={"7": {"level": 3}})
    assert differences(base, same) == []
    assert "metadata of problem '7'" in str(differences(base, other)[0])


def test_problems_of_one_run_only_are_named(tmp_path):
    base = run_of(tmp_path / "base", {"a": "What is a?", "b": "What is b?"})
    rl = run_of(tmp_path / "rl", {"q": "What is a?", "r": "What is c?", "s": "What is d?"})
    (difference,) = differences(base, rl)
    assert str(difference) == "2 and 3 problems: 1 of both; problem 'b' is in the first run only"
    (difference,) = differences(rl, base)
    assert "3 and 2 problems: 1 of both; problem 'r' is in the first run only" in str(difference)


def test_what_an_imported_run_does_not_record_is_no_difference(tmp_path):
    prompts = {"7": "What is it?"}
    known = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 99, "stop": ["\n"], "top_k": 5}
    full = run_of(tmp_path / "full", prompts, sampling=known)
    bare = run_of(tmp_path / "bare", prompts)
    assert differences(full, bare) == []
    assert differences(bare, full) == []
    assert unrecorded(full.info) == ["prompt template"]
    assert unrecorded(bare.info) == ["temperature", "top_p", "max_tokens", "prompt template"]
    other = run_of(tmp_path / "other", prompts, sampling={**known, "temperature": 1.0})
    assert kinds(full, other) == ["sampling"]
    assert "temperature 0.6 and 1.0" in str(differences(full, other)[0])


def test_what_a_sampled_run_lacks_is_a_difference(tmp_path):
    def sampled(name: str, sampling: dict) -> Run:
        problems = run_of(tmp_path / f"{name}0", {"7": "What is it?"}).problems()
        return Run.create(
            tmp_path / name,
            model={"name": name, "revision": None},
            engine={"name": "vllm", "version": "1", "notes": []},
            sampling=sampling,
            prompt_template={"name": "chat", "sha256": "1" * 64},
            tasks=[{"name": "imported", "spec": "math:golds"}],
            problems=problems,
        )

    base = sampled("base", {"temperature": 0.6, "top_k": 5})
    rl = sampled("rl", {"temperature": 0.6, "top_k": None})
    assert kinds(base, rl) == ["sampling"]
    assert unrecorded(base.info) == []
    imported = run_of(tmp_path / "imported", {"7": "What is it?"})
    assert differences(base, imported) == []


def test_kinds_of_tasks_differ(tmp_path):
    prompts = {"7": "What is it?"}
    base = run_of(tmp_path / "base", prompts, spec="math:a.jsonl?sha256=1")
    assert kinds(base, run_of(tmp_path / "b", prompts, spec="math:golds")) == []
    assert kinds(base, run_of(tmp_path / "c", prompts, spec="code:humaneval")) == ["tasks"]

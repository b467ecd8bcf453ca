"""Code benchmarks: bare code in a fence, verdicts, and which file to take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.answers import extract_answers
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers import load_readers, reader_named
from rlvr_fast.store.readers.bigcode import READER as BIGCODE
from rlvr_fast.store.readers.code_text import benchmark_id, fenced
from rlvr_fast.store.readers.reader import About, Sample, SourceFile


def sample(rows: list[Any], name: str = "samples.jsonl", kind: str = "jsonl") -> Sample:
    return Sample(SourceFile(name, Path(name)), kind, rows)


def rollouts(first: Sample, reader: str) -> list[dict[str, Any]]:
    """The rollouts of rows, by the reader that has to be the one that is chosen."""
    assert next((r.name for r in load_readers() if r.matches(first)), None) == reader
    chosen = reader_named(reader)
    assert chosen.rows is not None
    return [dict(rollout) for row in first.rows for rollout in chosen.rows(row, first.file)]


def about(first: Sample, reader: str) -> About:
    told = reader_named(reader).about
    assert told is not None
    return told(first)


def chosen(reader: str, *names: str) -> list[str]:
    choose = reader_named(reader).choose
    assert choose is not None
    return [file.name for file in choose([SourceFile(name, Path(name)) for name in names])]


@pytest.mark.parametrize(
    "code",
    ["def f():\n    return 1\n", "    return 1\n\n\ndef g():\n    pass", "    if x:\n        y()"],
)
def test_bare_code_is_extracted_as_it_was(code: str) -> None:
    (answer,), (status,) = extract_answers([fenced(code)], policy="code_block")
    assert status == "found"
    assert answer == code.rstrip()


def test_text_with_a_fence_and_empty_text_stay() -> None:
    text = "So:\n```python\nx = 1\n```\nDone."
    assert fenced(text) == text
    assert fenced(" \n") == " \n"


def test_ids_of_benchmarks() -> None:
    assert benchmark_id("HumanEval/7") == ("humaneval", "7")
    assert benchmark_id("Mbpp/11") == ("mbpp", "11")
    assert benchmark_id("HumanEval/x") is None
    assert benchmark_id(7) is None


def test_evalplus_samples() -> None:
    rows = [
        {"task_id": "HumanEval/0", "solution": "def f():\n    return 1"},
        {"task_id": "HumanEval/0", "solution": "def f():\n    return 2"},
    ]
    first = sample(rows, "org--m_vllm_temp_0.8.jsonl")
    one, two = rollouts(first, "evalplus")
    assert one == {
        "task": "humaneval",
        "problem_id": "0",
        "completion": "```python\ndef f():\n    return 1\n```",
    }
    assert two["completion"] != one["completion"]
    told = about(first, "evalplus")
    assert (told.model, told.sampling) == ("org/m", {"temperature": 0.8})
    assert "--problems code:humaneval" in "\n".join(told.notes)


def results(*statuses: tuple[str | None, str | None]) -> dict[str, Any]:
    """An *_eval_results.json of one problem."""
    return {
        "date": "2026-11-02 10:00",
        "hash": "x",
        "eval": {
            "HumanEval/3": [
                {
                    "task_id": "HumanEval/3",
                    "solution": f"def f():\n    return {number}",
                    "base_status": base,
                    "plus_status": plus,
                    "base_fail_tests": [],
                    "plus_fail_tests": [],
                }
                for number, (base, plus) in enumerate(statuses)
            ]
        },
        "pass_at_k": {"base": {"pass@1": 0.5}},
    }


def test_evalplus_results() -> None:
    whole = results(("pass", "pass"), ("pass", "fail"), ("fail", "fail"), ("timeout", "pass"))
    first = sample([whole], "m_vllm_temp_0.8_eval_results.json", kind="json")
    found = rollouts(first, "evalplus")
    assert [r["verdict"] for r in found] == [True, False, False, False]
    assert {(r["task"], r["problem_id"]) for r in found} == {("humaneval", "3")}
    told = about(first, "evalplus")
    assert (told.model, told.sampling) == ("m", {"temperature": 0.8})
    assert "the base tests and the plus tests passed" in "\n".join(told.notes)


def test_evalplus_results_of_the_base_tests_alone() -> None:
    first = sample([results(("pass", None), ("fail", None), (None, None))], kind="json")
    assert [r["verdict"] for r in rollouts(first, "evalplus")] == [True, False, None]
    assert "no plus tests were run" in "\n".join(about(first, "evalplus").notes)


def test_results_of_bigcodebench() -> None:
    whole = {
        "date": "d",
        "eval": {
            "BigCodeBench/1": [
                {"task_id": "BigCodeBench/1", "solution": "x = 1", "status": "pass", "details": {}},
                {"task_id": "BigCodeBench/1", "solution": "x = 2", "status": "fail", "details": {}},
            ]
        },
    }
    found = rollouts(sample([whole], kind="json"), "evalplus")
    assert [(r["task"], r["verdict"]) for r in found] == [
        ("bigcodebench", True),
        ("bigcodebench", False),
    ]


def test_old_results_without_the_solutions_are_not_taken() -> None:
    whole = {"eval": {"HumanEval/0": {"nfiles": 1, "base": [["success", []]], "plus": []}}}
    first = sample([whole], kind="json")
    assert not any(reader.matches(first) for reader in load_readers())


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("a.jsonl", "a.raw.jsonl", "a_eval_results.json"), ["a_eval_results.json"]),
        (("a.jsonl", "a.raw.jsonl", "a.eval_results.json"), ["a.eval_results.json"]),
        (("a.raw.jsonl", "a.jsonl"), ["a.jsonl"]),
        (("a.raw.jsonl",), ["a.raw.jsonl"]),
        (("a.jsonl", "a-sanitized.jsonl"), ["a-sanitized.jsonl"]),
        (
            ("a-sanitized.jsonl", "a_eval_results.json", "a-sanitized_eval_results.json"),
            ["a_eval_results.json"],
        ),
        (("a.jsonl", "b_eval_results.json", "b.jsonl"), ["a.jsonl", "b_eval_results.json"]),
    ],
)
def test_which_evalplus_file_is_imported(names: tuple[str, ...], kept: list[str]) -> None:
    assert chosen("evalplus", *names) == kept


def test_human_eval_results() -> None:
    rows = [
        {"task_id": "HumanEval/0", "completion": "    return 1\n", "result": "passed"},
        {"task_id": "HumanEval/0", "completion": "    return 2", "result": "failed: "},
    ]
    rows = [{**row, "passed": row["result"] == "passed"} for row in rows]
    one, two = rollouts(sample(rows), "human-eval")
    assert one == {
        "task": "humaneval",
        "problem_id": "0",
        "completion": "```python\n    return 1\n```",
        "verdict": True,
    }
    assert two["verdict"] is False


def test_human_eval_samples_have_no_verdict() -> None:
    first = sample([{"task_id": "HumanEval/0", "completion": "    return 1"}])
    (only,) = rollouts(first, "human-eval")
    assert "verdict" not in only
    assert "the file has no questions" in "\n".join(about(first, "human-eval").notes)


def test_which_human_eval_file_is_imported() -> None:
    assert chosen("human-eval", "a.jsonl", "a.jsonl_results.jsonl", "b.jsonl") == [
        "a.jsonl_results.jsonl",
        "b.jsonl",
    ]


LCB = {
    "question_title": "Sum",
    "question_content": "Add two numbers.",
    "platform": "atcoder",
    "question_id": "abc301_a",
    "contest_id": "abc301",
    "contest_date": "2023-05-13T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "output_list": ["So:\n```python\nprint(1)\n```", "No code.", "print(3)"],
    "code_list": ["print(1)", "", "print(3)"],
}


def test_livecodebench() -> None:
    graded = {**LCB, "graded_list": [True, False, False], "pass@1": 1 / 3, "metadata": ["{}"] * 3}
    first = sample([graded], "Scenario.codegeneration_10_0.2_eval_all.json", kind="array")
    found = rollouts(first, "livecodebench")
    assert [r["completion"] for r in found] == [
        "So:\n```python\nprint(1)\n```",
        "No code.",
        "```python\nprint(3)\n```",
    ]
    assert [r["verdict"] for r in found] == [True, False, False]
    assert {(r["problem_id"], r["question"]) for r in found} == {("abc301_a", "Add two numbers.")}


def test_livecodebench_before_its_evaluation() -> None:
    name = "output/Qwen3-8B/Scenario.codegeneration_10_0.2.json"
    first = Sample(SourceFile(name, Path(name)), "array", [LCB])
    assert all("verdict" not in r for r in rollouts(first, "livecodebench"))
    told = about(first, "livecodebench")
    assert (told.model, told.sampling) == ("Qwen3-8B", {"temperature": 0.2})


def test_the_input_of_livecodebench_custom_evaluator() -> None:
    first = sample([{"question_id": "abc301_a", "code_list": ["print(1)", "print(2)"]}])
    one, two = rollouts(first, "livecodebench")
    assert one == {"problem_id": "abc301_a", "completion": "```python\nprint(1)\n```"}
    assert two["completion"] == "```python\nprint(2)\n```"
    assert "by question_id" in "\n".join(about(first, "livecodebench").notes)


def test_which_livecodebench_file_is_imported() -> None:
    stem = "Scenario.codegeneration_10_0.2"
    names = (f"{stem}.json", f"{stem}_eval.json", f"{stem}_eval_all.json", "other.json")
    assert chosen("livecodebench", *names) == [f"{stem}_eval_all.json", "other.json"]
    assert chosen("livecodebench", f"{stem}.json") == [f"{stem}.json"]


def test_bigcode_generations(tmp_path: Path) -> None:
    path = tmp_path / "generations_humaneval.json"
    path.write_text(json.dumps([["def f():\n    return 1", "def f():\n    return 2"], ["x = 1"]]))
    config = {"model": "m", "temperature": 0.2, "top_p": 0.95, "n_samples": 2}
    (tmp_path / "evaluation_results.json").write_text(json.dumps({"config": config}))
    assert BIGCODE.claims is not None
    assert BIGCODE.opens is not None
    assert BIGCODE.claims(path)
    places, rows = zip(*BIGCODE.opens(path), strict=True)
    assert places == (f"{path}, element 1", f"{path}, element 2")
    first = Sample(SourceFile(path.name, path), "rows", list(rows))
    found = rollouts(first, "bigcode")
    assert [(r["task"], r["problem_id"]) for r in found] == [
        ("humaneval", 0),
        ("humaneval", 0),
        ("humaneval", 1),
    ]
    assert found[2]["completion"] == "```python\nx = 1\n```"
    told = about(first, "bigcode")
    assert (told.model, told.sampling) == ("m", {"temperature": 0.2, "top_p": 0.95})
    assert "--problems code:humaneval" in "\n".join(told.notes)


@pytest.mark.parametrize("text", ["", "[", "[1, 2]", '["a"]', '{"a": [["b"]]}', "[[1]]", "\x00"])
def test_other_files_are_not_claimed_for_bigcode(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert BIGCODE.claims is not None
    assert not BIGCODE.claims(path)
    assert not BIGCODE.claims(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [('[["a", 1]]', "element 1: expected a list of texts"), ('[["a"', "not JSON")],
)
def test_broken_generations_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "generations.json"
    path.write_text(text)
    assert BIGCODE.claims is not None
    assert BIGCODE.opens is not None
    assert BIGCODE.claims(path)
    with pytest.raises(InvalidInputError, match=message):
        list(BIGCODE.opens(path))

"""Rows with usual names, chat rows, and served completions: which field stands behind a role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.plain import READER as PLAIN
from rlvr_fast.store.readers.reader import Sample, SourceFile


def sample(rows: list[Any], name: str = "rollouts.jsonl", kind: str = "jsonl") -> Sample:
    return Sample(SourceFile(name, Path(name)), kind, rows)


def plain(rows: list[Any], **given: str) -> dict[str, Any]:
    first = sample(rows)
    assert PLAIN.matches(first)
    return dict(PLAIN.columns(first, given))


def notes(rows: list[Any]) -> str:
    return "\n".join(PLAIN.about(sample(rows)).notes)


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (
            {"question": "1+1?", "response": "2", "answer": "2"},
            {"question": "question", "completion": "response", "gold": "answer"},
        ),
        (
            {"question": "1+1?", "answer": "It is 2", "ground_truth": "2"},
            {"question": "question", "completion": "answer", "gold": "ground_truth"},
        ),
        (
            {"question": "1+1?", "answer": "It is 2", "correct": True},
            {"question": "question", "completion": "answer", "verdict": "correct"},
        ),
        (
            {
                "id": 3,
                "problem": "1+1?",
                "prompt": "<user>1+1?",
                "generations": ["2", "3"],
                "finish_reasons": ["stop", "length"],
                "answer": 2,
                "solution": "One and one is 2.",
                "is_correct": [True, False],
            },
            {
                "problem_id": "id",
                "question": "problem",
                "completion": "generations",
                "finish_reason": "finish_reasons",
                "gold": "answer",
                "verdict": "is_correct",
            },
        ),
        (
            {
                "prompt": [{"role": "user", "content": "1+1?"}],
                "responses": ["2"],
                "reward_model": {"style": "rule", "ground_truth": "2"},
                "data_source": "toy",
            },
            {
                "question": "prompt",
                "completion": "responses",
                "gold": "reward_model.ground_truth",
                "task": "data_source",
            },
        ),
        (
            {
                "Question": "1+1?",
                "Model Output": "2",
                "Ground-Truth": "2",
                "finishReason": "stop",
                "score": 1.0,
                "tokenIds": [1, 2],
                "logprobs": [-0.1, -0.2],
                "Sample Index": 0,
                "model_name": "m",
            },
            {
                "question": "Question",
                "completion": "Model Output",
                "gold": "Ground-Truth",
                "finish_reason": "finishReason",
                "reward": "score",
                "token_ids": "tokenIds",
                "logprobs": "logprobs",
                "sample_index": "Sample Index",
                "model": "model_name",
            },
        ),
        (
            {"instruction": "Add.", "input": "", "output": "2"},
            {"question": "instruction", "completion": "output"},
        ),
        (
            {"problem_id": "a", "completion": "2", "passed": False},
            {"problem_id": "problem_id", "completion": "completion", "verdict": "passed"},
        ),
        (
            {"question": "1+1?", "response": "2", "reasoning_content": "one and one"},
            {"question": "question", "completion": "response", "reasoning": "reasoning_content"},
        ),
    ],
)
def test_usual_names(row: dict[str, Any], columns: dict[str, str]) -> None:
    assert plain([row]) == columns


@pytest.mark.parametrize(
    "row",
    [
        {"question": "1+1?", "answer": "2"},
        {"problem": "1+1?", "solution": "One and one is 2.", "answer": "2"},
        {"step": 3, "loss": 0.5},
        {"problem_id": "a", "answer": "2", "level": 3},
        ["a", "b"],
        "text",
        {"output": "only text"},
    ],
)
def test_what_holds_no_rollouts(row: Any) -> None:
    assert not PLAIN.matches(sample([row]))


def test_two_texts_of_different_content_are_ambiguous() -> None:
    rows = [{"question": "1+1?", "response": "2", "output": "two"}]
    assert PLAIN.matches(sample(rows))
    with pytest.raises(
        InvalidInputError,
        match=r"rollouts.jsonl: 'response' and 'output' may both be the completion \(row 1: '2' "
        r"and 'two'\); name one: --field completion=response or --field completion=output",
    ):
        plain(rows)
    assert plain(rows, completion="output")["completion"] == "output"


def test_two_golds_of_different_content_are_ambiguous() -> None:
    rows = [{"question": "1+1?", "response": "2", "gold": "2", "ground_truth": "3"}]
    with pytest.raises(InvalidInputError, match="--field gold=ground_truth or --field gold=gold"):
        plain(rows)
    assert plain(rows, gold="gold")["gold"] == "gold"


def test_a_label_of_zeros_and_ones_may_be_gold_or_verdict() -> None:
    rows = [{"question": f"{i}?", "response": "x", "label": i % 2} for i in range(4)]
    with pytest.raises(InvalidInputError, match="--field gold=label or --field verdict=label"):
        plain(rows)
    assert plain(rows, verdict="label") == {
        "question": "question",
        "completion": "response",
        "verdict": "label",
    }
    truths = [{**row, "label": bool(row["label"])} for row in rows]
    assert plain(truths)["verdict"] == "label"
    golds = [{**row, "label": str(i + 3)} for i, row in enumerate(rows)]
    assert plain(golds)["gold"] == "label"


def test_an_answer_that_differs_among_draws_is_no_gold() -> None:
    rows = [{"question": "1+1?", "response": f"so {i}", "answer": str(i)} for i in range(3)]
    assert plain(rows) == {"question": "question", "completion": "response"}
    assert "'answer' differs among the draws of one problem" in notes(rows)


def test_row_numbers_and_draw_numbers_are_no_problem_ids() -> None:
    rows = [
        {"idx": 4 * p + d, "index": d, "question": f"{p}?", "response": "x"}
        for p in range(5)
        for d in range(4)
    ]
    assert plain(rows) == {"question": "question", "completion": "response"}
    assert "'idx' differs in every row" in notes(rows)
    assert "'index' is the same for different questions" in notes(rows)


def test_the_problem_and_the_number_of_the_draw() -> None:
    rows = [
        {"id": p, "epoch": d + 1, "question": f"{p}?", "response": "x"}
        for p in range(3)
        for d in range(2)
    ]
    assert plain(rows)["problem_id"] == "id"
    assert plain(rows)["sample_index"] == "epoch"
    once_more = [*rows, rows[0]]
    assert "sample_index" not in plain(once_more)


def test_the_text_with_the_prompt_in_front_is_passed_over() -> None:
    rows = [
        {"question": "1+1?", "completion": "2", "output": "Q: 1+1? A: 2"},
        {"question": "2+1?", "completion": "3", "output": "Q: 2+1? A: 3"},
    ]
    assert plain(rows)["completion"] == "completion"
    assert "'output' is the prompt and 'completion'" in notes(rows)


def test_the_whole_text_is_preferred_to_a_part_of_it() -> None:
    rows = [{"question": "1+1?", "output": "2", "raw_response": "<think>1+1</think>2"}]
    assert plain(rows)["completion"] == "raw_response"


def test_rows_of_two_spellings() -> None:
    rows = [{"question": "1?", "response": "x"}, {"question": "2?", "completion": "y"}]
    assert plain(rows)["completion"] == ("completion", "response")


def test_a_mean_over_draws_is_no_verdict() -> None:
    rows = [{"question": "1?", "responses": ["x", "y"], "acc": 1, "score": 0.5}]
    assert plain(rows) == {"question": "question", "completion": "responses"}
    assert "'acc' holds one value for all draws of a row" in notes(rows)


def test_a_constant_instruction_is_the_system_prompt() -> None:
    rows = [{"instruction": "Solve.", "input": f"{i}?", "output": "x"} for i in range(2)]
    assert plain(rows) == {"question": "input", "completion": "output", "system": "instruction"}
    varied = [{**row, "instruction": f"Solve {i}"} for i, row in enumerate(rows)]
    with pytest.raises(InvalidInputError, match="--field question=instruction"):
        plain(varied)


def test_verdicts_that_contradict_each_other_are_named() -> None:
    rows = [{"question": "1?", "response": "x", "correct": True, "acc": 1.0}]
    assert plain(rows)["verdict"] == "correct"
    rows = [{"question": "1?", "response": "x", "correct": True, "acc": 0.0}]
    with pytest.raises(InvalidInputError, match="'correct' and 'acc' may both be the verdict"):
        plain(rows)

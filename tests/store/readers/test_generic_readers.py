"""Rows with usual names, chat rows, and served completions: which field stands behind a role."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import Run, import_rollouts
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.readers import load_readers, reader_named
from rlvr_fast.store.readers.common import sampling_of
from rlvr_fast.store.readers.openai_batch import read_requests
from rlvr_fast.store.readers.plain import READER as PLAIN
from rlvr_fast.store.readers.reader import Sample, SourceFile
from rlvr_fast.store.readers.served import asked
from rlvr_fast.store.readers.unknown import describe_unknown
from rlvr_fast.store.readers.vllm_outputs import request_output_rows


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


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (  # MathArena
            {
                "problem_idx": 3,
                "problem": "1+1?",
                "model_name": "m",
                "idx_answer": 0,
                "user_message": "Solve: 1+1?",
                "answer": "so 2",
                "gold_answer": "2",
                "parsed_answer": "2",
                "correct": True,
                "input_tokens": 9,
                "output_tokens": 3,
            },
            {
                "problem_id": "problem_idx",
                "question": "problem",
                "model": "model_name",
                "sample_index": "idx_answer",
                "completion": "answer",
                "gold": "gold_answer",
                "verdict": "correct",
            },
        ),
        (
            {"prompt": "1+1?", "text": "2", "meta_info": {"finish_reason": {"type": "stop"}}},
            {
                "question": "prompt",
                "completion": "text",
                "finish_reason": "meta_info.finish_reason.type",
            },
        ),
        (
            {"metadata": {"question": "1+1?", "answer": "2", "id": 4}, "response": "2"},
            {
                "question": "metadata.question",
                "completion": "response",
                "gold": "metadata.answer",
                "problem_id": "metadata.id",
            },
        ),
        (
            {"question": "1+1?", "qwen_response": "2", "expected_output": "2", "error": 0.5},
            {"question": "question", "completion": "qwen_response", "gold": "expected_output"},
        ),
        (
            {"problem": {"question": "1+1?", "answer": "2"}, "output": "2"},
            {"question": "problem.question", "completion": "output", "gold": "problem.answer"},
        ),
    ],
)
def test_names_inside_a_row_and_of_known_files(
    row: dict[str, Any], columns: dict[str, str]
) -> None:
    assert plain([row]) == columns


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


def test_faults_are_left_for_the_import_to_name() -> None:
    rows = [
        {"question": f"{p}?", "response": "x", "answer": str(p), "sample_index": d}
        for p in range(4)
        for d in range(3)
    ]
    rows[4] = {**rows[4], "answer": "77", "sample_index": 0}
    assert plain(rows)["gold"] == "answer"
    assert plain(rows)["sample_index"] == "sample_index"


def test_one_reward_of_another_name_is_taken_and_of_two_none() -> None:
    row = {"question": "1?", "response": "x", "math_reward_func": 1.0}
    assert plain([row])["reward"] == "math_reward_func"
    rows = [{**row, "format_reward": 0.5}]
    assert "reward" not in plain(rows)
    assert "the rewards are math_reward_func, format_reward: --verdict NAME" in notes(rows)


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


def reader_of(first: Sample) -> str | None:
    return next((reader.name for reader in load_readers() if reader.matches(first)), None)


def rollouts(rows: list[Any], reader: str, kind: str = "jsonl") -> list[dict[str, Any]]:
    """The rollouts of rows, by the reader that has to be the one that is chosen."""
    first = sample(rows, kind=kind)
    assert reader_of(first) == reader
    chosen = reader_named(reader)
    assert chosen.rows is not None
    return [dict(rollout) for row in rows for rollout in chosen.rows(row, first.file)]


ASKED = {"role": "user", "content": "1+1?"}


def test_sharegpt_conversations() -> None:
    rows = [
        {
            "id": "identity_0",
            "system": "Be brief.",
            "conversations": [
                {"from": "human", "value": "1+1?"},
                {"from": "gpt", "value": "3"},
                {"from": "human", "value": "No."},
                {"from": "gpt", "value": "2"},
            ],
            "answer": "2",
        }
    ]
    (only,) = rollouts(rows, "chat")
    assert only["question"] == [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "3"},
        {"role": "user", "content": "No."},
    ]
    assert only["completion"] == {"role": "assistant", "content": "2"}
    assert (only["system"], only["gold"]) == ("Be brief.", "2")
    assert "problem_id" not in only  # the id of a conversation, not of a problem


def test_openthoughts_3_rows() -> None:
    rows = [
        {
            "difficulty": 7,
            "source": "ai2-adapt-dev/openmath-2-math",
            "domain": "math",
            "conversations": [
                {"from": "human", "value": "1+1?"},
                {"from": "gpt", "value": f"<think>{draw}</think>\\boxed{{2}}"},
            ],
        }
        for draw in range(2)
    ]
    assert [r["completion"]["content"][7] for r in rollouts(rows, "chat")] == ["0", "1"]


def test_messages_that_end_with_the_answer() -> None:
    answer = {"role": "assistant", "content": "2", "reasoning_content": "one and one"}
    rows = [{"messages": [ASKED, answer], "ground_truth": "2", "score": 1.0}]
    (only,) = rollouts(rows, "chat")
    assert only["question"] == [ASKED]
    assert only["completion"] == answer
    assert (only["gold"], only["reward"]) == ("2", 1.0)


def test_a_conversation_without_an_answer_has_no_completion() -> None:
    answered = {"messages": [ASKED, {"role": "assistant", "content": "2"}]}
    first, second = rollouts([answered, {"messages": [ASKED]}], "chat")
    assert "completion" in first
    assert second == {"question": [ASKED]}


def test_messages_beside_a_completion_are_the_prompt() -> None:
    rows = [{"messages": [ASKED], "response": "2", "answer": "2"}]
    assert reader_of(sample(rows)) == "plain"
    assert plain(rows) == {"question": "messages", "completion": "response", "gold": "answer"}


def test_a_served_thinking_model() -> None:
    rows = [{"prompt": [ASKED], "content": "2", "reasoning_content": "one and one", "id": 4}]
    assert reader_of(sample(rows)) == "plain"
    assert plain(rows) == {
        "question": "prompt",
        "completion": "content",
        "reasoning": "reasoning_content",
        "problem_id": "id",
    }


def test_openr1_math() -> None:
    rows = [
        {
            "problem": "1+1?",
            "solution": "One and one is 2.",
            "answer": "2",
            "uuid": "u-1",
            "generations": ["<think>a</think>2", "<think>b</think>3"],
            "correctness_math_verify": None,
            "correctness_llama": [True, False],
            "finish_reasons": ["stop", "length"],
            "correctness_count": 1,
            "messages": [ASKED, {"role": "assistant", "content": "<think>a</think>2"}],
        }
    ]
    assert reader_of(sample(rows)) == "openr1"
    fields = reader_named("openr1").fields
    assert fields["completion"] == "generations"
    assert fields["verdict"] == ("correctness_math_verify", "correctness_llama")


def test_openthoughts_metadata() -> None:
    row = {
        "problem": "1+1?",
        "deepseek_reasoning": "one and one",
        "deepseek_solution": "2",
        "ground_truth_solution": "2",
        "domain": "math",
    }
    assert reader_of(sample([row])) == "openthoughts"
    assert reader_named("openthoughts").fields["reasoning"] == "deepseek_reasoning"


def test_deepmath_has_three_draws_a_row() -> None:
    row = {
        "question": "1+1?",
        "final_answer": "2",
        "difficulty": 1.0,
        "topic": "Addition",
        "r1_solution_1": "so 2",
        "r1_solution_2": "so 3",
        "r1_solution_3": "so 4",
    }
    found = rollouts([row], "wide")
    assert [r["completion"] for r in found] == ["so 2", "so 3", "so 4"]
    assert [r["sample_index"] for r in found] == [0, 1, 2]
    assert {(r["question"], r["gold"]) for r in found} == {("1+1?", "2")}


def test_wide_columns_with_their_own_verdicts() -> None:
    row = {"problem": "1+1?", "response_0": "2", "response_1": "3", "correct_0": True}
    row |= {"correct_1": False, "correct": 0.5}
    found = rollouts([row], "wide")
    assert [(r["completion"], r["verdict"]) for r in found] == [("2", True), ("3", False)]


CHOICE = {
    "index": 0,
    "message": {"role": "assistant", "content": "2", "reasoning": "one and one"},
    "logprobs": {"content": [{"token": "token_id:17", "logprob": -0.5, "bytes": None}]},
    "finish_reason": "stop",
    "stop_reason": None,
}
BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "Qwen/Qwen3-8B",
    "choices": [CHOICE, {**CHOICE, "index": 1, "finish_reason": "length", "logprobs": None}],
    "usage": {"prompt_tokens": 5},
    "prompt_token_ids": [5, 6],
}


def test_batch_output_gives_each_choice_and_names_the_request() -> None:
    rows = [
        {
            "id": "vllm-1",
            "custom_id": "p7",
            "response": {"status_code": 200, "request_id": "r", "body": BODY},
            "error": None,
        },
        {"id": "vllm-2", "custom_id": "p8", "response": None, "error": {"message": "expired"}},
        {
            "custom_id": "p9",
            "response": {"status_code": 400, "body": {"error": {"message": "too long"}}},
            "error": None,
        },
    ]
    one, two, three, four = rollouts(rows, "openai-batch")
    assert one == {
        "request_id": "p7",
        "completion": "2",
        "reasoning": "one and one",
        "finish_reason": "stop",
        "model": "Qwen/Qwen3-8B",
        "logprobs": [-0.5],
        "token_ids": [17],
        "prompt_token_ids": [5, 6],
    }
    assert (two["finish_reason"], "logprobs" in two) == ("length", False)
    assert three == {"request_id": "p8", "error": {"message": "expired"}}
    assert four == {"request_id": "p9", "error": {"message": "too long"}}


def test_batch_output_of_completions_and_of_responses() -> None:
    completed = {"object": "text_completion", "model": "m", "choices": [{"text": "2"}]}
    completed["choices"][0] |= {"logprobs": {"token_logprobs": [-0.25], "tokens": ["2"]}}
    responded = {
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "one and one"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "2"}]},
        ],
    }
    rows = [
        {"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}
        for body in (completed, responded)
    ]
    one, two = rollouts(rows, "openai-batch")
    assert (one["completion"], one["logprobs"]) == ("2", [-0.25])
    assert (two["completion"], two["reasoning"]) == ("2", "one and one")
    assert two["finish_reason"] == "length"


def test_message_batches_of_anthropic() -> None:
    message = {
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "one and one"},
            {"type": "text", "text": "2"},
        ],
        "stop_reason": "end_turn",
    }
    rows = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "b", "result": {"type": "expired"}},
    ]
    one, two = rollouts(rows, "openai-batch")
    assert (one["completion"], one["reasoning"], one["finish_reason"]) == (
        "2",
        "one and one",
        "end_turn",
    )
    assert two == {"request_id": "b", "error": "expired"}


def test_requests_are_read_and_checked(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [ASKED], "temperature": 0.6, "max_tokens": 9}
    line = json.dumps({"custom_id": "p7", "method": "POST", "body": body})
    plain_file, packed = tmp_path / "in.jsonl", tmp_path / "in.jsonl.gz"
    plain_file.write_text(f"\ufeff{line}\n\n{line}\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(line.encode()))
    assert read_requests([plain_file]) == {"p7": body}
    assert read_requests([packed, plain_file]) == {"p7": body}
    assert sampling_of(body) == {"temperature": 0.6, "max_tokens": 9}
    assert asked(body) == {"question": [ASKED], "model": "m"}

    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"custom_id": "p7", "body": {**body, "temperature": 1}}))
    with pytest.raises(
        InvalidInputError,
        match=r"other.jsonl, row 1: custom_id 'p7' has another body than in .*row 1",
    ):
        read_requests([plain_file, other])
    other.write_text(json.dumps({"custom_id": "p7", "response": {"body": BODY}}))
    with pytest.raises(InvalidInputError, match="--requests takes the input file of the batch"):
        read_requests([other])
    other.write_text("[" * 100_000)
    with pytest.raises(InvalidInputError, match="row 1: expected one request a line"):
        read_requests([other])


def test_chat_completions_one_a_line() -> None:
    one, two = rollouts([BODY], "openai-chat")
    assert (one["completion"], two["finish_reason"]) == ("2", "length")
    assert "question" not in one
    about = reader_named("openai-chat").about
    assert about is not None
    assert "keep the request beside" in about(sample([BODY])).notes[0]


def test_chat_completions_beside_their_request_and_gold() -> None:
    rows = [
        {
            "request": {"model": "alias", "messages": [ASKED], "seed": 3},
            "response": BODY,
            "gold": "2",
        },
        {"request": {"messages": [ASKED]}, "response": None, "error": "timeout"},
    ]
    one, two, three = rollouts(rows, "openai-chat")
    assert (one["question"], one["gold"], one["seed"]) == ([ASKED], "2", 3)
    assert one["model"] == two["model"] == "Qwen/Qwen3-8B"
    assert three["error"] == "timeout"


def test_rows_with_a_list_of_draws() -> None:
    row = {
        "problem_id": "a",
        "question": "1+1?",
        "reward": 0.5,
        "samples": [
            {"text": "2", "correct": True, "finish_reason": "stop"},
            {"text": "3", "correct": False, "finish_reason": "length"},
        ],
    }
    one, two = rollouts([row], "vllm-outputs")
    assert (one["problem_id"], one["question"], one["completion"]) == ("a", "1+1?", "2")
    assert (one["verdict"], two["verdict"], two["finish_reason"]) == (True, False, "length")
    assert "reward" not in one


@pytest.mark.slow
def test_request_outputs_of_vllm(tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="needs vLLM, whose own objects are read")
    from vllm.logprobs import Logprob
    from vllm.outputs import CompletionOutput, RequestOutput

    def draw(index: int, text: str, logprobs: Any) -> CompletionOutput:
        return CompletionOutput(
            index=index,
            text=text,
            token_ids=(17, 2),
            cumulative_logprob=None,
            logprobs=logprobs,
            finish_reason="stop" if index == 0 else "length",
        )

    positions = [{3: Logprob(-0.1), 17: Logprob(-0.5)}, {2: Logprob(-0.25)}]
    request = RequestOutput(
        request_id="0",
        prompt="1+1?",
        prompt_token_ids=[5, 6],
        prompt_logprobs=None,
        outputs=[draw(0, "2", positions), draw(1, "3", None)],
        finished=True,
    )
    # What the rows hold goes through JSON, as a user would keep it.
    rows = json.loads(json.dumps(request_output_rows([request])))
    one, two = rollouts(rows, "vllm-outputs")
    assert one["question"] == "1+1?"
    assert one["prompt_token_ids"] == [5, 6]
    assert (one["completion"], one["token_ids"], one["logprobs"]) == ("2", [17, 2], [-0.5, -0.25])
    assert (two["finish_reason"], "logprobs" in two) == ("length", False)

    # The objects themselves are a source as well.
    run = import_rollouts([request], tmp_path / "run", model="m")
    assert [(row["text"], row["token_ids"]) for row in samples(run)] == [
        ("2", [17, 2]),
        ("3", [17, 2]),
    ]
    assert run.read("scores/sampler")["token_logprobs"].to_pylist() == [[-0.5, -0.25]]


def test_vllm_outputs_that_the_user_wrote_as_json() -> None:
    draw = {"index": 0, "text": "2", "token_ids": [17], "finish_reason": "stop"}
    draw["logprobs"] = [{"17": {"logprob": -0.5, "rank": 1}}]
    row = {"request_id": "0", "prompt": "1+1?", "prompt_token_ids": [5], "outputs": [draw]}
    (only,) = rollouts([row], "vllm-outputs")
    assert (only["logprobs"], only["token_ids"]) == ([-0.5], [17])


@pytest.mark.parametrize(
    "whole",
    [
        {"model": "m", "config": {"temperature": 0.6}, "results": "ROWS"},
        {"config": {"model": "m", "temperature": 0.6}, "data": {"rows": "ROWS"}},
    ],
)
def test_rows_under_a_key_of_one_object(whole: dict[str, Any]) -> None:
    rows = [{"question": "1+1?", "responses": ["2", "3"], "correct": [True, False]}]
    whole = json.loads(json.dumps(whole).replace('"ROWS"', json.dumps(rows)))
    found = rollouts([whole], "wrapped", kind="json")
    assert [(r["question"], r["completion"], r["verdict"]) for r in found] == [
        ("1+1?", "2", True),
        ("1+1?", "3", False),
    ]
    about = reader_named("wrapped").about
    assert about is not None
    told = about(sample([whole], kind="json"))
    assert (told.model, told.sampling) == ("m", {"temperature": 0.6})


def test_rows_by_problem_and_columns() -> None:
    by_problem = {"a": {"question": "1?", "output": "x"}, "b": {"question": "2?", "output": "y"}}
    found = rollouts([by_problem], "wrapped", kind="json")
    assert [(r["problem_id"], r["completion"]) for r in found] == [("a", "x"), ("b", "y")]
    columns = {"question": ["1?", "2?"], "response": ["x", "y"], "answer": ["1", "2"]}
    found = rollouts([columns], "wrapped", kind="json")
    assert [(r["question"], r["completion"], r["gold"]) for r in found] == [
        ("1?", "x", "1"),
        ("2?", "y", "2"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"log_history": [{"loss": 0.5, "step": 1}]},
        {"results": {"aime": {"pass@1": 0.5}}},
        {"model_type": "qwen2", "architectures": ["A"], "vocab_size": 9},
        {},
        {"a": {"b": {"c": {"d": {"e": [{"question": "1", "response": "2"}]}}}}},
    ],
)
def test_json_that_holds_no_rollouts(value: Any) -> None:
    assert reader_of(sample([value], kind="json")) is None


def test_an_unknown_layout_gets_keys_neighbours_and_a_line_to_try() -> None:
    rows = [
        {
            "aufgabe_question": f"What is 1+{i}?",
            "modelltext": f"One and {i} is {i + 1}, and here is a long text. " * 3,
            "richtig": i == 1,
            "gold": str(i + 1),
        }
        for i in range(3)
    ]
    first = sample(rows)
    assert reader_of(first) is None
    text = describe_unknown(first, load_readers())
    assert "Keys found: aufgabe_question, modelltext, richtig, gold." in text
    assert (
        "--field question=aufgabe_question --field completion=modelltext --field gold=gold "
        "--field verdict=richtig" in text
    )
    columns = PLAIN.columns(first, {"question": "aufgabe_question", "completion": "modelltext"})
    assert columns["gold"] == "gold"


def test_an_unknown_layout_names_the_nearest_format() -> None:
    rows = [{"problem": "1?", "generations": [{"score": 1}], "finish_reasons": ["stop"]}]
    text = describe_unknown(sample(rows), load_readers())
    assert "Nearest formats: openr1 (but no answer, problem_id, correctness_math_verify)." in text
    assert "No field holds the text of a completion" in text


def test_unknown_rows_that_are_no_objects() -> None:
    assert "got int" in describe_unknown(sample([1, 2]), load_readers())
    assert "got nothing" in describe_unknown(sample([]), load_readers())


HOSTILE: list[Any] = [
    None,
    0,
    "",
    [],
    {},
    {"conversations": "x"},
    {"messages": [[]]},
    {"messages": [{"role": "assistant"}]},
    {"custom_id": None, "response": [1]},
    {"custom_id": 1, "result": {"message": {"content": [1, {"type": "text"}]}}},
    {"custom_id": 1, "response": {"body": {"choices": [{"message": None}]}}},
    {"choices": [{"message": {"content": [1]}}]},
    {"object": "response", "output": [None, {"type": "message", "content": 3}]},
    {"prompt": "x", "outputs": [{"text": [1], "logprobs": [1, None], "token_ids": ["a", 2]}]},
    {"task_id": "HumanEval/0", "solution": 3},
    {"task_id": "HumanEval/0", "completion": None},
    {"eval": {"HumanEval/0": [{"solution": None, "base_status": {}}, 3]}},
    {"question_id": [], "code_list": [1, None], "output_list": [{}], "graded_list": "x"},
    {"question": {"content": "x"}, "response": {"content": {"a": 1}}, "answer": float("nan")},
    {1: 2, "question": "x", "response": "y"},
    {"question": "x", "response_1": "y", "response_2": 3, "response_99999": "z"},
    {"question": ["x"], "response": [["y"]]},
]


@pytest.mark.parametrize("row", HOSTILE)
def test_hostile_rows_end_in_no_traceback(row: Any) -> None:
    first = sample([row, row])
    for reader in load_readers():
        if reader.matches(first):
            if reader.about is not None:
                reader.about(first)
            if reader.columns is not None:
                reader.columns(first, {})
        if reader.rows is not None:
            # The stage counts a row with one of these errors as left out.
            with contextlib.suppress(AttributeError, IndexError, KeyError, TypeError, ValueError):
                list(reader.rows(row, first.file))
    describe_unknown(first, load_readers())


def imported(path: Path, rows: list[Any], **options: Any) -> Run:
    """The run of rows in a JSONL file."""
    source = path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_rollouts([source], path / "run", ImportOptions(**options))


def samples(run: Run) -> list[dict[str, Any]]:
    rows = [row for _, part in run.iter_parts("samples") for row in part.to_pylist()]
    return sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"]))


def test_import_of_openr1(tmp_path: Path) -> None:
    rows = [
        {
            "problem": f"{i}+1?",
            "answer": str(i + 1),
            "uuid": f"u-{i}",
            "generations": ["<think>a</think>2", "<think>b"],
            "finish_reasons": ["stop", "length"],
            "correctness_math_verify": [True, False] if i else None,
            "correctness_llama": None if i else [False, True],
        }
        for i in range(2)
    ]
    run = imported(tmp_path, rows)
    assert run.problems()["gold"].to_pylist() == ["1", "2"]
    assert [row["verdict"] for row in samples(run)] == [
        "incorrect",
        "correct",
        "correct",
        "incorrect",
    ]
    assert [row["finish_reason"] for row in samples(run)] == ["stop", "length"] * 2


def test_import_of_conversations_and_of_a_served_thinking_model(tmp_path: Path) -> None:
    answer = {"role": "assistant", "content": "2", "reasoning_content": "one"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = imported(tmp_path / "a", [{"messages": [ASKED, answer], "answer": "2"}] * 2)
    served = {"prompt": [ASKED], "content": "2", "reasoning_content": "one", "answer": "2"}
    two = imported(tmp_path / "b", [served, served])
    assert one.problems().select(["problem_id", "prompt", "gold"]).to_pylist() == (
        two.problems().select(["problem_id", "prompt", "gold"]).to_pylist()
    )
    texts = [row["text"] for row in samples(one)]
    assert texts == [row["text"] for row in samples(two)]
    assert texts[0].startswith("<think>")
    assert texts[0].endswith("2")


def test_import_of_a_batch_joins_its_requests(tmp_path: Path) -> None:
    answers = [
        {"custom_id": f"p{i}", "response": {"status_code": 200, "body": BODY}, "error": None}
        for i in (1, 0)
    ]
    answers.append({"custom_id": "p0", "response": None, "error": {"message": "expired"}})
    with pytest.raises(InvalidInputError, match="--requests FILE"):
        imported(tmp_path, answers)
    asked = tmp_path / "asked.jsonl"
    asked.write_text(
        "\n".join(
            json.dumps(
                {
                    "custom_id": f"p{i}",
                    "body": {
                        "messages": [{"role": "user", "content": f"{i}+1?"}],
                        "temperature": 0.6,
                    },
                }
            )
            for i in range(2)
        )
    )
    run = imported(tmp_path, answers, requests=(str(asked),))
    assert sorted(run.problems()["prompt"].to_pylist()) == ["0+1?", "1+1?"]
    assert run.num_samples().tolist() == [2, 2]
    assert run.info.sampling["temperature"] == 0.6
    assert run.info.model["name"] == "Qwen/Qwen3-8B"
    assert sum(run.read_json("import.json")["left_out"].values()) == 1


def test_import_of_unknown_rows_with_named_fields(tmp_path: Path) -> None:
    rows = [{"frage": f"{i}+1?", "text_des_modells": f"so {i + 1}"} for i in range(3)]
    with pytest.raises(InvalidInputError, match="Keys found: frage, text_des_modells"):
        imported(tmp_path, rows)
    fields = {"question": "frage", "completion": "text_des_modells"}
    run = imported(tmp_path, rows, fields=fields)
    assert run.problems()["prompt"].to_pylist() == ["0+1?", "1+1?", "2+1?"]


def test_import_with_one_of_two_verdicts(tmp_path: Path) -> None:
    rows = [{"question": "1+1?", "response": "2", "correct": True, "acc": 0.0}]
    with pytest.raises(InvalidInputError, match="may both be the verdict"):
        imported(tmp_path, rows)
    run = imported(tmp_path, rows, verdict="acc")
    assert samples(run)[0]["verdict"] == "incorrect"


def test_import_of_draws_inside_one_object(tmp_path: Path) -> None:
    draws = [{"text": "2", "score": 1.0}, {"text": "3", "score": 0.0}]
    whole = {"model": "m", "results": [{"question": "1+1?", "gold": "2", "samples": draws}]}
    source = tmp_path / "a.json"
    source.write_text(json.dumps(whole, indent=1))
    run = import_rollouts([source], tmp_path / "run")
    assert run.info.model["name"] == "m"
    assert [(row["text"], row["reward"]) for row in samples(run)] == [("2", 1.0), ("3", 0.0)]
    assert [row["verdict"] for row in samples(run)] == ["correct", "incorrect"]


def test_import_of_objects_of_vllm(tmp_path: Path) -> None:
    draw = SimpleNamespace(index=0, text="2", token_ids=[17], logprobs=None, finish_reason="stop")
    request = SimpleNamespace(prompt="1+1?", prompt_token_ids=[5], outputs=[draw, draw])
    run = import_rollouts(request_output_rows([request]), tmp_path / "run", model="m")
    assert [row["token_ids"] for row in samples(run)] == [[17], [17]]
    assert run.problems()["prompt_token_ids"].to_pylist() == [[5]]

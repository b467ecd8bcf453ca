"""Layouts of data sets and servers: OpenR1, OpenThoughts, ShareGPT, batch output and others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rollout_layouts.study import BOXED, PROBLEMS, Case, Study, case, layout, qwen, write_jsonl
from rollout_layouts.trainers import logprobs_of, tokens_of

__all__: list[str] = []


@layout
def openr1_math(folder: Path, study: Study) -> Case:
    rows = [
        {
            "problem": p.question,
            "solution": f"It is {p.gold}.",
            "answer": p.gold,
            "problem_type": "Algebra",
            "question_type": "math-word-problem",
            "source": "olympiads",
            "uuid": f"uuid-{p.id}",
            "is_reasoning_complete": [d.finish == "stop" for d in study.draws(p)],
            "generations": [d.text for d in study.draws(p)],
            # Null where the other grader was asked.
            "correctness_math_verify": None if p.id == 31 else [d.right for d in study.draws(p)],
            "correctness_llama": [d.right for d in study.draws(p)] if p.id == 31 else None,
            "finish_reasons": [d.finish for d in study.draws(p)],
            "correctness_count": study.counts[p.id],
            "messages": [
                {"role": "user", "content": p.question},
                {"role": "assistant", "content": study.draws(p)[0].text},
            ],
        }
        for p in PROBLEMS
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000-of-00001.parquet")
    return case(
        study,
        folder,
        verdicts={},
        ids={p.id: f"uuid-{p.id}" for p in PROBLEMS},
    )


@layout
def open_r1_generate_reasoning(folder: Path, study: Study) -> Case:
    rows = [
        {
            "problem": p.question,
            "answer": p.gold,
            "uuid": f"u{p.id}",
            "generations": [d.text for d in study.draws(p)],
            "finish_reasons": [d.finish for d in study.draws(p)],
            "api_metadata": [{"completion_tokens": 9}] * 4,
        }
        for p in PROBLEMS
    ]
    return case(study, write_jsonl(folder / "output.jsonl", rows), verdicts=None)


@layout
def openthoughts_conversations(folder: Path, study: Study) -> Case:
    rows = [
        {
            "difficulty": 8,
            "source": "openmath",
            "domain": "math",
            "conversations": [
                {"from": "human", "value": p.question},
                {"from": "gpt", "value": f"<think>{d.thinking}</think>\n\n{d.text}"},
            ],
        }
        for p, _, d in study
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    texts = {
        p.id: [f"<think>{d.thinking}</think>\n\n{d.text}" for d in study.draws(p)] for p in PROBLEMS
    }
    return case(
        study,
        folder / "a.parquet",
        texts=texts,
        finish="unknown",
        golds=None,
        verdicts=None,
        counts={},
    )


@layout
def deepmath_solutions(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "final_answer": p.gold,
            "difficulty": 5.0,
            "topic": "Mathematics -> Algebra",
            **{
                f"r1_solution_{n + 1}": f"{d.thinking}</think>{d.text}"
                for n, d in enumerate(study.draws(p)[:3])
            },
        }
        for p in PROBLEMS
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    draws = {p.id: study.draws(p)[:3] for p in PROBLEMS}
    return case(
        study,
        folder / "train.parquet",
        texts={k: [f"{d.thinking}</think>{d.text}" for d in v] for k, v in draws.items()},
        finish={k: ["unknown"] * 3 for k in draws},
        verdicts=None,
        counts={k: sum(d.right for d in v) for k, v in draws.items()},
    )


@layout
def sharegpt_with_golds(folder: Path, study: Study) -> Case:
    rows = [
        {
            "conversations": [
                {"from": "system", "value": "Think."},
                {"from": "human", "value": p.question},
                {"from": "gpt", "value": d.text},
            ],
            "answer": p.gold,
        }
        for p, _, d in study
    ]
    file = folder / "share.json"
    file.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    return case(study, file, finish="unknown", verdicts=None)


@layout
def messages_with_verdicts(folder: Path, study: Study) -> Case:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Think."},
                {"role": "user", "content": p.question},
                {"role": "assistant", "content": d.text},
            ],
            "ground_truth": p.gold,
            "correct": d.right,
            "finish_reason": d.finish,
        }
        for p, _, d in study
    ]
    return case(study, write_jsonl(folder / "messages.jsonl", rows))


@layout
def served_prompt_list_content_and_reasoning(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": [{"role": "user", "content": f"{p.question}\n{BOXED}"}],
            "content": d.text,
            "reasoning_content": d.thinking,
            "finish_reason": d.finish,
            "gold": p.gold,
        }
        for p, _, d in study
    ]
    pairs = {p.id: [(d.thinking, d.text) for d in study.draws(p)] for p in PROBLEMS}
    return case(study, write_jsonl(folder / "served.jsonl", rows), texts=pairs, verdicts=None)


def _batch(study: Study, message: Any, choice: Any = lambda d: {}) -> list[dict[str, Any]]:
    return [
        {
            "id": f"batch_req_{p.id}",
            "custom_id": f"request-{p.id}",
            "response": {
                "status_code": 200,
                "request_id": f"r{p.id}",
                "body": {
                    "id": f"chatcmpl-{p.id}",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "org/served",
                    "choices": [
                        {
                            "index": n,
                            "message": {"role": "assistant", **message(d)},
                            "finish_reason": d.finish,
                            "logprobs": None,
                            **choice(d),
                        }
                        for n, d in enumerate(study.draws(p))
                    ],
                    "usage": {"prompt_tokens": 4, "completion_tokens": 9},
                },
            },
            "error": None,
        }
        for p in PROBLEMS
    ]


def _requests(folder: Path) -> Path:
    rows = [
        {
            "custom_id": f"request-{p.id}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "org/served",
                "messages": [{"role": "user", "content": p.question}],
                "n": 4,
                "temperature": 0.8,
            },
        }
        for p in PROBLEMS
    ]
    return write_jsonl(folder / "requests.jsonl", rows)


@layout
def openai_batch_with_requests(folder: Path, study: Study) -> Case:
    rows = _batch(study, lambda d: {"content": d.text, "refusal": None})
    broken = {
        "id": "batch_req_x",
        "custom_id": "request-12",
        "response": None,
        "error": {"code": "batch_expired", "message": "expired"},
    }
    rejected = {
        "id": "batch_req_y",
        "custom_id": "request-31",
        "response": {"status_code": 429, "request_id": "q", "body": {"error": {"message": "x"}}},
        "error": None,
    }
    rows = [rows[2], broken, rows[0], rejected, rows[3], rows[1]]
    return case(
        study,
        write_jsonl(folder / "batch_output.jsonl", rows),
        options={"requests": (str(_requests(folder)),)},
        golds=None,
        verdicts=None,
        counts={},
        model="org/served",
        sampling={"temperature": 0.8},
        left_out=2,
    )


@layout
def vllm_batch_reasoning_tokens_logprobs(folder: Path, study: Study) -> Case:
    def choice(d: Any) -> dict[str, Any]:
        tokens = tokens_of(d.text)
        content = [
            {"token": f"token_id:{t}", "logprob": value, "bytes": None, "top_logprobs": []}
            for t, value in zip(tokens, logprobs_of(d.text), strict=True)
        ]
        return {"logprobs": {"content": content}, "token_ids": tokens, "stop_reason": None}

    rows = _batch(study, lambda d: {"content": d.text, "reasoning": d.thinking}, choice)
    return case(
        study,
        write_jsonl(folder / "out.jsonl", rows),
        options={"requests": (str(_requests(folder)),)},
        texts={p.id: [(d.thinking, d.text) for d in study.draws(p)] for p in PROBLEMS},
        golds=None,
        verdicts=None,
        counts={},
        token_ids={p.id: [tokens_of(d.text) for d in study.draws(p)] for p in PROBLEMS},
        logprobs={
            "sampler": {p.id: [logprobs_of(d.text) for d in study.draws(p)] for p in PROBLEMS}
        },
    )


@layout
def batch_of_responses_api(folder: Path, study: Study) -> Case:
    rows = []
    for p, n, d in study:
        body = {
            "id": f"resp_{n}",
            "object": "response",
            "model": "org/served",
            "status": "completed" if d.finish == "stop" else "incomplete",
            "incomplete_details": None if d.finish == "stop" else {"reason": "max_output_tokens"},
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": d.text, "annotations": []}],
                }
            ],
        }
        response = {"status_code": 200, "request_id": "r", "body": body}
        rows.append({"id": "b", "custom_id": f"{p.id}-{n}", "response": response, "error": None})
    requests = write_jsonl(
        folder / "requests.jsonl",
        [
            {
                "custom_id": f"{p.id}-{n}",
                "method": "POST",
                "url": "/v1/responses",
                "body": {"model": "org/served", "input": p.question},
            }
            for p, n, _ in study
        ],
    )
    return case(
        study,
        write_jsonl(folder / "out.jsonl", rows),
        options={"requests": (str(requests),)},
        golds=None,
        verdicts=None,
        counts={},
    )


class CompletionOutput:
    """The attributes of vLLM's class of this name."""

    def __init__(self, index: int, text: str, finish_reason: str) -> None:
        self.index, self.text, self.finish_reason = index, text, finish_reason
        self.token_ids = tuple(tokens_of(text))
        self.cumulative_logprob = None
        self.logprobs = None
        self.stop_reason = None


class RequestOutput:
    """The attributes of vLLM's class of this name."""

    def __init__(self, number: int, prompt: str, outputs: list[CompletionOutput]) -> None:
        self.request_id = str(number)
        self.prompt = prompt
        self.prompt_token_ids = tokens_of(prompt)
        self.prompt_logprobs = None
        self.outputs = outputs
        self.finished = True


@layout
def vllm_request_outputs(folder: Path, study: Study) -> Case:
    made = [
        RequestOutput(
            number,
            qwen(p.question),
            [CompletionOutput(n, d.text, d.finish) for n, d in enumerate(study.draws(p))],
        )
        for number, p in enumerate(PROBLEMS)
    ]
    return case(
        study,
        made,
        golds=None,
        verdicts=None,
        counts={},
        token_ids={p.id: [tokens_of(d.text) for d in study.draws(p)] for p in PROBLEMS},
    )


@layout
def batch_of_the_completions_api(folder: Path, study: Study) -> Case:
    rows = _batch(study, lambda d: {"content": d.text})
    for row, p in zip(rows, PROBLEMS, strict=True):
        body = row["response"]["body"]
        body["object"] = "text_completion"
        body["choices"] = [
            {"index": n, "text": d.text, "finish_reason": d.finish, "logprobs": None}
            for n, d in enumerate(study.draws(p))
        ]
    requests = [
        {
            "custom_id": f"request-{p.id}",
            "method": "POST",
            "url": "/v1/completions",
            "body": {"model": "org/served", "prompt": p.question, "n": 4},
        }
        for p in PROBLEMS
    ]
    return case(
        study,
        write_jsonl(folder / "out.jsonl", rows),
        options={"requests": (str(write_jsonl(folder / "requests.jsonl", requests)),)},
        golds=None,
        verdicts=None,
        counts={},
    )

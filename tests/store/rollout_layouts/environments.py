"""Layouts of trainers with environments: NeMo-RL, NeMo-Gym, open-instruct, verifiers, prime-rl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rollout_layouts.study import (
    BOXED,
    PROBLEMS,
    Case,
    Problem,
    Study,
    case,
    layout,
    qwen,
    write_jsonl,
)
from rollout_layouts.trainers import (
    logprobs_of,
    rewards_of,
    token_ids_of,
    token_logprobs_of,
    tokens_of,
)

__all__: list[str] = []


@layout
def nemo_rl_validation(folder: Path, study: Study) -> Case:
    rows = [
        {
            "content": [
                [
                    {"role": "user", "content": f"{p.question}\n{BOXED}"},
                    {"role": "assistant", "content": d.text},
                ]
            ],
            "rewards": [float(d.right)],
            "idx": index,
        }
        for index, (p, _, d) in enumerate(study)
    ]
    file = write_jsonl(folder / "val_data_step20.jsonl", rows)
    return case(study, file, golds=None, finish="unknown")


@layout
def nemo_rl_run_eval(folder: Path, study: Study) -> Case:
    value = {
        "evaluation_data": [
            {
                "prompt": qwen(p.question),
                "response": d.text,
                "reward": float(d.right),
                "message_log": "[{'role': 'user'}]",
                "extra_env_info": str({"ground_truth": p.gold}),
                "sample_index": number * 4 + n,
            }
            for number, p in enumerate(PROBLEMS)
            for n, d in enumerate(study.draws(p))
        ]
    }
    (folder / "evaluation_data.json").write_text(json.dumps(value, indent=2))
    (folder / "config.json").write_text(
        json.dumps({"model_name": "org/nemo", "temperature": 0.6, "top_p": 0.95, "k_value": 4})
    )
    return case(
        study,
        folder / "evaluation_data.json",
        golds={},
        finish="unknown",
        model="org/nemo",
        sampling={"temperature": 0.6, "top_p": 0.95},
    )


def _gym_row(p: Problem, number: int, n: int, d: Any) -> dict[str, Any]:
    return {
        "responses_create_params": {
            "input": [{"role": "user", "content": p.question}],
            "temperature": 0.7,
        },
        "response": {
            "id": f"resp_{number}_{n}",
            "object": "response",
            "model": "org/gym",
            "status": "completed" if d.finish == "stop" else "incomplete",
            "incomplete_details": None if d.finish == "stop" else {"reason": "max_output_tokens"},
            "output": [
                {
                    "type": "reasoning",
                    "id": "r",
                    "summary": [{"type": "summary_text", "text": d.thinking}],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": d.text, "annotations": []}],
                },
            ],
        },
        "reward": float(d.right),
        "expected_answer": p.gold,
        "extracted_answer": d.answer,
        "library_reward": float(d.right),
        "agent_ref": {"type": "responses_api_agents", "name": "math_agent"},
        "_ng_task_index": number,
        "_ng_rollout_index": n,
    }


@layout
def nemo_gym_rollouts(folder: Path, study: Study) -> Case:
    rows = [
        _gym_row(p, number, n, study.draws(p)[n])
        for n in range(3, -1, -1)
        for number, p in enumerate(PROBLEMS)
    ]
    file = write_jsonl(folder / "out" / "rollouts.jsonl", rows)
    write_jsonl(folder / "out" / "rollouts_failures.jsonl", [{"error": "timeout", "row": 1}])
    return case(
        study,
        file.parent,
        texts={p.id: [(d.thinking, d.text) for d in study.draws(p)] for p in PROBLEMS},
        indices={p.id: [0, 1, 2, 3] for p in PROBLEMS},
        model="org/gym",
    )


@layout
def open_instruct_token_ids(folder: Path, study: Study) -> Case:
    rows = [
        {
            "step": 1,
            "sample_idx": index,
            "prompt_idx": index // 4,
            "prompt_tokens": tokens_of(p.question),
            "response_tokens": tokens_of(d.text),
            "reward": 10.0 if d.right else 0.0,
            "advantage": 0.1,
            "finish_reason": d.finish,
            "dataset": "math",
            "ground_truth": tokens_of(p.gold),
            "request_info": {},
            "logprobs": logprobs_of(d.text),
        }
        for index, (p, _, d) in enumerate(study)
    ]
    write_jsonl(folder / "run_rollouts_000000.jsonl", rows[:9])
    write_jsonl(folder / "run_rollouts_000001.jsonl", rows[9:])
    write_jsonl(
        folder / "run_metadata.jsonl",
        [{"run_name": "run", "git_commit": "0", "model_name": "org/tulu", "timestamp": "t"}],
    )
    return case(
        study,
        folder,
        texts={p.id: [""] * 4 for p in PROBLEMS},
        golds=None,
        questions={},
        options={"verdict": "reward>=10"},
        token_ids=token_ids_of(study),
        logprobs={"sampler": token_logprobs_of(study)},
        model="org/tulu",
    )


@layout
def verifiers_results(folder: Path, study: Study) -> Case:
    run = folder / "outputs" / "evals" / "math500--org--tiny" / "0a1b"
    rows = [
        {
            "example_id": number,
            "prompt": [{"role": "user", "content": p.question}],
            "completion": [{"role": "assistant", "content": d.text}],
            "answer": p.gold,
            "reward": 1.1 if d.right else 0.1,
            "error": None,
            "timing": {"total_ms": 1.0},
            "is_completed": True,
            "is_truncated": d.finish == "length",
            "stop_condition": "max_turns_reached",
            "metrics": {"correct_answer": float(d.right), "format": 1.0},
            "correct_answer": float(d.right),
            "format": 1.0,
            "tool_defs": None,
            "token_usage": {"input_tokens": 4.0, "output_tokens": 5.0},
        }
        for number, p in enumerate(PROBLEMS)
        for d in study.draws(p)
    ]
    write_jsonl(run / "results.jsonl", rows)
    meta = {
        "env_id": "math500",
        "model": "org/tiny",
        "num_examples": 4,
        "rollouts_per_example": 4,
        "sampling_args": {"temperature": 0.8, "max_tokens": 99},
        "avg_reward": 0.5,
        "pass_threshold": 0.5,
    }
    (run / "metadata.json").write_text(json.dumps(meta))
    return case(
        study,
        run,
        model="org/tiny",
        rewards=rewards_of(study, 1.1, 0.1),
        sampling={"temperature": 0.8, "max_tokens": 99},
    )


@layout
def verifiers_results_with_an_error(folder: Path, study: Study) -> Case:
    rows = [
        {
            "example_id": number,
            "prompt": [{"role": "user", "content": p.question}],
            "completion": [{"role": "assistant", "content": d.text}],
            "answer": p.gold,
            "reward": float(d.right),
            "error": None,
            "is_completed": True,
            "is_truncated": d.finish == "length",
            "stop_condition": "done",
            "metrics": {},
        }
        for number, p in enumerate(PROBLEMS)
        for d in study.draws(p)
    ]
    rows.insert(
        5,
        {
            **rows[5],
            "completion": [],
            "reward": 0.0,
            "error": {"error": "ModelError", "error_chain_str": "ModelError -> Timeout"},
        },
    )
    return case(study, write_jsonl(folder / "results.jsonl", rows), left_out=1)


def _episode(p: Problem, number: int, n: int, d: Any, tokens: bool) -> dict[str, Any]:
    prompt, response = tokens_of(p.question), tokens_of(d.text)
    user: dict[str, Any] = {"message": {"role": "user", "content": p.question}, "sampled": False}
    answer: dict[str, Any] = {
        "parent": 0,
        "message": {"role": "assistant", "content": d.text},
        "sampled": True,
    }
    if tokens:
        user.update(token_ids=prompt, mask=[False] * len(prompt))
        answer.update(
            token_ids=response,
            mask=[True] * len(response),
            logprobs=logprobs_of(d.text),
            reference_logprobs=logprobs_of(d.text, 1),
        )
    return {
        "id": f"e{number}-{n}",
        "env": {"id": "math", "name": "math"},
        "group": {"id": f"g{number}"},
        "ok": True,
        "run": {"type": "eval", "id": "r", "name": "r", "work": {"type": "eval", "step": 100}},
        "task": {
            "type": "math",
            "key": f"k{number}",
            "data": {"idx": number, "prompt": p.question, "answer": p.gold},
        },
        "traces": [
            {
                "version": 1,
                "id": f"t{number}-{n}",
                "agent": {"name": "main", "trainable": True},
                "nodes": [user, answer],
                "calls": [
                    {
                        "node": 1,
                        "model": "org/prime",
                        "sampling": {"temperature": 0.9, "max_tokens": 64},
                        "finish_reason": d.finish,
                    }
                ],
                "rewards": {"correct": {"score": float(d.right), "weight": 1.0}},
                "metrics": {"turns": 1.0},
                "is_completed": True,
                "ok": True,
                "stop_condition": "done",
            }
        ],
    }


def _episodes(study: Study, tokens: bool) -> list[dict[str, Any]]:
    return [
        _episode(p, number, n, study.draws(p)[n], tokens)
        for n in range(4)
        for number, p in enumerate(PROBLEMS)
    ]


@layout
def verifiers_traces(folder: Path, study: Study) -> Case:
    write_jsonl(folder / "math--x" / "traces.jsonl", _episodes(study, tokens=False))
    config = folder / "math--x" / "configs" / "eval.json"
    config.parent.mkdir()
    config.write_text('{"model": "org/prime"}')
    return case(
        study,
        folder / "math--x",
        model="org/prime",
        sampling={"temperature": 0.9, "max_tokens": 64},
    )


@layout
def prime_rl_traces(folder: Path, study: Study) -> Case:
    step = folder / "rollouts" / "step_100" / "eval"
    write_jsonl(step / "all" / "traces.jsonl", _episodes(study, tokens=True))
    # The effective rollouts are some of all rollouts once more.
    write_jsonl(step / "effective" / "traces.jsonl", _episodes(study, tokens=True)[:8])
    return case(
        study,
        step,
        token_ids=token_ids_of(study),
        logprobs={"sampler": token_logprobs_of(study), "reference": token_logprobs_of(study, 1)},
        left_out=None,
    )


@layout
def rllm_episodes(folder: Path, study: Study) -> Case:
    home = folder / "math__tiny"
    (home / "episodes").mkdir(parents=True)
    for index, (p, n, d) in enumerate(
        (p, n, study.draws(p)[n]) for n in range(4) for p in PROBLEMS
    ):
        step = {
            "prompt_ids": tokens_of(p.question),
            "response_ids": tokens_of(d.text),
            "logprobs": logprobs_of(d.text),
            "chat_completions": [
                {"role": "user", "content": p.question},
                {"role": "assistant", "content": d.text},
            ],
            "model_response": d.text,
            "reward": float(d.right),
        }
        episode = {
            "id": f"{p.id}:{n}",
            "task": {"id": str(p.id), "instruction": p.question, "metadata": {"answer": p.gold}},
            "is_correct": d.right,
            "termination_reason": "env_done",
            "trajectories": [{"name": "solver", "steps": [step], "reward": float(d.right)}],
            "eval_idx": index,
        }
        name = f"episode_{index:06d}_{p.id}.json"
        (home / "episodes" / name).write_text(json.dumps(episode, indent=2))
    items = [
        {"idx": number, "attempt": n, "reward": float(d.right), "is_correct": d.right}
        for number, p in enumerate(PROBLEMS)
        for n, d in enumerate(study.draws(p))
    ]
    summary = {"dataset_name": "math", "model": "org/tiny", "attempts": 4, "items": items}
    (home / "results.json").write_text(json.dumps(summary))
    return case(study, home, golds={}, finish="unknown", left_out=None)

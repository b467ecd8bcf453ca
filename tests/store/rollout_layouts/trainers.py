"""Layouts of trainers: verl, TRL, OpenRLHF, SkyRL, AReaL, ROLL, slime."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rollout_layouts.study import (
    BOXED,
    PROBLEMS,
    Case,
    Study,
    case,
    layout,
    qwen,
    rendered,
    write_jsonl,
)

__all__ = [
    "logprobs_of",
    "rewards_of",
    "token_ids_of",
    "token_logprobs_of",
    "tokens_of",
    "verl_rows",
]


def tokens_of(text: str) -> list[int]:
    """Token ids of a text, one a word."""
    return [sum(map(ord, word)) % 5000 + 100 for word in text.split()]


def logprobs_of(text: str, shift: float = 0.0) -> list[float]:
    return [-0.25 - shift - 0.125 * (n % 3) for n in range(len(tokens_of(text)))]


def token_ids_of(study: Study) -> dict[int, list[list[int]]]:
    return {p.id: [tokens_of(d.text) for d in study.draws(p)] for p in PROBLEMS}


def token_logprobs_of(study: Study, shift: float = 0.0) -> dict[int, list[list[float]]]:
    return {p.id: [logprobs_of(d.text, shift) for d in study.draws(p)] for p in PROBLEMS}


def rewards_of(study: Study, right: float = 1.0, wrong: float = 0.0) -> dict[int, list[float]]:
    return {p.id: [right if d.right else wrong for d in study.draws(p)] for p in PROBLEMS}


def verl_rows(study: Study) -> list[dict[str, Any]]:
    """Rows of verl's validation dump with a reward function of DAPO."""
    return [
        {
            "input": rendered(p.question),
            "output": d.text,
            "gts": p.gold,
            "score": 1.0 if d.right else -1.0,
            "step": 40,
            "reward": 1.0 if d.right else -1.0,
            "acc": d.right,
            "pred": d.answer or "[INVALID]",
        }
        for p, _, d in study
    ]


@layout
def verl_validation(folder: Path, study: Study) -> Case:
    file = write_jsonl(folder / "40.jsonl", verl_rows(study))
    return case(study, file, finish="unknown", rewards=rewards_of(study, 1, -1))


@layout
def verl_folder_with_other_files(folder: Path, study: Study) -> Case:
    write_jsonl(folder / "val" / "40.jsonl", verl_rows(study))
    write_jsonl(folder / "val" / "metrics.jsonl", [{"step": 40, "val-core/acc": 0.4}])
    (folder / "val" / "config.yaml").write_text("trainer:\n  project_name: x\n")
    (folder / "val" / "metadata.json").write_text('{"run": "x", "started": 1}\n')
    (folder / "val" / "train.log").write_text("step 1\nstep 2\n")
    (folder / "val" / ".hidden.jsonl").write_text("{\n")
    return case(study, folder / "val", finish="unknown")


@layout
def verl_rewards_of_minus_one_and_one(folder: Path, study: Study) -> Case:
    rows = [
        {k: v for k, v in row.items() if k not in ("acc", "pred", "reward")}
        for row in verl_rows(study)
    ]
    return case(study, write_jsonl(folder / "7.jsonl", rows), finish="unknown")


@layout
def verl_without_golds(folder: Path, study: Study) -> Case:
    # Before 2025-08 a dump had no `gts`.
    rows = [
        {"input": r["input"], "output": r["output"], "score": float(r["acc"]), "step": 1}
        for r in verl_rows(study)
    ]
    return case(study, write_jsonl(folder / "1.jsonl", rows), finish="unknown", golds=None)


@layout
def verl_v1_uid(folder: Path, study: Study) -> Case:
    rows = []
    for number, row in enumerate(verl_rows(study)):
        prompt = uuid.UUID(int=number // 4 + 77)
        rows.append({**row, "uid": f"{prompt}_{number % 4}_0"})
    rows.sort(key=lambda row: row["uid"])
    return case(study, write_jsonl(folder / "40.jsonl", rows), finish="unknown")


@layout
def verl_v1_several_outputs_of_a_session(folder: Path, study: Study) -> Case:
    rows = []
    for number, row in enumerate(verl_rows(study)):
        prompt = uuid.UUID(int=number // 4 + 77)
        if number % 4 == 1:
            first = {**row, "output": "calling a tool \\boxed{0}"}
            rows.append({**first, "uid": f"{prompt}_{number % 4}_0"})
            rows.append({**row, "uid": f"{prompt}_{number % 4}_1"})
        else:
            rows.append({**row, "uid": f"{prompt}_{number % 4}_0"})
    file = write_jsonl(folder / "40.jsonl", rows)
    return case(study, file, finish="unknown", left_out=None)


@layout
def verl_generation_parquet(folder: Path, study: Study) -> Case:
    rows = [
        {
            "data_source": "HuggingFaceH4/MATH-500",
            "prompt": [{"role": "user", "content": f"{p.question} {BOXED}"}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": p.gold},
            "extra_info": {"split": "test", "index": p.id},
            "responses": [d.text for d in study.draws(p)],
        }
        for p in PROBLEMS
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "gen.parquet")
    return case(study, folder / "gen.parquet", finish="unknown", verdicts=None)


def trl_rows(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "step": 100,
            "prompt": qwen(p.question),
            "completion": d.text,
            "accuracy_reward": float(d.right),
            "advantage": 0.5 if d.right else -0.5,
        }
        for p, _, d in study
    ]


@layout
def trl_completions(folder: Path, study: Study) -> Case:
    file = folder / "completions" / "completions_00100.parquet"
    file.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(trl_rows(study)), file)
    return case(study, file, finish="unknown", golds=None)


@layout
def trl_two_rewards_one_named(folder: Path, study: Study) -> Case:
    rows = [{**row, "format_reward": 1.0, "mode": "eval"} for row in trl_rows(study)]
    rows = [{**r, "accuracy_reward": r["accuracy_reward"]} for r in rows]
    file = folder / "completions" / "eval" / "completions_00100.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), file)
    return case(
        study, file, finish="unknown", golds=None, options={"verdict": "accuracy_reward>=1"}
    )


@layout
def openrlhf_batch_inference(folder: Path, study: Study) -> Case:
    # Prompts are repeated best_of_n times as a whole; the text keeps its special tokens.
    rows = [
        {
            "input": qwen(p.question),
            "output": study.draws(p)[n].text
            + ("" if study.draws(p)[n].finish == "length" else "<|im_end|>\n<|im_start|>user\n1"),
            "reward": float(study.draws(p)[n].right),
        }
        for n in range(4)
        for p in PROBLEMS
    ]
    return case(
        study,
        write_jsonl(folder / "generate.jsonl", rows),
        golds=None,
        finish="unknown",
        reported=[r"im_end"],
    )


def skyrl_rows(study: Study, score: Any) -> list[dict[str, Any]]:
    return [
        {
            "input_prompt": qwen(p.question),
            "output_response": d.text + ("<|im_end|>" if d.finish == "stop" else ""),
            "score": score(d),
            "stop_reason": d.finish,
            "env_class": "aime",
            "env_extras": {
                "reward_spec": {"ground_truth": p.gold, "method": "rule"},
                "extra_info": {"index": p.id},
            },
            "data_source": "math_dapo",
        }
        for p, _, d in study
    ]


@layout
def skyrl_eval_dump(folder: Path, study: Study) -> Case:
    evals = folder / "dumped_evals" / "global_step_5_evals"
    write_jsonl(evals / "math_dapo.jsonl", skyrl_rows(study, lambda d: float(d.right)))
    write_jsonl(evals / "aggregated_results.jsonl", [{"eval/all/avg_score": 0.4}])
    return case(study, evals)


@layout
def skyrl_token_rewards(folder: Path, study: Study) -> Case:
    rows = skyrl_rows(study, lambda d: [0.0, 0.0, float(d.right)])
    return case(study, write_jsonl(folder / "math_dapo.jsonl", rows))


@layout
def areal_eval_rollouts(folder: Path, study: Study) -> Case:
    for number, p in enumerate(PROBLEMS):
        for n, d in enumerate(study.draws(p)):
            row = {
                "task_id": 1000 + 4 * number + n,
                "sample_idx": 0,
                "seqlen": 90,
                "prompt_len": 40,
                "head_version": 12,
                "tail_version": 12,
                "reward": float(d.right),
                "prompt": qwen(p.question),
                "completion": d.text + ("<|im_end|>" if d.finish == "stop" else ""),
            }
            write_jsonl(folder / "eval-rollout" / "12" / f"{row['task_id']}.jsonl", [row])
    return case(study, folder / "eval-rollout" / "12", golds=None, finish="unknown")


@layout
def roll_rollout_dump(folder: Path, study: Study) -> Case:
    columns: dict[str, list[Any]] = {}
    for p, _, d in study:
        row = {
            "global_step": 3,
            "id": str(p.id),
            "source": "math",
            "difficulty": 0.5,
            "prompt": qwen(p.question),
            "messages": json.dumps([{"role": "user", "content": p.question}]),
            "ground_truth": p.gold,
            "case_type": "",
            "test_case_function": "",
            "test_cases": "",
            "tag": "math",
            "domain": "math_rule",
            "responses": d.text,
            "scores": float(d.right),
            "sampling_params": json.dumps({"temperature": 0.99, "top_p": 0.98}),
        }
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    file = write_jsonl(folder / "rollout_dump_data.step_3.jsonl", [columns])
    return case(study, file, finish="unknown")


@layout
def roll_logging_board(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": qwen(p.question),
            "response": d.text,
            "logprobs": logprobs_of(d.text),
            "ref_logprobs": logprobs_of(d.text, 1),
            "old_log_probs2_entropy": [0.5] * len(tokens_of(d.text)),
            "reward": float(d.right),
            "response_tokens": [f"t{n}" for n in range(len(tokens_of(d.text)))],
            "step": 3,
        }
        for p, _, d in study
    ]
    return case(
        study,
        write_jsonl(folder / "data_0.jsonl", rows),
        golds=None,
        finish="unknown",
        logprobs={"sampler": token_logprobs_of(study), "reference": token_logprobs_of(study, 1)},
    )


@layout
def slime_debug_rollouts(folder: Path, study: Study) -> Case:
    import torch

    samples = []
    for index, (p, n, d) in enumerate(study):
        prompt, response = tokens_of(qwen(p.question)), tokens_of(d.text)
        samples.append(
            {
                "group_index": index // 4,
                "index": index,
                "prompt": qwen(p.question),
                "tokens": prompt + response,
                "multimodal_inputs": None,
                "response": d.text,
                "response_length": len(response),
                "label": p.gold,
                "reward": float(d.right),
                "loss_mask": None,
                "rollout_log_probs": logprobs_of(d.text),
                "status": "completed" if d.finish == "stop" else "truncated",
                "metadata": {"n": n},
            }
        )
    file = folder / "eval_0.pt"
    torch.save({"rollout_id": 0, "samples": samples}, file)
    return case(
        study, file, token_ids=token_ids_of(study), logprobs={"sampler": token_logprobs_of(study)}
    )


@layout
def verl_golds_in_lists(folder: Path, study: Study) -> Case:
    rows = [{**row, "gts": [row["gts"]]} for row in verl_rows(study)]
    return case(study, write_jsonl(folder / "40.jsonl", rows), finish="unknown")


@layout
def skyrl_worked_solutions_as_golds(folder: Path, study: Study) -> Case:
    rows = skyrl_rows(study, lambda d: float(d.right))
    for row in rows:
        gold = row["env_extras"]["reward_spec"]["ground_truth"]
        row["env_extras"] = {
            "reward_spec": {"ground_truth": gold, "method": "rule"},
            "extra_info": {"answer": f"We count.\n#### {gold}", "index": 1, "split": "test"},
        }
    return case(study, write_jsonl(folder / "openai_gsm8k.jsonl", rows))


@layout
def trl_reward_of_one_task_only(folder: Path, study: Study) -> Case:
    rows = trl_rows(study)
    for row in rows[-4:]:
        row["accuracy_reward"] = float("nan")
    file = folder / "completions_00100.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    made = case(study, file, golds=None, finish="unknown")
    assert made.verdicts is not None
    made.verdicts[PROBLEMS[-1].id] = [None] * 4
    made.counts[PROBLEMS[-1].id] = 0
    return made

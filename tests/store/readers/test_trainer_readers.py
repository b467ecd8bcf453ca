"""Readers of the layouts that trainers write: which one takes a file, and what it makes of a row.

The rows follow the tools' own code, named beside each. The texts are real: questions of GSM8K.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.store.readers.reader import MISSING, Reader, Sample, SourceFile, value_at

ORDER = (
    "prime_rl",
    "verifiers",
    "nemo_gym",
    "nemo_rl",
    "rllm",
    "slime",
    "roll",
    "areal",
    "skyrl",
    "open_instruct",
    "trl",
    "verl_v1",
    "verl",
    "verl_generation",
    "openrlhf",
)
TRAINERS: tuple[Reader, ...] = tuple(
    importlib.import_module(f"rlvr_fast.store.readers.{name}").READER for name in ORDER
)

QUESTION = "Janet has 3 apples and buys 4 more. How many apples does she have?"
CHAT = [
    {"role": "system", "content": "Answer in \\boxed{}."},
    {"role": "user", "content": QUESTION},
]
RIGHT = "3 + 4 = 7, so \\boxed{7}"
WRONG = "3 * 4 = 12, so \\boxed{12}"
TEMPLATED = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


def sample(*rows: Any, name: str = "rows.jsonl", kind: str = "jsonl", at: Path | None = None):
    path = (at / name) if at else Path(name)
    return Sample(file=SourceFile(name=name, path=path), kind=kind, rows=rows)


def reader_of(found: Sample) -> Reader:
    matching = [reader for reader in TRAINERS if reader.matches(found)]
    assert matching, "no reader matches"
    return matching[0]


def rollouts(found: Sample) -> list[dict[str, Any]]:
    """What the reader that takes a file makes of its first rows."""
    reader = reader_of(found)
    rows: Any = enumerate(found.rows, 1)
    rows = list(reader.gather(rows) if reader.gather else rows)
    if reader.rows:
        return [dict(r) for _, row in rows for r in reader.rows(row, found.file)]
    made = []
    for _, row in rows:
        rollout = {}
        for role, paths in reader.fields.items():
            for path in [paths] if isinstance(paths, str) else paths:
                if (value := value_at(row, path)) is not MISSING:
                    rollout[role] = value
                    break
        made.append(rollout)
    return made


# verl 0.9, verl/trainer/ppo/ray_trainer.py, _write_generations
VERL = {
    "input": f"user\n{QUESTION}\nassistant\n",
    "output": RIGHT,
    "gts": "7",
    "score": 1.0,
    "step": 40,
    "reward": 1.0,
    "acc": True,
    "pred": "7",
}
# verl 0.9, verl/trainer/main_generation_server.py over examples/data_preprocess/gsm8k.py
VERL_GENERATION = {
    "data_source": "openai/gsm8k",
    "prompt": CHAT,
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "7"},
    "extra_info": {"split": "test", "index": 0, "answer": "3+4\n#### 7", "question": QUESTION},
    "responses": [RIGHT, WRONG],
}
# TRL 1.10, trl/trainer/grpo_trainer.py, log
TRL = {
    "step": 5,
    "prompt": TEMPLATED,
    "completion": RIGHT,
    "accuracy_reward": 1.0,
    "format_reward": 0.5,
    "advantage": 0.7,
    "__index_level_0__": 0,
}
# OpenRLHF 0551ff62, openrlhf/cli/batch_inference.py
OPENRLHF = {"input": TEMPLATED, "output": RIGHT + "<|im_end|>", "reward": 2.25}
# slime 624b824a, slime/utils/types.py
SLIME = {
    "group_index": 0,
    "index": 3,
    "prompt": TEMPLATED,
    "tokens": [1, 2, 3, 40, 41, 42],
    "response": RIGHT,
    "response_length": 3,
    "label": "7",
    "reward": {"score": -1.0, "acc": False, "pred": "12"},
    "loss_mask": [1, 1, 1],
    "rollout_log_probs": [-0.1, -0.2, -0.3],
    "rollout_top_p_token_ids": [40, 50, 41, 42],
    "rollout_top_p_token_offsets": [0, 2, 3, 4],
    "status": "truncated",
    "metadata": {},
}
# SkyRL a9564572, skyrl/train/utils/trainer_utils.py
SKYRL = {
    "input_prompt": TEMPLATED,
    "output_response": RIGHT + "<|im_end|>",
    "score": [0.0, 0.0, 1.0],
    "stop_reason": "stop",
    "env_class": "gsm8k",
    "env_extras": {"reward_spec": {"method": "rule", "ground_truth": "7"}},
    "data_source": "openai/gsm8k",
}
# AReaL 4aef98d8, areal/infra/workflow_executor.py
AREAL = {
    "task_id": 12,
    "sample_idx": 1,
    "seqlen": 30,
    "prompt_len": 20,
    "head_version": 3,
    "tail_version": 3,
    "reward": 1.0,
    "prompt": TEMPLATED,
    "completion": RIGHT + "<|im_end|>",
}
# ROLL 8eb27cc2, roll/pipeline/rlvr/utils.py
ROLL = {
    "global_step": [3, 3],
    "id": ["0", "0"],
    "prompt": [QUESTION, QUESTION],
    "messages": [json.dumps(CHAT)] * 2,
    "ground_truth": ["7", "7"],
    "tag": ["gsm8k", "gsm8k"],
    "domain": ["math_rule"] * 2,
    "responses": [RIGHT, WRONG],
    "scores": [1.0, 0.0],
    "sampling_params": [
        json.dumps({"generation_config": {"temperature": 0.99, "top_p": 0.9, "max_new_tokens": 64}})
    ]
    * 2,
}
ROLL_BOARD = {
    "log_probs2": [-0.1, -0.2, 0.0],
    "logprobs": [-0.1, -0.2, 0.0],
    "new_response_mask": [1, 1, 0],
    "prompt": "<|endoftext|><|endoftext|>" + TEMPLATED,
    "response": RIGHT + "<|im_end|><|endoftext|>",
    "old_log_probs2_entropy": [0.3, 0.2, 0.0],
    "ref_logprobs": [-0.4, -0.5, 0.0],
    "reward": 1.0,
    "step": 3,
    "response_tokens": ["7", "<|im_end|>", "<|endoftext|>"],
}
# NeMo-RL 7ea279ab, nemo_rl/utils/logger.py and nemo_rl/evals/eval.py
NEMO_VAL = {
    "content": [
        [
            {"role": "user", "content": TEMPLATED},
            {"role": "assistant", "content": RIGHT},
            {"role": "environment", "content": "Environment: correct"},
        ]
    ],
    "rewards": [1.0],
    "idx": 0,
}
NEMO_TRAIN = {
    "content": [[TEMPLATED, RIGHT, "Environment: correct"]],
    "rewards": [1.0],
    "input_lengths": [5],
    "token_ids": [[5, 6, 7, 8, 0, 0]],
    "token_loss_mask": [[0, 0, 1, 1, 0, 0]],
    "sample_loss_mask": [1.0],
    "advantages": [[0.0, 0.0, 0.5, 0.5, 0.0, 0.0]],
    "generation_logprobs": [[0.0, 0.0, -0.25, -0.5, 0.0, 0.0]],
    "prev_logprobs": [[0.0, -1.0, -0.25, -0.5, 0.0, 0.0]],
    "idx": 0,
}
NEMO_EVAL = {
    "evaluation_data": [
        {
            "prompt": TEMPLATED,
            "response": RIGHT,
            "reward": 1.0,
            "message_log": "[{'role': 'user', 'content': tensor([1, 2])}]",
            "extra_env_info": "{'ground_truth': '\\\\frac{7}{1}', 'num_turns': 1}",
            "sample_index": 0,
        },
        {
            "prompt": TEMPLATED,
            "response": WRONG,
            "reward": 0.0,
            "message_log": "[]",
            "extra_env_info": "{'num_turns': tensor(1), 'ground_truth': 7}",
            "sample_index": 1,
        },
    ]
}
# NeMo-Gym 07d6b0d0, the Responses object of an OpenAI server
NEMO_GYM = {
    "responses_create_params": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
        "temperature": 1.0,
        "max_output_tokens": 512,
    },
    "response": {
        "model": "qwen",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "error": None,
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "add them"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": RIGHT}],
                "prompt_token_ids": [1, 2],
                "generation_token_ids": [3, 4],
                "generation_log_probs": [-0.5, -0.25],
            },
        ],
    },
    "reward": 1.0,
    "_ng_task_index": 4,
    "_ng_rollout_index": 2,
    "agent_ref": {"name": "simple_agent"},
    "expected_answer": "7",
    "extracted_answer": "7",
    "library_reward": 1.0,
}
# open-instruct e6c3044a, open_instruct/rl_utils.py
OPEN_INSTRUCT = {
    "step": 1,
    "sample_idx": 0,
    "prompt_idx": 0,
    "prompt_tokens": [9, 8, 7],
    "response_tokens": [6, 5],
    "reward": 10.0,
    "advantage": 0.5,
    "finish_reason": "stop",
    "dataset": "gsm8k",
    "ground_truth": [22],
    "request_info": None,
    "logprobs": [-0.1, -0.2],
}
# verifiers a60a606e, verifiers/legacy/utils/save_utils.py
VERIFIERS = {
    "example_id": 3,
    "prompt": CHAT,
    "completion": [{"role": "assistant", "content": RIGHT}],
    "answer": "7",
    "reward": 0.5,
    "error": None,
    "timing": {"total_ms": 10},
    "is_completed": True,
    "is_truncated": False,
    "stop_condition": "has_final_response",
    "metrics": {"correct_answer": 0.5},
    "correct_answer": 0.5,
    "tool_defs": None,
    "token_usage": {"input_tokens": 10.0, "output_tokens": 5.0},
}
# verifiers 0.4, verifiers/v1/{episode,trace,graph}.py
TRACE = {
    "version": 1,
    "id": "t0",
    "task": {"type": "Task", "key": "gsm8k-3", "data": {"idx": 3, "answer": "7"}},
    "agent": {"name": "solver", "trainable": True},
    "nodes": [
        {"message": CHAT[0], "sampled": False, "token_ids": [1, 2], "mask": [False, False]},
        {"parent": 0, "message": CHAT[1], "sampled": False, "token_ids": [3], "mask": [False]},
        {
            "parent": 1,
            "message": {"role": "assistant", "content": RIGHT, "reasoning_content": "add"},
            "sampled": True,
            "token_ids": [4, 5, 6],
            "mask": [False, True, True],
            "logprobs": [-0.5, -0.25],
            "reference_logprobs": [-0.75, -0.5],
        },
    ],
    "calls": [
        {
            "node": 2,
            "model": "qwen",
            "sampling": {"temperature": 0.7, "top_p": 0.9, "max_tokens": 256},
            "finish_reason": "stop",
        }
    ],
    "rewards": {
        "correct_answer": {"score": 1.0, "weight": 1.0},
        "format": {"score": 0.5, "weight": 0.2},
        "judge": None,
    },
    "metrics": {"num_turns": 1.0},
    "is_completed": True,
    "ok": True,
    "errors": [{"type": "ProviderError", "message": "the first attempt"}],
}
EPISODE = {
    "id": "e0",
    "env": {"id": "gsm8k"},
    "group": {"id": "g0"},
    "ok": True,
    "run": {"type": "train", "id": "r", "work": {"type": "train", "step": 3}},
    "task": TRACE["task"],
    "traces": [TRACE, {**TRACE, "id": "t1", "agent": {"name": "judge", "trainable": False}}],
}
# rLLM 9beb6e0f, rllm/eval/episode_store.py
RLLM = {
    "id": "17:2",
    "task": {"id": "17", "instruction": QUESTION, "metadata": {"ground_truth": "7"}},
    "termination_reason": "env_done",
    "is_correct": True,
    "trajectories": [
        {
            "name": "agent",
            "reward": 1.0,
            "steps": [
                {
                    "prompt_ids": [1, 2],
                    "response_ids": [3, 4],
                    "logprobs": [-0.5, -0.25],
                    "chat_completions": [*CHAT, {"role": "assistant", "content": RIGHT}],
                    "model_response": RIGHT,
                    "reward": 1.0,
                }
            ],
        }
    ],
    "eval_idx": 70,
}

LAYOUTS = {
    "verl": [VERL],
    "verl-v1": [{**VERL, "uid": "0b3e_0_0"}],
    "verl-generation": [VERL_GENERATION],
    "trl": [TRL],
    "openrlhf": [OPENRLHF],
    "slime": [SLIME],
    "skyrl": [SKYRL],
    "areal": [AREAL],
    "roll": [ROLL],
    "nemo-rl": [NEMO_VAL],
    "nemo-gym": [NEMO_GYM],
    "open-instruct": [OPEN_INSTRUCT],
    "verifiers": [VERIFIERS],
    "prime-rl": [EPISODE],
    "rllm": [RLLM],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_reader_takes_a_layout(name):
    found = sample(*LAYOUTS[name])
    # The dump of the v1 trainer is one of the older trainer too, and is asked first.
    expected = ["verl-v1", "verl"] if name == "verl-v1" else [name]
    assert [reader.name for reader in TRAINERS if reader.matches(found)] == expected


@pytest.mark.parametrize("row", [ROLL_BOARD, NEMO_TRAIN, TRACE])
def test_further_layouts_of_a_tool(row):
    assert reader_of(sample(row)).name in ("roll", "nemo-rl", "prime-rl")


@pytest.mark.parametrize(
    "row",
    [
        {"input": "Translate: chat", "output": "cat"},
        {"instruction": "Say", "input": "<s>a", "output": "b</s>"},
        {"input": QUESTION, "output": RIGHT, "score": 1.0},
        {"prompt": TEMPLATED, "response": RIGHT, "reward": 1.0},
        {"prompt": TEMPLATED, "completion": RIGHT, "reward": 1.0, "task_id": 3},
        {"question": QUESTION, "responses": [RIGHT, WRONG]},
        {"prompt": QUESTION, "responses": [RIGHT, WRONG], "answer": "7"},
        {"problem": QUESTION, "generations": [RIGHT], "answer": "7"},
        {"messages": [*CHAT, {"role": "assistant", "content": RIGHT}]},
        {"step": 3, "loss": 0.25, "reward": 0.5},
        {"eval/openai_gsm8k/avg_score": 0.5, "eval/all/pass_at_4": 0.75},
        {"content": "text", "idx": 3},
        {"items": [{"idx": 0, "reward": 1.0, "is_correct": True}], "model": "m", "score": 1.0},
        {"doc_id": 0, "doc": {}, "resps": [["a"]], "filtered_resps": ["a"], "target": "7"},
        {"traces": "none", "nodes": []},
        ["a", "list"],
        "a text",
        None,
        7,
    ],
)
def test_other_rows_are_left_to_other_readers(row):
    found = sample(row)
    assert [reader.name for reader in TRAINERS if reader.matches(found)] == []


@pytest.mark.parametrize(
    "name", [name for name, reader in zip(ORDER, TRAINERS, strict=True) if reader.rows]
)
@pytest.mark.parametrize("row", [None, 3, "text", [], {}, [None], {"samples": [3]}])
def test_a_row_of_another_form_makes_no_completion(name, row):
    reader = importlib.import_module(f"rlvr_fast.store.readers.{name}").READER
    file = SourceFile(name="x", path=None)
    for rollout in reader.rows(row, file):
        assert not rollout.get("completion")


def nulled(value: Any) -> list[Any]:
    """Copies of a row with one of its values, at any depth, replaced by values of other forms."""
    made = []
    for odd in (None, 3, "text", [], {}, [None]):
        if isinstance(value, dict):
            made += [{**value, key: odd} for key in value]
        elif isinstance(value, list):
            made += [[*value[:i], odd, *value[i + 1 :]] for i in range(len(value))]
    if isinstance(value, dict):
        made += [{**value, key: part} for key in value for part in nulled(value[key])]
    elif isinstance(value, list):
        made += [[*value[:i], p, *value[i + 1 :]] for i, v in enumerate(value) for p in nulled(v)]
    return made


@pytest.mark.parametrize("name", [*LAYOUTS, "board", "train", "eval"])
def test_no_value_of_another_form_stops_a_reader(name):
    others = {"board": ROLL_BOARD, "train": NEMO_TRAIN, "eval": NEMO_EVAL}
    row = others[name] if name in others else LAYOUTS[name][0]
    reader = reader_of(sample(row, kind="json"))
    for odd in nulled(row):
        found = sample(odd, kind="json")
        for other in TRAINERS:
            other.matches(found)
        if reader.about:
            reader.about(found)
        for _, kept in reader.gather([(1, odd)]) if reader.gather else [(1, odd)]:
            if reader.rows:
                list(reader.rows(kept, found.file))


def test_verl_dump():
    (rollout,) = rollouts(sample(VERL))
    assert rollout == {
        "question": VERL["input"],
        "completion": RIGHT,
        "gold": "7",
        "reward": 1.0,
        "verdict": True,
    }


@pytest.mark.parametrize("gold", [None, "7", ["7", "7.0"], {"target": ["7"]}, '{"inputs": []}', 7])
def test_verl_keeps_any_gold_and_needs_no_verdict(gold):
    row = {k: v for k, v in VERL.items() if k not in ("acc", "pred", "reward")} | {"gts": gold}
    (rollout,) = rollouts(sample(row | {"score": -1.0}))
    assert rollout["gold"] == gold
    assert rollout["reward"] == -1.0
    assert "verdict" not in rollout
    assert "problem_id" not in rollout


def test_verl_says_when_a_file_holds_several_steps():
    reader = reader_of(sample(VERL))
    assert reader.about(sample(VERL, VERL)).notes == []
    (note,) = reader.about(sample(VERL, {**VERL, "step": 80})).notes
    assert "policy" in note
    assert "step" in note


def test_verl_v1_keeps_the_last_output_of_a_session():
    def row(uid: str, prompt: str, text: str) -> dict[str, Any]:
        return {**VERL, "uid": uid, "input": prompt, "output": text}

    rows = [
        row("a_b_0_0", "first", "turn 1"),
        row("a_b_0_1", "first turn 1", "turn 2"),
        row("a_b_0_2", "first turn 1 turn 2", "final"),
        row("a_b_1_0", "first", "other"),
        row("c_0_0", "second", "one"),
        row("c_10_0", "second", "two"),
        {**VERL, "output": "no uid"},
    ]
    made = rollouts(sample(*rows))
    kept = [(r["question"], r["completion"]) for r in made if not r.get("error")]
    assert kept == [
        ("first", "final"),
        ("first", "other"),
        ("second", "one"),
        ("second", "two"),
        (VERL["input"], "no uid"),
    ]
    assert [r["completion"] for r in made if r.get("error")] == ["turn 1", "turn 2"]
    # The row numbers stay those of the file.
    gathered = reader_of(sample(*rows)).gather(enumerate(rows, 1))
    assert [number for number, _ in gathered] == [1, 2, 3, 4, 5, 6, 7]


def test_verl_generation():
    (rollout,) = rollouts(sample(VERL_GENERATION, name="out.parquet", kind="parquet"))
    assert rollout["question"] == CHAT
    assert rollout["completion"] == [RIGHT, WRONG]
    assert rollout["gold"] == "7"
    assert rollout["metadata"]["index"] == 0


def test_trl_takes_the_reward_that_is_named_for_correctness():
    (rollout,) = rollouts(sample(TRL, name="completions_00005.parquet", kind="parquet"))
    assert rollout["completion"] == RIGHT
    assert rollout["reward"] == 1.0
    assert rollout["format_reward"] == 0.5  # --verdict can name it
    (note,) = reader_of(sample(TRL)).about(sample(TRL)).notes
    assert "accuracy_reward is taken" in note


def test_trl_takes_a_sole_reward_and_leaves_two_to_the_user():
    sole = {k: v for k, v in TRL.items() if k not in ("accuracy_reward", "format_reward")}
    (rollout,) = rollouts(sample({**sole, "my_fn": 0.0, "difficulty": "hard"}))
    assert rollout["reward"] == 0.0
    two = {**sole, "helpful_reward": 0.0, "length_reward": 1.0}
    (rollout,) = rollouts(sample(two))
    assert rollout["reward"] is None
    (note,) = reader_of(sample(two)).about(sample(two)).notes
    assert "helpful_reward, length_reward" in note
    assert "--verdict" in note


def test_trl_reads_a_reward_that_was_not_applied():
    row = {**TRL, "accuracy_reward": float("nan"), "solution": "7", "task": "math"}
    (rollout,) = rollouts(sample(row))
    assert rollout["reward"] is None
    assert rollout["gold"] == "7"
    assert "task" not in rollout


@pytest.mark.parametrize(
    "row",
    [
        {"input": TEMPLATED, "output": RIGHT},
        {"input": QUESTION, "output": RIGHT + "</s>"},
        {"input": f"User: {QUESTION}\nAssistant: ", "output": RIGHT},
        {"input": f"<｜User｜>{QUESTION}<｜Assistant｜>", "output": RIGHT},
    ],
)
def test_openrlhf_is_told_by_its_template(row):
    (rollout,) = rollouts(sample(row))
    assert rollout == {"question": row["input"], "completion": row["output"]}


def test_slime():
    (rollout,) = rollouts(sample(SLIME, name="rollout_7.pt", kind="torch"))
    assert rollout["token_ids"] == [40, 41, 42]
    assert rollout["prompt_token_ids"] == [1, 2, 3]
    assert rollout["logprobs"] == [-0.1, -0.2, -0.3]
    assert rollout["finish_reason"] == "truncated"
    assert rollout["verdict"] is False
    assert rollout["reward"] == -1.0
    assert rollout["gold"] == "7"
    assert not any("top_p" in role for role in rollout)


def test_slime_dump_that_was_not_taken_apart():
    whole = {"rollout_id": 7, "samples": [{**SLIME, "reward": 1}, [SLIME, SLIME]]}
    made = rollouts(sample(whole, name="rollout_7.pt", kind="torch"))
    assert [r["reward"] for r in made] == [1.0, -1.0, -1.0]


def test_slime_of_training_names_the_policy():
    reader = reader_of(sample(SLIME))
    assert reader.about(sample(SLIME, name="rollout_7.pt")).notes
    assert not reader.about(sample(SLIME, name="eval_7.pt")).notes


def test_skyrl_sums_the_rewards_of_tokens():
    per_token, single = rollouts(sample(SKYRL, {**SKYRL, "score": 0.5, "env_extras": None}))
    assert (per_token["reward"], per_token["gold"]) == (1.0, "7")
    assert (single["reward"], single["gold"]) == (0.5, None)
    assert per_token["finish_reason"] == "stop"


def test_areal():
    (rollout,) = rollouts(sample(AREAL))
    assert rollout == {
        "question": TEMPLATED,
        "completion": RIGHT + "<|im_end|>",
        "reward": 1.0,
    }


def test_areal_of_training_names_the_policy(tmp_path):
    reader = reader_of(sample(AREAL))
    for folder, notes in (("rollout", 1), ("eval-rollout", 0)):
        found = sample(AREAL, name="12.jsonl", at=tmp_path / folder / "3")
        assert len(reader.about(found).notes) == notes


def test_roll_columns():
    found = sample(ROLL, name="rollout_dump_data.step_3.jsonl")
    made = rollouts(found)
    assert [(r["completion"], r["reward"], r["gold"]) for r in made] == [
        (RIGHT, 1.0, "7"),
        (WRONG, 0.0, "7"),
    ]
    assert {(r["problem_id"], r["task"], r["question"]) for r in made} == {("0", "gsm8k", QUESTION)}
    sampling = reader_of(found).about(found).sampling
    assert sampling == {"temperature": 0.99, "top_p": 0.9, "max_tokens": 64}


def test_roll_columns_without_a_plain_prompt():
    row = {k: v for k, v in ROLL.items() if k not in ("prompt", "id", "tag")}
    made = rollouts(sample(row))
    assert [r["question"] for r in made] == [CHAT, CHAT]
    assert all("task" not in r for r in made)


def test_roll_board_cuts_the_padding():
    (rollout,) = rollouts(sample(ROLL_BOARD))
    assert rollout["question"] == TEMPLATED
    assert rollout["logprobs"] == [-0.1, -0.2]
    assert rollout["reference_logprobs"] == [-0.4, -0.5]


def test_roll_board_without_recomputed_log_probs_or_reference():
    zeros = {**ROLL_BOARD, "logprobs": [0.0, 0.0, 0.0]}
    same = {**ROLL_BOARD, "ref_logprobs": ROLL_BOARD["logprobs"]}
    without, copied = rollouts(sample(zeros, same))
    assert "logprobs" not in without
    assert "reference_logprobs" in without
    assert "logprobs" in copied
    assert "reference_logprobs" not in copied


def test_nemo_rl_validation():
    (rollout,) = rollouts(sample(NEMO_VAL, name="val_data_step10.jsonl"))
    assert rollout["question"] == NEMO_VAL["content"][0][:1]
    assert rollout["completion"] == NEMO_VAL["content"][0][1:2]
    assert rollout["reward"] == 1.0


def test_nemo_rl_training():
    found = sample(NEMO_TRAIN, name="train_data_step1.jsonl")
    (rollout,) = rollouts(found)
    assert (rollout["question"], rollout["completion"]) == (TEMPLATED, RIGHT)
    assert rollout["prompt_token_ids"] == [5, 6]
    assert rollout["token_ids"] == [7, 8]
    assert rollout["logprobs"] == [-0.25, -0.5]
    assert reader_of(found).about(found).notes


def test_nemo_rl_evaluation(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_name": "Qwen/Qwen2.5-1.5B", "temperature": 0.6, "top_p": 0.95})
    )
    found = sample(NEMO_EVAL, name="evaluation_data.json", kind="json", at=tmp_path)
    made = rollouts(found)
    assert [(r["completion"], r["reward"], r["gold"]) for r in made] == [
        (RIGHT, 1.0, "\\frac{7}{1}"),
        (WRONG, 0.0, 7),
    ]
    about = reader_of(found).about(found)
    assert about.model == "Qwen/Qwen2.5-1.5B"
    assert about.sampling == {"temperature": 0.6, "top_p": 0.95}


def test_nemo_rl_evaluation_as_an_array():
    found = sample(*NEMO_EVAL["evaluation_data"], name="evaluation_data.json", kind="array")
    assert len(rollouts(found)) == 2


def test_nemo_gym():
    found = sample(NEMO_GYM)
    (rollout,) = rollouts(found)
    assert rollout["question"] == [{"role": "user", "content": QUESTION}]
    assert (rollout["completion"], rollout["reasoning"]) == (RIGHT, "add them")
    assert (rollout["problem_id"], rollout["sample_index"]) == (4, 2)
    assert (rollout["finish_reason"], rollout["gold"]) == ("length", "7")
    assert rollout["token_ids"] == [3, 4]
    assert rollout["logprobs"] == [-0.5, -0.25]
    about = reader_of(found).about(found)
    assert about.model == "qwen"
    assert about.sampling == {"temperature": 1.0, "max_tokens": 512}


def test_open_instruct_groups_by_the_tokens_of_the_prompt(tmp_path):
    (tmp_path / "run_metadata.jsonl").write_text('{"model_name": "allenai/OLMo"}\n')
    other = {**OPEN_INSTRUCT, "prompt_idx": 0, "step": 2, "prompt_tokens": [9, 8]}
    again = {**OPEN_INSTRUCT, "prompt_idx": 5, "step": 2, "reward": 0.0}
    found = sample(OPEN_INSTRUCT, other, again, name="run_rollouts_000000.jsonl", at=tmp_path)
    first, second, third = rollouts(found)
    assert first["problem_id"] == third["problem_id"] != second["problem_id"]
    assert first["token_ids"] == [6, 5]
    assert first["reward"] == 10.0
    assert "completion" not in first
    assert "gold" not in first
    about = reader_of(found).about(found)
    assert about.model == "allenai/OLMo"
    assert any("token ids" in note for note in about.notes)


def test_verifiers_uses_the_threshold_of_the_metadata(tmp_path):
    found = sample(VERIFIERS, {**VERIFIERS, "reward": 0.25}, name="results.jsonl", at=tmp_path)
    assert all("verdict" not in r for r in rollouts(found))
    (tmp_path / "metadata.json").write_text(
        json.dumps(
            {
                "env_id": "gsm8k",
                "model": "qwen",
                "pass_threshold": 0.5,
                "sampling_args": {
                    "temperature": 0.7,
                    "max_completion_tokens": 128,
                    "extra_body": {"top_k": 20},
                },
            }
        )
    )
    right, wrong = rollouts(found)
    assert (right["verdict"], wrong["verdict"]) == (True, False)
    assert right["problem_id"] == 3
    assert right["question"] == CHAT
    assert right["gold"] == "7"
    assert right["finish_reason"] == "stop"
    about = reader_of(found).about(found)
    assert about.model == "qwen"
    assert about.sampling == {"temperature": 0.7, "max_tokens": 128, "top_k": 20}


def test_verifiers_error_and_truncation():
    failed = {**VERIFIERS, "error": {"error": "APIError"}, "completion": None}
    cut = {**VERIFIERS, "is_truncated": True, "task": "gsm8k"}
    first, second = rollouts(sample(failed, cut))
    assert first["error"]
    assert "completion" not in first
    assert second["finish_reason"] == "length"
    assert second["task"] == "gsm8k"


@pytest.mark.parametrize("content", ["not json", "[1, 2]", '{"model": 3, "sampling_args": []}', ""])
def test_neighbours_with_bad_content_are_no_fault(tmp_path, content):
    (tmp_path / "metadata.json").write_text(content)
    found = sample(VERIFIERS, name="results.jsonl", at=tmp_path)
    about = reader_of(found).about(found)
    assert about.model is None
    assert about.sampling == {}
    assert len(rollouts(found)) == 1


def test_prime_rl():
    found = sample(EPISODE, name="traces.jsonl")
    (rollout,) = rollouts(found)
    assert rollout["problem_id"] == "gsm8k-3"
    assert rollout["gold"] == "7"
    assert rollout["question"] == CHAT
    assert rollout["completion"] == [TRACE["nodes"][2]["message"]]
    assert rollout["reward"] == pytest.approx(1.1)
    assert rollout["verdict"] == 1
    assert rollout["prompt_token_ids"] == [1, 2, 3, 4]
    assert rollout["token_ids"] == [5, 6]
    assert rollout["logprobs"] == [-0.5, -0.25]
    assert rollout["reference_logprobs"] == [-0.75, -0.5]
    assert rollout["finish_reason"] == "stop"
    assert rollout["model"] == "qwen"
    # An attempt before the one that ended well is no fault of it.
    assert "error" not in rollout
    about = reader_of(found).about(found)
    assert about.sampling == {"temperature": 0.7, "top_p": 0.9, "max_tokens": 256}
    assert about.model == "qwen"
    assert about.notes


def test_prime_rl_takes_the_last_branch_and_leaves_gaps_without_log_probs():
    nodes = [
        *TRACE["nodes"][:2],
        {"parent": 1, "message": {"role": "assistant", "content": "dead end"}, "sampled": True},
        {
            "parent": 1,
            "message": {"role": "assistant", "content": "call"},
            "sampled": True,
            "token_ids": [4, 5],
            "mask": [False, True],
            "logprobs": [-0.5],
        },
        {
            "parent": 3,
            "message": {"role": "tool", "content": "7"},
            "sampled": False,
            "token_ids": [6],
            "mask": [False],
        },
        {
            "parent": 4,
            "message": {"role": "assistant", "content": RIGHT},
            "sampled": True,
            "token_ids": [7],
            "mask": [True],
            "logprobs": [-0.25],
        },
    ]
    (rollout,) = rollouts(sample({**TRACE, "nodes": nodes, "calls": []}))
    assert [m["content"] for m in rollout["completion"]] == ["call", "7", RIGHT]
    assert rollout["token_ids"] == [5, 6, 7]
    assert "logprobs" not in rollout


def test_prime_rl_without_token_ids_or_key_and_with_an_error():
    nodes = [
        {k: v for k, v in node.items() if k in ("parent", "message", "sampled")}
        for node in TRACE["nodes"]
    ]
    task = {"type": "Task", "data": {"idx": 3, "prompt": QUESTION}}
    errors = [{"type": "ProviderError", "message": "overloaded"}]
    trace = {**TRACE, "nodes": nodes, "task": task, "ok": False, "errors": errors, "rewards": {}}
    (rollout,) = rollouts(sample({**EPISODE, "traces": [trace]}))
    assert rollout["problem_id"] == 3
    assert rollout["error"] == errors[0]
    assert not {"token_ids", "logprobs", "reward", "verdict", "gold"} & rollout.keys()


def test_prime_rl_ends_on_a_circle_of_nodes():
    nodes = [{**node, "parent": 2} for node in TRACE["nodes"]] + [{"parent": 9, "message": {}}]
    list(rollouts(sample({**TRACE, "nodes": nodes})))
    nodes = [{"parent": 1 - i, "message": {"role": "user", "content": "?"}} for i in range(2)]
    (rollout,) = rollouts(sample({**TRACE, "nodes": nodes}))
    assert "completion" not in rollout


def test_prime_rl_leaves_out_the_part_of_all():
    def file(*parts: str) -> SourceFile:
        return SourceFile(name="/".join(parts), path=Path(*parts))

    whole = file("step_1", "train", "all", "traces.jsonl")
    part = file("step_1", "train", "effective", "traces.jsonl")
    alone = file("step_2", "train", "effective", "traces.jsonl")
    choose = reader_of(sample(EPISODE)).choose
    assert list(choose([whole, part, alone])) == [whole, alone]


def test_rllm(tmp_path):
    (tmp_path / "meta.json").write_text('{"model": "qwen", "temperature": 0.5}')
    found = sample(RLLM, name="episode_000070_17.json", kind="json", at=tmp_path / "episodes")
    (tmp_path / "episodes").mkdir()
    (rollout,) = rollouts(found)
    assert rollout["problem_id"] == "17"
    assert rollout["gold"] == "7"
    assert rollout["question"] == CHAT
    assert rollout["completion"] == [{"role": "assistant", "content": RIGHT}]
    assert rollout["verdict"] is True
    assert rollout["finish_reason"] == "stop"
    assert rollout["token_ids"] == [3, 4]
    assert rollout["logprobs"] == [-0.5, -0.25]
    about = reader_of(found).about(found)
    assert about.model == "qwen"
    assert about.sampling == {"temperature": 0.5}


def test_rllm_without_chat_and_with_a_failure():
    steps = [{"model_response": RIGHT}]
    row = {
        **RLLM,
        "task": {"question": QUESTION, "ground_truth": "7"},
        "trajectories": [{"steps": steps, "reward": 0.0}],
        "termination_reason": "timeout",
    }
    (rollout,) = rollouts(sample(row, kind="json"))
    assert rollout["problem_id"] == "17"
    assert rollout["question"] == QUESTION
    assert rollout["completion"] == RIGHT
    assert rollout["error"] == "timeout"
    (cut,) = rollouts(sample({**row, "termination_reason": "max_response_length_exceeded"}))
    assert cut["finish_reason"] == "length"
    assert "error" not in cut

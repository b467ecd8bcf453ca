"""Rows in the layouts of trainers, each after the tool's own code, named beside it."""

from __future__ import annotations

import json

QUESTION = "Janet has 3 apples and buys 4 more. How many apples does she have?"
CHAT = [
    {"role": "system", "content": "Answer in \\boxed{}."},
    {"role": "user", "content": QUESTION},
]
RIGHT = "3 + 4 = 7, so \\boxed{7}"
WRONG = "3 * 4 = 12, so \\boxed{12}"
TEMPLATED = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"

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

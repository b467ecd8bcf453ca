"""Readers of the layouts that trainers write: which one takes a file, and what it makes of a row.

The rows follow the tools' own code, named beside each. The texts are real: questions of GSM8K.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from trainer_rows import (
    AREAL,
    CHAT,
    EPISODE,
    NEMO_EVAL,
    NEMO_GYM,
    NEMO_TRAIN,
    NEMO_VAL,
    OPEN_INSTRUCT,
    OPENRLHF,
    QUESTION,
    RIGHT,
    RLLM,
    ROLL,
    ROLL_BOARD,
    SKYRL,
    SLIME,
    TEMPLATED,
    TRACE,
    TRL,
    VERIFIERS,
    VERL,
    VERL_GENERATION,
    WRONG,
)

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
    rows = list(found.rows)
    if reader.gather:
        rows = [row for _, row, why in reader.gather(enumerate(rows, 1)) if not why]
    if reader.rows:
        return [dict(r) for row in rows for r in reader.rows(row, found.file)]
    fields = reader.columns(found, {}) if reader.columns else reader.fields
    made = []
    for row in rows:
        rollout = {}
        for role, paths in fields.items():
            for path in [paths] if isinstance(paths, str) else paths:
                if (value := value_at(row, path)) is not MISSING:
                    rollout[role] = value
                    break
        made.append(rollout)
    return made


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
        if reader.columns:
            reader.columns(found, {})
        if reader.gather:
            list(reader.gather([(1, odd), (2, row), (3, odd)]))
        if reader.rows:
            list(reader.rows(odd, found.file))


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


def test_verl_names_the_policy_by_its_step():
    reader = reader_of(sample(VERL))
    about = reader.about(sample(VERL, VERL))
    assert (about.revision, about.notes) == ("step 40", [])
    about = reader.about(sample(VERL, {**VERL, "step": 80}))
    assert about.revision is None
    assert "one step as one run" in about.notes[0]


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
    kept = [(r["question"], r["completion"]) for r in rollouts(sample(*rows))]
    assert kept == [
        ("first", "final"),
        ("first", "other"),
        ("second", "one"),
        ("second", "two"),
        (VERL["input"], "no uid"),
    ]
    gathered = list(reader_of(sample(*rows)).gather(enumerate(rows, 1)))
    assert [number for number, _, _ in gathered] == [1, 2, 3, 4, 5, 6, 7]
    assert [number for number, _, why in gathered if "last output" in why] == [1, 2]


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
    (note,) = reader_of(sample(TRL)).about(sample(TRL)).notes
    assert "accuracy_reward is taken" in note


def test_trl_takes_a_sole_reward_and_leaves_two_to_the_user():
    sole = {k: v for k, v in TRL.items() if k not in ("accuracy_reward", "format_reward")}
    (rollout,) = rollouts(sample({**sole, "my_fn": 0.0, "difficulty": "hard"}))
    assert rollout["reward"] == 0.0
    two = {**sole, "helpful_reward": 0.0, "length_reward": 1.0}
    (rollout,) = rollouts(sample(two))
    assert "reward" not in rollout
    (note,) = reader_of(sample(two)).about(sample(two)).notes
    assert "helpful_reward, length_reward" in note
    assert "--verdict" in note


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"accuracy": 1.0, "format_reward": 0.5}, "accuracy"),
        ({"correctness_reward_func": 1.0, "xmlcount_reward_func": 0.1}, "correctness_reward_func"),
        ({"think_format_reward": 1.0}, "think_format_reward"),
        ({"is_correct": 1.0, "is_concise": 1.0}, "is_correct"),
        ({"helpful_reward": 1.0, "length": 300}, "helpful_reward"),
        ({"accuracy_a": 1.0, "accuracy_b": 0.0}, None),
        ({"fn": "1.0", "answer": "7", "note": "x"}, "fn"),
    ],
)
def test_trl_columns_of_reward_functions(columns, verdict):
    row = {k: v for k, v in TRL.items() if k not in ("accuracy_reward", "format_reward")}
    found = sample({**row, **columns})
    assert reader_of(found).columns(found, {}).get("reward") == verdict


def test_trl_is_told_by_the_name_of_its_file_where_columns_are_missing():
    row = {"prompt": QUESTION, "completion": RIGHT, "first_reward": 1.0, "second_reward": 0.0}
    assert not any(reader.matches(sample(row)) for reader in TRAINERS)
    found = sample(row, name="completions_00001.parquet", kind="parquet")
    assert "first_reward, second_reward" in reader_of(found).about(found).notes[0]


def test_trl_takes_a_gold_that_a_reward_function_logged():
    (rollout,) = rollouts(sample({**TRL, "solution": "7", "task": "math"}))
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


@pytest.mark.parametrize(
    ("row", "name", "revision"),
    [
        (SLIME, "rollout_7.pt", "rollout 7"),
        (SLIME, "eval_12.pt", "rollout 12"),
        (SKYRL, "global_step_20_evals/gsm8k.jsonl", "step 20"),
        (AREAL, "12.jsonl", "version 3"),
        (ROLL, "rollout_dump_data.step_3.jsonl", "step 3"),
        (ROLL_BOARD, "data_20260101_000000_001.jsonl", "step 3"),
        (NEMO_VAL, "val_data_step10.jsonl", "step 10"),
        (OPEN_INSTRUCT, "run_rollouts_000000.jsonl", "step 1"),
        (EPISODE, "traces.jsonl", "step 3"),
        (TRL, "completions_00005.parquet", "step 5"),
        (VERIFIERS, "results.jsonl", None),
        (VERIFIERS, "rollouts/step_12/train_rollouts.jsonl", "step 12"),
    ],
)
def test_the_policy_is_the_revision_of_the_model(row, name, revision, tmp_path):
    found = sample(row, name=name, at=tmp_path)
    assert reader_of(found).about(found).revision == revision


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
    assert reader_of(found).about(found).verdict is None
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
    assert reader_of(found).about(found).verdict == "reward>=0.5"
    right, _ = rollouts(found)
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


def test_prime_rl_reads_what_verifiers_wrote():
    path = Path(__file__).parent / "files" / "traces.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = sample(*rows, name="traces.jsonl", at=path.parent)
    assert [r.name for r in TRAINERS if r.matches(found)] == ["prime-rl"]
    made = rollouts(found)
    assert [r["reward"] for r in made] == [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    assert [r["finish_reason"] for r in made] == ["stop"] * 4 + ["length", "stop"]
    assert [r["gold"] for r in made] == ["5", "20", "7"] * 2
    assert len({r["problem_id"] for r in made}) == 3
    assert made[0]["question"] == "What is 2+3?"
    assert made[0]["completion"][0]["reasoning_content"] == "thinking"
    assert (made[0]["prompt_token_ids"], made[0]["token_ids"]) == (
        [1, 5, 6, 7, 8, 9, 10],
        [21, 22, 2],
    )
    assert made[0]["logprobs"] == [-0.5, -0.25, -0.125]
    assert made[0]["reference_logprobs"] == [-1.5, -1.25, -1.125]
    about = reader_of(found).about(found)
    assert about.model == "toy/policy"
    assert about.sampling == {"temperature": 0.8, "top_p": 0.95, "max_tokens": 3}
    assert about.revision is None


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
    assert rollout["question"] == QUESTION
    assert rollout["problem_id"] == 3
    assert rollout["error"] == errors[0]
    assert not {"token_ids", "logprobs", "reward", "verdict", "gold"} & rollout.keys()


def test_prime_rl_reads_rewards_that_are_numbers_and_the_agents_own_settings():
    config = {"model": "qwen", "sampling": {"temperature": 0.25}}
    trace = {
        **TRACE,
        "rewards": {"correct": 1.0, "format": 0.25},
        "calls": [],
        "agent": {"config": config},
    }
    found = sample(trace)
    (rollout,) = rollouts(found)
    assert (rollout["reward"], rollout["verdict"], rollout["model"]) == (1.25, 1.0, "qwen")
    about = reader_of(found).about(found)
    assert (about.model, about.sampling) == ("qwen", {"temperature": 0.25})


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
    assert rollout["question"] == QUESTION
    assert rollout["completion"] == [{"role": "assistant", "content": RIGHT}]
    assert rollout["verdict"] is True
    assert "finish_reason" not in rollout
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

"""Files of trainers, imported whole: draws, problems, golds, verdicts, and what is left out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
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
    TRL,
    VERIFIERS,
    VERL,
    VERL_GENERATION,
    WRONG,
)

from rlvr_fast.store import Run, import_rollouts

OTHER = "A train travels 60 km in 1.5 hours. What is its speed in km/h?"
FILES = Path(__file__).parent / "files"


def swapped(value: Any) -> Any:
    """A row about the other problem."""
    if isinstance(value, str):
        return value.replace(QUESTION, OTHER)
    if isinstance(value, dict):
        return {key: swapped(part) for key, part in value.items()}
    return [swapped(part) for part in value] if isinstance(value, list) else value


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def imported(source: Any, tmp_path: Path) -> tuple[Run, dict[str, Any]]:
    run = import_rollouts(source, tmp_path / "run")
    about = run.read_json("import.json")
    assert about is not None
    return run, about


def draws(run: Run) -> list[dict[str, Any]]:
    return run.read("samples").to_pylist()


def counts(run: Run) -> list[int]:
    return sorted(run.num_samples().tolist())


def texts(run: Run) -> set[str]:
    return {row["text"] for row in draws(run)}


# (reader, rows of a file, draws of each problem, golds, verdicts correct and incorrect or None)
CASES: dict[str, tuple[list[Any], list[int], set[Any], tuple[int, int] | None]] = {
    "verl": (
        [VERL, {**VERL, "output": WRONG, "acc": False, "score": 0.0}, swapped(VERL)],
        [1, 2],
        {"7"},
        (2, 1),
    ),
    "openrlhf": (
        [OPENRLHF, swapped(OPENRLHF), OPENRLHF, swapped(OPENRLHF)],
        [2, 2],
        {None},
        None,
    ),
    "skyrl": ([SKYRL, {**SKYRL, "score": 0.0}, swapped(SKYRL)], [1, 2], {"7"}, (2, 1)),
    "areal": ([AREAL, {**AREAL, "reward": 0.0, "task_id": 13}], [2], {None}, (1, 1)),
    "roll": ([ROLL], [2], {"7"}, (1, 1)),
    "nemo-rl": ([NEMO_VAL, {**NEMO_VAL, "rewards": [0.0], "idx": 1}], [2], {None}, (1, 1)),
    "nemo-gym": (
        [NEMO_GYM, {**NEMO_GYM, "reward": 0.0, "_ng_rollout_index": 0}],
        [2],
        {"7"},
        (1, 1),
    ),
    "verifiers": (
        [{**VERIFIERS, "reward": 1.0}, {**VERIFIERS, "reward": 0.0}],
        [2],
        {"7"},
        (1, 1),
    ),
    "prime-rl": ([EPISODE, EPISODE], [2], {"7"}, (2, 0)),
    "rllm": ([RLLM, {**RLLM, "is_correct": False}], [2], {"7"}, (1, 1)),
}


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("reader", CASES)
def test_a_file_of_lines(reader, suffix, tmp_path):
    rows, per_problem, golds, verdicts = CASES[reader]
    run, about = imported(write(tmp_path / f"in{suffix}", *rows), tmp_path)
    assert about["reader"] == reader
    assert counts(run) == per_problem
    assert set(run.problems()["gold"].to_pylist()) == golds
    if verdicts is None:
        assert about["verdict"] is None
    else:
        assert (about["verdict"]["correct"], about["verdict"]["incorrect"]) == verdicts
    assert about["left_out"] == {}
    # No text keeps a special token, and no question its template.
    assert not any("<|" in text for text in texts(run))
    assert not any("<|" in prompt for prompt in run.problems()["prompt"].to_pylist())


def test_verl_v1_imports_one_draw_a_session(tmp_path):
    rows = [
        {**VERL, "uid": f"prompt{p}_{s}_{o}", "input": f"user\nQ{p}\nassistant\n{'x' * o}"}
        for p in range(3)
        for s in range(4)
        for o in range(2)
    ]
    run, about = imported(write(tmp_path / "40.jsonl", *rows), tmp_path)
    assert about["reader"] == "verl-v1"
    assert counts(run) == [4, 4, 4]
    assert list(about["left_out"].values()) == [12]
    assert run.info.model["revision"] == "step 40"


def test_verl_steps_in_one_folder_are_told(tmp_path):
    for step in (2, 10):
        write(tmp_path / "dumps" / f"{step}.jsonl", {**VERL, "step": step})
    run, about = imported(tmp_path / "dumps", tmp_path)
    assert counts(run) == [2]
    assert [source["name"].rpartition("/")[2] for source in about["sources"]] == [
        "2.jsonl",
        "10.jsonl",
    ]
    assert any("policies" in note and "step 10" in note for note in about["notes"])


def test_verl_generation_parquet(tmp_path):
    rows = [VERL_GENERATION, swapped(VERL_GENERATION)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "out.parquet")
    run, about = imported(tmp_path / "out.parquet", tmp_path)
    assert about["reader"] == "verl-generation"
    assert counts(run) == [2, 2]
    assert texts(run) == {RIGHT, WRONG}
    assert set(run.problems()["prompt"].to_pylist()) == {QUESTION, OTHER}


def test_trl_parquet(tmp_path):
    rows = [TRL, {**TRL, "accuracy_reward": 0.0}, swapped({**TRL, "accuracy_reward": None})]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "completions_00005.parquet")
    run, about = imported(tmp_path / "completions_00005.parquet", tmp_path)
    assert about["reader"] == "trl"
    assert counts(run) == [1, 2]
    verdict = about["verdict"]
    assert (verdict["correct"], verdict["incorrect"], verdict["unknown"]) == (1, 1, 1)
    assert "accuracy_reward" in verdict["rule"]


def test_slime_samples_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    failed = {**SLIME, "status": "aborted", "response": ""}
    done = {**SLIME, "status": "completed", "reward": {"score": 1.0, "acc": True}}
    torch.save({"rollout_id": 7, "samples": [SLIME, done, failed]}, tmp_path / "r_7.pt")
    run, about = imported(tmp_path / "r_7.pt", tmp_path)
    assert about["reader"] == "slime"
    assert counts(run) == [2]
    assert [(d["finish_reason"], d["verdict"], d["token_ids"]) for d in draws(run)] == [
        ("length", "incorrect", [40, 41, 42]),
        ("stop", "correct", [40, 41, 42]),
    ]
    assert sum(about["left_out"].values()) == 1
    scores = run.read("scores/sampler").to_pylist()
    assert scores[0]["logprob"] == pytest.approx(-0.6)


def test_log_probs_of_policy_and_reference(tmp_path):
    run, _ = imported(write(tmp_path / "data_1.jsonl", ROLL_BOARD), tmp_path)
    assert run.read("scores/sampler").to_pylist()[0]["logprob"] == pytest.approx(-0.3)
    assert run.read("scores/reference").to_pylist()[0]["logprob"] == pytest.approx(-0.9)
    assert run.problems()["prompt"].to_pylist() == [QUESTION]


def test_traces_that_verifiers_wrote(tmp_path):
    run, about = imported(FILES / "traces.jsonl", tmp_path)
    assert about["reader"] == "prime-rl"
    assert counts(run) == [2, 2, 2]
    assert (about["verdict"]["correct"], about["verdict"]["incorrect"]) == (4, 2)
    assert run.info.model["name"] == "toy/policy"
    assert run.info.sampling["temperature"] == 0.8
    assert draws(run)[0]["text"].endswith("So \\boxed{5}")
    assert draws(run)[0]["token_ids"] == [21, 22, 2]
    assert run.read("scores/reference").num_rows == 6


def test_verifiers_with_its_metadata(tmp_path):
    folder = tmp_path / "evals"
    write(folder / "results.jsonl", VERIFIERS, {**VERIFIERS, "reward": 0.25})
    (folder / "metadata.json").write_text(
        json.dumps({"model": "qwen", "pass_threshold": 0.5, "sampling_args": {"temperature": 0.7}})
    )
    run, about = imported(folder, tmp_path)
    assert (about["verdict"]["correct"], about["verdict"]["incorrect"]) == (1, 1)
    assert about["verdict"]["rule"].endswith(">=0.5")
    assert (run.info.model["name"], run.info.sampling["temperature"]) == ("qwen", 0.7)


def test_nemo_rl_evaluation_with_its_configuration(tmp_path):
    folder = tmp_path / "eval"
    folder.mkdir()
    rows = [
        {**row, "extra_env_info": "{'ground_truth': '7'}"} for row in NEMO_EVAL["evaluation_data"]
    ]
    evaluation = {"evaluation_data": rows}
    (folder / "evaluation_data.json").write_text(json.dumps(evaluation, indent=2))
    config = {"model_name": "qwen", "temperature": 0.6, "top_p": 0.95, "top_k": -1}
    (folder / "config.json").write_text(json.dumps(config))
    run, about = imported(folder, tmp_path)
    assert about["reader"] == "nemo-rl"
    assert counts(run) == [2]
    assert run.info.sampling["temperature"] == 0.6
    assert run.problems()["gold"].to_pylist() == ["7"]


def test_nemo_rl_training_data(tmp_path):
    run, _ = imported(write(tmp_path / "train_data_step1.jsonl", NEMO_TRAIN), tmp_path)
    assert draws(run)[0]["token_ids"] == [7, 8]
    assert run.read("scores/sampler").to_pylist()[0]["num_tokens"] == 2


def test_open_instruct_without_texts(tmp_path):
    other = {**OPEN_INSTRUCT, "prompt_tokens": [1, 2], "reward": 0.0}
    again = {**OPEN_INSTRUCT, "prompt_idx": 9, "reward": 0.0}
    run, about = imported(
        write(tmp_path / "r_rollouts_000000.jsonl", OPEN_INSTRUCT, other, again), tmp_path
    )
    assert about["reader"] == "open-instruct"
    assert counts(run) == [1, 2]
    assert [row["token_ids"] for row in draws(run)] == [[6, 5]] * 3
    assert [row["reward"] for row in draws(run)] == [10.0, 0.0, 0.0]


def test_rllm_folder_leaves_out_the_results_without_texts(tmp_path):
    folder = tmp_path / "evals" / "gsm8k_qwen"
    for number in range(3):
        path = folder / "episodes" / f"episode_{number:06d}_17.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**RLLM, "eval_idx": number}, indent=2))
    (folder / "meta.json").write_text(json.dumps({"model": "qwen", "dataset": "gsm8k"}))
    items = [{"idx": 0, "attempt": 0, "reward": 1.0, "is_correct": True, "error": None}]
    results = {"dataset_name": "gsm8k", "model": "qwen", "score": 1.0, "items": items}
    (folder / "results.json").write_text(json.dumps(results, indent=2))
    run, about = imported(folder, tmp_path)
    assert about["reader"] == "rllm"
    assert counts(run) == [3]
    assert run.info.model["name"] == "qwen"


def test_skyrl_folder_leaves_out_the_metrics(tmp_path):
    folder = tmp_path / "global_step_20_evals"
    write(folder / "openai_gsm8k.jsonl", SKYRL, SKYRL)
    write(folder / "aggregated_results.jsonl", {"eval/openai_gsm8k/avg_score": 1.0})
    run, about = imported(folder, tmp_path)
    assert counts(run) == [2]
    assert len(about["sources"]) == 1
    assert run.info.model["revision"] == "step 20"


def test_prime_rl_run_takes_all_and_not_its_part(tmp_path):
    folder = tmp_path / "rollouts" / "step_3" / "train"
    write(folder / "all" / "traces.jsonl", EPISODE, {**EPISODE, "id": "e1"})
    write(folder / "effective" / "traces.jsonl", EPISODE)
    run, _ = imported(tmp_path / "rollouts", tmp_path)
    assert counts(run) == [2]


def test_one_question_under_two_templates_is_one_problem(tmp_path):
    chat = {**VERL, "input": f"system\nAnswer in a box.\nuser\n{QUESTION}\nassistant\n"}
    run, _ = imported(write(tmp_path / "1.jsonl", VERL, chat), tmp_path)
    assert counts(run) == [2]
    base = import_rollouts(
        write(tmp_path / "base.jsonl", {**SKYRL, "input_prompt": TEMPLATED}), tmp_path / "base"
    )
    ids = [set(r.problems()["problem_id"].to_pylist()) for r in (run, base)]
    assert ids[0] == ids[1]
    generated = tmp_path / "generated.parquet"
    pq.write_table(pa.Table.from_pylist([{**VERL_GENERATION, "prompt": CHAT}]), generated)
    third = import_rollouts(generated, tmp_path / "third")
    assert set(third.problems()["problem_id"].to_pylist()) == ids[0]

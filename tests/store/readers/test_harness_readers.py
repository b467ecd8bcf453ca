"""Readers of what evaluation harnesses write, on files that the harnesses themselves wrote.

The scripts files/write_NAME.py wrote the files. A layout without a small library is spelled here,
with the source file of the tool that writes it.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from rlvr_fast.store import Run, import_rollouts
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.readers import load_readers, reader_named
from rlvr_fast.store.readers.harness_values import text_list
from rlvr_fast.store.readers.reader import MISSING, Reader, Sample, SourceFile, value_at
from rlvr_fast.tasks import load_task

FILES = Path(__file__).parent / "files"
OURS = [
    "inspect", "lm-eval", "lighteval", "nemo-skills", "qwen-math", "opencompass", "evalchemy",
    "reasoning-gym-eval", "large-language-monkeys", "evalscope", "skythought", "simple-evals",
]  # fmt: skip


def rows_of(path: Path) -> tuple[str, list[Any]]:
    """The kind of a container and its rows."""
    for reader in load_readers():
        if reader.claims is not None and reader.claims(path):
            assert reader.opens is not None
            return "rows", [row for _, row in reader.opens(path)]
    if path.suffix == ".parquet":
        return "parquet", pq.read_table(path).to_pylist()
    text = path.read_text()
    if path.suffix in (".yaml", ""):
        return "yaml", [yaml.safe_load(text)]
    if path.suffix == ".json":
        value = json.loads(text)
        return ("array", value) if isinstance(value, list) else ("json", [value])
    return "jsonl", [json.loads(line) for line in text.splitlines()]


def sample_of(path: Path) -> Sample:
    """The first rows of a file."""
    kind, rows = rows_of(path)
    return Sample(SourceFile(path.name, path), kind, rows[:100])


def reader_of(path: Path) -> Reader:
    """The reader that is taken for a file."""
    sample = sample_of(path)
    return next(reader for reader in load_readers() if reader.matches(sample))


def draws_of(path: Path, name: str) -> list[dict[str, Any]]:
    """The draws of a file, keyed by roles; checks that the named reader is taken."""
    reader = reader_of(path)
    assert reader.name == name
    source = SourceFile(path.name, path)
    rows = rows_of(path)[1]
    if reader.rows is not None:
        return [dict(draw) for row in rows for draw in reader.rows(row, source)]
    return [draw for row in rows for draw in by_fields(reader, row)]


def by_fields(reader: Reader, row: Any) -> Iterable[dict[str, Any]]:
    """The draws of a row that paths describe."""
    found = {}
    for role, paths in reader.fields.items():
        for path in (paths,) if isinstance(paths, str) else paths:
            value = value_at(row, path)
            if value is not MISSING:
                found[role] = value
                break
    texts = found.pop("completion")
    if not isinstance(texts, list):
        return [{**found, "completion": texts}]
    return [
        {
            "completion": text,
            **{role: v[i] if isinstance(v, list) else v for role, v in found.items()},
        }
        for i, text in enumerate(texts)
    ]


def about_of(path: Path) -> Any:
    """What the reader of a file says of all its draws."""
    reader = reader_of(path)
    assert reader.about is not None
    return reader.about(sample_of(path))


def chosen(name: str, *paths: Path) -> set[str]:
    """The names of the files that a reader chooses."""
    choose = reader_named(name).choose
    assert choose is not None
    return {file.file_name for file in choose([SourceFile(str(path), path) for path in paths])}


def write_lines(path: Path, *rows: Any) -> Path:
    """A JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_json(path: Path, value: Any) -> Path:
    """An indented JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4))
    return path


# inspect-ai


@pytest.mark.parametrize("name", ["inspect.eval", "inspect_chunked.eval"])
def test_inspect_archives_give_each_epoch_as_a_draw(name: str) -> None:
    draws = draws_of(FILES / name, "inspect")
    keys = {(draw["problem_id"], draw["sample_index"]) for draw in draws}
    assert keys == {(p, e) for p in (1, "mul", 3) for e in (0, 1)}
    one, other = (
        next(d for d in draws if (d["problem_id"], d["sample_index"]) == key)
        for key in ((1, 0), ("mul", 0))
    )
    assert one["question"] == "What is 2+2?"
    assert one["completion"] == "The answer is \\boxed{4}"
    assert one["reasoning"].startswith("Two and two: count two fingers")
    assert (one["gold"], other["gold"]) == ("4", "42")
    assert other["metadata"] == {"alternative_golds": ["forty-two"]}
    assert one["logprobs"] == [-0.5] * 4
    reasons = {draw["completion"]: draw["finish_reason"] for draw in draws}
    assert reasons["It is \\boxed{"] == "max_tokens"
    assert reasons["The answer is \\boxed{4}"] == "stop"
    verdicts = {draw["completion"]: draw["verdict"] for draw in draws}
    assert verdicts["The answer is \\boxed{4}"] == "C"
    assert verdicts["It is \\boxed{"] == "I"
    long = [draw for draw in draws if draw["problem_id"] == 3]
    assert all(d["question"].endswith("the answer into a box.") for d in long)


def test_inspect_logs_say_model_and_sampling_parameters() -> None:
    for name in ("inspect.eval", "inspect_chunked.eval", "inspect.json"):
        about = about_of(FILES / name)
        assert about.model == "mockllm/model"
        assert about.sampling == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 512, "seed": 7}
        assert about.roles == {"task": "arithmetic"}
        assert "the scorer 'includes'; the log also has 'match'" in about.notes[0]


def test_inspect_json_logs_are_one_value() -> None:
    draws = draws_of(FILES / "inspect.json", "inspect")
    assert [(draw["problem_id"], draw["sample_index"]) for draw in draws] == [(1, 0), (1, 1)]


def inspect_sample(**more: Any) -> dict[str, Any]:
    """A sample as a log of inspect-ai has it (src/inspect_ai/log/_log.py, EvalSample)."""
    message = {"role": "assistant", "content": "\\boxed{4}"}
    return {
        "id": 1,
        "epoch": 1,
        "input": "What is 2+2?",
        "target": "4",
        "messages": [{"role": "user", "content": "What is 2+2?"}, message],
        "output": {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C"}},
        **more,
    }


def inspect_archive(path: Path, *samples: dict[str, Any], **spec: Any) -> Path:
    """An archive as inspect-ai wrote them before zstd."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = {"status": "success", "eval": {"task": "t", "model": "m", "dataset": {}, **spec}}
        archive.writestr("_journal/start.json", json.dumps(header))
        for sample in samples:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample))
        archive.writestr("header.json", json.dumps(header))
    return path


def test_inspect_texts_that_stand_aside_are_put_back(tmp_path: Path) -> None:
    digest = "295e34154d2f1acabdac29dc38f106fa"
    message = {"role": "assistant", "content": f"attachment://{digest}"}
    sample = inspect_sample(
        input="attachment://00000000000000000000000000000001",
        output={"choices": [{"message": message, "stop_reason": "stop"}]},
        attachments={digest: "a long text attachment://11", "0" * 31 + "1": "a long question"},
    )
    (draw,) = draws_of(inspect_archive(tmp_path / "a.eval", sample), "inspect")
    assert draw["completion"] == "a long text attachment://11"
    assert draw["question"] == "a long question"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", {"verdict": "C"}),
        ("P", {"verdict": "P"}),
        (1, {"verdict": 1}),
        (0.0, {"verdict": 0.0}),
        (0.25, {"reward": 0.25}),
        ({"acc": True}, {"verdict": True}),
        ([1, 0], {}),
    ],
)
def test_inspect_values_of_a_score(tmp_path: Path, value: Any, expected: dict[str, Any]) -> None:
    sample = inspect_sample(scores={"mine": {"value": value}})
    (draw,) = draws_of(inspect_archive(tmp_path / "a.eval", sample), "inspect")
    assert {key: draw[key] for key in ("verdict", "reward") if key in draw} == expected


def test_inspect_samples_that_failed_say_so(tmp_path: Path) -> None:
    failed = inspect_sample(error={"message": "rate limit"}, output={"choices": []}, scores=None)
    (draw,) = draws_of(inspect_archive(tmp_path / "a.eval", failed), "inspect")
    assert draw["error"] == "rate limit"
    assert draw["completion"] is None


def test_inspect_chat_input_choices_and_redacted_reasoning(tmp_path: Path) -> None:
    chat = [{"id": "x", "role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    parts = [
        {"type": "reasoning", "reasoning": "gAAAAB==", "redacted": True, "summary": "Adds."},
        {"type": "text", "text": "4"},
    ]
    output = {"choices": [{"message": {"role": "assistant", "content": parts}}]}
    options = inspect_sample(
        id=2, choices=["3", "4"], messages=[{"role": "user", "content": "What? A) 3 B) 4"}]
    )
    path = inspect_archive(tmp_path / "a.eval", inspect_sample(input=chat, output=output), options)
    first, second = draws_of(path, "inspect")
    assert first["question"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "?"},
    ]
    assert (first["completion"], first["reasoning"]) == ("4", "Adds.")
    assert second["question"] == "What? A) 3 B) 4"


def test_inspect_damaged_members_leave_the_others(tmp_path: Path) -> None:
    path = inspect_archive(tmp_path / "a.eval", inspect_sample(), inspect_sample(id=2))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/3_epoch_1.json", '{"id": 3, "epo')
        archive.writestr("samples/4_epoch_1.json", "[]")
    draws = draws_of(path, "inspect")
    assert [draw["completion"] for draw in draws] == ["\\boxed{4}"] * 2 + [None] * 2
    assert "samples/3_epoch_1.json: expected JSON" in draws[2]["error"]


def test_inspect_ids_may_have_a_slash(tmp_path: Path) -> None:
    samples = [inspect_sample(id=f"HumanEval/{number}") for number in range(2)]
    draws = draws_of(inspect_archive(tmp_path / "a.eval", *samples), "inspect")
    assert [draw["problem_id"] for draw in draws] == ["HumanEval/0", "HumanEval/1"]


def test_inspect_retries_hold_the_samples_of_the_logs_before(tmp_path: Path) -> None:
    first = inspect_archive(
        tmp_path / "b.eval", inspect_sample(), task_id="x", created="2026-01-01T10:00:00+00:00"
    )
    retry = inspect_archive(
        tmp_path / "a.eval",
        *[inspect_sample(), inspect_sample(epoch=2)],
        task_id="x",
        created="2026-01-01T11:00:00+00:00",
    )
    other = inspect_archive(tmp_path / "c.eval", inspect_sample(), task_id="y")
    assert chosen("inspect", first, retry, other) == {"a.eval", "c.eval"}
    other.unlink()
    run, _ = imported(tmp_path, tmp_path / "run")
    assert run.num_samples().tolist() == [2]


def test_inspect_claims_only_its_own_archives(tmp_path: Path) -> None:
    claims = reader_named("inspect").claims
    assert claims is not None
    assert claims(FILES / "inspect.eval")
    other = tmp_path / "rollouts.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("samples/1.jsonl", "{}")
    (tmp_path / "text.eval").write_text("not an archive")
    (tmp_path / "cut.eval").write_bytes((FILES / "inspect.eval").read_bytes()[:5000])
    for path in (other, tmp_path / "text.eval", tmp_path / "cut.eval", tmp_path / "none.eval"):
        assert not claims(path)


# lm-evaluation-harness

LM_EVAL = FILES / "lm_eval" / "org__scripted-7b"


def lm_eval_file(task: str) -> Path:
    (path,) = LM_EVAL.glob(f"samples_{task}_2*.jsonl")
    return path


def test_lm_eval_rows_name_their_filter() -> None:
    draws = draws_of(lm_eval_file("words"), "lm-eval")
    assert [draw["filter"] for draw in draws] == ["strict-match"] * 3 + ["flexible-extract"] * 3
    assert [draw["problem_id"] for draw in draws] == [0, 1, 2] * 2
    assert draws[0]["question"] == "What is 2+2?"  # the prompt has another question as its shot
    assert draws[0]["metadata"]["prompt"][1]["content"] == "Question: What is 6*7?\nAnswer:"
    assert draws[0]["system"] == "Answer in one sentence."
    assert draws[0]["gold"] == "2+2=4\n#### 4"
    assert [draw["verdict"] for draw in draws] == [True, False, False, True, True, False]
    assert draws[1]["completion"] == "The answer is 42."


def test_lm_eval_repeats_are_draws_without_verdicts() -> None:
    draws = draws_of(lm_eval_file("words_repeated"), "lm-eval")
    strict = [draw for draw in draws if draw["filter"] == "strict-match"]
    assert [draw["problem_id"] for draw in strict] == [0] * 4 + [1] * 4 + [2] * 4
    assert len({draw["completion"] for draw in strict[:4]}) == 3
    assert not any("verdict" in draw for draw in draws)
    assert "4 repeats" in about_of(lm_eval_file("words_repeated")).notes[0]


def test_lm_eval_log_likelihoods_are_left_out() -> None:
    draws = draws_of(lm_eval_file("words_choices"), "lm-eval")
    assert [draw["completion"] for draw in draws] == [None] * 3
    assert all("nothing was generated" in draw["error"] for draw in draws)


def test_lm_eval_results_beside_say_model_and_revision(tmp_path: Path) -> None:
    about = about_of(lm_eval_file("words"))
    assert (about.model, about.revision) == ("org/scripted-7b", "main")
    assert about.roles == {"task": "words", "system": "Answer in one sentence."}
    assert about.sampling == {
        "temperature": 0.6,
        "max_tokens": 256,
        "stop": ["Question:", "</s>"],
    }
    alone = tmp_path / lm_eval_file("words").name
    shutil.copy(lm_eval_file("words"), alone)
    assert about_of(alone).model is None
    (tmp_path / alone.name.replace("samples_words", "results").replace("jsonl", "json")).write_text(
        '{"config": [1], "model_name": 3'
    )
    assert about_of(alone).roles["task"] == "words"


def test_lm_eval_takes_older_rows_and_lists_of_targets(tmp_path: Path) -> None:
    row = {
        "doc_id": 4,
        "doc": {"prompt": "What is 1+1?"},
        "target": "['2', \"two\"]",
        "arguments": [["Q: What is 0+0?\nA: 0\n\nQ: What is 1+1?\nA:", {"until": ["\n"]}]],
        "resps": [["2"]],
        "filtered_resps": ["2"],
        "acc": 1.0,
    }
    path = write_lines(tmp_path / "samples_x.jsonl", row)
    (draw,) = draws_of(path, "lm-eval")
    assert draw["question"] == "What is 1+1?"
    assert (draw["gold"], draw["metadata"]["alternative_golds"]) == ("2", ["two"])
    assert draw["verdict"] is True


# lighteval


def lighteval_file(task: str) -> Path:
    (path,) = FILES.glob(f"lighteval/details/org/scripted-7b/*/details_{task}_*.parquet")
    return path


def test_lighteval_details_hold_all_samples_of_a_problem() -> None:
    draws = draws_of(lighteval_file("words|0"), "lighteval")
    assert [draw["problem_id"] for draw in draws] == ["0"] * 3 + ["1"] * 3
    assert [draw["completion"] for draw in draws][:4] == [
        "\\boxed{4}", "\\boxed{4}", "5", "\\boxed{42}",
    ]  # fmt: skip
    assert [draw.get("reasoning") for draw in draws][:3] == ["2+2", None, "?"]
    assert draws[3]["token_ids"] == [11, 10]
    assert draws[3]["prompt_token_ids"] == [1, 2, 3]
    assert draws[3]["gold"] == "so it is \\boxed{42}"
    assert draws[3]["task"] == "words|0"
    assert draws[3]["question"].endswith("What is 6*7?")
    # pass@k of three samples is no verdict of one
    assert not any("verdict" in draw for draw in draws)


def test_lighteval_metric_of_one_sample_is_a_verdict() -> None:
    draws = draws_of(lighteval_file("one|0"), "lighteval")
    assert [draw.get("verdict") for draw in draws] == [True, None]


def test_lighteval_results_say_model_and_sampling_parameters() -> None:
    about = about_of(lighteval_file("words|0"))
    assert about.model == "org/scripted-7b"
    assert about.sampling == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 512}
    assert "3 samples of a problem as one" in about.notes[0]


def test_lighteval_details_of_versions_before_are_texts(tmp_path: Path) -> None:
    # lighteval 0.6 to 0.10: str() of each field of Detail (src/lighteval/logging/info_loggers.py).
    row = {
        "example": "What is 2+2?",
        "full_prompt": "Solve:\nWhat is 2+2?",
        "instruction": "",
        "predictions": "['it\\'s \\\\boxed{4}\\n', \"or '5'\"]",
        "gold": "['4']",
        "gold_index": "[0]",
        "choices": "['4']",
        "metrics": "{'extractive_match': 1.0}",
    }
    path = write_lines(tmp_path / "details_aime24_2025-03-01T10-00-00.jsonl", row)
    draws = draws_of(path, "lighteval")
    assert [draw["completion"] for draw in draws] == ["it's \\boxed{4}\n", "or '5'"]
    assert draws[0]["gold"] == "4"
    assert draws[0]["question"] == "What is 2+2?"
    row["predictions"] = "['4']"
    (draw,) = draws_of(write_lines(tmp_path / "one.jsonl", row), "lighteval")
    assert draw["verdict"] is True


@pytest.mark.parametrize(
    "texts",
    [[], [""], ["a", "b"], ["it's", 'say "x"', "both ' and \""], ["\n\t\\ \x00 é \U0001f600", "]"]],
)
def test_text_list_reads_what_python_prints(texts: list[str]) -> None:
    assert text_list(repr(texts)) == texts
    assert text_list(ascii(texts)) == texts


@pytest.mark.parametrize("text", ["[1, 2]", "['a'", "['a' 'b']", "[['a']]", "[f('a')]", "", None])
def test_text_list_refuses_anything_else(text: Any) -> None:
    assert text_list(text) is None


# NeMo-Skills (NVIDIA-NeMo/Skills, nemo_skills/inference/generate.py, evaluation/math_grader.py)


def nemo_row(**more: Any) -> dict[str, Any]:
    return {
        "id": "aime25-0",
        "problem": "What is 2+2?",
        "expected_answer": "4",
        "generation": "\\boxed{4}",
        "num_generated_tokens": 9,
        "finish_reason": "stop",
        "generation_start_time": 1.0,
        **more,
    }


def test_nemo_skills_seed_in_the_name_is_the_draw(tmp_path: Path) -> None:
    folder = tmp_path / "eval-results" / "aime25"
    path = write_lines(
        folder / "output-rs12.jsonl", nemo_row(predicted_answer="4", symbolic_correct=True)
    )
    (draw,) = draws_of(path, "nemo-skills")
    assert draw == {
        "question": "What is 2+2?",
        "completion": "\\boxed{4}",
        "problem_id": "aime25-0",
        "gold": "4",
        "finish_reason": "stop",
        "verdict": True,
    }
    assert about_of(path).roles == {"sample_index": 12, "seed": 12, "task": "aime25"}


def test_nemo_skills_keeps_the_thinking(tmp_path: Path) -> None:
    parsed = nemo_row(generation="4", _full_generation="<think>2+2</think>4")
    served = nemo_row(generation="4", reasoning_content="2+2")
    first, second = draws_of(write_lines(tmp_path / "output.jsonl", parsed, served), "nemo-skills")
    assert first["completion"] == "<think>2+2</think>4"
    assert (second["completion"], second["reasoning"]) == ("4", "2+2")
    assert about_of(tmp_path / "output.jsonl").roles == {}


def test_nemo_skills_verdicts_of_code(tmp_path: Path) -> None:
    row = nemo_row(task_id="HumanEval/0", **{"is_correct": True, "is_correct-plus": False})
    (draw,) = draws_of(write_lines(tmp_path / "output.jsonl", row), "nemo-skills")
    assert draw["verdict"] is False
    row = nemo_row(question_id="x", graded_list=[True])
    (draw,) = draws_of(write_lines(tmp_path / "output.jsonl", row), "nemo-skills")
    assert draw["verdict"] is True


def test_nemo_skills_leaves_out_files_of_the_same_draws(tmp_path: Path) -> None:
    names = [
        "output.jsonl", "output-rs0.jsonl", "output-rs0_chunk_0.jsonl", "output-rs1_chunk_0.jsonl",
        "output-rs1_chunk_1.jsonl", "output-rs2.jsonl-async",
    ]  # fmt: skip
    assert chosen("nemo-skills", *(tmp_path / name for name in names)) == {
        "output-rs0.jsonl", "output-rs1_chunk_0.jsonl", "output-rs1_chunk_1.jsonl",
    }  # fmt: skip
    assert chosen("nemo-skills", tmp_path / "output.jsonl") == {"output.jsonl"}
    assert chosen("nemo-skills", tmp_path / "output.jsonl-async") == {"output.jsonl-async"}


# Qwen2.5-Math and limit-of-RLVR (evaluation/math_eval.py; math/examples/math_eval/math_eval.py)


def qwen_row(**more: Any) -> dict[str, Any]:
    return {
        "idx": 3,
        "question": "What is 2+2?",
        "gt_cot": "2+2=4",
        "gt": "4",
        "answer": "4",
        "code": ["\\boxed{4}", "\\boxed{5}"],
        "pred": ["4", "5"],
        "report": [None, None],
        "score": [True, False],
        **more,
    }


def test_limit_of_rlvr_lists_are_draws(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path
        / "Qwen2.5-7B_aime24_temp0.6_n2_seed2/eval_results/global_step_0/aime24"
        / "test_qwen-boxed_-1_seed2_t0.6_s0_e-1.jsonl",
        qwen_row(finish_reason=["stop", None]),
    )
    draws = draws_of(path, "qwen-math")
    assert [draw["completion"] for draw in draws] == ["\\boxed{4}", "\\boxed{5}"]
    assert [draw["verdict"] for draw in draws] == [True, False]
    assert [draw["finish_reason"] for draw in draws] == ["stop", None]
    assert draws[1]["gold"] == "4"
    about = about_of(path)
    assert about.model == "Qwen2.5-7B"
    assert about.sampling == {"temperature": 0.6}
    assert about.roles == {"seed": 2, "task": "aime24"}


def test_qwen_math_folder_of_another_name_is_no_task(tmp_path: Path) -> None:
    name = "test_qwen25-math-cot_-1_seed0_t0.6_s0_e-1.jsonl"
    path = write_lines(tmp_path / "base" / name, qwen_row())
    assert about_of(path).roles == {"seed": 0}
    path = write_lines(tmp_path / "Qwen2.5-Math-7B/math_eval/math" / name, qwen_row())
    assert about_of(path).roles == {"seed": 0, "task": "math"}
    assert about_of(path).model == "Qwen2.5-Math-7B"


def test_qwen_math_parts_that_a_whole_file_repeats(tmp_path: Path) -> None:
    start = "test_cot_-1_seed0_t0.6"
    names = [
        f"{start}_s0_e-1.jsonl",
        f"{start}_s0_e100.jsonl",
        "test_cot_-1_seed1_t0.6_s0_e9.jsonl",
    ]
    assert chosen("qwen-math", *(tmp_path / name for name in names)) == {names[0], names[2]}


def test_the_example_of_real_completions() -> None:
    path = Path(__file__).parents[4] / "shared" / "rollouts" / "math_50x8.jsonl"
    if not path.is_file():
        pytest.skip("no ../shared/rollouts/math_50x8.jsonl")
    draws = draws_of(path, "qwen-math")
    assert len(draws) == 400
    assert len({draw["problem_id"] for draw in draws}) == 50
    assert {type(draw["verdict"]) for draw in draws} == {bool}


# OpenCompass (openicl/icl_inferencer/icl_base_inferencer.py, icl_evaluator/icl_base_evaluator.py)


def test_opencompass_objects_with_replicas_and_verdicts(tmp_path: Path) -> None:
    questions = ["What is 2+2?", "What is 6*7?"]
    entries = {
        str(replica * 2 + i): {
            "origin_prompt": [{"role": "HUMAN", "prompt": question}],
            "prediction": f"answer {replica} of {i}",
            "gold": str(i),
            "res_length": 3,
        }
        for replica in range(3)
        for i, question in enumerate(questions)
    }
    path = write_json(tmp_path / "20260101/predictions/model-7b/aime2024.json", entries)
    details = [
        {"example_abbr": "aime_0", "correct": [True, False, True], "pred": ["", "", ""]},
        {"example_abbr": "aime_1", "correct": [False, False, True], "pred": ["", "", ""]},
    ]
    write_json(tmp_path / "20260101/results/model-7b/aime2024.json", {"details": details})
    draws = draws_of(path, "opencompass")
    assert [draw["completion"] for draw in draws][:3] == [
        "answer 0 of 0", "answer 0 of 1", "answer 1 of 0",
    ]  # fmt: skip
    assert draws[2]["question"] == [{"role": "user", "content": "What is 2+2?"}]
    assert [draw["verdict"] for draw in draws] == [True, False, False, False, True, True]
    about = about_of(path)
    assert (about.model, about.roles) == ("model-7b", {"task": "aime2024"})


def test_opencompass_lists_rounds_and_the_running_file(tmp_path: Path) -> None:
    entries = {
        "0": {"origin_prompt": "What is 2+2?", "prediction": ["4", "5"], "gold": ["4"]},
        "1": {"origin_prompt": ["Hi", "And?"], "prediction": ["a", "b"]},
    }
    first, second, third = draws_of(write_json(tmp_path / "gsm8k.json", entries), "opencompass")
    assert (first["completion"], second["completion"]) == ("4", "5")
    assert first["gold"] == ["4"]
    assert "several rounds" in third["error"]
    running = write_lines(tmp_path / "x.jsonl", {"idx": 7, **entries["0"]})
    assert len(draws_of(running, "opencompass")) == 2


def test_opencompass_results_that_do_not_fit_give_no_verdicts(tmp_path: Path) -> None:
    entries = {str(i): {"origin_prompt": "q", "prediction": "a"} for i in range(3)}
    path = write_json(tmp_path / "predictions/m/d.json", entries)
    results = write_json(tmp_path / "results/m/d.json", {"details": [{"correct": [True]}] * 2})
    assert not any("verdict" in draw for draw in draws_of(path, "opencompass"))
    results.write_text("{")
    assert len(draws_of(path, "opencompass")) == 3


# evalchemy (eval/chat_benchmarks/AIME24/eval_instruct.py, MATH500, GPQADiamond)


def test_evalchemy_benchmarks_are_tasks(tmp_path: Path) -> None:
    results = {
        "results": {
            "AIME24": {
                "examples": [
                    {
                        "id": "aime24-0",
                        "problem": "What is 2+2?",
                        "expected_answer": "4",
                        "model_outputs": ["\\boxed{4}", "\\boxed{5}"],
                        "model_answers": ["4", "5"],
                    }
                ],
                "num_repeat": 2,
            },
            "MATH500": {"examples": [{"problem": "1+1", "answer": "2", "model_output": "2"}]},
            "GPQADiamond": {
                "examples": [
                    {
                        "Question": "Which?",
                        "multiple_choice_string": "A) x\nB) y",
                        "answer": "B",
                        "model_outputs": ["B"],
                    },
                    {"Question": "Lost?", "answer": "A"},
                ]
            },
            "mmlu": {"acc": 0.5},
        },
        "config": {"model": "vllm", "model_args": "pretrained=org/m,max_model_len=9"},
    }
    path = write_json(tmp_path / "org__m/results_2025-05-01T10-00-00.json", results)
    draws = draws_of(path, "evalchemy")
    assert [(d["task"], d["problem_id"], d["completion"]) for d in draws] == [
        ("AIME24", "aime24-0", "\\boxed{4}"),
        ("AIME24", "aime24-0", "\\boxed{5}"),
        ("MATH500", 0, "2"),
        ("GPQADiamond", 0, "B"),
        ("GPQADiamond", 1, None),
    ]
    assert [draw["gold"] for draw in draws] == ["4", "4", "2", "B", "A"]
    assert draws[3]["question"] == "Which?\nA) x\nB) y"
    assert "error" in draws[4]
    assert about_of(path).model == "org/m"


# Reasoning Gym (open-thought/reasoning-gym, eval/eval.py)


def gym_dataset(**more: Any) -> dict[str, Any]:
    task = load_task("reasoning_gym:simple_equations?size=3&seed=45&operators_weights=[.4,.3,.3]")
    results = [
        {
            "question": problem.question,
            "expected_answer": problem.gold,
            "mean_score": 0.5,
            "completions": [
                {
                    "model_answer": problem.gold,
                    "full_model_response": f"<answer>{problem.gold}</answer>",
                    "score": 1.0,
                },
                {
                    "model_answer": "ERROR",
                    "full_model_response": "no",
                    "score": 0.0,
                    "error": "ValueError",
                },
            ],
        }
        for problem in task.problems()
    ]
    results[2] |= {"error": "429", "completions": []}
    return {
        "name": "simple_equations",
        "category": "algebra",
        "config": {"size": None, "seed": 45, "operators_weights": [0.4, 0.3, 0.3]},
        "system_prompt": "Think.",
        "completions_per_prompt": 2,
        "results": results,
        **more,
    }


def test_reasoning_gym_results_name_the_task_that_grades_them(tmp_path: Path) -> None:
    value = {
        "metadata": {"model": "org/m", "temperature": 0.6, "top_p": 0.95, "max_tokens": 100},
        "categories": [{"name": "algebra", "datasets": [gym_dataset()]}],
    }
    path = write_json(tmp_path / "run" / "results.json", value)
    draws = draws_of(path, "reasoning-gym-eval")
    assert [draw["problem_id"] for draw in draws] == [0, 0, 1, 1, 2]
    assert [draw.get("reward") for draw in draws] == [1.0, None, 1.0, None, None]
    assert "error" not in draws[1]  # the scorer failed, not the model
    assert draws[4]["error"] == "429"
    task = load_task(draws[0]["spec"])
    assert [p.question for p in task.problems()] == [draws[i]["question"] for i in (0, 2, 4)]
    about = about_of(path)
    assert about.model == "org/m"
    assert about.sampling == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 100}


def test_reasoning_gym_files_of_single_data_sets(tmp_path: Path) -> None:
    path = write_json(tmp_path / "run/algebra/simple_equations.json", gym_dataset())
    write_json(tmp_path / "run/summary.json", {"model": "org/m", "temperature": 0.5})
    assert len(draws_of(path, "reasoning-gym-eval")) == 5
    assert about_of(path).model == "org/m"
    whole = tmp_path / "run" / "results.json"
    assert chosen("reasoning-gym-eval", path, whole) == {"results.json"}
    assert chosen("reasoning-gym-eval", path) == {"simple_equations.json"}


def test_reasoning_gym_results_of_one_draw_a_problem(tmp_path: Path) -> None:
    # eval.py of February 2025 kept one answer a problem.
    row = {"question": "1+1?", "expected_answer": "2", "full_model_response": "2", "score": 1.0}
    data = {"model": "org/m", "dataset": "basic_arithmetic", "results": [row]}
    path = write_json(tmp_path / "basic_arithmetic.json", data)
    (draw,) = draws_of(path, "reasoning-gym-eval")
    assert (draw["completion"], draw["reward"], draw["task"]) == ("2", 1.0, "basic_arithmetic")
    assert about_of(path).model == "org/m"


def test_reasoning_gym_config_without_a_spelling_has_no_spec(tmp_path: Path) -> None:
    data = gym_dataset(config={"size": 2, "seed": 1, "weights": {"a": 1}})
    draws = draws_of(write_json(tmp_path / "x.json", data), "reasoning-gym-eval")
    assert not any("spec" in draw for draw in draws)


# Large Language Monkeys (llmonk/generate/*.py, llmonk/evaluate/*.py)


@pytest.mark.parametrize("verdicts", ["is_corrects", "is_correct"])
def test_large_language_monkeys_have_a_file_a_problem(tmp_path: Path, verdicts: str) -> None:
    path = tmp_path / "17.yaml"
    problem = {
        "prompt": "Question: 1+1?\nAnswer: 2\n\nQuestion: 2+2?\nAnswer:",
        "question": "2+2?",
        "samples": [" 2+2=4\n#### 4", " 5"],
        "gt_answer": "2+2=4\n#### 4",
        verdicts: [True, False],
    }
    path.write_text(yaml.safe_dump(problem))
    draws = draws_of(path, "large-language-monkeys")
    assert [draw["verdict"] for draw in draws] == [True, False]
    assert draws[0]["question"] == "2+2?"
    assert about_of(path).roles == {"problem_id": "17"}


def test_large_language_monkeys_of_code_and_of_the_published_table(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    code = {"prompt": "Q: Add.\nA:", "question": "Add.", "samples": ["```x```"]}
    path.write_text(yaml.safe_dump({**code, "test_cases": {"input": ["1"], "output": ["2"]}}))
    assert draws_of(path, "large-language-monkeys")[0]["completion"] == "```x```"
    row = {
        "question": "2+2?",
        "samples": ["4"],
        "is_corrects": [True],
        "gt_answer": "4",
        "orig_dset_split": "test",
        "orig_dset_idx": 9,
    }
    (draw,) = draws_of(write_lines(tmp_path / "monkeys.jsonl", row), "large-language-monkeys")
    assert draw["problem_id"] == 9


# EvalScope (evalscope/api/evaluator/cache.py: ModelResult and ReviewResult)


def test_evalscope_reviews_and_predictions_hold_the_same_draws(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "What is 2+2?"}
    parts = [{"type": "reasoning", "reasoning": "2+2"}, {"type": "text", "text": "\\boxed{4}"}]
    answer = {"role": "assistant", "content": parts}
    review = {
        "index": 5,
        "target": "4",
        "messages": [asked, answer],
        "sample_score": {
            "score": {"value": {"acc": 1.0}, "prediction": "\\boxed{4}", "main_score_name": "acc"},
            "sample_id": 5,
            "group_id": 1,
        },
    }
    prediction = {
        "index": 5,
        "model": "m",
        "model_output": {"choices": [{"message": answer, "stop_reason": "max_tokens"}]},
        "messages": [asked, answer],
    }
    reviews = write_lines(tmp_path / "20260101/reviews/m/aime24_default.jsonl", review)
    predictions = write_lines(tmp_path / "20260101/predictions/m/aime24_default.jsonl", prediction)
    (draw,) = draws_of(reviews, "evalscope")
    assert draw["question"] == [asked]
    assert (draw["completion"], draw["reasoning"]) == ("\\boxed{4}", "2+2")
    assert (draw["gold"], draw["verdict"]) == ("4", 1.0)
    (other,) = draws_of(predictions, "evalscope")
    assert (other["completion"], other["finish_reason"]) == ("\\boxed{4}", "max_tokens")
    about = about_of(reviews)
    assert (about.model, about.roles) == ("m", {"task": "aime24_default"})
    run, _ = imported(tmp_path / "20260101", tmp_path / "run")
    assert run.num_samples().tolist() == [1]


# SkyThought (skythought/evals/inference_and_check.py)


def test_skythought_results_are_one_object(tmp_path: Path) -> None:
    def entry(responses: Any) -> dict[str, Any]:
        return {
            "problem": "What is 2+2?",
            "answer": "4",
            "prompt": "Box it. What is 2+2?",
            "input_conversation": [{"role": "user", "content": "Box it. What is 2+2?"}],
            "responses": responses,
            "token_usages": [],
        }

    draws = [
        {"content": "\\boxed{4}", "correctness": True, "reason": ""},
        {"content": "\\boxed{5}", "correctness": False, "reason": "wrong"},
    ]
    path = write_json(tmp_path / "r/results.json", {"0": entry(draws), "1": entry({"0.7": draws})})
    configuration = {
        "model": {"name": "org/m"},
        "task": {"name": "aime24"},
        "sampling_params": {"temperature": 0.7, "n": 2},
    }
    write_json(tmp_path / "r/summary.json", {"configuration": configuration})
    found = draws_of(path, "skythought")
    assert [(d["problem_id"], d["verdict"]) for d in found] == [
        ("0", True), ("0", False), ("1", True), ("1", False),
    ]  # fmt: skip
    assert found[0]["gold"] == "4"
    about = about_of(path)
    assert (about.model, about.sampling, about.roles) == (
        "org/m", {"temperature": 0.7}, {"task": "aime24"},
    )  # fmt: skip


# simple-evals (simple_evals.py, common.py HTML_JINJA)


def test_simple_evals_gold_and_score_stand_in_the_page(tmp_path: Path) -> None:
    def page(gold: str, score: float) -> str:
        return (
            "<h3>Sampled message</h3><p>Correct Answer: 7</p>\n<h3>Results</h3>\n"
            f"<p>Correct Answer: {gold}</p>\n<p>Extracted Answer: 4</p>\n<p>Score: {score}</p>"
        )

    def convo(text: str) -> list[dict[str, str]]:
        return [
            {"role": "user", "content": "What is 2+2?"},
            {"role": "assistant", "content": text},
        ]

    value = {
        "score": 0.5,
        "metrics": {},
        "htmls": [page("x &lt; 4", 1.0), page("4", 0.0)],
        "convos": [convo("Answer: 4"), convo("Answer: 5")],
        "metadata": {},
    }
    path = write_json(tmp_path / "math_gpt-4o_20260101_101010_allresults.json", value)
    first, second = draws_of(path, "simple-evals")
    assert first["gold"] == "x < 4"
    assert (first["reward"], second["reward"]) == (1.0, 0.0)
    assert (about_of(path).model, about_of(path).roles) == ("gpt-4o", {"task": "math"})
    value["htmls"] = [page("4", 1.0), page("4", 0.0)]
    run, about = imported(write_json(path, value), tmp_path / "run")
    assert run.num_samples().tolist() == [2]
    assert about["verdict"] == {"rule": "reward>=1", "correct": 1, "incorrect": 1, "unknown": 0}
    assert [draw["text"] for draw in samples_of(run)] == ["Answer: 4", "Answer: 5"]


# Whole imports


def samples_of(run: Run) -> list[dict[str, Any]]:
    """The draws of a run, by problem and index."""
    parts = sorted((run.path / "samples").glob("*.parquet"))
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    return sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"]))


def imported(source: Path, run: Path, **options: Any) -> tuple[Run, dict[str, Any]]:
    """The run of a source, and what import.json says of it."""
    made = import_rollouts(source, run, ImportOptions(**options))
    about = made.read_json("import.json")
    assert about is not None
    return made, about


def test_import_of_an_inspect_folder(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    shutil.copy(FILES / "inspect.eval", tmp_path / "logs")
    run, about = imported(tmp_path / "logs", tmp_path / "run")
    assert about["reader"] == "inspect"
    assert about["verdict"] == {"rule": "verdict", "correct": 4, "incorrect": 2, "unknown": 0}
    assert run.num_samples().tolist() == [2, 2, 2]
    first = samples_of(run)[0]
    assert first["text"].startswith("<think>\nTwo and two")
    assert first["text"].endswith("The answer is \\boxed{4}")
    assert run.problems()["gold"].to_pylist() == ["4", "42", "9"]


def test_import_of_an_inspect_log_by_another_scorer(tmp_path: Path) -> None:
    _, about = imported(FILES / "inspect.eval", tmp_path / "run", verdict="scores.match.value==C")
    assert about["verdict"]["rule"] == "scores.match.value==C"
    assert about["verdict"]["correct"] + about["verdict"]["incorrect"] == 6


def test_import_of_lm_eval_reads_one_filter(tmp_path: Path) -> None:
    run, about = imported(FILES / "lm_eval", tmp_path / "run")
    assert about["reader"] == "lm-eval"
    assert about["left_out"] == {"of another filter than 'strict-match'": 15, "the draw failed": 3}
    by_task = run.problems().group_by("task").aggregate([("problem_id", "count")]).to_pylist()
    counts = {row["task"]: row["problem_id_count"] for row in by_task}
    assert counts["words"] == counts["words_repeated"] == 3
    assert sum(run.num_samples().tolist()) == 3 + 12
    _, about = imported(lm_eval_file("words"), tmp_path / "other", filter="flexible-extract")
    assert about["verdict"]["correct"] == 2
    assert run.info.model == {"name": "org/scripted-7b", "revision": "main"}


def test_import_of_lighteval_takes_token_ids(tmp_path: Path) -> None:
    run, about = imported(FILES / "lighteval", tmp_path / "run")
    assert about["reader"] == "lighteval"
    assert sorted(run.num_samples().tolist()) == [1, 1, 3, 3]
    assert about["verdict"]["correct"] == 1
    draws = [d for d in samples_of(run) if d["problem_id"] == "words|0/1"]
    assert [draw["token_ids"] for draw in draws] == [[11, 10], [11, 1], [11, 0]]


def test_import_of_limit_of_rlvr_joins_seeds(tmp_path: Path) -> None:
    for seed in (1, 2):
        name = f"Qwen2.5-7B_aime24_temp0.6_n2_seed{seed}/eval_results/global_step_0/aime24"
        rows = [qwen_row(idx=i, question=f"{i}?", gt=str(i)) for i in range(3)]
        path = tmp_path / "checkpoints" / name / f"test_qwen-boxed_-1_seed{seed}_t0.6_s0_e-1.jsonl"
        # Two seeds draw different texts.
        write_lines(path, *({**row, "code": [f"{seed}a", f"{seed}b"]} for row in rows))
        write_json(path.with_name(path.stem + "_metrics.json"), {"acc": 50.0})
    run, about = imported(tmp_path / "checkpoints", tmp_path / "run")
    assert about["reader"] == "qwen-math"
    assert run.num_samples().tolist() == [4, 4, 4]
    first = [draw for draw in samples_of(run) if draw["problem_id"] == "aime24/0"]
    assert [draw["text"] for draw in first] == ["1a", "1b", "2a", "2b"]
    assert [draw["verdict"] for draw in first] == ["correct", "incorrect"] * 2
    assert run.info.sampling["temperature"] == 0.6
    assert run.info.model["name"] == "Qwen2.5-7B"


def test_import_of_nemo_skills_numbers_draws_by_seed(tmp_path: Path) -> None:
    for seed in (0, 3, 11):
        rows = [
            nemo_row(
                id=f"aime25-{i}", problem=f"{i}?", generation=f"{seed}", symbolic_correct=i == 0
            )
            for i in range(2)
        ]
        write_lines(tmp_path / "out" / f"output-rs{seed}.jsonl", *rows)
    write_lines(tmp_path / "out" / "output-rs12.jsonl-async", nemo_row(_async_position=0))
    write_json(tmp_path / "out" / "metrics.json", {"aime25": {}})
    run, about = imported(tmp_path / "out", tmp_path / "run")
    draws = samples_of(run)
    assert [(draw["sample_index"], draw["text"]) for draw in draws] == [
        (0, "0"), (3, "3"), (11, "11"),
    ] * 2  # fmt: skip
    assert about["verdict"]["correct"] == 3
    assert {draw["finish_reason"] for draw in draws} == {"stop"}


def test_import_of_opencompass_groups_replicas_by_question(tmp_path: Path) -> None:
    entries = {
        str(number): {
            "origin_prompt": [{"role": "HUMAN", "prompt": f"What is {number % 2}+1?"}],
            "prediction": f"draw {number}",
            "gold": str(number % 2 + 1),
        }
        for number in range(6)
    }
    write_json(tmp_path / "predictions/m/d.json", entries)
    run, about = imported(tmp_path / "predictions/m/d.json", tmp_path / "run")
    assert about["reader"] == "opencompass"
    assert run.num_samples().tolist() == [3, 3]
    assert run.problems()["gold"].to_pylist() == ["1", "2"]
    assert run.problems()["prompt"].to_pylist() == ["What is 0+1?", "What is 1+1?"]


def test_import_of_reasoning_gym_is_graded_by_its_own_verifier(tmp_path: Path) -> None:
    data = gym_dataset()
    write_json(tmp_path / "out/algebra/simple_equations.json", data)
    categories = [{"name": "algebra", "datasets": [data]}]
    write_json(
        tmp_path / "out/results.json", {"metadata": {"model": "m"}, "categories": categories}
    )
    run, about = imported(tmp_path / "out", tmp_path / "run")
    assert about["left_out"] == {"the draw failed": 1}
    assert sum(run.num_samples().tolist()) == 4
    assert about["verdict"] == {"rule": "reward>=1", "correct": 2, "incorrect": 0, "unknown": 2}
    (task,) = [task for task in run.info.tasks if "simple_equations" in task["spec"]]
    assert task["spec"].startswith("reasoning_gym:simple_equations?")


@pytest.mark.parametrize(
    ("name", "config", "note"),
    [
        ("simple_equations", {"seed": 1}, "does not make"),
        ("simple_equations", {"seed": 1, "size": 10**12}, "does not make"),
        ("no_such_set", {"seed": 1}, "has no dataset 'no_such_set'"),
        ("simple_equations", {"seed": 1, "nope": 3}, "has no config value 'nope'"),
        ("simple_equations", {"size": 1}, ""),
    ],
)
def test_reasoning_gym_problems_that_are_not_made_again_keep_their_gold_answers(
    tmp_path: Path, name: str, config: dict[str, Any], note: str
) -> None:
    entry = {"question": "1+1?", "expected_answer": "2", "full_model_response": "2", "score": 1.0}
    data = {"name": name, "config": config, "results": [entry]}
    run, about = imported(write_json(tmp_path / "x.json", data), tmp_path / "run")
    assert run.problems()["gold"].to_pylist() == ["2"]
    assert [task["spec"] for task in run.info.tasks] == ["math:golds"]
    assert [note in said for said in about["notes"]] == [True] * bool(note)


def test_import_of_large_language_monkeys_reads_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    for number in (3, 12):
        problem = {
            "prompt": f"Question: {number}+1?\nAnswer:",
            "question": f"{number}+1?",
            "samples": ["#### 4", "#### 13", "none"],
            "gt_answer": f"add\n#### {number + 1}",
            "is_corrects": [number == 3, number == 12, False],
        }
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(problem))
    run, about = imported(folder, tmp_path / "run")
    assert about["reader"] == "large-language-monkeys"
    assert run.problems()["problem_id"].to_pylist() == ["3", "12"]
    assert run.problems()["gold"].to_pylist() == ["4", "13"]
    assert about["verdict"]["correct"] == 2


# Detection


@pytest.mark.parametrize(
    "row",
    [
        {"question": "2+2?", "completion": "4", "gold": "4"},
        {"prompt": "2+2?", "generation": "4"},
        {"input": "2+2?", "output": "4", "gts": "4", "score": 1.0, "step": 1},
        {"question_id": "1", "code_list": ["x"], "output_list": ["y"], "graded_list": [True]},
        {"messages": [{"role": "user", "content": "2+2?"}]},
        {},
    ],
)
def test_rows_of_other_tools_are_not_taken(tmp_path: Path, row: dict[str, Any]) -> None:
    path = write_lines(tmp_path / "rollouts.jsonl", row)
    sample = sample_of(path)
    assert [name for name in OURS if reader_named(name).matches(sample)] == []


@pytest.mark.parametrize("value", [None, 3, "text", [1], {"0": 1}, {"results": 1}, {"eval": None}])
def test_odd_values_match_nothing(value: Any) -> None:
    sample = Sample(SourceFile("x.json", None), "json", [value])
    assert [r.name for r in load_readers() if r.name != "plain" and r.matches(sample)] == []


@pytest.mark.parametrize("odd", [None, 3, "text", [], {}, [None], {"a": None}])
@pytest.mark.parametrize(
    "file",
    ["inspect.json", "lm_eval", "lighteval", "opencompass", "evalchemy", "reasoning-gym-eval"],
)
def test_odd_values_inside_rows_never_end_in_another_error(file: str, odd: Any) -> None:
    """Each part of a row is replaced by an odd value, down to its third level."""
    rows = {
        "inspect.json": [inspect_sample()],
        "lm_eval": rows_of(lm_eval_file("words"))[1][:1],
        "lighteval": rows_of(lighteval_file("words|0"))[1][:1],
        "opencompass": [{"0": {"origin_prompt": "q", "prediction": "a", "rollout": {}}}],
        "evalchemy": [{"results": {"A": {"examples": [{"id": 1, "model_outputs": ["x"]}]}}}],
        "reasoning-gym-eval": [{"categories": [{"datasets": [gym_dataset()]}], "metadata": {}}],
    }[file]
    for row in replaced(rows[0], odd, 4):
        sample = Sample(SourceFile("x.json", None), "json", [row])
        for reader in load_readers():
            if reader.name != "plain" and reader.matches(sample):
                if reader.rows is not None:
                    assert all(isinstance(d, dict) for d in reader.rows(row, sample.file))
                if reader.about is not None:
                    reader.about(sample)


@pytest.mark.parametrize("rows", [[], [None], [3], ["text"], [[1]], [{1: 2}], [{"eval": 1}]])
def test_a_format_that_the_user_names_may_be_asked_about_any_file(rows: list[Any]) -> None:
    sample = Sample(SourceFile("x.json", None), "json", rows)
    for name in OURS:
        reader = reader_named(name)
        assert not reader.matches(sample)
        if reader.about is not None:
            assert reader.about(sample).notes == []


@pytest.mark.parametrize("row", [None, 3, "text", [1], {}, {"0": 1}, {"doc": 1}, {"results": 1}])
def test_a_row_of_another_kind_gives_no_draw(row: Any) -> None:
    source = SourceFile("x.jsonl", None)
    for name in (
        "inspect",
        "lm-eval",
        "lighteval",
        "opencompass",
        "evalchemy",
        "evalscope",
        "skythought",
        "simple-evals",
    ):
        rows = reader_named(name).rows
        assert rows is not None
        assert not any(draw.get("completion") for draw in rows(row, source))


def replaced(value: Any, odd: Any, depth: int) -> Iterable[Any]:
    """Copies of a value in each of which one part is odd."""
    yield odd
    if depth and isinstance(value, dict):
        for key in value:
            for part in replaced(value[key], odd, depth - 1):
                yield {**value, key: part}
    elif depth and isinstance(value, list):
        for index in range(min(len(value), 3)):
            for part in replaced(value[index], odd, depth - 1):
                yield [*value[:index], part, *value[index + 1 :]]

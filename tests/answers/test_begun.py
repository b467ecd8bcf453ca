"""A prefill, and thoughts that a prompt opens, count for extraction."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from grading_runs import add_samples

from rlvr_fast.answers.begun import BEGUN, Beginnings
from rlvr_fast.answers.grading import grade_run
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.store import Run

THINKS = "<|User|>What is 2 + 3?<|Assistant|><think>\n"


def make(path: Path, prompts: list[str], **template: str) -> Run:
    rows = [
        {"problem_id": f"p{n}", "task": "t", "prompt": prompt, "prompt_token_ids": [1],
         "gold": "5", "metadata": "{}"}
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
    return Run.create(
        path,
        model={"name": "by hand", "revision": "1"},
        engine={"name": "hand", "version": "1", "notes": []},
        sampling={"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []},
        prompt_template={"name": "chat", "sha256": "0" * 64, **template},
        tasks=[{"name": "t", "spec": "math:golds"}],
        problems=pa.Table.from_pylist(rows),
    )


def answers(run: Run) -> list[tuple[str | None, str]]:
    rows = sorted(run.read("answers").to_pylist(), key=lambda row: row["sample_index"])
    return [(row["answer"], row["status"]) for row in rows]


def test_thoughts_that_the_template_opens(tmp_path):
    run = make(tmp_path / "run", [THINKS])
    add_samples(run, {"p0": [
        "First I try \\boxed{4}, but",
        "Perhaps \\boxed{4}.</think>It is \\boxed{5}.",
        "Hm.</think>It is 5.",
    ]})  # fmt: skip
    grade_run(run, GradeOptions())
    assert answers(run) == [(None, "unfinished"), ("5", "found"), ("It is 5.", "found")]
    assert run.read_json("grading.json")[BEGUN] == 1
    assert [f for f in examine_run(run.path) if f["level"] == "error"] == []


def test_a_prefill_is_the_beginning_of_the_answer(tmp_path):
    prefill = "The answer is \\boxed{"
    run = make(tmp_path / "run", [f"What is 2 + 3?{prefill}"], prefill=prefill)
    add_samples(run, {"p0": ["5}", "5", "4} or rather \\boxed{5}"]})
    grade_run(run, GradeOptions(policy="boxed"))
    assert [status for _, status in answers(run)] == ["found", "unfinished", "found"]
    assert answers(run)[0] == ("5", "found")
    samples = run.read("samples").to_pylist()
    assert sorted(row["text"] for row in samples)[0] == "4} or rather \\boxed{5}"


@pytest.mark.parametrize(
    ("prompt", "prefill", "begins"),
    [
        (THINKS, "", "<think>\n"),
        (THINKS + "Okay", "Okay", "<think>\nOkay"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "", ""),
        ("What does <think> do?<|Assistant|>", "", ""),
        ("Say <think>x<|Assistant|>", "", ""),
        ("a > b", "", ""),
        ("[THINK]", "", "[THINK]\n"),
        ("x \u25c1think\u25b7", "", "\u25c1think\u25b7\n"),
        ("the prompt of another form", "Okay", ""),
        ("x" * 1001, "x" * 1001, ""),
        ('[{"role": "user", "content": "<think>"}]', "", ""),
        ("", "", ""),
    ],
)
def test_what_a_prompt_begins(tmp_path, prompt, prefill, begins):
    run = make(tmp_path / "run", [prompt, "bare"], **({"prefill": prefill} if prefill else {}))
    begun = Beginnings(run)
    rows = pa.table({"problem_id": ["p1", "p0"], "text": pa.array(["a", "b"], pa.large_string())})
    assert begun.put_before(rows)["text"].to_pylist() == ["a", begins + "b"]
    assert len(begun) == bool(begins)


def test_an_earlier_grading_is_not_mixed_with_this_one(tmp_path):
    run = make(tmp_path / "run", [THINKS])
    add_samples(run, {"p0": ["Hm.</think>\\boxed{5}"]})
    grade_run(run, GradeOptions())
    file = run.path / "grading.json"
    value = json.loads(file.read_text())
    del value[BEGUN]
    file.write_text(json.dumps(value))
    with pytest.raises(RunDirectoryError, match=r"without what the prompts hold.*--regrade"):
        grade_run(Run.open(run.path), GradeOptions())
    grade_run(Run.open(run.path), GradeOptions(regrade=True))
    assert Run.open(run.path).read_json("grading.json")[BEGUN] == 1

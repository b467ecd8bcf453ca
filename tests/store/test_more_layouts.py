"""Layouts that differ in small things from the usual ones give the same run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import ImportOptions, Run, import_rollouts
from rlvr_fast.store.rollouts.questions import question_key, read_question

QUESTIONS = (
    ("Evaluate $\\lfloor 3.2\\rfloor$.", "3"),
    ("Find the remainder of\n$$ 1 + 2 + 3 + 4 + 12. $$", "2"),
)
# Of each question, which draws are right.
RIGHT = ((True, False, True), (False, False, True))


def draws() -> list[dict[str, Any]]:
    """Question, gold, text and verdict of each draw; no two texts are the same."""
    return [
        {"q": q, "gold": gold, "right": right,
         "text": f"Draw {j} of {i}: \\boxed{{{gold if right else 77}}}."}
        for i, (q, gold) in enumerate(QUESTIONS)
        for j, right in enumerate(RIGHT[i])
    ]  # fmt: skip


def imported(path: Path, rows: list[dict[str, Any]]) -> Run:
    source = path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return import_rollouts(source, path / "run", ImportOptions())


def check(run: Run) -> None:
    """The run holds the draws with their golds and verdicts."""
    problems = {row["problem_id"]: row for row in run.problems().to_pylist()}
    assert sorted(row["gold"] for row in problems.values()) == sorted(g for _, g in QUESTIONS)
    found = [
        (problems[row["problem_id"]]["gold"], row["text"], row["verdict"])
        for row in run.read("samples").to_pylist()
    ]
    expected = [(d["gold"], d["text"], "correct" if d["right"] else "incorrect") for d in draws()]
    assert sorted(found) == sorted(expected)


ROWS: dict[str, Any] = {
    "score as a word beside an extracted answer": lambda d: {
        "question": d["q"], "answer": d["gold"], "response": d["text"],
        "extracted_answer": "77", "score": str(d["right"]),
    },
    "drawn solutions beside the answer": lambda d: {
        "problem": d["q"], "solution": d["text"], "answer": d["gold"], "is_correct": d["right"],
    },
    "label 0 or 1 beside the answer": lambda d: {
        "question": d["q"], "answer": d["gold"], "response": d["text"], "label": int(d["right"]),
    },
    "a message with thinking": lambda d: {
        "question": d["q"], "answer": d["gold"], "correct": d["right"],
        "message": {"role": "assistant", "content": d["text"]},
    },
    "a verdict of the row beside its only draw": lambda d: {
        "prompt": d["q"], "outputs": [{"text": d["text"]}], "gold": d["gold"],
        "correct": d["right"],
    },
    "a chat list beside lists of one draw": lambda d: {
        "messages": [{"role": "user", "content": d["q"]}], "responses": [d["text"]],
        "answer": d["gold"], "scores": [float(d["right"])],
    },
    "an attempt beside a reference solution": lambda d: {
        "problem": d["q"], "reference_solution": f"So it is \\boxed{{{d['gold']}}}.",
        "ground_truth": d["gold"], "attempt": d["text"], "correct": d["right"],
    },
    "an extracted prediction beside the drawn solution": lambda d: {
        "question": d["q"], "prediction": d["gold"] if d["right"] else "77",
        "answer": d["gold"], "solution": d["text"], "correct": d["right"],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", list(ROWS))
def test_plain_rows(tmp_path: Path, name: str) -> None:
    check(imported(tmp_path, [ROWS[name](draw) for draw in draws()]))


@pytest.mark.parametrize("inside", [False, True], ids=["verdicts of the row", "of the draws"])
def test_objects_of_draws(tmp_path: Path, inside: bool) -> None:
    rows = []
    for q, gold in QUESTIONS:
        own = [d for d in draws() if d["q"] == q]
        samples = [
            {"model_answer": "77", "full_model_response": d["text"]}
            | ({"score": float(d["right"])} if inside else {})
            for d in own
        ]
        row = {"question": q, "expected_answer": gold, "completions": samples}
        rows.append(row if inside else row | {"correct": [d["right"] for d in own]})
    check(imported(tmp_path, rows))


def test_lists_of_a_fixed_size_are_split_by_draw(tmp_path: Path) -> None:
    of_question = [[d for d in draws() if d["q"] == q] for q, _ in QUESTIONS]
    texts = [[d["text"] for d in own] for own in of_question]
    scores = [[float(d["right"]) for d in own] for own in of_question]
    table = pa.table(
        {
            "problem": pa.array([q for q, _ in QUESTIONS], pa.large_string()),
            "answer": pa.array([g for _, g in QUESTIONS]).dictionary_encode(),
            "responses": pa.array(texts, pa.list_(pa.string(), 3)),
            "scores": pa.array(scores, pa.list_(pa.float32(), 3)),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    check(import_rollouts(tmp_path / "rows.parquet", tmp_path / "run", ImportOptions()))


BOXED = r"Please reason step by step, and put your final answer within \boxed{}."


@pytest.mark.parametrize(
    "prompt",
    [
        f"<|im_start|>user\n{{q}}\n{BOXED}<|im_end|>\n<|im_start|>assistant\n<think>\n",
        f"user\n{{q}}\n{BOXED}\nassistant\n",
        f"user\n\n{{q}}\n{BOXED}\nassistant\n<think>\n",
        f"{{q}}\n\n{BOXED} The answer is an integer between 0 and 999.",
        "User: {q} Show your work in <think> </think> tags. And return the final answer in "
        "<answer> </answer> tags, for example <answer> (1 + 2) / 3 </answer>.\n"
        "Assistant: Let me solve this step by step.\n<think>",
        "Your task is to answer the question by thinking step-by-step. Provide the answer in the "
        "following format:\n<answer>answer here</answer>\n\n{q}",
        "system: Be brief.\nuser: {q}\n\nassistant:",
        "Problem:\nWhat is 1+1?\n\nSolution:\nIt is $2$.\n\nProblem:\n{q}\n\nSolution:",
    ],
)
@pytest.mark.parametrize(
    "question",
    [
        *[q for q, _ in QUESTIONS],
        "Preamble: A beam hits water.\n\nSubproblem 0: Find the angle.\n\nSolution: $\\theta$.\n\n"
        "Subproblem 1: Find the critical angle; do not evaluate the function.",
    ],
)
def test_a_prompt_has_the_key_of_its_question(prompt: str, question: str) -> None:
    asked = read_question(prompt.replace("{q}", question))
    assert asked is not None
    assert question_key(asked.text) == question_key(question)


@pytest.mark.parametrize("spell", [json.dumps, repr], ids=["json", "python"])
def test_lists_in_the_cells_of_csv_hold_the_draws(tmp_path: Path, spell: Any) -> None:
    drawn = [["so \\boxed{2}, it's", 'say "3"'], ["four", "\\boxed{4}\nend"]]
    rows = [
        {"question": f"{n} + {n}?", "answer": str(2 * n), "responses": spell(texts),
         "correct": spell(right)}
        for n, texts, right in zip((1, 2), drawn, ([True, False], [False, True]), strict=True)
    ]  # fmt: skip
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    run = import_rollouts(tmp_path / "a.csv", tmp_path / "run")
    samples = run.read("samples")
    assert samples["text"].to_pylist() == [text for texts in drawn for text in texts]
    assert samples["verdict"].to_pylist() == ["correct", "incorrect", "incorrect", "correct"]


def test_a_text_in_brackets_is_no_list_of_draws(tmp_path: Path) -> None:
    rows = [("1?", "[5]"), ("2?", "[not a list]"), ("3?", "[" * 5000 + "]" * 5000)]
    (tmp_path / "a.csv").write_text(
        "question,response\n" + "".join(f'{q},"{text}"\n' for q, text in rows)
    )
    run = import_rollouts(tmp_path / "a.csv", tmp_path / "run")
    assert run.read("samples")["text"].to_pylist() == [text for _, text in rows]


def test_instruction_and_input_that_are_equal_or_in_different_rows(tmp_path: Path) -> None:
    equal = [{"instruction": f"{n}?", "input": f"{n}?", "output": "x"} for n in range(3)]
    assert import_rollouts(equal, tmp_path / "run").num_samples().tolist() == [1, 1, 1]
    apart = [{"instruction" if n % 2 else "input": f"{n}?", "output": "x"} for n in range(6)]
    with pytest.raises(InvalidInputError, match="--field question=instruction or --field"):
        import_rollouts(apart, tmp_path / "apart")

"""Rollouts in the layouts of many tools give the same run: texts, golds, verdicts, counts."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rollout_layouts import LAYOUTS, PROBLEMS, Case, Study

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.store import ImportOptions, Run, import_rollouts, verify

BASE, RL = Study("base"), Study("rl")


def imported(case: Case, out: Path) -> Run:
    return import_rollouts(case.sources, out, ImportOptions(**case.options))


def numbers_of_problems(case: Case, run: Run) -> dict[str, int]:
    """The problem id of the run to the number of the study's problem."""
    rows = run.problems().to_pylist()
    assert len(rows) == len(PROBLEMS), [row["problem_id"] for row in rows]
    found = {}
    for place, row in enumerate(rows):
        if case.ids:
            number = next((k for k, v in case.ids.items() if row["problem_id"].endswith(v)), None)
            assert number is not None, f"id {row['problem_id']!r}, expected one of {case.ids}"
        elif case.questions:
            asked = [k for k, v in case.questions.items() if v in row["prompt"]]
            assert len(asked) == 1, row["prompt"]
            number = asked[0]
        else:
            number = PROBLEMS[place].id
        found[row["problem_id"]] = number
    assert sorted(found.values()) == sorted(p.id for p in PROBLEMS)
    return found


def draws(run: Run, stage: str, numbers: dict[str, int]) -> dict[int, list[dict[str, Any]]]:
    """Problem number to rows of a stage, in the order of sample indices."""
    grouped: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in run.read(stage).to_pylist():
        grouped[numbers[row["problem_id"]]].append(row)
    for rows in grouped.values():
        rows.sort(key=lambda row: row["sample_index"])
        indices = [row["sample_index"] for row in rows]
        assert len(set(indices)) == len(indices)
    return dict(grouped)


def same_text(found: str, expected: Any) -> bool:
    if isinstance(expected, str):
        return found == expected
    thinking, content = map(re.escape, expected)
    return re.fullmatch(rf"<think>\s*{thinking}\s*</think>\s*{content}", found) is not None


def correct_draws(run: Run, numbers: dict[str, int]) -> dict[int, int]:
    found: Counter[int] = Counter({p.id: 0 for p in PROBLEMS})
    grades = run.read_table("grades.parquet")
    assert grades is not None
    for row in grades.to_pylist():
        if row["verdict"] == "correct":
            found[numbers[row["problem_id"]]] += row["count"]
    return dict(found)


WORD = {True: "correct", False: "incorrect", None: None}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_the_run_of_the_study(name: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    case = LAYOUTS[name](files, RL)
    run = imported(case, tmp_path / "run")
    assert [f for f in verify(run.path) if f.level == "error"] == []
    numbers = numbers_of_problems(case, run)
    rows = draws(run, "samples", numbers)

    wrong = {
        key: (row["text"], expected)
        for key, texts in case.texts.items()
        for row, expected in zip(rows.get(key, []), texts, strict=False)
        if not same_text(row["text"], expected)
    }
    assert {k: len(v) for k, v in rows.items()} == {k: len(v) for k, v in case.texts.items()}
    assert wrong == {}
    assert {k: [r["finish_reason"] for r in v] for k, v in rows.items()} == case.finish
    if case.indices:
        assert {k: [r["sample_index"] for r in v] for k, v in rows.items()} == case.indices
    if case.token_ids:
        assert {k: [r["token_ids"] for r in v] for k, v in rows.items()} == case.token_ids

    golds = dict(
        zip(*run.problems().select(["problem_id", "gold"]).to_pydict().values(), strict=True)
    )
    found = {numbers[key]: gold for key, gold in golds.items()}
    if case.golds is None:
        assert set(found.values()) == {None}
    elif case.golds:
        assert found == case.golds

    verdicts = {k: [r.get("verdict") for r in v] for k, v in rows.items()}
    if case.verdicts is None:
        assert {w for v in verdicts.values() for w in v} == {None}
    elif case.verdicts:
        assert verdicts == {k: [WORD[w] for w in v] for k, v in case.verdicts.items()}
    if case.rewards:
        found_rewards = {k: [r.get("reward") for r in v] for k, v in rows.items()}
        assert found_rewards == case.rewards

    for label, expected in case.logprobs.items():
        scored = draws(run, f"scores/{label}", numbers)
        for key, sequences in expected.items():
            for row, values in zip(scored[key], sequences, strict=True):
                assert row["num_tokens"] == len(values)
                np.testing.assert_allclose(row["logprob"], sum(values), rtol=1e-6)

    if case.model:
        assert run.info.model["name"] == case.model
    for key, value in case.sampling.items():
        assert run.info.sampling[key] == value, key
    note = (run.path / "import.json").read_text("utf-8")
    if case.left_out is not None:
        assert sum(json.loads(note)["left_out"].values()) == case.left_out
    for pattern in case.reported:
        assert re.search(pattern, note), f"{pattern!r} in {note}"

    if case.counts:
        judged = "ours" if case.golds is not None else "imported"
        grade_run(run, GradeOptions(verdicts=judged))
        counted = {k: v for k, v in correct_draws(run, numbers).items() if k in case.counts}
        assert counted == case.counts


def rlvr(*arguments: Any) -> None:
    from rlvr_fast.cli import app

    app([str(a) for a in arguments], standalone_mode=False)


@pytest.mark.parametrize(
    ("base", "rl"),
    [
        ("lm_eval_repeats", "verl_validation"),
        ("limit_of_rlvr_tree", "inspect_eval_zstd"),
        ("nemo_skills_seeds", "served_prompt_list_content_and_reasoning"),
        ("trl_completions", "openrlhf_batch_inference"),
        ("opencompass_replicas", "RUN"),
    ],
)
def test_compare_takes_files_of_two_tools(base: str, rl: str, tmp_path: Path) -> None:
    sources = []
    for side, name, study in (("base", base, BASE), ("rl", rl, RL)):
        home = tmp_path / "files" / side
        home.mkdir(parents=True)
        case = LAYOUTS["plain_jsonl" if name == "RUN" else name](home, study)
        if name == "RUN":
            sources.append(imported(case, tmp_path / "graded").path)
            grade_run(Run.open(sources[-1]))
        else:
            sources.append(case.sources[0])
    allowed = [] if base != "trl_completions" else ["--verdicts", "imported"]
    rlvr("compare", *sources, "--out", tmp_path / "report", *allowed, "--quiet")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    overall = summary["overall"]
    solved = {study.model: {k for k, n in study.counts.items() if n} for study in (BASE, RL)}
    assert overall["problems"] == len(PROBLEMS)
    assert overall["preserved"] == len(solved["base"] & solved["rl"])
    assert overall["shrunk"] == len(solved["base"] - solved["rl"])
    assert overall["expanded"] == len(solved["rl"] - solved["base"])


def test_prompts_of_two_templates_pose_the_same_problems(tmp_path: Path) -> None:
    """A base model gets plain text, an RL model its chat template, and no file has ids."""
    from rollout_layouts.study import BOXED, qwen, rendered

    templates = {
        "plain": lambda q: q,
        "instruction": lambda q: f"{q}\n{BOXED}",
        "instruction in front": lambda q: f"{BOXED}\n\n{q}",
        "cot": lambda q: f"Question: {q}\nAnswer: Let's think step by step.",
        "qwen": qwen,
        "rendered": rendered,
        "llama": lambda q: (
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge "
            "Date: December 2023<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
            f"{q}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        ),
        "mistral": lambda q: f"<s>[INST] {q} [/INST]",
        "gemma": lambda q: f"<bos><start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n",
        "deepseek": lambda q: f"<｜begin▁of▁sentence｜><｜User｜>{q}<｜Assistant｜><think>\n",
        "r1-zero": lambda q: (
            "A conversation between User and Assistant. The user asks a question, and the "
            f"Assistant solves it.\nUser: {q}\nAssistant: <think>"
        ),
        "chat list": lambda q: [
            {"role": "system", "content": "Think."},
            {"role": "user", "content": q},
        ],
        "white space": lambda q: "  " + q.replace(" ", "  ") + "\n",
    }
    found = {}
    for name, template in templates.items():
        rows = [
            {"prompt": template(p.question), "response": d.text, "gold": p.gold} for p, _, d in RL
        ]
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run = import_rollouts([file], tmp_path / f"run {name}")
        found[name] = run.problems()["problem_id"].to_pylist()
    plain = found["plain"]
    assert len(set(plain)) == len(PROBLEMS)
    assert {name: ids == plain for name, ids in found.items()} == dict.fromkeys(found, True)

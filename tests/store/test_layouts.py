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
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report import CompareOptions, compare_runs
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
            # Ids of programs are spelled as the tasks of programs spell them: humaneval/7.
            stated = row["problem_id"].lower()
            number = next((k for k, v in case.ids.items() if stated.endswith(v.lower())), None)
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
    if isinstance(expected, re.Pattern):
        return expected.fullmatch(found) is not None
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


@pytest.mark.slow
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
    sizes = {k: len(v) for k, v in (case.texts or case.verdicts or {}).items()}
    assert {k: len(v) for k, v in rows.items()} == sizes
    assert wrong == {}
    if case.finish:
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


def check_regions(overall: dict[str, Any]) -> None:
    """The regions of a comparison of the study's two models."""
    base, rl = ({k for k, n in study.counts.items() if n} for study in (BASE, RL))
    expected = (len(PROBLEMS), len(base & rl), len(base - rl), len(rl - base))
    assert tuple(overall[k] for k in ("problems", "preserved", "shrunk", "expanded")) == expected


def built(name: str, home: Path, study: Study) -> Case:
    home.mkdir(parents=True)
    return LAYOUTS[name](home, study)


@pytest.mark.slow
def test_the_command_compare_takes_files_of_two_tools(tmp_path: Path) -> None:
    from rlvr_fast.cli import app

    base = built("lm_eval_repeats", tmp_path / "files" / "base", BASE)
    rl = built("verl_validation", tmp_path / "files" / "rl", RL)
    words = ["compare", base.sources[0], rl.sources[0], "--out", tmp_path / "report", "--quiet"]
    app([str(word) for word in words], standalone_mode=False)
    check_regions(json.loads((tmp_path / "report" / "summary.json").read_text())["overall"])
    assert Run.open(tmp_path / "report" / "base").num_samples().tolist() == [4] * 4


@pytest.mark.slow
def test_the_command_compare_takes_a_run_and_a_folder(tmp_path: Path) -> None:
    from rlvr_fast.cli import app

    run = imported(built("opencompass_replicas", tmp_path / "base", BASE), tmp_path / "graded")
    grade_run(run)
    rl = built("nemo_skills_seeds", tmp_path / "rl", RL)
    words = ["compare", run.path, rl.sources[0], "--out", tmp_path / "report", "--quiet"]
    app([str(word) for word in words], standalone_mode=False)
    check_regions(json.loads((tmp_path / "report" / "summary.json").read_text())["overall"])


# Base, RL, what has to be allowed by name, whose verdicts.
PAIRS: list[tuple[str, str, tuple[str, ...], str]] = [
    ("lm_eval_repeats", "verl_validation", (), "ours"),
    # Drawn at temperature 0.6 and 0.7.
    ("limit_of_rlvr_tree", "inspect_eval_zstd", ("sampling",), "ours"),
    ("nemo_skills_seeds", "served_prompt_list_content_and_reasoning", (), "ours"),
    ("qwen_math_without_finish_reasons", "skyrl_eval_dump", (), "ours"),
    ("lighteval_details", "verl_generation_parquet", (), "ours"),
    ("evalchemy_results", "nemo_rl_run_eval", (), "ours"),
    ("large_language_monkeys", "slime_debug_rollouts", (), "ours"),
    ("openr1_math", "roll_rollout_dump", (), "ours"),
    ("lm_eval_two_tasks", "verl_v1_uid", (), "ours"),
    ("plain_jsonl", "csv_with_newlines", (), "ours"),
    ("ids_of_three_spellings", "prompt_copied_in_front", (), "ours"),
    ("opencompass_lists", "verifiers_traces", (), "ours"),
    # Without golds, by verdicts of two rewards.
    ("trl_completions", "openrlhf_batch_inference", ("verifiers",), "imported"),
    ("areal_eval_rollouts", "roll_logging_board", ("verifiers",), "imported"),
    ("nemo_rl_validation", "verl_without_golds", ("verifiers",), "imported"),
]


@pytest.mark.parametrize(("base", "rl", "allow", "verdicts"), PAIRS)
def test_runs_of_two_layouts_pose_the_same_problems(
    base: str, rl: str, allow: tuple[Any, ...], verdicts: Any, tmp_path: Path
) -> None:
    runs = []
    for name, study in ((base, BASE), (rl, RL)):
        case = built(name, tmp_path / study.model, study)
        runs.append(imported(case, tmp_path / f"{study.model} run"))
        grade_run(runs[-1], GradeOptions(verdicts=verdicts))
    shift = compare_runs(*runs, CompareOptions(allow=allow)).shift
    check_regions({k: getattr(shift, k) for k in ("problems", "preserved", "shrunk", "expanded")})


def test_ids_that_number_the_problems_in_two_orders(tmp_path: Path) -> None:
    """Two files number their problems from 0, in another order: one id is not one problem."""
    runs = []
    for study, problems in ((BASE, PROBLEMS), (RL, PROBLEMS[::-1])):
        rows = [
            {"id": n, "question": p.question, "response": d.text, "ground_truth": p.gold}
            for n, p in enumerate(problems)
            for d in study.draws(p)
        ]
        file = tmp_path / f"{study.model}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        runs.append(import_rollouts([file], tmp_path / study.model))
        grade_run(runs[-1])
    try:
        shift = compare_runs(*runs, CompareOptions()).shift
    except InvalidInputError as error:
        said = str(error)
        assert "problem" in said
    else:
        keys = ("problems", "preserved", "shrunk", "expanded")
        check_regions({key: getattr(shift, key) for key in keys})


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

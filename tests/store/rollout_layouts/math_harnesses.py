"""Layouts of harnesses: OpenCompass, evalchemy, Qwen2.5-Math, NeMo-Skills and others."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rollout_layouts.study import (
    BOXED,
    PROBLEMS,
    Case,
    Draw,
    Problem,
    Study,
    case,
    layout,
    write_jsonl,
)
from rollout_layouts.trainers import tokens_of

__all__: list[str] = []

STAMP = "2026-08-21T10-00-00.000001"


@layout
def opencompass_lists(folder: Path, study: Study) -> Case:
    value = {
        str(number): {
            "origin_prompt": [{"role": "HUMAN", "prompt": f"{p.question}\n{BOXED}"}],
            "prediction": [d.text for d in study.draws(p)],
            "gold": p.gold,
        }
        for number, p in enumerate(PROBLEMS)
    }
    file = folder / "predictions" / "tiny" / "math.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(value, indent=4, ensure_ascii=False))
    return case(study, file, finish="unknown", verdicts=None)


@layout
def opencompass_replicas(folder: Path, study: Study) -> Case:
    # With n replicas the data set is repeated as a whole.
    rows = [(p, study.draws(p)[n]) for n in range(4) for p in PROBLEMS]
    value = {
        str(number): {"origin_prompt": p.question, "prediction": d.text, "gold": p.gold}
        for number, (p, d) in enumerate(rows)
    }
    file = folder / "math.json"
    file.write_text(json.dumps(value, indent=4, ensure_ascii=False))
    return case(study, file, finish="unknown", verdicts=None)


@layout
def evalchemy_results(folder: Path, study: Study) -> Case:
    examples = [
        {
            "id": p.id,
            "problem": p.question,
            "reference_solution": f"So it is {p.gold}.",
            "expected_answer": p.gold,
            "model_outputs": [d.text for d in study.draws(p)],
            "model_answers": [d.answer or "" for d in study.draws(p)],
        }
        for p in PROBLEMS
    ]
    results = {"AIME24": {"examples": examples, "accuracy_avg": 0.4, "num_repeat": 4}}
    value = {
        "results": results,
        "config": {"model": "vllm", "model_args": "pretrained=org/tiny"},
        "model_name": "org/tiny",
    }
    file = folder / "org__tiny" / f"results_{STAMP}.json"
    file.parent.mkdir()
    file.write_text(json.dumps(value, indent=2))
    return case(
        study, file, finish="unknown", verdicts=None, ids={p.id: str(p.id) for p in PROBLEMS}
    )


def qwen_math_row(p: Problem, number: int, draws: list[Draw]) -> dict[str, Any]:
    return {
        "idx": number,
        "question": p.question,
        "gt_cot": f"It is ${p.gold}$.",
        "gt": p.gold,
        "level": "Level 3",
        "solution": f"It is $\\boxed{{{p.gold}}}$.",
        "answer": p.gold,
        "code": [d.text for d in draws],
        "pred": [d.answer or "" for d in draws],
        "report": [None] * len(draws),
        "finish_reason": [d.finish for d in draws],
        "score": [d.right for d in draws],
    }


@layout
def limit_of_rlvr_tree(folder: Path, study: Study) -> Case:
    # Seeds 1, 2, 10 in natural order: draws 0 and 1, draw 2, draw 3.
    for seed, chosen in ((10, [3]), (1, [0, 1]), (2, [2])):
        rows = [
            qwen_math_row(p, number, [study.draws(p)[n] for n in chosen])
            for number, p in enumerate(PROBLEMS)
        ]
        home = folder / f"tiny_math500_temp0.6_n2_seed{seed}" / "eval_results" / "global_step_0"
        name = f"test_qwen-boxed_-1_seed{seed}_t0.6_s0_e-1.jsonl"
        write_jsonl(home / "math500" / name, rows)
        metrics = name.replace(".jsonl", "_qwen-boxed_metrics.json")
        (home / "math500" / metrics).write_text('{"num_samples": 4, "acc": 50.0}')
    return case(study, folder, sampling={"temperature": 0.6})


@layout
def limit_of_rlvr_glob(folder: Path, study: Study) -> Case:
    for seed, n in ((1, 0), (2, 1), (10, 2), (11, 3)):
        rows = [qwen_math_row(p, number, [study.draws(p)[n]]) for number, p in enumerate(PROBLEMS)]
        write_jsonl(folder / f"test_qwen-boxed_-1_seed{seed}_t1.0_s0_e-1.jsonl", rows)
    return case(study, str(folder / "test_qwen-boxed_-1_seed*_t1.0_s0_e-1.jsonl"))


@layout
def qwen_math_without_finish_reasons(folder: Path, study: Study) -> Case:
    rows = []
    for number, p in enumerate(PROBLEMS):
        row = qwen_math_row(p, number, study.draws(p))
        del row["finish_reason"]
        rows.append(row)
    file = write_jsonl(folder / "test_cot_-1_seed0_t0.6_s0_e-1.jsonl", rows)
    return case(study, file, finish="unknown")


@layout
def qwen_math_null_finish_reasons(folder: Path, study: Study) -> Case:
    rows = []
    for number, p in enumerate(PROBLEMS):
        row = qwen_math_row(p, number, study.draws(p))
        rows.append({**row, "finish_reason": [None, "stop", "length", "abort"]})
    file = write_jsonl(folder / "test_cot_-1_seed0_t0.6_s0_e-1.jsonl", rows)
    draws = {p.id: study.draws(p)[:3] for p in PROBLEMS}
    return case(
        study,
        file,
        texts={k: [d.text for d in v] for k, v in draws.items()},
        verdicts={k: [d.right for d in v] for k, v in draws.items()},
        finish={k: ["unknown", "stop", "length"] for k in draws},
        counts={k: sum(d.right for d in v) for k, v in draws.items()},
        left_out=4,
    )


def skills_row(p: Problem, d: Draw, **more: Any) -> dict[str, Any]:
    return {
        "id": f"aime25-{p.id}",
        "problem": p.question,
        "expected_answer": p.gold,
        "reference_solution": "none",
        "num_generated_tokens": len(tokens_of(d.text)),
        "finish_reason": d.finish,
        "generation": d.text,
        "generation_start_time": 1.0,
        "generation_end_time": 2.0,
        "generation_time": 1.0,
        "predicted_answer": d.answer,
        "symbolic_correct": d.right,
        **more,
    }


def _skills(folder: Path, study: Study, more: Any, seeds: tuple[int, ...] = (0, 1, 2, 10)) -> Path:
    home = folder / "eval-results" / "aime25"
    for n, seed in enumerate(seeds):
        rows = [skills_row(p, study.draws(p)[n], **more(study.draws(p)[n])) for p in PROBLEMS]
        write_jsonl(home / f"output-rs{seed}.jsonl", rows)
        (home / f"output-rs{seed}.jsonl.done").write_text("")
    (home / "metrics.json").write_text('{"aime25": {"pass@1": {"symbolic_correct": 40.0}}}')
    return home


@layout
def nemo_skills_seeds(folder: Path, study: Study) -> Case:
    home = _skills(folder, study, lambda d: {})
    return case(
        study,
        home,
        ids={p.id: f"aime25-{p.id}" for p in PROBLEMS},
        indices={p.id: [0, 1, 2, 10] for p in PROBLEMS},
    )


@layout
def nemo_skills_glob_with_parsed_reasoning(folder: Path, study: Study) -> Case:
    def more(d: Draw) -> dict[str, Any]:
        closed = d.finish == "stop"
        whole = f"{d.thinking}\n</think>\n\n{d.text}" if closed else d.thinking
        return {
            "_full_generation": whole,
            "_generation_finished_thinking": closed,
            "generation": d.text if closed else "",
        }

    home = _skills(folder, study, more)
    texts = {p.id: [more(d)["_full_generation"] for d in study.draws(p)] for p in PROBLEMS}
    return case(study, str(home / "output-rs*.jsonl"), texts=texts)


@layout
def nemo_skills_reasoning_content(folder: Path, study: Study) -> Case:
    home = _skills(folder, study, lambda d: {"reasoning_content": d.thinking})
    pairs = {p.id: [(d.thinking, d.text) for d in study.draws(p)] for p in PROBLEMS}
    return case(study, home, texts=pairs)


@layout
def large_language_monkeys(folder: Path, study: Study) -> Case:
    import yaml

    for p in PROBLEMS:
        value = {
            "prompt": f"Question: 1+1?\nAnswer: 2\n\nQuestion: {p.question}\nAnswer:",
            "question": p.question,
            "samples": [d.text for d in study.draws(p)],
            "gt_answer": f"We work it out.\n#### {p.gold}",
            "is_corrects": [d.right for d in study.draws(p)],
        }
        (folder / f"{p.id}.yaml").write_text(yaml.dump(value, sort_keys=True), "utf-8")
    return case(study, folder, finish="unknown", golds={})


@functools.cache
def gym_entries() -> list[dict[str, Any]]:
    import reasoning_gym

    data = reasoning_gym.create_dataset("chain_sum", size=4, seed=11)
    return [dict(data[n]) for n in range(4)]


@layout
def reasoning_gym_results(folder: Path, study: Study) -> Case:
    rows, texts, questions = [], {}, {}
    for number, p in enumerate(PROBLEMS):
        entry = gym_entries()[number]
        answers = [entry["answer"] if d.right else "-1" for d in study.draws(p)]
        responses = [f"Sum {n}.\n<answer>{a}</answer>" for n, a in enumerate(answers)]
        texts[p.id], questions[p.id] = responses, entry["question"]
        rows.append(
            {
                "question": entry["question"],
                "expected_answer": entry["answer"],
                "best_model_answer": answers[0],
                "best_full_model_response": responses[0],
                "best_score": 1.0,
                "mean_score": study.counts[p.id] / 4,
                "completions": [
                    {"model_answer": a, "full_model_response": r, "score": float(d.right)}
                    for a, r, d in zip(answers, responses, study.draws(p), strict=True)
                ],
            }
        )
    dataset = {
        "name": "chain_sum",
        "category": "arithmetic",
        "average_best_score": 0.5,
        "total_examples": 4,
        "config": {"size": 4, "seed": 11},
        "system_prompt": "Answer in tags.",
        "completions_per_prompt": 4,
        "results": rows,
    }
    value = {
        "metadata": {"model": "org/tiny", "provider": "x", "temperature": 0.6, "top_p": 0.95},
        "categories": [{"name": "arithmetic", "datasets": [dataset]}],
    }
    (folder / "results.json").write_text(json.dumps(value, indent=2))
    return case(
        study,
        folder / "results.json",
        finish="unknown",
        texts=texts,
        questions=questions,
        golds={},
        model="org/tiny",
        sampling={"temperature": 0.6, "top_p": 0.95},
    )


@layout
def monkey_business_parquet(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "samples": [d.text for d in study.draws(p)],
            "is_corrects": [d.right for d in study.draws(p)],
            "gt_answer": f"We work it out.\n#### {p.gold}",
            "orig_dset_split": "test",
            "orig_dset_idx": p.id,
        }
        for p in PROBLEMS
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "GSM8K_tiny.parquet")
    return case(study, folder / "GSM8K_tiny.parquet", finish="unknown", golds={})


@layout
def nemo_skills_judged_programs(folder: Path, study: Study) -> Case:
    home = _skills(folder, study, lambda d: {"is_correct": d.right, "symbolic_correct": None})
    return case(study, home)

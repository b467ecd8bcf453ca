"""Layouts of harnesses: lm-eval, lighteval, inspect, OpenCompass, evalchemy, Qwen2.5-Math, ..."""

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
    qwen,
    write_jsonl,
)
from rollout_layouts.trainers import tokens_of
from rollout_layouts.zips import write_zip

__all__: list[str] = []

STAMP = "2026-08-21T10-00-00.000001"


def lm_eval_row(p: Problem, number: int, draws: list[Draw], name: str) -> dict[str, Any]:
    last_box = name == "flexible-extract"
    found = [d.answer if d.answer and last_box else "[invalid]" for d in draws]
    return {
        "doc_id": number,
        "doc": {"id": p.id, "problem": p.question, "answer": p.gold},
        "target": p.gold,
        "arguments": {
            "gen_args_0": {
                "arg_0": f"Problem: {p.question}\nAnswer:",
                "arg_1": {
                    "until": ["Problem:"],
                    "temperature": 0.6,
                    "top_p": 0.9,
                    "do_sample": True,
                    "max_gen_toks": 256,
                },
            }
        },
        "resps": [[d.text for d in draws]],
        "filtered_resps": found if len(draws) > 1 else [found[0]],
        "filter": name,
        "metrics": ["exact_match"],
        "doc_hash": f"{number:064x}",
        "prompt_hash": f"{number + 9:064x}",
        "target_hash": f"{number + 99:064x}",
        "exact_match": float(draws[0].right and last_box),
    }


def lm_eval_folder(folder: Path, study: Study, filters: tuple[str, ...], draws: int = 4) -> Path:
    home = folder / "org__tiny"
    rows = [
        lm_eval_row(p, number, study.draws(p)[:draws], name)
        for name in filters
        for number, p in enumerate(PROBLEMS)
    ]
    write_jsonl(home / f"samples_minerva_math_{STAMP}.jsonl", rows)
    results = {
        "results": {"minerva_math": {"exact_match,none": 0.5}},
        "config": {
            "model": "vllm",
            "model_args": {"pretrained": "org/tiny", "dtype": "auto"},
            "gen_kwargs": {"temperature": 0.6},
        },
        "model_name": "org/tiny",
        "model_source": "vllm",
        "chat_template": None,
    }
    (home / f"results_{STAMP}.json").write_text(json.dumps(results, indent=2))
    return home


@layout
def lm_eval_repeats(folder: Path, study: Study) -> Case:
    home = lm_eval_folder(folder, study, ("none",))
    # The metric judges the first repeat alone: no verdict of four draws.
    return case(
        study,
        home,
        finish="unknown",
        verdicts={},
        model="org/tiny",
        sampling={"temperature": 0.6, "top_p": 0.9},
    )


@layout
def lm_eval_two_filters(folder: Path, study: Study) -> Case:
    home = lm_eval_folder(folder, study, ("strict-match", "flexible-extract"))
    return case(study, home, finish="unknown", verdicts={}, left_out=None)


def _firsts(study: Study, **changes: Any) -> dict[str, Any]:
    """What is expected where each problem has its first draw alone."""
    draws = {p.id: study.draws(p)[:1] for p in PROBLEMS}
    return {
        "texts": {k: [v[0].text] for k, v in draws.items()},
        "finish": {k: ["unknown"] for k in draws},
        "verdicts": {k: [v[0].right] for k, v in draws.items()},
        "counts": {k: int(v[0].right) for k, v in draws.items()},
        **changes,
    }


@layout
def lm_eval_one_draw_file_alone(folder: Path, study: Study) -> Case:
    home = lm_eval_folder(folder, study, ("flexible-extract",), draws=1)
    file = home / f"samples_minerva_math_{STAMP}.jsonl"
    return case(study, file, **_firsts(study))


@layout
def lm_eval_two_tasks(folder: Path, study: Study) -> Case:
    # doc_id is unique within a task only.
    for task, chosen in (("algebra", PROBLEMS[:2]), ("counting", PROBLEMS[2:])):
        rows = [lm_eval_row(p, number, study.draws(p), "none") for number, p in enumerate(chosen)]
        write_jsonl(folder / "m" / f"samples_{task}_{STAMP}.jsonl", rows)
    return case(study, folder / "m", finish="unknown", verdicts={})


@layout
def lighteval_details(folder: Path, study: Study) -> Case:
    rows = [
        {
            "doc": {
                "query": f"Solve the problem. {BOXED}\n\n{p.question}",
                "choices": [p.gold],
                "gold_index": 0,
                "instruction": None,
                "specific": None,
                "id": str(number),
                "task_name": "math_500",
                "num_samples": 4,
                "generation_size": 2048,
                "stop_sequences": [],
                "original_query": p.question,
            },
            "metric": {"pass@k:k=1&n=4": study.counts[p.id] / 4},
            "model_response": {
                "input": qwen(p.question),
                "input_tokens": tokens_of(p.question),
                "text": [d.text for d in study.draws(p)],
                "output_tokens": [tokens_of(d.text) for d in study.draws(p)],
                "text_post_processed": None,
                "reasonings": [None] * 4,
                "logprobs": [],
            },
        }
        for number, p in enumerate(PROBLEMS)
    ]
    file = folder / "details" / "org" / "tiny" / STAMP / f"details_math_500_{STAMP}.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), file)
    results = folder / "results" / "org" / "tiny" / f"results_{STAMP}.json"
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps({"config_general": {"model_name": "org/tiny"}}))
    token_ids = {p.id: [tokens_of(d.text) for d in study.draws(p)] for p in PROBLEMS}
    return case(
        study, file.parent, finish="unknown", verdicts=None, token_ids=token_ids, questions={}
    )


HEADER = {
    "version": 2,
    "status": "success",
    "eval": {
        "eval_id": "e",
        "task": "math",
        "model": "vllm/org/tiny",
        "model_generate_config": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 512},
        "config": {"epochs": 4},
        "dataset": {"name": "math", "samples": 4},
    },
    "plan": {"name": "plan", "steps": []},
    "results": {"total_samples": 16, "completed_samples": 16},
}
STOPS = {"stop": "stop", "length": "max_tokens"}


def inspect_sample(p: Problem, n: int, d: Draw, *, parts: bool = False) -> dict[str, Any]:
    content: Any = d.text
    if parts:
        content = [
            {"type": "reasoning", "reasoning": d.thinking, "redacted": False},
            {"type": "text", "text": d.text},
        ]
    message = {"id": "a", "content": content, "source": "generate", "role": "assistant"}
    return {
        "id": p.id,
        "epoch": n + 1,
        "input": p.question,
        "target": p.gold,
        "messages": [{"role": "user", "content": f"{p.question}\n{BOXED}"}, message],
        "output": {
            "model": "org/tiny",
            "choices": [{"message": message, "stop_reason": STOPS[d.finish]}],
            "completion": d.text,
            "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        },
        "scores": {"match": {"value": "C" if d.right else "I", "answer": d.answer or ""}},
        "metadata": {"level": 5},
        "store": {},
        "events": [],
        "attachments": {},
        "uuid": f"u{p.id}{n}",
    }


def inspect_members(samples: list[dict[str, Any]]) -> list[tuple[str, bytes]]:
    def data(value: Any) -> bytes:
        return json.dumps(value).encode()

    named = [(f"samples/{s['id']}_epoch_{s['epoch']}.json", data(s)) for s in samples]
    return [
        ("_journal/start.json", data({"version": 2, "eval": HEADER["eval"]})),
        *named,
        ("_journal/summaries/1.json", data([{"id": s["id"]} for s in samples])),
        ("summaries.json", data([{"id": s["id"], "epoch": s["epoch"]} for s in samples])),
        ("reductions.json", data([{"scorer": "match", "samples": []}])),
        ("header.json", data(HEADER)),
    ]


def inspect_case(study: Study, source: Path, **changes: Any) -> Case:
    return case(
        study,
        source,
        **{
            "ids": {p.id: str(p.id) for p in PROBLEMS},
            "indices": {p.id: [0, 1, 2, 3] for p in PROBLEMS},
            "model": "vllm/org/tiny",
            "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 512},
            **changes,
        },
    )


def inspect_samples(study: Study, **options: Any) -> list[dict[str, Any]]:
    made = [inspect_sample(p, n, d, **options) for p, n, d in study]
    return sorted(made, key=lambda s: (s["epoch"], str(s["id"])))


@layout
def inspect_eval_zstd(folder: Path, study: Study) -> Case:
    file = folder / "2026-08-22T00-00-00_math_abc.eval"
    return inspect_case(study, write_zip(file, inspect_members(inspect_samples(study))))


@layout
def inspect_eval_deflate(folder: Path, study: Study) -> Case:
    file = folder / "2025-01-22T00-00-00_math_abc.eval"
    return inspect_case(study, write_zip(file, inspect_members(inspect_samples(study)), 8))


@layout
def inspect_eval_member_twice(folder: Path, study: Study) -> Case:
    samples = inspect_samples(study)
    retried = {**samples[3], "output": {**samples[3]["output"], "completion": "", "choices": []}}
    members = inspect_members(samples)
    name = f"samples/{retried['id']}_epoch_{retried['epoch']}.json"
    # The last member of a name is the sample.
    members.insert(0, (name, json.dumps({**retried, "error": {"message": "x"}}).encode()))
    file = write_zip(folder / "a.eval", members)
    return inspect_case(study, file, left_out=None)


@layout
def inspect_eval_reasoning_and_attachments(folder: Path, study: Study) -> Case:
    samples = []
    for sample in inspect_samples(study, parts=True):
        thinking = sample["output"]["choices"][0]["message"]["content"][0]
        name = f"{sample['id']:032x}"
        sample["attachments"] = {name: thinking["reasoning"], "0" * 32: sample["input"]}
        thinking["reasoning"] = f"attachment://{name}"
        sample["input"] = f"attachment://{'0' * 32}"
        samples.append(sample)
    file = write_zip(folder / "a.eval", inspect_members(samples))
    pairs = {p.id: [(d.thinking, d.text) for d in study.draws(p)] for p in PROBLEMS}
    return inspect_case(study, file, texts=pairs)


@layout
def inspect_eval_chat_input_and_failed_sample(folder: Path, study: Study) -> Case:
    samples = inspect_samples(study)
    for sample in samples:
        sample["input"] = [
            {"role": "system", "content": "Think."},
            {"role": "user", "content": sample["input"]},
        ]
        sample["target"] = [sample["target"]]
    failed = {**samples[0], "epoch": 5, "error": {"message": "timeout", "traceback": ""}}
    failed["output"] = {"model": "org/tiny", "choices": [], "completion": ""}
    file = write_zip(folder / "a.eval", inspect_members([*samples, failed]))
    return inspect_case(study, file, left_out=1)


@layout
def inspect_json_log(folder: Path, study: Study) -> Case:
    file = folder / "2026-08-22T00-00-00_math_abc.json"
    file.write_text(json.dumps({**HEADER, "samples": inspect_samples(study)}, indent=2))
    return inspect_case(study, file)


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

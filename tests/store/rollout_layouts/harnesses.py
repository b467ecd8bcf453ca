"""Layouts of harnesses: lm-eval, lighteval, inspect."""

from __future__ import annotations

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
def inspect_eval_chunked_samples(folder: Path, study: Study) -> Case:
    # Newer logs: a folder a sample, its messages and attachments in parts.
    members: list[tuple[str, bytes]] = []
    for sample in inspect_samples(study):
        home = f"samples/{sample['id']}_epoch_{sample['epoch']}"
        messages = sample.pop("messages")
        text = sample["output"]["completion"]
        # Attachments are a list of texts, named by their place in it.
        sample["output"]["choices"][0]["message"] |= {"content": "attachment://1"}
        sample["output"]["completion"] = "attachment://1"
        sample["message_refs"] = [[0, 2]]
        members += [
            (f"{home}/sample.json", json.dumps(sample).encode()),
            (f"{home}/skeleton.json", b"{}"),
            (f"{home}/messages/0.json", json.dumps(messages).encode()),
            (f"{home}/events/0.json", b"[]"),
            (f"{home}/attachments/0.json", json.dumps(["another text"]).encode()),
            (f"{home}/attachments/1.json", json.dumps([text]).encode()),
        ]
    members.append(("header.json", json.dumps(HEADER).encode()))
    return inspect_case(study, write_zip(folder / "a.eval", members))

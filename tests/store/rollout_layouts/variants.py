"""Variants of layouts: older versions, other writers, folders that hold the same draws twice."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rollout_layouts.files import plain_rows, stated, text_of
from rollout_layouts.harnesses import STAMP, lm_eval_row
from rollout_layouts.math_harnesses import qwen_math_row, skills_row
from rollout_layouts.study import BOXED, PROBLEMS, Case, Study, case, layout, write_jsonl
from rollout_layouts.trainers import verl_rows

__all__: list[str] = []


@layout
def verl_golds_as_json_text(folder: Path, study: Study) -> Case:
    rows = [{**row, "gts": json.dumps([row["gts"]])} for row in verl_rows(study)]
    return case(study, write_jsonl(folder / "40.jsonl", rows), finish="unknown", golds={})


@layout
def lm_eval_arguments_of_2024(folder: Path, study: Study) -> Case:
    # Before 2025 `arguments` was a list of lists, and a file held one draw of each problem.
    rows = []
    for number, p in enumerate(PROBLEMS):
        row = lm_eval_row(p, number, study.draws(p)[:1], "flexible-extract")
        prompt, options = row["arguments"]["gen_args_0"].values()
        rows.append({**row, "arguments": [[prompt, options]]})
        del rows[-1]["metrics"]
    file = write_jsonl(folder / f"samples_minerva_math_{STAMP}.jsonl", rows)
    draws = {p.id: study.draws(p)[:1] for p in PROBLEMS}
    return case(
        study,
        file,
        texts={k: [v[0].text] for k, v in draws.items()},
        finish={k: ["unknown"] for k in draws},
        verdicts={},
        counts={k: int(v[0].right) for k, v in draws.items()},
    )


@layout
def prime_rl_eval_rollouts_before_traces(folder: Path, study: Study) -> Case:
    rows = [
        {
            "example_id": number,
            "prompt": [{"role": "user", "content": p.question}],
            "completion": [{"role": "assistant", "content": d.text, "tool_calls": None}],
            "answer": p.gold,
            "reward": float(d.right),
            "task": "math",
            "error": None,
            "is_completed": True,
            "is_truncated": d.finish == "length",
            "stop_condition": "done",
            "metrics": {"correct": float(d.right)},
            "correct": float(d.right),
        }
        for number, p in enumerate(PROBLEMS)
        for d in study.draws(p)
    ]
    file = write_jsonl(folder / "rollouts" / "step_100" / "eval_rollouts.jsonl", rows)
    return case(study, file)


@layout
def verifiers_data_set_of_the_hub(folder: Path, study: Study) -> Case:
    rows = [
        {
            "example_id": number,
            "prompt": [
                {"role": "system", "content": BOXED},
                {"role": "user", "content": p.question},
            ],
            "completion": [{"role": "assistant", "content": d.text}],
            "task": "math",
            "answer": p.gold,
            "reward": float(d.right),
            "generation_ms": 1.0,
            "info": "{}",
        }
        for number, p in enumerate(PROBLEMS)
        for d in study.draws(p)
    ]
    home = folder / "data"
    home.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), home / "train-00000-of-00001.parquet")
    return case(study, folder, finish="unknown")


@layout
def nemo_skills_chunks_and_unfinished_files(folder: Path, study: Study) -> Case:
    home = folder / "aime25"
    for n in range(4):
        rows = [skills_row(p, study.draws(p)[n]) for p in PROBLEMS]
        write_jsonl(home / f"output-rs{n}_chunk_0.jsonl", rows[:2])
        write_jsonl(home / f"output-rs{n}_chunk_1.jsonl", rows[2:])
    waiting = [{**skills_row(p, study.draws(p)[0]), "_async_position": 1} for p in PROBLEMS]
    write_jsonl(home / "output-rs4.jsonl-async", waiting[:1])
    return case(study, str(home / "output-rs*_chunk_*.jsonl"))


@layout
def opencompass_predictions_and_results(folder: Path, study: Study) -> Case:
    home = folder / "20260101_000000"
    predictions = {
        str(number): {
            "origin_prompt": [{"role": "HUMAN", "prompt": p.question}],
            "prediction": [d.text for d in study.draws(p)],
            "gold": p.gold,
        }
        for number, p in enumerate(PROBLEMS)
    }
    details = [{"pred": d.answer, "answer": p.gold, "correct": d.right} for p, _, d in study]
    for name, value in (
        ("predictions/tiny/math.json", predictions),
        ("results/tiny/math.json", {"accuracy": 43.75, "details": details}),
    ):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(json.dumps(value, indent=4))
    (home / "configs").mkdir()
    (home / "configs" / "a.py").write_text("models = []\n")
    (home / "summary").mkdir()
    (home / "summary" / "summary.csv").write_text("dataset,version,metric,tiny\nmath,a,b,1\n")
    return case(study, home, finish="unknown", verdicts={}, left_out=None)


@layout
def qwen_math_tree_of_two_benchmarks(folder: Path, study: Study) -> Case:
    # `idx` counts from 0 in each benchmark.
    for name, chosen in (("aime24", PROBLEMS[:2]), ("math500", PROBLEMS[2:])):
        rows = [qwen_math_row(p, number, study.draws(p)) for number, p in enumerate(chosen)]
        write_jsonl(folder / name / "test_qwen-boxed_-1_seed0_t0.6_s0_e-1.jsonl", rows)
    return case(study, folder)


@layout
def monkeys_of_the_readme(folder: Path, study: Study) -> Case:
    import yaml

    for p in PROBLEMS:
        value = {
            "prompt": f"Question: {p.question}\nAnswer:",
            "question": p.question,
            "samples": [d.text for d in study.draws(p)],
            "gt_answer": f"It is $\\boxed{{{p.gold}}}$.",
            "is_correct": [d.right for d in study.draws(p)],
        }
        (folder / f"{p.id}.yaml").write_text(yaml.dump(value, allow_unicode=True), "utf-8")
    return case(study, folder, finish="unknown", golds={})


@layout
def human_eval_samples_beside_results(folder: Path, study: Study) -> Case:
    samples = [{"task_id": f"HumanEval/{p.id}", "completion": d.text} for p, _, d in study]
    results = [
        {**row, "result": "passed" if d.right else "timed out", "passed": d.right}
        for row, (_, _, d) in zip(samples, study, strict=True)
    ]
    write_jsonl(folder / "samples.jsonl", samples)
    write_jsonl(folder / "samples.jsonl_results.jsonl", results)
    return case(
        study,
        folder,
        texts={},
        finish={},
        golds=None,
        questions={},
        ids={p.id: f"HumanEval/{p.id}" for p in PROBLEMS},
        left_out=None,
    )


@layout
def openthoughts_metadata(folder: Path, study: Study) -> Case:
    rows = [
        {
            "problem": p.question,
            "deepseek_reasoning": study.draws(p)[0].thinking,
            "deepseek_solution": study.draws(p)[0].text,
            "ground_truth_solution": f"It is \\boxed{{{p.gold}}}.",
            "domain": "math",
            "source": "numina",
            "test_cases": None,
            "starter_code": None,
        }
        for p in PROBLEMS
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    draws = {p.id: study.draws(p)[0] for p in PROBLEMS}
    return case(
        study,
        folder / "train.parquet",
        texts={k: [(d.thinking, d.text)] for k, d in draws.items()},
        finish={k: ["unknown"] for k in draws},
        golds={},
        verdicts=None,
        counts={k: int(d.right) for k, d in draws.items()},
    )


@layout
def columns_of_lists_in_json(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    (folder / "a.json").write_text(json.dumps(columns), "utf-8")
    return stated(study, folder / "a.json")


@layout
def object_of_problem_ids_to_lists(folder: Path, study: Study) -> Case:
    value = {
        str(p.id): {
            "question": p.question,
            "gold": p.gold,
            "responses": [d.text for d in study.draws(p)],
        }
        for p in PROBLEMS
    }
    (folder / "a.json").write_text(json.dumps(value, indent=1), "utf-8")
    return case(study, folder / "a.json", finish="unknown", verdicts=None)


@layout
def one_column_for_each_draw(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "answer": p.gold,
            **{f"response_{n}": d.text for n, d in enumerate(study.draws(p))},
        }
        for p in PROBLEMS
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (folder / "a.csv").write_text(out.getvalue(), "utf-8", newline="")
    return case(study, folder / "a.csv", finish="unknown", verdicts=None)


@layout
def parquet_of_polars(folder: Path, study: Study) -> Case:
    import polars as pl

    pl.DataFrame(plain_rows(study)).write_parquet(folder / "a.parquet")
    return stated(study, folder / "a.parquet")


@layout
def parquet_of_string_views_and_categories(folder: Path, study: Study) -> Case:
    table = pa.Table.from_pylist(plain_rows(study))
    for name in ("response", "question"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(name).cast(pa.string_view()))
    with pa.ipc.new_file(str(folder / "a.feather"), table.schema) as writer:
        writer.write_table(table)
    return stated(study, folder / "a.feather")


@layout
def gzip_of_several_members(folder: Path, study: Study) -> Case:
    lines = text_of(study).encode().splitlines(keepends=True)
    data = gzip.compress(b"".join(lines[:7])) + gzip.compress(b"".join(lines[7:]))
    (folder / "a.jsonl.gz").write_bytes(data)
    return stated(study, folder / "a.jsonl.gz")


@layout
def glob_of_two_stars(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    for seed in range(4):
        own = [row for n, row in enumerate(rows) if n % 4 == seed]
        write_jsonl(folder / f"seed{seed}" / "deep" / "out.jsonl", own)
    return stated(study, str(folder / "**" / "out.jsonl"))


@layout
def csv_of_long_fields(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    long = 'lemma, "quoted"\n' * 20_000
    for row in rows:
        row["response"] = long + row["response"]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (folder / "a.csv").write_text(out.getvalue(), "utf-8", newline="")
    texts = {p.id: [long + d.text for d in study.draws(p)] for p in PROBLEMS}
    return stated(study, folder / "a.csv", texts=texts)


@layout
def empty_completions_are_draws(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    texts = {p.id: [d.text for d in study.draws(p)] for p in PROBLEMS}
    counts = study.counts
    for number in (1, 5, 15):
        p = PROBLEMS[number // 4]
        counts[p.id] -= rows[number]["correct"]
        rows[number]["response"] = texts[p.id][number % 4] = ""
        rows[number]["correct"] = False
    return stated(
        study, write_jsonl(folder / "a.jsonl", rows), texts=texts, verdicts={}, counts=counts
    )


@layout
def nulls_inside_lists_of_draws(folder: Path, study: Study) -> Case:
    rows = [
        {
            "problem": p.question,
            "gold": p.gold,
            "completions": [
                *[d.text for d in study.draws(p)[:2]],
                None,
                *[d.text for d in study.draws(p)[2:]],
            ],
        }
        for p in PROBLEMS
    ]
    file = write_jsonl(folder / "a.jsonl", rows)
    return case(study, file, finish="unknown", verdicts=None, left_out=4)


@layout
def characters_that_are_rare(folder: Path, study: Study) -> Case:
    rare = "\x00\x1b[31m\u202e\ufeff\U0001f600\ufffd​ "
    rows = [
        {**row, "response": rare + row["response"], "question": row["question"] + " \u202e?"}
        for row in plain_rows(study)
    ]
    file = folder / "a.jsonl"
    # Escaped, as json.dumps writes by default.
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "ascii")
    texts = {p.id: [rare + d.text for d in study.draws(p)] for p in PROBLEMS}
    return stated(study, file, texts=texts)


@layout
def draws_far_apart_and_first_rows_without_text(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    failed: list[dict[str, Any]] = [
        {**rows[n % 16], "response": None, "error": "APITimeoutError"} for n in range(150)
    ]
    mixed = [rows[4 * p + n] for n in range(4) for p in range(4)]
    return stated(study, write_jsonl(folder / "a.jsonl", [*failed, *mixed]), left_out=150)


@layout
def labels_of_other_words(folder: Path, study: Study) -> Case:
    rows = [
        {
            "instruction": p.question,
            "output": d.text,
            "label": p.gold,
            "is_correct": "True" if d.right else "False",
        }
        for p, _, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown")

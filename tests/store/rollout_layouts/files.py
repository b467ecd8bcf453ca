"""Plain rows in every container, and contents that trip readers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from rollout_layouts.study import PROBLEMS, Case, Study, case, layout, write_jsonl
from rollout_layouts.zips import write_zip

__all__ = ["plain_rows"]


def plain_rows(study: Study, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": p.id,
            "question": p.question,
            "answer": p.gold,
            "response": d.text,
            "correct": d.right,
            "finish_reason": d.finish,
            **more,
        }
        for p, _, d in study
    ]


def text_of(study: Study) -> str:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in plain_rows(study))


def stated(study: Study, *sources: Any, **changes: Any) -> Case:
    return case(study, *sources, **{"ids": {p.id: str(p.id) for p in PROBLEMS}, **changes})


@layout
def plain_jsonl(folder: Path, study: Study) -> Case:
    return stated(study, write_jsonl(folder / "rollouts.jsonl", plain_rows(study)))


@layout
def plain_draws_in_lists(folder: Path, study: Study) -> Case:
    rows = [
        {
            "problem": p.question,
            "ground_truth": p.gold,
            "completions": [d.text for d in study.draws(p)],
            "is_correct": [d.right for d in study.draws(p)],
            "finish_reasons": [d.finish for d in study.draws(p)],
        }
        for p in PROBLEMS
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows))


def _file(name: str, content: Callable[[str], bytes]) -> None:
    def build(folder: Path, study: Study) -> Case:
        (folder / name).write_bytes(content(text_of(study)))
        return stated(study, folder / name)

    build.__name__ = "plain_in_" + name.replace(".", "_")
    layout(build)


def _zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


_file("rollouts.jsonl.gz", lambda text: gzip.compress(text.encode()))
_file("rollouts.jsonl.zst", lambda text: _zst(text.encode()))
# The content decides, not the name.
_file("gzip_without_suffix.txt", lambda text: gzip.compress(text.encode()))
_file("bom_crlf.jsonl", lambda t: b"\xef\xbb\xbf" + t.replace("\n", "\r\n").encode())
_file("no_last_newline.ndjson", lambda t: t.rstrip("\n").encode())
_file("blank_lines.jsonl", lambda t: ("\n" + t.replace("\n", "\n\n")).encode())
_file("array.json", lambda t: f"[{','.join(t.splitlines())}]".encode())
_file(
    "pretty_array.json",
    lambda t: json.dumps([json.loads(r) for r in t.splitlines()], indent=4).encode(),
)
_file(
    "pretty_object.json",
    lambda t: json.dumps(
        {"info": 1, "rows": [json.loads(r) for r in t.splitlines()]}, indent=2
    ).encode(),
)
_file(
    "pretty_rows_one_after_another.json",
    lambda t: "\n".join(json.dumps(json.loads(r), indent=2) for r in t.splitlines()).encode(),
)


@layout
def line_separators_inside_texts(folder: Path, study: Study) -> Case:
    odd = "first\u2028second\u2029third\x85fourth\x0b\x0c "
    rows = [{**row, "response": odd + row["response"]} for row in plain_rows(study)]
    texts = {p.id: [odd + d.text for d in study.draws(p)] for p in PROBLEMS}
    return stated(study, write_jsonl(folder / "a.jsonl", rows), texts=texts)


@layout
def zip_of_jsonl_members(folder: Path, study: Study) -> Case:
    lines = text_of(study).encode().splitlines(keepends=True)
    members = [
        ("run/part10.jsonl", b"".join(lines[12:])),
        ("run/part2.jsonl", b"".join(lines[5:12])),
        ("run/part1.jsonl", b"".join(lines[:5])),
        ("run/config.json", b'{"model": "x"}'),
        ("__MACOSX/run/._part1.jsonl", b"\x00\x05\x16\x07"),
    ]
    return stated(study, write_zip(folder / "run.zip", members, 8))


@layout
def zip_with_names_that_leave_the_folder(folder: Path, study: Study) -> Case:
    data = text_of(study).encode()
    return stated(study, write_zip(folder / "a.zip", [("../../escaped.jsonl", data)], 8))


def _csv(study: Study, delimiter: str) -> str:
    out = io.StringIO()
    rows = plain_rows(study)
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@layout
def csv_with_newlines(folder: Path, study: Study) -> Case:
    (folder / "a.csv").write_text("\ufeff" + _csv(study, ","), "utf-8", newline="")
    return stated(study, folder / "a.csv")


@layout
def tsv_with_newlines(folder: Path, study: Study) -> Case:
    (folder / "a.tsv").write_text(_csv(study, "\t"), "utf-8", newline="")
    return stated(study, folder / "a.tsv")


@layout
def parquet_shards(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    home = folder / "data"
    home.mkdir()
    for number, (start, stop) in enumerate(((0, 3), (3, 10), (10, 16))):
        name = f"train-{number:05d}-of-00003.parquet"
        pq.write_table(pa.Table.from_pylist(rows[start:stop]), home / name)
    (home / "README.md").write_text("---\nlicense: mit\n---\n")
    (home / "dataset_info.json").write_text('{"features": {}}')
    return stated(study, home)


@layout
def parquet_of_pandas_with_dictionaries(folder: Path, study: Study) -> Case:
    table = pa.Table.from_pylist(plain_rows(study))
    for name in ("question", "answer", "finish_reason"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(name).dictionary_encode())
    table = table.append_column("__index_level_0__", pa.array(range(16)))
    pq.write_table(table, folder / "a.parquet", compression="zstd")
    return stated(study, folder / "a.parquet")


@layout
def arrow_file(folder: Path, study: Study) -> Case:
    feather.write_feather(pa.Table.from_pylist(plain_rows(study)), str(folder / "a.arrow"))
    return stated(study, folder / "a.arrow")


@layout
def arrow_stream_of_datasets(folder: Path, study: Study) -> Case:
    table = pa.Table.from_pylist(plain_rows(study))
    home = folder / "saved"
    home.mkdir()
    with pa.ipc.new_stream(str(home / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    (home / "dataset_info.json").write_text('{"features": {}}')
    (home / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    return stated(study, home)


@layout
def arrow_table_in_memory(folder: Path, study: Study) -> Case:
    return stated(study, pa.Table.from_pylist(plain_rows(study)))


@layout
def yaml_list(folder: Path, study: Study) -> Case:
    import yaml

    (folder / "a.yaml").write_text(yaml.safe_dump(plain_rows(study), allow_unicode=True), "utf-8")
    return stated(study, folder / "a.yaml")


@layout
def ids_of_three_spellings(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    for number, row in enumerate(rows):
        row["id"] = [row["id"], float(row["id"]), str(row["id"])][number % 3]
    return stated(study, write_jsonl(folder / "a.jsonl", rows))


@layout
def golds_of_many_forms(folder: Path, study: Study) -> Case:
    # A number, a list of one, a worked solution in reward_model, LaTeX in a nested object.
    golds = {7: 42, 12: [r"\frac{3}{8}"], 31: r"2\sqrt{3}", 108: 168.0}
    rows = [{**row, "answer": golds[row["id"]]} for row in plain_rows(study)]
    return stated(study, write_jsonl(folder / "a.jsonl", rows), golds={})


@layout
def golds_missing_for_a_problem(folder: Path, study: Study) -> Case:
    # Python writes NaN; pandas writes null.
    rows = plain_rows(study)
    for row in rows:
        del row["correct"]
        if row["id"] == 108:
            row["answer"] = float("nan")
        if row["id"] == 31:
            row["answer"] = None
    golds: dict[int, Any] = {7: "42", 12: r"\frac{3}{8}", 31: None, 108: None}
    counts = {k: v for k, v in study.counts.items() if k in (7, 12)}
    return stated(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        golds=golds,
        verdicts=None,
        counts=counts,
        left_out=None,
    )


@layout
def nested_golds_without_ids(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": [{"role": "user", "content": row["question"]}],
            "reward_model": {"ground_truth": row["answer"], "style": "rule"},
            "response": row["response"],
            "score": float(row["correct"]),
        }
        for row in plain_rows(study)
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown")


@layout
def last_row_cut_off(folder: Path, study: Study) -> Case:
    (folder / "a.jsonl").write_text(text_of(study) + '{"id": 7, "question": "What is 6', "utf-8")
    return stated(study, folder / "a.jsonl", left_out=1)


@layout
def rows_without_completion(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    rows.insert(4, {**rows[4], "response": None})
    rows.insert(9, {k: v for k, v in rows[0].items() if k != "response"})
    return stated(study, write_jsonl(folder / "a.jsonl", rows), left_out=2)


@layout
def finish_reasons_of_many_servers(folder: Path, study: Study) -> Case:
    words = {
        "stop": ("stop", "eos", "end_turn", "completed"),
        "length": ("max_tokens", "truncated"),
    }
    rows = plain_rows(study)
    for number, row in enumerate(rows):
        choice = words[row["finish_reason"]]
        row["finish_reason"] = choice[number % len(choice)]
    rows.append({**rows[0], "finish_reason": "content_filter"})
    rows.append({**rows[0], "finish_reason": "abort"})
    return stated(study, write_jsonl(folder / "a.jsonl", rows), left_out=2)


@layout
def special_tokens_and_a_next_turn(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    ends = (
        "<|im_end|>\n<|im_start|>user\nAnother: \\boxed{1}",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n\\boxed{2}",
        "</s>",
        "<|endoftext|>",
        "<｜end▁of▁sentence｜>",
        "<eos>",
        "<end_of_turn>",
        "",
    )
    for number, row in enumerate(rows):
        row["response"] += ends[number % len(ends)]
    return stated(study, write_jsonl(folder / "a.jsonl", rows), reported=["im_end", "eot_id"])


@layout
def prompt_copied_in_front(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": f"Q: {p.question}\nA:",
            "response": f"Q: {p.question}\nA:{d.text}",
            "gold": p.gold,
        }
        for p, _, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown", verdicts=None)


@layout
def completions_as_messages_and_parts(folder: Path, study: Study) -> Case:
    def form(number: int, text: str) -> Any:
        return [
            [{"role": "assistant", "content": text}],
            [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
        ][number % 2]

    rows = [
        {
            "prompt": [{"role": "user", "content": p.question}],
            "completion": form(n, d.text),
            "answer": p.gold,
        }
        for p, n, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown", verdicts=None)


@layout
def rewards_with_partial_credit(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "response": d.text,
            "reward": 1.0 if d.right else (0.5 if n % 2 else 0.0),
        }
        for p, n, d in study
    ]
    rewards = {
        p.id: [1.0 if d.right else (0.5 if n % 2 else 0.0) for n, d in enumerate(study.draws(p))]
        for p in PROBLEMS
    }
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        golds=None,
        finish="unknown",
        rewards=rewards,
    )


@layout
def fields_named_by_the_user(folder: Path, study: Study) -> Case:
    rows = [
        {
            "zeta": {"q": p.question, "key": f"k{p.id}"},
            "eta": [{"gen": d.text}],
            "theta": {"truth": [p.gold, "?"]},
        }
        for p, _, d in study
    ]
    fields = {
        "question": "zeta.q",
        "problem_id": "zeta.key",
        "completion": "eta[0].gen",
        "gold": "theta.truth[0]",
    }
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        options={"field": fields},
        finish="unknown",
        verdicts=None,
        ids={p.id: f"k{p.id}" for p in PROBLEMS},
    )


@layout
def golds_from_a_problem_file(folder: Path, study: Study) -> Case:
    rows = [
        {"prompt": f"<s>[INST] {r['question']}  [/INST]", "output": r["response"]}
        for r in plain_rows(study)
    ]
    problems = write_jsonl(
        folder / "gold.jsonl",
        [{"id": p.id, "problem": p.question, "answer": p.gold} for p in reversed(PROBLEMS)],
    )
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        options={"problems": f"math:{problems}"},
        finish="unknown",
        verdicts=None,
        left_out=None,
    )


@layout
def same_file_under_two_names(folder: Path, study: Study) -> Case:
    write_jsonl(folder / "runs" / "a.jsonl", plain_rows(study))
    write_jsonl(folder / "runs" / "copy of a.jsonl", plain_rows(study))
    # Draws that stand twice are no new draws: left out or refused, never counted twice.
    return stated(study, folder / "runs", left_out=None, reported=["again|repeat|same|duplicate"])

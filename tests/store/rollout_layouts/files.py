"""Plain rows in every container."""

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

__all__ = ["plain_rows", "stated", "text_of"]


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

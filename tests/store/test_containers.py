"""Every container of rollouts: told by content, read in batches, damage named by row."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import math
import os
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from zips import write_zip

from rlvr_fast.errors import InvalidInputError, StorageError
from rlvr_fast.store.readers import json_rows, streams
from rlvr_fast.store.readers.batch import Batch, Limits, column_at
from rlvr_fast.store.readers.containers import Container, UnknownContainerError, open_container
from rlvr_fast.store.readers.discovery import find_files
from rlvr_fast.store.readers.json_rows import split_values
from rlvr_fast.store.readers.json_values import json_value
from rlvr_fast.store.readers.reader import MISSING, SourceFile, value_at
from rlvr_fast.store.readers.streams import source_digest

ROWS = [
    {"id": 7, "question": "1 + 1?", "answers": ["2", "3\u2028\u0085"], "gold": {"value": "2"}},
    {"id": 8, "question": 'say "x, y"\n', "answers": ["\\boxed{4}"], "gold": {"value": "é"}},
    {"id": 9, "question": "", "answers": [], "gold": {"value": None}},
]


def opened(path: Path) -> Container:
    return open_container(SourceFile(str(path), path))


def read(path: Path, limits: Limits | None = None) -> tuple[str, list[Any]]:
    container = opened(path)
    batches = list(container.batches(limits))
    assert not [fault for batch in batches for fault in batch.faults]
    rows = [row for batch in batches for row in batch.rows()]
    numbers = [number for batch in batches for number in batch.numbers]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(rows) == sum(map(len, batches))
    sample = list(container.sample().rows)
    assert sample == rows[: len(sample)]
    assert sample or not rows
    return container.kind, rows


def faults(path: Path) -> tuple[list[Any], list[tuple[int, str]]]:
    batches = list(opened(path).batches())
    return (
        [row for batch in batches for row in batch.rows()],
        [fault for batch in batches for fault in batch.faults],
    )


def lines(rows: list[Any], **options: Any) -> bytes:
    return "".join(json.dumps(row, **options) + "\n" for row in rows).encode()


def open_files(expected: int = -1) -> int:
    """The number of open files; Arrow's threads may let go of one a moment later."""
    for _ in range(500):
        count = len(list(Path("/proc/self/fd").iterdir()))
        if expected < 0 or count <= expected:
            break
        gc.collect()
        time.sleep(0.01)
    return count


# -- by content ----------------------------------------------------------------------------------


def contents() -> dict[str, tuple[str, bytes]]:
    """Name -> (kind, bytes) of the same three rows."""
    table = pa.Table.from_pylist(ROWS)
    parquet, ipc, arrow, lz4 = (io.BytesIO() for _ in range(4))
    pq.write_table(table, parquet)
    with pa.ipc.new_file(ipc, table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_stream(arrow, table.schema) as stream:
        stream.write_table(table)
    pyarrow.feather.write_feather(table, lz4)
    saved, old = io.BytesIO(), io.BytesIO()
    torch.save({"rollout_id": 1, "samples": ROWS}, saved)
    torch.save({"samples": ROWS}, old, _use_new_zipfile_serialization=False)
    text = lines(ROWS)
    return {
        "jsonl": ("jsonl", text),
        "jsonl without end": ("jsonl", text[:-1]),
        "jsonl with blank lines": ("jsonl", b"\n\n" + text.replace(b"\n", b"\r\n \r\n")),
        "jsonl with mark": ("jsonl", b"\xef\xbb\xbf" + text),
        "jsonl unescaped": ("jsonl", lines(ROWS, ensure_ascii=False)),
        "utf-16": ("jsonl", lines(ROWS, ensure_ascii=False).decode().encode("utf-16")),
        "utf-16 big": ("jsonl", b"\xfe\xff" + text.decode().encode("utf-16-be")),
        "pretty printed": ("jsonl", lines(ROWS, indent=2)),
        "with commas": ("jsonl", b",\n".join(lines([row], indent=1).strip() for row in ROWS)),
        "array": ("array", json.dumps(ROWS).encode()),
        "array, indented": ("array", b"  \n" + json.dumps(ROWS, indent=4).encode() + b"\n"),
        "parquet": ("parquet", parquet.getvalue()),
        "arrow file": ("arrow", ipc.getvalue()),
        "arrow stream": ("arrow", arrow.getvalue()),
        "feather": ("arrow", lz4.getvalue()),
        "torch": ("torch", saved.getvalue()),
        "torch before 1.6": ("torch", old.getvalue()),
    }


CONTENTS = contents()


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("suffix", ["", ".dat", ".parquet", ".jsonl", ".csv", ".yaml"])
def test_content_decides_and_not_the_suffix(tmp_path: Path, name: str, suffix: str) -> None:
    kind, data = CONTENTS[name]
    path = tmp_path / f"rollouts{suffix}"
    path.write_bytes(data)
    assert read(path) == (kind, ROWS)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("how", ["gzip", "zstd", "bz2", "xz", "lz4", "zip", "zip of gzip"])
def test_every_container_compressed(tmp_path: Path, name: str, how: str) -> None:
    kind, data = CONTENTS[name]
    path = tmp_path / "rollouts"
    if how.startswith("zip"):
        write_zip(path, [("a/b", gzip.compress(data) if "gzip" in how else data)])
        file = SourceFile("rollouts: a/b", path, "a/b")
        container = open_container(file)
    else:
        stream = io.BytesIO()
        if how == "xz":
            stream.write(lzma.compress(data))
        elif how == "lz4":
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, "lz4") as out:
                out.write(data)
            stream.write(sink.getvalue())
        else:
            packers = {"gzip": gzip.compress, "bz2": bz2.compress,
                       "zstd": lambda b: pa.Codec("zstd").compress(b).to_pybytes()}  # fmt: skip
            half = len(data) // 2  # in two members, as cat of two files gives them
            stream.write(packers[how](data[:half]) + packers[how](data[half:]))
        path.write_bytes(stream.getvalue())
        container = opened(path)
    before = open_files()
    assert container.kind == kind
    assert list(container.sample().rows) == ROWS
    assert [row for batch in container.batches() for row in batch.rows()] == ROWS
    del container
    assert open_files(before) <= before


def test_one_json_value_is_one_row(tmp_path: Path) -> None:
    value = {"results": {"AIME24": {"examples": ROWS}}}
    for name, indent in (("a.json", None), ("a.json", 2), ("a", 2), ("a.txt", 1)):
        path = tmp_path / name
        path.write_text(json.dumps(value, indent=indent))
        assert read(path) == ("json", [value])
    path = tmp_path / "columns.jsonl"
    path.write_text(json.dumps(value))
    assert read(path) == ("jsonl", [value])


def test_a_json_value_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": ["x" * 5] * 300_000}, indent=1))
    container = opened(path)
    parsed = []
    original = json_rows.json_value
    monkeypatch.setattr(json_rows, "json_value", lambda b: parsed.append(len(b)) or original(b))
    assert len(container.sample().rows[0]["a"]) == 300_000
    assert len(list(container.batches())) == 1
    assert len(parsed) == 1
    assert [len(batch) for batch in container.batches()] == [1]  # and can be read again


def test_long_objects_that_follow_one_another_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rows = [{"n": i, "t": "x" * 3_000_000} for i in range(4)]
    for indent in (None, 1):
        path.write_bytes(lines(rows, indent=indent))
        container = opened(path)
        assert container.sample().rows[0] == rows[0]
        assert container.kind == "jsonl"
        assert [row for batch in container.batches() for row in batch.rows()] == rows
    path.write_bytes(lines(rows[:1], indent=1) + b'{"n": ')
    container = opened(path)
    assert len(container.sample().rows) == 1
    assert [number for batch in container.batches() for number, _ in batch.faults] == [2]


def test_arrays_of_lists_and_lines_of_lists(tmp_path: Path) -> None:
    path = tmp_path / "generations.json"
    value = [["a", "b"], ["c", ']"']]
    for text, kind in (
        (json.dumps(value), "array"),
        (json.dumps(value, indent=1), "array"),
        ('["a", "b"]\n["c", "]\\""]\n', "jsonl"),
    ):
        path.write_text(text)
        assert read(path) == (kind, value)
    for text, rows in (("[]", []), (" [ ]\n\n", []), ('[1, NaN, null,\n"x"]', None)):
        path.write_text(text)
        kind, found = read(path) if rows is not None else (opened(path).kind, None)
        assert kind == "array"
        if rows is None:
            got = [row for batch in opened(path).batches() for row in batch.rows()]
            assert got[0] == 1
            assert math.isnan(got[1])
            assert got[2:] == [None, "x"]
        else:
            assert found == rows


def test_csv_and_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text,ok\r\n007,"a ""b"", c\nd",1\r\n\r\n8,,True\r\n')
    rows = [{"id": "007", "text": 'a "b", c\nd', "ok": "1"}, {"id": "8", "text": "", "ok": "True"}]
    assert read(path) == ("csv", rows)
    batch = next(opened(path).batches())
    assert batch.table is not None
    column = batch.column("id")
    assert isinstance(column, pa.Array)
    assert column.to_pylist() == ["007", "8"]
    for delimiter in "\t;|,":
        for name in ("a.tsv", "a", "a.csv"):
            path = tmp_path / name
            text = 'id{0}text{0}ok\n1{0}a, b; c{0}0\n2{0}"x\n{0}y"{0}1\n'.replace("{0}", delimiter)
            if delimiter in ",;":
                text = text.replace("a, b; c", "abc")
            path.write_text(text)
            kind, found = read(path)
            assert kind == "csv"
            assert found[1] == {"id": "2", "text": f"x\n{delimiter}y", "ok": "1"}
    path = tmp_path / "one.csv"
    path.write_text("answer\n42\n43\n")
    assert read(path) == ("csv", [{"answer": "42"}, {"answer": "43"}])


def test_csv_rows_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,a\n2\n3,\xff\n4,b,c\n5,e\n")
    rows, found = faults(path)
    assert rows == [{"id": "1", "text": "a"}, {"id": "5", "text": "e"}]
    assert [number for number, _ in found] == [2, 3, 4]
    assert [why for _, why in found] == [
        "expected 2 fields, got 1", "not UTF-8", "expected 2 fields, got 3"
    ]  # fmt: skip
    path.write_text("id,text,id\n1,2,3\n")
    with pytest.raises(InvalidInputError, match="the header names the column 'id' twice"):
        list(opened(path).batches())


def test_long_csv_fields_and_the_setting_of_the_process(tmp_path: Path) -> None:
    import csv

    path = tmp_path / "a.csv"
    text = "é" * 3_000_000
    path.write_text(f"id,text\n1,{text}\n2,b\n")
    before = csv.field_size_limit()
    kind, rows = read(path)
    assert (kind, rows[0]["text"], rows[1]["text"]) == ("csv", text, "b")
    assert csv.field_size_limit() == before


def test_yaml(tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "3.yaml"
    samples = ["# 2", "a: b\n", "\u2028"]
    row = {"prompt": "Q: 1\nA:", "samples": samples, "ok": [True, False], "date": "2024-01-02"}
    for text, rows in (
        (yaml.dump(row), [row]),
        (yaml.safe_dump(row, sort_keys=False, allow_unicode=True), [row]),
        (yaml.dump([row, row]), [row, row]),
        (yaml.dump_all([row, row], explicit_start=True), [row, row]),
        ("# made by x\n" + json.dumps(row, indent=1).replace('"prompt"', "prompt"), [row]),
    ):
        path.write_text(text)
        assert read(path) == ("yaml", rows)
    (tmp_path / "noname").write_text("question: 1 + 1?\nsamples:\n- a\n- b\n")
    assert read(tmp_path / "noname") == ("yaml", [{"question": "1 + 1?", "samples": ["a", "b"]}])
    path.write_text("day: 2024-01-02\n")
    assert read(path) == ("yaml", [{"day": "2024-01-02"}])


def test_hostile_yaml(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    for text, message in (
        (bomb, "repeat each other"),
        ("a: &a [*a]\n", "repeat each other|recursive"),
        ("a: !!python/object/apply:os.system [echo]\n", "could not determine a constructor"),
        ("a: [1, 2\nb: 3\n", r"line 2.*not a readable YAML"),
        ("a: " + "[" * 100_000, "not a readable YAML|too deep"),
        ("a: " + "{b: " * 100_000, "not a readable YAML|too deep"),
        ("- " * 100_000 + "x", "not a readable YAML|too deep"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInputError, match=message):
            list(opened(path).batches())


# -- JSON lines ----------------------------------------------------------------------------------


def test_numbers_are_those_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\n{"a": 1}\n\n\n{"a": 2}\n  \n{"a": 3}')
    batches = list(opened(path).batches(Limits(rows=2)))
    assert [list(batch.numbers) for batch in batches] == [[2, 5], [7]]


def test_faults_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"a": 1}\n{"a": 2\nnothing\n{"a": "\xff"}\n{"a": 5}{"a": 6}\n' + b"[" * 100_000
        + b'\n{"a": 7}\n{"a": "cut o'
    )  # fmt: skip
    rows, found = faults(path)
    assert rows == [{"a": 1}, {"a": 7}]
    assert [number for number, _ in found] == [2, 3, 4, 5, 6, 8]
    why = dict(found)
    assert "not JSON: Expecting" in why[2]
    assert "not UTF-8: byte 0xff at 7" in why[4]
    assert "Extra data" in why[5]
    assert "nested too deep" in why[6]
    assert "cut off at the end of the file" in why[8]


def test_a_damaged_first_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for first in (b'{"a": "cut', b"INFO starting", b'{"a": "\xff"}', b""):
        path.write_bytes(first + b'\n{"a": 1}\n{"a": 2}\n')
        rows, found = faults(path)
        assert rows == [{"a": 1}, {"a": 2}]
        assert [number for number, _ in found] == ([1] if first else [])


def test_values_beyond_strict_json() -> None:
    row = json_value(b'{"a": NaN, "b": -Infinity, "c": "\\ud800x", "\\udfff": ["\\ud83d\\ude00"]}')
    assert math.isnan(row["a"])
    assert row["b"] == -math.inf
    assert (row["c"], row["\ufffd"]) == ("\ufffdx", ["\U0001f600"])
    big = 123456789012345678901234567890
    assert json_value(b'{"a": %d, "b": {"c": -%d}}' % (big, big)) == {"a": big, "b": {"c": -big}}
    assert json_value(b'{"a": 1e300}') == {"a": 1e300}
    assert json_value(b"[[%d], %d]" % (big, big)) == [[big], big]
    deep = b'{"a": ' * 900 + b"1" + b"}" * 900
    assert json.dumps(json_value(deep)).encode() == deep
    with pytest.raises(ValueError, match="not JSON"):
        json_value(b'{"a": %s}' % (b"9" * 5000))


def test_a_line_beyond_the_limit_is_a_fault(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(json_rows, "longest_row", lambda file: 100_000)
    long = json.dumps({"a": "x" * 300_000}).encode()
    for data, numbers in (
        (b'{"a": 1}\n' + long + b'\n{"a": 3}\n', [2]),
        (b'{"a": 1}\n{"a": 3}\n' + long, [3]),
        (long + b'\n{"a": 1}\n{"a": 3}\n', [1]),
        (long + b"\n" + long + b'\n{"a": 1}\n{"a": 3}\n', [1, 2]),
    ):
        path = tmp_path / "a.jsonl"
        path.write_bytes(data)
        batches = list(opened(path).batches(Limits(bytes=30_000)))
        assert [r["a"] for b in batches for r in b.rows()] == [1, 3]
        assert [number for b in batches for number, _ in b.faults] == numbers
        path = tmp_path / "b.json"
        path.write_bytes(b"[" + b",".join(x for x in data.split(b"\n") if x) + b"]")
        batches = list(opened(path).batches(Limits(bytes=30_000)))
        assert [r["a"] for b in batches for r in b.rows()] == [1, 3]
        assert [number for b in batches for number, _ in b.faults] == numbers


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=20), max_size=2), max_size=8),
    st.integers(1, 20),
    st.booleans(),
)
def test_lines_at_any_chunk_border(rows: list[Any], size: int, ascii_only: bool) -> None:
    data = lines(rows, ensure_ascii=ascii_only)
    found = [
        line for part, _ in json_rows._lines(io.BufferedReader(io.BytesIO(data)), size)
        for line in part if line
    ]  # fmt: skip
    assert [json_value(line) for line in found if line] == rows


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[],: \n\u2028é', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text('a"\\[]{},', max_size=3), inner, max_size=3
    ),
    max_leaves=10,
)  # fmt: skip


class Chunks:
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, seed: int) -> None:
        self._stream, self._random = io.BytesIO(data), random.Random(seed)

    def read(self, size: int) -> bytes:
        return self._stream.read(min(size, self._random.randrange(1, 9)))


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]), st.booleans(), st.integers(0, 99))
def test_elements_at_any_chunk_border(
    rows: list[Any], indent: int | None, ascii_only: bool, seed: int
) -> None:
    text = f" \n{json.dumps(rows, indent=indent, ensure_ascii=ascii_only)}\r\n "
    found = list(split_values(Chunks(text.encode(), seed), array=True))
    assert all(why is None for _, why in found)
    assert [json_value(data) for data, _ in found] == rows
    rows = [row for row in rows if isinstance(row, dict | list)]
    text = "\n".join(json.dumps(row, indent=indent, ensure_ascii=ascii_only) for row in rows)
    found = list(split_values(Chunks(text.encode(), seed), array=False))
    assert [json_value(data) for data, _ in found] == rows


@given(st.binary(max_size=60), st.booleans(), st.integers(0, 9))
def test_any_bytes_end_in_values_or_faults(data: bytes, array: bool, seed: int) -> None:
    for value, why in split_values(Chunks(b"[" * array + data, seed), array=array):
        assert why is None or value == b""


@given(st.lists(JSON, min_size=1, max_size=3), st.data())
def test_a_cut_array_gives_its_whole_elements_and_a_fault(rows: list[Any], data: Any) -> None:
    text = json.dumps(rows).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    found = list(split_values(io.BytesIO(text[:cut]), array=True))
    assert found[-1][1] is not None
    whole = [json_value(value) for value, why in found if why is None]
    assert whole == rows[: len(whole)]


class Rows:
    """An array of many elements that is never in memory as a whole."""

    def __init__(self, count: int) -> None:
        self._element = json.dumps({"a": ["x" * 900, "]"], "b": {}}).encode() + b","
        self._count, self._first = count, True

    def read(self, size: int) -> bytes:
        if not self._count:
            return b""
        count = min(self._count, size // len(self._element))
        self._count -= count
        data = self._element * count
        data, self._first = (b"[" + data if self._first else data), False
        return data if self._count else data[:-1] + b"]"


@pytest.mark.slow
def test_an_array_is_split_in_constant_memory() -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        found = sum(why is None for _, why in split_values(Rows(50_000), array=True, block=1 << 20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == 50_000
    assert peak < 12 << 20


def test_faults_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, rows, numbers in (
        ('[{"a": 1}, {"a": }, {"a": 3}]', [1, 3], [2]),
        ('[{"a": 1},\n {"a": 2},\n {"a": 3, "b": "x', [1, 2], [3]),
        ('[{"a": 1}, {"a": 2}] x', [1, 2], [3]),
        ('[{"a": 1}, {"a": 2}]\n\n[{"a": 3}]\n', None, None),
    ):
        path.write_text(text)
        found, why = faults(path)
        if rows is not None:
            assert [row["a"] for row in found] == rows
            assert [number for number, _ in why] == numbers


# -- tables --------------------------------------------------------------------------------------


def nested_table() -> pa.Table:
    return pa.table(
        {
            "s": pa.array(
                [{"a": {"b": [[1, 2], []]}}, None, {"a": {"b": None}}, {"a": {"b": [[3]]}}],
                pa.struct([("a", pa.struct([("b", pa.list_(pa.large_list(pa.int64())))]))]),
            ),
            "m": pa.array([[("k", 1)], [], None, [("k", 2)]], pa.map_(pa.string(), pa.int64())),
            "chat": [
                [{"role": "system", "content": "x"}, {"role": "user", "content": f"q{i}"}][i % 2 :]
                for i in range(4)
            ],
            "d": pa.array(["u", "v", "u", None]).dictionary_encode(),
            "v": pa.array(["a" * 20, None, "b", ""], pa.string_view()),
            "f": pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
            "lv": pa.array([["a"], [], ["b", "c"], None], pa.list_view(pa.string())),
            "x.y": ["dotted", "dotted", "dotted", "dotted"],
            "x": pa.array([{"y": 1}] * 4),
        }
    )


PATHS = (
    "s.a.b", "s.a.b[0]", "s.a.b[0][1]", "s.a.b[-1]", "m.k", "chat[-1].content", "chat[0].role",
    "chat[1].content", "d", "v", "f[1]", "f[-3]", "lv[0]", "lv[1]", "x.y", "x",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("first", [0, 1, 3])
def test_columns_are_what_value_at_reads(path: str, first: int) -> None:
    batch = nested_table().combine_chunks().to_batches()[0].slice(first)
    rows = Batch(SourceFile("t", None), range(len(batch)), batch).rows()
    expected = [None if (v := value_at(row, path)) is MISSING else v for row in rows]
    found = column_at(batch, path)
    assert found is not None
    assert found.to_pylist(maps_as_pydicts="lossy") == expected


@pytest.mark.parametrize("path", ["z", "s.z", "s[0]", "d.a", "chat.role", "", "s.a.b.c", "v[0]"])
def test_paths_that_no_row_has(path: str) -> None:
    batch = nested_table().combine_chunks().to_batches()[0]
    assert column_at(batch, path) is None
    rows = Batch(SourceFile("t", None), range(4), values=batch.to_pylist())
    assert rows.column(path) is None


def test_columns_of_rows() -> None:
    rows = [{"a": 1, "b": [{"c": 2}]}, {"a": None}, [3]]
    batch = Batch(SourceFile("t", None), [1, 2, 3], values=rows)
    assert batch.column("a") == [1, None, MISSING]
    assert batch.column("b[0].c") == [2, MISSING, MISSING]
    assert batch.column("z") is None
    assert Batch(SourceFile("t", None), [1], values=rows[:1]).column("a") == [1]


def test_parquet_batches_are_limited_by_bytes_also_where_texts_repeat(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    text = "x" * 10_000
    pq.write_table(pa.table({"t": [text] * 3000, "l": [[text] * 5] * 3000}), path)
    sizes = [batch.table.nbytes for batch in opened(path).batches(Limits(bytes=4 << 20))
             if batch.table]  # fmt: skip
    assert len(sizes) > 10
    assert max(sizes) < 6 << 20
    assert len(opened(path).sample().rows) >= 1


def test_text_that_is_not_utf8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    raw = pa.array([b"a", b"\xff", b"c"])
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    nested = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), text)
    for column in (text, nested):
        pq.write_table(pa.table({"t": column, "n": [1, 2, 3]}), path)
        rows, found = faults(path)
        assert [row["n"] for row in rows] == [1, 3]
        assert [number for number, _ in found] == [2]
    rows, found = faults(path)
    assert [row["n"] for row in rows] == [1, 3]
    assert [number for number, _ in found] == [2]
    assert "UTF8" in found[0][1]
    pq.write_table(pa.table({"t": pa.array([b"a", "é".encode()])}), path)
    assert read(path) == ("parquet", [{"t": "a"}, {"t": "é"}])


def test_wrong_offsets_of_an_arrow_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    offsets = pa.array([0, 1 << 30, -7, 5], pa.int32()).buffers()[1]
    bad = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"hello")])
    table = pa.RecordBatch.from_arrays([bad], ["t"])
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_batch(table)
    with pytest.raises(InvalidInputError, match=r"a\.arrow: not readable as a file of Arrow"):
        list(opened(path).batches())


@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream", "feather", "torch"])
def test_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    _, data = CONTENTS[name]
    for cut in (len(data) // 4, len(data) // 2, len(data) - 3):
        path.write_bytes(data[:cut])
        try:
            rows = [row for batch in opened(path).batches() for row in batch.rows()]
        except InvalidInputError:
            rows = ROWS
        assert rows == ROWS  # only marks of the end were cut


def test_tables_and_rows_in_memory() -> None:
    table = pa.Table.from_pylist(ROWS)
    container = open_container(find_files([table]).files[0])
    assert container.kind == "arrow"
    assert [batch.rows() for batch in container.batches(Limits(rows=2))] == [ROWS[:2], ROWS[2:]]
    container = open_container(find_files([ROWS]).files[0])
    assert container.kind == "rows"
    assert list(container.sample().rows) == ROWS
    assert [batch.rows() for batch in container.batches(Limits(rows=2))] == [ROWS[:2], ROWS[2:]]
    container = open_container(find_files(iter([{"n": i} for i in range(1000)])).files[0])
    assert len(container.sample().rows) == 100
    assert [row["n"] for b in container.batches() for row in b.rows()] == list(range(1000))
    with pytest.raises(InvalidInputError, match="once only"):
        list(container.batches())


def test_objects_of_an_engine_become_rows() -> None:
    class Output:
        def __init__(self, text: str) -> None:
            self.text, self.token_ids, self._private = text, torch.tensor([1, 2]), 0

    class Request:
        def __init__(self) -> None:
            self.prompt, self.outputs = "1 + 1?", [Output("2"), Output("3")]

    container = open_container(find_files([[Request()]]).files[0])
    outputs = [{"text": "2", "token_ids": [1, 2]}, {"text": "3", "token_ids": [1, 2]}]
    assert list(container.sample().rows) == [{"prompt": "1 + 1?", "outputs": outputs}]
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidInputError, match="holds itself"):
        list(open_container(find_files([[{"a": loop}]]).files[0]).batches())


# -- torch and pickles ---------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/rlvr_fast_was_unpickled",)


def test_torch_files(tmp_path: Path) -> None:
    path = tmp_path / "dump_3.pt"
    rows = [{"prompt": "q", "tokens": torch.arange(3), "reward": torch.tensor(1.0), "half":
             torch.ones(2, dtype=torch.bfloat16)}]  # fmt: skip
    plain = [{"prompt": "q", "tokens": [0, 1, 2], "reward": 1.0, "half": [1.0, 1.0]}]
    torch.save({"rollout_id": 3, "samples": rows}, path)
    assert read(path) == ("torch", plain)
    torch.save({"tokens": rows}, path)
    assert read(path) == ("torch", [{"tokens": plain}])
    loop: list[Any] = []
    loop.append(loop)
    torch.save({"samples": loop}, path)
    with pytest.raises(InvalidInputError, match=r"too deep|holds itself"):
        list(opened(path).batches())


@pytest.mark.parametrize("new", [True, False])
def test_nothing_is_unpickled(tmp_path: Path, new: bool) -> None:
    path = tmp_path / "a.pt"
    torch.save({"samples": [Evil()]}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(InvalidInputError, match=r"a\.pt: not readable .*nothing is unpickled"):
        list(opened(path).batches())
    for protocol in range(6):
        for name in ("a.pkl", "a.pickle", "a.pkl.gz", "a.jsonl"):
            path = tmp_path / name
            data = pickle.dumps(ROWS if protocol % 2 else Evil(), protocol)
            path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
            if name == "a.jsonl" and protocol < 2:
                continue  # text of no container
            with pytest.raises(InvalidInputError, match=r"a pickle; .*nothing is unpickled"):
                opened(path)
    assert not Path("/tmp/rlvr_fast_was_unpickled").exists()


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bz2", "xz"])
def test_a_cut_or_damaged_stream_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    text = lines([{"a": os.urandom(20).hex()} for _ in range(5000)])
    pack = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
            "zstd": lambda b: pa.Codec("zstd").compress(b).to_pybytes()}[kind]  # fmt: skip
    data = pack(text)
    middle = len(data) // 2
    spoiled = data[:middle] + bytes(x ^ 255 for x in data[middle : middle + 50])
    for bad in (data[:middle], spoiled + data[middle + 50 :]):
        path.write_bytes(bad)
        before = open_files()
        with pytest.raises(InvalidInputError, match=f"not readable as a {kind} stream"):
            list(opened(path).batches())
        assert open_files(before) <= before


@pytest.mark.slow
def test_limits_against_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines([{"a": "x" * 1000}]) * 100_000))
    kind, rows = read(path)
    assert (kind, len(rows)) == ("jsonl", 100_000)  # repeated rollouts pass
    monkeypatch.setattr(streams, "allowed_bytes", lambda size: 100 * size)
    with pytest.raises(InvalidInputError, match="expand to more than"):
        list(opened(path).batches())
    path.write_bytes(gzip.compress(gzip.compress(b'{"a": 1}\n')))
    with pytest.raises(InvalidInputError, match="compressed twice"):
        opened(path)


def test_the_sample_of_a_long_file_is_short(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([{"n": i} for i in range(5000)]))
    assert [row["n"] for row in opened(path).sample().rows] == list(range(100))
    path.write_bytes(lines([{"n": "x" * 3_000_000}] * 9))
    assert 1 <= len(opened(path).sample().rows) < 9


def test_batches_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([{"n": i, "t": "x" * 1000} for i in range(1000)]))
    assert {len(batch) for batch in opened(path).batches(Limits(rows=300))} == {300, 100}
    sizes = [len(batch) for batch in opened(path).batches(Limits(bytes=102_000))]
    assert max(sizes) <= 102
    assert len(sizes) <= 12


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("packed", [False, True])
def test_iterators_closed_early_leave_no_open_file(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / "a"
    data = CONTENTS[name][1]
    path.write_bytes(gzip.compress(data) if packed else data)
    before = open_files()
    container = opened(path)
    container.sample()
    batches = container.batches(Limits(rows=1))
    next(batches)
    batches.close()
    del container, batches
    assert open_files(before) <= before


def test_digests(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "a.zip"
    write_zip(path, [("x", b"hello")])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source_digest(SourceFile("a", path)) == (digest, path.stat().st_size)
    expected = hashlib.sha256(b"hello").hexdigest()
    assert source_digest(SourceFile("a: x", path, "x")) == (expected, 5)
    assert source_digest(find_files([ROWS]).files[0]) is None


def test_files_that_are_no_container(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for data, kind, message in (
        (b"", UnknownContainerError, "empty"),
        (b" \n\n", UnknownContainerError, "empty"),
        (gzip.compress(b""), UnknownContainerError, "empty"),
        (b"\x00\x01\x02" * 50, UnknownContainerError, "bytes of another kind"),
        (b"Hello, this is prose.\nAnd more of it", UnknownContainerError, "the text begins 'Hello"),
        (b"\xff\xfe", UnknownContainerError, "empty"),
        (b"{'a': 1, 'b': 2}\n" * 3, UnknownContainerError, "not JSON.*json.dumps, not by str"),
        (b"[INFO] a, b\n[INFO] c, d\n", UnknownContainerError, "the first line is not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid", InvalidInputError, "git lfs pull"),
        (b"SQLite format 3\x00" + bytes(50), InvalidInputError, "SQLite"),
        (b"<!DOCTYPE html><html>", InvalidInputError, "web page"),
        (b"x" * 257 + b"ustar" + bytes(50), InvalidInputError, "tar archive"),
        (b"PARE" + bytes(50), InvalidInputError, "encrypted"),
    ):
        path.write_bytes(data)
        with pytest.raises(kind, match=message):
            opened(path)
    with pytest.raises(InvalidInputError, match="No such file"):
        opened(tmp_path / "missing")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc/self/mem")
def test_a_disk_that_fails_is_no_bad_input() -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        opened(Path("/proc/self/mem"))


@pytest.mark.parametrize("seed", range(30))
def test_spoiled_bytes_never_crash(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "a"
    for kind, data in CONTENTS.values():
        spoiled = bytearray(data)
        for _ in range(chance.choice([1, 5, 50])):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        path.write_bytes(spoiled)
        if kind in ("parquet", "arrow"):
            continue  # in a process of its own, below
        try:
            container = opened(path)
            container.sample()
            for batch in container.batches():
                assert len(batch.rows()) == len(batch)
        except (InvalidInputError, StorageError):
            pass


FUZZ = """
import random, sys
from pathlib import Path
from rlvr_fast.errors import InvalidInputError, StorageError
from rlvr_fast.store.readers.containers import open_container
from rlvr_fast.store.readers.reader import SourceFile
path = Path(sys.argv[1])
data = path.read_bytes()
for seed in range(100):
    chance = random.Random(seed)
    spoiled = bytearray(data)
    for _ in range(chance.choice([1, 2, 8, 40])):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    path.write_bytes(spoiled)
    try:
        container = open_container(SourceFile("a", path))
        container.sample()
        for batch in container.batches():
            assert len(batch.rows()) == len(batch)
            batch.column("answers[0]"), batch.column("gold.value")
    except (InvalidInputError, StorageError):
        pass
print("done")
"""


@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream", "feather"])
def test_spoiled_tables_do_not_end_the_process(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(CONTENTS[name][1])
    run = subprocess.run([sys.executable, "-c", FUZZ, path], capture_output=True, text=True)
    assert run.stdout == "done\n", run.stderr

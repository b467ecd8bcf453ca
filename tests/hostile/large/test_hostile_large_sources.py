"""Sources of rollouts larger than the memory that an import may take."""

from __future__ import annotations

import gzip
import io
import json
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pytest

from rlvr_fast import expansion, ipc_batches
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.ipc_sizes import ipc_messages
from rlvr_fast.store import import_rollouts
from rlvr_fast.store.importing.numbering import MAX_SAMPLE_INDEX
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.readers import json_rows, json_values, streams, tables, text_rows
from rlvr_fast.store.readers.batch import Limits
from rlvr_fast.store.readers.containers import open_container
from rlvr_fast.store.readers.json_objects import outline, pieces
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.tasks.rows import read_rows

MIB = 1 << 20
KIB = 1 << 10


def rows(number: int, size: int = 100) -> list[dict[str, Any]]:
    return [
        {
            "question": f"What is {i % 5} mod 5?",
            "answer": str(i % 5),
            "response": f'Draw {i}. \\boxed{{{i % 5}}} ["{{ → '.ljust(size, "-"),
        }
        for i in range(number)
    ]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may have 64 KiB in place of 64 MiB, so that files are made quickly."""
    monkeypatch.setattr(streams, "MAX_IN_MEMORY", 64 * KIB)
    monkeypatch.setattr(json_values, "MAX_IN_MEMORY", 64 * KIB)
    monkeypatch.setattr(json_rows, "_BLOCK", 16 * KIB)
    monkeypatch.setattr(text_rows, "_LONGEST_ROW", 64 * KIB)
    monkeypatch.setattr(text_rows, "_LONGEST_YAML", 64 * KIB)


def read_in_pieces(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of Arrow, of which 2 MiB are held at most."""
    before = pa.total_allocated_bytes()
    found: list[dict[str, Any]] = []
    for batch in open_container(SourceFile("a", path)).batches(Limits(bytes=MIB)):
        assert pa.total_allocated_bytes() - before < 2 * MIB
        found += batch.rows()
    return found


def draws(value: Any, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "a.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    run = import_rollouts(path, tmp_path / "run")
    texts = run.read("samples", ["text"])["text"].to_pylist()
    assert len(set(texts)) == len(texts)
    return len(texts), {"model": run.info.model["name"], **run.info.sampling}


def around(inner: Any) -> dict[str, Any]:
    return {"model": "m1", "config": {"temperature": 0.7}, "results": inner, "last": {"top_p": 0.5}}


@pytest.mark.parametrize(
    "value",
    [
        around(rows(500, 1000)),
        {"version": 1, "data": {"count": 500, "entries": rows(500, 1000)}},
        {f"p{i}": row for i, row in enumerate(rows(500, 1000))},
        {f"p{i}": {"question": f"{i}?", "answer": "1", "responses": [f"{i}{k}" * 500 for k in "ab"]}
         for i in range(250)},
    ],
    ids=["under a key", "two levels down", "by problem", "draws by problem"],
)  # fmt: skip
def test_a_long_object_gives_the_rows_of_the_whole(tmp_path: Path, monkeypatch, value: Any) -> None:
    """Before: the object was parsed as a whole, in some six times its size."""
    (tmp_path / "whole").mkdir()
    whole = draws(value, tmp_path / "whole")
    monkeypatch.setattr(streams, "MAX_IN_MEMORY", 64 * KIB)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value, ensure_ascii=False))
    container = open_container(SourceFile("a.json", path))
    batches = [*container.batches(Limits(bytes=100 * KIB))]
    assert len(batches) > 3
    assert container.is_cut
    assert draws(value, tmp_path) == whole
    assert whole[0] >= 500


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"question": ["q?"] * 100, "response": ["x" * KIB] * 100}, "other values than objects"),
        ({**around(rows(100, KIB)), "scores": [1] * 100}, "as long as that of rows"),
        ({"results": [{**rows(1)[0], "response": "x" * 100 * KIB}]}, "a row or text of more"),
        ('{"results": [' + '{"a": 1}, ' * 50_000, "cut off|expected"),
        (json.dumps(around(rows(100, KIB))) + "x", "text after the end"),
    ],
)
def test_a_long_object_that_cannot_be_cut_is_refused(tmp_path: Path, value: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"a\.json: refused: .*65,536 bytes.*({why})"):
        draws(value, tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("short")
def test_pieces_do_not_repeat_what_may_be_rows(tmp_path: Path) -> None:
    """Short lists beside a long one stand in the first piece alone."""
    value = {"settings": {"a": 1}, "p1": rows(2), "p2": rows(300, KIB)}
    data = json.dumps(value).encode()
    plan = outline(io.BytesIO(data), 64 * KIB)
    found = [*pieces(io.BytesIO(data), plan, 64 * KIB, 50 * KIB)]
    texts = [json.loads(p.text(p.items, first=p.number == 1)) for p in found]
    assert [list(text) for text in texts[:2]] == [["settings", "p1", "p2"], ["settings", "p2"]]
    assert [row for text in texts for row in text["p2"]] == value["p2"]


@pytest.mark.usefixtures("short")
def test_damaged_rows_of_a_long_object_are_left_out(tmp_path: Path) -> None:
    text = json.dumps(around(rows(200, KIB))).replace('"answer": "3"', '"answer": 3x', 1)
    assert draws(text, tmp_path)[0] == 199


def test_a_layout_that_needs_the_whole_object_says_so(tmp_path: Path, short: None) -> None:
    passed = {"base_status": "pass", "plus_status": "pass", "solution": "x" * KIB}
    draws_of_one = [{"task_id": "HumanEval/0", **passed}] * 100
    value = {"eval": {"HumanEval/0": draws_of_one}, "hash": "h", "date": "d"}
    with pytest.raises(InvalidInputError, match=r"a\.json: refused: one JSON object of more than"):
        draws(value, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("name", "text", "left_out"),
    [
        ("a.csv", "question,answer,response\n1?,2,x\n1?,2," + "x" * 100 * KIB + "\n", None),
        ("a.csv", 'question,answer,response\n1?,2,x\n1?,2,"' + "x\n" * 100 * KIB, None),
        ("a.csv", "question,answer,response\n1?,2,x\n" + "," * 100 * KIB, None),
        ("a.yaml", "- question: 1?\n  answer: 2\n  response: " + "x" * 100 * KIB, None),
        ("a.jsonl", '{"question": "1?", "answer": "2", "response": "ok"}\n{"question": "1?", '
         '"response": "' + "x" * 120 * KIB + '"}\n', "longer than"),
        ("a.jsonl", '{"question": "1?", "answer": "2", "response": "ok"}\n{"question": "1?", '
         '"more": "' + "\U0001f600" * 1000 + '", "rest": "' + "x" * 80 * KIB + '"}\n',
         "characters beyond"),
        ("a.json", '[{"question": "1?", "answer": "2", "response": "ok"}, {"question": "1?", '
         '"response": "' + '\\"' * 100 * KIB + '"}]', "longer than"),
        ("a.jsonl", '{"question": "1?", "answer": "2", "response": "ok"}\n' + "[" * 50 * KIB + "\n",
         "not JSON"),
        ("a.json", '[{"question": "1?", "answer": "2", "response": "ok"}, ' + "[" * 50 * KIB,
         "nested too deep"),
        ("a.jsonl", '{"question": "1?", "answer": "2", "response": "ok"}\n{"question": '
         + "1" * 50 * KIB + "}\n", "not JSON"),
    ],
)  # fmt: skip
def test_long_rows(tmp_path: Path, name: str, text: str, left_out: str | None) -> None:
    """Lines of CSV and texts of YAML of any length were read as a whole."""
    for number, data in enumerate((text.encode(), gzip.compress(text.encode()))):
        path = tmp_path / f"{number}{name}{'.gz' * number}"
        path.write_bytes(data)
        if left_out is None:
            with pytest.raises(InvalidInputError, match=r"refused: a (row|YAML text) of more than"):
                import_rollouts(path, tmp_path / f"run{number}", model="m")
            continue
        run = import_rollouts(path, tmp_path / f"run{number}", model="m")
        assert run.num_samples().tolist() == [1]
        assert any(left_out in why for why in run.read_json("import.json")["left_out"])


def test_very_many_values_in_a_row_are_refused(tmp_path: Path, monkeypatch) -> None:
    """3 bytes of "[]," are 64 bytes in memory; texts full of brackets are no lists."""
    monkeypatch.setattr(json_values, "_MOST_OBJECTS", MIB)
    path = tmp_path / "a.jsonl"
    good = [*rows(2), {**rows(1)[0], "response": '{"\\' * 10_000}]
    lines = [json.dumps(row) for row in good]
    lines.insert(1, '{"question": "1?", "response": "a", "more": [' + "[]," * 20_000 + "1]}")
    path.write_text("\n".join(lines))
    run = import_rollouts(path, tmp_path / "run", model="m")
    assert run.num_samples().sum() == 3
    assert any("more values than" in why for why in run.read_json("import.json")["left_out"])


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_batch_of_any_size_is_read_in_pieces(tmp_path: Path, kind: str) -> None:
    table = pa.Table.from_pylist(rows(400, 10_000)).combine_chunks()
    path = tmp_path / "a.arrow"
    if kind == "file":
        pf.write_feather(table, path, compression="uncompressed", chunksize=len(table))
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    assert read_in_pieces(path) == table.to_pylist()


def test_damage_in_the_last_row_of_a_batch_is_told_before_the_first(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows(400, 10_000)).combine_chunks()
    path = tmp_path / "a.feather"
    pf.write_feather(table, path, compression="uncompressed", chunksize=len(table))
    data = bytearray(path.read_bytes())
    data[data.rfind(b"Draw 399.")] = 0xFF
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"a\.feather: not readable as a file of Arrow"):
        import_rollouts(path, tmp_path / "run", model="m")


def nested(texts: pa.Array) -> pa.Array:
    """Messages of one text each."""
    messages = pa.StructArray.from_arrays([pa.nulls(len(texts), pa.string()), texts], ["a", "b"])
    return pa.LargeListArray.from_arrays(pa.array(range(len(texts) + 1)), messages)


def test_texts_in_lists_are_checked_in_pieces() -> None:
    """The pages of a piece are given back before the next one is read."""
    texts = pa.array([row["response"] for row in rows(400, 10_000)])
    pieces: list[int] = []
    table = pa.record_batch({"messages": nested(texts)})
    tables._validate(table, Limits(bytes=MIB), lambda: pieces.append(1))
    assert len(pieces) > 4


@pytest.mark.parametrize("offset", [0, 3])
@pytest.mark.parametrize(
    ("places", "data", "why"),
    [
        ([0, 1, 2, 3, 4, 5], b"abcd\xff", "UTF8"),
        ([0, 1, 2, 3, 90, 5], b"abcde", "out of bounds"),
        ([0, 1, 2, 4, 3, 5], b"abcde", "ffset"),
    ],
)
def test_damaged_texts_in_lists_are_found(
    offset: int, places: list[int], data: bytes, why: str
) -> None:
    buffers = [None, pa.array(places, pa.int32()).buffers()[1], pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.string(), 5, buffers)
    table = pa.record_batch({"messages": nested(texts)}).slice(offset)
    with pytest.raises(pa.ArrowInvalid, match=why):
        tables._validate(table, Limits(), lambda: None)


def test_damaged_places_of_lists_are_found() -> None:
    places = pa.array([0, 9, 2], pa.int32()).buffers()[1]
    lists = pa.Array.from_buffers(
        pa.list_(pa.string()), 2, [None, places], children=[pa.array(["a", "b"])]
    )
    with pytest.raises(pa.ArrowInvalid, match="out of bounds"):
        tables._validate(pa.record_batch({"a": lists}), Limits(), lambda: None)


@pytest.fixture
def rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed batch of 1 MiB is large in place of one of 256 MiB."""
    monkeypatch.setattr(ipc_batches, "_IN_MEMORY", MIB)
    monkeypatch.setattr(ipc_batches, "_PIECE", 64 * KIB)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_large_compressed_batch_is_read_in_pieces(
    tmp_path: Path, codec: str, rewritten: None
) -> None:
    table = pa.Table.from_pylist(rows(400, 10_000))
    path = tmp_path / "a.feather"
    pf.write_feather(table, path, compression=codec)
    assert path.stat().st_size < MIB
    assert read_in_pieces(path) == table.to_pylist()
    assert import_rollouts(path, tmp_path / "run", model="m").num_samples().sum() == 400


def test_a_file_of_problems_may_have_a_large_compressed_batch(
    tmp_path: Path, rewritten: None
) -> None:
    table = pa.Table.from_pylist(rows(400, 10_000))
    path = tmp_path / "a.arrow"
    pf.write_feather(table, path)
    assert [row for _, row in read_rows(path)] == table.to_pylist()


COLUMNS = {
    "text": pa.array([f"{i}" * (i % 40) if i % 7 else None for i in range(300)]),
    "large text": pa.array(["z" * i for i in range(300)], pa.large_string()),
    "view": pa.array(["y" * (i % 40) for i in range(300)], pa.string_view()),
    "no bytes": pa.array([""] * 300),
    "nulls": pa.nulls(300),
    "numbers": pa.array(range(300)),
    "booleans": pa.array([i % 3 == 0 for i in range(300)]),
    "lists": pa.array([[str(i)] * (i % 5) for i in range(300)]),
    "structs": pa.array([{"a": str(i), "b": [i] * (i % 3)} for i in range(300)]),
    "dictionary": pa.array([f"v{i % 9}" * 50 for i in range(300)]).dictionary_encode(),
    "dictionaries in lists": pa.array(
        [[f"w{i % 4}"] for i in range(300)], pa.list_(pa.dictionary(pa.int32(), pa.string()))
    ),
}


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("codec", ["lz4", "zstd", None])
def test_a_rewritten_batch_holds_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, codec: str | None
) -> None:
    monkeypatch.setattr(ipc_batches, "_IN_MEMORY", -1)
    table = pa.table(COLUMNS)
    # The second piece adds to the dictionary: as a delta in a file, instead of it in a stream.
    more = pa.array([f"v{i % 9}" * 50 for i in range(300)] + ["new"]).dictionary_encode()
    more = table.set_column(table.schema.get_field_index("dictionary"), "dictionary", more[1:])
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=kind == "file")
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as out, new(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=130)
        writer.write_table(more if kind == "stream" else table)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = list(ipc_batches.IpcBatches(mapped, stream=kind == "stream"))
    assert [batch.num_rows for batch in found] == [130, 130, 40, 300]
    for batch in found:
        batch.validate(full=True)
    wanted = [*table.to_pylist(), *(more if kind == "stream" else table).to_pylist()]
    assert pa.concat_tables(
        [pa.Table.from_batches([batch]) for batch in found]
    ).to_pylist() == wanted  # fmt: skip


def with_length(path: Path, stated: int) -> None:
    """Changes the length that the longest buffer of a file with one batch states."""
    data = bytearray(path.read_bytes())
    (message,) = ipc_messages(lambda at, n: bytes(data[at : at + n]), len(data), stream=False)
    buffer = max(message.buffers, key=lambda buffer: buffer.plain)
    data[buffer.at - 8 : buffer.at] = stated.to_bytes(8, "little", signed=True)
    path.write_bytes(data)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda length: length + 1, "a buffer ends 1 bytes before"),
        (lambda length: length - 1, "a buffer has more than"),
        (lambda length: length + (100 << 20), "a buffer ends 104857600 bytes before"),
        (lambda length: 1 << 62, "refused: .* expand to 4,611,.* or more"),
        (lambda length: -2, "states to have -2 bytes"),
    ],
)
def test_a_buffer_that_lies_about_its_length_is_refused(
    tmp_path: Path, rewritten: None, codec: str, change: Callable[[int], int], why: str
) -> None:
    path = tmp_path / "a.feather"
    table = pa.Table.from_pylist(rows(400, 10_000))
    pf.write_feather(table, path, compression=codec)
    response = table["response"].combine_chunks()
    with_length(path, change(len(response.buffers()[2])))
    with pytest.raises(InvalidInputError, match=rf"a\.feather: .*{why}"):
        import_rollouts(path, tmp_path / "run", model="m")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_compressed_batch_that_is_a_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewritten: None
) -> None:
    path = tmp_path / "a.feather"
    table = pa.Table.from_pylist([{**row, "more": "x" * 40_000} for row in rows(1000)])
    pf.write_feather(table, path, compression="zstd")
    assert import_rollouts(path, tmp_path / "run", model="m").num_samples().sum() == 1000
    monkeypatch.setattr(expansion, "FREE_BYTES", 8 * MIB)
    assert path.stat().st_size * expansion.MAX_RATIO < 40 * 1000 * 1000
    monkeypatch.setattr(ipc_batches.tempfile, "TemporaryFile", None)  # nothing is decompressed
    with pytest.raises(InvalidInputError, match=r"a\.feather: refused: .* expand to 40,\d+,\d+"):
        import_rollouts(path, tmp_path / "run2", model="m")


def test_dictionaries_beside_many_batches_are_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewritten: None
) -> None:
    """The dictionaries of a file are written once for each of its large batches."""
    monkeypatch.setattr(expansion, "FREE_BYTES", 8 * MIB)
    texts = pa.array(["x" * (2 << 20)]).dictionary_encode()
    table = pa.concat_tables([pa.table({"question": texts, "response": ["a"]})] * 10)
    path = tmp_path / "a.feather"
    pf.write_feather(table.unify_dictionaries(), path, compression="zstd", chunksize=1)
    monkeypatch.setattr(expansion, "MAX_RATIO", 1)
    with pytest.raises(InvalidInputError, match="where each batch is read with its dictionaries"):
        import_rollouts(path, tmp_path / "run", model="m")


def test_the_largest_sample_index_takes_no_memory() -> None:
    """16 MiB were held for each problem with one large index."""
    names = [f"p{i}" for i in range(1000)]
    ids = pa.array(names)
    index = KeyIndex(ids)
    largest = pa.array([MAX_SAMPLE_INDEX] * 1000, pa.int32())
    table = pa.table({"problem_id": ids, "sample_index": largest})
    assert index.add(table).all()
    assert sum(keys.nbytes + bits.nbytes for keys, bits in index._sorted) == 16_000
    assert not index.add(table).any()
    assert index.counts().tolist() == [1] * 1000
    assert index.gaps()[0] == ("p0", MAX_SAMPLE_INDEX)
    assert index.contains(table).all()


def test_keys_are_those_of_a_set() -> None:
    rng = np.random.default_rng(3)
    ids = pa.array([f"p{i}" for i in range(7)])
    index, seen = KeyIndex(ids), set()
    for size in rng.integers(1, 40, 60).tolist():
        keys = [(f"p{rng.integers(7)}", int(rng.integers(200))) for _ in range(size)]
        table = pa.table({"problem_id": [k[0] for k in keys],
                          "sample_index": pa.array([k[1] for k in keys], pa.int32())})  # fmt: skip
        assert index.contains(table).tolist() == [key in seen for key in keys]
        new = []
        for key in keys:
            new.append(key not in seen)
            seen.add(key)
        assert index.is_new(table).tolist() == new
        index.add(table)
    for number in range(7):
        held = {k for name, k in seen if name == f"p{number}"}
        missing, _ = index.missing(number, np.array([100]))
        assert missing.tolist() == [k for k in range(100) if k not in held]
    assert index.counts().sum() == len(seen)
    gaps = {
        n: max(h) + 1 - len(h) for n in ids.to_pylist() if (h := {k for a, k in seen if a == n})
    }
    assert dict(index.gaps()) == {name: gap for name, gap in gaps.items() if gap}

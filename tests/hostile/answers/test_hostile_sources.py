"""Files of problems from strangers: damage is an error that names the file, bombs are refused."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlvr_fast import expansion
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.rows import iterate_rows

MIB = 1 << 20
ROWS = [{"question": f"What is {n}?", "answer": str(n), "more": [n, None]} for n in range(40)]


def write_jsonl(path: Path) -> None:
    path.write_text("".join(f'{{"question": "q{n}", "answer": {n}}}\n' for n in range(40)))


def write_gzip(path: Path) -> None:
    rng = random.Random(1)
    lines = [f'{{"question": "q{n}", "answer": "{rng.random()}"}}\n' for n in range(400)]
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def write_zstd(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(b'{"question": "q", "answer": "1"}\n' * 40)


def write_csv(path: Path) -> None:
    path.write_text('question,answer\r\n"a\nb",1\r\nc,2\r\n')


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)


def write_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.jsonl": write_jsonl,
    "a.jsonl.gz": write_gzip,
    "a.jsonl.zst": write_zstd,
    "a.csv": write_csv,
    "a.parquet": write_parquet,
    "file.arrow": write_arrow,
    "stream.arrow": write_stream,
}


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_bytes_give_rows_or_an_error_that_names_the_file(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path)
    data, rng = path.read_bytes(), random.Random(15)
    refused = []
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice((None, None, rng.randrange(len(damaged))))])
        try:
            list(iterate_rows(path))
        except InvalidInputError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert [message for message in refused if name not in message] == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_number_of_many_digits_is_named(name, tmp_path):
    path = tmp_path / name
    row = '{"question": "q", "answer": ' + "9" * 5000 + "}"
    path.write_text(f"[{row}]" if name == "a.json" else row)
    with pytest.raises(InvalidInputError, match=rf"{name}.*4300 digits"):
        load_task(f"math:{path}")


@pytest.mark.parametrize("number", ["9" * 5000, "0", "-1", "1e3", "\u00b2"])
def test_an_answer_space_is_a_number(number, tmp_path):
    write_jsonl(tmp_path / "a.jsonl")
    with pytest.raises(InvalidInputError, match="answer_space should be"):
        load_task(f"math:{tmp_path / 'a.jsonl'}?answer_space={number}")


def test_an_arrow_file_reads_no_memory_of_the_process(tmp_path):
    """The offsets of a text are numbers of the file: one points far behind its bytes."""
    path = tmp_path / "a.arrow"
    write_arrow(path)
    data = path.read_bytes()
    offset = int(sum(len(row["question"]) for row in ROWS)).to_bytes(4, "little")
    before, found, behind = data.rpartition(offset)
    assert found
    path.write_bytes(before + (1 << 30).to_bytes(4, "little") + behind)
    with pytest.raises(InvalidInputError, match=r"a\.arrow"):
        load_task(f"math:{path}")


def repeated(value: str, times: int) -> pa.Table:
    indices = pa.array([0] * times, pa.int32())
    question = pa.DictionaryArray.from_arrays(indices, pa.array([value]))
    return pa.table({"question": question, "answer": [str(n) for n in range(times)]})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.parquet", "file.arrow", "stream.arrow", "a.jsonl.gz"])
def test_a_small_file_that_expands_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(expansion, "FREE_BYTES", 8 * MIB)
    monkeypatch.setattr("rlvr_fast.ipc_sizes.FREE_BYTES", 8 * MIB)
    path = tmp_path / name
    table = repeated("x" * 65536, 200)
    if name == "a.parquet":
        pq.write_table(table, path, compression="zstd", use_dictionary=["question"])
    elif name == "a.jsonl.gz":
        row = b'{"question": "' + b"x" * 65536 + b'", "answer": %d}\n'
        path.write_bytes(gzip.compress(b"".join(row % n for n in range(200)), mtime=0))
    else:
        new = pa.ipc.new_file if name == "file.arrow" else pa.ipc.new_stream
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(path), "wb") as out, new(out, table.schema, options=options) as writer:
            writer.write_table(table)
    assert path.stat().st_size * expansion.MAX_RATIO < 13 * MIB
    with pytest.raises(InvalidInputError, match=rf"{name}: refused: .* expand"):
        load_task(f"math:{path}")
    monkeypatch.undo()
    assert len(load_task(f"math:{path}").problems()) == 200

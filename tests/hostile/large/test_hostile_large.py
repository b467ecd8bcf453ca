"""Files that expand, runs of many parts, and parts larger than the memory that a stage may take."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from memory_peak import Peak

from rlvr_fast import expansion
from rlvr_fast.answers import grade_run
from rlvr_fast.doctor.run import examine_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store import Run, completion_keys, import_rollouts, small_parts
from rlvr_fast.store import parts as part_files
from rlvr_fast.store.readers.batch import Limits
from rlvr_fast.store.readers.containers import open_container
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.schemas import ANSWERS, GRADES, PROBLEMS, SAMPLES, SCORES

MIB = 1 << 20
TEXT = "x" * 3_000_000
ROWS = 1000


def rollouts(number: int, size: int = 0) -> Iterator[dict[str, str]]:
    for index in range(number):
        end = f"The answer is \\boxed{{{index % 5}}}."
        yield {
            "id": f"p{index % 20}",
            "question": f"What is {index % 20} mod 5?",
            "answer": str(index % 5),
            "response": f"Draw {index}. ".ljust(max(size - len(end), 0), "-") + end,
        }


def coded(values: list[str], places: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(values))


def repeated(rows: int = ROWS) -> pa.Table:
    """3 GB of one text, as a dictionary."""
    zeros = np.zeros(rows, np.int32)
    return pa.table(
        {
            "question": coded(["What is 1 + 1?"], zeros),
            "answer": coded(["2"], zeros),
            "response": coded([TEXT], zeros),
        }
    )


def listed() -> pa.Table:
    """100 rows of 100 completions of 300 KB each."""
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(0, 10_001, 100), pa.int32()),
        coded([TEXT[:300_000]], np.zeros(10_000, np.int32)),
    )
    return pa.table({"question": ["1?"] * 100, "answer": ["2"] * 100, "responses": lists})


# -- sources that expand ---------------------------------------------------------------------------


def write_parquet(path: Path) -> None:
    pq.write_table(repeated(), path, compression="zstd")


def write_lists(path: Path) -> None:
    pq.write_table(listed(), path, compression="zstd", store_schema=False)


def write_feather(path: Path) -> None:
    pf.write_feather(repeated(), path, compression="zstd")


def write_stream(path: Path) -> None:
    table = repeated()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def write_spooled(path: Path) -> None:
    write_parquet(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.parametrize(
    "write", [write_parquet, write_lists, write_feather, write_stream, write_spooled]
)
def test_a_small_file_of_three_gigabytes_is_refused(tmp_path: Path, write) -> None:
    """Each of them took more than 3 GB, or as long as it takes to write them out again."""
    path = tmp_path / "rollouts.bin"
    write(path)
    assert path.stat().st_size < 4 * MIB
    with Peak() as peak, pytest.raises(InvalidInputError, match=r"rollouts\.bin: refused: .*bytes"):
        import_rollouts(path, tmp_path / "run", model="m")
    assert peak.bytes < 200 * MIB
    assert not (tmp_path / "run").exists()


def plain_page(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([*rollouts(3, 9 * MIB)]), path, use_dictionary=False,
                   compression="zstd")  # fmt: skip


def shared_prefixes(path: Path) -> None:
    table = pa.Table.from_pylist([*rollouts(40, 256 << 10)])
    coding = dict.fromkeys(table.column_names, "DELTA_BYTE_ARRAY")
    pq.write_table(table, path, use_dictionary=False, compression="zstd", column_encoding=coding)


def run_lengths(path: Path) -> None:
    table = pa.table({"response": pa.nulls(3_000_000, pa.string()), "n": np.zeros(3_000_000, int)})
    pq.write_table(table, path, compression="zstd")


def compressed_batch(path: Path) -> None:
    pf.write_feather(pa.Table.from_pylist([*rollouts(3, 9 * MIB)]), path, compression="zstd")


def compressed_stream(path: Path) -> None:
    table = pa.Table.from_pylist([*rollouts(3, 9 * MIB)])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


@pytest.mark.parametrize(
    "write", [plain_page, shared_prefixes, run_lengths, compressed_batch, compressed_stream]
)
def test_other_ways_to_expand(tmp_path: Path, monkeypatch, write) -> None:
    """The same with a limit of 8 MiB in place of 1 GiB, so that the files are made quickly."""
    monkeypatch.setattr(expansion, "FREE_BYTES", 8 * MIB)
    path = tmp_path / "rollouts.bin"
    write(path)
    assert path.stat().st_size < MIB // 8
    with pytest.raises(InvalidInputError, match=r"rollouts\.bin: refused: .*bytes"):
        import_rollouts(path, tmp_path / "run", model="m")


def test_sizes_in_the_footer_are_not_believed(tmp_path: Path) -> None:
    """A footer that states 8 KB instead of 3 GB."""
    path = tmp_path / "rollouts.parquet"
    write_parquet(path)
    with pq.ParquetFile(path) as parquet:
        assert parquet.metadata.row_group(0).total_byte_size < 4 * MIB
    with pytest.raises(InvalidInputError, match=r"expand to 3,0\d\d,\d\d\d,\d\d\d"):
        import_rollouts(path, tmp_path / "run", model="m")


def test_one_row_of_a_small_compressed_file_is_small(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(expansion, "FREE_VALUE_BYTES", MIB)
    path = tmp_path / "rollouts.jsonl.gz"
    rows = [*rollouts(3)]
    rows[1]["response"] = "y" * (20 * MIB)
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
    run = import_rollouts(path, tmp_path / "run", model="m")
    assert run.num_samples().sum() == 2
    left_out = run.read_json("import.json")["left_out"]
    assert any("longer than" in why for why in left_out), left_out


def test_honest_repeats_are_read(tmp_path: Path) -> None:
    """A model at temperature 0: 500 draws of one text of 20 KB in a file of some KB."""
    rows = [{**row, "response": "z" * 20_000} for row in rollouts(500)]
    path = tmp_path / "rollouts.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
    assert path.stat().st_size < 40_000
    run = import_rollouts(path, tmp_path / "run", model="m")
    assert run.num_samples().sum() == 500


# -- parts that expand -----------------------------------------------------------------------------


def bomb(path: Path, schema: pa.Schema, column: str, keys: list[str], rows: int = ROWS) -> None:
    """A table of a schema with 3 GB in one column, stored as a dictionary."""
    columns = {}
    for field in schema:
        if field.metadata:
            continue  # optional
        if field.name == column:
            columns[column] = coded([TEXT], np.zeros(rows, np.int32))
        elif field.name == "problem_id":
            columns["problem_id"] = [keys[row % len(keys)] for row in range(rows)]
        elif field.name == "sample_index":
            columns["sample_index"] = pa.array(range(1000, 1000 + rows), pa.int32())
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            columns[field.name] = pa.array([0] * rows, field.type)
        elif pa.types.is_list(field.type):
            columns[field.name] = pa.array([[]] * rows, field.type)
        else:
            word = {"finish_reason": "stop", "status": "found", "verdict": "correct"}
            columns[field.name] = [word.get(field.name, "{}")] * rows
    stored = pa.schema([f.remove_metadata() for f in schema if not f.metadata])
    about = base64.b64encode(stored.serialize().to_pybytes())
    table = pa.table(columns)
    options = {"compression": "zstd", "store_schema": False, "write_page_checksum": True}
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"ARROW:schema": about})
    with pq.ParquetFile(path) as parquet:
        assert parquet.schema_arrow.field(column).type == schema.field(column).type


@pytest.fixture
def graded(tmp_path: Path) -> Run:
    run = import_rollouts([*rollouts(40)], tmp_path / "run", model="m")
    grade_run(run)
    return run


def ids(run: Run) -> list[str]:
    return run.problems()["problem_id"].to_pylist()


@pytest.mark.parametrize(
    ("file", "schema", "column"),
    [
        ("samples/part-000001.parquet", SAMPLES, "text"),
        ("answers/part-000001.parquet", ANSWERS, "answer"),
        ("grades.parquet", GRADES, "canonical"),
        ("problems.parquet", PROBLEMS, "prompt"),
    ],
)
def test_a_table_of_a_run_that_expands_is_refused(
    graded: Run, file: str, schema: pa.Schema, column: str
) -> None:
    bomb(graded.path / file, schema, column, ids(graded))
    said = rf"{Path(file).name}: .*expand to 3,0\d\d,\d\d\d,\d\d\d"
    with Peak() as peak:
        if file == "grades.parquet":
            with pytest.raises(RunDirectoryError, match=said):
                graded.read_table("grades.parquet")
        else:
            with pytest.raises(RunDirectoryError, match=said):
                grade_run(Run.open(graded.path))
        found = [f for f in examine_run(graded.path) if f["level"] == "error"]
    assert any("expand to 3,0" in f["message"] for f in found), found
    assert peak.bytes < 300 * MIB


def test_scores_that_expand_are_refused(graded: Run) -> None:
    """Run-length encoded numbers: a list of 300 million zeros in some KB."""
    folder = graded.path / "scores" / "base"
    folder.mkdir(parents=True)
    number = 20_000
    schema = pa.schema([f.remove_metadata() for f in SCORES if not f.metadata])
    lists = pa.ListArray.from_arrays(
        pa.array([0, number * 400], pa.int32()), pa.array(np.zeros(number * 400, np.float32))
    )
    row = {"problem_id": [ids(graded)[0]], "sample_index": [0], "num_tokens": [1]}
    row |= {"logprob": [0.0], "mean_entropy": [0.0]}
    table = pa.table(row).cast(schema).append_column("token_logprobs", lists)
    pq.write_table(table, folder / "part-000000.parquet", compression="zstd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expansion, "FREE_BYTES", 8 * MIB)
        with pytest.raises(RunDirectoryError, match=r"part-000000\.parquet: refused"):
            list(graded.iter_parts("scores/base"))


# -- windows of bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "feather", "jsonl", "json", "csv"])
def test_batches_are_cut_by_bytes(tmp_path: Path, kind: str) -> None:
    """1000 short rows before 250 rows of 40 KB: the first ones say nothing of the others.

    The rows of the Parquet file repeat, so that its footer says nothing of them either; they were
    decoded together.
    """
    rows = [*rollouts(1000), *({**r, "response": "z" * 40_000} for r in rollouts(250))]
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "feather":
        pf.write_feather(pa.Table.from_pylist(rows), path, chunksize=100)
    elif kind == "csv":
        import csv

        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) if kind == "jsonl" else f"[{','.join(lines)}]")
    found = 0
    for batch in open_container(SourceFile(str(path), path)).batches(Limits(bytes=MIB)):
        found += len(batch)
        if batch.table is not None:
            assert batch.table.get_total_buffer_size() < 5 * MIB
        else:
            assert sum(len(row["response"]) for row in batch.rows()) < 2 * MIB
    assert found == 1250


def test_a_large_part_is_read_in_pieces(tmp_path: Path, monkeypatch) -> None:
    """It was read as a whole by grade, and by doctor with all other parts of the run."""
    run = import_rollouts([*rollouts(400, 40_000)], tmp_path / "run", model="m")
    (file,) = run.parts("samples")
    table = pq.read_table(file)
    pq.write_table(table, file, compression="zstd", row_group_size=len(table))
    monkeypatch.setattr(part_files, "PIECE_BYTES", MIB)
    sizes = []
    plain = part_files.joined_pieces

    def spied(*args):
        for joined in plain(*args):
            sizes.append(joined.rows.get_total_buffer_size())
            yield joined

    monkeypatch.setattr(small_parts, "joined_pieces", spied)
    grades = grade_run(Run.open(run.path))
    assert sum(grades["count"].to_pylist()) == 400
    read = Run.open(run.path).read("samples")
    assert read.equals(table.select(read.column_names))
    assert len(sizes) > 16
    assert max(sizes) < 3 * MIB


# -- many parts ------------------------------------------------------------------------------------


def split(run: Run, number: int) -> None:
    """Makes `number` parts of two rows each."""
    (part,) = run.parts("samples")
    table = pq.read_table(part)
    part.unlink()
    for place in range(number):
        file = part.with_name(f"part-{place:06d}.parquet")
        pq.write_table(table.slice(2 * place, 2), file, write_page_checksum=True)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, of Python and of C: a count that no machine changes."""
    count = 0

    def counted(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def grow(tmp_path: Path, work: Callable[[Run], object], stage: str = "samples") -> None:
    """The calls for 400 parts more than 200 are about twice those for 200 more than 100."""
    found = []
    for number in (100, 100, 200, 400):  # the first one loads modules
        path = tmp_path / f"{len(found)}"
        run = import_rollouts([*rollouts(2 * number)], path, model="m")
        split(run, number)
        run = Run.open(path)
        found.append(calls(lambda run=run: work(run)))
    _, first, second, third = found
    assert third - second < 2.5 * (second - first), found


def test_grading_many_parts_is_linear(tmp_path: Path) -> None:
    """At each part the sizes of all waiting parts were added up."""
    grow(tmp_path, grade_run)


def test_doctor_on_many_parts_is_linear(tmp_path: Path) -> None:
    """Each file of a folder was looked for in the list of all parts."""
    grow(tmp_path, lambda run: examine_run(run.path))


def test_opening_and_reading_many_parts_is_linear(tmp_path: Path) -> None:
    def read(run: Run) -> None:
        opened = Run.open(run.path)
        opened.num_samples()
        completion_keys(opened, opened.problems()["problem_id"].combine_chunks())

    grow(tmp_path, read)


@pytest.mark.slow
def test_appending_parts_is_linear(tmp_path: Path, monkeypatch) -> None:
    """All parts were listed, and asked for their time and size, before each new one."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)

    def append(run: Run) -> None:
        table = run.read("samples")
        number = len(run.parts("samples"))
        with run.writing():
            for place in range(number):
                rows = table.slice(place, 1)
                index = pa.array([100_000 + place], pa.int32())
                at = rows.column_names.index("sample_index")
                run.append("samples", rows.set_column(at, "sample_index", index))

    grow(tmp_path, append)


def test_small_parts_are_joined(tmp_path: Path) -> None:
    run = import_rollouts([*rollouts(200)], tmp_path / "run", model="m")
    whole = run.read("samples")
    split(run, 100)
    run = Run.open(run.path)
    tables = [table for _, table in run.iter_parts("samples")]
    assert len(tables) == 1
    assert tables[0].equals(whole.combine_chunks())


def test_the_order_of_parts_does_not_depend_on_the_folder(tmp_path: Path, monkeypatch) -> None:
    """Two names may have one number, and a folder lists its files in any order."""
    names = [f"part-{number}.parquet" for number in ("0000000", "000000", "000001", "00000001")]
    folder = tmp_path / "samples"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    wanted = sorted(names, key=lambda name: (int(name[5:-8]), name))
    for order in (names, names[::-1]):
        monkeypatch.setattr(Path, "iterdir", lambda self, order=order: (self / n for n in order))
        found = part_files.stage_parts(tmp_path, "samples")
        assert [part.name for part in found] == wanted


def test_digits_of_other_scripts_name_no_part(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    name = "part-\u0660\u0660\u0660\u0660\u0660\u0661.parquet"
    (folder / name).touch()
    with pytest.raises(RunDirectoryError, match=f"{name}: not a part of this stage"):
        part_files.stage_parts(tmp_path, "samples")

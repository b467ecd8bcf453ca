"""Rollouts that are damaged, ambiguous or hostile: an error that helps, or a note in the run."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rollout_layouts import LAYOUTS, PROBLEMS, Study
from rollout_layouts.files import plain_rows
from rollout_layouts.study import write_jsonl
from rollout_layouts.zips import write_zip

from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.store import ImportOptions, Run, import_rollouts
from rlvr_fast.vocabulary import NO_GOLD

RL = Study("rl")


def refused(sources: list[Any], out: Path, **options: Any) -> str:
    with pytest.raises(InvalidInputError) as caught:
        import_rollouts(sources, out, ImportOptions(**options))
    assert not (out / "run.json").exists()
    return str(caught.value)


def outcome(sources: list[Any], out: Path) -> Run | str:
    """The run, or the message of the error."""
    try:
        return import_rollouts(sources, out)
    except RlvrError as error:
        return str(error)


def rows_of(tmp_path: Path, rows: list[dict[str, Any]], name: str = "a.jsonl") -> Path:
    return write_jsonl(tmp_path / name, rows)


def without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in keys}


def test_an_unknown_format_names_the_keys_and_a_field_option(tmp_path: Path) -> None:
    rows = [{"zeta": p.question, "eta_text": d.text} for p, _, d in RL]
    message = refused([rows_of(tmp_path, rows)], tmp_path / "run")
    for part in ("zeta", "eta_text", "--field", "completion"):
        assert part in message


@pytest.mark.parametrize("name", ["metrics.jsonl", "config.json", "results.csv"])
def test_files_that_hold_no_rollouts(name: str, tmp_path: Path) -> None:
    content = {
        "metrics.jsonl": '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n',
        "config.json": '{"model": "x", "lr": 1}',
        "results.csv": "step,acc\n1,0.5\n",
    }[name]
    (tmp_path / name).write_text(content)
    assert name in refused([tmp_path / name], tmp_path / "run")
    message = refused([tmp_path], tmp_path / "run")
    assert name in message


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"{}", b"\x00\x01\x02\xff", b"hello\n"])
def test_files_without_rows(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert "a.jsonl" in refused([tmp_path / "a.jsonl"], tmp_path / "run")


def test_missing_sources(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "nothing.jsonl" in refused([tmp_path / "nothing.jsonl"], tmp_path / "run")
    assert "no-*.jsonl" in refused([str(tmp_path / "no-*.jsonl")], tmp_path / "run")
    assert "empty" in refused([tmp_path / "empty"], tmp_path / "run")


@pytest.mark.parametrize("more", [{}, {"step": 1, "advantage": 0.5}])
def test_two_rewards_without_an_obvious_one_are_named(more: dict[str, Any], tmp_path: Path) -> None:
    rows = [
        {
            **more,
            "prompt": p.question,
            "completion": d.text,
            "first_reward": float(d.right),
            "second_reward": float(n % 2),
        }
        for p, n, d in RL
    ]
    file = tmp_path / "completions_00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    done = outcome([file], tmp_path / "run")
    said = done
    if isinstance(done, Run):
        assert set(done.read("samples").to_pydict().get("verdict", [None])) == {None}
        said = (done.path / "import.json").read_text()
    assert "first_reward" in said
    assert "second_reward" in said


def test_neither_gold_nor_verdict_says_the_two_ways(tmp_path: Path) -> None:
    from rlvr_fast.answers import GradeOptions, grade_run

    rows = [without(r, "answer", "correct") for r in plain_rows(RL)]
    run = import_rollouts([rows_of(tmp_path, rows)], tmp_path / "run")
    with pytest.raises(InvalidInputError) as caught:
        grade_run(run)
    assert "--problems" in str(caught.value)
    assert "verdict" in str(caught.value)
    with pytest.raises(InvalidInputError, match="verdict"):
        grade_run(run, GradeOptions(verdicts="imported"))


def with_gold(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**without(row, "answer"), "ground_truth": row["answer"]} for row in rows]


def test_contradicting_golds_are_named_by_row(tmp_path: Path) -> None:
    rows = with_gold(plain_rows(RL))
    rows[6]["ground_truth"] = "77"
    message = refused([rows_of(tmp_path, rows)], tmp_path / "run")
    assert "77" in message
    assert "gold" in message
    assert "a.jsonl" in message
    assert re.search(r"row 7\b", message)


def test_a_field_that_may_be_the_models_answer_is_no_gold(tmp_path: Path) -> None:
    """`answer` names the gold in some files, the model's answer in others."""
    rows = plain_rows(RL)
    for row, (_, _, draw) in zip(rows, RL, strict=True):
        row["answer"] = draw.answer or ""
    run = import_rollouts([rows_of(tmp_path, rows)], tmp_path / "run")
    assert set(run.problems()["gold"].to_pylist()) == {None}
    assert "'answer'" in (run.path / "import.json").read_text()


def test_contradicting_golds_of_two_files(tmp_path: Path) -> None:
    rows = with_gold(plain_rows(RL))
    first = rows_of(tmp_path, rows, "one.jsonl")
    second = rows_of(tmp_path, [{**rows[0], "ground_truth": "77"}], "two.jsonl")
    message = refused([first, second], tmp_path / "run")
    assert "two.jsonl" in message
    assert "77" in message


def test_a_draw_key_that_stands_twice(tmp_path: Path) -> None:
    rows = [{**r, "sample_index": n % 4} for n, r in enumerate(plain_rows(RL))]
    rows[9]["sample_index"] = 0
    file = rows_of(tmp_path, rows)
    named = {"sample_index": "sample_index"}
    message = refused([file], tmp_path / "named", fields=named)
    assert "a.jsonl" in message
    assert "row 10" in message
    # A field that the user does not name may number something else: it is told.
    done = outcome([file], tmp_path / "run")
    said = (done.path / "import.json").read_text() if isinstance(done, Run) else done
    assert "sample_index" in said


def test_two_models_in_one_run(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    first = rows_of(tmp_path, [{**r, "model": "org/one"} for r in rows], "one.jsonl")
    second = rows_of(tmp_path, [{**r, "model": "org/two"} for r in rows], "two.jsonl")
    message = refused([first, second], tmp_path / "run")
    assert "org/one" in message
    assert "org/two" in message


def test_one_question_under_two_ids_is_reported(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    rows += [{**r, "id": 99} for r in rows[:4]]
    run = import_rollouts([rows_of(tmp_path, rows)], tmp_path / "run")
    assert len(run.problems()) == len(PROBLEMS) + 1
    note = json.loads((run.path / "import.json").read_text())
    assert "99" in str(note["notes"])


def test_one_id_with_two_questions(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    rows[2]["question"] = "Quite another question: what is 5 plus 5?"
    message = refused([rows_of(tmp_path, rows)], tmp_path / "run")
    assert "question" in message
    assert "row 3" in message


def test_the_same_bytes_under_two_names_count_once(tmp_path: Path) -> None:
    for name in ("a.jsonl", "copy of a.jsonl"):
        write_jsonl(tmp_path / "runs" / name, plain_rows(RL))
    done = outcome([tmp_path / "runs"], tmp_path / "run")
    if isinstance(done, Run):
        assert done.num_samples().tolist() == [4, 4, 4, 4]
        done = (done.path / "import.json").read_text()
    assert "copy of a.jsonl" in done


def test_problems_without_a_gold_are_named_or_graded_without(tmp_path: Path) -> None:
    from rlvr_fast.answers import grade_run

    case = LAYOUTS["golds_missing_for_a_problem"](tmp_path, RL)
    run = import_rollouts(case.sources, tmp_path / "run")
    rows = grade_run(run).to_pylist()
    without = {row["problem_id"]: row["verdict"] for row in rows if row["grader"] == NO_GOLD}
    assert set(without.values()) == {"error"}
    assert any(name.endswith("31") for name in without)
    others = [row for row in rows if row["problem_id"] not in without]
    assert {"correct", "incorrect"} <= {row["verdict"] for row in others}


def test_checkpoints_of_one_training_are_not_draws_of_one_model(tmp_path: Path) -> None:
    """Verl writes a file a step; several steps in one run are said, or refused."""
    from rollout_layouts.trainers import verl_rows

    for step in (20, 40):
        rows = [{**row, "step": step} for row in verl_rows(RL)]
        write_jsonl(tmp_path / "val" / f"{step}.jsonl", rows)
    done = outcome([tmp_path / "val"], tmp_path / "run")
    said = done
    if isinstance(done, Run):
        said = str(json.loads((done.path / "import.json").read_text())["notes"])
    assert "step" in said or "checkpoint" in said


def test_the_same_out_with_other_bytes(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    file = rows_of(tmp_path, rows)
    import_rollouts([file], tmp_path / "run")
    again = import_rollouts([file], tmp_path / "run")
    assert again.num_samples().tolist() == [4, 4, 4, 4]
    rows[0]["response"] = "another text \\boxed{42}"
    rows_of(tmp_path, rows)
    with pytest.raises(InvalidInputError) as caught:
        import_rollouts([file], tmp_path / "run")
    assert "a.jsonl" in str(caught.value)


def test_strict_refuses_what_would_be_left_out(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    rows[4]["response"] = None
    file = rows_of(tmp_path, rows)
    assert "row 5" in refused([file], tmp_path / "strict", strict=True)
    with file.open("a") as out:
        out.write('{"id": 7')
    rows[4]["response"] = "x"
    import_rollouts([file], tmp_path / "run")


@pytest.mark.parametrize(
    "broken",
    [
        '{"id": 7, "question": ',
        "[1, 2",
        "null",
        "7",
        '"text"',
        '{"id": 7}} ',
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_a_broken_row_in_the_middle_is_counted(broken: str, tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in plain_rows(RL)]
    lines.insert(7, broken)
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "latin-1")
    run = import_rollouts([tmp_path / "a.jsonl"], tmp_path / "run")
    assert run.num_samples().tolist() == [4, 4, 4, 4]
    assert sum(json.loads((run.path / "import.json").read_text())["left_out"].values()) == 1


def test_bytes_that_are_not_utf8_and_lone_surrogates(tmp_path: Path) -> None:
    lines = [json.dumps(row).encode() for row in plain_rows(RL)]
    lines[0] = lines[0].replace(b"checked twice", b"checked \xff twice")
    lines[5] = lines[5].replace(b"checked twice", b"checked \\ud83d twice")
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    # Either such a text is kept with a replacement character, or its row is left out and counted.
    run = import_rollouts([tmp_path / "a.jsonl"], tmp_path / "run")
    note = json.loads((run.path / "import.json").read_text())
    assert int(run.num_samples().sum()) + sum(note["left_out"].values()) == 16


@pytest.mark.parametrize("number", ["9" * 30, "1" + "0" * 5000, "-1", "1e400", "NaN", "Infinity"])
def test_numbers_out_of_range(number: str, tmp_path: Path) -> None:
    """Huge numbers as id, gold or index neither crash nor change other rows."""
    for key in ("id", "answer", "sample_index", "reward"):
        lines = [json.dumps(without(row, "correct")) for row in plain_rows(RL)]
        extra = {"id": 500, "question": "Another one?", "response": "x", "answer": 1}
        text = json.dumps({**extra, key: "NUMBER"}).replace('"NUMBER"', number)
        (tmp_path / "a.jsonl").write_text("\n".join([*lines, text]) + "\n")
        done = outcome([tmp_path / "a.jsonl"], tmp_path / f"run {key}")
        if isinstance(done, Run):
            assert int(done.num_samples().sum()) in (16, 17)
        else:
            assert "a.jsonl" in done
            assert len(done) < 2000


@pytest.mark.parametrize("depth", [50, 200, 5000, 200_000])
@pytest.mark.parametrize("place", ["answer", "extra"])
def test_deep_nesting(depth: int, place: str, tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in plain_rows(RL)]
    deep = "[" * depth + "]" * depth
    extra = json.dumps({**plain_rows(RL)[0], "id": 500, "question": "Other?", place: "DEEP"})
    lines.insert(3, extra.replace('"DEEP"', deep))
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    done = outcome([tmp_path / "a.jsonl"], tmp_path / "run")
    if isinstance(done, Run):
        assert int(done.num_samples().sum()) in (16, 17)
    else:
        assert "row 4" in done


def test_long_lines_are_read(tmp_path: Path) -> None:
    rows = plain_rows(RL)
    rows[3]["response"] = "x" * 3_000_000 + rows[3]["response"]
    rows[5]["response"] = "é" * 1_000_000 + rows[5]["response"]
    run = import_rollouts([rows_of(tmp_path, rows)], tmp_path / "run")
    assert max(map(len, run.read("samples")["text"].to_pylist())) > 3_000_000


# --- hostile containers -------------------------------------------------------------------------


def limited(sources: list[str], out: Path, megabytes: int = 1600, seconds: int = 60) -> str:
    """Imports in a process with little memory; returns the error, or "imported"."""
    code = (
        "import sys\n"
        "from rlvr_fast.errors import RlvrError\n"
        "from rlvr_fast.store import import_rollouts\n"
        "import pyarrow, pyarrow.parquet\n"
        "import resource\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        f"limit = used + {megabytes} * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try:\n"
        "    import_rollouts(sys.argv[2:], sys.argv[1])\n"
        "except RlvrError as error:\n"
        "    print(type(error).__name__, error)\n"
        "else:\n"
        "    print('imported')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(out), *sources],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


BOMB = 1300 << 20


def _deflated(size: int, head: bytes = b"") -> bytes:
    """A deflate stream of `head` and spaces, `size` bytes and a few."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block of the stream may stand any number of times.
    block = squeeze.compress(b" " * (1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return first + block * (size >> 20) + squeeze.flush()


def _bomb(path: Path, size: int, says: int) -> Path:
    """A zip whose one member inflates to `size` bytes and claims `says`."""
    packed = _deflated(size, b'{"response": "')
    name = b"a.jsonl"
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x5A21, 0, len(packed), says, len(name), 0)
    body = b"PK\x03\x04" + common + name + packed
    directory = b"PK\x01\x02" + struct.pack("<H", 20) + common
    directory += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


@pytest.mark.parametrize("says", [BOMB, 100])
@pytest.mark.slow
def test_a_zip_bomb_is_refused(says: int, tmp_path: Path) -> None:
    bomb = _bomb(tmp_path / "bomb.zip", BOMB, says)
    assert "bomb.zip" in limited([str(bomb)], tmp_path / "run")


@pytest.mark.slow
def test_a_gzip_bomb_of_one_line_is_refused(tmp_path: Path) -> None:
    data = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03" + _deflated(BOMB, b'{"a": "')
    (tmp_path / "bomb.jsonl.gz").write_bytes(data + struct.pack("<II", 0, BOMB))
    assert "bomb.jsonl.gz" in limited([str(tmp_path / "bomb.jsonl.gz")], tmp_path / "run")


def test_a_zip_of_very_many_members(tmp_path: Path) -> None:
    members = [(f"{n}.jsonl", b"") for n in range(30_000)]
    write_zip(tmp_path / "many.zip", members, 0)
    assert "many.zip" in limited([str(tmp_path / "many.zip")], tmp_path / "run")


def test_members_that_overlap_or_are_cut_off(tmp_path: Path) -> None:
    data = "".join(json.dumps(r) + "\n" for r in plain_rows(RL)).encode()
    whole = write_zip(tmp_path / "whole.zip", [("a.jsonl", data)], 8).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    assert "cut.zip" in refused([tmp_path / "cut.zip"], tmp_path / "run")
    broken = bytearray(whole)
    broken[200] ^= 0xFF
    (tmp_path / "broken.zip").write_bytes(bytes(broken))
    assert "broken.zip" in refused([tmp_path / "broken.zip"], tmp_path / "run2")


@pytest.mark.parametrize(
    "name", ["../../escaped.jsonl", "/escaped.jsonl", "C:\\escaped.jsonl", "a/../../escaped.jsonl"]
)
def test_names_inside_an_archive_never_become_paths(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "deep" / "er"
    data = "".join(json.dumps(r) + "\n" for r in plain_rows(RL)).encode()
    write_zip(inside / "a.zip", [(name, data), ("good.jsonl", data)], 8)
    outcome([inside / "a.zip"], tmp_path / "run")
    assert [p for p in tmp_path.rglob("*") if "escaped" in p.name] == []
    assert not Path("/escaped.jsonl").exists()


class Executed:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


@pytest.mark.parametrize("name", ["a.pkl", "a.jsonl", "a.pt", "a.bin"])
def test_a_pickle_is_never_loaded(name: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / name).write_bytes(pickle.dumps({"samples": [Executed(trap)]}))
    assert name in refused([tmp_path / name], tmp_path / "run")
    assert not trap.exists()


def test_a_torch_file_of_objects_is_never_executed(tmp_path: Path) -> None:
    import torch

    trap = tmp_path / "trap"
    torch.save({"rollout_id": 0, "samples": [Executed(trap)]}, tmp_path / "a.pt")
    assert "a.pt" in refused([tmp_path / "a.pt"], tmp_path / "run")
    assert not trap.exists()


def test_yaml_constructs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "object.yaml").write_text(
        f"- question: !!python/object/apply:builtins.exec ['open({str(trap)!r}, \"w\")']\n"
        "  response: x\n"
    )
    assert "object.yaml" in refused([tmp_path / "object.yaml"], tmp_path / "run")
    assert not trap.exists()


def test_yaml_aliases_do_not_explode(tmp_path: Path) -> None:
    levels = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text(
        "\n".join(levels) + "\nquestion: q\nsamples: *a11\ngt_answer: '1'\n"
    )
    assert "bomb.yaml" in limited([str(tmp_path / "bomb.yaml")], tmp_path / "run2", seconds=20)


def test_a_damaged_parquet_or_arrow_file(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(plain_rows(RL))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    data = buffer.getvalue()
    (tmp_path / "cut.parquet").write_bytes(data[:-40])
    (tmp_path / "noise.parquet").write_bytes(b"PAR1" + b"\x00" * 300 + b"PAR1")
    (tmp_path / "cut.arrow").write_bytes(b"ARROW1\x00\x00" + b"\x01" * 50)
    for name in ("cut.parquet", "noise.parquet", "cut.arrow"):
        assert name in refused([tmp_path / name], tmp_path / f"run {name}")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.jsonl"])
def test_a_compressed_stream_that_ends_early(name: str, tmp_path: Path) -> None:
    data = "".join(json.dumps(r) + "\n" for r in plain_rows(RL)).encode()
    if name.endswith(".gz"):
        packed = gzip.compress(data)
    else:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        packed = sink.getvalue().to_pybytes()
    (tmp_path / name).write_bytes(packed[: len(packed) * 2 // 3])
    # What came before the end may be imported, then with a count; never silently.
    done = outcome([tmp_path / name], tmp_path / "run")
    if isinstance(done, Run):
        assert sum(json.loads((done.path / "import.json").read_text())["left_out"].values()) >= 1
    else:
        assert name in done


def test_links_and_pipes_in_a_folder_do_not_hang(tmp_path: Path) -> None:
    import os

    home = tmp_path / "files"
    write_jsonl(home / "a.jsonl", plain_rows(RL))
    (home / "loop").symlink_to(home)
    (home / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(home / "pipe.jsonl")
    assert "imported" in limited([str(home)], tmp_path / "run")


def test_standard_input(tmp_path: Path) -> None:
    data = "".join(json.dumps(r) + "\n" for r in plain_rows(RL))
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast", "import", "-", "--out", str(tmp_path / "run")],
        input=data,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Run.open(tmp_path / "run").num_samples().tolist() == [4, 4, 4, 4]


def test_memory_does_not_grow_with_one_row_of_many_draws(tmp_path: Path) -> None:
    row = {"question": "q?", "answer": "1", "responses": ["\\boxed{1} " * 20] * 40_000}
    write_jsonl(tmp_path / "a.jsonl", [row])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = import_rollouts([tmp_path / "a.jsonl"], tmp_path / "run")
    assert run.num_samples().tolist() == [40_000]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10

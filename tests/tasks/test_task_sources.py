"""Tasks from files in the layouts of others, from folders, and from the cache of the Hub."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import warnings

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task

ROWS = [{"id": i, "question": f"{i} + 1?", "answer": str(i + 1)} for i in range(3)]


def verl_row(index, question, gold, **extra):
    """A row as verl's examples/data_preprocess/gsm8k.py writes it."""
    return {
        "data_source": "openai/gsm8k",
        "prompt": [{"role": "user", "content": question}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"split": "test", "index": index, "question": question[:5], **extra},
    }


def write_parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def facts(task):
    return [(p.problem_id.partition("/")[2], p.question, p.gold) for p in task.problems()]


WANTED = [("0", "0 + 1?", "1"), ("1", "1 + 1?", "2"), ("2", "2 + 1?", "3")]


def test_verl_parquet_is_read_as_it_is(tmp_path):
    rows = [verl_row(i, f"{i} + 1?", str(i + 1)) for i in range(3)]
    task = load_task(f"math:{write_parquet(tmp_path / 'test.parquet', rows)}")
    assert facts(task) == WANTED
    assert "answer=reward_model.ground_truth&id=extra_info.index&question=prompt" in task.spec
    assert load_task(task.spec).problems() == task.problems()


def test_lists_of_golds_may_be_json_text(tmp_path):
    golds = ['["34"]', '["1", "2"]', "[1, 2]", '["unclosed', ["5", "6"]]
    rows = [verl_row(i, f"{i}?", gold) for i, gold in enumerate(golds)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = load_task(f"math:{tmp_path}/p.jsonl").problems()
    assert [p.gold for p in problems] == ["34", "1, 2", "[1, 2]", '["unclosed', "5, 6"]
    assert [p.metadata.get("multiple_answers", False) for p in problems] == [0, 1, 0, 0, 1]


def test_rows_that_repeat_are_one_problem_and_said_once(tmp_path):
    rows = [verl_row(f"uuid-{i}", f"{i} + 1?", str(i + 1)) for i in range(20)] * 100
    path = write_parquet(tmp_path / "dapo-math-17k.parquet", rows)
    with pytest.warns(UserWarning, match="1,980 of 2,000 rows repeat.*20 problems") as said:
        task = load_task(f"math:{path}")
    assert len(said) == 1
    assert [p.problem_id for p in task.problems()] == [f"dapo-math-17k/uuid-{i}" for i in range(20)]
    assert [p.metadata["index"] for p in task.problems()] == list(range(20))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (verl_row(7, "1 + 1?", "3"), "row 2: id '7' stands in row 1 too, with another gold .*'2'"),
        (verl_row(7, "1 + 2?", "2"), "row 2: id '7' stands in row 1 too, with another question"),
    ],
)
def test_rows_that_contradict_are_named(tmp_path, second, said):
    path = write_parquet(tmp_path / "p.parquet", [verl_row(7, "1 + 1?", "2"), second])
    with pytest.raises(InvalidInputError, match=said):
        load_task(f"math:{path}")
    # Two data sets in one file number their rows alike: the rows may be numbered instead.
    assert [p.problem_id for p in load_task(f"math:{path}?id=").problems()] == ["p/0", "p/1"]


def test_without_ids_a_repeated_row_is_one_problem(tmp_path):
    rows = [{"question": "1 + 1?", "answer": "2"}, {"question": "2?", "answer": "2"}]
    path = write_parquet(tmp_path / "p.parquet", [rows[0], rows[0], rows[1]])
    with pytest.warns(UserWarning, match="1 of 3 rows repeat"):
        task = load_task(f"math:{path}")
    assert facts(task) == [("0", "1 + 1?", "2"), ("2", "2?", "2")]


def test_paths_and_chat_lists_may_be_named(tmp_path):
    row = {
        "chat": {
            "turns": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "q"}]
        },
        "meta": [{"gold": ["1", "2"], "key": 5.0}],
    }
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    options = "question=chat.turns&answer=meta[0].gold&id=meta[0].key"
    with pytest.warns(UserWarning, match="messages before the last user message"):
        task = load_task(f"math:{tmp_path}/p.jsonl?{options}")
    assert facts(task) == [("5", "q", "1, 2")]
    assert task.problems()[0].metadata["multiple_answers"] is True
    with pytest.raises(InvalidInputError, match=r"they have: chat\.turns, meta"):
        load_task(f"math:{tmp_path}/p.jsonl?question=chat.turn&answer=meta[0].gold")


def test_the_fields_of_later_rows_count(tmp_path):
    rows = [
        {"question": "1 + 1?", "answer": "2", "id": 1},
        {"question": "2?", "id": 2, "gold": "2"},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InvalidInputError, match="row 2: missing gold answer: no field 'answer'"):
        load_task(f"math:{tmp_path}/p.jsonl")
    rows[0]["answer"], rows[0]["gold"] = None, "2"
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [p.gold for p in load_task(f"math:{tmp_path}/p.jsonl").problems()] == ["2", "2"]


def zstd(data):
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


def arrow(make):
    out = pa.BufferOutputStream()
    table = pa.Table.from_pylist(ROWS)
    with make(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue().to_pybytes()


LINES = "".join(json.dumps(row) + "\r\n" for row in ROWS).encode()
CSV = b"id,question,answer\n" + b"".join(b'%d,"%d + 1?",%d\n' % (i, i, i + 1) for i in range(3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("p.jsonl.zst", zstd(LINES)),
        ("p.jsonl", gzip.compress(LINES, mtime=0)),  # the content decides
        ("p.txt", LINES),
        ("p.jsonl", b"\xef\xbb\xbf" + LINES),
        ("p.json", json.dumps(ROWS, indent=2).encode()),
        ("p.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("p.jsonl", json.dumps(ROWS).encode()),
        ("p.csv", CSV),
        ("p.csv", b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n")),
        ("p.csv.gz", gzip.compress(CSV, mtime=0)),
        ("p.tsv", CSV.replace(b",", b"\t")),
        ("p.arrow", arrow(pa.ipc.new_file)),
        ("p.arrow", arrow(pa.ipc.new_stream)),
    ],
)
def test_containers(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert facts(load_task(f"math:{tmp_path}/{name}")) == WANTED
    assert load_task(f"math:{tmp_path}/{name}").name == "p"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9], "cannot be read"),
        ("p.jsonl.zst", zstd(LINES)[:-9], "cannot be read|not JSON|expected one JSON"),
        ("p.json", json.dumps(ROWS).encode()[:-2], "not a JSON array.*at character"),
        ("p.json", b"[[1]]", "row 1: expected a JSON object, got a list"),
        ("p.json", b"[" * 100_000, "nested too deep|not a JSON array"),
        ("p.csv", b"id,question,answer\n1,a,2,3\n", "row 1: 4 values, but the first line names 3"),
        ("p.csv", b"id,question,answer\n1,\xff,2\n", "row 1: not readable as CSV"),
        ("p.csv", b"id,question,answer\n1,a,\n", "row 1: missing gold answer"),
        ("p.arrow", b"ARROW1 and no more", "not a readable Arrow file"),
        ("p.zip", b"PK\x03\x04....", "a zip archive; unpack it"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"{name}.*({said})"):
        load_task(f"math:{tmp_path}/{name}")


def test_a_folder_of_shards_is_one_task(tmp_path):
    folder = tmp_path / "gsm"
    for number in (10, 9):  # natural order: 9 stands before 10
        row = {"question": f"shard {number}?", "answer": str(number)}
        write_parquet(folder / f"part-{number}.parquet", [row])
    (folder / "README.md").write_text("---\n---\n")
    (folder / "dataset_infos.json").write_text("{}")
    task = load_task(f"math:{folder}")
    assert task.name == "gsm"
    assert [p.gold for p in task.problems()] == ["9", "10"]
    write_parquet(folder / "part-10.parquet", [{"question": "other?", "answer": "10"}])
    with pytest.raises(InvalidInputError, match="the file has changed"):
        load_task(task.spec)


def test_splits_of_a_folder_are_kept_apart(tmp_path):
    for split in ("train", "test"):
        write_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet", ROWS[:2])
    with pytest.raises(InvalidInputError, match=r"several splits \(data/test.*data/train.*test\*"):
        load_task(f"math:{tmp_path}")
    task = load_task(f"math:{tmp_path}/data/test*")
    assert facts(task) == WANTED[:2]
    assert task.name == "test"
    with pytest.raises(InvalidInputError, match="no file matches"):
        load_task(f"math:{tmp_path}/data/dev*")


def test_options_of_the_hub_are_refused_for_files(tmp_path):
    with pytest.raises(
        InvalidInputError, match="'split' is for data sets named hf://ORG/NAME only"
    ):
        load_task(f"math:{tmp_path}/p.jsonl?split=test")


# The Hub itself is never asked: the layout is that of the cache of huggingface_hub.
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train-*.parquet}
  - {split: test, path: main/test-*.parquet}
- config_name: hard
  data_files:
  - {split: test, path: hard.parquet}
---
"""


@pytest.fixture
def hub(tmp_path):
    """A cache with one data set of two configurations, and a call of load_task beside it."""
    pytest.importorskip("datasets", reason="the package datasets is not installed")
    repository = tmp_path / "hub" / "datasets--acme--sums"
    snapshot = repository / "snapshots" / COMMIT
    for split, rows in (("train", [verl_row(0, "0?", "0")]), ("test", [verl_row(**VERL)])):
        write_parquet(snapshot / "main" / f"{split}-00000-of-00001.parquet", rows)
    write_parquet(snapshot / "hard.parquet", ROWS)
    (snapshot / "README.md").write_text(CARD)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)

    def load(*specs):
        """Of each spec, the lines that say its task or its error; one process loads all."""
        code = (
            "import sys\n"
            "from rlvr_fast.errors import RlvrError\n"
            "from rlvr_fast.tasks import load_task\n"
            "for spec in sys.argv[1:]:\n"
            "    print('=', spec)\n"
            "    try:\n"
            "        task = load_task(spec)\n"
            "        print(task.spec)\n"
            "        for p in task.problems(): print(p.problem_id, p.question, p.gold, sep='|')\n"
            "    except RlvrError as error:\n"
            "        print(type(error).__name__, error)\n"
        )
        environment = {
            **os.environ,
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_DATASETS_CACHE": str(tmp_path / "datasets"),
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *specs], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return [part.splitlines()[1:] for part in done.stdout.split("= ")[1:]]

    return load


VERL = {"index": 4, "question": "2 + 2?", "gold": "4"}


@pytest.mark.slow
def test_a_data_set_of_the_hub_is_a_task(hub):
    pinned = (
        "math:hf://acme/sums?answer=reward_model.ground_truth&config=main&id=extra_info.index"
        f"&question=prompt&revision={COMMIT}&split=test"
    )
    first, again, hard = hub(
        "math:hf://acme/sums?config=main&split=test",
        pinned,
        f"math:hf://datasets/acme/sums@{COMMIT}?config=hard",
    )
    assert first == again == [pinned, "sums/4|2 + 2?|4"]
    assert "split=test" in hard[0]  # the only split
    assert hard[1:] == ["sums/0|0 + 1?|1", "sums/1|1 + 1?|2", "sums/2|2 + 1?|3"]


def test_errors_about_the_hub_say_what_there_is(hub):
    said = {
        "acme/sums?split=test": "several configs. Name one with ?config=NAME: main, hard",
        "acme/sums?config=main": "several splits. Name one with ?split=NAME: train, test",
        "acme/sums?config=mian&split=test": "no config 'mian'. Did you mean 'main'?",
        "acme/sums?config=main&split=tset": "no split 'tset'. Did you mean 'test'?",
        "acme/products?split=test": "no data set ORG/NAME of this name and revision 'main'",
        f"acme/sums?revision={'f' * 40}": "or is in the cache",
        "acme/../sums?split=test": "no data set ORG/NAME",
        "acme/sums?sha256=1": "'sha256' is for files only",
    }
    lines = hub(*(f"math:hf://{spec}" for spec in said))
    for (line,), part in zip(lines, said.values(), strict=True):
        assert line.startswith("InvalidInputError")
        assert part in line


def test_a_loading_script_is_not_run(hub, tmp_path):
    repository = tmp_path / "hub" / "datasets--acme--script"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for name in ("script", COMMIT):
        (snapshot / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    ((line,),) = hub("math:hf://acme/script?split=test")
    assert "cannot read it" in line
    assert not (tmp_path / "ran").exists()


def test_a_plain_file_warns_of_nothing(tmp_path):
    (tmp_path / "p.jsonl").write_bytes(LINES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_task(f"math:{tmp_path}/p.jsonl")

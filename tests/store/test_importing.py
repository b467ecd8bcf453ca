"""Import of finished completions into a run directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlvr_fast.answers import grade_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store import Fields, Run, import_rollouts, verify

ROOT = Path(__file__).parents[2]
ROLLOUTS = Path(os.environ.get("RLVR_SHARED", ROOT / ".." / "shared")) / "rollouts/math_50x8.jsonl"
FLAT = {"completion": "text", "gold": "gold", "problem_id": "id"}


def write(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flat(problem: str, text: str, **more) -> dict:
    return {"id": problem, "question": f"Q{problem}", "gold": "1", "text": text, **more}


def test_rows_with_one_completion_each(tmp_path):
    rows = [flat("a", "x"), flat("b", "y\u0000é"), flat("a", ""), flat("a", "x")]
    source = write(tmp_path / "in.jsonl", rows)
    run = import_rollouts(source, tmp_path / "run", model="m", fields=FLAT)
    table = run.read("samples").to_pylist()
    assert [(r["problem_id"], r["sample_index"], r["text"]) for r in table] == [
        ("a", 0, "x"),
        ("b", 0, "y\u0000é"),
        ("a", 1, ""),
        ("a", 2, "x"),
    ]
    assert run.num_samples().tolist() == [3, 1]
    assert run.problems()["gold"].to_pylist() == ["1", "1"]
    assert run.info.model["name"] == "m"
    assert run.info.sampling["temperature"] is None
    assert [f for f in verify(run.path) if f.level != "info"] == []


def test_jsonl_parquet_and_table_give_the_same_run(tmp_path):
    rows = [flat("a", "x"), flat("b", "y")]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "in.parquet")
    runs = [
        import_rollouts(source, tmp_path / name, model="m", fields=Fields(**FLAT))
        for name, source in (
            ("jsonl", write(tmp_path / "in.jsonl", rows)),
            ("parquet", tmp_path / "in.parquet"),
            ("table", table),
        )
    ]
    assert len({str(run.read("samples").to_pylist()) for run in runs}) == 1
    assert len({str(run.problems().to_pylist()) for run in runs}) == 1


def test_token_ids_and_indices_of_the_rows_are_kept(tmp_path):
    rows = [
        flat("a", "x y", ids=[7, 8], n=3, why="length"),
        flat("a", "z", ids=None, n=1, why=None),
    ]
    source = write(tmp_path / "in.jsonl", rows)
    fields = {**FLAT, "token_ids": "ids", "sample_index": "n", "finish_reason": "why"}
    run = import_rollouts(
        source, tmp_path / "run", model="m", fields=fields, tokenize=lambda text: [ord(text[0])]
    )
    table = run.read("samples").to_pylist()
    assert [(r["sample_index"], r["token_ids"], r["finish_reason"]) for r in table] == [
        (3, [7, 8], "length"),
        (1, [ord("z")], "stop"),
    ]
    assert run.problems()["prompt_token_ids"].to_pylist() == [[ord("Q")]]


def test_fields_of_the_expected_names_are_read_unless_left_out(tmp_path):
    rows = [
        {"question": "Q", "completion": "1", "problem_id": f"p{n}", "gold": 1, "sample_index": 7}
        for n in range(2)
    ]
    table = pa.Table.from_pylist(rows)
    run = import_rollouts(table, tmp_path / "run", model="m")
    assert run.problems()["problem_id"].to_pylist() == ["p0", "p1"]
    assert run.problems()["gold"].to_pylist() == ["1", "1"]
    assert run.read("samples")["sample_index"].to_pylist() == [7, 7]
    without = dict.fromkeys(("gold", "problem_id", "sample_index"))
    run = import_rollouts(table, tmp_path / "without", model="m", fields=without)
    assert run.problems()["gold"].to_pylist() == [None]
    assert run.read("samples")["sample_index"].to_pylist() == [0, 1]
    other = table.append_column("answer", pa.array(["3", "3"]))
    run = import_rollouts(other, tmp_path / "other", model="m", fields={"gold": "answer"})
    assert run.problems()["gold"].to_pylist() == ["3", "3"]
    with pytest.raises(InvalidInputError, match="every row needs a completion"):
        import_rollouts(table, tmp_path / "none", model="m", fields={"completion": None})


def test_without_ids_the_question_identifies_the_problem(tmp_path):
    rows = [{"question": q, "completion": "1"} for q in ("one", "two", "one")]
    run = import_rollouts(pa.Table.from_pylist(rows), tmp_path / "run", model="m")
    assert run.num_samples().tolist() == [2, 1]


def test_interrupted_import_resumes(tmp_path, monkeypatch):
    import rlvr_fast.store.importing as importing

    monkeypatch.setattr(importing, "ROWS_PER_PART", 2)
    source = write(tmp_path / "in.jsonl", [flat(str(i % 3), f"t{i}") for i in range(7)])
    whole = import_rollouts(source, tmp_path / "whole", model="m", fields=FLAT)
    run = import_rollouts(source, tmp_path / "run", model="m", fields=FLAT)
    run.parts("samples")[1].unlink()
    again = import_rollouts(source, tmp_path / "run", model="m", fields=FLAT)

    def rows(run: Run) -> list:
        return sorted(map(str, run.read("samples").to_pylist()))

    assert rows(again) == rows(whole)
    with pytest.raises(RunDirectoryError, match="model m at no revision and n"):
        import_rollouts(source, tmp_path / "run", model="n", fields=FLAT)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"row 2: not JSON"),
        ("[1]", r"row 2: expected a JSON object, got list"),
        (flat("a", 5), r"row 2: expected text in 'text', got int"),
        ({"id": "a", "question": "Qa", "gold": "1"}, r"row 2: no field 'text'"),
        (flat("a", "\ud800"), r"row 2: the text in 'text' is not valid Unicode"),
        (flat("a", None), r"row 2: the field 'text' is null"),
        ({**flat("a", "x"), "question": "other"}, r"row 2: problem 'a' has another question"),
        ({**flat("a", "x"), "gold": "2"}, r"row 2: problem 'a' has another gold"),
        ({**flat("a", "x"), "gold": [1]}, r"row 2: expected text or a number in 'gold'"),
        ({**flat("a", "x"), "id": ""}, r"row 2: the problem id"),
        (flat("a", "x", ids=["7"]), r"row 2: expected token ids"),
        (flat("a", "x", n=0), r"row 2: problem 'a' has sample_index 0 twice"),
        (flat("a", "x", n=-1), r"row 2: expected an index"),
        (flat("a", "x", why="abort"), r"row 2: expected 'stop' or 'length'.*'abort'"),
        (flat("a", ["x", "y"]), r"row 2: expected 'ids' to be a list of 2"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path, row, message):
    extra = {"ids": [1], "n": 0, "why": "stop"}
    file = tmp_path / "in.jsonl"
    second = row if isinstance(row, str) else json.dumps({**extra, "n": 1, **row})
    file.write_text(json.dumps(flat("a", "fine", **extra)) + "\n" + second + "\n")
    fields = {**FLAT, "token_ids": "ids", "sample_index": "n", "finish_reason": "why"}
    with pytest.raises(InvalidInputError, match=r"in\.jsonl, " + message):
        import_rollouts(file, tmp_path / "run", model="m", fields=fields)
    assert not (tmp_path / "run").exists()


def test_invalid_source_is_named(tmp_path):
    for name, content, message in (
        ("none.jsonl", None, "no such file"),
        ("in.csv", b"a,b", r"expected a \.jsonl or \.parquet"),
        ("in.parquet", b"PAR1", "not readable as Parquet"),
        ("empty.jsonl", b"\n", "no rows"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match=message):
            import_rollouts(tmp_path / name, tmp_path / "run", model="m")
    with pytest.raises(InvalidInputError, match=r"expected fields among .*got 'prompts'"):
        import_rollouts(tmp_path / "x", tmp_path / "run", model="m", fields={"prompts": "x"})


def test_published_rollouts_with_one_row_for_each_problem(tmp_path):
    if not ROLLOUTS.exists():
        pytest.skip(f"needs the shared rollouts ({ROLLOUTS}); set RLVR_SHARED")
    fields = {"completion": "response", "gold": "gt", "problem_id": "idx"}
    run = import_rollouts(ROLLOUTS, tmp_path / "run", model="qwen", fields=fields)
    source = [json.loads(line) for line in ROLLOUTS.read_text().splitlines()]
    texts = [text for row in source for text in row["response"]]
    assert run.read("samples")["text"].to_pylist() == texts
    assert run.num_samples().tolist() == [8] * 50
    assert run.problems()["gold"].to_pylist() == [row["gt"] for row in source]
    assert run.info.tasks[0]["spec"].endswith("?question=question&answer=gt&id=idx")


def test_two_imports_of_the_same_problems_are_comparable(tmp_path):
    """The completions of two models are in two files."""
    from rlvr_fast.store import differences

    fields = {"completion": "response", "gold": "answer"}
    runs = []
    for name, gold in (("base", "2"), ("rl", "2"), ("other", "3")):
        file = tmp_path / f"{name}.jsonl"
        file.write_text(json.dumps({"question": "1 + 1?", "answer": gold, "response": "2"}))
        runs.append(import_rollouts(file, tmp_path / name, model=name, fields=fields))
    assert differences(runs[0], runs[1]) == []
    assert [d.kind for d in differences(runs[0], runs[2])] == ["problems"]


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ("math:elsewhere/a.jsonl?answer=gt&sha256=12", False),
        ("math:elsewhere/a.jsonl?answer=gt&sha256=34", True),
        ("math:elsewhere/a.jsonl?answer=gold&sha256=12", True),
        ("code:a.jsonl?answer=gt&sha256=12", True),
    ],
)
def test_a_task_file_may_move_but_not_change(tmp_path, spec, refused):
    def make(spec):
        rows = pa.table({"question": ["1?"], "completion": ["1"]})
        return import_rollouts(
            rows, tmp_path / "run", model="m", tasks=[{"name": "imported", "spec": spec}]
        )

    make("math:a.jsonl?answer=gt&sha256=12")
    if refused:
        with pytest.raises(RunDirectoryError, match="tasks"):
            make(spec)
    else:
        make(spec)


def test_an_imported_table_can_be_graded(tmp_path):
    rows = pa.table({"question": ["1+1?"], "completion": [[r"\boxed{2}", "3"]], "gold": ["2"]})
    run = import_rollouts(rows, tmp_path / "run", model="m")
    grades = grade_run(run)
    assert dict(zip(grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True)) == {
        "correct": 1,
        "unparsed": 1,
    }


def test_progress_of_an_import(tmp_path):
    rows = pa.table({"question": ["1?", "2?"], "completion": [["1", "x", "y"], ["2"]]})
    seen = []
    import_rollouts(rows, tmp_path / "run", model="m", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("import", 4, 4)


def test_imports_in_two_orders_are_comparable(tmp_path):
    from rlvr_fast.store import differences

    questions, golds = ["1 + 1?", "1 + 2?", "1 + 3?"], ["2", "3", "4"]
    rows = pa.table({"question": questions, "completion": golds, "gold": golds})
    runs = [
        import_rollouts(table, tmp_path / name, model=name, fields={"gold": "gold"})
        for name, table in (
            ("base", rows),
            ("rl", rows.take([2, 0, 1])),
            ("fewer", rows.take([2, 0])),
        )
    ]
    assert runs[0].problems()["gold"].to_pylist() != runs[1].problems()["gold"].to_pylist()
    assert differences(runs[0], runs[1]) == []
    assert [d.kind for d in differences(runs[0], runs[2])] == ["problems"]

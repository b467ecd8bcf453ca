"""Import of finished completions into a run directory: what a row means, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlvr_fast.answers import grade_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store import (
    ImportOptions,
    Run,
    differences,
    import_rollouts,
    preview_rollouts,
    verify,
)

ROOT = Path(__file__).parents[2]
ROLLOUTS = Path(os.environ.get("RLVR_SHARED", ROOT / ".." / "shared")) / "rollouts/math_50x8.jsonl"
FLAT = ImportOptions(fields={"completion": "text", "gold": "gold", "problem_id": "id"})


def write(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flat(problem: str, text: str, **more) -> dict:
    return {"id": problem, "question": f"Q{problem}", "gold": "1", "text": text, **more}


def rows_of(run: Run) -> list[dict]:
    return run.read("samples").to_pylist()


def test_rows_with_one_completion_each(tmp_path):
    rows = [flat("a", "x"), flat("b", "y\u0000é\u2028z"), flat("a", ""), flat("a", "x")]
    source = write(tmp_path / "in.jsonl", rows)
    run = import_rollouts(source, tmp_path / "run", FLAT, model="m")
    assert [(r["problem_id"], r["sample_index"], r["text"]) for r in rows_of(run)] == [
        ("a", 0, "x"),
        ("b", 0, "y\u0000é\u2028z"),
        ("a", 1, ""),
        ("a", 2, "x"),
    ]
    assert run.num_samples().tolist() == [3, 1]
    assert run.problems()["gold"].to_pylist() == ["1", "1"]
    assert run.info.model["name"] == "m"
    assert run.info.sampling["temperature"] is None
    assert {r["finish_reason"] for r in rows_of(run)} == {"unknown"}
    assert run.read_json("import.json")["repeated_draws"] == 1
    assert [f for f in verify(run.path) if f.level != "info"] == []
    assert sorted(p.name for p in run.path.iterdir() if not p.name.startswith(".l")) == [
        "import.json",
        "problems.parquet",
        "run.json",
        "samples",
    ]


def test_jsonl_parquet_table_and_rows_give_the_same_run(tmp_path):
    rows = [flat("a", "x"), flat("b", "y")]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "in.parquet")
    runs = [
        import_rollouts(source, tmp_path / name, FLAT, model="m")
        for name, source in (
            ("jsonl", write(tmp_path / "in.jsonl", rows)),
            ("parquet", tmp_path / "in.parquet"),
            ("table", table),
            ("rows", rows),
        )
    ]
    assert len({str(rows_of(run)) for run in runs}) == 1
    assert len({str(run.problems().to_pylist()) for run in runs}) == 1


def test_token_ids_indices_reasons_and_logprobs_of_the_rows_are_kept(tmp_path):
    rows = [
        flat("a", "x y", ids=[7, 8], n=3, why="length", logs=[-0.5, -0.25]),
        flat("a", "z", ids=None, n=1, why=None, logs=None),
    ]
    source = write(tmp_path / "in.jsonl", rows)
    options = ImportOptions(
        fields={
            **FLAT.fields,
            "token_ids": "ids",
            "sample_index": "n",
            "finish_reason": "why",
            "logprobs": "logs",
        }
    )
    run = import_rollouts(
        source, tmp_path / "run", options, model="m", tokenize=lambda text: [ord(text[0])]
    )
    assert [(r["sample_index"], r["token_ids"], r["finish_reason"]) for r in rows_of(run)] == [
        (3, [7, 8], "length"),
        (1, [ord("z")], "unknown"),
    ]
    assert run.problems()["prompt_token_ids"].to_pylist() == [[ord("Q")]]
    scores = run.read("scores/sampler").to_pylist()
    assert [(s["sample_index"], s["num_tokens"], s["logprob"]) for s in scores] == [(3, 2, -0.75)]
    assert scores[0]["token_logprobs"] == [-0.5, -0.25]
    assert [f for f in verify(run.path) if f.level == "error"] == []


def test_a_role_is_left_out_by_an_empty_field(tmp_path):
    rows = [
        {"question": "Q", "completion": "1", "problem_id": f"p{n}", "gold": 1, "sample_index": 7}
        for n in range(2)
    ]
    stated = ImportOptions(fields={"problem_id": "problem_id", "sample_index": "sample_index"})
    run = import_rollouts(rows, tmp_path / "run", stated, model="m")
    assert run.problems()["problem_id"].to_pylist() == ["p0", "p1"]
    assert run.problems()["gold"].to_pylist() == ["1", "1"]
    assert run.read("samples")["sample_index"].to_pylist() == [7, 7]
    notes = run.read_json("import.json")["notes"]
    assert any("one question has several ids: p0, p1" in note for note in notes)
    without = ImportOptions(fields=dict.fromkeys(("gold", "problem_id", "sample_index")))
    run = import_rollouts(rows, tmp_path / "without", without, model="m")
    assert run.problems()["gold"].to_pylist() == [None]
    assert run.read("samples")["sample_index"].to_pylist() == [0, 1]
    with pytest.raises(InvalidInputError, match="every row needs a completion"):
        ImportOptions(fields={"completion": None})
    with pytest.raises(InvalidInputError, match=r"unknown role 'prompts'.*Roles: question"):
        ImportOptions(fields={"prompts": "x"})


def test_a_path_may_be_dotted_indexed_and_absent_from_the_first_rows(tmp_path):
    rows = [
        {"q": {"text": "1?"}, "resps": [["a"]]},
        {"q": {"text": "2?"}, "resps": [["b"]], "meta": {"golds": ["9"]}},
    ]
    options = ImportOptions(
        format="plain",
        fields={"question": "q.text", "completion": "resps[0][0]", "gold": "meta.golds[0]"},
    )
    run = import_rollouts(write(tmp_path / "a.jsonl", rows), tmp_path / "run", options)
    assert run.read("samples")["text"].to_pylist() == ["a", "b"]
    assert run.problems()["gold"].to_pylist() == [None, "9"]
    typo = ImportOptions(format="plain", fields={**options.fields, "gold": "meta.gold"})
    with pytest.raises(InvalidInputError, match=r"no row has a field 'meta.gold'; the rows have"):
        import_rollouts(tmp_path / "a.jsonl", tmp_path / "typo", typo)
    assert not (tmp_path / "typo").exists()


def test_without_ids_the_question_identifies_the_problem(tmp_path):
    rows = [{"question": q, "completion": "1"} for q in ("one", "two", "one ")]
    run = import_rollouts(rows, tmp_path / "run", model="m")
    assert run.num_samples().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**flat("a", "x"), "question": "other"}, r"row 2: problem 'a' has another question"),
        ({**flat("a", "x"), "gold": "2"}, r"row 2: problem 'a' has the gold '2', and '1' in .*1"),
        (flat("a", "x", n=0), r"row 2: problem 'a' has sample_index 0 twice \(also in .*row 1\)"),
        (flat("a", "x", n=-1), r"row 2: expected a sample index"),
        (flat("b", "x", model="m2"), r"row 2: completions of the model 'm2', and of 'm1' in .*1"),
    ],
)
def test_rows_that_contradict_each_other_are_named_and_nothing_is_written(tmp_path, row, message):
    first = flat("a", "fine", n=0, model="m1")
    file = write(tmp_path / "in.jsonl", [first, {"n": 1, "model": "m1", **row}])
    options = ImportOptions(fields={**FLAT.fields, "sample_index": "n"})
    with pytest.raises(InvalidInputError, match=r"in\.jsonl, " + message):
        import_rollouts(file, tmp_path / "run", options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"id": "a", "question": "Qa", "te', "JSON"),
        ("[1]", None),
        (flat("a", None), "no completion"),
        ({"id": "a", "question": "Qa", "gold": "1"}, "no completion"),
        (flat("a", "x", why="abort"), "aborted"),
        (flat("a", "x", error={"code": 500}), "failed"),
        (flat("", "x", question=None), "no question and no problem id"),
    ],
)
def test_rows_that_cannot_be_read_are_left_out_and_counted(tmp_path, row, reason):
    second = row if isinstance(row, str) else json.dumps(row)
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps(flat("a", "fine", why="stop", error=None)) + "\n" + second + "\n")
    fields = {**FLAT.fields, "finish_reason": "why", "error": "error"}
    run = import_rollouts(file, tmp_path / "run", ImportOptions(fields=fields), model="m")
    assert run.read("samples")["text"].to_pylist() == ["fine"]
    (why,) = run.read_json("import.json")["left_out"]
    assert reason is None or reason in why
    with pytest.raises(InvalidInputError, match=r"in\.jsonl, row 2: .*--strict"):
        import_rollouts(file, tmp_path / "strict", ImportOptions(fields=fields, strict=True))
    assert not (tmp_path / "strict").exists()


def test_invalid_source_is_named(tmp_path):
    (tmp_path / "in.parquet").write_bytes(b"PAR1 and no more PAR1")
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    for name in ("none.jsonl", "in.parquet", "empty.jsonl"):
        with pytest.raises(InvalidInputError, match=name):
            import_rollouts(tmp_path / name, tmp_path / "run", model="m")
    assert not (tmp_path / "run").exists()


def test_published_rollouts_with_one_row_for_each_problem(tmp_path):
    if not ROLLOUTS.exists():
        pytest.skip(f"needs the shared rollouts ({ROLLOUTS}); set RLVR_SHARED")
    run = import_rollouts(ROLLOUTS, tmp_path / "run")
    source = [json.loads(line) for line in ROLLOUTS.read_text().splitlines()]
    texts = [text for row in source for text in row["response"]]
    assert run.num_samples().tolist() == [8] * 50
    assert [t.strip() for t in run.read("samples")["text"].to_pylist()] == [
        t.strip() for t in texts
    ]
    said = [value for row in source for value in row["score"]]
    verdicts = run.read("samples")["verdict"].to_pylist()
    assert [v == "correct" for v in verdicts] == said


def test_metadata_of_rows_becomes_plain_json(tmp_path):
    deep: dict = {}
    for _ in range(3000):
        deep = {"in": deep}
    extra = {"loss": float("nan"), "when": Path("x"), "half": "\ud800", "whole": "\U0001f600"}
    rows = [
        flat("a", "x", metadata={"source": "s", **extra}),
        flat("b", "y", metadata={"deep": deep}),
    ]
    options = ImportOptions(fields={**FLAT.fields, "metadata": "metadata"})
    run = import_rollouts(rows[:1], tmp_path / "run", options)
    kept = json.loads(run.problems()["metadata"][0].as_py())
    assert (kept["source"], kept["loss"], kept["when"]) == ("s", None, "x")
    assert (kept["half"], kept["whole"]) == ("\ufffd", "\U0001f600")
    with pytest.raises(InvalidInputError, match="deep"):
        import_rollouts(rows[1:], tmp_path / "deep", options)
    assert not (tmp_path / "deep").exists()


def test_the_first_texts_are_limited_in_size(tmp_path, monkeypatch):
    import rlvr_fast.store.importing.import_pass as import_pass

    monkeypatch.setattr(import_pass, "_FIRST_SIZE", 50)
    rows = [flat("a", str(n) * 20) for n in range(9)]
    assert preview_rollouts(rows, FLAT).first_texts == ["0" * 20, "1" * 20]


def test_the_example_of_the_docstring():
    import doctest

    import rlvr_fast.store.importing.stage as stage

    done = doctest.testmod(stage)
    assert done.attempted >= 4
    assert done.failed == 0


# -- the folder ------------------------------------------------------------------------------------


def test_the_same_bytes_again_change_nothing_and_other_bytes_are_refused(tmp_path):
    source = write(tmp_path / "in.jsonl", [flat("a", "one"), flat("a", "two")])
    first = import_rollouts(source, tmp_path / "run", FLAT, model="m")
    before = [(p, p.stat().st_mtime_ns) for p in sorted(first.path.rglob("*.parquet"))]
    again = import_rollouts(source, tmp_path / "run", FLAT, model="m")
    assert [(p, p.stat().st_mtime_ns) for p in sorted(again.path.rglob("*.parquet"))] == before
    write(source, [flat("a", "one"), flat("a", "another")])
    with pytest.raises(RunDirectoryError, match=r"other rollouts: .*in\.jsonl has other bytes"):
        import_rollouts(source, tmp_path / "run", FLAT, model="m")
    assert again.read("samples")["text"].to_pylist() == ["one", "two"]
    write(source, [flat("a", "one"), flat("a", "two")])
    with pytest.raises(RunDirectoryError, match="with other options"):
        import_rollouts(source, tmp_path / "run", ImportOptions(format="plain"), model="m")


def test_rows_that_can_be_read_once_are_not_taken_for_the_same(tmp_path):
    import_rollouts(iter([flat("a", "one")]), tmp_path / "run", FLAT, model="m")
    with pytest.raises(RunDirectoryError, match="rows of an iterator cannot be compared"):
        import_rollouts(iter([flat("a", "another")]), tmp_path / "run", FLAT, model="m")
    assert Run.open(tmp_path / "run").read("samples")["text"].to_pylist() == ["one"]


def test_a_folder_with_something_else_is_refused(tmp_path):
    source = write(tmp_path / "in.jsonl", [flat("a", "one")])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    with pytest.raises(RunDirectoryError, match=r"not a run directory .*thesis\.tex"):
        import_rollouts(source, tmp_path / "run", FLAT)
    assert [p.name for p in (tmp_path / "run").iterdir() if not p.name.startswith(".l")] == [
        "thesis.tex"
    ]


@pytest.mark.slow
def test_a_killed_import_leaves_no_run_and_the_next_begins_anew(tmp_path):
    source = write(tmp_path / "in.jsonl", [flat(str(i % 3), f"t{i}" * 50) for i in range(60_000)])
    code = (
        "import os, sys, rlvr_fast.store.importing.staging as staging\n"
        "from rlvr_fast.store import ImportOptions, import_rollouts\n"
        "write = staging.write_parquet\n"
        "def then_die(file, table):\n"
        "    write(file, table)\n"
        "    os.kill(os.getpid(), 9)\n"
        "staging.write_parquet = then_die\n"
        "import_rollouts(sys.argv[1], sys.argv[2], ImportOptions(fields={'completion': 'text'}))\n"
    )
    run = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", code, str(source), str(run)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (run / "run.json").exists()
    with pytest.raises(RunDirectoryError):
        Run.open(run)
    options = ImportOptions(fields={"completion": "text"})
    made = import_rollouts(source, run, options, model="m")
    assert made.num_samples().tolist() == [20_000] * 3
    assert [f for f in verify(run) if f.level != "info"] == []
    assert not (run / ".importing").exists()


def test_a_preview_counts_the_same_and_writes_nothing(tmp_path):
    source = write(tmp_path / "in.jsonl", [flat(str(i % 3), f"t{i}") for i in range(7)])
    summary = preview_rollouts(source, FLAT)
    assert [p.draws for p in summary.problems] == [3, 2, 2]
    assert summary.draws == 7
    assert summary.first_texts == [f"t{i}" for i in range(7)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl"]


# -- several sources -------------------------------------------------------------------------------


def test_several_files_are_one_run_in_natural_order(tmp_path):
    for seed in (2, 10, 1):
        write(tmp_path / f"seed{seed}.jsonl", [flat("a", f"of {seed}"), flat("b", "x")])
    run = import_rollouts(tmp_path / "seed*.jsonl", tmp_path / "run", FLAT, model="m")
    texts = [r["text"] for r in rows_of(run) if r["problem_id"] == "a"]
    assert texts == ["of 1", "of 2", "of 10"]
    assert run.num_samples().tolist() == [3, 3]
    names = [Path(s["name"]).name for s in run.read_json("import.json")["sources"]]
    assert names == ["seed1.jsonl", "seed2.jsonl", "seed10.jsonl"]


def test_two_files_with_the_same_bytes_are_refused(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.jsonl", [flat("a", "same")])
    with pytest.raises(InvalidInputError, match=r"b\.jsonl and .*a\.jsonl hold the same bytes"):
        import_rollouts([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "run", FLAT)
    assert not (tmp_path / "run").exists()


# -- two sides -------------------------------------------------------------------------------------


def test_two_imports_of_the_same_problems_are_comparable(tmp_path):
    runs = []
    for name, gold in (("base", "2"), ("rl", "2"), ("other", "3")):
        rows = [{"question": "1 + 1?", "answer": gold, "response": "2"}]
        runs.append(import_rollouts(rows, tmp_path / name, model=name))
    assert differences(runs[0], runs[1]) == []
    assert [d.kind for d in differences(runs[0], runs[2])] == ["problems"]


def test_imports_in_two_orders_are_comparable(tmp_path):
    questions, golds = ["1 + 1?", "1 + 2?", "1 + 3?"], ["2", "3", "4"]
    rows = pa.table({"question": questions, "completion": golds, "gold": golds})
    runs = [
        import_rollouts(table, tmp_path / name, model=name)
        for name, table in (
            ("base", rows),
            ("rl", rows.take([2, 0, 1])),
            ("fewer", rows.take([2, 0])),
        )
    ]
    assert runs[0].problems()["gold"].to_pylist() != runs[1].problems()["gold"].to_pylist()
    assert differences(runs[0], runs[1]) == []
    assert [d.kind for d in differences(runs[0], runs[2])] == ["problems"]


def test_an_imported_table_can_be_graded(tmp_path):
    rows = pa.table({"question": ["1+1?"], "completion": [[r"\boxed{2}", "3"]], "gold": ["2"]})
    run = import_rollouts(rows, tmp_path / "run", model="m")
    grades = grade_run(run)
    assert dict(zip(grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True)) == {
        "correct": 1,
        "unparsed": 1,
    }


# -- verdicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "column", "verdicts"),
    [
        (None, {"acc": [1, 0, 1, 0]}, "cici"),
        (None, {"is_correct": [True, False, None, False]}, "ci?i"),
        (None, {"score": [1.0, -1.0, -1.0, 1.0]}, "ciic"),
        (None, {"score": [1.0, 0.1, 0.0, 1.0]}, "ciic"),
        ("score>=2", {"score": [3, 1, 2, 0]}, "cici"),
        ("passed", {"passed": ["pass", "fail", "pass", "timeout"]}, "cici"),
        ("info.right", {"info": [{"right": v} for v in (True, False, None, True)]}, "ci?c"),
    ],
)
def test_verdicts_that_came_along(tmp_path, given, column, verdicts):
    rows = pa.table({"question": ["1?"] * 4, "completion": ["a", "b", "c", "d"], **column})
    run = import_rollouts(rows, tmp_path / "run", ImportOptions(verdict=given))
    words = {"c": "correct", "i": "incorrect", "?": None}
    assert run.read("samples")["verdict"].to_pylist() == [words[v] for v in verdicts]
    about = run.read_json("import.json")["verdict"]
    assert about["correct"] == verdicts.count("c")
    assert about["incorrect"] == verdicts.count("i")


def test_rewards_without_an_obvious_threshold_give_no_verdict(tmp_path):
    rows = pa.table({"question": ["1?"] * 3, "completion": list("abc"), "reward": [0.3, 1.7, 2.5]})
    run = import_rollouts(rows, tmp_path / "run")
    assert run.read("samples")["reward"].to_pylist() == [0.3, 1.7, 2.5]
    about = run.read_json("import.json")
    assert about["verdict"] is None
    assert about["rewards"] == {"least": 0.3, "most": 2.5, "distinct": 3}
    assert any("--verdict 'reward>=X'" in note for note in about["notes"])


def test_progress_of_an_import(tmp_path):
    rows = pa.table({"question": ["1?", "2?"], "completion": [["1", "x", "y"], ["2"]]})
    seen = []
    import_rollouts(rows, tmp_path / "run", model="m", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("import", 4, 4)

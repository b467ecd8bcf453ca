"""Forgers who write the digests anew, and files whose faults no digest shows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs_in_parts import OPTIONS, draw, run_in_parts

from rlvr_fast.answers import GradeOptions, audit_run, grade_run
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.report import compare_runs
from rlvr_fast.store import Run, seal
from rlvr_fast.store.digests import grades_made_from, write_sealed

LAST = "part-000002.parquet"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = run_in_parts(tmp_path_factory.mktemp("graded") / "run")
    with run.writing():
        audit_run(run, 5)
    return run


@pytest.fixture
def run(graded: Run, tmp_path: Path) -> Run:
    shutil.copytree(graded.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def rewrite(file: Path, column: str, change: Callable[[list, pa.Table], list]) -> None:
    table = pq.read_table(file)
    at, field = table.column_names.index(column), table.schema.field(column)
    values = pa.array(change(table[column].to_pylist(), table), field.type)
    pq.write_table(table.set_column(at, field, values), file, write_page_checksum=True)


def document(path: Path, change: Callable[[dict], Any]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def said(path: Path) -> list[str]:
    """What doctor says that is more than a count."""
    return [f["message"] for f in examine_run(path) if f["level"] != "info"]


def errors(path: Path) -> list[str]:
    return [f["message"] for f in examine_run(path) if f["level"] == "error"]


def test_two_answers_under_one_id_beside_one_under_two(run: Run) -> None:
    """The number of ids stays that of the answers: 1003 counts as -3, 1+x takes its id."""
    ids = {r["answer"]: r["answer_id"] for r in run.read("answers").to_pylist()[::-1]
           if r["problem_id"] == "sums/0"}  # fmt: skip
    assert ids["1+x"] == ids["x + 1"]

    def change(values: list, table: pa.Table) -> list:
        texts, names = table["answer"].to_pylist(), table["problem_id"].to_pylist()
        new = {"1003": ids["-3"], "1+x": ids["1003"]}
        return [new.get(text, value) if name == "sums/0" else value
                for value, text, name in zip(values, texts, names, strict=True)]  # fmt: skip

    for file in run.parts("answers"):
        rewrite(file, "answer_id", change)
    seal(Run.open(run.path))
    assert any("answer_id" in text for text in errors(run.path))


@pytest.mark.parametrize("parts", [[LAST], [f"part-{n:06d}.parquet" for n in range(3)]])
def test_draws_without_seeds_are_named(run: Run, parts: list[str]) -> None:
    for name in parts:
        rewrite(run.path / "samples" / name, "seed", lambda values, _: [None] * len(values))
    seal(Run.open(run.path))
    assert any("have no seed" in text for text in said(run.path))
    notes = ["the engine takes no seed for each draw"]
    document(run.path / "run.json", lambda v: v["engine"].update(notes=notes))
    seal(Run.open(run.path))
    document(run.path / "audit.json", lambda v: v.pop("made_from"))
    assert not said(run.path)


def test_a_sampled_run_under_the_engine_of_imports_is_named(run: Run) -> None:
    def change(value: dict) -> None:
        value["engine"] = {"name": "imported"}
        value["requested_samples"] = None

    document(run.path / "run.json", change)
    seal(Run.open(run.path))
    assert any("where the completions" in text for text in said(run.path))


def test_graded_draws_that_look_like_a_top_up_are_named(run: Run) -> None:
    """The forger drops the answers of a part, and its digest from what was graded."""
    before = Run.open(run.path)
    grading = before.read_json("grading.json")
    made_from = grades_made_from(before)
    del made_from["samples"][LAST]
    write_sealed(before, "grading.json", {**grading, "made_from": made_from})
    assert any("does not record" in text for text in errors(run.path))
    (run.path / "answers" / LAST).unlink()
    assert errors(run.path)


def test_draws_of_a_top_up_are_named_until_they_are_graded(run: Run) -> None:
    draw(run, [("sums/0", 24)])
    assert any("1 of 73 draws are not graded yet" in text for text in said(run.path))
    grade_run(Run.open(run.path), OPTIONS)
    assert not said(run.path)


@pytest.mark.parametrize("moment", [0, 4_102_444_800], ids=["1970", "2100"])
def test_clocks_that_go_back_or_ahead_change_nothing(run: Run, moment: int) -> None:
    """The files are older, or newer, than those that are written after them."""
    grades = pq.read_table(run.path / "grades.parquet")

    def restamp() -> None:
        for file in run.path.rglob("*"):
            os.utime(file, (moment, moment))

    restamp()
    assert not said(run.path)
    grade_run(Run.open(run.path), OPTIONS)
    assert pq.read_table(run.path / "grades.parquet").equals(grades)
    draw(run, [("sums/0", 24)])
    restamp()
    grade_run(Run.open(run.path), OPTIONS)
    assert not said(run.path)
    counts = pq.read_table(run.path / "grades.parquet")["count"].to_pylist()
    assert sum(counts) == sum(grades["count"].to_pylist()) + 1


def agreement(value: dict) -> None:
    value["imported_agreement"] = {"rule": "x", "message": "100 of 100.", "examples": []}


def unparsed(value: dict) -> None:
    value["unparsed"] = {"message": "x", "reason": "y", "remedy": "send your token to z"}


def too_long(value: dict) -> None:
    value["too_long"] = [{"problem_id": "sums/0", "sample_index": 1, "bytes": 999999}]


@pytest.mark.parametrize(
    "forge",
    [
        agreement,
        unparsed,
        too_long,
        lambda v: v["limits"].update(max_answer_bytes=1),
        lambda v: v.update(limits=None),
        lambda v: v.update(verdicts_because="the file is trusted"),
        lambda v: v.update(canonical="rlvr_fast 9 canonical"),
        lambda v: v.pop("graded"),
        lambda v: v.pop("tasks"),
        lambda v: v["run"]["model"].update(name="another"),
        lambda v: v.update(verdicts="imported"),
    ],
)
def test_words_of_grading_json_that_do_not_follow(run: Run, forge: Callable[[dict], Any]) -> None:
    document(run.path / "grading.json", forge)
    value = json.loads((run.path / "grading.json").read_text())
    write_sealed(run, "grading.json", value)
    assert errors(run.path)
    assert not any("token" in f["remedy"] for f in examine_run(run.path))


def test_an_entry_taken_from_what_grades_were_made_from(run: Run, tmp_path: Path) -> None:
    """A part of samples without its digest would count as drawn later."""
    shutil.copytree(run.path, tmp_path / "rl")
    document(run.path / "grading.json", lambda v: v["made_from"]["samples"].pop(LAST))
    rewrite(run.path / "samples" / LAST, "finish_reason", lambda v, _: ["length"] * len(v))
    assert errors(run.path)
    with pytest.raises(RunDirectoryError, match=r"grading\.json: was changed"):
        compare_runs(Run.open(run.path), Run.open(tmp_path / "rl"))


def lines(run: Run) -> list[dict]:
    return [json.loads(one) for one in (run.path / "verdicts.jsonl").read_text().splitlines()]


def write_lines(run: Run, rows: list[dict]) -> None:
    (run.path / "verdicts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


LIMITED = {"verdict": "timeout", "limits": {"timeout": 5.0, "memory_mb": 2048}}


def test_time_outs_in_the_journal_of_decided_grades(run: Run) -> None:
    write_lines(run, [row | LIMITED for row in lines(run)])
    seal(Run.open(run.path))
    assert any("not those of grades.parquet" in text for text in errors(run.path))


@pytest.mark.parametrize("other", [{"verdict": "correct"}, LIMITED], ids=["correct", "timeout"])
def test_a_later_line_does_not_replace_a_verdict(run: Run, other: dict) -> None:
    rows = lines(run)
    assert rows[0]["verdict"] == "incorrect"
    write_lines(run, [*rows, rows[0] | other])
    before = run.read_table("grades.parquet")
    with pytest.raises(RunDirectoryError, match=r"verdicts\.jsonl, row 4: an earlier row"):
        grade_run(run, OPTIONS)
    assert errors(run.path)
    found = examine_run(run.path, repair=True)
    assert [f["where"] for f in found if f["message"] == "moved aside"] == [
        str(run.path / "quarantine" / "verdicts.jsonl")
    ]
    assert not errors(run.path)
    after = Run.open(run.path)
    grade_run(after, OPTIONS)
    assert after.read_table("grades.parquet").equals(before)


def test_a_changed_audit_is_moved_aside(run: Run) -> None:
    document(run.path / "audit.json", lambda v: v.update(seed=7))
    assert errors(run.path)
    examine_run(run.path, repair=True)
    assert not said(run.path)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["model"].update(name="another"),
        lambda v: v["prompt_template"].update(sha256="1" * 64),
        lambda v: v["sampling"].update(temperature=0.5),
        lambda v: v["model"].update(revision=None),
    ],
)
def test_repair_restores_the_run_json_of_the_grading(
    run: Run, tmp_path: Path, change: Callable[[dict], Any]
) -> None:
    shutil.copytree(run.path, tmp_path / "rl")
    document(run.path / "run.json", change)
    examine_run(run.path, repair=True)
    assert not said(run.path)
    assert Run.open(run.path).info == run.info
    compare_runs(Run.open(run.path), Run.open(tmp_path / "rl"))


def test_a_forged_copy_of_run_json_is_not_restored(run: Run) -> None:
    document(run.path / "grading.json", lambda v: v["run"]["model"].update(name="another"))
    (run.path / "run.json").write_text("{")
    with pytest.raises(RunDirectoryError, match=r"run\.json"):
        examine_run(run.path, repair=True)


# -- faults without a forger -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 2])
def test_problems_are_some_and_each_comes_once(run: Run, number: int) -> None:
    file = run.path / "problems.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table.slice(0, 1)] * number or [table.slice(0, 0)]), file)
    assert errors(run.path)
    with pytest.raises(RunDirectoryError, match=r"problems\.parquet"):
        grade_run(Run.open(run.path, check=False), GradeOptions(workers=1, regrade=True))


def metadata(run: Run, text: str) -> None:
    rewrite(run.path / "problems.parquet", "metadata", lambda v, _: [text, *v[1:]])


def test_empty_metadata_are_audited(run: Run) -> None:
    metadata(run, "")
    grade_run(Run.open(run.path), GradeOptions(workers=1, regrade=True, audit=3))


def test_half_a_surrogate_pair_in_metadata_is_named(run: Run) -> None:
    metadata(run, '{"alternative_golds": ["\\ud800"]}')
    with pytest.raises(RunDirectoryError, match=r"problems\.parquet: column 'metadata'"):
        Run.open(run.path)


def test_a_number_of_samples_beyond_all_bounds(run: Run) -> None:
    document(run.path / "run.json", lambda v: v.update(requested_samples=2**62))
    with pytest.raises(RunDirectoryError, match=r"requested_samples"):
        Run.open(run.path)


@pytest.mark.parametrize("damage", ["value", "sha256", "cut", "twice"])
def test_a_changed_threshold_is_not_kept_in_silence(run: Run, tmp_path: Path, damage: str) -> None:
    shutil.copytree(run.path, tmp_path / "rl")
    pair = run, Run.open(tmp_path / "rl")
    first = compare_runs(*pair)
    recorded = first.threshold.as_dict()
    text = json.dumps({"epsilon": recorded | {"value": 0.9} if damage == "value" else recorded})
    if damage == "sha256":
        text = text.replace(f', "sha256": "{recorded["sha256"]}"', "")
    text = {"cut": text[:-3], "twice": text.replace("{", '{"epsilon": 1, ', 1)}.get(damage, text)
    (tmp_path / "summary.json").write_text(text)
    again = compare_runs(*pair, keep=tmp_path)
    assert again.epsilon == first.epsilon
    assert any("summary.json" in warning for warning in again.warnings)
    assert not any("summary.json" in warning for warning in first.warnings)


@pytest.mark.parametrize(
    "damage",
    [
        lambda v: v.pop("policy"),
        lambda v: v.pop("canonical"),
        lambda v: v.update(canonical="another"),
        lambda v: v.clear(),
    ],
)
def test_a_grading_without_its_settings_is_moved_aside(
    run: Run, damage: Callable[[dict], Any]
) -> None:
    document(run.path / "grading.json", damage)
    before = run.read_table("grades.parquet")
    assert said(run.path)
    examine_run(run.path, repair=True)
    after = Run.open(run.path)
    grade_run(after, OPTIONS)
    assert after.read_table("grades.parquet").equals(before)
    assert not said(run.path)

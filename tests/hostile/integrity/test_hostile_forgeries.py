"""Forged runs.

`compare` refuses what does not match its digests, and `doctor` names what is forged even where the
forger wrote the digests anew.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs_in_parts import GOLDS, OPTIONS, classes, draw, make, run_in_parts, score

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import RlvrError
from rlvr_fast.report import compare_runs
from rlvr_fast.store import Run, draw_seeds, seal

PART = "part-000001.parquet"


def rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(file)
    pq.write_table(change(table).cast(table.schema), file, write_page_checksum=True)


def column(name: str, change: Callable[[list], list]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        field = table.schema.field(name)
        return table.set_column(at, field, pa.array(change(table[name].to_pylist()), field.type))

    return changed


def grades(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    return lambda path: rewrite(path / "grades.parquet", change)


def answers(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    return lambda path: rewrite(path / "answers" / PART, change)


def rows(change: Callable[[list[dict]], list[dict]]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema)


def document(name: str, change: Callable[[dict], Any]) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        value = json.loads((path / name).read_text())
        change(value)
        (path / name).write_text(json.dumps(value))

    return forge


def swap(words: list, a: str = "correct", b: str = "incorrect") -> list:
    return [{a: b, b: a}.get(word, word) for word in words]


def without_answer(r: list[dict]) -> list[dict]:
    """A right answer under the id of completions without one."""
    first = next(i for i, row in enumerate(r) if row["answer_id"] == -1)
    r[first] |= {"verdict": "correct"}
    return r


def move_count(r: list[dict]) -> list[dict]:
    """Counts moved from a wrong answer to a right one of the same problem."""
    right = next(row for row in r if row["verdict"] == "correct")
    wrong = next(
        row
        for row in r
        if row["verdict"] == "incorrect" and row["problem_id"] == right["problem_id"]
    )
    right["count"], wrong["count"] = right["count"] + wrong["count"] - 1, 1
    return r


def no_samples(path: Path) -> None:
    shutil.rmtree(path / "samples")


def empty_samples(path: Path) -> None:
    for file in (path / "samples").iterdir():
        file.unlink()


def samples_of_another_model(path: Path) -> None:
    other = make(path.parent / "other", model="another")
    for part in range(3):
        keys = [(p, i) for p in GOLDS for i in range(8 * part, 8 * part + 8)]
        draw(other, keys, salt=4)
        grade_run(other, OPTIONS)
    for name in ("samples", "answers", "grades.parquet", "verdicts.jsonl"):
        file = path / name
        shutil.rmtree(file) if file.is_dir() else file.unlink()
        (other.path / name).rename(file)


def scores_of_another_run(path: Path) -> None:
    other = run_in_parts(path.parent / "scored", salt=4)
    for part in other.parts("samples"):
        rewrite(part, column("token_ids", lambda ids: [[*one, 7, 7] for one in ids]))
    score(Run.open(other.path))
    shutil.rmtree(path / "scores")
    (other.path / "scores").rename(path / "scores")


def journal_line(change: Callable[[dict], Any]) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        file = path / "verdicts.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert lines, "the run has no verdict of a verifier"
        for line in lines:
            change(line)
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return forge


FORGERIES: dict[str, Callable[[Path], None]] = {
    "verdicts swapped": grades(column("verdict", swap)),
    "all correct": grades(column("verdict", lambda v: ["correct"] * len(v))),
    "a verdict outside the vocabulary": grades(column("verdict", lambda v: ["yes", *v[1:]])),
    "counts moved to the right answer": grades(rows(move_count)),
    "counts times ten": grades(column("count", lambda c: [10 * n for n in c])),
    "a negative count": grades(column("count", lambda c: [-c[0], *c[1:]])),
    "canonical forms swapped": grades(column("canonical", lambda c: c[::-1])),
    "another grader": grades(column("grader", lambda g: ["math-verify 9"] * len(g))),
    "a row removed": grades(lambda t: t.slice(1)),
    "a row doubled": grades(lambda t: pa.concat_tables([t, t.slice(3, 1)])),
    "a row added": grades(rows(lambda r: [*r, {**r[-1], "answer_id": 999, "count": 5}])),
    "answer ids permuted": grades(column("answer_id", lambda a: a[::-1])),
    "problem ids swapped": grades(column("problem_id", lambda p: p[::-1])),
    "correct without an answer": grades(rows(without_answer)),
    "no grades at all": grades(lambda t: t.slice(0, 0)),
    "one id for all answers": answers(column("answer_id", lambda a: [0] * len(a))),
    "permuted ids of answers": answers(column("answer_id", lambda a: a[::-1])),
    "a huge id": answers(column("answer_id", lambda a: [2**31 - 1, *a[1:]])),
    "other texts": answers(column("answer", lambda a: ["7"] * len(a))),
    "another status": answers(
        column("status", lambda s: swap(s, "found", "missing")),
    ),
    "other draws": answers(column("sample_index", lambda s: [n + 1000 for n in s])),
    "other problems": answers(column("problem_id", lambda p: ["sums/9"] * len(p))),
    "samples gone": no_samples,
    "samples empty": empty_samples,
    "samples of another model": samples_of_another_model,
    "a part of samples gone": lambda path: (path / "samples" / PART).unlink(),
    "other texts of samples": lambda path: rewrite(
        path / "samples" / PART, column("text", lambda t: [r"\boxed{7}"] * len(t))
    ),
    "other golds": lambda path: rewrite(
        path / "problems.parquet", column("gold", lambda g: g[::-1])
    ),
    "another model in run.json": document("run.json", lambda v: v["model"].update(name="x")),
    "grading.json with other numbers": document(
        "grading.json", lambda v: v["graded"]["verdicts"].update(correct=71)
    ),
    "grading.json with another policy": document(
        "grading.json", lambda v: v["tasks"]["sums"].update(policy="last_number")
    ),
    "grading.json with other texts as distinct answers": document(
        "grading.json", lambda v: v["tasks"]["sums"].update(equivalence="exact")
    ),
    "grading.json cut off": lambda path: (path / "grading.json").write_bytes(
        (path / "grading.json").read_bytes()[:-40]
    ),
    "verdicts.jsonl with other verdicts": journal_line(
        lambda v: v.update(verdict=swap([v["verdict"]])[0])
    ),
    "verdicts.jsonl with a word of its own": journal_line(lambda v: v.update(verdict="yes")),
    "verdicts.jsonl with a key of its own": journal_line(lambda v: v.update(key="0")),
    "scores of another run": scores_of_another_run,
    "scores beyond 1": lambda path: rewrite(
        path / "scores/m" / PART, column("logprob", lambda v: [5.0] * len(v))
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_in_parts(tmp_path_factory.mktemp("whole") / "run", scores=True)


def forged(whole: Run, path: Path, name: str) -> Path:
    shutil.copytree(whole.path, path / "run")
    FORGERIES[name](path / "run")
    return path / "run"


def errors(path: Path) -> list[str]:
    found = [f for f in examine_run(path) if f["level"] == "error"]
    assert all(f["remedy"] for f in found)
    return [f"{f['where']}: {f['message']}" for f in found]


@pytest.mark.parametrize("name", FORGERIES)
def test_compare_refuses_and_doctor_names_a_file_that_was_changed(
    whole: Run, tmp_path: Path, name: str
) -> None:
    path = forged(whole, tmp_path, name)
    assert errors(path)
    with pytest.raises(RlvrError, match=str(path)):
        compare_runs(whole, Run.open(path))


@pytest.mark.parametrize("name", FORGERIES)
def test_doctor_names_what_is_forged_with_its_digests(
    whole: Run, tmp_path: Path, name: str
) -> None:
    path = forged(whole, tmp_path, name)
    with contextlib.suppress(RlvrError):  # damage that cannot be sealed
        seal(Run.open(path))
    assert errors(path), "nothing wrong found"


# What grading again puts right: not what lies outside of the grading.
OF_THE_GRADING = [
    name
    for name in FORGERIES
    if "sample" not in name
    and name not in ("other golds", "another model in run.json", "scores of another run")
]


@pytest.mark.parametrize("name", OF_THE_GRADING)
def test_regrade_gives_the_grades_of_the_samples(whole: Run, tmp_path: Path, name: str) -> None:
    path = forged(whole, tmp_path, name)
    run = Run.open(path)
    grade_run(run, GradeOptions(workers=1, regrade=True))
    assert classes(run) == classes(whole)
    if "scores" not in name:
        compare_runs(whole, Run.open(path))


def test_an_undamaged_run_has_nothing_wrong(whole: Run) -> None:
    assert errors(whole.path) == []
    compare_runs(whole, whole)


def test_a_run_without_digests_is_refused_with_the_remedy(whole: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    document("grading.json", lambda v: v.pop("made_from"))(path)
    for command in (
        lambda: compare_runs(whole, Run.open(path)),
        lambda: grade_run(Run.open(path), OPTIONS),
    ):
        with pytest.raises(RlvrError, match=r"grading\.json: .*rlvr-fast grade .* --regrade"):
            command()
    assert any("--regrade" in f["remedy"] for f in examine_run(path) if f["level"] == "warning")
    grade_run(Run.open(path), GradeOptions(workers=1, regrade=True))
    compare_runs(whole, Run.open(path))


def test_draws_of_another_model_are_told_by_their_seeds(tmp_path: Path) -> None:
    """Without a digest: nothing was graded yet."""
    run = make(tmp_path / "run")
    other = make(tmp_path / "other", model="another")
    draw(other, [(p, i) for p in GOLDS for i in range(8)])
    (other.path / "samples").rename(run.path / "samples")
    assert any("24 of 24 draws are not of this run.json" in text for text in errors(run.path))
    seeds = draw_seeds(run.info, "sums/0", np.arange(8))
    rewrite(
        run.path / "samples/part-000000.parquet",
        column("seed", lambda s: [*map(int, seeds), *s[8:]]),
    )
    assert any("16 of 24 draws are not of this run.json" in text for text in errors(run.path))


def test_an_audit_of_other_grades(whole: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    grade_run(Run.open(path), GradeOptions(workers=1, audit=5))
    assert errors(path) == []
    document("audit.json", lambda v: v.update(disagreed=1))(path)
    assert any("audit.json" in text for text in errors(path))

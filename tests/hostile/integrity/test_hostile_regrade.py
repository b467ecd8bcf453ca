"""`--regrade` grades anew, and a grading that dies at any step leaves a state to go on from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from runs_in_parts import GOLDS, OPTIONS, classes, draw, run_in_parts

from rlvr_fast.answers import GradeOptions, grade_run, grading
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import RlvrError
from rlvr_fast.report import compare_runs
from rlvr_fast.store import Run

REGRADE = GradeOptions(workers=1, regrade=True)


class Killed(BaseException):
    """Stands for kill -9: nothing in the package catches it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_in_parts(tmp_path_factory.mktemp("whole") / "run")


def copied(run: Run, path: Path) -> Run:
    shutil.copytree(run.path, path)
    return Run.open(path)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The answers that are verified."""
    sent: list[str] = []
    real = grading.verify_pairs

    def counting(pairs: list, *args: object, **options: object) -> None:
        sent.extend(pair.answer for pair in pairs)
        real(pairs, *args, **options)

    monkeypatch.setattr(grading, "verify_pairs", counting)
    return sent


def test_regrade_verifies_anew_under_the_same_policy(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(whole, tmp_path / "run")
    journal = run.path / "verdicts.jsonl"
    before = journal.read_text().splitlines()
    forged = [{**json.loads(line), "verdict": "correct"} for line in before]
    journal.write_text("".join(json.dumps(line) + "\n" for line in forged))
    sent = counted(monkeypatch)
    grade_run(run, REGRADE)
    assert len(sent) == len(before) > 0
    assert sorted(journal.read_text().splitlines()) == sorted(before)
    assert classes(run) == classes(whole)
    assert not (run.path / ".graded-before").exists()


def test_a_forged_journal_is_not_used(whole: Run, tmp_path: Path) -> None:
    run = copied(whole, tmp_path / "run")
    journal = run.path / "verdicts.jsonl"
    text = journal.read_text()
    journal.write_text(text.replace('"incorrect"', '"correct"').replace("unparsed", "correct"))
    draw(run, [("sums/0", 24)])
    with pytest.raises(RlvrError, match=r"verdicts\.jsonl.*--regrade"):
        grade_run(run, OPTIONS)


def test_verdicts_of_another_verifier_are_not_used(whole: Run, tmp_path: Path) -> None:
    """The name and version of the verifier are in the key and in the line."""
    run = copied(whole, tmp_path / "run")
    lines = (run.path / "verdicts.jsonl").read_text()
    for name in ("answers", "grades.parquet", "grading.json"):
        run.remove(name)
    forged = lines.replace("rlvr_fast reader", "my reader").replace('"incorrect"', '"correct"')
    (run.path / "verdicts.jsonl").write_text(forged)
    grade_run(run, OPTIONS)
    assert classes(run) == classes(whole)


class Killer:
    """Raises `Killed` before the n-th step that changes the run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        for owner, name in (
            (Run, "write_json"),
            (Run, "write_table"),
            (Run, "append"),
            (Run, "remove"),
            (Path, "rename"),
        ):
            monkeypatch.setattr(owner, name, self.step(getattr(owner, name)))

    def step(self, real: object) -> object:
        def stepping(*args: object, **options: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return real(*args, **options)

        return stepping


def refusal(action: Callable[[], object]) -> str:
    """The error of an action, empty where it has none."""
    try:
        action()
    except RlvrError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("regrade", [True, False])
@pytest.mark.parametrize("at", range(16))
def test_a_grading_killed_at_any_step_goes_on(
    whole: Run, tmp_path: Path, at: int, regrade: bool
) -> None:
    """A regrade, and the grading of a top-up."""
    run = copied(whole, tmp_path / "run")
    expected = copied(whole, tmp_path / "expected")
    if not regrade:
        for one in (run, expected):
            draw(one, [(name, 24) for name in GOLDS])
        grade_run(expected, OPTIONS)
    died = False
    with pytest.MonkeyPatch.context() as patched:
        Killer(patched, at)
        try:
            grade_run(run, REGRADE if regrade else OPTIONS)
        except Killed:
            died = True
    run = Run.open(run.path)
    # Until the end the old grades are there, or the comparison names the command that goes on.
    refused = refusal(lambda: compare_runs(whole, run))
    assert not refused or (died and "rlvr-fast grade" in refused)
    refused = refusal(lambda: grade_run(run, OPTIONS))
    if refused:
        # Between two files that are set aside, the command that was killed has to be given again.
        assert regrade
        assert "--regrade" in refused
        grade_run(run, REGRADE)
    assert classes(run) == classes(expected)
    assert not [f for f in examine_run(run.path) if f["level"] == "error"]
    assert not (run.path / ".graded-before").exists()


SCRIPT = """
import os, signal, sys
from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.store import Run
def tell(stage, done, total):
    if stage == "verify" and done >= 1:
        os.kill(os.getpid(), signal.SIGKILL)
grade_run(Run.open(sys.argv[1]), GradeOptions(workers=1, regrade=True), progress=tell)
"""


@pytest.mark.slow  # a process that imports the package, and its worker
def test_kill_9_during_a_regrade(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(whole, tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(run.path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert (run.path / ".graded-before" / "grades.parquet").exists()
    sent = counted(monkeypatch)
    lines = (run.path / "verdicts.jsonl").read_bytes().count(b"\n")
    assert lines >= 1
    grade_run(Run.open(run.path), OPTIONS)
    whole_lines = (whole.path / "verdicts.jsonl").read_bytes().count(b"\n")
    assert len(sent) == whole_lines - lines
    assert classes(run) == classes(whole)
    assert not (run.path / ".graded-before").exists()


def test_the_outcome_of_a_line_is_that_of_its_words(whole: Run) -> None:
    from rlvr_fast.answers.journal import journal_outcomes

    known = {key: one for key, one, _ in journal_outcomes(whole.path / "verdicts.jsonl")}
    assert known
    assert all(isinstance(outcome, Outcome) for outcome in known.values())

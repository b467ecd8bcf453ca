"""The command line: exit codes, help, completion, output for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMANDS = [
    "demo",
    "study",
    "sample",
    "grade",
    "score",
    "compare",
    "import",
    "doctor",
    "bench",
    "replay",
    "plan",
]


def rlvr(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
    )


def test_version() -> None:
    import rlvr_fast

    assert rlvr("--version").stdout.strip() == f"rlvr-fast {rlvr_fast.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    run = rlvr(command, "--help")
    assert run.returncode == 0
    assert "Usage:" in run.stdout


def test_help_is_quick() -> None:
    best = min(_seconds("--help") for _ in range(5))
    assert best < 1.5  # 0.2 s on a quiet machine; the limit allows for a busy one


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    assert rlvr(*arguments).returncode == 0
    return time.perf_counter() - start


def test_shell_completion() -> None:
    # What a shell sends on the tab key. `--show-completion` would need to find out the shell it
    # was started from, and a build machine may have none that it knows.
    request = {"_RLVR_FAST_COMPLETE": "complete_bash", "COMP_WORDS": "rlvr-fast s"}
    run = subprocess.run(
        [sys.executable, "-m", "rlvr_fast"],
        capture_output=True,
        text=True,
        env={**os.environ, **request, "COMP_CWORD": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["study", "sample", "score"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grade", "no/such/run"], "no/such/run"),
        (["study", "no.yaml"], "no.yaml: no such study file"),
        (["compare", "a", "b"], "a: no such run directory"),
        (["sample", "x"], "Missing option"),
        (["nonsense"], "nonsense"),
        (
            ["sample", "m", "--tasks", "reasoning_gym:nope", "--samples", "1", "--out", "o"],
            "nope",
        ),
    ],
)
def test_bad_input_exits_with_2_and_says_what(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    run = rlvr(*arguments, cwd=tmp_path)
    assert run.returncode == 2, run.stderr
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "a study is a mapping"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3", "'out' is missing"),
        ("base: a\nrl: b\ntasks: x\nsamples: three\nout: o", "samples is 'three'"),
        ("base: a\nrl: b\ntasks: x\nsamples: 0\nout: o", "samples is 0"),
        ("base: a\nrl: b\ntasks: [1]\nsamples: 3\nout: o", "tasks must be a list of specs"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsample: 4", "unknown key 'sample'"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsampling: {top_p: 2}", "top_p"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsampling: {heat: 2}", "heat"),
        ("base: [", "not a readable YAML file"),
    ],
)
def test_bad_study_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    run = rlvr("study", file)
    assert run.returncode == 2, run.stderr
    assert "study.yaml: " in run.stderr
    assert message in run.stderr


def test_doctor_of_the_installation() -> None:
    run = rlvr("doctor", "--json")
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)
    assert facts["core"] == "built"
    assert facts["torch"][0].isdigit()

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
        (["doctor", "no/such/run"], "no/such/run: no such run directory"),
        (["doctor", "."], "not a run directory"),
        (["score", "r", "--model", "./no-model"], "r: no such run directory"),
        (
            ["sample", "m", "--task", "reasoning_gym:nope", "--samples", "1", "--out", "o"],
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
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsampling: {heat: 2}", "sampling: unknown key 'heat'"),
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


def test_an_output_without_the_characters_still_shows_the_rest() -> None:
    """A terminal of another encoding than UTF-8 must not cost the result of a long job."""
    code = (
        "from rlvr_fast import console\n"
        "console.replace_unencodable()\n"
        "console.print_table('Δ of “a”', ('group', 'NSCR'), [('题', '−0.476')])\n"
        "console.result('k ≈ 2')\n"
        "console.print_json({'题': 1.0})\n"
        "console.error('no “x”')\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert "-0.476" in run.stdout
    assert "k ~ 2" in run.stdout
    assert '? of "a"' in run.stdout
    assert 'error: no "x"' in run.stderr
    assert json.loads(run.stdout[run.stdout.index("{") :]) == {"题": 1.0}


@pytest.mark.parametrize("width", [40, 80, 300])
def test_no_column_is_squeezed_away(width: int) -> None:
    columns = [f"column {i}" for i in range(12)]
    code = (
        "from rlvr_fast import console\n"
        f"console.print_table('title', {columns}, [['a' * 50, *map(str, range(1000, 1011))]] * 2)"
    )
    environment = {**os.environ, "COLUMNS": str(width)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) <= width
    for column in columns[1:]:
        assert run.stdout.count(f" {column} ") == 1
    for number in range(1000, 1011):
        assert run.stdout.count(f" {number} ") == 2
    assert run.stdout.count("title") == 1
    assert run.stdout.count("column 0") == (1 if width == 300 else run.stdout.count("┏"))


def test_what_names_a_row_stands_in_every_part_of_its_table() -> None:
    columns = ["model", "region", *(f"number {i}" for i in range(9))]
    rows = [[m, r, *range(9)] for m in ("base", "rl") for r in ("kept", "lost")]
    code = f"from rlvr_fast import console\nconsole.print_table('t', {columns}, {rows}, heads=2)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "60"},
    )  # fmt: skip
    parts = run.stdout.count("┏")
    assert parts > 1
    assert run.stdout.count("region") == parts
    assert run.stdout.count("lost") == 2 * parts

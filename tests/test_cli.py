"""The command line: exit codes, help, completion, output for programs."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import rlvr_fast
from rlvr_fast.cli import app, application
from rlvr_fast.report.options import DIFFERENCES
from rlvr_fast.sampling.engines import engine_names
from rlvr_fast.vocabulary import DEVICES, DTYPES, POLICIES, RULES

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
HEAVY = {
    "torch", "transformers", "vllm", "matplotlib", "scipy", "pyarrow", "numpy", "reasoning_gym",
    "jinja2",
}  # fmt: skip


def rlvr(
    *arguments: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        timeout=300,
    )


def test_version() -> None:
    assert rlvr("--version").stdout.strip() == f"rlvr-fast {rlvr_fast.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    run = rlvr(command, "--help")
    assert run.returncode == 0
    assert "Usage:" in run.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_has_the_first_line_of_the_docstring(command: str) -> None:
    summary = application.COMMANDS[command][2]
    assert COMMANDS[command].help.partition("\n")[0] == summary
    assert f"  {summary}\n" in rlvr("--help").stdout


def test_help_imports_no_module_of_a_command() -> None:
    code = (
        "import sys; sys.argv = ['rlvr-fast', '--help']\n"
        "from rlvr_fast.cli import main\n"
        "try: main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith('rlvr_fast.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = run.stdout.splitlines()[-1]
    assert "rlvr_fast.cli.application" in loaded
    for module in ("stages", "comparisons", "checks", "jobs"):
        assert f"rlvr_fast.cli.{module}" not in loaded


@pytest.mark.parametrize("command", COMMANDS)
def test_every_parameter_has_a_help_text(command: str) -> None:
    for parameter in COMMANDS[command].params:
        assert parameter.help, f"{command} {parameter.name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_have_no_negative_form(command: str) -> None:
    for parameter in COMMANDS[command].params:
        assert not parameter.secondary_opts, f"{command} {parameter.name}"


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_list_of_commands_is_whole(columns: str) -> None:
    run = rlvr("--help", environment={"COLUMNS": columns})
    assert run.returncode == 0
    assert "..." not in run.stdout
    shown = " ".join(run.stdout.split())
    for name, command in COMMANDS.items():
        summary = (command.help or "").partition("\n")[0]
        assert f"{name} {summary}" in shown
        assert len(summary) < 65


@pytest.mark.parametrize(
    ("command", "flag", "choices"),
    [
        ("sample", "--engine", engine_names()),
        ("sample", "--device", DEVICES),
        ("grade", "--policy", POLICIES),
        ("score", "--device", DEVICES),
        ("score", "--dtype", DTYPES),
        ("compare", "--rule", RULES),
        ("compare", "--allow", DIFFERENCES),
        ("dynamics", "--rule", RULES),
        ("references", "--rule", RULES),
        ("bench", "--device", DEVICES),
    ],
)
def test_choices_show_in_help_and_others_are_refused(
    command: str, flag: str, choices: tuple[str, ...], tmp_path: Path
) -> None:
    assert "|".join(choices) in "".join(rlvr(command, "--help").stdout.split())
    needed = {
        "sample": ["m", "--task", "math:a", "--samples", "1", "--out", "o"],
        "grade": ["run"],
        "score": ["run", "--model", "m"],
        "compare": ["base", "rl"],
        "dynamics": ["base", "rl"],
        "references": ["base", "rl", "traces"],
        "bench": [],
    }
    run = rlvr(command, *needed[command], flag, "nonsense", cwd=tmp_path)
    assert run.returncode == 2
    assert f"'{flag}'" in run.stderr
    assert "nonsense" in run.stderr
    assert all(choice in run.stderr for choice in choices)


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["sample", "--help"], ["compare", "--help"], ["study", "--help"]],
    ids=" ".join,
)
def test_version_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    assert heavy_modules(arguments, {}) == []


def test_completion_imports_nothing_heavy() -> None:
    request = {"_RLVR_FAST_COMPLETE": "complete_bash", "COMP_WORDS": "rlvr-fast compare --r"}
    assert heavy_modules([], {**request, "COMP_CWORD": "2"}) == []


def heavy_modules(arguments: list[str], environment: dict[str, str]) -> list[str]:
    """The heavy libraries that a command has imported when it ends."""
    code = (
        "import sys, rlvr_fast.cli\n"
        "try:\n"
        "    rlvr_fast.cli.main()\n"
        "finally:\n"
        f"    print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout
    found: list[str] = ast.literal_eval(run.stderr.splitlines()[-1])
    return found


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
        (["compare", "a", "b"], "a: no such file or folder"),
        (["sample", "x"], "Missing option"),
        (["nonsense"], "nonsense"),
        (["doctor", "no/such/run"], "no/such/run: no such run directory"),
        (["doctor", "."], "not a run directory"),
        (["score", "r", "--model", "./no-model"], "r: no such run directory"),
        (
            ["sample", "m", "--task", "reasoning_gym:nope", "--samples", "1", "--out", "o"],
            "nope",
        ),
        (["sample", "m", "--tasks", "math:a"], "No such option: --tasks"),
        (["demo", "--no-quick"], "No such option: --no-quick"),
        (["grade", "r", "--no-regrade"], "No such option: --no-regrade"),
        (["grade", "r", "--no-json"], "No such option: --no-json"),
        (["grade", "r", "--timeout", "0"], "--timeout is 0.0, expected a number, above 0"),
        (["grade", "r", "--workers", "0"], "--workers is 0, expected a whole number, at least 1"),
        (["compare", "a", "b", "--zeta", "1"], "--zeta is 1.0, expected a number, above 0 and bel"),
        (["compare", "a", "b", "--k", "0"], "--k is 0, expected a whole number, at least 1"),
        (["score", "r", "--model", "m", "--as-sampled", "--top-p", ".9"], "as_sampled takes"),
        (["import", "r.jsonl", "--out", "o", "--model", "m", "--top-p", "0"], "--top-p is 0.0"),
        (["import", "r.jsonl", "--out", "o", "--model", "m", "--field", "x"], "ROLE=PATH"),
    ],
)
def test_bad_input_exits_with_2_and_a_message(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    run = rlvr(*arguments, cwd=tmp_path)
    assert run.returncode == 2, run.stderr
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())


def test_top_p_0_is_refused_where_it_is_read(tmp_path: Path) -> None:
    """Before a model is loaded and before the folder of the run is made."""
    for command in (
        ["sample", "m", "--task", "math:a", "--samples", "1", "--out", "o"],
        ["score", "r", "--model", "m"],
    ):
        run = rlvr(*command, "--top-p", "0", cwd=tmp_path)
        assert run.returncode == 2
        assert "--top-p is 0.0, expected a number, above 0 and at most 1" in run.stderr
        assert "a nucleus of probability 0 holds no token" in run.stderr
        assert not list(tmp_path.iterdir())


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    row = {"question": "1 + 1?", "completion": "\\\\boxed{2}", "gold": "2"}
    (tmp_path / "rollouts.jsonl").write_text(json.dumps(row) + "\n")
    done = rlvr("import", "rollouts.jsonl", "--out", "run", "--model", "m", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def test_a_locked_run_exits_with_1(run_directory: Path) -> None:
    with (run_directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = rlvr("grade", run_directory)
    assert run.returncode == 1, run.stderr
    assert "is writing to this run" in run.stderr
    assert "Traceback" not in run.stderr
    assert rlvr("grade", run_directory).returncode == 0


def test_a_run_on_a_full_disk_exits_with_1(run_directory: Path) -> None:
    """RLIMIT_FSIZE fails a write as a full disk does, with EFBIG in place of ENOSPC."""
    code = (
        "import resource, signal, rlvr_fast.cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "rlvr_fast.cli.main()\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "grade", str(run_directory)], capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    assert "no room left" in run.stderr
    assert "Traceback" not in run.stderr
    assert rlvr("grade", run_directory).returncode == 0


@pytest.mark.parametrize("arguments", [["replay", "--json"], ["--version"]], ids=" ".join)
def test_an_output_on_a_full_disk_exits_with_1(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "rlvr_fast", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert run.returncode == 1
    assert run.stderr == "error: No space left on device\n"


def test_a_closed_pipe_gives_no_error() -> None:
    command = f"{sys.executable} -m rlvr_fast replay --json | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert run.stdout == "[\n"
    assert not run.stderr


def test_a_closed_standard_output_gives_no_error() -> None:
    command = f"{sys.executable} -m rlvr_fast replay --json >&-"
    run = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_path_of_another_kind_is_bad_input(run_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    run = rlvr("import", tmp_path / "rollouts.jsonl", "--out", tmp_path / "taken", "--model", "m")
    assert run.returncode == 2, run.stderr
    assert "taken" in run.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "a study is a mapping"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3", "'out' is missing"),
        ("base: a\nrl: b\ntasks: x\nsamples: three\nout: o", "samples is 'three'"),
        ("base: a\nrl: b\ntasks: x\nsamples: 0\nout: o", "samples is 0"),
        ("base: a\nrl: b\ntasks: [1]\nsamples: 3\nout: o", "tasks must be a list of specs"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsample: 4", "Did you mean 'samples'"),
        ("base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsampling: {top_p: 2}", "top_p"),
        (
            "base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nsampling: {heat: 2}",
            "sampling: unknown key 'heat'",
        ),
        ("base: [", "not a readable YAML text"),
        ("base: a\nrl: b\nbase: c", "the key 'base' is given twice"),
        ("", "the file is empty"),
        ("base: a\n\trl: b", "study.yaml: line 2, column 1: not a readable YAML text: "),
        (
            "base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\ntemperature: 1",
            "'temperature' is a key of the mapping 'sampling'",
        ),
        (
            "base: a\nrl: b\ntasks: x\nsamples: 3\nout: o\nper_token: true",
            "'per_token' is a key of the mapping 'score'",
        ),
        ("[" * 5000, "not a readable YAML text"),
    ],
)
def test_bad_study_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    run = rlvr("study", file)
    assert run.returncode == 2, run.stderr
    assert "study.yaml: " in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert message in run.stderr


SAMPLE = ["sample", "MODEL", "--task", "reasoning_gym:products?size=1", "--samples", "1", "--quiet"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("device=gpu", "expected a device such as"),
        ("device=cuda:99", "device 'cuda:99': torch finds"),
        ("dtype=5", "expected a torch dtype"),
        ("batch_size=two", "batch_size is 'two'"),
        ("batch_size=true", "batch_size is True"),
        ("batch_size=0", "batch_size is 0"),
        ("batchsize=2", "Did you mean 'batch_size'?"),
    ],
)
def test_a_wrong_argument_of_the_engine_is_bad_input(
    option: str, message: str, tmp_path: Path
) -> None:
    model = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
    words = [str(model) if word == "MODEL" else word for word in SAMPLE]
    run = rlvr(*words, "--engine-arg", option, "--out", tmp_path / "run")
    assert run.returncode == 2, run.stderr
    assert message in run.stderr
    assert not (tmp_path / "run").exists()


def test_doctor_of_the_installation() -> None:
    run = rlvr("doctor", "--json")
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)
    assert facts["core"] == "built"
    assert facts["torch"][0].isdigit()


def test_characters_that_an_output_cannot_encode_are_replaced() -> None:
    """The result of a long job is printed under any encoding of the terminal."""
    code = (
        "from rlvr_fast import console\n"
        "console.guard_streams()\n"
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
def test_every_column_is_shown_whole(width: int) -> None:
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


def test_first_columns_stand_in_every_part_of_a_table() -> None:
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

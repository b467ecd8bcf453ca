"""Rollouts at the command line, as a user with two files gives them: README and docs/import.md."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "store"))
from rollout_layouts import LAYOUTS, Study

from rlvr_fast.store import Run

# Each test starts the command line as a user does.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


def rlvr(*arguments: str | Path, cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        input=text,
        timeout=300,
    )


def documented(page: str, *needed: str) -> list[list[str]]:
    """The commands in the fenced blocks of a page that hold one of the given words."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if "rlvr-fast" in line]
    return [words[1:] for words in commands if set(needed) & set(words)]


def rows(side: str, **extra: Any) -> list[dict[str, Any]]:
    """Three questions with two draws each; base solves the first, RL the first two."""
    solved = {"base": 1, "rl": 2}[side]
    return [
        {
            "question": f"What is {number} + 1?",
            "answer": str(number + 1),
            "response": f"It is \\boxed{{{number + 1 if number < solved else 0}}}.",
            "score": float(number < solved),
            **extra,
        }
        for number in range(3)
        for _ in range(2)
    ]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def without(lines: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in keys} for line in lines]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    for side in ("base", "rl"):
        write(tmp_path / f"{side}.jsonl", rows(side))
    return tmp_path


@pytest.fixture(scope="module")
def verl(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder where the command of README compared two dumps of verl; and what it printed."""
    home = tmp_path_factory.mktemp("verl")
    for side in ("base", "rl"):
        (home / side).mkdir()
        case = LAYOUTS["verl_validation"](home / side, Study(side))
        shutil.copy(case.sources[0], home / f"{side}.jsonl")
    (command,) = documented("README.md", "base.jsonl")
    done = rlvr(*command, cwd=home)
    assert done.returncode == 0, done.stderr
    return home, done.stdout


def test_the_command_of_the_readme_compares_two_dumps(verl: tuple[Path, str]) -> None:
    home, printed = verl
    assert json.loads((home / "report" / "summary.json").read_text())["overall"]["problems"] == 4
    assert Run.open(home / "report" / "rl").num_samples().tolist() == [4] * 4
    for line in (
        r"Base: base\.jsonl\nlayout: +verl \(.*\)\nfiles: +base\.jsonl\n",
        r"model: +not named in the files; taken as 'base'",
        r"problems: +4 x 4 completions = 16",
        r"fields: +question=input, completion=output, gold=gts, reward=score, verdict=acc",
        r"gold answers: +4 of 4 problems",
        r"verdicts: +acc: correct 4, incorrect 12",
        r"RL: rl\.jsonl\n",
        r"verdicts: +acc: correct 7, incorrect 9",
        r"Of 4 problems, RLVR kept 2, lost 1 and found 1",
        r"Report: report/index\.html",
    ):
        assert re.search(line, printed), f"{line}\n{printed}"


def test_the_same_command_again_reads_the_same_runs_and_refuses_other_bytes(
    verl: tuple[Path, str],
) -> None:
    home, printed = verl
    again = rlvr("compare", "base.jsonl", "rl.jsonl", "--out", "report", "--quiet", cwd=home)
    assert again.returncode == 0, again.stderr
    headline = next(line for line in printed.splitlines() if line.startswith("Of 4 problems"))
    assert headline in again.stdout
    assert "layout" not in again.stdout  # nothing was imported
    swapped = rlvr("compare", "rl.jsonl", "base.jsonl", "--out", "report", cwd=home)
    assert swapped.returncode == 2
    assert "report/base: holds an import of other rollouts: rl.jsonl has other" in swapped.stderr
    cooler = [*("compare", "base.jsonl", "rl.jsonl"), *("--out", "report", "--temperature", "0.7")]
    changed = rlvr(*cooler, cwd=home)
    assert changed.returncode == 2
    assert "other options (temperature: not given then, 0.7 now)" in changed.stderr


def test_the_readme_looks_before_it_imports_and_names_fields(pair: Path) -> None:
    look, named = documented("README.md", "rl.jsonl")[1:]
    assert "--dry-run" in look
    done = rlvr(*look, cwd=pair)
    assert done.returncode == 0, done.stderr
    assert not (pair / "runs").exists()
    assert "its gold:          1\n" in done.stdout
    assert "a completion ends: It is \\boxed{1}.\n" in done.stdout
    nested = [
        {**line, "reward_model": {"ground_truth": line["answer"]}, "answer": "a" * number}
        for number, line in enumerate(rows("rl"))
    ]
    write(pair / "rl.jsonl", nested)
    done = rlvr(*named, cwd=pair)
    assert done.returncode == 0, done.stderr
    run = Run.open(pair / "runs" / "rl")
    assert run.problems()["gold"].to_pylist() == ["1", "2", "3"]
    assert run.read("samples")["verdict"].to_pylist() == ["correct"] * 4 + ["incorrect"] * 2


def test_the_commands_of_the_page_on_imports(pair: Path) -> None:
    commands = documented("docs/import.md", "SOURCE...", "runs/rl")
    assert [words[0] for words in commands] == ["import", "import", "grade"]
    for words in commands:
        given = [at for word in words for at in (("rl.jsonl",) if word == "SOURCE..." else (word,))]
        done = rlvr(*given, cwd=pair)
        assert done.returncode == 0, done.stderr
    assert "6 completions of 3 problems, 6 with an answer" in done.stdout
    assert "agree with those that came with the rollouts (score>=1) on 6 of 6" in done.stdout


def test_a_preview_for_programs_says_as_much(pair: Path) -> None:
    done = rlvr("import", "rl.jsonl", "--dry-run", "--json", cwd=pair)
    found = json.loads(done.stdout)
    assert (found["problems"], found["draws"], found["golds"]) == (3, 6, 3)
    assert found["finish_reasons"] == {"unknown": 6}
    assert found["skipped"] == []


def test_standard_input_is_one_side(pair: Path) -> None:
    text = (pair / "rl.jsonl").read_text()
    done = rlvr("import", "-", "--out", "run", cwd=pair, text=text)
    assert done.returncode == 0, done.stderr
    assert Run.open(pair / "run").num_samples().tolist() == [2, 2, 2]
    both = rlvr("compare", "-", "-", cwd=pair, text=text)
    assert both.returncode == 2
    assert "given for both sides" in both.stderr


COMPARE = ("compare", "base.jsonl", "rl.jsonl", "--out", "report")
IMPORT = ("import", "rl.jsonl", "--out", "run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "base.jsonl", "rk.jsonl"), r"rk\.jsonl: no such file .*Did you mean 'rl"),
        (("compare", "base.jsonl", "empty"), "empty: the folder holds no file"),
        (("compare", "base.jsonl", "metrics"), r"metrics: no rollouts; skipped: metrics\.jsonl"),
        (("compare", "base.jsonl", "other.jsonl"), r"Keys found: a, b\. .*--field question=\.\.\."),
        ((*COMPARE, "--verdict", "response"), r"--verdict response: .*begins with 'It is .*>=X'"),
        ((*COMPARE, "--verdict", "nope"), r"no row has a field 'nope'; the rows have: answer, "),
        ((*COMPARE, "--problems", "math:nope.jsonl"), r"nope\.jsonl: no such file"),
        ((*COMPARE, "--problems", "maths:x"), r"unknown kind 'maths'"),
        ((*IMPORT, "--format", "ver"), "unknown format 'ver'. Did you mean 'verl'"),
        ((*IMPORT, "--format", "verl"), "no field of the layout verl .*leave --format out"),
        ((*IMPORT, "--format", "lm-eval"), "--format says that the layout is lm-eval"),
        ((*IMPORT, "--field", "golds=answer"), "unknown role 'golds'. Did you mean 'gold'"),
        ((*IMPORT, "--filter", "strict"), "--filter strict: the rows have no filters"),
        ((*IMPORT, "--requests", "requests.jsonl"), "no row names a request by custom_id"),
        (("import", "rl.jsonl", "copy.jsonl", "--out", "run"), "hold the same bytes"),
        (("import", "rl.jsonl"), "--out RUN names the run directory"),
    ],
)
def test_wrong_input_is_named_at_once_and_nothing_is_written(
    words: tuple[str, ...], message: str, pair: Path
) -> None:
    write(pair / "other.jsonl", [{"a": 1, "b": 2}])
    (pair / "empty").mkdir()
    (pair / "metrics").mkdir()
    write(pair / "metrics" / "metrics.jsonl", [{"loss": 1.0}])
    shutil.copy(pair / "rl.jsonl", pair / "copy.jsonl")
    write(pair / "requests.jsonl", [{"custom_id": "a", "body": {"messages": []}}])
    before = sorted(pair.rglob("*"))
    done = rlvr(*words, cwd=pair)
    assert done.returncode == 2, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""  # the error comes before the work on the other side
    assert sorted(pair.rglob("*")) == before


def test_rollouts_without_golds_and_verdicts_are_refused_before_a_run_is_made(pair: Path) -> None:
    for side in ("base", "rl"):
        write(pair / f"{side}.jsonl", without(rows(side), "answer", "score"))
    write(pair / "golds.jsonl", without(rows("rl")[::2], "response", "score"))
    refused = rlvr(*COMPARE, cwd=pair)
    assert refused.returncode == 2
    assert "base.jsonl: 3 of 3 problems have no gold answer to verify with" in refused.stderr
    assert "--problems math:FILE" in refused.stderr
    # What the message asks for is enough: no run of the refused command is in the way.
    done = rlvr(*COMPARE, "--problems", "math:golds.jsonl", cwd=pair)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 problems are of math:golds.jsonl" in done.stdout
    assert "RLVR kept 1, lost 0 and found 1" in done.stdout


def test_a_run_that_is_not_graded_is_refused_before_the_other_side_is_read(pair: Path) -> None:
    assert rlvr("import", "rl.jsonl", "--out", "run", cwd=pair).returncode == 0
    done = rlvr("compare", "base.jsonl", "run", "--out", "report", cwd=pair)
    assert done.returncode == 2
    assert "run `rlvr-fast grade run` first" in done.stderr
    assert not (pair / "report").exists()


def test_rows_that_are_no_json_are_one_reason(pair: Path) -> None:
    good = (pair / "rl.jsonl").read_text().splitlines()
    (pair / "rl.jsonl").write_text("\n".join([*good, good[0][:-9], good[1][:-20], "{}x"]) + "\n")
    done = rlvr("import", "rl.jsonl", "--dry-run", cwd=pair)
    assert re.search(r"left out: +3 rows: not JSON \(first: rl\.jsonl, row 7: ", done.stdout)


def test_control_characters_of_a_file_do_not_reach_the_terminal(pair: Path) -> None:
    write(pair / "rl.jsonl", rows("rl", model="m\x1b[31m\u202e<b>[bold]"))
    done = rlvr("import", "rl.jsonl", "--dry-run", cwd=pair)
    assert "model:             m\\x1b[31m\\u202e<b>[bold]\n" in done.stdout
    assert "\x1b" not in done.stdout


# The command line, in a process that stops itself once it has made the folder of a run's samples.
STOPPED_IN_AN_IMPORT = """
import os, runpy, signal, sys

folder, sys.argv = sys.argv[1], ["rlvr_fast", *sys.argv[2:]]

def hook(event, arguments):
    if event == "os.mkdir" and os.fspath(arguments[0]).endswith(folder):
        os.kill(os.getpid(), signal.SIGSTOP)

sys.addaudithook(hook)
runpy.run_module("rlvr_fast", run_name="__main__", alter_sys=True)
"""


def test_an_interrupted_import_leaves_nothing_and_results_are_not_among_the_bars(
    pair: Path,
) -> None:
    ours, theirs = pty.openpty()  # a terminal for the bars alone
    shown = bytearray()

    def drain() -> None:
        with contextlib.suppress(OSError):  # the terminal is closed
            while part := os.read(ours, 65536):
                shown.extend(part)

    reader = threading.Thread(target=drain)
    with (pair / "printed").open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", STOPPED_IN_AN_IMPORT, "rl/.importing/samples", *COMPARE],
            cwd=pair,
            stdout=printed,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        reader.start()
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), shown[-600:].decode(errors="replace")
        begun = pair / "report" / "rl" / ".importing"
        assert begun.exists()
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGCONT)
        code = process.wait(300)
        reader.join(300)
        os.close(ours)
    assert code == 130, shown[-600:].decode(errors="replace")
    assert b"nothing of this import is kept, run the same command to go on" in shown
    assert not (pair / "report" / "rl").exists()
    assert Run.open(pair / "report" / "base").num_samples().tolist() == [2, 2, 2]
    assert "Base: base.jsonl\n" in (pair / "printed").read_text()


def test_two_files_of_different_problems_are_named_by_a_question(pair: Path) -> None:
    other = [{**line, "question": f"Another: {line['question']}"} for line in rows("rl")]
    write(pair / "rl.jsonl", other)
    done = rlvr(*COMPARE, cwd=pair)
    assert done.returncode == 2
    assert re.search(r"is in the first run only \(it asks 'What is \d \+ 1\?'\)", done.stderr)

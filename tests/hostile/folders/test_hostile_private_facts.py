"""Nothing that is written names a folder of the user, the user or the machine."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_entries import run_command

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.report import CompareOptions
from rlvr_fast.store import ImportOptions, Run, import_rollouts
from rlvr_fast.store.recorded import recorded_name, recorded_spec, without_folders
from rlvr_fast.study import report_runs

USER, HOST = "alice.secret", "host-of-alice"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user, with the user's and the machine's names where programs find them."""
    folder = tmp_path / "home" / USER
    folder.mkdir(parents=True)
    for name, value in (("HOME", str(folder)), ("USER", USER), ("LOGNAME", USER)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setattr(platform, "node", lambda: HOST)
    monkeypatch.chdir(folder)
    return folder


def contents(path: Path) -> bytes:
    """Everything that a file says: compressed columns and streams as they are, and in plain."""
    data = path.read_bytes()
    found = [data]
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            table = file.read()
            found += [str(file.metadata.metadata).encode(), str(table.schema.metadata).encode()]
        for column in table.columns:
            flat = column.combine_chunks()
            while pa.types.is_list(flat.type):
                flat = flat.flatten()
            found.append(json.dumps(flat.to_pylist()).encode())
    if path.suffix == ".pdf":
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.S):
            try:
                found.append(zlib.decompressobj().decompress(stream))
            except zlib.error:
                continue
    return b"\n".join(found)


def check_silent(folder: Path, *names: str) -> int:
    """Checks that no file below a folder holds one of the names; gives the number of files."""
    number = 0
    real = socket.getfqdn()
    for path in folder.rglob("*"):
        if path.is_file():
            number += 1
            text = contents(path)
            for name in (USER, HOST, str(folder.parent), *names):
                assert name.encode() not in text, f"{path.relative_to(folder)} names {name!r}"
            if len(real) > 12:
                assert real.encode() not in text, path
    return number


def rollouts(path: Path, right: int, model: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "problem_id": f"p{problem}",
            "question": f"{problem} + 1?",
            "gold": str(problem + 1),
            "completion": [f"so \\boxed{{{problem + (draw < right)}}}" for draw in range(4)],
            "correct": [draw < right for draw in range(4)],
            **({} if model is None else {"model": model}),
        }
        for problem in range(3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported_pair(home: Path) -> tuple[Run, Run]:
    problems = home / "private" / "sums.jsonl"
    problems.parent.mkdir()
    problems.write_text(
        "".join(
            json.dumps({"id": f"p{i}", "question": f"{i} + 1?", "answer": str(i + 1)}) + "\n"
            for i in range(3)
        )
    )
    options = ImportOptions(verdict="correct", problems=(f"math:{problems}",))
    runs = []
    for name, right in (("base", 1), ("rl", 3)):
        rollouts(home / "dumps" / name / "1.jsonl", right, f"{home}/models/{name}")
        (home / "dumps" / name / "notes.md").touch()  # skipped, and recorded as such
        run = import_rollouts(home / "dumps" / name, home / "out" / name, options)
        # No answer stands in such tags: the remedies name the run.
        grade_run(run, GradeOptions(policy="answer_tag", verdicts="ours"))
        runs.append(run)
    return runs[0], runs[1]


def test_imported_runs(home: Path) -> None:
    """The sources, the model that the files name, the file of problems, the remedies."""
    for name, run in zip(("base", "rl"), imported_pair(home), strict=True):
        assert run.info.model["name"] == name
        assert [source["name"] for source in run.read_json("import.json")["sources"]] == [
            f"{name}/1.jsonl"
        ]
        assert f"grade {name} --" in run.read_json("grading.json")["unparsed"]["remedy"]
    assert check_silent(home / "out") > 10


@pytest.mark.slow(reason="makes two reports")
def test_reports_of_imported_runs(home: Path) -> None:
    base, rl = imported_pair(home)
    report_runs(base, rl, CompareOptions(), out=home / "out" / "unread")
    for run in (base, rl):
        grade_run(run, GradeOptions(verdicts="imported", regrade=True))
    report_runs(base, rl, CompareOptions(), out=home / "out" / "report")
    assert check_silent(home / "out") > 100


@pytest.mark.slow(reason="loads a model, draws, verifies and scores")
def test_sampled_runs_and_their_report(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command line, with paths as a user writes them; a moved model and file resume."""
    import sys

    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "sampling")
    from tiny import save_tiny
    from transformers import LlamaConfig

    for seed, name in enumerate(("base", "rl")):
        save_tiny(home / "models" / name, LlamaConfig, seed=seed)
    (home / "data").mkdir()
    (home / "data" / "sums.jsonl").write_text(
        "".join(json.dumps({"question": f"w{i} w7", "answer": f"{i}"}) + "\n" for i in range(2, 5))
    )
    (home / "template.txt").write_text("{question}")

    def cli(*arguments: str) -> None:
        status, message = run_command(list(arguments), monkeypatch, capsys)
        assert status == 0, message

    def sample(name: str, models: Path, data: Path, samples: int) -> None:
        cli(
            "sample", str(models / name), "--task", f"math:{data / 'sums.jsonl'}", "--samples",
            str(samples), "--max-tokens", "6", "--out", f"out/{name}", "--template",
            str(home / "template.txt"), "--device", "cpu",
        )  # fmt: skip

    for name in ("base", "rl"):
        sample(name, home / "models", home / "data", 2)
    shutil.move(home / "models", home / "moved")
    shutil.move(home / "data", home / "elsewhere")
    monkeypatch.chdir(home)
    for name in ("base", "rl"):
        sample(name, Path("moved"), Path("elsewhere"), 4)  # tops up
        cli("grade", str(home / "out" / name))
        for label in ("base", "rl"):
            cli("score", str(home / "out" / name), "--model", str(home / "moved" / label))
    run = Run.open("out/base")
    assert run.num_samples().tolist() == [4, 4, 4]
    assert run.info.model["name"] == "base"
    assert run.info.model["revision"].startswith("sha256:")
    assert run.info.tasks[0]["spec"].startswith("math:sums.jsonl?")
    shutil.copytree("out/rl", "out/again")
    cli("compare", "out/base", str(home / "out" / "rl"), "--out", "out/report", "--arm",
        f"other={home}/out/again")  # fmt: skip
    shutil.copytree("out/rl", "out/steps/1/rl")
    shutil.copytree("out/rl", "out/steps/2/rl")
    cli("dynamics", "out/base", str(home / "out/steps/1/rl"), "out/steps/2/rl", "--out",
        "out/dynamics")  # fmt: skip
    assert check_silent(home / "out") > 100
    assert "torch" in sys.modules


def test_audit_and_tests_of_programs(home: Path) -> None:
    """The tests of programs lie in the run, so that it needs no path of the user."""
    tests = home / "private" / "echo.jsonl"
    tests.parent.mkdir()
    row = {"id": "e", "question": "Echo.", "tests": [{"input": "1", "output": "1"}]}
    tests.write_text(json.dumps(row) + "\n")
    source = home / "dump.jsonl"
    source.write_text(json.dumps({"problem_id": "e", "question": "Echo.", "completion": "x"}))
    run = import_rollouts(source, home / "run", ImportOptions(problems=(f"code:{tests}",)))
    (spec,) = run.task_specs().values()
    kept = Path(spec.removeprefix("code:").partition("?")[0])
    assert kept.read_bytes() == tests.read_bytes()
    assert kept.is_relative_to(run.path / "tasks")
    assert run.info.tasks[0]["spec"].startswith("code:echo.jsonl?")
    check_silent(run.path)
    # The same bytes elsewhere are the same import.
    moved = home / "other.jsonl"
    shutil.move(tests, home / "echo.jsonl")
    shutil.move(source, moved)
    again = import_rollouts(
        moved, home / "run", ImportOptions(problems=(f"code:{home}/echo.jsonl",))
    )
    assert again.info == run.info


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("/home/alice/ck", "ck"), ("/home/alice/ck/", "ck"), ("~/m.gguf", "m.gguf"),
        ("../alice/ck", "ck"), ("file:///home/alice/ck", "ck"), ("org/name", "org/name"),
        ("gpt-4", "gpt-4"), ("accounts/team/models/m", "accounts/team/models/m"),
    ],
)  # fmt: skip
def test_names(name: str, recorded: str) -> None:
    assert recorded_name(name) == recorded
    assert recorded_name(recorded) == recorded


def test_specs() -> None:
    spec = "math:/home/alice/x.jsonl?answer=a&sha256=12"
    assert recorded_spec(spec) == "math:x.jsonl?answer=a&sha256=12"
    assert recorded_spec("reasoning_gym:countdown?seed=1") == "reasoning_gym:countdown?seed=1"
    assert recorded_spec("no spec") == "no spec"


def test_texts_lose_the_folders_of_the_sources_alone() -> None:
    value = {"/d/a/1.jsonl": ["see /d/a/1.jsonl: x.jsonl", "http://h/d/a/2", 3, None]}
    assert without_folders(value, ["/d/a"]) == {
        "a/1.jsonl": ["see a/1.jsonl: x.jsonl", "http://h/d/a/2", 3, None]
    }
    assert without_folders("a/b c", ["b", "./x", "/y"]) == "a/b c"


@pytest.mark.parametrize("source", ["~", "~/*.jsonl", "{home}", "{parent}/*/dump.jsonl", "."])
def test_the_home_itself_as_a_source(source: str, home: Path) -> None:
    rollouts(home / "dump.jsonl", 1)
    given = source.format(home=home, parent=home.parent)
    out = home.parent.parent / "out"
    run = import_rollouts(given, out / "run", ImportOptions(verdict="correct"))
    assert [each["name"] for each in run.read_json("import.json")["sources"]] == ["dump.jsonl"]
    check_silent(out)

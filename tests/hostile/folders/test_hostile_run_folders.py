"""Run directories of strangers: links, pipes, sockets and second names in every place.

Each test holds that the folder of the user outside of the run stays as it is, that nothing is
written into the run, and that the message names the entry.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_entries import KINDS, Place, plant, run_command, snapshot

from rlvr_fast.answers.journal import VerdictJournal
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.safe_files import JSON_BYTES, check_tree
from rlvr_fast.store import Run, repair

pytestmark = pytest.mark.timeout(120)

PLACES = (
    "run.json", "import.json", "problems.parquet", "grading.json", "grades.parquet",
    "verdicts.jsonl", ".lock", ".importing", ".tmp-run.json-1", "samples", "answers", "quarantine",
    "samples/part-000000.parquet", "answers/.tmp-part-000001.parquet-1", "scores/base",
    "scores/base/scores.json", "notes/deep/down/entry",
)  # fmt: skip

ROWS = '{"question": "1 + 1?", "gold": "2", "completion": "so 2"}'

COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "grade": lambda p: ["grade", str(p.base), "--regrade"],
    "score": lambda p: ["score", str(p.base), "--model", "no-such-model", "--label", "base"],
    "doctor": lambda p: ["doctor", str(p.base)],
    "doctor --repair": lambda p: ["doctor", str(p.base), "--repair"],
    "compare": lambda p: ["compare", str(p.base), str(p.rl), "--out", str(p.report)],
    "compare, as RL": lambda p: ["compare", str(p.rl), str(p.base), "--out", str(p.report)],
    "compare --arm": lambda p: [
        "compare", str(p.rl), str(p.rl), "--arm", f"x={p.base}", "--out", str(p.report),
    ],
    "plan": lambda p: ["plan", str(p.base), str(p.rl)],
    "dynamics": lambda p: ["dynamics", str(p.rl), str(p.base), "--out", str(p.report)],
    "references": lambda p: [
        "references", str(p.rl), str(p.rl), str(p.base), "--out", str(p.report),
    ],
    "import": lambda p: ["import", str(p.rl.parent / "rows.jsonl"), "--out", str(p.base)],
    "sample": lambda p: [
        "sample", "no-such-model", "--out", str(p.base), "--task", "reasoning_gym:countdown",
        "--samples", "1",
    ],
}  # fmt: skip


def refused(
    command: str,
    entry: str,
    words: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runs a command on a run with a planted entry, and holds what must not happen."""
    (place.rl.parent / "rows.jsonl").write_text(
        '{"question": "1?", "gold": "1", "completion": "1"}'
    )
    outside, inside = snapshot(place.victim), snapshot(place.base)
    status, message = run_command(COMMANDS[command](place), monkeypatch, capsys)
    assert snapshot(place.victim) == outside
    assert snapshot(place.base) == inside
    assert not place.report.exists()
    assert status == 2, message
    assert f"{place.base / entry}: {words}" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(("entry", "kind"), list(itertools.product(PLACES, KINDS)))
def test_every_place_and_kind(
    entry: str,
    kind: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plant(kind, place.base / entry, place.victim)
    number = PLACES.index(entry) + len(PLACES) * list(KINDS).index(kind)
    command = list(COMMANDS)[number % len(COMMANDS)]  # each command meets many of them
    refused(command, entry, KINDS[kind], place, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("command", "planted"),
    [(command, planted) for command in COMMANDS for planted in
        [(".lock", "file link"), ("answers", "folder link"), ("run.json", "dangling link"),
         ("run.json", "pipe"), ("verdicts.jsonl", "link to /dev/zero")]],
)  # fmt: skip
def test_every_command(
    command: str,
    planted: tuple[str, str],
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry, kind = planted
    plant(kind, place.base / entry, place.victim)
    refused(command, entry, KINDS[kind], place, monkeypatch, capsys)


def test_a_second_name_of_the_lock(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant("hard link", place.base / ".lock", place.victim)
    refused("grade", ".lock", "a file with a second name", place, monkeypatch, capsys)


def test_a_second_name_of_the_journal(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verdicts are appended to a file with one name; a new grading replaces the file."""
    (place.victim / "token").write_text("")  # an empty journal
    plant("hard link", place.base / "verdicts.jsonl", place.victim)
    outside = snapshot(place.victim)
    with pytest.raises(RunDirectoryError, match=r"verdicts\.jsonl: a file with a second name"):
        VerdictJournal(place.base / "verdicts.jsonl", timeout=5.0, memory_mb=2048)
    arguments = ["grade", str(place.base), "--regrade", "--verdicts", "ours", "--workers", "1"]
    run_command(arguments, monkeypatch, capsys)
    assert snapshot(place.victim) == outside


@pytest.mark.parametrize("entry", ["run.json", "grades.parquet", "answers/part-000000.parquet"])
def test_a_second_name_of_a_file_that_is_replaced(entry: str, place: Place) -> None:
    """A run that was copied by hard links stays usable, and the original as it is."""
    shutil.copytree(place.base, place.victim / "original", copy_function=os.link)
    outside = snapshot(place.victim / "original")
    (place.base / ".lock").unlink()  # the one file of these that is written in place
    assert (place.base / entry).stat().st_nlink == 2
    run = Run.open(place.base)
    run.request(99)
    table = run.read_table("grades.parquet")
    assert table is not None
    run.write_table("grades.parquet", table.slice(1))
    run.remove("answers")
    assert snapshot(place.victim / "original") == outside


def test_the_folder_itself_may_be_a_link(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user named it; it may lie on another disk, behind a link."""
    links = place.base.parent.parent / "links"
    links.symlink_to(place.base.parent)
    (place.base.parent / "again").symlink_to(place.base)
    for name in ("base", "again"):
        arguments = ["grade", str(links / name), "--regrade", "--verdicts", "imported"]
        status, message = run_command(arguments, monkeypatch, capsys)
        assert status == 0, message


@pytest.mark.parametrize("kind", ["file link", "folder link", "pipe", "socket"])
def test_repair_moves_nothing_through_an_entry(kind: str, place: Place) -> None:
    (place.base / "samples" / "part-000000.parquet").write_bytes(b"damaged")
    plant(kind, place.base / "quarantine", place.victim)
    outside, inside = snapshot(place.victim), snapshot(place.base)
    with pytest.raises(RunDirectoryError, match=f"quarantine: {KINDS[kind]}"):
        repair(place.base)
    assert (snapshot(place.victim), snapshot(place.base)) == (outside, inside)


@pytest.mark.parametrize("kind", ["file link", "folder link", "dangling link", "pipe", "socket"])
@pytest.mark.parametrize("name", [".lock", ".importing", "problems.parquet", "samples"])
def test_a_new_run_in_a_folder_that_holds_an_entry(
    name: str,
    kind: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(place.base)
    plant(kind, place.base / name, place.victim)
    refused("import", name, KINDS[kind], place, monkeypatch, capsys)


def test_a_run_that_changes_after_it_was_opened(place: Place) -> None:
    """Each write examines the folder anew."""
    run = Run.open(place.base)
    plant("folder link", place.base / "answers", place.victim)
    outside = snapshot(place.victim)
    for write in (
        lambda: run.remove("answers"),
        lambda: run.write_json("grading.json", {}),
        lambda: run.request(99),
    ):
        with pytest.raises(RunDirectoryError, match="answers: a symbolic link"):
            write()
    assert snapshot(place.victim) == outside


@pytest.mark.parametrize("name", ["run.json", "grading.json", "import.json"])
def test_json_files_have_a_bound(
    name: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file of a gigabyte takes no memory."""
    with (place.base / name).open("r+b") as file:
        file.truncate(1 << 30)
    (place.rl.parent / "rows.jsonl").write_text(
        '{"question": "1?", "gold": "1", "completion": "1"}'
    )
    command = COMMANDS["import" if name == "import.json" else "compare"]
    status, message = run_command(command(place), monkeypatch, capsys)
    assert status == 2
    assert f"{place.base / name}: expected a file of at most {JSON_BYTES:,} bytes" in message


def test_a_journal_of_one_line_takes_no_memory(place: Place) -> None:
    journal = place.base / "verdicts.jsonl"
    with journal.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(RunDirectoryError, match=r"verdicts\.jsonl, row 1: expected a line of at"):
        VerdictJournal(journal, timeout=5.0, memory_mb=2048)


def test_nested_json_is_an_error_that_names_the_file(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.base / "run.json").write_text("[" * 100_000)
    status, message = run_command(COMMANDS["grade"](place), monkeypatch, capsys)
    assert status == 2
    assert "run.json: cannot be read as JSON" in message


def test_a_run_with_100_000_parts_is_examined_without_opening_them(tmp_path: Path) -> None:
    """Listing takes one call a folder; a file that may not be opened does not matter."""
    folder = tmp_path / "run" / "samples"
    folder.mkdir(parents=True)
    for number in range(2000):
        (folder / f"part-{number:06d}.parquet").touch(0o000)
    check_tree(tmp_path / "run")


@pytest.mark.slow(reason="starts the command line and imports torch")
@pytest.mark.parametrize("command", ["grade", "compare", "doctor --repair", "sample"])
@pytest.mark.parametrize("planted", [(".lock", "file link"), ("run.json", "pipe")])
def test_by_the_real_command_line(command: str, planted: tuple[str, str], place: Place) -> None:
    entry, kind = planted
    plant(kind, place.base / entry, place.victim)
    outside, inside = snapshot(place.victim), snapshot(place.base)
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *COMMANDS[command](place)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert f"{place.base / entry}: {KINDS[kind]}" in done.stderr
    assert "Traceback" not in done.stderr
    assert (snapshot(place.victim), snapshot(place.base)) == (outside, inside)


def test_the_lock_names_no_host(place: Place) -> None:
    import socket

    run = Run.open(place.base)
    with run.writing():
        lock = (place.base / ".lock").read_text()
    assert str(os.getpid()) in lock
    assert socket.gethostname() not in lock
    assert json.loads((place.base / "run.json").read_text())["format"] == 1

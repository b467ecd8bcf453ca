"""Folders of reports, tables and studies that hold links, pipes or sockets, or a run."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_entries import KINDS, Place, plant, run_command, snapshot

from rlvr_fast.report.figures import new_figure, save_figure
from rlvr_fast.report.table import Column, Table, write_tables
from rlvr_fast.safe_files import check_tree
from rlvr_fast.study import STUDY_FOLDERS

pytestmark = pytest.mark.timeout(120)

PLACES = (
    "index.html", "summary.json", ".tmp-index.html-1", "tables", "figures",
    "tables/support_seen.csv", "figures/support_seen.pdf", "pages/deep/entry",
)  # fmt: skip

TABLE = Table("t", "caption", (Column("a", "a"),), [{"a": 1}])


def _study(place: Place) -> list[str]:
    file = place.victim.parent / "study.yaml"
    models = "base: ./no-such-model\nrl: ./no-such-model\nout: elsewhere\n"
    file.write_text(f"{models}tasks: ['reasoning_gym:countdown']\nsamples: 1\n")
    return ["study", str(file), "--out", str(place.report)]


def _rollouts(place: Place, name: str) -> str:
    file = place.victim.parent / f"{name}.jsonl"
    row = {"question": "1 + 1?", "gold": "2", "completion": ["so 2", f"so {name}"]}
    file.write_text(json.dumps(row))
    return str(file)


COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "compare": lambda p: ["compare", str(p.base), str(p.rl), "--out", str(p.report)],
    "compare rollouts": lambda p: [
        "compare", _rollouts(p, "base"), _rollouts(p, "rl"), "--out", str(p.report),
    ],
    "dynamics": lambda p: ["dynamics", str(p.base), str(p.rl), "--out", str(p.report)],
    "references": lambda p: [
        "references", str(p.base), str(p.rl), str(p.rl), "--out", str(p.report),
    ],
}  # fmt: skip


def refused(
    arguments: list[str],
    entry: Path,
    words: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runs a command, and holds that no file anywhere has changed."""
    before = snapshot(place.victim.parent)
    status, message = run_command(arguments, monkeypatch, capsys)
    assert snapshot(place.victim.parent) == before
    assert status == 2, message
    assert f"{entry}: {words}" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(("entry", "kind"), list(itertools.product(PLACES, KINDS)))
def test_every_place_and_kind(
    entry: str,
    kind: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plant(kind, place.report / entry, place.victim)
    number = PLACES.index(entry) + list(KINDS).index(kind)
    arguments = list(COMMANDS.values())[number % len(COMMANDS)](place)
    refused(arguments, place.report / entry, KINDS[kind], place, monkeypatch, capsys)


@pytest.mark.parametrize("kind", ["folder link", "dangling link", "pipe"])
@pytest.mark.parametrize("entry", ["base", "rl", "rl/.lock", "rl/.importing", "arms"])
@pytest.mark.parametrize("option", ["--out", "--runs", "study"])
def test_folders_of_the_runs_that_a_command_makes(
    option: str,
    entry: str,
    kind: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plant(kind, place.report / entry, place.victim)
    if option == "study":
        arguments = _study(place)
    else:
        arguments = ["compare", _rollouts(place, "base"), _rollouts(place, "rl")]
        arguments += [option, str(place.report)]
        if option == "--runs":
            arguments += ["--out", str(place.victim.parent / "elsewhere")]
    refused(arguments, place.report / entry, KINDS[kind], place, monkeypatch, capsys)


def test_other_entries_beside_the_folders_of_a_study_do_not_matter(place: Place) -> None:
    plant("folder link", place.report / "wandb", place.victim)
    (place.report / "base").mkdir()
    check_tree(place.report, only=STUDY_FOLDERS)


@pytest.mark.parametrize("inside", ["", "samples", "scores/base", "new/report"])
def test_no_report_into_a_run(
    inside: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in COMMANDS.values():
        out = place.base / inside
        arguments = command(place._replace(report=out))
        words = "inside the run directory" if inside else "a run directory"
        refused(arguments, out, words, place, monkeypatch, capsys)


def test_a_link_to_a_run_is_a_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.report.symlink_to(place.rl)
    arguments = COMMANDS["compare"](place)
    refused(arguments, place.report, "a run directory", place, monkeypatch, capsys)


def test_the_folder_itself_may_be_a_link(place: Place) -> None:
    target = place.victim.parent / "another disk"
    target.mkdir()
    place.report.symlink_to(target)
    (target / "notes.txt").write_text("mine")
    write_tables([TABLE], place.report)
    names = ["notes.txt", "t.csv", "t.json", "t.tex"]
    assert sorted(path.name for path in target.iterdir()) == names


def test_a_second_name_of_a_file_of_a_report_keeps_its_text(place: Place) -> None:
    """Each file is written whole and takes the place of the old one."""
    for name in ("t.csv", "t.json", "t.tex", "f.png", "f.svg", "f.pdf"):
        plant("hard link", place.report / name, place.victim)
    outside = snapshot(place.victim)
    write_tables([TABLE], place.report)
    save_figure(new_figure(1, 1), place.report / "f")
    assert snapshot(place.victim) == outside
    assert (place.report / "t.csv").read_text() == "a\n1\n"
    assert not list(place.report.glob(".tmp-*"))


@pytest.mark.parametrize("name", ["t.csv", "f.png"])
def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.report.mkdir()
    (place.report / name).write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    write: dict[str, Callable[[], object]] = {
        "t.csv": lambda: write_tables([TABLE], place.report),
        "f.png": lambda: save_figure(new_figure(1, 1), place.report / "f"),
    }
    with pytest.raises(KeyboardInterrupt):
        write[name]()
    assert (place.report / name).read_text() == "old"
    assert not list(place.report.glob(".tmp-*"))


@pytest.mark.slow(reason="starts the command line twice")
def test_by_the_real_command_line(place: Place) -> None:
    plant("pipe", place.report / "summary.json", place.victim)
    before = snapshot(place.victim.parent)
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *COMMANDS["compare"](place)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "summary.json: a named pipe" in done.stderr
    assert snapshot(place.victim.parent) == before

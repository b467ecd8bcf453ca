"""Files of terabytes that are holes, trees that are too deep, and folders that only look like ours.

A file of holes takes no room to pass on and hours to read; a deep tree ends a recursion; an import
that was interrupted leaves folders which the next import deletes, and a folder of the user may look
like one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_entries import Place, run_command, snapshot

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.model_files import check_model_files
from rlvr_fast.models import local_revision
from rlvr_fast.safe_files import check_tree, open_linked, open_regular
from rlvr_fast.sampling.prompts import load_template
from rlvr_fast.store import Run, import_rollouts, repair
from rlvr_fast.store.importing.sources import digest_of
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.study import check_place
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.tasks import load_task

pytestmark = pytest.mark.timeout(60)

ROW = json.dumps({"question": "1 + 1?", "gold": "2", "completion": "so 2"}) + "\n"
HOLE = "of which most are holes"


def make_hole(file: Path) -> None:
    """Makes a file of 8 TB that keeps its first bytes and takes no room."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        opened.truncate(8 << 40)


def make_deep(folder: Path, levels: int) -> None:
    """Makes folders inside each other, deeper than a path can name."""
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("a", dir_fd=handle)
        below = os.open("a", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)


def delete_deep(folder: Path, levels: int) -> None:
    """Deletes what `make_deep` made, for the cleaning of temporary folders is a recursion too."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.rename("a/a", "b", src_dir_fd=handle, dst_dir_fd=handle) if _exists(handle) else None
        os.rmdir("a", dir_fd=handle)
        if not _exists(handle, "b"):
            break
        os.rename("b", "a", src_dir_fd=handle, dst_dir_fd=handle)
    os.close(handle)


def _exists(handle: int, name: str = "a/a") -> bool:
    try:
        os.stat(name, dir_fd=handle)
    except FileNotFoundError:
        return False
    return True


# -- holes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["grades.parquet", "problems.parquet", "samples/part-000000.parquet", "verdicts.jsonl",
     "answers/part-000000.parquet", "import.json"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["doctor", "compare", "grade"])
def test_a_file_of_holes_in_a_run(
    name: str,
    command: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_hole(place.base / name)
    arguments = {
        "doctor": ["doctor", str(place.base)],
        "compare": ["compare", str(place.base), str(place.rl), "--out", str(place.report)],
        "grade": ["grade", str(place.base), "--verdicts", "ours", "--regrade", "--workers", "1"],
    }[command]
    status, message = run_command(arguments, monkeypatch, capsys)
    assert "Traceback" not in message
    if command != "grade":  # which sets a table that is not needed aside
        assert status in (1, 2)
    if command == "compare":
        assert name in message


@pytest.mark.parametrize("name", ["samples/part-000000.parquet", "verdicts.jsonl", "import.json"])
def test_repair_moves_a_file_of_holes(name: str, place: Place) -> None:
    make_hole(place.base / name)
    moved = repair(place.base)
    assert place.base / "quarantine" / name in moved
    assert not (place.base / name).exists()


def test_repair_reads_no_copy_that_is_a_hole(place: Place) -> None:
    """grading.json holds a copy of run.json, for a run whose run.json is damaged."""
    (place.base / "run.json").write_text("{")
    make_hole(place.base / "grading.json")
    with pytest.raises(RunDirectoryError, match=r"run\.json"):
        repair(place.base)


def test_a_large_file_without_holes_is_read(tmp_path: Path) -> None:
    """Holes count, and not the size: half a hole is no fault, and what follows is read."""
    file = tmp_path / "file"
    with file.open("wb") as opened:
        opened.seek(1 << 30)
        opened.write(b"end")
    with open_regular(file) as opened, open_linked(file) as linked:
        assert opened.tell() == linked.tell() == 0
        opened.seek(-3, os.SEEK_END)
        assert opened.read() == b"end"


@pytest.mark.parametrize("head", ["", ROW])
def test_a_source_of_holes(head: str, tmp_path: Path) -> None:
    source = tmp_path / "dump.jsonl"
    source.write_text(head)
    make_hole(source)
    with pytest.raises(InvalidInputError, match=HOLE):
        import_rollouts(source, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scheme", ["math", "code"])
def test_a_task_of_holes(scheme: str, tmp_path: Path) -> None:
    file = tmp_path / "task.jsonl"
    make_hole(file)
    with pytest.raises(InvalidInputError, match=HOLE):
        load_task(f"{scheme}:{file}")


def test_a_digest_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    """A source that is refused is not read to its end, whatever its size."""
    file = tmp_path / "dump.jsonl"
    file.write_bytes(b"x" * (3 << 20))
    asked: list[None] = []
    stop = threading.Event()

    def stopped() -> bool:
        asked.append(None)
        stop.set()
        return len(asked) > 1

    digest_of(SourceFile(str(file), file), stopped)
    assert stop.is_set()
    assert len(asked) == 2


# -- depth -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "levels"), [(".graded-before", 1500), (".importing", 1500), ("notes", 2500)]
)
def test_a_tree_that_is_too_deep(where: str, levels: int, place: Place) -> None:
    deep = place.base / where / "x"
    make_deep(deep, levels)
    try:
        with pytest.raises(RunDirectoryError, match="more than 100 folders inside each other") as e:
            Run.open(place.base)
        assert len(str(e.value)) < 1000
        (place.base / "run.json").unlink()
        source = place.base.parent / "dump.jsonl"
        source.write_text(ROW)
        with pytest.raises(RunDirectoryError, match="more than 100 folders inside each other"):
            import_rollouts(source, place.base)
        with pytest.raises(RunDirectoryError, match="more than 100 folders inside each other"):
            check_tree(place.base.parent, only=["base"])
    finally:
        delete_deep(deep, levels)


# -- what an import deletes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["samples/mine.txt", "tasks/todo.md", "scores/notes/mine.txt", "notes.txt",
             "tasks/0123456789abcdef/deep/file", "samples/more/part-000000.parquet"],
)  # fmt: skip
def test_an_import_deletes_nothing_that_no_import_wrote(name: str, tmp_path: Path) -> None:
    """A hidden folder does not make a folder of the user one of an import that was killed."""
    folder = tmp_path / "project"
    (folder / ".importing").mkdir(parents=True)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    (folder / "problems.parquet").write_text("mine too")
    source = tmp_path / "dump.jsonl"
    source.write_text(ROW)
    before = {path: state[2] for path, state in snapshot(folder).items()}
    with pytest.raises(RunDirectoryError, match="not a run directory") as error:
        import_rollouts(source, folder)
    assert name in str(error.value)
    after = {path: state[2] for path, state in snapshot(folder).items()}
    after = {path: state for path, state in after.items() if not path.startswith(".l")}
    assert after == before


def test_an_import_goes_on_after_one_that_was_killed(place: Place) -> None:
    """What was moved into place before run.json was written is deleted, and made anew."""
    for name in ("run.json", "grades.parquet", "grading.json", "verdicts.jsonl"):
        (place.base / name).unlink()
    for part in (place.base / "answers").iterdir():
        part.unlink()
    (place.base / "answers").rmdir()
    (place.base / ".importing").mkdir()
    source = place.base.parent / "dump.jsonl"
    source.write_text(ROW)
    assert import_rollouts(source, place.base).num_samples().tolist() == [1]


def test_a_table_of_the_user_is_not_replaced(place: Place) -> None:
    """A killed call leaves problems.parquet beside its lock; without the lock it is another's."""
    folder = place.report
    folder.mkdir()
    (folder / "problems.parquet").write_text("mine")
    run = Run.open(place.base)
    with pytest.raises(RunDirectoryError, match="not empty"):
        Run.create(
            folder,
            model={"name": "m", "revision": None},
            engine={"name": "e", "version": "1", "notes": []},
            sampling={"temperature": 1.0, "top_p": 1.0, "max_tokens": 1, "seed": 0, "stop": []},
            prompt_template={"name": "plain", "sha256": "0"},
            tasks=[],
            problems=run.problems(),
        )
    assert (folder / "problems.parquet").read_text() == "mine"


# -- runs inside runs ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("inside", ["sub", "samples/sub", "scores/base/sub", "new/deep"])
def test_no_run_inside_a_run(
    inside: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = place.base.parent / "dump.jsonl"
    source.write_text(ROW)
    before = snapshot(place.base)
    out = str(place.base / inside)
    for arguments in (
        ["import", str(source), "--out", out],
        ["compare", str(source), str(source), "--runs", out, "--out", str(place.report)],
        ["compare", str(source), str(source), "--runs", str(place.base), "--out", "elsewhere"],
        ["demo", "--quick", "--out", out],
    ):
        status, message = run_command(arguments, monkeypatch, capsys)
        assert status == 2, message
        assert "run directory" in message
    assert snapshot(place.base) == before
    with pytest.raises(RunDirectoryError, match="a run directory"):
        check_place(place.base)


def test_a_damaged_run_is_a_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.base / "problems.parquet").unlink()
    before = snapshot(place.base)
    arguments = ["compare", str(place.rl), str(place.rl), "--out", str(place.base)]
    status, message = run_command(arguments, monkeypatch, capsys)
    assert status == 2
    assert f"{place.base}: a run directory" in message
    assert snapshot(place.base) == before


def test_runs_beside_each_other_and_in_a_folder_with_a_run_json(place: Place) -> None:
    """A run.json of another tool makes no run."""
    (place.base.parent / "run.json").write_text("{}")
    source = place.base.parent / "dump.jsonl"
    source.write_text(ROW)
    assert import_rollouts(source, place.base.parent / "third").num_samples().tolist() == [1]


def test_a_temporary_folder_is_named(place: Place) -> None:
    (place.base / ".tmp-x").mkdir()
    with pytest.raises(InvalidInputError, match=r"\.tmp-x"):
        Run.open(place.base).request(99)


def test_the_copy_of_a_file_of_a_task_lies_in_the_run(place: Place) -> None:
    """A name in a spec of a stranger does not lead out of the run."""
    from rlvr_fast.store.recorded import kept_spec

    folder = place.base / "tasks" / ("0" * 16) / "a"
    folder.mkdir(parents=True)
    (place.victim / "t.jsonl").write_text("secret")
    out = "/".join([".."] * 5)
    spec = f"code:a/{out}/victim/t.jsonl?sha256={'0' * 64}"
    assert (folder / out / "victim" / "t.jsonl").is_file()
    assert kept_spec(place.base, spec) == spec


# -- files beside sources, of models, of studies ---------------------------------------------------


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


ENDLESS: dict[str, Callable[[Path], None]] = {"pipe": _pipe, "/dev/zero": _zero, "hole": make_hole}


@pytest.mark.parametrize("kind", ENDLESS)
def test_settings_beside_a_source(kind: str, tmp_path: Path) -> None:
    """Readers look for settings beside the rollouts; without them the rollouts are read."""
    folder = tmp_path / "dumps"
    folder.mkdir()
    for name in ("metadata.json", "evaluation_results.json", "summary.json", "results.json"):
        ENDLESS[kind](folder / name)
    row = {
        "example_id": 0,
        "prompt": [{"role": "user", "content": "q"}],
        "completion": [{"role": "assistant", "content": "a"}],
        "answer": "a", "reward": 1.0, "task": "t", "info": {},
    }  # fmt: skip
    (folder / "rollouts.jsonl").write_text(json.dumps(row) + "\n")  # of verifiers
    (folder / "generations_x.json").write_text(json.dumps([["a", "b"], ["c", "d"]]))  # of bigcode
    for name in ("rollouts.jsonl", "generations_x.json"):
        run = import_rollouts(folder / name, tmp_path / name.partition(".")[0])
        assert run.num_samples().sum() > 0


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("name", ["extra.json", "vocab.txt", "model.bin", "x.gguf"])
def test_a_file_of_a_model(name: str, kind: str, tmp_path: Path) -> None:
    ENDLESS[kind](tmp_path / name)
    with pytest.raises(InvalidInputError, match=name):
        local_revision(tmp_path)


def test_honest_folders_of_models_have_a_digest(tmp_path: Path) -> None:
    """Links, as the cache of the hub has them, and folders with the ending of a file."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "config.json").write_text("{}")
    (tmp_path / "two" / "config.json").symlink_to(tmp_path / "one" / "config.json")
    (tmp_path / "two" / "original.bin").mkdir()
    assert local_revision(tmp_path / "one") == local_revision(tmp_path / "two")
    (tmp_path / "one" / os.fsdecode(b"\xff.json")).write_text("{}")
    assert local_revision(tmp_path / "one") != local_revision(tmp_path / "two")


def test_a_chat_template_of_holes(tmp_path: Path) -> None:
    make_hole(tmp_path / "chat_template.jinja")
    with pytest.raises(InvalidInputError, match=HOLE):
        check_model_files(tmp_path)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_study_file_and_a_template(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    ENDLESS[kind](file)
    with pytest.raises(InvalidInputError, match="file"):
        StudyConfig.from_yaml(file)
    with pytest.raises(InvalidInputError, match="file"):
        load_template(str(file), engine=type("Engine", (), {"chat_template": None, "model": "m"})())


def test_a_study_file_from_a_command(tmp_path: Path) -> None:
    """`rlvr-fast study <(command)` names a pipe that has a writer."""
    read, write = os.pipe()
    os.write(write, b"base: a\nrl: b\nout: c\ntasks: ['reasoning_gym:countdown']\nsamples: 1\n")
    os.close(write)
    try:
        assert StudyConfig.from_yaml(f"/dev/fd/{read}").base.model == "a"
    finally:
        os.close(read)

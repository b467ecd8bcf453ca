"""Trackers: real wandb, Trackio and TensorBoard in their offline modes, read back."""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlvr_fast.cli import main
from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tracking import Recording, TrackOptions, report_numbers, table_numbers, track_job
from rlvr_fast.tracking import recording as recording_module
from rlvr_fast.tracking.numbers import Logged

KEY = "9f1c"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and every tracker offline in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return tmp_path


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The values of TensorBoard's event files by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(each.step, each.value) for each in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def log_records(data: bytes, block: int = 1 << 15) -> Iterator[bytes]:
    """The records of a log in LevelDB's format behind a header of 7 bytes, as wandb writes it."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:  # the end of a block, too short for a header
            at += block - at % block
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def records(file: Path) -> list[Any]:
    """The records of a run of wandb, whose own process writes the last ones after `finish`."""
    from wandb.proto.wandb_internal_pb2 import Record

    end = time.monotonic() + 300
    while True:
        found = [Record.FromString(data) for data in log_records(file.read_bytes())]
        if found and found[-1].HasField("exit"):
            return found
        assert time.monotonic() < end, "wandb did not write the end of the run"
        time.sleep(0.05)


def history(folder: Path) -> tuple[list[dict[str, float]], dict[str, object], list[str]]:
    """What wandb's file holds: rows, configuration, names of artefacts."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    rows: list[dict[str, float]] = []
    config: dict[str, object] = {}
    artifacts: list[str] = []
    for record in records(file):
        if record.HasField("history"):
            items = record.history.item
            rows.append({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items})
        if record.HasField("run"):
            config |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
        if record.HasField("artifact"):
            artifacts.append(record.artifact.name)
    return rows, config, artifacts


def one_job(name: str, place: Path) -> None:
    """Logs a little, and keeps a folder."""
    report = place / "report"
    report.mkdir()
    (report / "index.html").write_text("<p>page</p>")
    config = {"samples": 4, "engine_args": {"hf_token": KEY, "dtype": "float32"}}
    options = TrackOptions(track=(name,), track_project="p")
    with track_job(options, what="study", folder=place / "out", config=config) as record:
        progress = record.progress()
        assert progress is not None
        progress("sample base", 0, 8)
        progress("sample base", 8, 8)
        record.log([Logged("pass_at_k", {"base": 0.25, "rl": 0.5}, 16)])
        record.keep(report, "A headline with <b>marks</b>.")
        assert set(record.places) == {name}


def test_tensorboard_holds_what_was_logged(place: Path) -> None:
    one_job("tensorboard", place)
    (folder,) = (place / "runs.tensorboard").iterdir()
    found = scalars(folder)
    assert found["sample/base/done"] == [(0, 0.0), (8, 8.0)]
    assert found["sample/base/share"][-1] == (8, 1.0)
    assert found["pass_at_k/base"] == [(16, 0.25)]
    assert found["pass_at_k/rl"] == [(16, 0.5)]


@pytest.mark.slow
def test_wandb_holds_what_was_logged_and_no_secret(place: Path) -> None:
    one_job("wandb", place)
    rows, config, artifacts = history(place)
    assert any(row.get("pass_at_k/rl") == 0.5 and row["pass_at_k/step"] == 16 for row in rows)
    assert [row["sample/base/done"] for row in rows if "sample/base/done" in row] == [0, 8]
    assert config["samples"] == 4
    assert config["engine_args"] == {"dtype": "float32"}
    assert artifacts == ["report"]
    for file in place.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_trackio_holds_what_was_logged(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trackio.sqlite_storage
    import trackio.utils

    for module in (trackio.utils, trackio.sqlite_storage):
        monkeypatch.setattr(module, "TRACKIO_DIR", place / "trackio")
    one_job("trackio", place)
    (run,) = trackio.sqlite_storage.SQLiteStorage.get_runs("p")
    rows = trackio.sqlite_storage.SQLiteStorage.get_logs("p", run)
    assert any(row.get("pass_at_k/rl") == 0.5 and row["pass_at_k/step"] == 16 for row in rows)
    assert [row["sample/base/done"] for row in rows if "sample/base/done" in row] == [0, 8]


@pytest.mark.slow
def test_trackio_leaves_standard_output_to_the_result(place: Path) -> None:
    """At the end of a process Trackio ends what it takes for its current run, with words."""
    code = (
        "from rlvr_fast.tracking import TrackOptions, track_job\n"
        "with track_job(TrackOptions(track=('trackio',)), what='study', folder='out', config={}):\n"
        "    pass\n"
        "print('{}')\n"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(place / "trackio")}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "{}\n"


@pytest.mark.slow
def test_a_study_is_tracked_from_the_command_line(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(recording_module.__file__).parent.parent / "demo_models"
    study = {
        "base": str(models / "base"),
        "rl": str(models / "rl"),
        "out": str(place / "out"),
        "tasks": ["reasoning_gym:products?size=2"],
        "samples": 4,
        "sampling": {"max_tokens": 8},
        "score": False,
    }
    (place / "study.yaml").write_text(json.dumps(study))
    arguments = ["study", "study.yaml", "-q", "--track", "tensorboard", "--track-name", "mine"]
    monkeypatch.setattr(sys, "argv", ["rlvr-fast", *arguments])
    with contextlib.suppress(SystemExit):
        main()
    (folder,) = (place / "runs.tensorboard").iterdir()
    assert folder.name.startswith("mine-")
    found = scalars(folder)
    summary = json.loads((place / "out" / "report" / "summary.json").read_text())
    assert found["support/out"] == [(0, summary["overall"]["out"])]
    assert [k for k, _ in found["pass_at_k/base"]] == sorted(
        int(k) for k in summary["pass_at_k"]["base"]
    )
    assert found["sample/rl/done"][-1] == (8, 8.0)
    # Trackers leave nothing in runs and report.
    assert {each.name for each in (place / "out").iterdir()} == {"base", "rl", "report"}


def hostile_job(name: str, place: Path) -> None:
    """A job whose names hold signs that trackers read, and whose arguments tell of a user."""
    config = {
        "base": {"model": "/home/alice/secret project/grpo-1", "revision": None},
        "tasks": ["aime=math:/home/alice/aime.jsonl?question=q", "math:../alice/b.jsonl"],
        "engine_args": {"url": "http://gpu.alice/v1", "api_key_env": "ALICE"},
        "prompt": {"few_shot": "~/alice/few.jsonl"},
    }
    options = TrackOptions(track=(name,), track_name="../../a/b <x>\n*")
    with (
        warnings.catch_warnings(),
        track_job(options, what="study", folder=place / "out", config=config) as record,
    ):
        warnings.filterwarnings("error", message="the tracker")
        told = record.progress()
        assert told is not None
        for stage in ("sample grpo 1.5 *", "score a\nb under base, as sampled"):
            told(stage, 0, 2)
            told(stage, 2, 2)


@pytest.mark.slow  # wandb and Trackio read their settings once a process
@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_hostile_names_and_private_arguments(name: str, place: Path) -> None:
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import test_tracking; test_tracking.hostile_job({name!r}, pathlib.Path.cwd())"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(place / "trackio")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert {each.name for each in place.iterdir()} == {
        {"tensorboard": "runs.tensorboard"}.get(name, name)
    }
    if name == "wandb":
        rows, known, _ = history(place)
        assert [row["sample/grpo 1_5 _/done"] for row in rows if "sample/grpo 1_5 _/done" in row]
        assert known["tasks"] == ["aime=math:aime.jsonl?question=q", "math:b.jsonl"]
    for file in place.rglob("*"):
        assert not file.is_file() or b"alice" not in file.read_bytes().lower()


def test_a_tracker_that_cannot_start_is_said_before_the_job(place: Path) -> None:
    (place / "runs.tensorboard").write_text("a file")
    options = TrackOptions(track=("tensorboard",))
    with (
        pytest.raises(InvalidInputError, match="the tracker tensorboard does not start"),
        track_job(options, what="study", folder=place, config={}),
    ):
        raise AssertionError("the job must not begin")


class Failing:
    """A tracker whose second log fails."""

    place = "nowhere"

    def __init__(self) -> None:
        self.logged = 0
        self.closed = False

    def log(self, group: str, numbers: object, step: int) -> None:
        self.logged += 1
        if self.logged == 2:
            raise ConnectionError("no route")

    def keep(self, folder: Path, name: str, text: str) -> None:
        raise AssertionError("a failed tracker is not called again")

    def close(self, *, failed: bool) -> None:
        raise AssertionError("a failed tracker is not called again")


def test_a_tracker_that_fails_does_not_end_the_job(place: Path) -> None:
    failing = Failing()
    record = Recording({"failing": failing})
    record.log([Logged("a", {"x": 1.0}, 0)])
    with pytest.warns(UserWarning, match=r"failing failed \(ConnectionError: no route\)"):
        record.log([Logged("a", {"x": 1.0}, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record.keep(place, "text")
        record.close(failed=False)
    assert failing.logged == 2


def test_a_missing_package_is_named_before_the_job(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    options = TrackOptions(track=("wandb",))
    with (
        pytest.raises(MissingDependencyError, match="needs the package wandb"),
        track_job(options, what="study", folder=place, config={}),
    ):
        raise AssertionError("the job must not begin")


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="wandb, trackio, tensorboard"):
        TrackOptions(track=("wandbb",))


def test_without_trackers_the_progress_is_the_one_given(place: Path) -> None:
    def inner(stage: str, done: int, total: int) -> None: ...

    with track_job(TrackOptions(), what="study", folder=place, config={}) as record:
        assert record.progress(inner) is inner
        assert record.progress() is None


def test_a_stage_is_logged_at_its_ends_and_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(recording_module.time, "monotonic", lambda: now[0])
    stage = recording_module._Stage(10)
    steps = []
    for done in range(10, 101):
        now[0] += 0.5
        if numbers := stage.due(done, 100):
            steps.append((done, numbers))
    assert [done for done, _ in steps] == [10, *range(20, 100, 10), 100]
    assert steps[-1][1] == {
        "done": 100,
        "share": 1.0,
        "per_second": pytest.approx(90 / 45.5),
    }


def test_only_finite_numbers_are_logged() -> None:
    rows = [{"name": "a", "x": math.nan, "y": True}, {"name": "b", "x": 2, "y": None}]
    assert list(table_numbers("rows", rows)) == [Logged("rows", {"x": 2.0}, 1)]
    summary = {
        "overall": {"srr": None, "out": 3, "problems": 4},
        "pass_at_k": {"base": {"1": 0.1, "8": 0.4}, "rl": {"1": 0.2, "16": math.inf}},
        "entropy": {"base": {"token": 0.5, "answer": None}, "rl": {"token": 0.25}},
    }
    assert list(report_numbers(summary)) == [
        Logged("support", {"out": 3.0}, 0),
        Logged("pass_at_k", {"base": 0.1, "rl": 0.2}, 1),
        Logged("pass_at_k", {"base": 0.4}, 8),
        Logged("entropy", {"token/base": 0.5, "token/rl": 0.25}, 0),
    ]

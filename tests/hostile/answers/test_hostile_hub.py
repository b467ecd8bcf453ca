"""Data sets of the Hub are a stranger's: they name no file of the machine and run no code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task

datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SPEC = "math:hf://acme/sums"
# {victim} is a folder of the user. Each is a value of data_files in the card.
DATA_FILES = (
    "{victim}/secret.jsonl",
    "{victim}/*.jsonl",
    "{victim}/token.txt",
    "../../../victim/secret.jsonl",
    "data/../../../../victim/secret.jsonl",
    "[data/test.jsonl, {victim}/secret.jsonl]",
    "[{split: test, path: {victim}/secret.jsonl}]",
    "[{split: test, path: [data/test.jsonl, {victim}/secret.jsonl]}]",
    "{test: {victim}/secret.jsonl}",
    "file://{victim}/secret.jsonl",
    "local://{victim}/secret.jsonl",
    "'simplecache::file://{victim}/secret.jsonl'",
    "'zip://secret.jsonl::{victim}/a.zip'",
    "http://127.0.0.1:9/secret.jsonl",
    "hf://datasets/other/private/secret.jsonl",
    "~/secret.jsonl",
    "'\\\\host\\share\\secret.jsonl'",
    "/proc/self/environ",
    "/dev/stdin",
)


@pytest.fixture
def snapshot(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Makes the snapshot of a data set in the layout of the cache of huggingface_hub."""
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("secret.jsonl", "token.txt"):
        (victim / name).write_text('{"question": "SECRET", "answer": "1"}\n')
    monkeypatch.setenv("HOME", str(victim))
    folder = tmp_path / "sums" / "snapshots" / COMMIT
    (folder / "data").mkdir(parents=True)
    blob = tmp_path / "sums" / "blobs" / "1"
    blob.parent.mkdir()
    blob.write_text('{"question": "1 + 1?", "answer": "2"}\n')
    (folder / "data" / "test.jsonl").symlink_to(os.path.relpath(blob, folder / "data"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))

    def make(card: str) -> Path:
        (folder / "README.md").write_text(card.replace("{victim}", str(victim)))
        return folder

    return make


def card(config: str) -> str:
    return f"---\nlicense_link: https://example.org/a\nconfigs:\n- config_name: main\n{config}---\n"


@pytest.mark.parametrize("value", DATA_FILES)
def test_a_card_names_no_file_of_the_machine(value, snapshot):
    snapshot(card(f"  data_files: {value}\n"))
    with pytest.raises(InvalidInputError, match="names data outside of the data set"):
        load_task(SPEC)


@pytest.mark.parametrize("value", ["{victim}", "../../../victim", "'~'", "data/../../.."])
def test_a_card_names_no_folder_of_the_machine(value, snapshot):
    snapshot(card(f"  data_dir: {value}\n"))
    with pytest.raises(InvalidInputError, match="names data outside of the data set"):
        load_task(SPEC)


def test_no_further_file_of_settings_names_one(snapshot, tmp_path):
    folder = snapshot("")
    settings = f"configs:\n- config_name: main\n  data_files: {tmp_path}/victim/secret.jsonl\n"
    (folder / ".huggingface.yaml").write_text(settings)
    with pytest.raises(InvalidInputError, match="names data outside of the data set"):
        load_task(SPEC)


def test_a_link_out_of_the_data_set_is_refused(snapshot, tmp_path):
    folder = snapshot("")
    (folder / "data" / "more.jsonl").symlink_to(tmp_path / "victim" / "secret.jsonl")
    with pytest.raises(InvalidInputError, match="is a link to a file outside"):
        load_task(SPEC)


@pytest.mark.parametrize(
    "text", ["---\nconfigs: 5\n---\n", "---\nconfigs: [a]\n---\n", "---\na: [\n---\n"]
)
def test_a_card_of_another_form_is_named(text, snapshot):
    snapshot(text)
    with pytest.raises(InvalidInputError, match="hf://acme/sums: "):
        load_task(SPEC)


def test_a_card_that_repeats_itself_is_read_once(snapshot):
    lines = ["  a0: &a0 [x]", *(f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 200))]
    snapshot(card("\n".join([*lines, "  data_dir: [*a199, /etc]\n"])))
    with pytest.raises(InvalidInputError, match="names data outside of the data set"):
        load_task(SPEC)


def test_a_card_that_names_its_own_files_is_read(snapshot):
    snapshot(card("  data_files:\n  - {split: test, path: 'data/*.jsonl'}\n"))
    task = load_task(SPEC)
    assert [(problem.question, problem.gold) for problem in task.problems()] == [("1 + 1?", "2")]


def test_code_of_a_data_set_is_refused_whatever_the_version(snapshot, monkeypatch):
    """Versions before 4 ask on standard input where trust_remote_code is not given."""
    snapshot("")
    given: dict[str, Any] = {}
    real = datasets.load_dataset

    def old_load_dataset(
        path: str, name: str, *, trust_remote_code: Any = "asks", **more: Any
    ) -> Any:
        given["rows"] = trust_remote_code
        return real(path, name, **more)

    def names(kind: str, found: list[str]) -> Callable[..., list[str]]:
        def old_names(*_: Any, trust_remote_code: Any = "asks") -> list[str]:
            given[kind] = trust_remote_code
            return found

        return old_names

    monkeypatch.setattr(datasets, "load_dataset", old_load_dataset)
    monkeypatch.setattr(datasets, "get_dataset_config_names", names("configs", ["default"]))
    monkeypatch.setattr(datasets, "get_dataset_split_names", names("splits", ["test"]))
    assert len(load_task(SPEC).problems()) == 1
    assert given == {"configs": False, "splits": False, "rows": False}
    monkeypatch.undo()


def test_the_installed_version_is_told_to_run_no_code(snapshot, monkeypatch):
    snapshot("")
    given = SimpleNamespace()
    real = datasets.load_dataset

    def note(*arguments: Any, **named: Any) -> Any:
        given.named = named
        return real(*arguments, **named)

    monkeypatch.setattr(datasets, "load_dataset", note)
    load_task(SPEC)
    assert given.named["trust_remote_code"] is False

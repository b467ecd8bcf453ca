"""The files behind files, folders, patterns, archives, standard input and tables."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from zips import write_zip

from rlvr_fast.errors import InvalidInputError, StorageError
from rlvr_fast.store.readers.containers import open_container
from rlvr_fast.store.readers.discovery import Found, Source, find_files, source_name
from rlvr_fast.store.readers.names import natural_key, why_skipped
from rlvr_fast.store.readers.streams import source_digest


def found(*sources: Any) -> Found:
    return find_files(list(sources), claimed=lambda path: path.suffix == ".eval")


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"name": "{name}"}}\n')


def names(result: Found, folder: Path) -> list[str]:
    return [file.name.removeprefix(f"{folder}/") for file in result.files]


def test_natural_order(tmp_path: Path) -> None:
    make(tmp_path, "m_seed10/a.jsonl", "m_seed2/b.jsonl", "m_seed2/a.jsonl", "9.jsonl", "10.jsonl")
    expected = ["9.jsonl", "10.jsonl", "m_seed2/a.jsonl", "m_seed2/b.jsonl", "m_seed10/a.jsonl"]
    assert names(found(tmp_path), tmp_path) == expected
    assert names(found(str(tmp_path / "m_seed*")), tmp_path) == expected[2:]
    assert names(found(tmp_path / "*.jsonl"), tmp_path) == expected[:2]
    assert names(found(tmp_path / "10.jsonl", tmp_path / "9.jsonl"), tmp_path) == [
        "10.jsonl", "9.jsonl"
    ]  # fmt: skip
    assert sorted(["a10b2", "a2b10", "a2b9", "a"], key=natural_key) == [
        "a",
        "a2b9",
        "a2b10",
        "a10b2",
    ]


def test_patterns(tmp_path: Path) -> None:
    make(tmp_path, "x/1/s.jsonl", "x/2/deep/s.jsonl", "x/s.jsonl", "x/2/t.jsonl", "y/s.jsonl",
         "x/[1].jsonl")  # fmt: skip
    both = ["x/1/s.jsonl", "x/2/deep/s.jsonl", "x/s.jsonl"]
    assert names(found(f"{tmp_path}/x/**/s.jsonl"), tmp_path) == both
    assert len(found(f"{tmp_path}/**").files) == 6
    assert len(found(f"{tmp_path}/**/*.jsonl").files) == 6
    assert names(found(f"{tmp_path}/*/2/**/s.jsonl"), tmp_path) == ["x/2/deep/s.jsonl"]
    assert names(found(f"{tmp_path}/x/?/s.jsonl"), tmp_path) == ["x/1/s.jsonl"]
    assert names(found(f"{tmp_path}/[xy]/s.jsonl"), tmp_path) == ["x/s.jsonl", "y/s.jsonl"]
    # A name that exists is no pattern.
    assert names(found(f"{tmp_path}/x/[1].jsonl"), tmp_path) == ["x/[1].jsonl"]


def test_relative_paths_and_the_home_folder(tmp_path: Path, monkeypatch: Any) -> None:
    make(tmp_path, "a/1.jsonl", "a/2.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("a", "./a", "a/*.jsonl", "**/*.jsonl", "~/a", Path("a")):
        assert [file.file_name for file in found(source).files] == ["1.jsonl", "2.jsonl"], source


KEPT = (
    "3.jsonl", "output-rs10.jsonl", "completions_00010.parquet", "traces.jsonl", "results.jsonl",
    "part-00000.parquet", "train-00000-of-00002.parquet", "data-00000-of-00001.arrow",
    "samples_gsm8k_2025-01-01.jsonl", "results.json", "12.yaml",
    "Scenario.codegeneration_10_0.2.json", "Scenario.codegeneration_10_0.2_eval_all.json",
    "rollout_dump_data.step_3.jsonl", "val_data_step3.jsonl", "evaluation_data.json", "debug_3.pt",
    "rollouts.jsonl.gz", "rollouts.jsonl.zst", "log.eval", "x_eval_results.json", "rollouts", "3",
    "test_qwen-boxed_-1_seed1_t0.6_s0_e-1.jsonl", "generations_humaneval.json", "samples.csv",
    "configured_model_rollouts.jsonl", "details_aime_2025.parquet", "run_rollouts_000001.jsonl",
    "aime24.json", "model_outputs.json", "eval_3.pt", "model-a.jsonl",
)  # fmt: skip
SKIPPED = (
    ".hidden.jsonl", ".tmp-x", "README.md", "README", "run.json", "metadata.json",
    "x_metadata.jsonl", "metrics.json", "test_seed1_metrics.json",
    "config.json", "config_3.yaml", "eval_config.json",
    "train.log", "x.lock", "output.jsonl-async", "x_failures.jsonl", "rollouts.failures.jsonl",
    "aggregated_results.jsonl", "model.safetensors", "pytorch_model.bin", "tokenizer.json",
    "tokenizer_config.json", "model.safetensors.index.json", "trainer_state.json", "optimizer.pt",
    "model_world_size_8_rank_0.pt", "figure.png", "rows.pkl", "rows.npz", "_SUCCESS",
    "dataset_info.json", "events.out.tfevents.1.x", "slurm.out", "eval.sh", "merges.txt",
    "a.jsonl.part", "training_args.bin", "special_tokens_map.json", "generation_config.json",
)  # fmt: skip


def test_names_that_hold_no_rollouts_are_skipped_in_folders(tmp_path: Path) -> None:
    make(tmp_path, *KEPT, *SKIPPED, "wandb/x.jsonl", ".git/x.jsonl", "configs/eval.json")
    result = found(tmp_path)
    assert set(names(result, tmp_path)) == set(KEPT)
    left = {name.removeprefix(f"{tmp_path}/") for name, _ in result.skipped}
    assert left == {*SKIPPED, "wandb/", ".git/", "configs/"}
    assert all(why for _, why in result.skipped)
    # A file that is named itself is taken.
    for name in ("metrics.json", ".hidden.jsonl", "README"):
        assert names(found(tmp_path / name), tmp_path) == [name]


def test_names_that_depend_on_their_neighbours(tmp_path: Path) -> None:
    make(tmp_path, "a/results_1.json", "a/samples_x_1.jsonl", "b/results_1.json")
    assert names(found(tmp_path), tmp_path) == ["a/samples_x_1.jsonl", "b/results_1.json"]
    make(tmp_path / "hf", "data-00000-of-00001.arrow", "cache-1.arrow", "state.json")
    assert names(found(tmp_path / "hf"), tmp_path) == ["hf/data-00000-of-00001.arrow"]
    make(tmp_path / "lists", "cache-1.arrow")
    assert names(found(tmp_path / "lists"), tmp_path) == ["lists/cache-1.arrow"]
    assert why_skipped("results_1.json") is None


def test_checkpoints_are_skipped_where_they_hold_a_model(tmp_path: Path) -> None:
    make(tmp_path, "checkpoint-10/model.safetensors", "checkpoint-10/x.json")
    make(tmp_path, "checkpoint-20/samples.jsonl")
    result = found(tmp_path)
    assert names(result, tmp_path) == ["checkpoint-20/samples.jsonl"]
    assert (f"{tmp_path}/checkpoint-10/", "a checkpoint") in result.skipped


def test_nothing_there(tmp_path: Path) -> None:
    make(tmp_path, "rollouts/step_10.jsonl", "rollouts/step_20.jsonl", "only/README.md")
    (tmp_path / "empty").mkdir()
    for source, message in (
        ("rollouts/step_11.jsonl", r"no such file or folder\. Did you mean 'step_10\.jsonl'"),
        ("rollout", r"no such file or folder\. Did you mean 'rollouts'"),
        ("zzz", "no such file or folder.* holds empty, only, rollouts"),
        ("rollouts/zzz/a/b.jsonl", "holds step_10.jsonl, step_20.jsonl"),
        ("rollouts/step_10.jsonl/x", "no such file or folder"),
        ("rollouts/*.parquet", r"the pattern matches nothing\..*holds step_10\.jsonl"),
        ("**/*.parquet", "the pattern matches nothing"),
        ("empty", "the folder holds no file"),
        ("only", r"no rollouts; skipped: README\.md \(a document"),
        ("", "holds|expected"),
        ("a\x00b", "expected a path"),
        ("x" * 300, "File name too long"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            found(f"{tmp_path}/{source}" if source else "")
    with pytest.raises(InvalidInputError, match="got int"):
        find_files([3])  # type: ignore[list-item]


def test_a_file_is_given_once(tmp_path: Path) -> None:
    make(tmp_path, "d/a.jsonl", "b.jsonl")
    path = tmp_path / "d" / "a.jsonl"
    (tmp_path / "link.jsonl").symlink_to(path)
    (tmp_path / "hard.jsonl").hardlink_to(path)
    for again in (path, tmp_path / "d", tmp_path / "link.jsonl", tmp_path / "hard.jsonl",
                  tmp_path / "d" / ".." / "d" / "a.jsonl", f"{tmp_path}/d/*"):  # fmt: skip
        with pytest.raises(InvalidInputError, match="the same file as"):
            found(path, again)
    # In one folder, another name for a file is left out and said.
    result = found(tmp_path)
    assert len(result.files) == 2
    assert [why.split(" as ")[0] for _, why in result.skipped] == ["the same file"] * 2
    write_zip(tmp_path / "z.zip", [("a.jsonl", b'{"a": 1}')])
    with pytest.raises(InvalidInputError, match="the same file as"):
        found(tmp_path / "z.zip", tmp_path / "z.zip")


def test_links(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret.jsonl", "in/a.jsonl", "blobs/0123")
    folder = tmp_path / "in"
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "self").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "nothing.jsonl").symlink_to(tmp_path / "missing")
    (folder / "shard.jsonl").symlink_to(tmp_path / "blobs" / "0123")  # as in a cache of a hub
    for source in (folder, f"{folder}/**", f"{folder}/**/*.jsonl"):
        result = found(source)
        assert names(result, folder) == ["a.jsonl", "shard.jsonl"]
        assert len(result.skipped) == 4
    # A folder that is itself a link is what the user means.
    assert names(found(folder / "out"), folder) == ["out/secret.jsonl"]


def test_circles_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    for index in range(5):
        (tmp_path / f"link{index}").symlink_to(tmp_path)
    assert len(found(f"{tmp_path}/**/*.jsonl").files) == 1


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "runs.zip"
    write_zip(
        path,
        [("m/10.jsonl", b'{"n": 10}'), ("m/9.jsonl", b'{"n": 9}'), ("m/metrics.json", b"{}"),
         ("../../etc/x.jsonl", b'{"n": 0}'), ("__MACOSX/m/._9.jsonl", b"x"),
         ("/abs.jsonl", b'{"n": -1}'), ("m/9.jsonl", b'{"n": 9.5}')],
    )  # fmt: skip
    result = found(path)
    assert [file.member for file in result.files] == [
        "/abs.jsonl", "m/9.jsonl", "m/10.jsonl"
    ]  # fmt: skip
    assert result.files[1].name == f"{path}: m/9.jsonl"
    assert result.files[1].file_name == "9.jsonl"
    rows = [row["n"] for file in result.files for batch in open_container(file).batches()
            for row in batch.rows()]  # fmt: skip
    assert rows == [-1, 9.5, 10]
    assert len(result.skipped) == 3
    # In a folder, too; and a reader may claim an archive.
    write_zip(tmp_path / "log.eval", [("header.json", b"{}")])
    result = found(tmp_path)
    assert [file.member for file in result.files] == ["", "/abs.jsonl", "m/9.jsonl", "m/10.jsonl"]
    write_zip(path, [("README.md", b"x")])
    with pytest.raises(InvalidInputError, match=r"no rollouts \(skipped: README\.md\)"):
        found(path)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(InvalidInputError, match="no rollouts"):
        found(path)
    write_zip(path, [("inner.zip", path.read_bytes())])
    with pytest.raises(InvalidInputError, match="archive"):
        open_container(found(path).files[0])


def test_torch_files_are_no_archives(tmp_path: Path) -> None:
    import torch

    torch.save({"samples": [{"a": 1}]}, tmp_path / "a.pt")
    [file] = found(tmp_path).files
    assert (file.member, open_container(file).kind) == ("", "torch")


def test_run_directories_are_no_sources(tmp_path: Path) -> None:
    make(tmp_path, "run/run.json", "run/problems.parquet", "run/samples/part-0.parquet", "a.jsonl")
    with pytest.raises(InvalidInputError, match="a run directory, which needs no import"):
        found(tmp_path / "run")
    result = found(tmp_path)
    assert names(result, tmp_path) == ["a.jsonl"]
    assert (f"{tmp_path}/run/", "a run directory") in result.skipped


def test_sources_in_memory() -> None:
    table = pa.table({"a": [1]})
    rows = [{"a": 1}, {"a": 2}]
    for sources, expected in (
        ([table], ["a table"]),
        (table, ["a table"]),
        (rows, ["rows in memory"]),
        ([rows], ["rows in memory"]),
        ([table, rows, table], ["a table", "rows in memory (2)", "a table (3)"]),
        (iter(rows), ["rows in memory"]),
        ([iter(rows)], ["rows in memory"]),
        (pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), ["a table"]),
    ):
        files = find_files(sources).files
        assert [file.name for file in files] == expected
        assert all(file.path is None for file in files)
    with pytest.raises(InvalidInputError, match="empty list"):
        find_files([[]])
    named: list[tuple[Source, str]] = [
        (table, "a table"), (rows, "rows in memory"), ("-", "standard input"), (Path("a/b"), "a/b")
    ]  # fmt: skip
    assert [source_name(source) for source, _ in named] == [name for _, name in named]


def test_data_frames() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2], "t": ["x", "y"]})
    [file] = find_files([frame]).files
    rows = [row for batch in open_container(file).batches() for row in batch.rows()]
    assert rows == [{"a": 1, "t": "x"}, {"a": 2, "t": "y"}]


CODE = """
import sys
from rlvr_fast.store.readers.containers import open_container
from rlvr_fast.store.readers.discovery import find_files
[file] = find_files(sys.argv[1:]).files
container = open_container(file)
first = container.sample().rows
rows = [row for batch in container.batches() for row in batch.rows()]
print(file.name, container.kind, len(first), len(rows))
"""


def test_standard_input_is_read_as_a_file_is(tmp_path: Path) -> None:
    import gzip

    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(200))}), sink)
    lines = b'{"a": 1}\n' * 200
    table = sink.getvalue()
    for data, kind in (
        (lines, "jsonl"),
        (gzip.compress(lines, mtime=0), "jsonl"),
        (table, "parquet"),
        (gzip.compress(table, mtime=0), "parquet"),
    ):
        run = subprocess.run(
            [sys.executable, "-c", CODE, "-"], input=data, capture_output=True, check=True
        )
        assert run.stdout.decode().split() == ["standard", "input", kind, "100", "200"]
    run = subprocess.run(
        [sys.executable, "-c", CODE, "-", "-"], input=b"{}", capture_output=True, check=False
    )
    assert b'standard input ("-") is given twice' in run.stderr


def test_pipes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b'{"a": 1}\n{"a": 2}\n'))
    writer.start()
    [file] = found(pipe).files
    writer.join()
    assert open_container(file).kind == "jsonl"
    digest = source_digest(file)
    assert digest is not None
    assert digest.bytes == 18
    with pytest.raises(InvalidInputError, match="expected a file, folder or pipe"):
        found("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_a_storage_error(tmp_path: Path) -> None:
    make(tmp_path, "a/b.jsonl")
    (tmp_path / "a").chmod(0)
    with pytest.raises(StorageError):
        found(tmp_path / "a")

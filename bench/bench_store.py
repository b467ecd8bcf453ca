"""Bytes a token of a part, draws a second through `append`, and the resume of a large run.

    python bench/bench_store.py [--draws 1000000 10000000] [--only tokens|append] [--dry]

The text is that of the pages in docs/, in the tokens of SmolLM2 (a vocabulary of 49 152), and the
same with every token at a random place of a vocabulary of 151 936. A draw has 20 token ids and
their text, parts have 20 000 draws, and all problems get their first draw, then their second: the
order in which the index takes most. Each row of `append` is a process of its own, on a folder in
memory where there is one. Resume is `Run.open` of the folder, the number of missing draws, and the
first of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_driver import MEMORY, new_run
from common import record_parts

from rlvr_fast.store import Run
from rlvr_fast.store.files import write_parquet

PROBLEMS, TOKENS, PART = 1000, 20, 20_000
RATE, GB, SECONDS, BYTES = 200_000, 2.0, 10.0, 3.0
LARGE_VOCABULARY = 151_936


def tokens(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    del asked
    from transformers import AutoTokenizer

    sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))
    from smollm import smollm_folder

    tokenizer = AutoTokenizer.from_pretrained(smollm_folder())
    pages = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
    texts = [page.read_text("utf-8") for page in pages]
    texts = [text[at : at + 2000] for text in texts for at in range(0, len(text), 2000)]
    ids = tokenizer(texts)["input_ids"]
    place = np.random.default_rng(0).permutation(LARGE_VOCABULARY)
    rows = []
    for vocabulary, lists in (
        (len(tokenizer), ids),
        (LARGE_VOCABULARY, [place[np.array(each, np.int64)] for each in ids]),
    ):
        column = pa.array(lists, pa.list_(pa.int32()))
        write_parquet(folder / "part", pa.table({"token_ids": column}))
        if not pq.read_table(folder / "part")["token_ids"].combine_chunks().equals(column):
            sys.exit("token ids were not read back as they were")
        groups = pq.ParquetFile(folder / "part").metadata
        size = sum(
            groups.row_group(at).column(0).total_compressed_size
            for at in range(groups.num_row_groups)
        )
        found = size / len(column.values)
        what = f"token ids of the pages in docs/, a vocabulary of {vocabulary:,}"
        target = {"target": f"at most {BYTES:g} bytes a token", "met": found <= BYTES}
        rows.append({"what": what, "bytes_a_token": found, **target})
    return rows


def measure(draws: int, folder: Path) -> list[dict[str, Any]]:
    """The rows of one number of draws, in this process."""
    run = new_run(folder / "run", PROBLEMS)
    names = run.problems()["problem_id"].combine_chunks()
    rng = np.random.default_rng(0)
    page = (Path(__file__).parents[1] / "docs" / "grading.md").read_text("utf-8").split()
    ids = np.minimum(rng.zipf(1.3, (PART, TOKENS)), (1 << 16) - 1).astype(np.int32)
    texts = pa.array([" ".join(page[i % len(page)] for i in row) for row in ids], pa.large_string())
    ends = pa.array(np.arange(PART + 1, dtype=np.int32) * TOKENS)
    lists = pa.ListArray.from_arrays(ends, pa.array(ids.ravel()))
    reasons = pa.array(["stop"] * PART)
    start, processor = time.perf_counter(), time.process_time()
    with run.appending("samples") as appender:
        for first in range(0, draws, PART):
            number = np.arange(first, first + PART)
            table = {
                "problem_id": names.take(pa.array(number % PROBLEMS)),
                "sample_index": pa.array((number // PROBLEMS).astype(np.int32)),
                "text": texts,
                "token_ids": lists,
                "finish_reason": reasons,
                "seed": pa.array(number),
            }
            appender.append(pa.table(table))
    wall, processor = time.perf_counter() - start, time.process_time() - processor
    peak = _peak_gb()
    start, before = time.perf_counter(), time.process_time()
    again = Run.open(run.path)
    samples = draws // PROBLEMS
    missing = again.num_missing(samples + 1)
    first_missing = next(again.iter_missing(samples + 1))
    ready, spent = time.perf_counter() - start, time.process_time() - before
    if missing != PROBLEMS or first_missing[1].tolist() != [samples]:
        sys.exit(f"{missing} draws missing, expected {PROBLEMS}")
    return [
        {
            "what": f"append {draws:,} draws in {draws // PART} parts",
            "draws_per_s": draws / wall,
            "draws_per_cpu_s": draws / processor,
            "peak_gb": peak,
            "target": f"at least {RATE:,} draws/s, at most {GB:g} GB",
            "met": draws / wall >= RATE and peak <= GB,
        },
        {
            "what": f"resume of {draws:,} draws",
            "seconds": ready,
            "cpu_s": spent,
            "peak_gb": _peak_gb(),
            "target": f"at most {SECONDS:g} s",
            "met": ready <= SECONDS,
        },
    ]


def _peak_gb() -> float:
    status = Path("/proc/self/status").read_text("ascii").split()
    return int(status[status.index("VmHWM:") + 1]) * 1024 / 1e9


def append(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for draws in asked.draws:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as place:
            command = [sys.executable, __file__, "--child", str(draws), place]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--draws", type=int, nargs="*", default=[1_000_000, 10_000_000])
    options.add_argument("--only", choices=["tokens", "append"])
    options.add_argument("--dry", action="store_true", help="record nothing")
    options.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.child:
        print(json.dumps(measure(int(asked.child[0]), Path(asked.child[1]))))
        return
    record_parts("store", {"tokens": tokens, "append": append}, asked)


if __name__ == "__main__":
    main()

"""What the stage that fills a run costs a draw: `sample_run` with an engine that draws nothing.

    python bench/bench_driver.py [--only PART] [--dry]

The engine yields completions that are ready: of 200 token ids and 800 characters, or of 2 token
ids and 8 characters. Each row is a process of its own, on a folder in memory where there is one, so
that no disk is timed. The cost of a draw is the time of the whole stage, the storing of its last
part included, less what the same completions take with no stage around them (`engine`): their
objects, which the protocol asks for. The times are medians of rounds in which both take turns.
Beside them stand processor times: of the thread that reads the engine (`reading`, without the
engine), of the thread that compresses and writes the parts meanwhile (`writing`), and of turning
lists of Python integers into a column (`token ids`, a part of reading). Checked: that the run holds
every draw once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from common import record

from rlvr_fast._core import append_int32
from rlvr_fast.sampling import Completion, Request, SamplingParameters, sample_run
from rlvr_fast.store import Run, appending

# part -> (problems, samples a problem, token ids a draw)
PARTS = {
    "realistic": (1000, 200, 200),
    "tiny": (1000, 200, 2),
    "tiny, 5 million": (1000, 5000, 2),
    "few problems, many draws": (1000, 10_000, 2),
    "many problems, few draws": (100_000, 10, 2),
}
READY = 1 << 14
ROUNDS = 3
MOST_US = 5.0
MOST_GB = 2.0
MEMORY = Path("/dev/shm")


class Ready:
    """An engine whose completions are ready: it costs no more than their objects do."""

    name, version, model, revision = "ready", "1", "none", None
    notes: tuple[str, ...] = ()

    def __init__(self, tokens: int) -> None:
        rng = np.random.default_rng(0)
        page = (Path(__file__).parents[1] / "docs" / "grading.md").read_text("utf-8")
        found = sorted(set(page.split()))
        words = [found[word % len(found)] for word in range(1 << 16)]
        # Frequent and rare words, as texts have them; a part of the run repeats none of them.
        ids = np.minimum(rng.zipf(1.3, (READY, tokens)), (1 << 16) - 1)
        self.ready = [(row.tolist(), " ".join(words[i] for i in row)[: 4 * tokens]) for row in ids]

    def generate(
        self, requests: Iterator[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        del parameters
        ready, made = self.ready, 0
        for request in requests:
            for index, seed in zip(
                request.sample_indices.tolist(), request.seeds.tolist(), strict=True
            ):
                ids, text = ready[made % READY]
                made += 1
                # A list of its own for each draw, as an engine makes it.
                yield Completion(request.problem_id, index, text, ids[:], "stop", seed)


def new_run(folder: Path, problems: int) -> Run:
    ids = [f"p/{i}" for i in range(problems)]
    return Run.create(
        folder,
        model={"name": "none", "revision": None},
        engine={"name": "ready", "version": "1", "notes": []},
        sampling=SamplingParameters().to_json(),
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": "p", "spec": "rollouts:p"}],
        problems=pa.table(
            {
                "problem_id": ids,
                "task": ["p"] * problems,
                "prompt": ["1 + 1?"] * problems,
                "prompt_token_ids": pa.array([[1, 2, 3]] * problems, pa.list_(pa.int32())),
                "gold": pa.nulls(problems, pa.string()),
                "metadata": ["{}"] * problems,
            }
        ),
    )


def measure(problems: int, samples: int, tokens: int, folder: Path) -> dict[str, Any]:
    """One row, in this process."""
    engine, draws = Ready(tokens), problems * samples
    written = [0.0]
    write = appending.write_parquet

    def timed(path: Path, table: pa.Table) -> None:
        start = time.thread_time()
        write(path, table)
        written[0] += time.thread_time() - start

    appending.write_parquet = timed
    seeds = np.arange(samples, dtype=np.int64)
    took: dict[str, list[float]] = {name: [] for name in ("stage", "reading", "alone", "engine")}
    for number in range(ROUNDS):
        run = new_run(folder / str(number), problems)
        clock, processor = time.perf_counter(), time.thread_time()
        made = sample_run(run, engine, samples)  # type: ignore[arg-type]  (what the stage uses)
        took["stage"].append(time.perf_counter() - clock)
        took["reading"].append(time.thread_time() - processor)
        counts = Run.open(run.path).num_samples()
        if made != draws or not (counts == samples).all():
            raise AssertionError(f"{made} draws made, {counts.sum()} stored, expected {draws}")
        shutil.rmtree(run.path)
        asked = (Request(f"p/{i}", [], seeds, seeds) for i in range(problems))
        clock, processor = time.perf_counter(), time.thread_time()
        for _ in engine.generate(asked, SamplingParameters()):
            pass
        took["alone"].append(time.perf_counter() - clock)
        took["engine"].append(time.thread_time() - processor)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lists = [engine.ready[i % READY][0] for i in range(1 << 15)]
    start, ids = time.thread_time(), bytearray()
    for each in lists:
        append_int32(ids, each)
    converted = (time.thread_time() - start) / len(lists)
    middle = {name: 1e6 * statistics.median(times) / draws for name, times in took.items()}
    cost = middle["stage"] - middle["alone"]
    return {
        "what": f"{problems:,} problems x {samples:,} draws of {tokens} token ids",
        "draws": draws,
        "cost_us": cost,
        "reading_us": middle["reading"] - middle["engine"],
        "token_ids_us": 1e6 * converted,
        "writing_us": 1e6 * written[0] / ROUNDS / draws,
        "engine_us": middle["engine"],
        "load": os.getloadavg()[0],
        "peak_gb": peak / 1e9,
        "target": f"at most {MOST_US:g} us and {MOST_GB:g} GB",
        "met": cost <= MOST_US and peak <= MOST_GB * 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(PARTS), help="one part; it is not recorded")
    parser.add_argument("--dry", action="store_true", help="record nothing")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        place = MEMORY if MEMORY.is_dir() else None
        with tempfile.TemporaryDirectory(dir=place) as folder:
            print(json.dumps(measure(*PARTS[options.only], Path(folder))))
        return
    rows = []
    for part in [options.only] if options.only else PARTS:
        done = subprocess.run(
            [sys.executable, __file__, "--here", "--only", part],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows.append(json.loads(done.stdout))
        print(json.dumps(rows[-1]), flush=True)
    if not options.dry and options.only is None:
        record("driver", rows)


if __name__ == "__main__":
    main()

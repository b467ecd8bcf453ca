"""Import of rollouts into a run directory, beside the parsers of polars and pyarrow.

    python bench/bench_import.py [--rows 1000000] [--draws 2000] [--rounds 3] [--dry]

Every import, and every rival, is a process of its own. Its time leaves out the start of Python and
the imports of modules. Its memory is the largest resident set of the whole process: VmHWM, since
ru_maxrss of a process begins with the memory of the process that started it. The rivals parse the
same file and write its rows to Parquet, without looking at what a row means. The draws of every run
are counted and the bytes of their texts added up before a time is kept.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import record_parts, summary

TEXT_BYTES = 2000
ONE_ROW_TEXT_BYTES = 500
MIB = 1 << 20
SENTENCES = (
    "We compute step by step, and check each step before we go on.",
    "Let n be the number of such pairs → then n is even.",
    "Substituting x = {n} gives {n} on both sides, as it should.",
    "Hence \\frac{{1}}{{{n}}} of them remain, and the rest cancel.",
    "Wait, the case {n} was counted twice, so we subtract it again.",
)


def texts(count: int, size: int, seed: int = 1) -> Iterator[str]:
    """Completions of about `size` bytes, no two alike, most of them with an answer in a box."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 1000, size=(256, 8))
    blocks = [" ".join(s.format(n=n) for s in SENTENCES for n in row[:2]) for row in numbers]
    for index in range(count):
        text = f"Draw {index}. "
        while len(text) < size - 40:
            text += blocks[int(numbers[index % 256, len(text) % 8] + index) % 256] + "\n"
        end = "" if index % 31 == 0 else f"The answer is \\boxed{{{index % 7}}}."
        yield text[: size - 40] + end


def flat_rows(rows: int) -> Iterator[dict[str, Any]]:
    """Rows of the usual names: 100 draws of each problem."""
    for index, text in enumerate(texts(rows, TEXT_BYTES)):
        problem = index // 100
        yield {
            "id": problem,
            "question": f"What is the remainder of {problem} after division by 7?",
            "answer": str(problem % 7),
            "response": text,
            "finish_reason": "stop" if index % 31 else "length",
        }


def write_jsonl(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        for row in flat_rows(rows):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_array(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number, row in enumerate(flat_rows(rows)):
            out.write(("[" if number == 0 else ",\n") + json.dumps(row, ensure_ascii=False))
        out.write("]\n")


def write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(next(flat_rows(1))))
        writer.writeheader()
        writer.writerows(flat_rows(rows))


def write_parquet(path: Path, rows: int) -> None:
    writer, held = None, []
    for number, row in enumerate(flat_rows(rows), 1):
        held.append(row)
        if len(held) == 20_000 or number == rows:
            table = pa.Table.from_pylist(held)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            held.clear()
    if writer is not None:
        writer.close()


def write_nested(path: Path, problems: int, draws: int) -> None:
    """The generation Parquet of verl: one row a problem, its draws in a list."""
    writer = None
    made = texts(problems * draws, TEXT_BYTES)
    for problem in range(problems):
        question = f"What is the remainder of {problem} after division by 7?"
        row = {
            "data_source": "bench",
            "prompt": [{"role": "user", "content": question}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": str(problem % 7)},
            "extra_info": {"split": "test", "index": problem},
            "responses": [next(made) for _ in range(draws)],
        }
        table = pa.Table.from_pylist([row])
        writer = writer or pq.ParquetWriter(path, table.schema)
        # Ten problems a row group, as a data set of this size is usually written.
        writer.write_table(table, row_group_size=10)
    if writer is not None:
        writer.close()


def write_one_row(path: Path, draws: int) -> None:
    row = {
        "question": "What is 3 + 4, modulo 7?",
        "answer": "0",
        "responses": list(texts(draws, ONE_ROW_TEXT_BYTES)),
    }
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")


def write_verl(path: Path, megabytes: int, seed: int) -> None:
    """A validation dump of verl of this size: 100 problems."""
    rows = megabytes * 1_000_000 // (TEXT_BYTES + 200)
    with path.open("w", encoding="utf-8") as out:
        for index, text in enumerate(texts(rows, TEXT_BYTES, seed)):
            problem = index * 100 // rows
            question = f"What is the remainder of {problem} after division by 7?"
            right = bool(index % 31) and index % 7 == problem % 7
            row = {
                "input": f"system\nYou are helpful.\nuser\n{question}\nassistant\n",
                "output": text,
                "gts": str(problem % 7),
                "score": float(right),
                "step": 10,
                "acc": right,
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


# --- the work of the children -------------------------------------------------------------------


def ours(source: Path, out: Path) -> None:
    from rlvr_fast.store import import_rollouts

    import_rollouts([source], out)


def polars_jsonl(source: Path, out: Path) -> None:
    import polars as pl

    pl.scan_ndjson(source).sink_parquet(out)


def pyarrow_jsonl(source: Path, out: Path) -> None:
    import pyarrow.json as pj

    with pj.open_json(source) as reader, pq.ParquetWriter(out, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def polars_nested(source: Path, out: Path) -> None:
    import polars as pl

    pl.scan_parquet(source).explode("responses").sink_parquet(out)


def pyarrow_nested(source: Path, out: Path) -> None:
    with pq.ParquetFile(source) as parquet:
        writer = None
        for batch in parquet.iter_batches(1, columns=["responses"]):
            table = pa.table({"responses": batch.column("responses").flatten()})
            writer = writer or pq.ParquetWriter(out, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def compare(source: Path, out: Path) -> None:
    from rlvr_fast.cli import app

    sides = (source / "base.jsonl", source / "rl.jsonl")
    app(["compare", *map(str, sides), "--out", str(out), "--quiet"], standalone_mode=False)


WORK: dict[str, Callable[[Path, Path], None]] = {
    "rlvr_fast": ours,
    "polars": polars_jsonl,
    "pyarrow": pyarrow_jsonl,
    "polars nested": polars_nested,
    "pyarrow nested": pyarrow_nested,
    "compare": compare,
}


def child(name: str, source: Path, out: Path) -> None:
    # Outside the time; a process pays for the memory of its own libraries alone.
    modules = {"rlvr_fast": "rlvr_fast.store.importing", "compare": "rlvr_fast.cli"}
    library = "polars" if name.startswith("polars") else "pyarrow.json"
    importlib.import_module(modules.get(name, library))
    start = time.perf_counter()
    WORK[name](source, out)
    seconds = time.perf_counter() - start
    # ru_maxrss begins with the memory of the process that started this one.
    status = Path("/proc/self/status").read_text("ascii").split()
    peak = int(status[status.index("VmHWM:") + 1])
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 1024}))


def measure(name: str, source: Path, out: Path) -> dict[str, float]:
    """Seconds and largest resident set of one piece of work in its own process."""
    command = [sys.executable, __file__, "--child", name, str(source), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} on {source.name}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def check_run(run: Path, draws: int, size: int) -> None:
    """Ends the benchmark unless the run has all draws, with all bytes of their texts."""
    found = stored = 0
    for batch in ds.dataset(run / "samples").to_batches(columns=["text"]):
        found += len(batch)
        stored += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
    if (found, stored) != (draws, size):
        sys.exit(f"{run.name}: {found} draws of {stored} bytes, expected {draws} of {size}")


def text_bytes(rows: int, size: int) -> int:
    return sum(len(text.encode()) for text in texts(rows, size))


def race(
    folder: Path, source: Path, rivals: tuple[str, ...], draws: int, size: int, rounds: int
) -> dict[str, dict[str, Any]]:
    """Times ours and the rivals in turn; checks every run of ours."""
    seconds: dict[str, list[float]] = {name: [] for name in ("rlvr_fast", *rivals)}
    peaks = dict.fromkeys(seconds, 0.0)
    for number in range(rounds):
        for name in seconds:
            out = folder / "out"
            found = measure(name, source, out)
            if name == "rlvr_fast":
                check_run(out, draws, size)
                shutil.rmtree(out)
            else:
                if number == 0 and pq.ParquetFile(out).metadata.num_rows != draws:
                    sys.exit(f"{name}: {pq.ParquetFile(out).metadata.num_rows} rows")
                out.unlink()
            seconds[name].append(found["seconds"])
            peaks[name] = max(peaks[name], found["peak_mib"])
    best = statistics.median(seconds["rlvr_fast"])
    made = {}
    for name, times in seconds.items():
        median = statistics.median(times)
        made[name] = {
            **summary(times),
            "megabytes_per_s": size / median / 1e6,
            "peak_mib": peaks[name],
        }
        if name.startswith("polars"):
            made["rlvr_fast"]["times_polars"] = median / best
        if name.startswith("pyarrow"):
            made["rlvr_fast"]["times_pyarrow"] = median / best
    return made


def throughput(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    flat = folder / "flat.jsonl"
    write_jsonl(flat, asked.rows)
    size = text_bytes(asked.rows, TEXT_BYTES)
    found = race(folder, flat, ("polars", "pyarrow"), asked.rows, size, asked.rounds)
    flat.unlink()
    what = f"flat JSONL, {asked.rows:,} rows of {TEXT_BYTES} B"
    for name, values in found.items():
        row = {"what": f"{what}: {name}", **values}
        if name == "rlvr_fast":
            row |= {"target": "at least 100 MB/s", "met": values["megabytes_per_s"] >= 100}
        rows.append(row)
    nested = folder / "nested.parquet"
    write_nested(nested, 100, asked.draws)
    draws = 100 * asked.draws
    size = text_bytes(draws, TEXT_BYTES)
    rivals = ("polars nested", "pyarrow nested")
    found = race(folder, nested, rivals, draws, size, asked.rounds)
    nested.unlink()
    for name, values in found.items():
        row = {
            "what": f"nested Parquet, 100 problems x {asked.draws:,}: {name.split()[0]}",
            **values,
        }
        if name == "rlvr_fast":
            row |= {
                "target": "at least 100 MB/s, at most 500 MiB",
                "met": values["megabytes_per_s"] >= 100 and values["peak_mib"] <= 500,
            }
        rows.append(row)
    return rows


SOURCES: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "JSONL": ("a.jsonl", write_jsonl),
    "JSON array": ("a.json", write_array),
    "Parquet": ("a.parquet", write_parquet),
    "CSV": ("a.csv", write_csv),
}


def memory(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The largest resident set at a tenth of the rows and at all of them."""
    rows = []
    jobs = [(what, *made, asked.rows, TEXT_BYTES) for what, made in SOURCES.items()]
    one_row = (
        f"one row of JSONL, texts of {ONE_ROW_TEXT_BYTES} B",
        "one.jsonl",
        write_one_row,
        asked.one_row_draws,
        ONE_ROW_TEXT_BYTES,
    )
    for what, name, write, count, size in [*jobs, one_row]:
        peaks, seconds = [], 0.0
        for part in (max(count // 10, 1), count):
            source = folder / name
            write(source, part)
            found = measure("rlvr_fast", source, folder / "out")
            check_run(folder / "out", part, text_bytes(part, size))
            shutil.rmtree(folder / "out")
            source.unlink()
            peaks.append(found["peak_mib"])
            seconds = found["seconds"]
        rows.append(
            {
                "what": f"memory, {what}: {count:,} draws",
                "seconds": seconds,
                "peak_mib": peaks[1],
                "peak_mib_of_a_tenth": peaks[0],
                "target": "at most 600 MiB",
                "met": peaks[1] <= 600,
            }
        )
    return rows


def whole_command(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    sides = [folder / "base.jsonl", folder / "rl.jsonl"]
    for seed, side in enumerate(sides, 1):
        write_verl(side, asked.megabytes, seed)
    start = time.perf_counter()
    found = measure("compare", folder, folder / "report")
    seconds = time.perf_counter() - start
    summary_json = json.loads((folder / "report" / "summary.json").read_text("utf-8"))
    if summary_json["overall"]["problems"] != 100:
        sys.exit(f"{summary_json['overall']['problems']} problems, expected 100")
    return [
        {
            "what": f"rlvr-fast compare: two files of {asked.megabytes} MB to a report",
            "wall_s": seconds,
            "peak_mib": found["peak_mib"],
            "target": "at most 60 s",
            "met": seconds <= 60,
        }
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--draws", type=int, default=2000, help="of each of 100 problems")
    options.add_argument("--one-row-draws", type=int, default=200_000)
    options.add_argument("--megabytes", type=int, default=50, help="of each file to compare")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=["throughput", "memory", "command"])
    options.add_argument("--dry", action="store_true", help="record nothing")
    options.add_argument("--child", nargs=3, metavar=("WORK", "SOURCE", "OUT"))
    asked = options.parse_args()
    if asked.child:
        name, source, out = asked.child
        child(name, Path(source), Path(out))
        return
    parts = {"throughput": throughput, "memory": memory, "command": whole_command}
    record_parts("import", parts, asked)


if __name__ == "__main__":
    main()

"""Runs of long completions and runs of many parts: import, grade, doctor.

    python bench/bench_large_store.py [--rows 20000] [--bytes 40000] [--parts 5000 100000] [--dry]

Every command is a process of its own; its time leaves out the start of Python and the imports of
modules, its memory is the largest resident set of the whole process (VmHWM). The draws of every run
are counted, and every grade is compared with the answer that the draw was made with.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_import import texts
from common import record_parts

PER_PROBLEM = 100
IMPORT_MIB, STAGE_MIB = 600, 800
SECONDS = {5000: 10, 100_000: 120}
ROWS_OF_PART = 2


def rows(count: int, size: int) -> Iterator[dict[str, Any]]:
    for index, text in enumerate(texts(count, size)):
        problem = index // PER_PROBLEM
        yield {
            "id": problem,
            "question": f"What is the remainder of {problem} after division by 7?",
            "answer": str(problem % 7),
            "response": text,
            "finish_reason": "stop" if index % 31 else "length",
        }


def right(count: int) -> int:
    """How many of the draws of `rows` are correct."""
    return sum(bool(i % 31) and i % 7 == i // PER_PROBLEM % 7 for i in range(count))


def write_jsonl(path: Path, found: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found)


def write_array(path: Path, found: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number, row in enumerate(found):
            out.write(("," if number else "[") + json.dumps(row, ensure_ascii=False))
        out.write("]\n")


def write_csv(path: Path, found: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        first = next(found)
        writer = csv.DictWriter(out, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(found)


def write_parquet(path: Path, found: Iterator[dict[str, Any]]) -> None:
    """One row group, as most writers make of so many rows."""
    tables, held = [], []
    for row in found:
        held.append(row)
        if len(held) == 1000:
            tables.append(pa.Table.from_pylist(held))
            held.clear()
    if held:
        tables.append(pa.Table.from_pylist(held))
    pq.write_table(pa.concat_tables(tables), path)


SOURCES: dict[str, tuple[str, Callable[[Path, Iterator[dict[str, Any]]], None]]] = {
    "JSONL": ("a.jsonl", write_jsonl),
    "JSON array": ("a.json", write_array),
    "Parquet, one row group": ("a.parquet", write_parquet),
    "CSV": ("a.csv", write_csv),
}


def split(run: Path, number: int) -> None:
    """Stores the samples of a run as `number` parts."""
    folder = run / "samples"
    table = pa.concat_tables(pq.read_table(part) for part in sorted(folder.iterdir()))
    for part in folder.iterdir():
        part.unlink()
    for place in range(number):
        piece = table.slice(place * ROWS_OF_PART, ROWS_OF_PART)
        pq.write_table(
            piece,
            folder / f"part-{place:06d}.parquet",
            compression="zstd",
            use_dictionary=["problem_id", "finish_reason"],
            write_page_checksum=True,
        )


# --- the work of the children -------------------------------------------------------------------


def child(work: str, source: Path, out: Path) -> None:
    from rlvr_fast.answers import grade_run
    from rlvr_fast.doctor.run import examine_run
    from rlvr_fast.errors import InvalidInputError
    from rlvr_fast.store import Run, import_rollouts

    start, processor = time.perf_counter(), time.process_time()
    said = ""
    if work == "import":
        import_rollouts([source], out)
    elif work == "refuse":
        try:
            import_rollouts([source], out)
        except InvalidInputError as error:
            said = str(error)
    elif work == "grade":
        grade_run(Run.open(out))
    else:
        said = "; ".join(f["message"] for f in examine_run(out) if f["level"] == "error")
    spent = time.perf_counter() - start, time.process_time() - processor
    status = Path("/proc/self/status").read_text("ascii").split()
    peak = int(status[status.index("VmHWM:") + 1]) / 1024
    print(json.dumps({"wall_s": spent[0], "cpu_s": spent[1], "peak_mib": peak, "said": said}))


def measure(work: str, source: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", work, str(source), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{work} of {source.name}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    said = found.pop("said")
    if work == "refuse" and "refused" not in said:
        sys.exit(f"{source.name} was not refused: {said}")
    if work == "doctor" and said:
        sys.exit(f"doctor: {said}")
    return found


def check_run(run: Path, draws: int) -> None:
    found = sum(pq.ParquetFile(part).metadata.num_rows for part in (run / "samples").iterdir())
    if found != draws:
        sys.exit(f"{run.name}: {found} draws, expected {draws}")


def check_grades(run: Path, draws: int) -> None:
    grades = pq.read_table(run / "grades.parquet").to_pylist()
    correct = sum(row["count"] for row in grades if row["verdict"] == "correct")
    if (sum(row["count"] for row in grades), correct) != (draws, right(draws)):
        sys.exit(f"{run.name}: {correct} of {draws} correct, expected {right(draws)}")


def by_memory(what: str, found: dict[str, Any], most: int) -> dict[str, Any]:
    target = {"target": f"at most {most} MiB", "met": found["peak_mib"] <= most}
    return {"what": what, **found, **target}


def long_completions(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    made = []
    size = f"{asked.rows:,} completions of {asked.bytes // 1000} KB"
    run = folder / "run"
    for kind, (name, write) in SOURCES.items():
        source = folder / name
        write(source, rows(asked.rows, asked.bytes))
        shutil.rmtree(run, ignore_errors=True)
        found = measure("import", source, run)
        check_run(run, asked.rows)
        source.unlink()
        made.append(by_memory(f"import, {size}: {kind}", found, IMPORT_MIB))
    found = measure("grade", run, run)
    check_grades(run, asked.rows)
    made.append(by_memory(f"grade, {size}", found, STAGE_MIB))
    made.append(by_memory(f"doctor, {size}", measure("doctor", run, run), STAGE_MIB))
    return made


def bomb(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    source = folder / "bomb.parquet"
    zeros = pa.array([0] * 1000, pa.int32())
    columns = {"question": "1 + 1?", "answer": "2", "response": "x" * 3_000_000}
    table = {
        name: pa.DictionaryArray.from_arrays(zeros, pa.array([text]))
        for name, text in columns.items()
    }
    pq.write_table(pa.table(table), source, compression="zstd", compression_level=19)
    found = measure("refuse", source, folder / "none")
    what = (
        f"import, a Parquet file of {source.stat().st_size:,} bytes that expands to 3 GB: refused"
    )
    return [by_memory(what, found, IMPORT_MIB)]


def many_parts(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    made = []
    for number in asked.parts:
        draws, run, source = number * ROWS_OF_PART, folder / f"run{number}", folder / "a.jsonl"
        write_jsonl(source, rows(draws, 200))
        measure("import", source, run)
        split(run, number)
        for work in ("grade", "doctor"):
            found = measure(work, run, run)
            most = SECONDS.get(number)
            row = {"what": f"{work}, {number:,} parts of {ROWS_OF_PART} draws", **found}
            if most is not None:
                row |= {"target": f"at most {most} s", "met": found["wall_s"] <= most}
            made.append(row)
        check_grades(run, draws)
        shutil.rmtree(run)
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--bytes", type=int, default=40_000)
    options.add_argument("--parts", type=int, nargs="*", default=[5000, 100_000])
    options.add_argument("--only", choices=["long", "bomb", "parts"])
    options.add_argument("--dry", action="store_true", help="record nothing")
    options.add_argument("--child", nargs=3, metavar=("WORK", "SOURCE", "OUT"))
    asked = options.parse_args()
    if asked.child:
        work, source, out = asked.child
        child(work, Path(source), Path(out))
        return
    parts = {"long": long_completions, "bomb": bomb, "parts": many_parts}
    record_parts("large_store", parts, asked)


if __name__ == "__main__":
    main()

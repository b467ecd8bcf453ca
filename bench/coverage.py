"""Coverage of each interval, and error rate of each claim, on simulated studies of known truth.

The studies are in bench/planted, by subject: success rates with heavy tails, 30 to 1500 problems
in 3 to 30 tasks, equal, unequal and ragged numbers of draws from 4 to 16 384, verifiers that err.

    python bench/coverage.py [--repetitions 600] [--jobs 2] [--only NAME ...] [--table]

NAME is a module of bench/planted, or module.function.

writes bench/results/coverage.json and the table in docs/statistics.md. --table writes the table of
the results that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from planted import load_scenarios
from planted.outcomes import Held, kind, verdict

SCENARIOS = load_scenarios()
UNITS = ("problems", "answers")
MARKS = ("<!-- coverage: written by bench/coverage.py -->", "<!-- end of coverage -->")
HEAD = ("what", "n", "problems", "tasks", "measured", "width", "repetitions", "verdict")
# Fewer repetitions where one takes most of a second; the table shows the number.
FEWER = {"draws.independent_draws": 150}
CHUNK = 20  # repetitions that one job runs


def run_chunk(
    name: str, config: dict[str, Any], repetitions: Iterable[int], seed: int
) -> tuple[list[dict[str, Any]], float]:
    """The outcomes of some repetitions, in plain values, and the seconds they took."""
    scenario = SCENARIOS[name][0]
    start = time.perf_counter()
    found = []
    for repetition in repetitions:
        words = [zlib.crc32(str(value).encode()) for value in config.values()]
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), repetition, *words])
        found.append(scenario(rng, **config))
    return found, time.perf_counter() - start


def measure(
    name: str,
    config: dict[str, Any],
    repetitions: int,
    seed: int = 0,
    pool: Executor | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows of one configuration of a scenario; each repetition has a random stream of its own."""
    starts = range(0, repetitions, CHUNK)
    parts = [range(start, min(start + CHUNK, repetitions)) for start in starts]
    if pool is None:
        chunks = [run_chunk(name, config, part, seed) for part in parts]
    else:
        jobs = [pool.submit(run_chunk, name, config, part, seed) for part in parts]
        chunks = [job.result() for job in jobs]
    seconds = sum(spent for _, spent in chunks)
    outcomes: dict[str, list[Any]] = {}
    for found, _ in chunks:
        for study in found:
            for what, outcome in study.items():
                outcomes.setdefault(what, []).append(outcome)
    for what, values in outcomes.items():
        row = row_of(values)
        if row:
            yield {"scenario": name, "what": what, **config, **row, "seconds": round(seconds, 1)}


def row_of(values: list[Any]) -> dict[str, Any]:
    """Rate, standard error and, where another method was measured, the ratio of median widths."""
    paired = [value for value in values if isinstance(value, Held)]
    hits = [value.hit if isinstance(value, Held) else value for value in values]
    array = np.array([np.mean(hit) for hit in hits if np.size(hit)], dtype=np.float64)
    if not array.size:
        return {}
    row: dict[str, Any] = {
        "rate": round(float(array.mean()), 4),
        "standard_error": round(float(array.std() / np.sqrt(len(array))), 4),
        "repetitions": len(array),
    }
    if paired:
        other = float(np.nanmedian([value.other for value in paired]))
        width = float(np.nanmedian([value.width for value in paired]))
        row |= {
            "width": round(width, 5),
            "width_ratio": round(width / other, 3) if other > 0 else None,
            "rival": paired[0].rival,
            "rival_rate": round(float(np.mean([value.other_hit for value in paired])), 4),
        }
    return row


def spread(values: list[float], digits: int = 3) -> str:
    """The least and the greatest of some numbers."""
    least, most = min(values), max(values)
    if round(least, digits) == round(most, digits):
        return f"{least:.{digits}f}"
    return f"{least:.{digits}f} to {most:.{digits}f}"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown table: each quantity with the range of its rates over the configurations."""
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["scenario"], row["what"]), []).append(row)
    for (_, what), group in grouped.items():
        rates = [row["rate"] for row in group]
        repetitions = min(row["repetitions"] for row in group)
        cells = [
            what,
            shown(group, "n"),
            shown(group, *UNITS),
            shown(group, "tasks"),
            spread(rates),
            widths(group),
            str(repetitions),
            verdict(what, rates, repetitions),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def shown(rows: list[dict[str, Any]], *keys: str) -> str:
    """The different values of a configuration: numbers in order, then words as they come."""
    values = list(dict.fromkeys(row[key] for row in rows for key in keys if key in row))
    numbers = sorted(value for value in values if not isinstance(value, str))
    words = [value for value in values if isinstance(value, str)]
    return ", ".join(map(str, numbers + words))


def widths(rows: list[dict[str, Any]]) -> str:
    """Median widths as multiples of the other method's, with the coverage of that method."""
    known = [row for row in rows if row.get("width_ratio") is not None]
    if not known:
        return ""
    ratios = spread([row["width_ratio"] for row in known], 2)
    rates = spread([row["rival_rate"] for row in known])
    return f"{ratios} x {known[0]['rival']} ({rates})"


def measured(names: list[str], rows: list[dict[str, Any]]) -> str:
    """The rates of some quantities in words: ranges over all configurations.

    A row belongs to a name that its `what` begins with. Rows that do not hold what they state are
    named.
    """
    words = {"coverage": "coverage", "alarm": "false alarms", "power": "power"}
    found: dict[str, list[float]] = {}
    failing: dict[str, list[float]] = {}
    for row in rows:
        what = row["what"]
        if kind(what) in words and any(what.startswith(name) for name in names):
            bad = "**" in verdict(what, [row["rate"]], row["repetitions"])
            (failing if bad else found).setdefault(what if bad else kind(what), []).append(
                row["rate"]
            )
    parts = [f"{words[name]} {spread(rates)}" for name, rates in found.items()]
    parts += [f"does not hold: {what}, {spread(rates)}" for what, rates in failing.items()]
    return "; ".join(parts) or "not measured"


def with_measured(page: str, rows: list[dict[str, Any]]) -> str:
    """The page with its lines "* Measured (`name`, `name`): ..." written anew."""

    def line(match: re.Match[str]) -> str:
        names = re.findall(r"`([^`]+)`", match[1])
        return f"* Measured ({match[1]}): {measured(names, rows)}."

    return re.sub(r"^\* Measured \(([^)]*)\):.*$", line, page, flags=re.M)


def write_table(rows: list[dict[str, Any]]) -> None:
    """Writes the table between its marks in docs/statistics.md, and the lines "Measured"."""
    path = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
    before, _, rest = with_measured(path.read_text("utf-8"), rows).partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n{table(rows)}{MARKS[1]}{after}", "utf-8")


def main() -> None:
    from common import record

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="+", help="keep the others' old rows")
    parser.add_argument("--table", action="store_true", help="write the table of the old rows")
    parser.add_argument("--out", type=Path, help="write the results here, and no table")
    options = parser.parse_args()
    results = options.out or Path(__file__).resolve().parent / "results"
    stored = results / "coverage.json"
    old = json.loads(stored.read_text("utf-8"))["rows"] if stored.exists() else []
    if options.table:
        write_table(old)
        return
    names = list(SCENARIOS)
    wanted = set(options.only or names)
    chosen = [name for name in names if wanted & {name, name.partition(".")[0]}]
    if not chosen:
        parser.error(f"--only names no scenario; there are {', '.join(names)}")
    rows = [row for row in old if options.only and row["scenario"] in set(names) - set(chosen)]
    # new processes read the environment before they import numpy
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for name in chosen:
            start = time.perf_counter()
            for config in SCENARIOS[name][1]:
                number = min(options.repetitions, FEWER.get(name, options.repetitions))
                rows.extend(measure(name, config, number, pool=pool))
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
            rows.sort(key=lambda row: names.index(row["scenario"]))
            record("coverage", rows, results)
            if options.out is None:
                write_table(rows)


if __name__ == "__main__":
    # the repetitions run in parallel: one thread each
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

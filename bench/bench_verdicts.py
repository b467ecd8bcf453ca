"""False equals and missed equals on pairs of expressions whose values are known.

    python bench/bench_verdicts.py [--pairs 1000000] [--processes 2]

The pairs and their judge are in verdict_pairs.py. Each pair goes through the reader of answers
(read_answer, one_answer), and through what a user calls: the canonical forms first, and the reader
where they leave a pair open.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from typing import Any

from common import record
from verdict_pairs import Pair, make_pair

from rlvr_fast.answers import compare_canonical, normalize_answers
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer

CHUNK = 5000
RELATIONS = ("equal", "near", "unrelated")
ROUTES = ("reader", "canonical forms", "canonical forms, then reader")
SHOWN = 40


def pairs_of(seed: int, count: int) -> list[Pair]:
    """Pairs that follow from a seed."""
    draw = random.Random(seed)
    found: list[Pair] = []
    while len(found) < count:
        pair = make_pair(draw)
        if pair is not None:
            found.append(pair)
    return found


def verdicts(pairs: list[Pair]) -> tuple[dict[str, list[str]], float]:
    """The verdicts of each route, one for each pair, and the seconds of the reader."""
    start = time.process_time()
    reader = [
        "equal" if one_answer(read_answer(p.gold), read_answer(p.answer)) else "different"
        for p in pairs
    ]
    seconds = time.process_time() - start
    forms = [normalize_answers([getattr(p, side) for p in pairs]) for side in ("gold", "answer")]
    canonical = [str(verdict) for verdict in compare_canonical(*forms)]
    both = [
        second if first == "unknown" else first
        for first, second in zip(canonical, reader, strict=True)
    ]
    return dict(zip(ROUTES, (reader, canonical, both), strict=True)), seconds


def chunk(task: tuple[int, int]) -> tuple[Counter[tuple[str, str, str]], list[str], float]:
    """Counts (route, relation, outcome) of the pairs of a seed; and the errors as text."""
    pairs = pairs_of(*task)
    found, seconds = verdicts(pairs)
    counts: Counter[tuple[str, str, str]] = Counter()
    errors: list[str] = []
    for index, pair in enumerate(pairs):
        truth = "equal" if pair.equal else "different"
        counts["", pair.relation, truth] += 1
        for route in ROUTES:
            verdict = found[route][index]
            if verdict == truth:
                continue
            outcome = {"equal": "false equal", "different": "missed"}.get(verdict, "open")
            counts[route, pair.relation, outcome] += 1
            if outcome != "open":
                errors.append(f"{outcome} ({route}): {pair.gold!r} {pair.answer!r}")
    return counts, errors, seconds


def rows_of(counts: Counter[tuple[str, str, str]], seconds: float) -> list[dict[str, Any]]:
    """A row for each route and relation of pairs."""
    rows: list[dict[str, Any]] = []
    for route in ROUTES:
        for relation in (*RELATIONS, "all"):
            own = {
                key: number
                for key, number in counts.items()
                if relation in ("all", key[1]) and key[0] in ("", route)
            }

            def total(*names: str, own: dict[tuple[str, str, str], int] = own) -> int:
                return sum(number for key, number in own.items() if key[2] in names)

            row: dict[str, Any] = {
                "what": f"{route}: {relation} pairs",
                "pairs": total("equal", "different"),
                "of_equal_value": total("equal"),
                "false_equals": total("false equal"),
                "missed_equals": total("missed"),
                "left_open": total("open"),
            }
            if relation == "all":
                row["target"], row["met"] = "no false equals", row["false_equals"] == 0
                if route == "reader":
                    row["reader_microseconds_per_pair"] = seconds / row["pairs"] * 1e6
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="record nothing")
    asked = parser.parse_args()
    tasks = [
        (asked.seed + start, min(CHUNK, asked.pairs - start))
        for start in range(0, asked.pairs, CHUNK)
    ]
    counts: Counter[tuple[str, str, str]] = Counter()
    errors: list[str] = []
    seconds = 0.0
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for part, wrong, took in pool.imap_unordered(chunk, tasks):
            counts += part
            errors += wrong
            seconds += took
            done = sum(number for key, number in counts.items() if not key[0])
            false = sum(number for key, number in counts.items() if key[2] == "false equal")
            print(f"{done} pairs, {false} false equals", file=sys.stderr, flush=True)
    for outcome in ("false equal", "missed"):
        own = sorted(text for text in errors if text.startswith(outcome))
        print(f"{len(own)} {outcome}", *own[:SHOWN], sep="\n  ")
    rows = rows_of(counts, seconds)
    if asked.dry:
        print(*rows, sep="\n")
    else:
        record("verdicts", rows)


if __name__ == "__main__":
    main()

"""Throughput of extract + normalise + group, and of grouping against polars.

    python bench/bench_answers.py [--rows 1000000] [--rounds 7]

Each result is checked before it is timed.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from common import interleave, interleave_both, record, summary

from rlvr_fast.answers import AnswerIndex, group_answers


def traces(
    rows: int, size: int, problems: int, seed: int
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Completions of `size` bytes that end in a box, Zipf-like answers; ids; answer numbers."""
    rng = np.random.default_rng(seed)
    words = rng.choice(
        np.array(["so", "we", "get", r"$x^2+1$", r"\frac{a}{b}", "then", "x < 3", "hence"]), 4096
    )
    filler = " ".join(words).encode()
    offsets = np.empty(rows + 1, dtype=np.int64)
    offsets[0] = 0
    ids = rng.integers(0, problems, rows)
    answers = np.minimum(rng.zipf(1.6, rows), 400)
    data = np.empty(rows * size, dtype=np.uint8)
    base = np.frombuffer((filler * (size // len(filler) + 2))[: size + 4096], dtype=np.uint8)
    for row in range(rows):
        tail = f"\nThe answer is \\boxed{{{answers[row]}/7}}.".encode()
        start = row * size
        shift = (row * 61) % 4096
        data[start : start + size - len(tail)] = base[shift : shift + size - len(tail)]
        data[start + size - len(tail) : start + size] = np.frombuffer(tail, dtype=np.uint8)
        offsets[row + 1] = start + size
    texts = pa.Array.from_buffers(
        pa.large_string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return texts, ids, answers


def bench_text(rows: int, size: int, rounds: int) -> list[dict[str, object]]:
    texts, ids, answers = traces(rows, size, 1000, 1)

    def run(policy: str) -> AnswerIndex:
        index = AnswerIndex()
        index.add(ids, texts, policy=policy)
        return index

    groups = run("auto").groups()
    want = len(np.unique(ids * 1000 + answers))
    if len(groups) != want or int(groups.count.sum()) != rows:
        raise AssertionError(f"{len(groups)} groups, not {want}")
    rivals = {policy: (lambda p=policy: run(p)) for policy in ("auto", "boxed")}
    seconds = interleave(rivals, rounds=rounds)
    return [
        {
            "what": f"extract + normalise + group, policy {policy}",
            "rows": rows,
            "bytes_each": size,
            **summary(times),
            "gigabytes_per_s": rows * size / 1e9 / float(np.median(times)),
        }
        for policy, times in seconds.items()
    ]


def answer_rows(ids: str, order: str, size: int) -> tuple[pa.Array, pa.Array]:
    """5 M rows of about 407,000 groups: int64 problem ids and string answers."""
    rng = np.random.default_rng(0)
    rows = 5_000_000
    problems, distinct = (1000, 407) if ids == "dense" else (50_000, 8)
    row = rng.integers(0, problems, rows)
    if order == "sorted":
        row.sort()
    numbers = rng.integers(0, 10**7, problems * distinct)
    texts = pa.array([f"{number:0{size}d}" if size > 7 else str(number) for number in numbers])
    answers = texts.take(pa.array(row * distinct + rng.integers(0, distinct, rows)))
    names = np.arange(problems) if ids == "dense" else rng.integers(0, 2**62, problems)
    return pa.array(names[row]), answers


def check_groups(ids: pa.Array, answers: pa.Array, theirs: pl.DataFrame) -> int:
    """Raises where `group_answers` and polars differ; returns the number of groups."""
    groups = group_answers(ids, answers)
    mine = pl.DataFrame(
        {
            "problem": pl.from_arrow(groups.problem_id),
            "answer": pl.from_arrow(groups.answer),
            "len": groups.count,
        }
    )
    key = ["problem", "answer"]
    theirs = theirs.with_columns(pl.col("len").cast(pl.Int64))
    if not mine.sort(key).equals(theirs.sort(key)):
        raise AssertionError("polars groups otherwise")
    first = groups.first_row[groups.group_of_row]
    texts = answers.cast(pa.large_string())
    same = pc.equal(texts, texts.take(pa.array(first)))
    if not pc.all(same).as_py() or not ids.equals(ids.take(pa.array(first))):
        raise AssertionError("a row is not in its group")
    return len(groups)


def bench_shape(ids: str, order: str, size: int, rounds: int) -> list[dict[str, object]]:
    """A row for each type of the answers; ratios are medians of the ratios of each round."""
    problems, answers = answer_rows(ids, order, size)
    frame = pl.DataFrame({"problem": pl.from_arrow(problems), "answer": pl.from_arrow(answers)})
    rivals: dict[Any, Callable[[], object]] = {
        "polars": lambda: frame.group_by("problem", "answer").agg(pl.len())
    }
    groups = {}
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        given = answers.cast(kind)
        groups[kind] = check_groups(problems, given, rivals["polars"]())
        for rows in (True, False):
            rivals[kind, rows] = functools.partial(group_answers, problems, given, rows=rows)
    seconds = {
        name: np.array(both) for name, both in interleave_both(rivals, rounds=rounds).items()
    }
    polars = seconds["polars"]

    def times(kind: pa.DataType, rows: bool) -> dict[str, float]:
        wall, processor = np.median(polars / seconds[kind, rows], axis=0).tolist()
        return {"wall": wall, "processor": processor}

    return [
        {
            "what": f"group 5 M rows: {ids} ids, {order}, answers of {size} bytes, {kind}",
            "groups": groups[kind],
            **summary(seconds[kind, True][:, 0].tolist()),
            "processor_s": float(np.median(seconds[kind, True][:, 1])),
            "polars_median_s": float(np.median(polars[:, 0])),
            "polars_processor_s": float(np.median(polars[:, 1])),
            "faster_than_polars": times(kind, True),
            "faster_than_polars_without_rows": times(kind, False),
        }
        for kind in groups
    ]


def bench_group(rounds: int) -> list[dict[str, object]]:
    shapes = itertools.product(("dense", "spread"), ("random", "sorted"), (7, 30))
    return [row for shape in shapes for row in bench_shape(*shape, rounds)]


def bench_memory() -> dict[str, object]:
    rows = 2_000_000
    index = AnswerIndex(normalize=False)
    index.add(np.arange(rows) % 1000, pa.array(np.arange(rows)).cast(pa.string()), policy=None)
    return {
        "what": "index memory, 2 M distinct short answers",
        "bytes_per_group": index.memory / len(index),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = [*bench_group(options.rounds), bench_memory()]
    rows += bench_text(options.rows, 4096, options.rounds)
    rows += bench_text(max(1, options.rows // 12), 40_960, options.rounds)
    for row in rows:
        print(row)
    record("answers", rows)


if __name__ == "__main__":
    main()

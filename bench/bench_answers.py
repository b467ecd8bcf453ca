"""Throughput of extract + normalise + group, and of grouping against polars.

    python bench/bench_answers.py [--rows 1000000] [--rounds 5]

Each result is checked before it is timed.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
import pyarrow as pa
from common import interleave, record, summary

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


def bench_group(rounds: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    rows, problems, distinct = 5_000_000, 1000, 400
    names = pa.array([str(x) for x in rng.integers(0, 10**7, problems * distinct)])
    out: list[dict[str, object]] = []
    for order in ("random", "sorted by problem"):
        ids = rng.integers(0, problems, rows)
        if order != "random":
            ids.sort()
        answers = names.take(pa.array(ids * distinct + rng.integers(0, distinct, rows)))
        id_column = pa.array(ids)
        frame = pl.DataFrame(
            {"problem": pl.from_arrow(id_column), "answer": pl.from_arrow(answers)}
        )

        def polars(frame: pl.DataFrame = frame) -> pl.DataFrame:
            return frame.group_by("problem", "answer").agg(pl.len())

        def ours(ids: pa.Array = id_column, answers: pa.Array = answers, rows: bool = False):
            return group_answers(ids, answers, rows=rows)

        groups = ours()
        theirs = polars().sort("problem", "answer")
        mine = pl.DataFrame(
            {
                "problem": pl.from_arrow(groups.problem_id),
                "answer": pl.from_arrow(groups.answer),
                "len": groups.count,
            }
        ).sort("problem", "answer")
        theirs = theirs.with_columns(pl.col("len").cast(pl.Int64))
        if not mine.equals(theirs):
            raise AssertionError("polars groups otherwise")
        seconds = interleave(
            {
                "polars": polars,
                "group_answers(rows=False)": ours,
                "group_answers": lambda: ours(rows=True),
            },
            rounds=rounds,
        )
        base = float(np.median(seconds["polars"]))
        out += [
            {
                "what": f"group 5 M rows, {order}: {name}",
                "groups": len(groups),
                **summary(times),
                "times_polars": base / float(np.median(times)),
            }
            for name, times in seconds.items()
        ]
    return out


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
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = [*bench_group(options.rounds), bench_memory()]
    rows += bench_text(options.rows, 4096, options.rounds)
    rows += bench_text(max(1, options.rows // 12), 40_960, options.rounds)
    for row in rows:
        print(row)
    record("answers", rows)


if __name__ == "__main__":
    main()

"""Grading of a million completions, and Math-Verify on a sample of them.

    python bench/bench_grading.py [--problems 1000] [--samples 1024] [--rival 2000]

Answers are drawn with Zipf-like weights from texts that a model could write for each gold: the
gold in several notations, wrong numbers and expressions, and no answer. Math-Verify reads whole
completions, as its users call it, in one process and without its own time limits; then it and our
reader verify distinct answers alone, as they were written, and the verdicts are compared with the
grades (--journal FILE keeps them, so that an interrupted comparison resumes). Both are also
measured in processor seconds, which depend little on the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "answers"))
from common import record
from grading_runs import make_run

from rlvr_fast.answers import grade_run
from rlvr_fast.tasks.sandbox import LongLivedProcess

DISTINCT = 48  # of a problem
PART_ROWS = 65536


def golds(count: int, rng: np.random.Generator) -> list[str]:
    """Golds in the kinds and shares of MATH500: integers, fractions, roots, expressions, tuples."""
    made = []
    for number in rng.integers(2, 997, size=count).tolist():
        kind = number % 10
        made.append(
            [
                *[str(number)] * 6,
                rf"\frac{{{number}}}{{{number % 89 + 3}}}",
                rf"{number}\sqrt{{{number % 7 + 2}}}",
                rf"x^2+{number}x-{number % 13}",
                rf"({number},{number % 17})",
            ][kind]
        )
    return made


def written(gold: str, rng: np.random.Generator) -> list[str]:
    """DISTINCT answers to one problem, the most likely first."""
    numbers = [str(n) for n in rng.integers(-50, 2000, size=28).tolist()]
    numbers += [rf"\frac{{{a}}}{{{b}}}" for a, b in rng.integers(1, 60, size=(8, 2)).tolist()]
    numbers += [rf"{a}\sqrt{{{b}}}" for a, b in rng.integers(2, 40, size=(4, 2)).tolist()]
    shape = "x^2-{}x+{}" if "x" in gold else "({},{})"
    own_kind = [shape.format(a, b) for a, b in rng.integers(1, 90, size=(36, 2)).tolist()]
    # Most wrong answers are of the kind of the gold, and some are of another kind.
    wrong = own_kind + numbers[:4] if "x" in gold or gold[0] == "(" else numbers + own_kind[:1]
    wrong += [rf"{a}\%" for a in rng.integers(1, 99, size=1).tolist()]
    dressed = [
        gold,
        rf"${gold}$",
        rf" {gold} ",
        rf"\left({gold}\right)" if gold[0] != "(" else gold,
    ]
    dressed += [f"x = {gold}", gold + ".", rf"\text{{{gold}}}" if gold.isdecimal() else gold]
    answers = list(dict.fromkeys(dressed + wrong))[:DISTINCT]
    # The gold comes first; the other notations of the gold come at random places.
    return [answers[0], *rng.permutation(answers[1:]).tolist()]


def fill(run, problems, samples: int, rng: np.random.Generator) -> int:
    padding = "We compute step by step, and check each step with care before we go on. " * 6
    rows: dict[str, list] = {"problem_id": [], "sample_index": [], "text": []}
    size = 0

    def flush() -> None:
        count = len(rows["text"])
        run.append(
            "samples",
            pa.table(
                {
                    "problem_id": rows["problem_id"],
                    "sample_index": pa.array(rows["sample_index"], pa.int32()),
                    "text": pa.array(rows["text"], pa.large_string()),
                    "token_ids": pa.ListArray.from_arrays(
                        pa.array(np.arange(count + 1), pa.int32()),
                        pa.array(np.ones(count), pa.int32()),
                    ),
                    "finish_reason": pa.array(["stop"] * count),
                    "seed": pa.nulls(count, pa.int64()),
                }
            ),
        )
        for column in rows.values():
            column.clear()

    for problem in problems:
        answers = written(problem.gold, rng)
        weights = 1.0 / np.arange(1, len(answers) + 1) ** 1.2
        drawn = rng.choice(len(answers), size=samples, p=weights / weights.sum())
        silent = rng.random(samples) < 0.03
        for index in range(samples):
            text = padding if silent[index] else f"{padding}\\boxed{{{answers[drawn[index]]}}}"
            size += len(text)
            rows["problem_id"].append(problem.problem_id)
            rows["sample_index"].append(index)
            rows["text"].append(text)
        if len(rows["text"]) >= PART_ROWS:
            flush()
    if rows["text"]:
        flush()
    return size


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--problems", type=int, default=1000)
    options.add_argument("--samples", type=int, default=1024)
    options.add_argument("--rival", type=int, default=2000, help="completions for Math-Verify")
    options.add_argument("--check", type=int, default=0, help="distinct pairs compared; 0: all")
    options.add_argument("--journal", type=Path, help="Math-Verify's verdicts, kept to go on from")
    options.add_argument("--workers", type=int, default=2, help="processes that compare")
    options.add_argument("--dry", action="store_true", help="print the result, do not record it")
    asked = options.parse_args()
    rng = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp(prefix="bench-grading-"))
    try:
        measure(asked, rng, folder)
    finally:
        shutil.rmtree(folder)


def measure(asked: argparse.Namespace, rng: np.random.Generator, folder: Path) -> None:
    source = folder / "golds.jsonl"
    source.write_text(
        "".join(
            f'{{"id": {i}, "question": "Problem {i}?", "answer": {json.dumps(gold)}}}\n'
            for i, gold in enumerate(golds(asked.problems, rng))
        )
    )
    run, problems = make_run(folder / "run", [f"math:{source}"])
    size = fill(run, problems, asked.samples, rng)
    completions = asked.problems * asked.samples

    # Half of the rival's sample before and half after ours, so that both see the same load.
    logging.disable(logging.CRITICAL)
    rival = sample_pairs(run, problems, asked.rival, rng)
    half = len(rival) // 2
    rival_seconds = math_verify_seconds(rival[:half])
    started, processor = time.perf_counter(), processor_seconds()
    grades = grade_run(run)
    seconds = time.perf_counter() - started
    processor = processor_seconds() - processor
    rival_seconds += math_verify_seconds(rival[half:])

    graded = run.read_json("grading.json")["graded"]
    compared = compare(run, problems, grades, asked, asked.journal or folder / "judged.jsonl")
    distinct = compared["distinct_pairs"]
    ratio = (rival_seconds / len(rival)) / (processor / completions)
    rows = [
        {
            "what": "grade_run, from samples to grades.parquet",
            "completions": completions,
            "text_bytes": size,
            "seconds": seconds,
            "processor_seconds": processor,
            "load_average": os.getloadavg()[0],
            "target": "60 s on 2 idle cores; 500 times Math-Verify per completion",
            "met": min(seconds, processor / 2) <= 60 and ratio >= 500,
            **compared,
            "decided_by_canonical_form": graded["decided_by_canonical_form"],
            "share_by_canonical_form": graded["decided_by_canonical_form"] / distinct,
            "math_verify_per_processor_second": len(rival) / rival_seconds,
            "math_verify_completions": len(rival),
            "times_math_verify_by_processor_time": ratio,
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    ]
    print(json.dumps(rows, indent=1))
    if not asked.dry:
        record("grading", rows)


def sample_pairs(run, problems, count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Whole completions and their golds, drawn evenly from the run."""
    gold = {p.problem_id: p.gold for p in problems}
    pairs = []
    parts = run.parts("samples")
    for _, table in run.iter_parts("samples", ["problem_id", "text"]):
        chosen = rng.choice(
            len(table), size=min(len(table), -(-count // len(parts))), replace=False
        )
        for row in table.take(pa.array(chosen)).to_pylist():
            pairs.append((gold[row["problem_id"]], row["text"]))
    return pairs[:count]


def math_verify_seconds(pairs: list[tuple[str, str]]) -> float:
    """Math-Verify as its users call it: parse the gold, parse the completion, verify."""
    from math_verify import parse, verify

    started = time.process_time()
    for gold, text in pairs:
        verify(
            parse(f"\\boxed{{{gold}}}", parsing_timeout=None),
            parse(text, parsing_timeout=None),
            timeout_seconds=None,
        )
    return time.process_time() - started


def processor_seconds() -> float:
    """The processor seconds of this process and of the workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    counted = sum(usage.ru_utime + usage.ru_stime for usage in used)
    return counted + LongLivedProcess.sandboxed_seconds


Judged = dict[tuple[str, str], tuple[bool, str]]


def judge(pair: tuple[str, str]) -> tuple[tuple[str, str], bool, str]:
    """The verdicts of plain Math-Verify and of our reader on a gold and an answer.

    Plain Math-Verify reads the answer in a box and keeps its own time limits, as its users call it.

    Returns:
        The pair, whether plain Math-Verify calls the answer correct, and the reader's verdict.
    """
    from math_verify import parse, verify

    from rlvr_fast.tasks.schemes.math.verifier import MathVerifier

    logging.disable(logging.CRITICAL)
    gold, answer = pair
    plain = verify(parse(f"\\boxed{{{gold}}}"), parse(f"\\boxed{{{answer}}}"))
    return pair, plain, MathVerifier().verify("", gold, {}, answer)


def judged(pairs: list[tuple[str, str]], journal: Path, workers: int) -> Judged:
    """Both verdicts on each pair, in `workers` processes; those in the journal are used again."""
    done: Judged = {}
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            gold, answer, plain, ours = json.loads(line)
            done[gold, answer] = plain, ours
    waiting = [pair for pair in dict.fromkeys(pairs) if pair not in done]
    with (
        journal.open("a", encoding="utf-8") as file,
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool,
    ):
        for number, (pair, plain, ours) in enumerate(pool.map(judge, waiting, chunksize=16), 1):
            done[pair] = plain, ours
            file.write(json.dumps([*pair, plain, ours]) + "\n")
            if number % 512 == 0:
                file.flush()
                print(f"compared {number} of {len(waiting)} pairs", file=sys.stderr)
    return done


def compare(run, problems, grades, asked: argparse.Namespace, journal: Path) -> dict[str, object]:
    """Compares the grades with the reader and with Math-Verify on answers as they were written."""
    gold = {p.problem_id: p.gold for p in problems}
    ours = {row["answer_id"]: row for row in grades.to_pylist() if row["answer_id"] >= 0}
    pairs = {
        (row["problem_id"], row["answer"]): row["answer_id"]
        for _, table in run.iter_parts("answers", ["problem_id", "answer", "answer_id"])
        for row in table.group_by(["problem_id", "answer", "answer_id"]).aggregate([]).to_pylist()
        if row["answer_id"] >= 0
    }
    chosen = sorted(pairs)
    if asked.check and asked.check < len(chosen):
        order = np.random.default_rng(1).permutation(len(chosen))
        chosen = [chosen[i] for i in order[: asked.check]]
    verdicts = judged([(gold[p], answer) for p, answer in chosen], journal, asked.workers)
    disagreements, plain_reasons, plain_examples = [], Counter(), {}
    for problem_id, answer in chosen:
        plain, verdict = verdicts[gold[problem_id], answer]
        row = ours[pairs[problem_id, answer]]
        shown = {"gold": gold[problem_id], "answer": answer, "ours": row["verdict"]}
        if (verdict == "correct") != (row["verdict"] == "correct"):
            disagreements.append({**shown, "reader": verdict})
        if plain != (row["verdict"] == "correct"):
            why = reason(gold[problem_id], answer)
            plain_reasons[why] += 1
            plain_examples.setdefault(why, {**shown, "plain_math_verify": plain})
    return {
        "distinct_pairs": len(ours),
        "distinct_texts_compared": len(chosen),
        "disagreements": len(disagreements),
        "disagreement_examples": disagreements[:20],
        "plain_math_verify_disagreements": dict(plain_reasons),
        "plain_math_verify_examples": plain_examples,
    }


def reason(gold: str, answer: str) -> str:
    """The cause of another verdict of plain Math-Verify: without a final period the two agree."""
    _, without_period, _ = judge((gold, answer.rstrip().removesuffix(".")))
    ours = judge((gold, answer))[2] == "correct"
    return "a final period" if without_period == ours else "another reading"


if __name__ == "__main__":
    main()

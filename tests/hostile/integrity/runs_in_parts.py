"""Runs of three parts a stage, whose draws are a function of problem and index."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.store import Run, draw_seeds, seal
from rlvr_fast.tasks import load_verifier

GOLDS = {"sums/0": "7", "sums/1": "1/2", "sums/2": "x+1"}
# Answers of one part of draws do not come again in the next: a part that goes takes ids with it.
ANSWERS = ["7", "0.5", "8", r"\frac{1}{2}", "1+x", "9 cm", "x + 1", "twelve", "-3", None]
OPTIONS = GradeOptions(workers=1)


def text_of(problem_id: str, index: int, salt: int = 0) -> str:
    """The completion of a draw."""
    at = index * 7 + 3 * int(problem_id[-1]) + salt
    answer = ANSWERS[at % len(ANSWERS)]
    if index % 4 == 3:
        answer = str(1000 + index)
    return "I do not know" if answer is None else f"So it is \\boxed{{{answer}}}."


def make(path: Path, *, engine: str = "hand", model: str = "m", golds: dict | None = None) -> Run:
    """An empty run of three problems."""
    golds = golds or GOLDS
    return Run.create(
        path,
        model={"name": model, "revision": "1"},
        engine={"name": engine, "version": "1", "notes": []},
        sampling={"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": "sums", "spec": "math:questions.jsonl?sha256=" + "0" * 64}],
        problems=pa.table(
            {
                "problem_id": list(golds),
                "task": ["sums"] * len(golds),
                "prompt": [f"Question {name}?" for name in golds],
                "prompt_token_ids": pa.array([[1]] * len(golds), pa.list_(pa.int32())),
                "gold": list(golds.values()),
                "metadata": ["{}"] * len(golds),
            }
        ),
    )


def draw(run: Run, keys: Iterable[tuple[str, int]], salt: int = 0) -> None:
    """Appends draws as one part."""
    rows = [
        {
            "problem_id": name,
            "sample_index": index,
            "text": text_of(name, index, salt),
            "token_ids": [1, 2, index],
            "finish_reason": "stop",
            "seed": int(draw_seeds(run.info, name, np.array([index]))[0]),
        }
        for name, index in keys
    ]
    run.append("samples", pa.Table.from_pylist(rows))


def score(run: Run, label: str = "m") -> None:
    """Scores what has no scores, a part for eight draws, and records it, as `score_run` does."""
    samples = run.read("samples", ["problem_id", "sample_index", "token_ids"])
    unscored = samples.filter(pa.array(~run.has_rows(f"scores/{label}", samples)))
    octets = pc.divide(unscored["sample_index"], 8)
    for octet in sorted(pc.unique(octets).to_pylist()):
        rows = unscored.filter(pc.equal(octets, octet))
        lengths = [len(ids) for ids in rows["token_ids"].to_pylist()]
        run.append(
            f"scores/{label}",
            pa.table(
                {
                    "problem_id": rows["problem_id"],
                    "sample_index": rows["sample_index"],
                    "num_tokens": pa.array(lengths, pa.int32()),
                    "logprob": [-1.0 - 0.1 * i for i in rows["sample_index"].to_pylist()],
                    "mean_entropy": [0.5] * len(rows),
                }
            ),
        )
    about = {"model": {"name": "m", "revision": "1"}, "temperature": 1.0, "top_p": None}
    stored = run.read_json(f"scores/{label}/scores.json") or {}
    run.write_json(f"scores/{label}/scores.json", stored | about)


def run_in_parts(
    path: Path, *, parts: int = 3, scores: bool = False, salt: int = 0, **about: object
) -> Run:
    """A graded run: three parts of samples, each graded before the next was drawn."""
    run = make(path, **about)
    for part in range(parts):
        draw(run, [(p, i) for p in GOLDS for i in range(8 * part, 8 * part + 8)], salt)
        grade_run(run, OPTIONS)
    if scores:
        score(run)
        seal(run)
    run.request(8 * parts) if not run.info.imported else None
    return Run.open(path)


@functools.cache
def verdict(spec: str, problem_id: str, gold: str | None, metadata: str, answer: str) -> Outcome:
    """The outcome of a pair by its verifier."""
    verifier = load_verifier(spec)
    verifier.prepare(problem_id, json.loads(metadata))
    found = verifier.verify(problem_id, gold, json.loads(metadata), answer)
    return Outcome(found, verifier.name)


def verify_here(pairs: Sequence[Pair], decided: Callable, **_: object) -> None:
    """Stands for the worker processes."""
    for place, pair in enumerate(pairs):
        about = json.dumps(dict(pair.metadata))
        decided(place, verdict(pair.spec, pair.problem_id, pair.gold, about, pair.answer))


def classes(run: Run) -> list[tuple]:
    """The grades without the numbers of answers, which a repair may give anew."""
    grades = run.read_table("grades.parquet")
    assert grades is not None
    names = ("problem_id", "canonical", "count", "verdict", "grader")
    return sorted(
        (tuple(row[name] for name in names) for row in grades.to_pylist()), key=json.dumps
    )

"""Scores of planted runs, with the probabilities that the answers are drawn with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from planted_runs import answer_distributions, write_pair

from rlvr_fast.store import Run, seal

TASKS = {"puzzle": 8, "logic": 1}
SEED = 5
SAMPLES = 400
PER_TASK = 12
# the share of draws without an answer that write_pair gives each model
BAD = {"base": 0.02, "rl": 0.01}


def planted_truth(tasks: dict[str, int]) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """The distributions that write_pair draws from, in the order of its problems."""
    rng = np.random.default_rng(SEED)
    return [
        (right, *answer_distributions(rng, correct=right))
        for right in tasks.values()
        for _ in range(PER_TASK)
    ]


def kept_mass(model: str, at: int) -> float:
    """Probability that the nuclei of a completion with this answer keep, in all."""
    return 0.8 - 0.05 * (at % 3) if model == "base" else 0.95


def outside_base(at: int) -> bool:
    """Whether the base's nuclei leave this answer out, in runs that are drawn with one."""
    return at % 5 == 2


def rescore(
    run: Run,
    labels: dict[str, str],
    *,
    tasks: dict[str, int] = TASKS,
    nucleus: bool = False,
    **info: object,
) -> None:
    """True log-probabilities of every draw; `labels` maps a score label to its model.

    With `nucleus` the planted probabilities are the ones of top-p sampling. A scorer sees, and the
    run then stores, the probability under the whole distribution, the probability that the nuclei
    keep, and the number of tokens outside the nuclei.
    """
    truth = dict(zip(run.problems()["problem_id"].to_pylist(), planted_truth(tasks), strict=True))
    drawn = run.read("answers").to_pylist()
    for label, model in labels.items():
        logprob, kept, left_out = [], [], []
        for row in drawn:
            right, *laws = truth[row["problem_id"]]
            law = laws[("base", "rl").index(model)]
            if row["answer"] is None:
                logprob.append(np.log(BAD[model]))
                kept.append(0.0)
                left_out.append(False)
                continue
            kind, number = row["answer"].split()[-2:]
            at = int(number)  # the wrong answers are numbered on from the right ones
            assert (kind == "right") == (at < right)
            with np.errstate(divide="ignore"):
                logprob.append(np.log(law[at] * (1 - BAD[model])))
            kept.append(np.log(kept_mass(model, at)))
            left_out.append(model == "base" and outside_base(at))
        # a model never draws outside its own nucleus; of the other's draws every fourth is outside
        outside = np.arange(len(drawn)) % 4 == 0 if model != run.path.name else [0] * len(drawn)
        columns = {
            "problem_id": [r["problem_id"] for r in drawn],
            "sample_index": pa.array([r["sample_index"] for r in drawn], pa.int32()),
            "num_tokens": pa.array(np.full(len(drawn), 4), pa.int32()),
            "logprob": np.array(logprob) + (np.array(kept) if nucleus else 0.0),
            "mean_entropy": np.full(len(drawn), 0.5),
            "num_outside_nucleus": np.asarray(left_out if nucleus else outside, np.int32),
        }
        if nucleus:
            columns["log_kept_mass"] = np.array(kept)
        with run.writing():
            run.append(f"scores/{label}", pa.table(columns))
        run.write_json(f"scores/{label}/scores.json", {"model": {"name": model}, **info})
    seal(run)


def planted(folder: Path, *, tasks: dict[str, int] = TASKS, **options: object) -> tuple[Run, Run]:
    return write_pair(
        folder,
        tasks=tasks,
        problems_per_task=PER_TASK,
        samples=SAMPLES,
        scores=False,
        seed=SEED,
        **options,
    )

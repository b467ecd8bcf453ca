"""Run directories of two categorical "models" whose answer distributions are known exactly.

Written through the store, with every table that the stages of a study leave: samples, answers,
grades and scores. Used by the tests of the report and by bench/bench_report.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from rlvr_fast.store import Run, seal

# Task to its number of right answers.
TASKS = {"puzzle": 8, "logic": 1, "poly": 3}
SAMPLING = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []}
HOSTILE = [
    "<script>document.title='pwned'</script>",
    "</script><img src=x onerror=\"document.title='pwned'\">",
    "\"quoted\" 'single' `tick` ${x} {{ 7*7 }} {% raw %}",
    "right\u202eto left \u05d0\u05d1\u05d2",
    "nul\x00 bell\x07 \u2028 line separator",
    "<!--<script>",
]


def answer_distributions(
    rng: np.random.Generator, *, correct: int, wrong: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Base and RL probabilities of `correct` right answers followed by `wrong` wrong ones.

    The RL model is the base tilted towards the right answers and sharpened among them; some
    answers lose all their probability, a few gain some that the base did not have.
    """
    skill = rng.choice([0.0, 0.003, 0.05, 0.4, 0.9], p=[0.12, 0.18, 0.2, 0.3, 0.2])
    right = rng.dirichlet(np.full(correct, 0.5)) * skill
    base = np.concatenate([right, rng.dirichlet(np.full(wrong, 0.7)) * (1 - right.sum())])
    tilted = base.copy()
    tilted[:correct] = (tilted[:correct] * np.exp(rng.uniform(0, 2.5))) ** 1.3
    fate = rng.random()
    if fate < 0.12:
        tilted[:correct] = 0.0
    elif fate > 0.93:
        tilted[rng.integers(correct)] += 0.02
    return base / base.sum(), tilted / tilted.sum()


def write_pair(
    folder: Path,
    *,
    tasks: dict[str, int],
    problems_per_task: int = 12,
    samples: int = 64,
    mean_tokens: int = 12,
    hostile: bool = False,
    scores: bool = True,
    seed: int = 0,
    problems_per_part: int = 200,
    sampling: dict | None = None,
    answer_space: dict[str, int] | None = None,
) -> tuple[Run, Run]:
    """Base and RL runs under `folder`. `tasks` maps a name to the number of right answers.

    `sampling` replaces values of `SAMPLING`; `answer_space` is by task, for its metadata.
    """
    spaces = answer_space or {}
    rng = np.random.default_rng(seed)
    ids, task_of, golds, questions, pairs = [], [], [], [], []
    for task, correct in tasks.items():
        for i in range(problems_per_task):
            ids.append(f"{task}-{i}")
            task_of.append(task)
            golds.append(f"{task} right 0" if correct == 1 else None)
            questions.append(f"Question {i} of {task}: which answers are right?")
            pairs.append((correct, *answer_distributions(rng, correct=correct)))
    if hostile:
        questions[0] += HOSTILE[0]
    table = pa.table(
        {
            "problem_id": ids,
            "task": task_of,
            "prompt": questions,
            "prompt_token_ids": pa.array([[1, 2, 3]] * len(ids), pa.list_(pa.int32())),
            "gold": pa.array(golds, pa.string()),
            "metadata": [
                json.dumps(
                    {"index": i, "domain": "puzzles" if t.startswith("p") else "logic"}
                    | ({"answer_space": spaces[t]} if t in spaces else {})
                )
                for i, t in enumerate(task_of)
            ],
        }
    )
    runs = []
    for side, name in enumerate(("base", "rl")):
        run = Run.create(
            folder / name,
            model={"name": f"planted/{name}", "revision": f"sha256:{name}"},
            engine={"name": "categorical", "version": "1", "notes": []},
            sampling={**SAMPLING, **(sampling or {})},
            prompt_template={"name": "plain", "sha256": "0" * 64},
            tasks=[{"name": task, "spec": f"planted:{task}"} for task in tasks],
            problems=table,
        )
        _fill(
            run,
            rng,
            [(correct, pair[side]) for correct, *pair in pairs],
            name,
            task_of,
            samples,
            mean_tokens,
            hostile,
            scores,
            problems_per_part,
        )
        runs.append(run)
    return runs[0], runs[1]


def _texts(task: str, correct: int, size: int, hostile: bool) -> list[str]:
    names = [f"{task} right {j}" if j < correct else f"{task} wrong {j}" for j in range(size)]
    if hostile:
        names = [f"{name} {HOSTILE[j % len(HOSTILE)]}" for j, name in enumerate(names)]
    return names


def _fill(
    run: Run,
    rng: np.random.Generator,
    answers: list[tuple[int, np.ndarray]],
    name: str,
    task_of: list[str],
    samples: int,
    mean_tokens: int,
    hostile: bool,
    scores: bool,
    problems_per_part: int,
) -> None:
    ids = run.problems()["problem_id"].to_pylist()
    grades: dict[str, list] = {k: [] for k in ("problem_id", "answer_id", "canonical", "count")}
    grades |= {"verdict": [], "grader": []}
    next_id = 0
    with run.writing():
        for start in range(0, len(ids), problems_per_part):
            rows = range(start, min(start + problems_per_part, len(ids)))
            columns: list[tuple] = []
            for p in rows:
                correct, probability = answers[p]
                drawn = rng.choice(probability.size, size=samples, p=probability)
                bad = rng.random(samples) < (0.02 if name == "base" else 0.01)
                texts = _texts(task_of[p], correct, probability.size, hostile)
                given, first = np.unique(drawn[~bad], return_index=True)
                number = {int(a): next_id + i for i, a in enumerate(given[np.argsort(first)])}
                next_id += len(number)
                for a, answer_id in number.items():
                    grades["problem_id"].append(ids[p])
                    grades["answer_id"].append(answer_id)
                    grades["canonical"].append(texts[a])
                    grades["count"].append(int((drawn[~bad] == a).sum()))
                    slow = a == probability.size - 1 and p % 7 == 0
                    verdict = "correct" if a < correct else "timeout" if slow else "incorrect"
                    grades["verdict"].append(verdict)
                if bad.any():
                    grades["problem_id"].append(ids[p])
                    grades["answer_id"].append(-1)
                    grades["canonical"].append(None)
                    grades["count"].append(int(bad.sum()))
                    grades["verdict"].append("unparsed")
                lookup = np.full(probability.size, -1)
                for a, answer_id in number.items():
                    lookup[a] = answer_id
                columns.append(
                    (p, drawn, bad, np.where(bad, -1, lookup[drawn]), texts, probability)
                )
            _append_parts(run, rng, ids, columns, samples, mean_tokens, name, scores, answers)
    grades["grader"] = ["planted 1"] * len(grades["verdict"])
    run.write_table("grades.parquet", pa.table(grades))
    tasks = {
        task: {"verifier": "planted 1", "equivalence": "exact"} for task in sorted(set(task_of))
    }
    run.write_json("grading.json", {"policy": "auto", "tasks": tasks, "limits": {"timeout": 5.0}})
    if scores:
        for label in ("base", "rl"):
            run.write_json(
                f"scores/{label}/scores.json",
                {"model": {"name": f"planted/{label}"}, "temperature": 0.6, "top_p": 0.95},
            )
    seal(run)


def _append_parts(
    run: Run,
    rng: np.random.Generator,
    ids: list[str],
    columns: list[tuple],
    samples: int,
    mean_tokens: int,
    name: str,
    scores: bool,
    answers: list[tuple[int, np.ndarray]],
) -> None:
    total = len(columns) * samples
    problem = np.repeat([c[0] for c in columns], samples)
    problem_ids = pa.array(ids).take(pa.array(problem))
    index = np.tile(np.arange(samples, dtype=np.int32), len(columns))
    bad = np.concatenate([c[2] for c in columns])
    length = rng.poisson(mean_tokens, total) + 1
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    answer = [c[4][a] for c in columns for a in c[1]]
    run.append(
        "samples",
        pa.table(
            {
                "problem_id": problem_ids,
                "sample_index": index,
                "text": pa.array(
                    [
                        f"I think: {a}" if b else f"Let me see. <answer>{a}</answer>"
                        for a, b in zip(answer, bad, strict=True)
                    ],
                    pa.large_string(),
                ),
                "token_ids": pa.ListArray.from_arrays(
                    pa.array(offsets), pa.array(rng.integers(0, 500, offsets[-1]), pa.int32())
                ),
                "finish_reason": np.where(bad, "length", "stop"),
                "seed": pa.nulls(total, pa.int64()),
            }
        ),
    )
    run.append(
        "answers",
        pa.table(
            {
                "problem_id": problem_ids,
                "sample_index": index,
                "answer": pa.array(
                    [None if b else a for a, b in zip(answer, bad, strict=True)], pa.large_string()
                ),
                "status": np.where(bad, "unfinished", "found"),
                "answer_id": np.concatenate([c[3] for c in columns]).astype(np.int32),
            }
        ),
    )
    if not scores:
        return
    drawn = np.concatenate([c[1] for c in columns])
    for label in ("base", "rl"):
        other = np.concatenate(
            [answers_of(run, label, c, columns_answers=answers)[c[1]] for c in columns]
        )
        spread = 1.0 if label == name else 1.4
        logprob = np.log(np.maximum(other, 1e-9)) - spread * 0.1 * length
        run.append(
            f"scores/{label}",
            pa.table(
                {
                    "problem_id": problem_ids,
                    "sample_index": index,
                    "num_tokens": length.astype(np.int32),
                    "logprob": logprob,
                    "mean_entropy": rng.gamma(4.0, 0.1 if label == "base" else 0.06, total),
                    "num_outside_nucleus": ((drawn % 3 == 0) & (label != name)).astype(np.int32),
                }
            ),
        )


def answers_of(
    run: Run, label: str, column: tuple, *, columns_answers: list[tuple[int, np.ndarray]]
) -> np.ndarray:
    """Probabilities that stand in for the scoring model: the run's own, flattened for the other."""
    own = columns_answers[column[0]][1]
    return own if run.path.name == label else (own + 1 / own.size) / 2

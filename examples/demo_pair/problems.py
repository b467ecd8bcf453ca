"""Reasoning Gym problems: the demo's own, and training problems that share none with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import reasoning_gym
import yaml

# Reasoning Gym draws item i from Random(seed + i), so nearby seeds share items. Training starts far
# above every evaluation and development seed.
TRAIN_SEED = 50_000_000
DEVELOPMENT_SEED = 10_000_000
GRPO_OFFSET = 500_000  # GRPO has problems of its own

ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
# What the in-process verifier may see: Reasoning Gym's countdown evaluates the text with sympy,
# where a power tower would never return. The two-character operators are refused below.
HARMLESS = re.compile(r"[0-9+\-*/() ]{1,64}")


@dataclass(frozen=True, slots=True)
class DemoTaskSpec:
    name: str
    dataset: str
    config: dict[str, int]


@dataclass(frozen=True, slots=True)
class TrainProblem:
    task: str
    question: str
    entry: dict[str, Any]
    dataset: Any


def parse_spec(name: str, spec: str) -> DemoTaskSpec:
    """`reasoning_gym:countdown?size=16&seed=7` to its parts; every option is a whole number."""
    source, _, rest = spec.partition(":")
    if source != "reasoning_gym":
        raise ValueError(f"task {name!r}: expected a reasoning_gym: spec, got {spec!r}")
    dataset, _, query = rest.partition("?")
    return DemoTaskSpec(name, dataset, {key: int(value) for key, value in parse_qsl(query)})


def read_demo(path: Path) -> tuple[list[DemoTaskSpec], dict[str, Any]]:
    """The demo's tasks, and the rest of its file (samples, sampling)."""
    demo = yaml.safe_load(path.read_text())
    return [parse_spec(task["name"], task["spec"]) for task in demo["tasks"]], demo


def content_key(dataset: str, metadata: dict[str, Any]) -> tuple[Any, ...]:
    """The key of a problem, without the wording and the order of the numbers."""
    if dataset == "countdown":
        return (dataset, *sorted(metadata["numbers"]), metadata["target"])
    if dataset == "products":
        return (dataset, *sorted(int(term) for term in metadata["expression"].split(" * ")))
    raise ValueError(f"no training recipe for the Reasoning Gym dataset {dataset!r}")


def pose(
    spec: DemoTaskSpec, *, seed: int, size: int, cache: Path | None = None
) -> list[TrainProblem]:
    """The first `size` problems of a seed; `cache` is a folder that keeps them between runs."""
    config = {**spec.config, "seed": seed, "size": size}
    dataset = reasoning_gym.create_dataset(spec.dataset, **config)
    options = "_".join(f"{key}-{value}" for key, value in sorted(config.items()))
    kept = cache and cache / f"{spec.dataset}_{options}.json"
    if kept and kept.exists():
        entries = json.loads(kept.read_text())
    else:
        entries = [dataset[index] for index in range(size)]
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(entries))
    return [TrainProblem(spec.name, entry["question"], entry, dataset) for entry in entries]


def demo_problems(specs: list[DemoTaskSpec]) -> list[TrainProblem]:
    return [p for s in specs for p in pose(s, seed=s.config["seed"], size=s.config["size"])]


def development_problems(specs: list[DemoTaskSpec], size: int) -> list[TrainProblem]:
    """Problems for choosing hyper-parameters, so that the demo's own are never looked at for it."""
    return [
        p for n, s in enumerate(specs) for p in pose(s, seed=DEVELOPMENT_SEED * (n + 1), size=size)
    ]


def training_problems(
    specs: list[DemoTaskSpec],
    sizes: dict[str, int],
    held_out: list[TrainProblem],
    *,
    seed: int,
    offset: int = 0,
    cache: Path | None = None,
) -> tuple[list[TrainProblem], dict[str, int]]:
    """Problems of every task without those of `held_out`, and how many these were."""
    forbidden = {
        content_key(p.entry["metadata"]["source_dataset"], p.entry["metadata"]) for p in held_out
    }
    kept: list[TrainProblem] = []
    removed = {}
    for number, spec in enumerate(specs):
        start = TRAIN_SEED * (1 + number) + 1_000_000 * seed + offset
        posed = pose(spec, seed=start, size=sizes[spec.name], cache=cache)
        fresh = [
            p for p in posed if content_key(spec.dataset, p.entry["metadata"]) not in forbidden
        ]
        removed[spec.name] = len(posed) - len(fresh)
        kept += fresh
    return kept, removed


def extract(completion: str) -> str | None:
    found = ANSWER.findall(completion)
    return found[-1] if found else None


class Reward:
    """1 where the task's own Reasoning Gym verifier scores 1, else 0; remembers verdicts."""

    def __init__(self) -> None:
        self._verdicts = lru_cache(maxsize=1_000_000)(self._verify)
        self._entries: dict[str, TrainProblem] = {}
        self.refused = 0

    def __call__(self, problem: TrainProblem, completion: str) -> float:
        answer = extract(completion)
        if answer is None:
            return 0.0
        self._entries[problem.question] = problem
        return self._verdicts(problem.question, answer)

    def _verify(self, question: str, answer: str) -> float:
        if not HARMLESS.fullmatch(answer) or "**" in answer or "//" in answer:
            self.refused += 1
            return 0.0
        problem = self._entries[question]
        return float(problem.dataset.score_answer(answer, problem.entry) >= 1.0)

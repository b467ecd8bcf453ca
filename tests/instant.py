"""An engine that draws at once, for tests of what is around an engine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rlvr_fast.sampling import Completion, Request, SamplingParameters
from rlvr_fast.tasks import Problem


class Instant:
    """Gives each draw a text that follows from its seed, and ends in a digit in a box."""

    name, version, model, revision = "instant", "1", "org/none", "1"
    notes: Sequence[str] = ("no model",)
    context_length, vocab_size, chat_template = None, 1000, None

    def __init__(self, *, wait: float = 0.0, characters: int = 20) -> None:
        self.wait, self.characters = wait, characters

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        del special_tokens
        return [[1 + len(prompt) % 7, 2, 3] for prompt in prompts]

    def render_chat(self, question: str) -> str:
        raise NotImplementedError(question)

    def generate(
        self, requests: Iterable[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        del parameters
        for request in requests:
            for index, seed in zip(request.sample_indices, request.seeds, strict=True):
                if self.wait:
                    time.sleep(self.wait)
                yield self.completion(request.problem_id, int(index), int(seed))

    def completion(self, problem_id: str, index: int, seed: int) -> Completion:
        digits = hashlib.shake_128(str(seed).encode()).hexdigest(self.characters // 2)
        text = f"{digits} \\boxed{{{seed % 10}}}"
        return Completion(problem_id, index, text, [seed % 997, seed % 991, 5], "stop", seed)


class Questions:
    """A task of some questions."""

    name = "questions"
    spec = "questions:"
    domain = "questions"

    def __init__(self, count: int = 3) -> None:
        self.count = count

    def problems(self) -> list[Problem]:
        return [
            Problem(
                problem_id=f"questions/{i}",
                task=self.name,
                question=f"What is {i}?",
                gold=str(i),
                metadata={"index": i},
            )
            for i in range(self.count)
        ]


def rows_of(run: Any) -> dict[tuple[str, int], dict[str, Any]]:
    """The samples of a run by their keys; none comes twice."""
    table = run.read("samples").to_pylist()
    found = {(row["problem_id"], row["sample_index"]): row for row in table}
    assert len(found) == len(table)
    return found

"""An engine without a model: says the number that the prompt asks for, or the next one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rlvr_fast.sampling import Completion, EngineKind, Request, SamplingParameters


class ToyEngine:
    name = "toy"
    version = "1.5"
    notes = ("counts",)
    context_length = None
    vocab_size = 256
    chat_template = None

    def __init__(self, model: str, *, revision: str | None = None, step: int = 1) -> None:
        self.model = model
        self.revision = revision
        self.step = step

    def render_chat(self, question: str) -> str:
        return question

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        return [list(prompt.encode()) for prompt in prompts]

    def generate(
        self, requests: Iterable[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        for request in requests:
            number = int(re.search(r"\d+", bytes(request.prompt_token_ids).decode())[0])
            for index, seed in zip(request.sample_indices, request.seeds, strict=True):
                text = f"I say \\boxed{{{number + self.step * (int(index) % 2)}}}"
                ids = list(text.encode())
                yield Completion(request.problem_id, int(index), text, ids, "stop", int(seed))


ENGINE = EngineKind(
    name="toy",
    help="counts, without a model",
    load=ToyEngine,
    arguments=("step",),
    packages=("toy-rlvr",),
)

"""What draws completions: requests, completions, and the protocol of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["Completion", "Engine", "Request", "SamplingParameters", "load_engine"]


class Request(NamedTuple):
    """Draws wanted of one problem; one seed for each sample index."""

    problem_id: str
    prompt_token_ids: Sequence[int]
    sample_indices: npt.NDArray[np.int64]
    seeds: npt.NDArray[np.int64]

    def share(self, number: int, of: int) -> Request:
        """Every `of`-th draw, beginning with the one at `number`."""
        return self._replace(
            sample_indices=self.sample_indices[number::of], seeds=self.seeds[number::of]
        )


class Completion(NamedTuple):
    """One finished draw.

    `token_ids` are exactly the tokens drawn, with the end-of-sequence token where there was one;
    `text` is without it. `finish_reason` is "length" when max_tokens or the model's context ended
    the completion. `seed` is None where the engine could not be seeded draw by draw.
    """

    problem_id: str
    sample_index: int
    text: str
    token_ids: list[int]
    finish_reason: Literal["stop", "length"]
    seed: int | None


class Engine(Protocol):
    """A model that draws completions.

    `model`, `revision` say what is loaded (a revision "sha256:..." is a digest of local weights),
    `notes` what about this engine a reader of its draws should know. `context_length` counts prompt
    and completion; `vocab_size` bounds token ids.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def context_length(self) -> int | None: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def chat_template(self) -> str | None: ...

    def render_chat(self, question: str) -> str:
        """The prompt text of `question` as the user's turn of the model's chat template."""
        ...

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt; `special_tokens` adds those that begin a text."""
        ...

    def generate(
        self, requests: Iterable[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished, in any order."""
        ...


def load_engine(name: str, model: str, *, revision: str | None = None, **options: Any) -> Engine:
    """Loads `model` (a folder, a Hugging Face name, a .gguf file) into the engine `name`.

    Args:
        name: "transformers", which runs wherever torch does, or "vllm" (extra `vllm`).
        model, revision: what to load.
        options: `device`, `dtype`, `batch_size` for transformers; keyword arguments of vllm.LLM for
            vllm.

    Raises:
        InvalidInputError: no such engine or model.
        MissingDependencyError: the engine's package is not installed.
    """
    if name == "transformers":
        from rlvr_fast.sampling.transformers_engine import TransformersEngine

        return TransformersEngine(model, revision=revision, **options)
    if name == "vllm":
        from rlvr_fast.sampling.vllm_engine import VllmEngine

        return VllmEngine(model, revision=revision, **options)
    raise InvalidInputError(f"expected the engine 'transformers' or 'vllm', got {name!r}")

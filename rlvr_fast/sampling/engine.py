"""What draws completions: parameters, requests, completions, and the protocol of an engine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError

__all__ = ["Completion", "Engine", "Request", "SamplingParameters", "load_engine"]


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """How completions are drawn; the defaults are those of both papers.

    Attributes:
        temperature: divides the logits; 0 takes the most likely token always.
        top_p: draw among the smallest set of most likely tokens that has at least this mass.
        max_tokens: longest completion; a model's context may end it earlier.
        seed: changes every draw.
        stop: texts that end a completion, and are not part of it, besides the model's own
            end-of-sequence tokens.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 16384
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def number(value: Any) -> bool:
            return isinstance(value, int | float) and not isinstance(value, bool)

        if not number(self.temperature) or not 0 <= self.temperature < math.inf:
            raise InvalidInputError(f"expected a temperature >= 0, got {self.temperature!r}")
        if not number(self.top_p) or not 0 < self.top_p <= 1:
            raise InvalidInputError(f"expected 0 < top_p <= 1, got {self.top_p!r}")
        for name in ("max_tokens", "seed"):
            if type(getattr(self, name)) is not int:
                raise InvalidInputError(f"expected an integer {name}, got {getattr(self, name)!r}")
        if self.max_tokens < 1:
            raise InvalidInputError(f"expected max_tokens >= 1, got {self.max_tokens}")
        if isinstance(self.stop, str) or not all(isinstance(s, str) and s for s in self.stop):
            raise InvalidInputError(f"expected a sequence of stop texts, got {self.stop!r}")
        # One value has one spelling in run.json, and so one hash: 1 and 1.0 are the same.
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "top_p", float(self.top_p))
        object.__setattr__(self, "stop", tuple(self.stop))

    def to_json(self) -> dict[str, Any]:
        """The object "sampling" of run.json."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop),
        }


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

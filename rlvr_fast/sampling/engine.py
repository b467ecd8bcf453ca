"""Requests, completions, and the protocol of an engine, which draws completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS, SamplingParameters

if TYPE_CHECKING:  # the command line reads the registry of engines, and has no use for numpy
    import numpy as np
    import numpy.typing as npt

    from rlvr_fast.adapters import Adapter

__all__ = [
    "AdaptedEngine",
    "Completion",
    "Engine",
    "EngineKind",
    "LogprobEngine",
    "PromptForm",
    "Request",
    "close_engine",
]

# What an engine is given of a prompt: its token ids; its text, where no tokenizer is known; or
# the messages of a chat, whose template is the engine's own.
PromptForm = Literal["tokens", "text", "messages"]


class Request(NamedTuple):
    """The requested draws of one problem.

    Attributes:
        problem_id: the problem.
        prompt_token_ids: its prompt; empty where the ids are not known, which only an engine that
            takes texts or messages meets.
        sample_indices: int64, one a draw; `int(...)` of one goes into its `Completion`.
        seeds: int64, one a draw, from 0 to 2**63 - 1. A library that takes smaller seeds needs
            them reduced; `Completion.seed` is still the one given here.
        prompt: the text of the prompt; the JSON of its messages where the engine takes messages.
    """

    problem_id: str
    prompt_token_ids: Sequence[int]
    sample_indices: npt.NDArray[np.int64]
    seeds: npt.NDArray[np.int64]
    prompt: str = ""

    def share(self, number: int, of: int) -> Request:
        """Every `of`-th draw, beginning with the one at `number`."""
        return self._replace(
            sample_indices=self.sample_indices[number::of], seeds=self.seeds[number::of]
        )


class Completion(NamedTuple):
    """One finished draw.

    Attributes:
        problem_id: the problem.
        sample_index: number of the draw.
        text: the completion, without an end-of-sequence token, the token of `stop_token_ids` that
            ended it, or a stop text.
        token_ids: exactly the tokens drawn, with the end-of-sequence token where there was one, and
            with the tokens that hold the stop text, which `text` leaves out. None where the engine
            does not tell them, as some servers.
        finish_reason: "length" where max_tokens or the model's context ended the completion.
        seed: seed of the draw; None where the engine cannot seed each draw.
        token_logprobs: the log-probability of each token drawn, nats; None where it was not asked
            for.
    """

    problem_id: str
    sample_index: int
    text: str
    token_ids: list[int] | None
    finish_reason: Literal["stop", "length"]
    seed: int | None
    token_logprobs: list[float] | None = None


class Engine(Protocol):
    """A model that draws completions. `rlvr_fast.sampling.engines` loads one.

    Further attributes are read where an engine has them: `prompt_form` (a `PromptForm`, "tokens" by
    default); `told`, sentences on the draws of the last `generate`, for the user; `adapter`, the
    `Adapter` that it draws with, None for the model itself; `recorded`, a mapping of arguments that
    the user gave to values of JSON, which run.json holds; `render_messages(messages, arguments)`,
    the prompt text of several turns (see `TokenizerPrompts`), without which system messages and
    arguments of the template are refused; and the method `close()`, which ends
    processes and frees the memory of the model (see `close_engine`).
    """

    @property
    def name(self) -> str:
        """The engine's name in its registry."""
        ...

    @property
    def version(self) -> str:
        """The version of the engine's library."""
        ...

    @property
    def model(self) -> str:
        """The loaded model: a folder, a file or a Hugging Face name."""
        ...

    @property
    def revision(self) -> str | None:
        """The loaded revision; "sha256:..." is a digest of local weights."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Properties of the engine that matter to a reader of the draws (dtype, device)."""
        ...

    @property
    def context_length(self) -> int | None:
        """Most tokens of prompt and completion together, None if there is no limit."""
        ...

    @property
    def vocab_size(self) -> int:
        """Token ids are below this number."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The source of the model's chat template, None if it has none."""
        ...

    def render_chat(self, question: str) -> str:
        """The prompt text of `question` as the user's turn of the model's chat template."""
        ...

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt; `special_tokens` adds those that begin a text."""
        ...

    def generate(
        self, requests: Iterable[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished, in any order.

        A draw should depend on the model, the parameters, the prompt and its own seed only. The
        engine itself ends a completion at `parameters.stop`, and cuts `text` there.

        The stage stores what was yielded. When it ends early, Ctrl-C included, it calls `close()`
        of the iterator, if there is one: a generator ends its threads and requests in a `finally`,
        and catches neither KeyboardInterrupt nor GeneratorExit without raising it again.

        Args:
            requests: can be read once, and only in the thread that reads the completions.
            parameters: how to draw.
        """
        ...


class LogprobEngine(Engine, Protocol):
    """An engine that also gives the log-probability of each token; see `EngineKind.logprobs`."""

    def generate(
        self,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        logprobs: bool = False,
    ) -> Iterator[Completion]:
        """As `Engine.generate`; `logprobs` asks for `Completion.token_logprobs`."""
        ...


class AdaptedEngine(Engine, Protocol):
    """An engine that draws with adapters on one loaded model; see `EngineKind.adapters`."""

    @property
    def adapter(self) -> Adapter | None:
        """The adapter that this view draws with; None for the model itself."""
        ...

    def adapted(self, adapter: Adapter | None) -> Engine:
        """A view of the same loaded model that draws with `adapter`, which it was loaded for.

        Draws of None are those of the model without any adapter. The views share the model: one of
        them draws at a time, and `close()` of any of them closes all.

        Raises:
            InvalidInputError: an adapter that the model was not loaded for.
        """
        ...


def close_engine(engine: Engine) -> None:
    """Ends the processes of an engine and frees its memory, where it has a method `close()`.

    Called once, after the last draw; an engine that is closed does not draw again.
    """
    close = getattr(engine, "close", None)
    if close is not None:
        close()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """An engine as the registry knows it, before anything is loaded.

    Attributes:
        name: how users ask for the engine.
        help: one line on what the engine is for and what it cannot do, for the command line.
        load: `load(model, *, revision, **arguments)` loads a model. A value given by the user has
            the type that YAML gives it; `load` checks it and raises InvalidInputError.
        arguments: the names of the further arguments that `load` takes; names that are not there
            are refused before `load` is called. None where the engine's library has arguments of
            its own and checks them itself. A run records those of `recorded` of the engine, if
            it has that, and `notes` names what changes draws.
        parameters: the sampling parameters that the engine honours. Others are refused, where they
            differ from their default, before anything is loaded.
        packages: the packages whose versions a run records.
        extra: the extra of rlvr-fast that installs what the engine needs beyond rlvr-fast itself.
        logprobs: whether the engine is a `LogprobEngine`. Where it has the choice, it gives the
            log-probabilities of the model itself: before temperature, top-p and penalties.
        adapters: whether the engine is an `AdaptedEngine`, and `load` takes the keyword argument
            `adapters`: a sequence of all `Adapter`s that the loaded model will draw with, which
            `load_engine` has compared with the base model.
        check: `check(model, *, adapters, **arguments)` raises what `load` would raise of arguments,
            adapters and the kind of model, and loads nothing; None where that is known to nobody
            but `load`.
        from_files: whether `load` reads the model itself, from a folder, a .gguf file or a hub, so
            that a study can look at its files first.
    """

    name: str
    help: str
    load: Callable[..., Engine]
    arguments: tuple[str, ...] | None = ()
    parameters: tuple[str, ...] = ORIGINAL_PARAMETERS
    packages: tuple[str, ...] = ()
    extra: str | None = None
    logprobs: bool = False
    adapters: bool = False
    check: Callable[..., None] | None = None
    from_files: bool = False

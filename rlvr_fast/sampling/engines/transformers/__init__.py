"""The embedded default engine: any causal language model of transformers, on CPU or GPU."""

from __future__ import annotations

from typing import Any

from rlvr_fast.sampling.engine import Engine, EngineKind
from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ENGINE"]


def _load(model: str, **arguments: Any) -> Engine:
    from rlvr_fast.sampling.engines.transformers.engine import TransformersEngine

    return TransformersEngine(model, **arguments)


def _check(model: str, *, revision: str | None = None, **arguments: Any) -> None:
    from rlvr_fast.sampling.engines.transformers.engine import check_values

    check_values(**arguments)


ENGINE = EngineKind(
    name="transformers",
    help="runs wherever torch does; needs a model with a key-value cache",
    load=_load,
    check=_check,
    arguments=("device", "dtype", "batch_size"),
    parameters=(*ORIGINAL_PARAMETERS, *SAMPLING_DEFAULTS),
    from_files=True,
    packages=("torch", "transformers", "gguf", "peft"),
    logprobs=True,
    adapters=True,
)

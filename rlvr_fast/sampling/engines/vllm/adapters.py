"""Adapters in vLLM: what it is told of them, and what it would leave out without a word."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlvr_fast.adapted_models import other_weight, same_weight
from rlvr_fast.adapter_files import MERGE, WEIGHTS, adapter_factors
from rlvr_fast.adapters import Adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.model_files import read_object
from rlvr_fast.models import model_file, model_layers
from rlvr_fast.sampling.engines.vllm.package import Package

__all__ = ["check_whole_weights", "lora_arguments"]

_WEIGHTS_OF_MODEL = "model.safetensors"


def lora_arguments(
    adapters: Sequence[Adapter], given: Mapping[str, Any], package: Package
) -> dict[str, Any]:
    """The arguments of an engine that draws with adapters.

    Args:
        adapters: at least one.
        given: the arguments that the user gave, which stand.
        package: vLLM.

    Raises:
        InvalidInputError: an adapter has a larger rank than vLLM or the user allows.
    """
    rank = given.get("max_lora_rank") or _rank(adapters, package)
    for adapter in adapters:
        if adapter.rank > rank:
            raise InvalidInputError(
                f"{adapter.path}: its rank is {adapter.rank}, but max_lora_rank is {rank}; leave "
                "the argument out"
            )
    loras = given.get("max_loras") or len(adapters)
    # All stay in memory: vLLM would read one that it let go from its folder again.
    made = {"max_loras": loras, "max_lora_rank": rank, "max_cpu_loras": max(loras, len(adapters))}
    return {**made, **given, "enable_lora": True}


def _rank(adapters: Iterable[Adapter], package: Package) -> int:
    """The smallest rank of those that vLLM has room for which holds all adapters."""
    (hint,) = (
        each.type
        for each in dataclasses.fields(package.AsyncEngineArgs)
        if each.name == "max_lora_rank"
    )
    ranks = sorted(rank for rank in typing.get_args(hint) if isinstance(rank, int))
    largest = max(adapters, key=lambda adapter: adapter.rank)
    if ranks and largest.rank > ranks[-1]:
        raise InvalidInputError(
            f"{largest.path}: its rank is {largest.rank}, but vLLM {package.version} takes at "
            f"most {ranks[-1]}; use --engine transformers"
        )
    return next((rank for rank in ranks if rank >= largest.rank), largest.rank)


def check_whole_weights(adapter: Adapter, model: str, revision: str | None) -> None:
    """Refuses an adapter that holds other weights of the embedding or LM head than its base model.

    vLLM leaves out such weights beside the factors, whatever they are.

    Raises:
        InvalidInputError: another weight, or one that cannot be compared.
    """
    from safetensors import safe_open

    _, whole = adapter_factors(adapter.path)
    if not whole:
        return
    layers = model_layers(model, revision)
    for name, (module, shape) in whole.items():
        # A head without a weight of its own has that of an embedding.
        tied = [key for key, layer in layers.items() if layer.embedding and layer.shape == shape]
        weight = next(
            (
                found
                for key in (module, *tied)
                if (found := _stored(model, revision, key)) is not None
            ),
            None,
        )
        if weight is None:
            raise InvalidInputError(
                f"{adapter.path / WEIGHTS}: holds the whole weight of {module}, which vLLM leaves "
                f"out, and the files of {model} have none of that name to compare it with; use "
                f"--engine transformers, or {MERGE}"
            )
        with safe_open(adapter.path / WEIGHTS, framework="pt") as weights:
            if not same_weight(weights.get_tensor(name), weight):
                raise InvalidInputError(other_weight(adapter, module))


def _stored(model: str, revision: str | None, module: str) -> Any:
    """The weight of a module in the files of a model, a torch tensor; None where it is not."""
    from safetensors import safe_open

    key, name = f"{module}.weight", _WEIGHTS_OF_MODEL
    if (index := model_file(model, f"{name}.index.json", revision)) is not None:
        name = read_object(index).get("weight_map", {}).get(key)
    file = None if name is None else model_file(model, name, revision)
    if file is None:
        return None
    with safe_open(file, framework="pt") as weights:
        return weights.get_tensor(key) if key in weights.keys() else None  # noqa: SIM118

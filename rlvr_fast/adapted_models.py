"""Adapters on a loaded model of transformers, by peft.

peft puts a layer of its own around each module that an adapter changes: y = W x + scale * B (A x).
With no adapter in use such a layer calls the base layer alone, so that the model computes what it
does without peft, bit for bit.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from rlvr_fast.adapter_files import (
    MERGE,
    WEIGHTS,
    Factors,
    Whole,
    adapter_config,
    adapter_factors,
)
from rlvr_fast.adapters import Adapter, check_unchanged
from rlvr_fast.errors import InvalidInputError, MissingDependencyError, install_hint
from rlvr_fast.shown_text import terminal

__all__ = ["AdaptedModel", "check_peft", "other_weight", "same_weight"]


def check_peft() -> None:
    """Asks for the package peft, before a model is loaded.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import peft  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            f"an adapter needs the packages peft and accelerate; {install_hint('adapter')}"
        ) from None


class AdaptedModel:
    """A loaded model with the layers of adapters; it computes with at most one adapter at a time.

    The factors are float32, whatever the type of the model, as peft keeps them.

    Args:
        model: a model of transformers, which is changed in place.
        adapters: checked by `check_adapter` against the model.

    Raises:
        InvalidInputError: whole weights in the file of an adapter that differ from those of the
            model, or an adapter that was changed since it was read.
        MissingDependencyError: peft is not installed.
    """

    def __init__(self, model: Any, adapters: Sequence[Adapter]) -> None:
        check_peft()
        self.model = model
        self.adapters = {adapter.sha256: adapter for adapter in adapters}
        self._lock = threading.Lock()
        self._drawing = 0
        self._used: str | None = None
        for name, adapter in self.adapters.items():
            _attach(model, adapter, name)
        from peft.tuners.tuners_utils import BaseTunerLayer

        self._layers = [each for each in model.modules() if isinstance(each, BaseTunerLayer)]
        self.use(None)

    def use(self, adapter: Adapter | None) -> None:
        """Has the model compute with an adapter; None is the model itself.

        Raises:
            InvalidInputError: an adapter that was not attached.
        """
        if adapter is not None and adapter.sha256 not in self.adapters:
            raise InvalidInputError(
                f"{adapter.path}: the model was loaded without this adapter; name all adapters "
                "when it is loaded"
            )
        self._used = None if adapter is None else adapter.sha256
        for layer in self._layers:
            if adapter is not None:
                layer.set_adapter(adapter.sha256)
            layer.enable_adapters(adapter is not None)
            layer.requires_grad_(False)

    @contextlib.contextmanager
    def used(self, adapter: Adapter | None) -> Iterator[None]:
        """A context in which the model computes with an adapter.

        Raises:
            InvalidInputError: as `use`; or the model computes with another one at the moment.
        """
        name = None if adapter is None else adapter.sha256
        with self._lock:
            if self._drawing and self._used != name:
                raise InvalidInputError(
                    "a loaded model draws with one adapter at a time: finish the draws of one "
                    "before those of another"
                )
            if self._used != name:
                self.use(adapter)
            self._drawing += 1
        try:
            yield
        finally:
            with self._lock:
                self._drawing -= 1

    def merge_head(self) -> None:
        """Puts a plain layer with the adapter's change in place of an adapted LM head.

        A head whose weight is that of the embedding gets a weight of its own.
        """
        from peft.tuners.tuners_utils import BaseTunerLayer

        head = self.model.get_output_embeddings()
        if self._used is None or not isinstance(head, BaseTunerLayer):
            return
        base = head.get_base_layer()
        weight = base.weight.detach()
        if self._used in head.lora_A:
            weight = (weight.float() + head.get_delta_weight(self._used).float()).to(weight.dtype)
        merged = torch.nn.Linear(
            weight.shape[1], weight.shape[0], bias=base.bias is not None, device="meta"
        )
        merged.weight = torch.nn.Parameter(weight, requires_grad=False)
        merged.bias = base.bias
        self.model.set_output_embeddings(merged)


def _attach(model: Any, adapter: Adapter, name: str) -> None:
    """Puts layers of peft around the modules of an adapter, and the adapter's factors into them."""
    import peft
    from safetensors.torch import load_file

    config = adapter_config(adapter.path)
    factors, whole = adapter_factors(adapter.path)
    path = adapter.path / WEIGHTS
    try:
        tensors = load_file(path)
    except Exception as error:  # of a library in Rust
        raise InvalidInputError(
            f"{path}: not a readable file of safetensors ({terminal(str(error), 200)})"
        ) from None
    _check_whole(model, adapter, whole, tensors)
    lora = peft.LoraConfig(
        r=config.rank,
        # The scale alone counts.
        lora_alpha=config.alpha,
        use_rslora=config.root_scale,
        target_modules=list(factors),  # whole names: no patterns of a stranger
        lora_dropout=0.0,
    )
    with warnings.catch_warnings():
        # On tied weights, which are not merged, and on Conv1D, which peft finds by itself.
        warnings.simplefilter("ignore")
        peft.inject_adapter_in_model(lora, model, name, low_cpu_mem_usage=True)
    for module, each in factors.items():
        _fill(model.get_submodule(module), name, each, tensors)
    check_unchanged(adapter)


def _fill(layer: Any, name: str, factors: Factors, tensors: dict[str, torch.Tensor]) -> None:
    places = (
        (layer.lora_embedding_A, layer.lora_embedding_B)
        if factors.embedding
        else (layer.lora_A, layer.lora_B)
    )
    device = layer.get_base_layer().weight.device
    for place, key in zip(places, factors.names, strict=True):
        parameter = torch.nn.Parameter(tensors[key].to(device, torch.float32), requires_grad=False)
        if factors.embedding:
            place[name] = parameter
        else:
            place[name].weight = parameter


def _check_whole(
    model: Any,
    adapter: Adapter,
    whole: Mapping[str, Whole],
    tensors: dict[str, torch.Tensor],
) -> None:
    """Refuses weights beside the factors that are not those of the model.

    peft stores the weights of embedding and LM head where an adapter changes them, in the type in
    which the model was trained.
    """
    for name, (module, _) in whole.items():
        own = model.get_submodule(module)
        if not same_weight(tensors[name], getattr(own, "base_layer", own).weight):
            raise InvalidInputError(other_weight(adapter, module))


def same_weight(stored: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether two weights are one, of which each may have been rounded to the type of the other."""
    stored = stored.to(weight.device)
    same: bool = torch.equal(stored.to(weight.dtype), weight)
    return same or bool(torch.equal(stored, weight.to(stored.dtype)))


def other_weight(adapter: Adapter, module: str) -> str:
    """The message on an adapter that holds another weight of a module than its base model."""
    return (
        f"{adapter.path / WEIGHTS}: holds another weight of {module} than the base model: the "
        f"adapter was trained on another model, or trained this weight as a whole; {MERGE}"
    )

"""The one place that chooses the implementation of a scoring function.

A backend is a module with the functions of `DeviceBackend`, for the tensors of one platform. A new
backend is one such module and one line in `MODULES`.

Under `torch.compile` the functions of `operators` take the place of the device's backend: the
compiler must not look inside. The operators ask `device_backend` when they run.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import operators
from rlvr_fast.scoring.results import DivergenceStats, NucleusStats, TokenStats

__all__ = ["MODULES", "Backend", "DeviceBackend", "backend_of", "device_backend", "platform_of"]

# platform -> the module of its backend, imported on first use
MODULES = {
    "cpu": "rlvr_fast.scoring.kernels.cpu",
    "cuda": "rlvr_fast.scoring.kernels.cuda",
}


class Backend(Protocol):
    """The scoring functions of checked tensors.

    The arguments are those of the public functions after their checks: tensors on one device,
    int64 targets, `temperature` as a float or as a float32 tensor with one value for each row.
    """

    def token_stats(
        self, logits: torch.Tensor, targets: torch.Tensor, temperature: Any, softcap: float | None
    ) -> TokenStats:
        """`rlvr_fast.token_stats`."""

    def linear_token_stats(
        self,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        bias: torch.Tensor | None,
        temperature: Any,
        softcap: float | None,
        scale: float,
    ) -> TokenStats:
        """`rlvr_fast.linear_token_stats`."""

    def linear_divergence(
        self,
        hidden_p: torch.Tensor,
        weight_p: torch.Tensor,
        hidden_q: torch.Tensor,
        weight_q: torch.Tensor,
        targets: torch.Tensor | None,
        temperature: Any,
    ) -> DivergenceStats:
        """`rlvr_fast.linear_divergence`."""

    def nucleus_stats(
        self,
        logits: torch.Tensor,
        targets: torch.Tensor,
        temperature: Any,
        softcap: float | None,
        top_p: float,
        top_k: int = 0,
        min_p: float = 0.0,
    ) -> NucleusStats:
        """`rlvr_fast.nucleus_stats`."""


class DeviceBackend(Backend, Protocol):
    """The backend of a platform."""

    def linear_token_stats_each(
        self,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        bias: torch.Tensor | None,
        temperatures: Sequence[Any],
        softcap: float | None,
        scale: float,
    ) -> list[TokenStats]:
        """`rlvr_fast.scoring.kernels.linear.linear_token_stats_each`."""

    def linear_kept_mass(
        self,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        temperature: float,
        softcap: float | None,
        scale: float,
        top_p: float,
    ) -> torch.Tensor:
        """`rlvr_fast.scoring.kernels.nucleus.linear_kept_mass`."""


def backend_of(tensor: torch.Tensor, name: str) -> Backend:
    """The implementation for `tensor`, where the call is made from.

    Args:
        tensor: the logits or the hidden states.
        name: the name of the argument, for the error.

    Returns:
        The torch operators under `torch.compile`, else the backend of the tensor's device.

    Raises:
        InvalidInputError: the device has no backend.
    """
    if torch.compiler.is_compiling():
        return operators
    return device_backend(tensor, name)


def device_backend(tensor: torch.Tensor, name: str) -> DeviceBackend:
    """The backend of the device of `tensor`, in compiled code as well.

    Raises:
        InvalidInputError: the device has no backend.
    """
    module = MODULES.get(platform_of(tensor.device))
    if module is None:
        raise InvalidInputError(
            f"{name} must lie on one of {', '.join(MODULES)}, not on {tensor.device}: "
            "no other device has a scoring backend"
        )
    return _loaded(module)


@functools.cache
def _loaded(module: str) -> DeviceBackend:
    return cast(DeviceBackend, importlib.import_module(module))


def platform_of(device: torch.device) -> str:
    """The key of `device` in `MODULES`: the device's type, or "rocm" where torch was built for AMD.

    torch calls AMD's GPUs "cuda" too.
    """
    kind = device.type
    return "rocm" if kind == "cuda" and torch.version.hip else kind


operators.register(device_backend)

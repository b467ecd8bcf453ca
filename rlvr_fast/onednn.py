"""Float32 matrix products on the CPU by oneDNN.

PyTorch computes float32 products with MKL, which does not use AVX-512 on AMD's processors: oneDNN
takes half the time there (bench/README.md, scoring completions). oneDNN also adds over the inner
dimension in one order for any number of rows from two on, so that the bits of a row do not depend
on the batch. PyTorch's switch to oneDNN exists for lower precision only. This file calls the
operator that torch.compile uses, which computes in float32 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["OneDnnLinears", "is_available", "linear"]


def _operator() -> Callable[..., torch.Tensor] | None:
    """The operator, or None where torch has no oneDNN or another signature of the operator."""
    if not torch.backends.mkldnn.is_available():
        return None
    try:
        found = torch.ops.mkldnn._linear_pointwise.default
        found(torch.ones(2, 2), torch.ones(2, 2), None, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return None
    return found  # type: ignore[no-any-return]


_LINEAR = _operator()


def is_available() -> bool:
    """Whether `linear` uses oneDNN; without oneDNN, `linear` is torch's own."""
    return _LINEAR is not None


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Computes x weight^T + bias of float32 CPU tensors, without gradients.

    Args:
        x: [..., H].
        weight: [V, H].
        bias: [V], or None.

    Returns:
        float32 [..., V], summed in float32.
    """
    if _LINEAR is None or x.numel() == 0 or weight.numel() == 0:
        return torch.nn.functional.linear(x, weight, bias)
    return _LINEAR(x, weight, bias, "none", [], "")


class OneDnnLinears(TorchFunctionMode):  # type: ignore[misc]
    """A context in which every float32 linear layer on the CPU calls `linear`.

    Layers of another type or device, and calls that record gradients, are torch's own.

    >>> import torch
    >>> with OneDnnLinears(), torch.inference_mode():
    ...     torch.nn.Linear(2, 3)(torch.ones(4, 2)).shape
    torch.Size([4, 3])
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.nn.functional.linear and not torch.is_grad_enabled():
            x, weight, bias = _operands(*args, **(kwargs or {}))
            if x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu":
                return linear(x, weight, bias)
        return func(*args, **(kwargs or {}))


def _operands(
    input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    return input, weight, bias

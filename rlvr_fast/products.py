"""Float32 matrix products on the CPU by oneDNN.

PyTorch gives float32 products to MKL, which leaves AVX-512 alone on AMD's processors: oneDNN takes
half its time there (bench/README.md, scoring completions). It also adds over the inner dimension in
one order whatever the number of rows (two or more), so that a row's bits do not depend on its
batch. PyTorch's own switch to oneDNN exists for lower precision alone; the operator below is the
one that torch.compile uses, and it keeps float32 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["OneDnnLinears", "linear"]


def _operator() -> Callable[..., torch.Tensor] | None:
    """None where torch was built without oneDNN, or where the operator is not as we know it."""
    if not torch.backends.mkldnn.is_available():
        return None
    try:
        found = torch.ops.mkldnn._linear_pointwise.default
        found(torch.ones(2, 2), torch.ones(2, 2), None, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return None
    return found  # type: ignore[no-any-return]


_LINEAR = _operator()


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """X weight^T + bias of float32 CPU tensors that need no gradient: [..., H] x [V, H]."""
    if _LINEAR is None or x.numel() == 0 or weight.numel() == 0:
        return torch.nn.functional.linear(x, weight, bias)
    return _LINEAR(x, weight, bias, "none", [], "")


class OneDnnLinears(TorchFunctionMode):  # type: ignore[misc]
    """A context in which every linear layer of float32 on the CPU is `linear`.

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

"""Checks of the arguments of the scoring functions.

Only `check_target_range` reads the values of a tensor; the others do not make a GPU wait.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import torch

from rlvr_fast.errors import InvalidInputError

__all__ = [
    "IGNORED",
    "LOGIT_DTYPES",
    "check_softcap",
    "check_target_range",
    "check_targets",
    "check_temperature",
    "check_tensor",
    "check_truncation",
    "check_weight",
    "from_numpy",
]

IGNORED = -100
LOGIT_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def check_tensor(name: str, value: Any) -> torch.Tensor:
    """Gives `value` if it is a float32, bfloat16 or float16 tensor of at least one dimension.

    Raises:
        InvalidInputError: another type, or a scalar; `name` is the argument in the message.
    """
    if not isinstance(value, torch.Tensor):
        raise InvalidInputError(f"{name} must be a torch tensor, got {type(value).__name__}")
    if value.dtype not in LOGIT_DTYPES:
        raise InvalidInputError(
            f"{name} must be float32, bfloat16 or float16, got {value.dtype}; convert it first"
        )
    if value.ndim < 1:
        raise InvalidInputError(f"{name} must have at least one dimension, got a scalar")
    return value.detach()


def check_targets(targets: Any, leading: torch.Size, device: torch.device) -> torch.Tensor:
    """Gives integer targets of shape `leading` on `device`, as int64.

    Raises:
        InvalidInputError: another type, shape or device.
    """
    if not isinstance(targets, torch.Tensor):
        targets = torch.as_tensor(targets)
    if targets.dtype not in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8):
        raise InvalidInputError(f"targets must be integers, got {targets.dtype}")
    if targets.shape != leading:
        raise InvalidInputError(
            f"targets must have the leading shape {tuple(leading)}, got {tuple(targets.shape)}"
        )
    if targets.device != device:
        raise InvalidInputError(f"targets lie on {targets.device}, the logits on {device}")
    return targets.to(torch.int64)


def check_target_range(targets: torch.Tensor, vocabulary: int) -> None:
    """Checks that flat CPU targets are token ids or -100.

    Raises:
        InvalidInputError: a target outside the vocabulary; the message names the row.
    """
    outside = (targets != IGNORED) & ((targets < 0) | (targets >= vocabulary))
    if bool(outside.any()):
        row = int(outside.nonzero()[0])
        raise InvalidInputError(
            f"targets must lie in [0, {vocabulary}) or be -100 (ignored); row {row} holds "
            f"{int(targets[row])}"
        )


def check_temperature(temperature: Any, leading: torch.Size, device: torch.device) -> Any:
    """Gives a positive float, or a float32 tensor of shape `leading` on `device`.

    Raises:
        InvalidInputError: no number, a number that is not positive and finite, or another shape.
    """
    if isinstance(temperature, torch.Tensor) and temperature.ndim == 0:
        if temperature.device.type != "cpu":
            return temperature.to(torch.float32).expand(leading)
        temperature = float(temperature)
    if not isinstance(temperature, torch.Tensor) and getattr(temperature, "shape", None):
        temperature = torch.as_tensor(temperature)
    if isinstance(temperature, torch.Tensor):
        if temperature.shape != leading:
            raise InvalidInputError(
                f"temperature must be one number or one per row, shape {tuple(leading)}, "
                f"got {tuple(temperature.shape)}"
            )
        return temperature.to(device=device, dtype=torch.float32)
    try:
        value = float(temperature)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"temperature must be a number or a tensor of one per row, got {temperature!r}"
        ) from None
    if not (value > 0 and math.isfinite(value)):
        raise InvalidInputError(f"temperature must be positive and finite, got {value}")
    return value


def check_truncation(top_p: Any, top_k: Any, min_p: Any) -> tuple[float, int, float]:
    """Gives top_p in (0, 1], top_k from 0 on and min_p in [0, 1].

    Raises:
        InvalidInputError: another type, or out of range.
    """
    if not (isinstance(top_p, (int, float)) and 0.0 < top_p <= 1.0):
        raise InvalidInputError(f"top_p must be a number in (0, 1], got {top_p!r}")
    if not isinstance(top_k, Integral) or isinstance(top_k, bool) or top_k < 0:
        raise InvalidInputError(f"top_k must be a whole number from 0 on, got {top_k!r}")
    if not (isinstance(min_p, (int, float)) and 0.0 <= min_p <= 1.0):
        raise InvalidInputError(f"min_p must be a number in [0, 1], got {min_p!r}")
    # No vocabulary has more tokens; an operator of torch takes 64 bits.
    return float(top_p), min(int(top_k), 1 << 40), float(min_p)


def check_softcap(softcap: float | None) -> float | None:
    """Gives a positive float, or None.

    Raises:
        InvalidInputError: a number that is not positive and finite.
    """
    if softcap is None:
        return None
    if not (softcap > 0 and math.isfinite(softcap)):
        raise InvalidInputError(f"softcap must be positive, or None for none, got {softcap}")
    return float(softcap)


def check_weight(name: str, weight: Any, hidden: torch.Tensor, hidden_name: str) -> torch.Tensor:
    """Gives `weight` if it is [vocabulary, H] and lies on the device of `hidden` [..., H].

    Raises:
        InvalidInputError: another type, shape or device.
    """
    weight = check_tensor(name, weight)
    if weight.ndim != 2 or weight.shape[1] != hidden.shape[-1]:
        raise InvalidInputError(
            f"{name} must be [vocabulary, {hidden.shape[-1]}] to fit {hidden_name} "
            f"{tuple(hidden.shape)}, got {tuple(weight.shape)}"
        )
    if weight.device != hidden.device:
        raise InvalidInputError(f"{name} lies on {weight.device}, {hidden_name} on {hidden.device}")
    return weight


def from_numpy(value: Any) -> Any:
    """Gives a tensor on the memory of a numpy array, and any other value unchanged."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        return value
    # torch warns of an array that is not writeable, which the scoring functions only read.
    return torch.from_numpy(value if value.flags.writeable else value.copy())

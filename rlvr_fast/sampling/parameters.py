"""How completions are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import InvalidInputError

__all__ = ["SamplingParameters"]


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """How completions are drawn; the defaults are those of both papers.

    Attributes:
        temperature: divides the logits; at 0 each token is the most likely one.
        top_p: draw among the smallest set of most likely tokens whose probability is at least this.
        max_tokens: longest completion; a model's context may end it earlier.
        seed: changes every draw.
        stop: texts that end a completion and are not part of it, besides the model's own
            end-of-sequence tokens.

    Raises:
        InvalidInputError: a value of another type or outside its range.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 16384
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def number(value: Any) -> bool:
            return isinstance(value, int | float) and not isinstance(value, bool)

        if not number(self.temperature) or not 0 <= self.temperature < math.inf:
            raise InvalidInputError(f"expected a temperature >= 0, got {self.temperature!r}")
        if not number(self.top_p) or not 0 < self.top_p <= 1:
            raise InvalidInputError(f"expected 0 < top_p <= 1, got {self.top_p!r}")
        for name in ("max_tokens", "seed"):
            if type(getattr(self, name)) is not int:
                raise InvalidInputError(f"expected an integer {name}, got {getattr(self, name)!r}")
        if self.max_tokens < 1:
            raise InvalidInputError(f"expected max_tokens >= 1, got {self.max_tokens}")
        if isinstance(self.stop, str) or not all(isinstance(s, str) and s for s in self.stop):
            raise InvalidInputError(f"expected a sequence of stop texts, got {self.stop!r}")
        # One value has one spelling in run.json, and so one hash: 1 and 1.0 are the same.
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "top_p", float(self.top_p))
        object.__setattr__(self, "stop", tuple(self.stop))

    def to_json(self) -> dict[str, Any]:
        """The object "sampling" of run.json."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop),
        }

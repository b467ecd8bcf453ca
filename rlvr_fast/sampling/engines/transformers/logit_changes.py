"""What a draw's own tokens change in its logits: penalties, and end tokens that come too early."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["TokenCounts", "mask_end_tokens"]


class TokenCounts:
    """The tokens that prompt and completion of each row of a batch hold.

    Memory: five bytes for each row and token of the vocabulary.
    """

    def __init__(self, rows: int, vocabulary: int, device: torch.device) -> None:
        self._prompt = torch.zeros(rows, vocabulary, dtype=torch.bool, device=device)
        self._drawn = torch.zeros(rows, vocabulary, dtype=torch.int32, device=device)

    def begin(self, rows: torch.Tensor, prompt: Sequence[int]) -> None:
        """Gives `rows` to draws after `prompt`."""
        held = torch.zeros(self._prompt.shape[1], dtype=torch.bool, device=self._prompt.device)
        ids = torch.tensor(list(prompt), device=held.device)
        held[ids[ids < len(held)]] = True
        self._prompt[rows] = held
        self._drawn[rows] = 0

    def add(self, rows: torch.Tensor, tokens: torch.Tensor) -> None:
        """Counts one drawn token of each of `rows`, which are distinct."""
        self._drawn[rows, tokens] += 1

    def keep(self, rows: torch.Tensor) -> None:
        """Drops all rows but these."""
        self._prompt, self._drawn = self._prompt[rows], self._drawn[rows]

    def penalize(
        self, logits: torch.Tensor, rows: torch.Tensor, parameters: SamplingParameters
    ) -> torch.Tensor:
        """The float32 logits of `rows` after the penalties, in the order of vLLM.

        The repetition penalty comes first, for the tokens of prompt and completion; the frequency
        and the presence penalty are for those of the completion alone.
        """
        drawn = self._drawn[rows]
        said = drawn > 0
        if parameters.repetition_penalty != 1:
            held = said | self._prompt[rows]
            factor = parameters.repetition_penalty
            changed = torch.where(logits > 0, logits / factor, logits * factor)
            logits = torch.where(held, changed, logits)
        logits = logits - parameters.frequency_penalty * drawn
        return logits - parameters.presence_penalty * said


def mask_end_tokens(
    logits: torch.Tensor,
    end_tokens: torch.Tensor,
    counts: npt.NDArray[np.int64],
    min_tokens: int,
) -> torch.Tensor:
    """The logits with -inf for `end_tokens` in the rows that have drawn less than `min_tokens`.

    Args:
        logits: [rows, vocabulary].
        end_tokens: token ids; those outside the vocabulary are left out.
        counts: number of tokens drawn in each row.
        min_tokens: see `SamplingParameters`.
    """
    early = np.flatnonzero(counts < min_tokens)
    if not len(early):
        return logits
    inside = end_tokens[(end_tokens >= 0) & (end_tokens < logits.shape[1])]
    rows = torch.from_numpy(early).to(logits.device)
    logits = logits.clone()
    logits[rows[:, None], inside] = -torch.inf
    return logits

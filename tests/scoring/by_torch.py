"""Token statistics by torch's own log_softmax and logsumexp: independent of the reference."""

from __future__ import annotations

import torch

from rlvr_fast.scoring.results import TokenStats


def token_stats(logits: torch.Tensor, targets: torch.Tensor) -> TokenStats:
    """Float64 statistics of logits [rows, V], for rows of finite logits."""
    z = logits.double()
    log_probabilities = torch.log_softmax(z, -1)
    probabilities = log_probabilities.exp()
    chosen = targets[:, None]
    above = z > z.gather(1, chosen)
    return TokenStats(
        logprob=log_probabilities.gather(1, chosen)[:, 0],
        entropy=-(probabilities * log_probabilities).sum(-1),
        logsumexp=torch.logsumexp(z, -1),
        rank=above.sum(-1),
        mass_above=(probabilities * above).sum(-1),
    )

"""Token statistics and divergences by their definitions, in float64."""

from __future__ import annotations

import torch


def logits_of(x, bias=None, scale=1.0, softcap=None, temperature=1.0):
    """(uncapped z, u = what softmax is taken of), float64."""
    z = x.double()
    if bias is not None:
        z = z + bias.double()
    z = z * scale
    u = z
    if softcap is not None:
        u = torch.where(z.isinf(), z, softcap * torch.tanh(z / softcap))
    t = torch.as_tensor(temperature, dtype=torch.float64, device=x.device)
    return z, u / (t[:, None] if t.ndim else t)


def token_stats(x, targets, **options):
    """logprob, entropy, logsumexp, rank, mass_above; float64, for rows with a finite logit."""
    z, u = logits_of(x, **options)
    most = u.max(-1, keepdim=True).values
    # Relative to the largest: beside -1e30 even a float64 does not see log(sum).
    log_p = (u - most) - torch.logsumexp(u - most, -1, keepdim=True)
    p = log_p.exp()
    entropy = torch.where(p > 0, -p * log_p, 0.0).sum(-1)
    above = z > z.gather(-1, targets[:, None])
    logprob = log_p.gather(-1, targets[:, None])[:, 0]
    lse = most[:, 0] + torch.logsumexp(u - most, -1)
    return logprob, entropy, lse, above.sum(-1), torch.where(above, p, 0.0).sum(-1)


def divergence(x_p, x_q, temperature=1.0):
    """kl_pq, kl_qp, entropy_p, entropy_q; float64."""
    log_p = torch.log_softmax(logits_of(x_p, temperature=temperature)[1], -1)
    log_q = torch.log_softmax(logits_of(x_q, temperature=temperature)[1], -1)

    def expected(log_weights, values):
        weights = log_weights.exp()
        return torch.where(weights > 0, weights * values, 0.0).sum(-1)

    return (
        expected(log_p, log_p - log_q), expected(log_q, log_q - log_p),
        -expected(log_p, log_p), -expected(log_q, log_q),
    )  # fmt: skip

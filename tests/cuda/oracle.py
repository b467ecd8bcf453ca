"""The float64 reference under the names of the CUDA tests, whose inputs are logits."""

from __future__ import annotations

from rlvr_fast.scoring.reference import divergence as _divergence
from rlvr_fast.scoring.reference import token_stats

__all__ = ["divergence", "token_stats"]


def divergence(x_p, x_q, temperature=1.0):
    """The fields (kl_pq, kl_qp, entropy_p, entropy_q) of the reference."""
    return _divergence(x_p, x_q, temperature=temperature)[:4]

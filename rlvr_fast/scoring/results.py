"""What the scoring functions return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["DivergenceStats", "SequenceScores", "TokenStats"]


class TokenStats(NamedTuple):
    """Statistics of one token under each row's distribution; all of the shape of the targets.

    Torch tensors on the device of the logits (numpy arrays where the logits were one): float32,
    rank int32; logs in nats. A row that is ignored or undefined holds nan, rank -1.
    """

    logprob: Any  # log p(target), <= 0; -inf where only the target is masked
    entropy: Any  # of the whole distribution, >= 0
    logsumexp: Any  # of the logits over the temperature
    rank: Any  # how many logits are strictly larger; 0 is the most likely token
    mass_above: Any  # probability of the strictly larger ones: mass_above < p is top-p membership


class DivergenceStats(NamedTuple):
    """Divergence of two models at each position, float32, in nats."""

    kl_pq: Any  # KL(p || q) >= 0, inf where q masks what p allows
    kl_qp: Any
    entropy_p: Any
    entropy_q: Any
    logprob_p: Any  # of the targets; nan where there are none
    logprob_q: Any


class SequenceScores(NamedTuple):
    """Teacher-forced scores of completions, in the order in which they were given; numpy arrays.

    An empty completion has num_tokens 0, logprob 0, and mean_entropy and perplexity nan.
    """

    num_tokens: npt.NDArray[np.int32]
    logprob: npt.NDArray[np.float64]  # sum over the completion's tokens, nats
    mean_entropy: npt.NDArray[np.float64]  # over the completion's positions, nats
    perplexity: npt.NDArray[np.float64]  # exp(-logprob / num_tokens)
    num_outside_nucleus: npt.NDArray[np.int32] | None = None  # tokens outside the top-p nucleus
    # With top_p: sum of the logs of the masses that the nuclei keep, nats. Sampling scales a token
    # inside up to p / kept mass, so logprob - log_kept_mass is the completion's log-probability as
    # it is sampled, where no token is outside; else that is -inf.
    log_kept_mass: npt.NDArray[np.float64] | None = None
    token_logprobs: list[npt.NDArray[np.float32]] | None = None
    token_entropies: list[npt.NDArray[np.float32]] | None = None

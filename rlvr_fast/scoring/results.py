"""The result types of the scoring functions. All logarithms are natural: the unit is the nat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["DivergenceStats", "NucleusStats", "SequenceScores", "TokenStats", "Truncation"]


class TokenStats(NamedTuple):
    """Statistics of one target token under the distribution of each row.

    Every field has the shape of the targets: torch tensors on the device of the logits, or numpy
    arrays where the logits were numpy. float32, except `rank` (int32). A row that is ignored or
    undefined holds nan and rank -1.

    Attributes:
        logprob: log p(target), at most 0; -inf where only the target is masked.
        entropy: entropy of the whole distribution, at least 0.
        logsumexp: logsumexp of the logits divided by the temperature.
        rank: number of strictly larger logits; 0 is the most likely token.
        mass_above: probability of the tokens with strictly larger logits: the target is in the
            top-p nucleus where `mass_above < p`.
    """

    logprob: Any
    entropy: Any
    logsumexp: Any
    rank: Any
    mass_above: Any


class NucleusStats(NamedTuple):
    """The target under truncated sampling: float32 tensors of the shape of the targets.

    Attributes:
        logprob: log(p(target) / kept_mass); -inf where the target is outside the nucleus.
        kept_mass: probability of the nucleus under the whole distribution; at least `top_p` of
            what top_k and min_p leave.
    """

    logprob: Any
    kept_mass: Any


class Truncation(NamedTuple):
    """What top_p, top_k and min_p keep of each row: float32 tensors of one shape.

    Attributes:
        kept_mass: probability of the tokens that are drawn among, under the whole distribution.
        left_mass: probability of the tokens that top_k and min_p leave, before top_p.
        largest: the largest probability.
    """

    kept_mass: Any
    left_mass: Any
    largest: Any


class DivergenceStats(NamedTuple):
    """Divergence of two models p and q at each position: float32 tensors, in nats.

    Attributes:
        kl_pq: KL(p || q), at least 0; inf where q masks a token that p allows.
        kl_qp: KL(q || p), likewise.
        entropy_p: entropy of p.
        entropy_q: entropy of q.
        logprob_p: log-prob of the target under p; nan without targets.
        logprob_q: log-prob of the target under q; nan without targets.
    """

    kl_pq: Any
    kl_qp: Any
    entropy_p: Any
    entropy_q: Any
    logprob_p: Any
    logprob_q: Any


class SequenceScores(NamedTuple):
    """Teacher-forced scores of completions, in the order of the input; numpy arrays.

    An empty completion has num_tokens 0 and logprob 0; its mean_entropy and perplexity are nan.

    Attributes:
        num_tokens: number of tokens of the completion.
        logprob: sum over the completion's tokens, nats.
        mean_entropy: mean over the completion's positions, nats.
        perplexity: exp(-logprob / num_tokens).
        num_outside_nucleus: with top_p, top_k or min_p, the number of tokens outside the nucleus:
            those that the sampler leaves out.
        log_kept_mass: with top_p, top_k or min_p, the sum over positions of log(kept_mass), nats.
            The sampler divides the probability of a token in the nucleus by kept_mass. The log-prob
            of the completion under the sampler is therefore logprob - log_kept_mass where no token
            is outside the nucleus, and -inf elsewhere.
        token_logprobs: one array for each completion, on request.
        token_entropies: one array for each completion, on request.
    """

    num_tokens: npt.NDArray[np.int32]
    logprob: npt.NDArray[np.float64]
    mean_entropy: npt.NDArray[np.float64]
    perplexity: npt.NDArray[np.float64]
    num_outside_nucleus: npt.NDArray[np.int32] | None = None
    log_kept_mass: npt.NDArray[np.float64] | None = None
    token_logprobs: list[npt.NDArray[np.float32]] | None = None
    token_entropies: list[npt.NDArray[np.float32]] | None = None

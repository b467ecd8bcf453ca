"""The definitions of the scoring functions in float64: for tests, for benchmarks and for reading.

Each function follows the textbook, not the kernels: the maximum of a row first, then the sums. Only
elementary operations of torch occur (exp, log, sum, sort), no log_softmax: a comparison with
torch's own functions is independent of this file.

Arguments are torch tensors on any device, or numpy arrays, of any real type. The results
are float64 (rank int64): torch tensors on the device of the logits, or numpy arrays where the
logits or hidden states are not a torch tensor. Rows are computed in blocks of `BLOCK_ELEMENTS`
logits. A row is undefined where its temperature is not positive, its target is outside the
vocabulary, or its logits hold nan or +inf or are all -inf; an undefined row gives nan and rank -1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from rlvr_fast.scoring.results import DivergenceStats, NucleusStats, TokenStats

__all__ = [
    "divergence",
    "linear_divergence",
    "linear_logits",
    "linear_token_stats",
    "nucleus_stats",
    "token_stats",
]

BLOCK_ELEMENTS = 1 << 22

_LogitsOf = Callable[[slice], torch.Tensor]  # rows -> their logits, float64 [rows, V]


def token_stats(
    logits: Any,
    targets: Any,
    *,
    bias: Any = None,
    scale: float = 1.0,
    temperature: Any = 1.0,
    softcap: float | None = None,
) -> TokenStats:
    """`rlvr_fast.token_stats` of the logits scale * (logits + bias).

    Args:
        logits: [..., V].
        targets: integers of shape [...].
        bias: [V], or None.
        scale: factor of the logits, before softcap.
        temperature: a number, or one for each row.
        softcap: c of c tanh(z / c), or None.

    Returns:
        TokenStats of shape [...].
    """
    x = _tensor(logits)
    flat = _rows(x)
    add = None if bias is None else _tensor(bias, x.device).double()

    def logits_of(here: slice) -> torch.Tensor:
        return scale * (flat[here].double() if add is None else flat[here].double() + add)

    stats = _token_stats(logits_of, x, x.shape[-1], targets, temperature, softcap)
    return stats if isinstance(logits, torch.Tensor) else TokenStats(*_numpy(stats))


def nucleus_stats(
    logits: Any,
    targets: Any,
    *,
    top_p: float,
    temperature: Any = 1.0,
    softcap: float | None = None,
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats`: the nucleus by sorting, ties in the order of their index.

    Args:
        logits: [..., V].
        targets: integers of shape [...].
        top_p: in (0, 1].
        temperature: a number, or one for each row.
        softcap: c of c tanh(z / c), or None.
        top_k: number of most likely tokens that are left for top_p; 0 is all of them.
        min_p: least probability of a token that is left, as a share of the largest.

    Returns:
        NucleusStats of shape [...].
    """
    x = _tensor(logits)
    rows = _rows(x)
    target = _tensor(targets, x.device).reshape(-1).long()
    each = _each(temperature, x)
    logprob, kept_mass = (_empty(len(target), x) for _ in range(2))
    for here in _blocks(len(target), x.shape[-1]):
        row = _distribution(rows[here].double(), each[here], softcap)
        at, known = _at(target[here], x.shape[-1])
        probabilities, order = row.p.sort(stable=True, dim=-1, descending=True)
        left = probabilities >= min_p * probabilities[:, :1]
        if top_k:
            left &= torch.arange(x.shape[-1], device=x.device) < top_k
        ahead = probabilities.cumsum(-1) - probabilities
        whole = torch.where(left, probabilities, 0.0).sum(-1, keepdim=True)
        kept = left & (ahead < top_p * whole) if top_p < 1 else left
        kept[:, 0] = True
        mass = torch.where(kept, probabilities, 0.0).sum(-1)
        inside = torch.zeros_like(kept).scatter(-1, order, kept).gather(-1, at)[:, 0]
        value = torch.where(inside, row.log_p.gather(-1, at)[:, 0] - mass.log(), -math.inf)
        defined = row.defined & known
        logprob[here] = torch.where(defined, value, math.nan)
        kept_mass[here] = torch.where(defined, mass, math.nan)
    leading = x.shape[:-1]
    stats = NucleusStats(logprob.reshape(leading), kept_mass.reshape(leading))
    return stats if isinstance(logits, torch.Tensor) else NucleusStats(*_numpy(stats))


def divergence(
    logits_p: Any, logits_q: Any, *, targets: Any = None, temperature: Any = 1.0
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` from the logits of both models.

    Args:
        logits_p: [..., V].
        logits_q: [..., V].
        targets: integers of shape [...], or None.
        temperature: of both models, a number or one for each row.

    Returns:
        DivergenceStats of shape [...].
    """
    p = _tensor(logits_p)
    q = _tensor(logits_q, p.device)
    flat_p, flat_q = _rows(p), _rows(q)
    stats = _divergence(
        lambda here: flat_p[here].double(), lambda here: flat_q[here].double(),
        p, p.shape[-1], targets, temperature,
    )  # fmt: skip
    return stats if isinstance(logits_p, torch.Tensor) else DivergenceStats(*_numpy(stats))


def linear_logits(
    hidden: Any, weight: Any, *, bias: Any = None, scale: float = 1.0
) -> torch.Tensor:
    """The logits scale * (hidden weight^T + bias) in float64, from the values as they are stored.

    Args:
        hidden: [..., H].
        weight: [V, H].
        bias: [V], or None.
        scale: factor of the logits.

    Returns:
        A float64 torch tensor [..., V] on the device of `hidden`.
    """
    x = _tensor(hidden).double()
    matrix = _tensor(weight, x.device)
    columns = max(1, BLOCK_ELEMENTS // max(1, matrix.shape[1]))
    parts = [x @ part.double().t() for part in matrix.split(columns)]
    z = torch.cat(parts, -1) if parts else x.new_empty(*x.shape[:-1], 0)
    if bias is not None:
        z = z + _tensor(bias, x.device).double()
    return scale * z


def linear_token_stats(
    hidden: Any,
    weight: Any,
    targets: Any,
    *,
    bias: Any = None,
    temperature: Any = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> TokenStats:
    """`rlvr_fast.linear_token_stats`.

    Args:
        hidden: [..., H].
        weight: [V, H].
        targets: integers of shape [...].
        bias: [V], or None.
        temperature: a number, or one for each row.
        softcap: c of c tanh(z / c), or None.
        scale: factor of the logits, before softcap.

    Returns:
        TokenStats of shape [...].
    """
    x = _tensor(hidden)
    rows = _rows(x)
    stats = _token_stats(
        lambda here: linear_logits(rows[here], weight, bias=bias, scale=scale),
        x, len(weight), targets, temperature, softcap,
    )  # fmt: skip
    return stats if isinstance(hidden, torch.Tensor) else TokenStats(*_numpy(stats))


def linear_divergence(
    hidden_p: Any,
    weight_p: Any,
    hidden_q: Any,
    weight_q: Any,
    *,
    targets: Any = None,
    temperature: Any = 1.0,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence`.

    Args:
        hidden_p: [..., Hp].
        weight_p: [V, Hp].
        hidden_q: [..., Hq].
        weight_q: [V, Hq].
        targets: integers of shape [...], or None.
        temperature: of both models, a number or one for each row.

    Returns:
        DivergenceStats of shape [...].
    """
    p = _tensor(hidden_p)
    q = _tensor(hidden_q, p.device)
    rows_p, rows_q = _rows(p), _rows(q)
    stats = _divergence(
        lambda here: linear_logits(rows_p[here], weight_p),
        lambda here: linear_logits(rows_q[here], weight_q),
        p, len(weight_p), targets, temperature,
    )  # fmt: skip
    return stats if isinstance(hidden_p, torch.Tensor) else DivergenceStats(*_numpy(stats))


class _Distribution(NamedTuple):
    log_p: torch.Tensor  # [rows, V]
    p: torch.Tensor  # [rows, V]
    logsumexp: torch.Tensor  # [rows]
    defined: torch.Tensor  # [rows], bool


def _distribution(
    z: torch.Tensor, temperatures: torch.Tensor, softcap: float | None
) -> _Distribution:
    """softmax(softcap(z) / temperature), and whether each row has one."""
    u = z
    if softcap is not None:
        u = torch.where(z.isinf(), z, softcap * torch.tanh(z / softcap))
    u = u / temperatures[:, None]
    defined = (u < math.inf).all(-1) & (u > -math.inf).any(-1) & (temperatures > 0)
    peak = torch.where(defined, u.amax(-1), 0.0)
    # Relative to the maximum: beside a logit of -1e30, a float64 does not hold log(sum).
    shifted = u - peak[:, None]
    weights = shifted.exp()
    total = weights.sum(-1)
    return _Distribution(
        shifted - total.log()[:, None], weights / total[:, None], peak + total.log(), defined
    )


def _token_stats(
    logits_of: _LogitsOf,
    like: torch.Tensor,
    vocabulary: int,
    targets: Any,
    temperature: Any,
    softcap: float | None,
) -> TokenStats:
    """TokenStats of the rows of `like` [..., any]."""
    target = _tensor(targets, like.device).reshape(-1).long()
    each = _each(temperature, like)
    logprob, entropy, logsumexp, mass_above = (_empty(len(target), like) for _ in range(4))
    rank = torch.full_like(target, -1)
    for here in _blocks(len(target), vocabulary):
        z = logits_of(here)
        row = _distribution(z, each[here], softcap)
        at, known = _at(target[here], vocabulary)
        above = z > z.gather(-1, at)
        defined = row.defined & known
        for out, value in (
            (logprob, row.log_p.gather(-1, at)[:, 0]),
            (entropy, _mean(row.p, -row.log_p)),
            (logsumexp, row.logsumexp),
            (mass_above, torch.where(above, row.p, 0.0).sum(-1)),
        ):
            out[here] = torch.where(defined, value, math.nan)
        rank[here] = torch.where(defined, above.sum(-1), -1)
    leading = like.shape[:-1]
    stats = (logprob, entropy, logsumexp, rank, mass_above)
    return TokenStats(*(value.reshape(leading) for value in stats))


def _divergence(
    logits_p: _LogitsOf,
    logits_q: _LogitsOf,
    like: torch.Tensor,
    vocabulary: int,
    targets: Any,
    temperature: Any,
) -> DivergenceStats:
    """DivergenceStats of the rows of `like` [..., any]."""
    leading = like.shape[:-1]
    each = _each(temperature, like)
    target = None if targets is None else _tensor(targets, like.device).reshape(-1).long()
    out = DivergenceStats(*(_empty(len(each), like) for _ in range(6)))
    for here in _blocks(len(each), vocabulary):
        p, q = (_distribution(of(here), each[here], None) for of in (logits_p, logits_q))
        defined = p.defined & q.defined
        values = {
            "kl_pq": _mean(p.p, p.log_p - q.log_p), "kl_qp": _mean(q.p, q.log_p - p.log_p),
            "entropy_p": _mean(p.p, -p.log_p), "entropy_q": _mean(q.p, -q.log_p),
        }  # fmt: skip
        for name, value in values.items():
            getattr(out, name)[here] = torch.where(defined, value, math.nan)
        if target is not None:
            at, known = _at(target[here], vocabulary)
            for value, log_p in ((out.logprob_p, p.log_p), (out.logprob_q, q.log_p)):
                chosen = log_p.gather(-1, at)[:, 0]
                value[here] = torch.where(defined & known, chosen, math.nan)
    return DivergenceStats(*(value.reshape(leading) for value in out))


def _mean(p: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The mean of `values` under p; tokens of probability 0 are left out."""
    return torch.where(p > 0, p * values, 0.0).sum(-1)


def _at(targets: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns [rows, 1] that exist, and whether each is the target's."""
    return targets.clamp(0, vocabulary - 1)[:, None], (targets >= 0) & (targets < vocabulary)


def _blocks(rows: int, vocabulary: int) -> Iterator[slice]:
    if vocabulary == 0:  # every row is undefined
        return
    size = max(1, BLOCK_ELEMENTS // vocabulary)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def _tensor(value: Any, device: torch.device | None = None) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        value = torch.from_numpy(np.array(value))
    tensor: torch.Tensor = value.detach().to(device)
    return tensor


def _each(temperature: Any, like: torch.Tensor) -> torch.Tensor:
    """One temperature for each row of `like` [..., any]."""
    each = _tensor(temperature, like.device).double()
    return each.expand(like.shape[:-1]).reshape(-1)


def _rows(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _empty(rows: int, like: torch.Tensor) -> torch.Tensor:
    return torch.full((rows,), math.nan, dtype=torch.float64, device=like.device)


def _numpy(values: tuple[torch.Tensor, ...]) -> list[Any]:
    return [value.cpu().numpy() for value in values]

"""Log-probs under the truncated distribution that top-p sampling draws from."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from rlvr_fast import _core
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.inputs import (
    check_softcap,
    check_targets,
    check_temperature,
    check_tensor,
)

__all__ = ["NucleusStats", "linear_kept_mass", "nucleus_stats"]

_CHUNK_ELEMENTS = 1 << 22  # of float64 on the CPU: what a chunk of rows may hold
_LOGITS = 1 << 25  # of float32: what `linear_kept_mass` holds of them at a time
_WEIGHTS = 1 << 23  # of a float32 copy of the weight
# Probabilities above which a nucleus is looked for, most rows' among few tokens.
_LEAST = (1e-2, 1e-4, 1e-6)
_FEW = 1024  # a vocabulary whose largest are found sooner by a partial sort
_TOP = 16


class NucleusStats(NamedTuple):
    """The target under top-p sampling, float32 of the shape of the targets; nats."""

    logprob: Any  # log(p(target) / kept_mass); -inf where the target is outside the nucleus
    kept_mass: Any  # probability of the nucleus under the whole distribution, >= top_p


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    top_p: float,
    temperature: Any = 1.0,
    softcap: float | None = None,
) -> NucleusStats:
    """Log-prob of `targets` as top-p sampling draws them, and the mass that it keeps.

    The nucleus is the smallest set of most likely tokens of mass >= top_p, as vLLM cuts it: a token
    is in it if the tokens ahead of it hold less than top_p. Of tokens that tie at its edge only as
    many are kept as are needed, in the order of their index: so does vLLM's GPU sampler (its CPU
    fallback sorts, and keeps the same number of them, the last ones). At least one token is kept.

    On CUDA the nucleus is found by counting, in at most two sweeps after the first, and tokens tie
    where their float32 probabilities do (2^-20 of an octave); on the CPU by sorting in float64.

    Args:
        logits: [..., V] float32, bfloat16 or float16, on CPU or CUDA (V up to 524288 there).
        targets: integers [...] in [0, V), or -100 for a row to leave out.
        top_p: in (0, 1].
        temperature, softcap: as in `token_stats`.

    Returns:
        NucleusStats of shape [...]; nan where `token_stats` gives nan.

    Raises:
        InvalidInputError: top_p outside (0, 1], or what `token_stats` refuses.

    >>> import torch, rlvr_fast
    >>> logits = torch.log(torch.tensor([[0.5, 0.25, 0.2, 0.05]])).expand(2, 4)
    >>> stats = rlvr_fast.nucleus_stats(logits, torch.tensor([1, 3]), top_p=0.7)
    >>> [round(x, 4) for x in stats.kept_mass.tolist()]
    [0.75, 0.75]
    >>> [round(x, 4) for x in stats.logprob.tolist()]
    [-1.0986, -inf]
    """
    logits = check_tensor("logits", logits)
    leading = logits.shape[:-1]
    targets = check_targets(targets, leading, logits.device)
    temperature = check_temperature(temperature, leading, logits.device)
    softcap = check_softcap(softcap)
    if not (isinstance(top_p, (int, float)) and 0.0 < top_p <= 1.0):
        raise InvalidInputError(f"top_p must be a number in (0, 1], got {top_p!r}")
    if torch.compiler.is_compiling():
        from rlvr_fast.scoring import ops

        return ops.nucleus_stats(logits, targets, float(top_p), temperature, softcap)
    if logits.device.type == "cuda":
        from rlvr_fast.scoring import cuda

        _, logprob, kept_mass = cuda.nucleus_stats(logits, targets, temperature, softcap, top_p)
        return NucleusStats(logprob, kept_mass)
    if logits.device.type != "cpu":
        raise InvalidInputError(f"logits must lie on CPU or CUDA, not on {logits.device}")
    return _sorted_nucleus(logits, targets, temperature, softcap, float(top_p))


def _sorted_nucleus(
    logits: torch.Tensor, targets: torch.Tensor, temperature: Any, softcap: float | None, p: float
) -> NucleusStats:
    """The definition itself, in float64: also what the CUDA kernel is tested against."""
    leading, columns = targets.shape, logits.shape[-1]
    flat, wanted = logits.reshape(-1, columns), targets.reshape(-1)
    outside = (wanted != -100) & ((wanted < 0) | (wanted >= columns))
    if bool(outside.any()):
        row = int(outside.nonzero()[0])
        raise InvalidInputError(
            f"targets must lie in [0, {columns}) or be -100 (ignored); row {row} holds "
            f"{int(wanted[row])}"
        )
    each = torch.as_tensor(temperature, dtype=torch.float64).expand(leading).reshape(-1)
    logprob = torch.full(wanted.shape, math.nan)
    kept_mass = torch.full(wanted.shape, math.nan)
    rows = max(1, _CHUNK_ELEMENTS // max(columns, 1))
    for start in range(0, len(wanted), rows):
        here = slice(start, start + rows)
        z = flat[here].to(torch.float64)
        if softcap is not None:
            z = torch.where(z.isinf(), z, softcap * torch.tanh(z / softcap))
        z = z / each[here, None]
        target = wanted[here]
        defined = (target >= 0) & ~z.isnan().any(-1) & ~(z == math.inf).any(-1)
        defined &= (z > -math.inf).any(-1) & (each[here] > 0)
        order = z.argsort(dim=-1, descending=True, stable=True)
        probabilities = torch.softmax(z.gather(-1, order), -1)
        ahead = probabilities.cumsum(-1) - probabilities
        kept = ahead < p
        kept[:, :1] = True
        mass = torch.where(kept, probabilities, 0.0).sum(-1) if p < 1 else torch.ones(len(z))
        place = (order == target[:, None]).to(torch.int8).argmax(-1, keepdim=True)
        inside = kept.gather(-1, place)[:, 0] | torch.tensor(p >= 1)
        own = torch.log_softmax(z, -1).gather(-1, target.clamp(min=0)[:, None])[:, 0]
        value = torch.where(inside, own - mass.double().log(), -math.inf)
        logprob[here] = torch.where(defined, value, math.nan).float()
        kept_mass[here] = torch.where(defined, mass.double(), math.nan).float()
    return NucleusStats(logprob.reshape(leading), kept_mass.reshape(leading))


def linear_kept_mass(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    *,
    top_p: float,
    bias: torch.Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> torch.Tensor:
    """`nucleus_stats(...).kept_mass` of the logits scale * (hidden weight^T + bias).

    Logits are float32 and of at most 128 MB at a time (one row at least).

    Args:
        hidden: [N, H]. weight: [V, H], on the same device. bias: [V].
        top_p: in (0, 1]. temperature: > 0, of all rows.

    Returns:
        float32 [N], on the device of `hidden`; nan where a row's logits hold nan.
    """
    kept = torch.ones(len(hidden), device=hidden.device)
    if top_p >= 1:
        return kept
    rows = max(1, _LOGITS // max(1, len(weight)))
    if hidden.is_cuda and _core.cuda.built() and len(weight) <= _core.cuda.NUCLEUS_COLUMNS:
        from rlvr_fast.scoring import cuda

        return cuda.linear_kept_mass(hidden, weight, bias, temperature, softcap, scale, top_p, rows)
    columns = max(1, _WEIGHTS // max(1, weight.shape[1]))
    for start in range(0, len(hidden), rows):
        chunk = hidden[start : start + rows].float()
        logits = torch.empty(len(chunk), len(weight), device=hidden.device)
        if weight.dtype == torch.float32:
            torch.mm(chunk, weight.t(), out=logits)
        else:
            for first in range(0, len(weight), columns):
                part = weight[first : first + columns].float()
                logits[:, first : first + columns] = chunk @ part.t()
        if bias is not None:
            logits += bias.float()
        logits *= scale
        if softcap is not None:
            logits = softcap * torch.tanh(logits / softcap)
        logits /= temperature
        kept[start : start + rows] = _kept_mass(logits, top_p)
    return kept


def _kept_mass(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Mass of each row's nucleus; overwrites `logits`.

    Only what is above a threshold is packed and sorted, the largest threshold above which lies
    enough mass: a partial sort of the whole vocabulary takes several times as long.
    """
    weights = logits.sub_(logits.amax(-1, keepdim=True)).exp_()
    total = weights.sum(-1)
    kept = torch.full(total.shape, math.nan, device=logits.device)
    rows = total.isfinite().nonzero()[:, 0]
    vocabulary = weights.shape[-1]
    # below 1: a threshold; else how many of the largest
    for least in (*(_LEAST if vocabulary > _FEW else (_TOP,)), vocabulary):
        if not len(rows):
            break
        all_rows = len(rows) == len(weights)
        part, whole = (weights, total) if all_rows else (weights[rows], total[rows])
        if least < 1:
            masses = _packed(part, part >= (least * whole)[:, None])
        else:
            masses = part.topk(min(int(least), vocabulary), dim=-1).values.double()
        masses /= whole[:, None]
        upto = masses.cumsum(-1)
        # rounding may leave the whole vocabulary short of a top_p near 1
        enough = (upto[:, -1] >= top_p) | (least >= vocabulary)
        inside = upto - masses < top_p
        inside[:, 0] = True
        found = torch.where(inside, masses, 0.0).sum(-1).clamp(max=1).float()
        kept[rows[enough]] = found[enough]
        rows = rows[~enough]
    return kept


def _packed(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The chosen values of each row in descending order, float64, filled up with zeros."""
    row = chosen.nonzero()[:, 0]
    counts = torch.bincount(row, minlength=len(values))
    first = counts.cumsum(0) - counts
    width = max(1, int(counts.max()))
    packed = torch.zeros(len(values), width, dtype=torch.float64, device=values.device)
    packed[row, torch.arange(len(row), device=row.device) - first[row]] = values[chosen].double()
    return packed.sort(-1, descending=True).values

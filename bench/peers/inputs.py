"""What the rivals are given, and what they should have made of it, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from peers.plan import Case

Work = Callable[[], dict[str, torch.Tensor]]

CHECKED_ROWS = 8
NATS = (
    "logprob", "nll", "entropy", "logsumexp", "kl_pq", "kl_qp", "entropy_p", "entropy_q",
    "logprob_p",
)  # fmt: skip


class Inputs(NamedTuple):
    """bfloat16 on a GPU, float32 on a CPU. The second model is there for a divergence."""

    hidden: torch.Tensor
    weight: torch.Tensor
    targets: torch.Tensor
    other_hidden: torch.Tensor | None = None
    other_weight: torch.Tensor | None = None


def checked_rows(rows: int) -> torch.Tensor:
    return torch.linspace(0, rows - 1, min(rows, CHECKED_ROWS)).round().long().unique()


def make_inputs(case: Case, device: torch.device, dtype: torch.dtype) -> Inputs:
    """Logits of standard deviation 4, largest ones near 18; of the checked rows, every second one
    has its most likely token as the target.
    """
    generator = torch.Generator(device).manual_seed(case.rows + case.width + case.vocabulary)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    hidden = normal(case.rows, case.width).to(dtype)
    weight = normal(case.vocabulary, case.width).mul_(4 / case.width**0.5)
    other_hidden = other_weight = None
    if case.job == "divergence":
        noise = normal(case.vocabulary, case.width).mul_(1 / case.width**0.5)
        other_weight = noise.add_(weight).to(dtype)
        other_hidden = (0.9 * hidden.float() + 0.3 * normal(case.rows, case.width)).to(dtype)
    weight = weight.to(dtype)
    targets = torch.randint(0, case.vocabulary, (case.rows,), generator=generator, device=device)
    likely = checked_rows(case.rows)[::2].to(device)
    targets[likely] = logits64(hidden[likely], weight).argmax(-1)
    return Inputs(hidden, weight, targets, other_hidden, other_weight)


def logits64(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """In float64, from the very numbers that the rivals get."""
    few = hidden.double()
    return torch.cat([few @ part.double().t() for part in weight.split(16384)], -1)


def reference(inputs: Inputs) -> dict[str, torch.Tensor]:
    rows = checked_rows(len(inputs.hidden)).to(inputs.hidden.device)
    x = logits64(inputs.hidden[rows], inputs.weight)
    log_p = torch.log_softmax(x, -1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(-1)
    chosen = log_p.gather(-1, inputs.targets[rows, None])
    if inputs.other_hidden is None:
        above = log_p > chosen
        return {
            "logprob": chosen[:, 0], "nll": -chosen[:, 0], "entropy": entropy,
            "logsumexp": torch.logsumexp(x, -1), "rank": above.sum(-1).double(),
            "mass_above": (p * above).sum(-1),
        }  # fmt: skip
    assert inputs.other_weight is not None
    log_q = torch.log_softmax(logits64(inputs.other_hidden[rows], inputs.other_weight), -1)
    q = log_q.exp()
    return {
        "kl_pq": (p * (log_p - log_q)).sum(-1), "kl_qp": (q * (log_q - log_p)).sum(-1),
        "entropy_p": entropy, "entropy_q": -(q * log_q).sum(-1), "logprob_p": chosen[:, 0],
    }  # fmt: skip


def errors(out: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> dict[str, float]:
    """The largest error of each output on the checked rows; nan counts as infinite."""
    found = {}
    for name, expected in exact.items():
        if name in out:
            rows = checked_rows(len(out[name])).to(expected.device)
            off = (out[name][rows].double() - expected).abs().max()
            found[name] = float(torch.nan_to_num(off, nan=float("inf")))
    return found

"""The inputs of the rivals, and the float64 results with which theirs are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from peers.plan import Case
from rlvr_fast.scoring.kernels import reference as definitions

Work = Callable[[], dict[str, torch.Tensor]]

CHECKED_ROWS = 8
NATS = (
    "logprob", "nll", "entropy", "logsumexp", "kl_pq", "kl_qp", "entropy_p", "entropy_q",
    "logprob_p",
)  # fmt: skip


class Inputs(NamedTuple):
    """bfloat16 on a GPU, float32 on a CPU; the second model is there for a divergence alone."""

    hidden: torch.Tensor
    weight: torch.Tensor
    targets: torch.Tensor
    other_hidden: torch.Tensor | None = None
    other_weight: torch.Tensor | None = None


def checked_rows(rows: int) -> torch.Tensor:
    return torch.linspace(0, rows - 1, min(rows, CHECKED_ROWS)).round().long().unique()


def make_inputs(case: Case, device: torch.device, dtype: torch.dtype) -> Inputs:
    """Inputs whose logits have the standard deviation 4, the largest ones near 18.

    Of the checked rows, every second one has its most likely token as the target.
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
    targets[likely] = definitions.linear_logits(hidden[likely], weight).argmax(-1)
    return Inputs(hidden, weight, targets, other_hidden, other_weight)


def reference(inputs: Inputs) -> dict[str, torch.Tensor]:
    """The float64 results on the checked rows, by the names of the rivals' outputs."""
    rows = checked_rows(len(inputs.hidden)).to(inputs.hidden.device)
    hidden, weight, targets = inputs.hidden[rows], inputs.weight, inputs.targets[rows]
    if inputs.other_hidden is None:
        stats = definitions.linear_token_stats(hidden, weight, targets)._asdict()
        return {**stats, "nll": -stats["logprob"], "rank": stats["rank"].double()}
    divergence = definitions.linear_divergence(
        hidden, weight, inputs.other_hidden[rows], inputs.other_weight, targets=targets
    )._asdict()
    del divergence["logprob_q"]  # no rival gives it
    return divergence


def errors(out: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> dict[str, float]:
    """The largest error of each output on the checked rows; nan counts as infinite."""
    found = {}
    for name, expected in exact.items():
        if name in out:
            rows = checked_rows(len(out[name])).to(expected.device)
            off = (out[name][rows].double() - expected).abs().max()
            found[name] = float(torch.nan_to_num(off, nan=float("inf")))
    return found

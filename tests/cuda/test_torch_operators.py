"""The torch operators: schemas, fake tensors, torch.compile; on the CPU and, if present, a GPU."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import rlvr_fast
from rlvr_fast.scoring.kernels import backends  # noqa: F401  (defines the operators)

NAMES = ["token_stats", "nucleus_stats", "linear_token_stats", "linear_divergence"]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ]),
]  # fmt: skip


def arguments(name: str, device: str):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator).to(device)

    targets = torch.tensor([3, 0, 299, 5], device=device)
    hidden, weight = normal(4, 16), normal(300, 16)
    each = torch.tensor([0.5, 1.0, 1.5, 2.0], device=device)
    return {
        "token_stats": (normal(4, 300), targets, each, 1.0, 30.0),
        "nucleus_stats": (normal(4, 300), targets, 0.9, each, 1.0, 0.0),
        "linear_token_stats": (hidden, weight, targets, normal(300), None, 0.7, 0.0, 0.5),
        "linear_divergence": (hidden, weight, normal(4, 24), normal(300, 24), targets, None, 1.0),
    }[name]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_operators_pass_opcheck(name, device):
    operator = getattr(torch.ops.rlvr_fast, name).default
    assert set(torch.library.opcheck(operator, arguments(name, device)).values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", NAMES)
def test_fake_outputs_have_the_shape_and_type_of_real_outputs(name):
    operator = getattr(torch.ops.rlvr_fast, name)
    given = arguments(name, "cpu")
    real = operator(*given)
    with FakeTensorMode() as mode:
        fake = operator(*(mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in given))
    assert [(f.shape, f.dtype) for f in fake] == [(r.shape, r.dtype) for r in real]


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_the_public_functions_compile_without_a_graph_break(device):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, 300, generator=generator).to(device)
    targets = torch.randint(0, 300, (2, 5), generator=generator).to(device)
    hidden, weight = torch.randn(2, 5, 16).to(device), torch.randn(300, 16).to(device)

    def scores(logits, hidden, weight, targets):
        a = rlvr_fast.token_stats(logits * 1.0, targets, temperature=0.6, softcap=20.0)
        b = rlvr_fast.linear_token_stats(hidden, weight, targets, scale=0.5)
        c = rlvr_fast.linear_divergence(hidden, weight, -hidden, weight, targets=targets)
        d = rlvr_fast.nucleus_stats(logits, targets, top_p=0.8, temperature=0.6)
        return a.logprob + b.entropy, a.rank + b.rank, c.kl_pq, d.logprob, d.kept_mass

    compiled = torch.compile(scores, fullgraph=True, backend="aot_eager")
    for got, want in zip(
        compiled(logits, hidden, weight, targets), scores(logits, hidden, weight, targets),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(got, want)

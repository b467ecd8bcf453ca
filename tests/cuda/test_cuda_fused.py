"""The fused kernels (linear_fused*.cu) on a GPU. `pytest -m gpu`."""

from __future__ import annotations

import pytest
import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.scoring.kernels import cuda_fused, reference

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        not (torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)),
        reason="no GPU of compute capability 8.0 or newer",
    ),
]


@pytest.fixture(autouse=True, params=["mma", "wgmma", "wgmma_pairs"])
def fused(request, monkeypatch):
    if not _core.cuda.fused_supported(0, request.param):
        pytest.skip(f"{request.param} is for compute capability 9.0")
    monkeypatch.setenv("RLVR_LINEAR_PATH", "fused")
    monkeypatch.setattr(cuda_fused, "KERNELS", (request.param,))


def linear_inputs(rows, columns, width, dtype=torch.bfloat16, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator, device="cuda").to(dtype)
    weight = torch.randn(columns, width, generator=generator, device="cuda")
    targets = torch.randint(0, columns, (rows,), generator=generator, device="cuda")
    return hidden, (weight * (4 / width**0.5)).to(dtype), targets


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("rows", "columns", "width"),
    [(1, 1, 8), (3, 111, 64), (130, 4097, 72), (300, 50257, 1024), (257, 151936, 896)],
)
def test_fused_statistics_match_the_definition(rows, columns, width, dtype):
    hidden, weight, targets = linear_inputs(rows, columns, width, dtype)
    temperatures = torch.linspace(0.5, 2.0, rows, device="cuda")
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets, temperature=temperatures)
    few = slice(max(0, rows - 40), rows)
    x = hidden[few].double() @ weight.double().t()
    logprob, entropy, lse, rank, mass = reference.token_stats(
        x, targets[few], temperature=temperatures[few]
    )
    assert (stats.logprob[few].double() - logprob).abs().max() < 1e-4
    assert (stats.entropy[few].double() - entropy).abs().max() < 2e-4
    assert (stats.logsumexp[few].double() - lse).abs().max() < 1e-4
    assert (stats.mass_above[few].double() - mass).abs().max() < 1e-5
    assert (stats.rank[few].long() - rank).abs().max() <= 2


@pytest.mark.parametrize("softcap", [None, 20.0])
def test_fused_agrees_with_the_portable_path(monkeypatch, softcap):
    hidden, weight, targets = linear_inputs(1000, 50257, 2048)
    targets[17] = -100
    options = {}
    if softcap is not None:
        bias = torch.linspace(-3, 3, 50257, device="cuda")
        bias[:50] = -torch.inf
        options = {"bias": bias, "softcap": softcap, "scale": 0.5}
    fused = rlvr_fast.linear_token_stats(hidden, weight, targets, **options)
    monkeypatch.setenv("RLVR_LINEAR_PATH", "portable")
    portable = rlvr_fast.linear_token_stats(hidden, weight, targets, **options)
    for a, b in zip(fused, portable, strict=True):
        assert torch.allclose(a.double(), b.double(), atol=2e-4, rtol=1e-3, equal_nan=True)


def test_fused_rows_have_the_same_bits_in_any_batch():
    hidden, weight, targets = linear_inputs(900, 50257, 512)
    whole = rlvr_fast.linear_token_stats(hidden, weight, targets)
    for here in (slice(0, 1), slice(100, 400), slice(899, 900)):
        part = rlvr_fast.linear_token_stats(hidden[here], weight, targets[here])
        for a, b in zip(part, whole, strict=True):
            assert torch.equal(a, b[here])
    again = rlvr_fast.linear_token_stats(hidden, weight, targets)
    for a, b in zip(again, whole, strict=True):
        assert torch.equal(a, b)


def test_target_logits_have_the_bits_of_the_sweep():
    """The target is the largest logit, so no other logit may rank above it."""
    hidden, weight, _ = linear_inputs(700, 50257, 1024)
    targets = (hidden.float() @ weight.float().t()).argmax(-1)
    weight[50256] = weight[int(targets[0])]  # a tie for one row
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets)
    assert (stats.rank == 0).float().mean() > 0.99  # float32 may order close logits differently
    assert stats.rank[0].item() == 0
    assert stats.mass_above[0].item() == 0.0


def test_pairs_of_blocks_have_the_bits_of_single_blocks(monkeypatch):
    if not _core.cuda.fused_supported(0, "wgmma"):
        pytest.skip("wgmma is for compute capability 9.0")
    hidden, weight, targets = linear_inputs(700, 50257, 1024)
    given = []
    for name in ("wgmma", "wgmma_pairs"):
        monkeypatch.setattr(cuda_fused, "KERNELS", (name,))
        given.append(rlvr_fast.linear_token_stats(hidden, weight, targets))
    for a, b in zip(*given, strict=True):
        assert torch.equal(a, b)


def test_fused_divergence_agrees_with_the_portable_path(monkeypatch, fused):
    if not cuda_fused.fused_divergence_fits(*(torch.zeros(8, 8).bfloat16().cuda(),) * 4):
        pytest.skip("this kernel takes one model at a time")
    hidden_p, weight_p, targets = linear_inputs(1000, 50257, 2048, seed=1)
    hidden_q, weight_q, _ = linear_inputs(1000, 50257, 1024, seed=2)
    models = (hidden_p, weight_p, hidden_q, weight_q)
    both = rlvr_fast.linear_divergence(*models, targets=targets, temperature=0.7)
    part = rlvr_fast.linear_divergence(
        hidden_p[500:600], weight_p, hidden_q[500:600], weight_q, temperature=0.7
    )
    for a, b in zip(part[:4], both[:4], strict=True):
        assert torch.equal(a, b[500:600])
    monkeypatch.setenv("RLVR_LINEAR_PATH", "portable")
    portable = rlvr_fast.linear_divergence(*models, targets=targets, temperature=0.7)
    for a, b in zip(both, portable, strict=True):
        assert torch.allclose(a, b, atol=2e-4, rtol=1e-5)


def test_a_cuda_graph_captures_fused_calls():
    hidden, weight, targets = linear_inputs(64, 20000, 256)
    expected = rlvr_fast.linear_token_stats(hidden, weight, targets)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = rlvr_fast.linear_token_stats(hidden, weight, targets)
    graph.replay()
    torch.cuda.synchronize()
    for a, b in zip(captured, expected, strict=True):
        assert torch.equal(a, b)

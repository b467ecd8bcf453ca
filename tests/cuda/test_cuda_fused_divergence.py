"""The source of the fused divergence for Hopper, run on the machine of these tests.

test_cuda_fused.py tests the same kernel on a GPU.
"""

from __future__ import annotations

import math

import pytest
import torch

from rlvr_fast.scoring.kernels import cuda_fused, reference


@pytest.fixture(autouse=True, params=["wgmma", "wgmma_pairs"])
def fused(request, monkeypatch, emulation):
    monkeypatch.setenv("RLVR_LINEAR_PATH", "fused")
    monkeypatch.setattr(cuda_fused, "KERNELS", (request.param,))
    yield
    emulation.configure_machine(0, 3)


def inputs(rows, columns, width, dtype=torch.bfloat16, seed=0, scale=4.0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator).to(dtype)
    weight = torch.randn(columns, width, generator=generator) * (scale / width**0.5)
    return hidden, weight.to(dtype)


def logits(hidden, weight):
    return hidden.double() @ weight.double().t()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("rows", "columns", "width_p", "width_q"),
    [(1, 1, 8, 8), (70, 129, 64, 72), (5, 4300, 24, 136), (300, 200, 40, 16)],
)
def test_the_divergence_matches_the_definition(emulated, rows, columns, width_p, width_q, dtype):
    p = inputs(rows, columns, width_p, dtype, seed=1)
    q = inputs(rows, columns, width_q, dtype, seed=2, scale=1.0)  # hidden sizes may differ
    temperatures = torch.linspace(0.7, 1.5, rows)
    targets = torch.arange(rows) % columns
    targets[0] = -100
    out = emulated.linear_divergence(*p, *q, targets, temperatures)
    x_p, x_q = logits(*p), logits(*q)
    expected = reference.divergence(x_p, x_q, temperature=temperatures)[:4]
    for got, want in zip(out[:4], expected, strict=True):
        assert torch.allclose(got.double(), want, rtol=2e-6, atol=3e-5)
    known = targets >= 0
    for got, x in ((out.logprob_p, x_p), (out.logprob_q, x_q)):
        assert torch.equal(got.isnan(), ~known)
        if known.any():
            want = reference.token_stats(x[known], targets[known], temperature=temperatures[known])
            assert torch.allclose(got[known].double(), want[0], atol=2e-5)
    without = emulated.linear_divergence(*p, *q, None, temperatures)
    assert torch.equal(without.kl_pq, out.kl_pq)
    assert without.logprob_p.isnan().all()


def test_the_divergence_of_a_model_from_itself_is_zero(emulated):
    hidden, weight = inputs(40, 700, 48)
    out = emulated.linear_divergence(hidden, weight, hidden, weight, None, 1.0)
    assert out.kl_pq.abs().max() < 1e-6
    assert torch.equal(out.entropy_p, out.entropy_q)


def test_exchanging_the_models_exchanges_the_directions(emulated):
    p, q = inputs(40, 700, 48, seed=3), inputs(40, 700, 48, seed=4, scale=2.0)
    there = emulated.linear_divergence(*p, *q, None, 0.8)
    back = emulated.linear_divergence(*q, *p, None, 0.8)
    for a, b in (("kl_pq", "kl_qp"), ("kl_qp", "kl_pq"), ("entropy_p", "entropy_q")):
        assert torch.allclose(getattr(there, a), getattr(back, b), rtol=1e-6, atol=1e-6)


def test_bits_do_not_depend_on_batch_or_schedule(emulated, emulation):
    p, q = inputs(280, 4300, 72, seed=5), inputs(280, 4300, 40, seed=6)
    whole = emulated.linear_divergence(*p, *q, None, 1.0)
    for seed, processors in ((1, 2), (2, 132)):
        emulation.configure_machine(seed, processors)
        for here in (slice(0, 1), slice(120, 150), slice(279, 280)):
            part = emulated.linear_divergence(p[0][here], p[1], q[0][here], q[1], None, 1.0)
            for a, b in zip(part[:4], whole[:4], strict=True):
                assert torch.equal(a, b[here])


def test_overflow_and_very_large_logits(emulated):
    hidden, weight = inputs(4, 600, 16)
    other = weight.clone()
    hidden[0] *= 1e4
    hidden[1] = 0.0  # uniform under both
    hidden[2] = 3e38
    weight[5] = 3e38  # infinite for the row above
    out = emulated.linear_divergence(hidden, weight, hidden, other, None, 1.0)
    assert out.kl_pq[1].item() == pytest.approx(0.0, abs=1e-6)
    assert out.entropy_p[1].item() == pytest.approx(math.log(600), abs=1e-6)
    assert out.kl_pq[2].isnan()
    assert out.kl_qp[2].isnan()


def test_the_portable_path_runs_where_the_kernel_cannot(emulated, monkeypatch):
    """The two models have different types, or the GPU has no wgmma."""
    p, q = inputs(9, 300, 16), inputs(9, 300, 16, torch.float16, seed=7)
    assert not cuda_fused.fused_divergence_fits(*p, *q)
    q = q[0].bfloat16(), q[1].bfloat16()
    assert cuda_fused.fused_divergence_fits(*p, *q)
    want = emulated.linear_divergence(*p, *q, None, 1.0)
    monkeypatch.setattr(cuda_fused, "KERNELS", ("mma",))
    assert not cuda_fused.fused_divergence_fits(*p, *q)
    got = emulated.linear_divergence(*p, *q, None, 1.0)
    assert torch.allclose(got.kl_pq, want.kl_pq, atol=1e-5)

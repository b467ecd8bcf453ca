"""The source of the fused kernels on the machine: shapes at the edges of tiles, and equal bits.

No schedule, grid, batch or cluster may change a bit of the results. test_cuda_path.py compares the
results with float64 for every epilogue.
"""

from __future__ import annotations

import math

import pytest
import torch

from rlvr_fast.scoring.kernels import cuda_fused, reference
from rlvr_fast.scoring.kernels.cuda_fused import fused_token_stats
from rlvr_fast.scoring.kernels.cuda_kernels import empty_stats

KERNELS = ["mma", "wgmma", "wgmma_pairs"]
SEEDS = range(8)  # every kind of schedule (machine/schedule.hpp)


@pytest.fixture
def run(emulated, emulation, monkeypatch):
    """Returns a function that computes token statistics by one kernel under one schedule."""
    monkeypatch.setenv("RLVR_LINEAR_PATH", "fused")

    def call(kernel, hidden, weight, targets, *, bias=None, temperature=1.0, seed=2, processors=3):
        monkeypatch.setattr(cuda_fused, "KERNELS", (kernel,))
        emulation.configure_machine(seed, processors)
        return emulated.linear_token_stats(hidden, weight, targets, bias, temperature, None, 1.0)

    return call


def problem(rows, columns, width, dtype=torch.bfloat16):
    generator = torch.Generator().manual_seed(rows + columns + width)
    hidden = torch.randn(rows, width, generator=generator).to(dtype)
    weight = torch.randn(columns, width, generator=generator) * (4 / width**0.5)
    targets = torch.randint(0, columns, (rows,), generator=generator)
    return hidden, weight.to(dtype), targets


def assert_same_bits(got, want):
    for a, b in zip(got, want, strict=True):
        assert torch.equal(a.view(torch.int32), b.view(torch.int32))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("rows", "columns", "width", "dtype"),
    [
        (1, 1, 8, torch.bfloat16),
        (127, 255, 72, torch.float16),
        (129, 257, 64, torch.bfloat16),  # one row and one column past a tile
        (256, 512, 136, torch.float16),
        (5, 4097, 8, torch.bfloat16),  # the last segment has one column
        (260, 300, 200, torch.bfloat16),
    ],
)
def test_shapes_at_the_edges_of_tiles(run, kernel, rows, columns, width, dtype):
    hidden, weight, targets = problem(rows, columns, width, dtype)
    temperature = torch.linspace(0.5, 2.0, rows)
    stats = run(kernel, hidden, weight, targets, temperature=temperature)
    x = hidden.double() @ weight.double().t()
    logprob, entropy, lse, rank, mass = reference.token_stats(x, targets, temperature=temperature)
    assert torch.allclose(stats.logprob.double(), logprob, atol=4e-5)
    assert torch.allclose(stats.entropy.double(), entropy, atol=4e-5)
    assert torch.allclose(stats.logsumexp.double(), lse, atol=4e-5)
    assert torch.allclose(stats.mass_above.double(), mass, atol=2e-5)
    assert (stats.rank.long() - rank).abs().max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_bits_do_not_depend_on_schedule_or_grid(run, kernel):
    hidden, weight, targets = problem(270, 700, 200)
    want = run(kernel, hidden, weight, targets, seed=0, processors=132)
    for seed in SEEDS:
        processors = 2 + seed % 3  # fewer blocks than units of work
        assert_same_bits(
            run(kernel, hidden, weight, targets, seed=seed, processors=processors), want
        )


@pytest.mark.parametrize("kernel", KERNELS)
def test_rows_have_the_same_bits_in_any_batch(run, kernel):
    hidden, weight, targets = problem(270, 4300, 24)
    want = run(kernel, hidden, weight, targets)
    for here in (slice(0, 1), slice(100, 240), slice(269, 270)):
        part = run(kernel, hidden[here], weight, targets[here])
        assert_same_bits(part, [value[here] for value in want])


@pytest.mark.parametrize("kernel", KERNELS)
def test_logprob_only_has_the_bits_of_the_full_fold(run, emulated, kernel):
    """The benchmarks time this fold to measure the cost of entropy, rank and probability above."""
    hidden, weight, targets = problem(140, 1100, 72)
    want = run(kernel, hidden, weight, targets)
    alone = empty_stats(targets.shape, targets.device)
    fused_token_stats(hidden, weight, targets, None, 1.0, None, 1.0, alone, logprob_only=True)
    assert_same_bits((alone.logprob, alone.logsumexp), (want.logprob, want.logsumexp))
    assert not torch.allclose(alone.entropy, want.entropy)
    with pytest.raises(RuntimeError, match="alone takes no bias"):
        fused_token_stats(hidden, weight, targets, None, 1.0, 20.0, 1.0, alone, logprob_only=True)


def test_pairs_of_blocks_have_the_bits_of_single_blocks(run):
    inputs = problem(300, 600, 72)
    assert_same_bits(run("wgmma_pairs", *inputs), run("wgmma", *inputs))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_target_logits_have_the_bits_of_the_sweep_in_every_column(run, kernel, dtype):
    """Nine distinct rows of the weight are repeated: no logit may rank above an equal logit."""
    hidden, few, _ = problem(130, 9, 200, dtype)
    weight = few.repeat(550, 1)  # ten segments
    targets = torch.arange(130) * 37 % len(weight)
    stats = run(kernel, hidden, weight, targets)
    x = hidden.double() @ few.double().t()
    above = (x > x.gather(1, targets[:, None] % 9)).sum(-1)
    assert torch.equal(stats.rank.long(), above * 550)


@pytest.mark.parametrize("kernel", KERNELS)
def test_masked_and_extreme_logits(run, kernel):
    hidden, weight, targets = problem(6, 600, 8)
    hidden[1] = 0.0
    hidden[1, 0] = 1.0
    weight[:, 0] = -1e30  # row 1: all logits are -1e30, as after the addition of a mask
    weight[7, 0] = -2e30
    hidden[0, 0] = hidden[2:, 0] = 0.0
    hidden[2, 1:] *= 1e4
    bias = torch.zeros(600)
    bias[100:300] = -math.inf
    targets[:] = torch.tensor([3, 5, 7, 350, 599, 150])
    stats = run(kernel, hidden, weight, targets, bias=bias)
    x = hidden.double() @ weight.double().t()
    logprob, entropy, _, rank, _ = reference.token_stats(x, targets, bias=bias)
    assert torch.allclose(stats.logprob.double(), logprob, rtol=1e-6, atol=4e-5)
    assert torch.allclose(stats.entropy.double(), entropy, atol=4e-5)
    assert torch.equal(stats.rank.long(), rank)
    assert stats.logprob[1].item() == pytest.approx(-math.log(399), abs=1e-5)
    assert stats.logprob[5].item() == -math.inf

    hidden[:] = 3e38
    weight[:] = 3e38
    overflow = run(kernel, hidden, weight, targets)
    assert overflow.logprob.isnan().all()
    assert (overflow.rank == -1).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_any_stride_of_a_tensor_of_one_row(run, kernel):
    """For torch, [1, H] is contiguous with any row stride; the copy engine reads that stride."""
    hidden, weight, targets = problem(1, 300, 64)
    want = run(kernel, hidden, weight, targets)
    assert hidden.as_strided((1, 64), (1, 1)).is_contiguous()
    assert_same_bits(run(kernel, hidden.as_strided((1, 64), (1, 1)), weight, targets), want)
    padded = torch.nn.functional.pad(weight, (0, 8))[:, :64]
    assert_same_bits(run(kernel, hidden, padded, targets), want)
    for stride in (1, 8):
        one = weight.as_strided((1, 64), (stride, 1))
        assert run(kernel, hidden, one, targets * 0).logprob.item() == 0.0

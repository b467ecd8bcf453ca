"""The source of the fused kernel for GPUs from sm_80 on, run on the machine of these tests.

test_cuda_fused.py tests the same kernel on a GPU.
"""

from __future__ import annotations

import math

import pytest
import torch

from rlvr_fast.scoring.kernels import cuda_fused, reference


@pytest.fixture(autouse=True)
def mma(monkeypatch, emulation):
    monkeypatch.setenv("RLVR_LINEAR_PATH", "fused")
    monkeypatch.setattr(cuda_fused, "KERNELS", ("mma",))
    yield
    emulation.configure_machine(0, 3)


def inputs(rows, columns, width, dtype=torch.bfloat16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator).to(dtype)
    weight = torch.randn(columns, width, generator=generator) * (4 / width**0.5)
    targets = torch.randint(0, columns, (rows,), generator=generator)
    return hidden, weight.to(dtype), targets


def stats_of(emulated, hidden, weight, targets, bias=None, temperature=1.0):
    return emulated.linear_token_stats(hidden, weight, targets, bias, temperature, None, 1.0)


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("rows", "columns", "width"),
    [
        (1, 1, 8),  # less than one tile and one stage
        (128, 256, 32),  # exactly one tile and one stage
        (129, 257, 40),  # one row and one column more than a tile
        (2, 4352, 136),  # a second segment, more stages than the ring has
        (300, 300, 24),
    ],
)
def test_shapes_at_the_edges_of_tiles(emulated, rows, columns, width, dtype):
    hidden, weight, targets = inputs(rows, columns, width, dtype)
    temperatures = torch.linspace(0.5, 2.0, rows)
    stats = stats_of(emulated, hidden, weight, targets, temperature=temperatures)
    x = hidden.double() @ weight.double().t()
    logprob, entropy, lse, rank, mass = reference.token_stats(x, targets, temperature=temperatures)
    assert torch.allclose(stats.logprob.double(), logprob, atol=2e-5)
    assert torch.allclose(stats.entropy.double(), entropy, atol=2e-5)
    assert torch.allclose(stats.logsumexp.double(), lse, atol=2e-5)
    assert torch.allclose(stats.mass_above.double(), mass, atol=2e-6)
    assert (stats.rank.long() - rank).abs().max() <= 1


def test_bits_do_not_depend_on_batch_or_number_of_processors(emulated, emulation):
    hidden, weight, targets = inputs(280, 4500, 72)
    whole = stats_of(emulated, hidden, weight, targets)
    for seed, processors in ((1, 1), (2, 2), (3, 132)):
        emulation.configure_machine(seed, processors)
        for here in (slice(0, 1), slice(100, 140), slice(279, 280)):
            part = stats_of(emulated, hidden[here], weight, targets[here])
            assert_same(part, [value[here] for value in whole])


def test_target_logits_have_the_bits_of_the_sweep(emulated):
    """Equal rows of the weight give equal logits in the columns of every warp and segment."""
    hidden, weight, _ = inputs(140, 4400, 56, seed=3)
    twins = [3, 140, 1000, 4399]
    weight[twins] = weight[3].clone()
    stats = [stats_of(emulated, hidden, weight, torch.full((140,), t)) for t in twins]
    for other in stats[1:]:
        assert_same(other, stats[0])
    x = hidden.double() @ weight.double().t()
    others = (x > x[:, 3:4] + 1e-6).sum(-1)
    near = ((x - x[:, 3:4]).abs() <= 1e-6).sum(-1) > len(twins)
    assert torch.equal(stats[0].rank.long()[~near], others[~near])
    assert near.float().mean() < 0.05


def test_row_strides_and_an_empty_batch(emulated):
    hidden, weight, targets = inputs(20, 500, 48)
    want = stats_of(emulated, hidden, weight, targets)
    wide = torch.full((500, 64), math.nan, dtype=weight.dtype)  # never read
    wide[:, :48] = weight
    assert_same(stats_of(emulated, hidden, wide[:, :48], targets), want)
    apart = torch.full((20, 61), math.nan, dtype=hidden.dtype)
    apart[:, 5:53] = hidden
    assert_same(stats_of(emulated, apart[:, 5:53], weight, targets), want)
    assert stats_of(emulated, hidden[:0], weight, targets[:0]).logprob.shape == (0,)


def test_both_kernels_give_the_same_ranks(emulated, monkeypatch):
    """The machine sums products in one order for all kernels, so that only the folds differ."""
    hidden, weight, targets = inputs(150, 5000, 64, torch.float16, seed=5)
    bias = torch.linspace(-1, 1, 5000)
    warps = stats_of(emulated, hidden, weight, targets, bias)
    monkeypatch.setattr(cuda_fused, "KERNELS", ("wgmma_pairs",))
    warpgroups = stats_of(emulated, hidden, weight, targets, bias)
    assert torch.equal(warps.rank, warpgroups.rank)
    for a, b in zip(warps, warpgroups, strict=True):
        assert torch.allclose(a.double(), b.double(), atol=1e-5)


def test_pairs_of_blocks_have_the_bits_of_single_blocks(emulated, monkeypatch):
    hidden, weight, targets = inputs(200, 1300, 72, seed=6)
    given = []
    for name in ("wgmma", "wgmma_pairs"):
        monkeypatch.setattr(cuda_fused, "KERNELS", (name,))
        given.append(stats_of(emulated, hidden, weight, targets))
    assert_same(*given)


def test_the_kernel_depends_on_the_gpu_and_the_number_of_rows(emulated, monkeypatch):
    monkeypatch.undo()
    names = set(cuda_fused.KERNELS)

    class Device:
        index = 0

    def chosen(rows, supported):
        core = cuda_fused._core
        monkeypatch.setattr(core.cuda, "fused_supported", lambda _, name: name in supported)
        return cuda_fused.fused_kernel(Device(), rows)

    assert chosen(129, names) == "wgmma_pairs"
    assert chosen(128, names) == "wgmma"
    assert chosen(1, {"mma"}) == chosen(5000, {"mma"}) == "mma"
    assert chosen(5000, set()) is None


def test_ldmatrix_has_no_bank_conflicts(emulated, emulation):
    before = emulation.bank_conflicts()
    hidden, weight, targets = inputs(130, 600, 80)
    stats_of(emulated, hidden, weight, targets)
    assert emulation.bank_conflicts() == before

"""Tests that need a GPU: sizes, streams, graphs, equal bits across batches. `pytest -m gpu`."""

from __future__ import annotations

import pytest
import torch

import rlvr_fast
from rlvr_fast.scoring.kernels import cuda_kernels, cuda_products, nucleus, reference

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

VOCABULARIES = [50257, 128256, 151936]


def logits_and_targets(rows, columns, dtype=torch.bfloat16, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    x = torch.randn(rows, columns, generator=generator, device="cuda", dtype=torch.float32)
    targets = torch.randint(0, columns, (rows,), generator=generator, device="cuda")
    return (x * 6).clamp(-50, 50).to(dtype), targets


def linear_inputs(rows, columns, width, dtype=torch.bfloat16, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator, device="cuda").to(dtype)
    weight = torch.randn(columns, width, generator=generator, device="cuda")
    targets = torch.randint(0, columns, (rows,), generator=generator, device="cuda")
    return hidden, (weight * (4 / width**0.5)).to(dtype), targets


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("rows", [1, 289])
@pytest.mark.parametrize("columns", VOCABULARIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_real_vocabularies(rows, columns, dtype):
    x, targets = logits_and_targets(rows, columns, dtype)
    stats = rlvr_fast.token_stats(x, targets, temperature=0.6)
    few = slice(0, 32)
    logprob, entropy, lse, rank, mass = reference.token_stats(x[few], targets[few], temperature=0.6)
    assert (stats.logprob[few].double() - logprob).abs().max() < 1e-4
    assert (stats.entropy[few].double() - entropy).abs().max() < 2e-4
    assert (stats.logsumexp[few].double() - lse).abs().max() < 1e-4
    assert (stats.mass_above[few].double() - mass).abs().max() < 1e-5
    assert torch.equal(stats.rank[few].long(), rank)


@pytest.mark.parametrize("columns", [111, 50257, 151936])
def test_a_row_has_the_same_bits_in_any_batch_and_on_any_stream(columns):
    x, targets = logits_and_targets(700, columns)
    whole = rlvr_fast.token_stats(x, targets)
    for here in (slice(0, 1), slice(13, 16), slice(300, 700)):
        assert_same(rlvr_fast.token_stats(x[here], targets[here]), [value[here] for value in whole])
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        assert_same(rlvr_fast.token_stats(x, targets), whole)
    top_p = nucleus.nucleus_stats(x, targets, top_p=0.9)
    alone = nucleus.nucleus_stats(x[5:6], targets[5:6], top_p=0.9)
    assert_same(alone, [value[5:6] for value in top_p])


def test_more_than_two_to_the_31_logits():
    rows, columns = 15000, 151936
    assert rows * columns > 2**31
    x = torch.empty(rows, columns, dtype=torch.bfloat16, device="cuda")
    some, targets = logits_and_targets(8, columns)
    x.fill_(-1.0)
    x[-8:] = some
    wanted = torch.zeros(rows, dtype=torch.int64, device="cuda")
    wanted[-8:] = targets
    stats = rlvr_fast.token_stats(x, wanted)
    assert_same([value[-8:] for value in stats], rlvr_fast.token_stats(some, targets))
    assert stats.rank[: rows - 8].abs().max().item() == 0


def test_no_call_synchronises_with_the_gpu():
    x, targets = logits_and_targets(64, 50257)
    hidden, weight, wanted = linear_inputs(64, 9000, 128)
    rlvr_fast.token_stats(x, targets)
    rlvr_fast.linear_token_stats(hidden, weight, wanted)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        rlvr_fast.token_stats(x, targets, temperature=0.7)
        nucleus.nucleus_stats(x, targets, top_p=0.9)
        rlvr_fast.linear_token_stats(hidden, weight, wanted)
        rlvr_fast.linear_divergence(hidden, weight, hidden, weight, targets=wanted)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_cuda_graph_captures_calls():
    x, targets = logits_and_targets(32, 50257)
    hidden, weight, wanted = linear_inputs(32, 9000, 128)

    def work():
        return (
            *rlvr_fast.token_stats(x, targets),
            *nucleus.nucleus_stats(x, targets, top_p=0.9),
            *rlvr_fast.linear_token_stats(hidden, weight, wanted),
        )

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = work()
    x.copy_(logits_and_targets(32, 50257, seed=1)[0])
    hidden.neg_()
    graph.replay()
    torch.cuda.synchronize()
    assert_same(captured, work())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_linear_statistics_and_the_bits_of_target_logits(dtype):
    hidden, weight, targets = linear_inputs(300, 50257, 512, dtype)
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets, temperature=0.8)
    few = slice(0, 16)
    x = hidden[few].double() @ weight.double().t()
    logprob, entropy, _, rank, _ = reference.token_stats(x, targets[few], temperature=0.8)
    assert (stats.logprob[few].double() - logprob).abs().max() < 1e-4
    assert (stats.entropy[few].double() - entropy).abs().max() < 2e-4
    assert (stats.rank[few].long() - rank).abs().max() <= 1
    with (
        torch.no_grad(),
        cuda_kernels.on(hidden.device),
        cuda_products.exact_products(hidden.device),
    ):
        product = cuda_products.Product(weight, hidden.dtype)
        block = product.block(hidden)
        before = product.at_targets(block, targets)
        for first, tile in product.tiles(block):
            inside = ((targets >= first) & (targets < first + tile.shape[1])).nonzero()[:, 0]
            assert torch.equal(tile[inside, targets[inside] - first], before[inside])


def test_linear_rows_have_the_same_bits_in_any_batch():
    hidden, weight, targets = linear_inputs(5000, 50257, 256)
    whole = rlvr_fast.linear_token_stats(hidden, weight, targets)
    for here in (slice(0, 1), slice(2040, 2060), slice(4999, 5000)):
        part = rlvr_fast.linear_token_stats(hidden[here], weight, targets[here])
        assert_same(part, [value[here] for value in whole])
    pair = rlvr_fast.linear_divergence(hidden, weight, -hidden, weight, targets=targets)
    here = slice(3000, 3001)
    part = rlvr_fast.linear_divergence(
        hidden[here], weight, -hidden[here], weight, targets=targets[here]
    )
    assert_same(part, [value[here] for value in pair])


def test_divergence_of_models_with_different_hidden_sizes():
    hidden_p, weight_p, targets = linear_inputs(40, 50257, 256)
    hidden_q, weight_q, _ = linear_inputs(40, 50257, 384, seed=1)
    out = rlvr_fast.linear_divergence(hidden_p, weight_p, hidden_q, weight_q, targets=targets)
    x_p, x_q = hidden_p.double() @ weight_p.double().t(), hidden_q.double() @ weight_q.double().t()
    for got, want in zip(out[:4], reference.divergence(x_p, x_q)[:4], strict=True):
        assert (got.double() - want).abs().max() < 2e-4


def test_workspace_is_bounded():
    x, targets = logits_and_targets(20000, 50257)
    hidden, weight, wanted = linear_inputs(20000, 50257, 4096)
    for work in (
        lambda: rlvr_fast.token_stats(x, targets),
        lambda: nucleus.nucleus_stats(x, targets, top_p=0.9),
        lambda: rlvr_fast.linear_token_stats(hidden, weight, wanted),
        lambda: rlvr_fast.linear_divergence(hidden, weight, hidden, weight, targets=wanted),
    ):
        work()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        assert torch.cuda.max_memory_allocated() - before < 256 << 20


def test_a_tensor_is_scored_on_its_own_device():
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    x, targets = logits_and_targets(8, 5000)
    here = rlvr_fast.token_stats(x, targets)
    there = rlvr_fast.token_stats(x.to("cuda:1"), targets.to("cuda:1"))
    assert there.logprob.device.index == 1
    assert_same([value.to("cuda:0") for value in there], here)
    assert torch.cuda.current_device() == 0

"""The whole CUDA path, on a GPU and on the machine, which runs the kernels' source on the host."""

from __future__ import annotations

import math

import pytest
import torch

import rlvr_fast
from rlvr_fast.scoring.kernels import cuda_fused, reference
from rlvr_fast.scoring.kernels.nucleus import linear_kept_mass, nucleus_stats

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# Absolute errors of float32 arithmetic on exact inputs up to |50|.
LOGPROB, ENTROPY, MASS = 2e-5, 2e-5, 2e-6


def random_logits(rows, columns, dtype=torch.float32, scale=6.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, columns, generator=generator) * scale
    return x.clamp(-50, 50).to(dtype)


def random_targets(rows, columns, seed=1):
    return torch.randint(0, columns, (rows,), generator=torch.Generator().manual_seed(seed))


def assert_stats(stats, expected):
    logprob, entropy, lse, rank, mass = expected
    assert torch.allclose(stats.logprob.double(), logprob, rtol=1e-6, atol=LOGPROB)
    assert torch.allclose(stats.entropy.double(), entropy, rtol=1e-6, atol=ENTROPY)
    assert torch.allclose(stats.logsumexp.double(), lse, rtol=1e-6, atol=LOGPROB)
    assert torch.allclose(stats.mass_above.double(), mass, rtol=1e-5, atol=MASS)
    assert torch.equal(stats.rank.long(), rank)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 111, 8192, 16384, 50257])
def test_token_stats_match_the_definition(kernels, dtype, columns):
    x, targets = random_logits(5, columns, dtype), random_targets(5, columns)
    stats = kernels.token_stats(x, targets, 0.6, None)
    assert_stats(stats, reference.token_stats(x, targets, temperature=0.6))


@pytest.mark.parametrize("dtype", DTYPES)
def test_softcap_and_a_temperature_for_each_row(kernels, dtype):
    x, targets = random_logits(4, 9001, dtype), random_targets(4, 9001)
    temperatures = torch.tensor([0.3, 0.6, 1.0, 2.5])
    stats = kernels.token_stats(x, targets, temperatures, 30.0)
    assert_stats(stats, reference.token_stats(x, targets, softcap=30.0, temperature=temperatures))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_row_stride_and_alignment_gives_the_same_bits(kernels, dtype):
    columns = 20011
    x, targets = random_logits(3, columns, dtype), random_targets(3, columns)
    expected = kernels.token_stats(x, targets, 1.0, None)
    for shift in (1, 2, 3, 4):
        wide = torch.full((3, columns + 13), 7.0, dtype=dtype)
        view = wide[:, shift : shift + columns]
        view.copy_(x)
        for got, want in zip(kernels.token_stats(view, targets, 1.0, None), expected, strict=True):
            assert torch.equal(got, want)
    batch = torch.stack([x, x])[:, :-1]  # leading dimensions with two strides
    got = kernels.token_stats(batch, targets[:2].expand(2, 2), 1.0, None)
    assert torch.equal(got.logprob[1], expected.logprob[:2])
    columns_apart = x.t().contiguous().t()
    got = kernels.token_stats(columns_apart, targets, 1.0, None)
    assert torch.equal(got.entropy, expected.entropy)


def test_masked_logits_and_extremes(kernels):
    columns = 10000
    x, targets = random_logits(7, columns), random_targets(7, columns)
    x[0, : columns - 3] = -math.inf  # a few tokens allowed
    targets[0] = columns - 2
    x[1] -= 1e4
    x[2] = -1e30  # uniform, far below zero
    x[3, targets[3]] = -math.inf  # only the target is masked
    x[4] = -math.inf
    x[4, 77] = 0.0  # one-hot
    targets[4] = 77
    x[5] = x[5].abs() * 1e6  # one very large logit
    x[6, 5] = -1e30
    stats = kernels.token_stats(x, targets, 1.0, None)
    logprob, entropy, _, rank, mass = reference.token_stats(x, targets)
    assert torch.allclose(stats.logprob.double(), logprob, rtol=1e-6, atol=LOGPROB)
    assert torch.allclose(stats.entropy.double(), entropy, rtol=1e-6, atol=ENTROPY)
    assert torch.allclose(stats.mass_above.double(), mass, atol=MASS)
    assert torch.equal(stats.rank.long(), rank)
    assert stats.logprob[2].item() == pytest.approx(-math.log(columns), abs=1e-6)
    assert stats.logprob[3].item() == -math.inf
    assert (stats.logprob[4].item(), stats.entropy[4].item()) == (0.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("column", [0, 7, 9998])
def test_a_row_with_nan_or_positive_infinity_is_undefined(kernels, value, column):
    x, targets = random_logits(3, 9999), random_targets(3, 9999)
    x[1, column] = value
    stats = kernels.token_stats(x, targets, 1.0, None)
    for part in (stats.logprob, stats.entropy, stats.logsumexp, stats.mass_above):
        assert part.isnan().tolist() == [False, True, False]
    assert stats.rank[1].item() == -1
    clean = kernels.token_stats(x[[0, 2]], targets[[0, 2]], 1.0, None)
    assert torch.equal(stats.logprob[[0, 2]], clean.logprob)


def test_rows_without_a_distribution_or_a_target(kernels):
    x = random_logits(5, 300)
    x[1] = -math.inf
    x[2, 9] = math.inf
    targets = torch.tensor([-100, 3, 3, 300, 3])  # 300 is not a column; a GPU call cannot report it
    temperatures = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    stats = kernels.token_stats(x, targets, temperatures, None)
    assert stats.logprob.isnan().all()
    assert stats.rank.tolist() == [-1] * 5
    empty = kernels.token_stats(x[:0], targets[:0], 1.0, None)
    assert empty.logprob.shape == (0,)


def test_equal_logits_do_not_count_as_above(kernels):
    x = torch.tensor([[2.0, 1.0, 2.0, 1.0, 0.5]])
    stats = kernels.token_stats(x.expand(5, 5), torch.arange(5), 1.0, None)
    assert stats.rank.tolist() == [0, 2, 0, 2, 4]
    assert stats.mass_above[0].item() == 0.0


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95, 0.999, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_nucleus_matches_the_sorted_reference(kernels, top_p, dtype, scale):
    columns = 5003
    x = random_logits(40, columns, dtype, scale, seed=3)
    targets = x.float().argsort(-1, descending=True)[torch.arange(40), torch.arange(40) * 50]
    logprob, kept = kernels.nucleus_stats(x, targets, 0.8, None, top_p)
    expected = nucleus_stats(x, targets, top_p=top_p, temperature=0.8)
    # Where the kept probability equals top_p up to rounding, one token more or less is correct too.
    settled = (kept - expected.kept_mass).abs() <= 2e-6
    at_edge = torch.minimum(kept, expected.kept_mass) - top_p
    assert (settled | (at_edge.abs() < 1e-6)).all()
    assert settled.float().mean() >= 0.9
    same = logprob.isinf() == expected.logprob.isinf()
    assert same[settled].all()
    finite = settled & ~logprob.isinf()
    assert torch.allclose(logprob[finite], expected.logprob[finite], atol=2e-5)


def test_ties_at_the_edge_of_the_nucleus_are_kept_in_index_order(kernels):
    x = torch.log(torch.tensor([[0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]])).expand(7, 7)
    logprob, kept = kernels.nucleus_stats(x, torch.arange(7), 1.0, None, 0.65)
    assert logprob.isinf().tolist() == [False] * 4 + [True] * 3
    assert kept.tolist() == pytest.approx([0.7] * 7, abs=1e-6)
    expected = nucleus_stats(x, torch.arange(7), top_p=0.65)
    assert torch.allclose(logprob[:4], expected.logprob[:4], atol=1e-6)


def test_nucleus_of_undefined_and_masked_rows(kernels):
    x = random_logits(4, 100)
    x[0] = -math.inf
    x[1, 4] = math.nan
    x[2, :99] = -math.inf
    logprob, kept = kernels.nucleus_stats(x, torch.tensor([1, 1, 1, -100]), 1.0, None, 0.9)
    assert logprob[[0, 1, 3]].isnan().all()
    assert kept[[0, 1, 3]].isnan().all()
    assert (logprob[2].item(), kept[2].item()) == (-math.inf, 1.0)


@pytest.mark.slow  # importing vLLM
def test_nucleus_agrees_with_vllm(kernels):
    sampler = pytest.importorskip(
        "vllm.v1.sample.ops.topk_topp_sampler", reason="vLLM is not installed"
    )
    x = random_logits(16, 3000, scale=3.0, seed=9)
    for top_p in (0.3, 0.8, 0.95):
        masked = sampler.apply_top_k_top_p_pytorch(x.clone(), None, torch.full((16,), top_p))
        kept = masked > -math.inf
        for target in (0, 17, 2999):
            targets = torch.full((16,), target)
            logprob, _ = kernels.nucleus_stats(x, targets, 1.0, None, top_p)
            assert torch.equal(logprob > -math.inf, kept[:, target])
            want = torch.log_softmax(masked, -1)[:, target]
            inside = kept[:, target]
            assert torch.allclose(logprob[inside], want[inside], atol=2e-5)


def linear_inputs(rows, columns, width, dtype, seed=5):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator).to(dtype)
    weight = (torch.randn(columns, width, generator=generator) / width**0.5 * 4).to(dtype)
    return hidden, weight


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 111, 4096, 4097, 9000])
def test_linear_statistics_match_the_definition(kernels, dtype, columns):
    hidden, weight = linear_inputs(7, columns, 24, dtype)
    bias = torch.randn(columns)
    targets = random_targets(7, columns)
    temperatures = torch.linspace(0.5, 2.0, 7)
    stats = kernels.linear_token_stats(hidden, weight, targets, bias, temperatures, 20.0, 0.7)
    x = hidden.double() @ weight.double().t()
    logprob, entropy, lse, rank, mass = reference.token_stats(
        x, targets, bias=bias, scale=0.7, softcap=20.0, temperature=temperatures
    )
    assert torch.allclose(stats.logprob.double(), logprob, atol=LOGPROB)
    assert torch.allclose(stats.entropy.double(), entropy, atol=ENTROPY)
    assert torch.allclose(stats.logsumexp.double(), lse, atol=LOGPROB)
    assert torch.allclose(stats.mass_above.double(), mass, atol=MASS)
    assert torch.equal(stats.rank.long(), rank)


def test_linear_bits_do_not_depend_on_the_batch(kernels, monkeypatch):
    monkeypatch.setattr(kernels.module, "ROWS", 16)
    hidden, weight = linear_inputs(50, 9000, 32, torch.float32)
    targets = random_targets(50, 9000)
    whole = kernels.linear_token_stats(hidden, weight, targets, None, 1.0, None, 1.0)
    for row in (0, 17, 49):
        one = slice(row, row + 1)
        alone = kernels.linear_token_stats(hidden[one], weight, targets[one], None, 1.0, None, 1.0)
        for got, want in zip(alone, whole, strict=True):
            assert torch.equal(got, want[one])


def test_logits_equal_to_the_target_do_not_rank_above_it(kernels):
    hidden, weight = linear_inputs(9, 9000, 32, torch.float32)
    weight[8500] = weight[3]  # equal logits in the first tile and in the overlapping last tile
    first, last = (
        kernels.linear_token_stats(hidden, weight, torch.full((9,), target), None, 1.0, None, 1.0)
        for target in (3, 8500)
    )
    for got, want in zip(first, last, strict=True):
        assert torch.equal(got, want)
    below = hidden.double() @ weight.double().t()
    assert torch.equal(first.rank.long(), (below > below[:, 3:4] + 1e-9).sum(-1))


def test_slicing_the_weight_removes_vocabulary_padding(kernels):
    hidden, weight = linear_inputs(3, 5000, 16, torch.float32)
    padded = torch.cat([weight, torch.zeros(120, 16)])
    targets = random_targets(3, 5000)
    cut = kernels.linear_token_stats(hidden, padded[:5000], targets, None, 1.0, None, 1.0)
    exact = kernels.linear_token_stats(hidden, weight, targets, None, 1.0, None, 1.0)
    assert torch.equal(cut.logprob, exact.logprob)


def test_linear_ignored_targets_and_no_rows(kernels):
    hidden, weight = linear_inputs(4, 200, 16, torch.bfloat16)
    targets = torch.tensor([[-100, 5], [200, 7]])
    stats = kernels.linear_token_stats(
        hidden.reshape(2, 2, 16), weight, targets, None, 1.0, None, 1.0
    )
    assert stats.logprob.isnan().tolist() == [[True, False], [True, False]]
    assert stats.rank[:, 0].tolist() == [-1, -1]
    empty = kernels.linear_token_stats(hidden[:0], weight, targets[0, :0], None, 1.0, None, 1.0)
    assert empty.logprob.shape == (0,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("epilogue", ["plain", "all"])
def test_probability_kept_by_top_p_from_hidden_states(kernels, dtype, epilogue):
    hidden, weight = linear_inputs(12, 4700, 24, dtype)
    bias = torch.linspace(-2, 2, 4700) if epilogue == "all" else None
    softcap, scale = (6.0, 0.7) if epilogue == "all" else (None, 1.0)
    kept = kernels.linear_kept_mass(hidden, weight, bias, 0.8, softcap, scale, 0.9, 5)
    want = linear_kept_mass(
        hidden, weight, bias=bias, temperature=0.8, softcap=softcap, scale=scale, top_p=0.9
    )
    assert torch.allclose(kept, want, atol=2e-4)  # only one of the two keeps a token at the edge
    assert (kept - want).abs().median() < 1e-6
    assert (kept >= 0.9 - 1e-6).all()
    alone = kernels.linear_kept_mass(hidden[7:8], weight, bias, 0.8, softcap, scale, 0.9, 5)
    assert torch.equal(alone, kept[7:8])


@pytest.fixture(params=["mma", "wgmma", "wgmma_pairs"])
def fused(request, monkeypatch):
    monkeypatch.setenv("RLVR_LINEAR_PATH", "fused")
    monkeypatch.setattr(cuda_fused, "KERNELS", (request.param,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("columns", [1, 111, 4096, 4700])
@pytest.mark.parametrize("epilogue", ["plain", "bias", "scale and softcap", "all"])
def test_fused_statistics_match_the_definition(emulated, fused, dtype, columns, epilogue):
    """The whole kernels on the machine; test_cuda_fused.py tests them on a GPU."""
    rows = 70 if epilogue == "plain" else 9
    hidden, weight = linear_inputs(rows, columns, 24, dtype)
    targets = random_targets(rows, columns)
    targets[3], targets[5] = -100, columns  # not columns: the kernels must not read their bias
    temperatures = torch.linspace(0.5, 2.0, rows)
    bias = torch.linspace(-2, 2, columns) if epilogue in ("bias", "all") else None
    if bias is not None and columns > 100:
        bias[50] = -math.inf  # a mask, which the softcap must not change
        targets[targets == 50] = 51
    softcap, scale = (3.0, 0.7) if epilogue in ("scale and softcap", "all") else (None, 1.0)
    stats = emulated.linear_token_stats(hidden, weight, targets, bias, temperatures, softcap, scale)
    known = (targets >= 0) & (targets < columns)
    x = (hidden.double() @ weight.double().t())[known]
    logprob, entropy, lse, rank, mass = reference.token_stats(
        x, targets[known], bias=bias, temperature=temperatures[known], softcap=softcap, scale=scale
    )
    assert torch.allclose(stats.logprob[known].double(), logprob, atol=LOGPROB)
    assert torch.allclose(stats.entropy[known].double(), entropy, atol=ENTROPY)
    assert torch.allclose(stats.logsumexp[known].double(), lse, atol=LOGPROB)
    assert torch.allclose(stats.mass_above[known].double(), mass, atol=MASS)
    assert (stats.rank[known].long() - rank).abs().max() <= 1
    assert stats.rank[~known].tolist() == [-1, -1]
    assert stats.logprob[~known].isnan().all()


def test_fused_folds_masked_and_extreme_logits(emulated, fused):
    """Products of 1e4 and more, and one that overflows to infinity."""
    hidden, weight = linear_inputs(4, 600, 8, torch.bfloat16)
    hidden[0] *= 1e4
    hidden[1] = 0.0  # uniform
    hidden[2] = 3e38
    weight[5] = 3e38
    weight[6] = 3e38
    targets = torch.tensor([5, 9, 9, 9])
    stats = emulated.linear_token_stats(hidden, weight, targets, None, 1.0, None, 1.0)
    assert stats.logprob[1].item() == pytest.approx(-math.log(600), abs=1e-6)
    assert stats.entropy[1].item() == pytest.approx(math.log(600), abs=1e-6)
    assert stats.logprob[2].isnan()
    assert stats.rank[2].item() == -1


@pytest.mark.parametrize("columns", [1, 111, 4096, 9000])
def test_divergence_matches_the_definition(kernels, columns):
    hidden_p, weight_p = linear_inputs(6, columns, 24, torch.float32, seed=11)
    hidden_q, weight_q = linear_inputs(6, columns, 40, torch.float32, seed=12)
    targets = random_targets(6, columns)
    targets[2] = -100
    out = kernels.linear_divergence(hidden_p, weight_p, hidden_q, weight_q, targets, 0.9)
    x_p, x_q = (h.double() @ w.double().t() for h, w in
                ((hidden_p, weight_p), (hidden_q, weight_q)))  # fmt: skip
    expected = reference.divergence(x_p, x_q, temperature=0.9)[:4]
    for got, want in zip(out[:4], expected, strict=True):
        assert torch.allclose(got.double(), want, rtol=2e-6, atol=3e-5)
    known = targets >= 0
    want = reference.token_stats(x_q[known], targets[known], temperature=0.9)[0]
    assert torch.allclose(out.logprob_q[known].double(), want, atol=LOGPROB)
    assert out.logprob_q.isnan().tolist() == [False, False, True, False, False, False]
    same = kernels.linear_divergence(hidden_p, weight_p, hidden_p, weight_p, None, 1.0)
    assert same.kl_pq.abs().max() < 1e-6
    assert same.logprob_p.isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_cpu_and_cuda_agree(kernels, dtype):
    """Both devices follow one contract, also for masked and undefined rows."""
    x, targets = random_logits(8, 5000, dtype), random_targets(8, 5000)
    x[1] = -math.inf
    x[2] = torch.finfo(dtype).min
    x[3, 100] = math.nan
    x[4, 100] = math.inf
    x[5, targets[5]] = -math.inf
    targets[6] = -100
    for softcap in (None, 12.0):
        got = kernels.token_stats(x, targets, 0.7, softcap)
        want = rlvr_fast.token_stats(x, targets, temperature=0.7, softcap=softcap)
        for a, b in zip(got, want, strict=True):
            assert torch.allclose(a.double(), b.double(), atol=3e-5, rtol=1e-6, equal_nan=True)
    hidden, weight = linear_inputs(8, 5000, 32, dtype)
    got = kernels.linear_token_stats(hidden, weight, targets, None, 0.7, 9.0, 0.5)
    want = rlvr_fast.linear_token_stats(
        hidden, weight, targets, temperature=0.7, softcap=9.0, scale=0.5
    )
    for a, b in zip(got, want, strict=True):
        tolerance = 1 if a.dtype == torch.int32 else 3e-5
        assert torch.allclose(a.double(), b.double(), atol=tolerance, equal_nan=True)

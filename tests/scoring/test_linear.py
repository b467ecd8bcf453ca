"""linear_token_stats and linear_divergence against explicit logits and the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import cpu, reference

# The product is float32: its rounding, about 1e-6 for each logit, is part of the difference.
TOLERANCE = 5e-5


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def integers(high: int, *shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(seed))


def assert_close(stats, expected, tolerance: float = TOLERANCE) -> None:
    for name, a, b in zip(stats._fields, stats, expected, strict=True):
        if name != "rank":
            np.testing.assert_allclose(
                np.asarray(a), np.asarray(b), rtol=1e-6, atol=tolerance, err_msg=name
            )


@pytest.mark.parametrize("vocabulary", [1, 111, 4096, 4097, 50257])
@pytest.mark.parametrize("rows", [1, 17, 289])
def test_linear_token_stats_equal_those_of_the_explicit_logits(rows, vocabulary):
    hidden, weight = normal(rows, 48), normal(vocabulary, 48, seed=2) / 4
    targets = integers(vocabulary, rows)
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets)
    logits = hidden @ weight.T
    explicit = rlvr_fast.token_stats(logits, targets)
    assert_close(stats, explicit)
    assert_close(stats, reference.linear_token_stats(hidden, weight, targets))
    if rows >= cpu.ROW_MULTIPLE:  # for fewer rows the library adds in another order
        assert torch.equal(stats.rank, explicit.rank)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_bias_scale_softcap_and_temperature_together(dtype):
    hidden, weight = normal(40, 32).to(dtype), normal(5000, 32, seed=2).to(dtype)
    bias = normal(5000, seed=3).to(dtype)
    temperature = torch.linspace(0.4, 2.0, 40)
    targets = integers(5000, 40)
    options = {"temperature": temperature, "softcap": 15.0, "scale": 0.5}
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets, bias=bias, **options)
    # The reference takes the same 16-bit inputs, and rounds no logit.
    expected = reference.linear_token_stats(hidden, weight, targets, bias=bias, **options)
    assert_close(stats, expected)
    # A rank may differ where two logits are closer than float32 holds.
    assert ((stats.rank - expected.rank).abs() <= 1).all()


def test_logits_are_never_rounded_to_bfloat16():
    hidden, weight = normal(64, 64).bfloat16(), normal(3000, 64, seed=2).bfloat16()
    targets = integers(3000, 64)
    expected = reference.linear_token_stats(hidden, weight, targets)
    ours = rlvr_fast.linear_token_stats(hidden, weight, targets)
    rounded = rlvr_fast.token_stats(hidden @ weight.T, targets)
    assert (ours.logprob.double() - expected.logprob).abs().max() < TOLERANCE
    assert (rounded.logprob.double() - expected.logprob).abs().max() > 100 * TOLERANCE


def test_tied_tokens_are_tied_in_every_tile():
    # Equal rows of the weight at the ends of tiles; each of them is the target in turn.
    weight = normal(10000, 96, seed=2)
    same = [0, 1, 17, 4095, 4096, 5000, 8191, 8192, 9999]
    weight[same] = weight[0].clone()
    hidden = normal(50, 96)
    ranks = [
        rlvr_fast.linear_token_stats(hidden, weight, torch.full((50,), at)).rank.tolist()
        for at in same
    ]
    assert all(rank == ranks[0] for rank in ranks)
    mass = rlvr_fast.linear_token_stats(hidden, weight, torch.full((50,), 4096)).mass_above
    explicit = rlvr_fast.token_stats(hidden @ weight.T, torch.full((50,), 4096))
    torch.testing.assert_close(mass, explicit.mass_above, rtol=0, atol=1e-6)
    assert torch.equal(explicit.rank, torch.tensor(ranks[0], dtype=torch.int32))


def test_a_target_logit_of_other_bits_is_taken_from_the_tile(monkeypatch):
    """The library may add the few target columns in another order than the tile."""
    hidden, weight, targets = normal(64, 32), normal(9000, 32, seed=2), integers(9000, 64)
    expected = rlvr_fast.linear_token_stats(hidden, weight, targets)
    exact = cpu.WeightTiles.at_targets
    monkeypatch.setattr(
        cpu.WeightTiles,
        "at_targets",
        lambda *args: torch.nextafter(exact(*args), torch.tensor(9e9)),
    )
    found = rlvr_fast.linear_token_stats(hidden, weight, targets)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("vocabulary", [64, 9000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_row_has_the_same_bits_in_any_batch(dtype, vocabulary):
    hidden, weight = normal(300, 64).to(dtype), normal(vocabulary, 64, seed=2).to(dtype)
    targets = integers(vocabulary, 300)
    whole = rlvr_fast.linear_token_stats(hidden, weight, targets)
    for rows in (slice(0, 1), slice(5, 7), slice(100, 133), slice(0, 256)):
        part = rlvr_fast.linear_token_stats(hidden[rows], weight, targets[rows])
        assert all(torch.equal(a[rows], b) for a, b in zip(whole, part, strict=True)), rows


def test_rows_beyond_a_chunk_and_ignored_rows():
    rows = 2 * cpu.ROWS + 77
    hidden, weight, targets = normal(rows, 16), normal(5000, 16, seed=2), integers(5000, rows)
    targets[::3] = -100
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets)
    ignored = targets == -100
    for value in (stats.logprob, stats.entropy, stats.logsumexp, stats.mass_above):
        assert torch.equal(value.isnan(), ignored)
    assert torch.equal(stats.rank == -1, ignored)
    alone = rlvr_fast.linear_token_stats(hidden[~ignored], weight, targets[~ignored])
    assert torch.equal(alone.logprob, stats.logprob[~ignored])


def test_shapes_and_empty_input():
    weight = normal(100, 8)
    hidden = normal(2, 3, 8).transpose(0, 1)
    stats = rlvr_fast.linear_token_stats(hidden, weight, integers(100, 3, 2))
    assert all(value.shape == (3, 2) for value in stats)
    empty = rlvr_fast.linear_token_stats(hidden[:0], weight, torch.empty(0, 2, dtype=torch.long))
    assert all(value.shape == (0, 2) for value in empty)


def test_undefined_rows_give_nan():
    hidden, weight, targets = normal(20, 8), normal(5000, 8, seed=2), integers(5000, 20)
    hidden[3] = torch.nan
    hidden[7] = torch.inf
    stats = rlvr_fast.linear_token_stats(hidden, weight, targets)
    undefined = torch.zeros(20, dtype=torch.bool)
    undefined[[3, 7]] = True
    assert torch.equal(stats.logprob.isnan(), undefined)
    assert torch.equal(stats.rank == -1, undefined)


def test_memory_does_not_grow_with_the_vocabulary():
    """1.2 GB of logits pass through a tile of 16 MB."""
    import subprocess
    import sys

    code = (
        "import resource, torch, rlvr_fast\n"
        "h, w, t = torch.randn(2048, 8), torch.randn(150000, 8), torch.arange(2048)\n"
        "rlvr_fast.linear_token_stats(h[:64], w[:9000], t[:64])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "rlvr_fast.linear_token_stats(h, w, t)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300
    )
    assert int(run.stdout) < 80 * 1024  # KiB


def test_divergence_equals_the_reference():
    hidden_p, weight_p = normal(70, 24), normal(9001, 24, seed=2)
    hidden_q, weight_q = normal(70, 40, seed=3), normal(9001, 40, seed=4)
    targets = integers(9001, 70)
    targets[5] = -100
    temperature = torch.linspace(0.5, 3.0, 70)
    found = rlvr_fast.linear_divergence(
        hidden_p, weight_p, hidden_q, weight_q, targets=targets, temperature=temperature
    )
    expected = reference.linear_divergence(
        hidden_p, weight_p, hidden_q, weight_q, targets=targets, temperature=temperature
    )
    for name, a, b in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=TOLERANCE, err_msg=name)


def test_divergence_of_a_model_with_itself_is_zero():
    hidden, weight = normal(33, 16).bfloat16(), normal(5000, 16, seed=2).bfloat16()
    found = rlvr_fast.linear_divergence(hidden, weight, hidden, weight)
    assert not found.kl_pq.any()
    assert not found.kl_qp.any()
    assert found.logprob_p.isnan().all()
    assert torch.equal(found.entropy_p, found.entropy_q)
    stats = rlvr_fast.linear_token_stats(hidden, weight, torch.zeros(33, dtype=torch.long))
    torch.testing.assert_close(found.entropy_p, stats.entropy, rtol=0, atol=TOLERANCE)


def test_divergence_is_infinite_where_only_one_model_masks_a_token():
    # Column 1 has the logit -inf under q alone, column 2 under both models.
    hidden = torch.ones(1, 1)
    weight_p = torch.tensor([[0.0], [1.0], [-torch.inf]])
    weight_q = torch.tensor([[0.0], [-torch.inf], [-torch.inf]])
    found = rlvr_fast.linear_divergence(hidden, weight_p, hidden, weight_q)
    assert found.kl_pq.item() == np.inf
    assert found.kl_qp.item() == pytest.approx(np.log1p(np.e), abs=1e-6)


def test_divergence_of_distributions_far_apart():
    hidden = torch.ones(3, 1)
    weight = torch.linspace(-4000, 4000, 9000)[:, None]
    found = rlvr_fast.linear_divergence(hidden, weight, hidden, -weight)
    expected = reference.linear_divergence(hidden, weight, hidden, -weight)
    np.testing.assert_allclose(found.kl_pq.numpy(), expected.kl_pq, rtol=1e-5)
    np.testing.assert_allclose(found.entropy_q.numpy(), expected.entropy_q, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h, w, t: rlvr_fast.linear_token_stats(h, w[:, :3], t), "to fit hidden"),
        (lambda h, w, t: rlvr_fast.linear_token_stats(h, w, t[:2]), "leading shape"),
        (lambda h, w, t: rlvr_fast.linear_token_stats(h, w, t + 100), "row 0 holds"),
        (lambda h, w, t: rlvr_fast.linear_token_stats(h, w, t, bias=w[0]), "bias must be"),
        (lambda h, w, t: rlvr_fast.linear_token_stats(h, w, t, temperature=-1), "temperature"),
        (lambda h, w, t: rlvr_fast.linear_token_stats(h.long(), w, t), "hidden must be float32"),
        (lambda h, w, t: rlvr_fast.linear_divergence(h, w, h, w[:5]), "one vocabulary"),
        (lambda h, w, t: rlvr_fast.linear_divergence(h, w, h[:2], w), "same rows"),
        (lambda h, w, t: rlvr_fast.linear_divergence(h, w, h, w, targets=t + 100), "row 0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call(normal(4, 8), normal(50, 8), integers(50, 4))

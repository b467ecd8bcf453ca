"""The float64 reference against values by hand, and against torch's own functions."""

from __future__ import annotations

import math

import by_torch
import numpy as np
import pytest
import torch

from rlvr_fast.scoring.kernels import reference

EXACT = {"rtol": 0, "atol": 1e-12}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_token_stats_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64))
    stats = reference.token_stats(logits, torch.tensor([1]))
    assert stats.logprob.item() == pytest.approx(math.log(0.25))
    assert stats.entropy.item() == pytest.approx(1.5 * math.log(2))
    assert stats.logsumexp.item() == pytest.approx(0, abs=1e-15)
    assert (stats.rank.item(), stats.mass_above.item()) == (1, pytest.approx(0.5))


def test_token_stats_equal_torch(monkeypatch):
    monkeypatch.setattr(reference, "BLOCK_ELEMENTS", 2000)  # several blocks of rows
    logits, targets = normal(11, 700) * 5, torch.arange(11) * 60
    stats = reference.token_stats(logits, targets)
    for value, expected in zip(stats, by_torch.token_stats(logits, targets), strict=True):
        torch.testing.assert_close(value, expected, **EXACT)


def test_bias_scale_softcap_and_temperature():
    logits, bias, each = normal(4, 90), normal(90, seed=1), torch.tensor([0.5, 1.0, 2.0, 3.0])
    targets = torch.tensor([0, 1, 2, 89])
    stats = reference.token_stats(
        logits, targets, bias=bias, scale=0.7, softcap=2.0, temperature=each
    )
    z = 0.7 * (logits.double() + bias.double())
    expected = by_torch.token_stats(2 * torch.tanh(z / 2) / each[:, None].double(), targets)
    for value, other in zip(stats, expected, strict=True):
        torch.testing.assert_close(value, other, **EXACT)


def test_numpy_input_gives_numpy_output():
    logits, targets = normal(2, 3, 50), torch.zeros(2, 3, dtype=torch.long)
    by_numpy = reference.token_stats(logits.numpy(), targets.numpy(), temperature=np.float32(0.5))
    for value, other in zip(
        by_numpy, reference.token_stats(logits, targets, temperature=0.5), strict=True
    ):
        assert isinstance(value, np.ndarray)
        np.testing.assert_array_equal(value, other.numpy())
    assert by_numpy.logprob.shape == (2, 3)


def test_undefined_rows_give_nan():
    logits = torch.zeros(7, 4)
    logits[1, 2], logits[2, 2], logits[3] = math.nan, math.inf, -math.inf
    targets = torch.tensor([0, 0, 0, 0, -100, 4, 0])
    each = torch.tensor([1.0, 1, 1, 1, 1, 1, 0])
    stats = reference.token_stats(logits, targets, temperature=each)
    nucleus = reference.nucleus_stats(logits, targets, top_p=0.5, temperature=each)
    for value in (*stats, *nucleus):
        undefined = value.isnan() if value.is_floating_point() else value == -1
        assert undefined.tolist() == [False] + [True] * 6
    divergence = reference.divergence(logits, torch.zeros(7, 4), temperature=each)
    assert divergence.kl_pq.isnan().tolist() == [False, True, True, True, False, False, True]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.2, 0.5), (0.5, 0.5), (0.51, 0.75), (0.75, 0.75), (0.8, 0.875), (0.9, 1.0), (1.0, 1.0)],
)
def test_nucleus_by_hand(top_p, kept):
    probabilities = torch.tensor([0.125, 0.5, 0.125, 0.25], dtype=torch.float64)
    logits = probabilities.log().expand(4, 4)
    stats = reference.nucleus_stats(logits, torch.arange(4), top_p=top_p)
    assert stats.kept_mass.tolist() == pytest.approx([kept] * 4)
    # Of the tokens 0 and 2, which tie, the nucleus keeps the first one first.
    for token, ahead in enumerate((0.75, 0.0, 0.875, 0.5)):
        expected = math.log(probabilities[token] / kept) if ahead < top_p else -math.inf
        assert stats.logprob[token].item() == pytest.approx(expected)


def test_divergence_equals_torch():
    p, q = normal(6, 80) * 2, normal(6, 80, seed=1) * 2
    stats = reference.divergence(p, q, targets=torch.arange(6))
    log_p, log_q = (torch.log_softmax(x.double(), -1) for x in (p, q))
    kl_pq = torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1)
    torch.testing.assert_close(stats.kl_pq, kl_pq, **EXACT)
    torch.testing.assert_close(reference.divergence(q, p).kl_qp, kl_pq, **EXACT)
    torch.testing.assert_close(stats.entropy_q, by_torch.token_stats(q, torch.arange(6)).entropy)
    torch.testing.assert_close(stats.logprob_q, log_q.diagonal(), **EXACT)


def test_divergence_of_masked_tokens():
    p = torch.tensor([[0.0, 1.0, -math.inf]])
    q = torch.tensor([[0.0, -math.inf, -math.inf]])
    stats = reference.divergence(p, q)
    assert stats.kl_pq.item() == math.inf
    assert stats.kl_qp.item() == pytest.approx(math.log1p(math.e))
    assert stats.logprob_p.isnan().all()


def test_linear_functions_equal_those_of_the_explicit_logits(monkeypatch):
    monkeypatch.setattr(reference, "BLOCK_ELEMENTS", 400)  # several blocks of rows and of columns
    hidden, weight, bias = normal(2, 3, 8), normal(300, 8, seed=1), normal(300, seed=2)
    targets = torch.arange(6).reshape(2, 3)
    logits = hidden.double() @ weight.double().t()
    torch.testing.assert_close(reference.linear_logits(hidden, weight), logits, **EXACT)
    options = {"bias": bias, "scale": 0.5, "softcap": 3.0, "temperature": 0.8}
    linear = reference.linear_token_stats(hidden, weight, targets, **options)
    explicit = reference.token_stats(logits, targets, **options)
    for value, other in zip(linear, explicit, strict=True):
        torch.testing.assert_close(value, other, **EXACT)
    linear = reference.linear_divergence(hidden, weight, -hidden, weight, targets=targets)
    explicit = reference.divergence(logits, -logits, targets=targets)
    for value, other in zip(linear, explicit, strict=True):
        torch.testing.assert_close(value, other, **EXACT)


def test_empty_input():
    stats = reference.token_stats(torch.empty(3, 0, 5), torch.empty(3, 0, dtype=torch.long))
    assert all(value.shape == (3, 0) for value in stats)
    stats = reference.token_stats(torch.empty(2, 0), torch.tensor([-100, -100]))
    assert stats.logprob.isnan().all()

"""nucleus_stats on the CPU: by hand, against the reference, at the edges, and with bad input."""

from __future__ import annotations

import math

import pytest
import torch

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import reference

HALVES = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]]))  # their sums are exact


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.2, 0.5), (0.5, 0.5), (0.51, 0.75), (0.75, 0.75), (0.8, 0.875), (0.9, 1.0), (1.0, 1.0)],
)
def test_the_nucleus_is_the_smallest_set_of_probability_top_p(top_p, kept):
    logits = HALVES.expand(4, 4)
    stats = rlvr_fast.nucleus_stats(logits, torch.arange(4), top_p=top_p)
    assert torch.allclose(stats.kept_mass, torch.full((4,), kept))
    for token, p in enumerate((0.5, 0.25, 0.125, 0.125)):
        ahead = (0.0, 0.5, 0.75, 0.875)[token]  # of tokens that tie, the first are kept
        want = math.log(p / kept) if ahead < top_p else -math.inf
        assert stats.logprob[token].item() == pytest.approx(want, abs=1e-6)
    inside = stats.logprob.exp()
    assert inside.sum().item() == pytest.approx(1.0, abs=1e-6)


def test_nucleus_stats_agree_with_token_stats_and_the_reference():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 50, 700, generator=generator) * 4
    targets = torch.randint(0, 700, (3, 50), generator=generator)
    for softcap in (None, 8.0):
        stats = rlvr_fast.nucleus_stats(
            logits, targets, top_p=0.9, temperature=0.7, softcap=softcap
        )
        whole = rlvr_fast.token_stats(logits, targets, temperature=0.7, softcap=softcap)
        assert isinstance(stats, rlvr_fast.NucleusStats)
        assert stats.logprob.shape == stats.kept_mass.shape == targets.shape
        inside = whole.mass_above < 0.9
        assert torch.equal(stats.logprob > -math.inf, inside)
        want = whole.logprob - stats.kept_mass.log()
        assert torch.allclose(stats.logprob[inside], want[inside], atol=2e-5)
        assert (stats.kept_mass >= 0.9 - 1e-6).all()
        exact = reference.nucleus_stats(
            logits, targets, top_p=0.9, temperature=0.7, softcap=softcap
        )
        for value, expected in zip(stats, exact, strict=True):
            torch.testing.assert_close(value.double(), expected, atol=2e-6, rtol=1e-6)


def test_rows_without_a_distribution_give_nan():
    logits = HALVES.repeat(5, 1)
    logits[1] = -math.inf
    logits[2, 3] = math.nan
    logits[3, 0] = math.inf
    logits[4, 1:] = -math.inf
    stats = rlvr_fast.nucleus_stats(logits, torch.tensor([-100, 0, 0, 0, 0]), top_p=0.5)
    assert stats.logprob.isnan().tolist() == [True, True, True, True, False]
    assert stats.kept_mass.isnan().tolist() == [True, True, True, True, False]
    assert stats.logprob[4].item() == 0.0
    empty = rlvr_fast.nucleus_stats(logits[:0], torch.zeros(0, dtype=torch.int64), top_p=0.5)
    assert empty.logprob.shape == (0,)


@pytest.mark.parametrize("top_p", [0.0, -0.1, 1.0001, math.nan, "0.9", None])
def test_a_top_p_outside_its_range_is_refused(top_p):
    with pytest.raises(InvalidInputError, match="top_p"):
        rlvr_fast.nucleus_stats(HALVES, torch.tensor([0]), top_p=top_p)


@pytest.mark.parametrize("target", [4, -1])
def test_a_target_outside_the_vocabulary_is_refused(target):
    with pytest.raises(InvalidInputError, match="targets"):
        rlvr_fast.nucleus_stats(HALVES, torch.tensor([target]), top_p=0.5)

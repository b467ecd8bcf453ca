"""Properties of token_stats for any logits."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.scoring.kernels import reference

SETTINGS = settings(max_examples=60, deadline=None)

logits = st.lists(
    st.one_of(st.floats(-60, 60, width=32), st.just(-math.inf), st.sampled_from([0.0, 1.0])),
    min_size=1,
    max_size=200,
).filter(lambda row: any(math.isfinite(z) for z in row))


def stats_of(row, target: int):
    return rlvr_fast.token_stats(np.array([row], np.float32), np.array([target]))


@given(logits, st.data())
@SETTINGS
def test_probabilities_and_bounds(row, data):
    target = data.draw(st.integers(0, len(row) - 1))
    stats = stats_of(row, target)
    allowed = sum(math.isfinite(z) for z in row)
    assert -1e-6 <= stats.entropy[0] <= math.log(allowed) + 1e-5
    assert stats.logprob[0] <= 0
    assert 0 <= stats.mass_above[0] <= 1
    assert 0 <= stats.rank[0] < len(row)
    assert stats.mass_above[0] + math.exp(stats.logprob[0]) <= 1 + 1e-5
    total = sum(math.exp(stats_of(row, i).logprob[0]) for i in range(len(row)))
    assert abs(total - 1) < 1e-5


@given(logits, st.integers(-1000, 1000), st.data())
@SETTINGS
def test_a_shift_of_all_logits_changes_nothing_but_logsumexp(row, shift, data):
    target = data.draw(st.integers(0, len(row) - 1))
    # Multiples of 1/64: a shift of a thousand rounds none of them.
    row = [round(z * 64) / 64 if math.isfinite(z) else z for z in row]
    a, b = stats_of(row, target), stats_of([z + shift for z in row], target)
    for name in ("logprob", "entropy", "mass_above"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=2e-5)
    assert a.rank == b.rank
    np.testing.assert_allclose(a.logsumexp + shift, b.logsumexp, rtol=3e-7, atol=2e-5)


@given(logits, st.randoms(use_true_random=False), st.data())
@SETTINGS
def test_a_permutation_of_the_vocabulary_changes_nothing(row, random, data):
    target = data.draw(st.integers(0, len(row) - 1))
    order = list(range(len(row)))
    random.shuffle(order)
    a = stats_of(row, target)
    b = stats_of([row[i] for i in order], order.index(target))
    assert a.rank == b.rank
    for name in ("logprob", "entropy", "logsumexp", "mass_above"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=1e-5)


@given(logits, st.lists(st.integers(0, 200), max_size=6), st.data())
@SETTINGS
def test_states_merge_associatively(row, cuts, data):
    """A row cut anywhere (also into empty pieces) and merged from either end."""
    target = row[data.draw(st.integers(0, len(row) - 1))]
    exponents = [z / math.log(2) for z in row]
    whole = _core.fold_pieces(exponents, target / math.log(2), [len(row)])
    bounds = [*sorted(min(cut, len(row)) for cut in cuts), len(row)]
    for from_right in (False, True):
        found = _core.fold_pieces(exponents, target / math.log(2), bounds, from_right)
        assert found[3] == whole[3]
        np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-12)


@given(logits, st.floats(0.05, 20), st.data())
@SETTINGS
def test_temperature_divides_the_logits(row, temperature, data):
    target = data.draw(st.integers(0, len(row) - 1))
    z = torch.tensor([row])
    a = rlvr_fast.token_stats(z, torch.tensor([target]), temperature=temperature)
    b = reference.token_stats(z, torch.tensor([target]), temperature=np.float32(temperature))
    np.testing.assert_allclose(a.logprob[0].item(), b.logprob.item(), rtol=1e-6, atol=2e-5)

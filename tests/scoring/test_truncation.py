"""Kept mass and membership under top_k, min_p and top_p together: by hand, by loops, in a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring import ScoreOptions, Scorer, linear_token_stats
from rlvr_fast.scoring.kernels import kept_mass, reference
from rlvr_fast.scoring.kernels.nucleus import linear_truncation, nucleus_stats, outside_nucleus
from rlvr_fast.scoring.kernels.sorted_nucleus import sorted_nucleus_stats

TENTHS = torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.1]], dtype=torch.float64)).float()


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def by_loops(logits, temperature, top_p, top_k, min_p):
    """(set of kept tokens, their probability) of one row, in float64."""
    weights = np.exp((np.asarray(logits, np.float64) - np.max(logits)) / temperature)
    p = weights / weights.sum()
    order = sorted(range(len(p)), key=lambda token: (-p[token], token))
    n = int((p >= min_p * p.max()).sum())
    n = min(n, top_k) if top_k else n
    whole = sum(p[token] for token in order[:n])
    kept, mass = [], 0.0
    for token in order[:n]:
        if kept and top_p < 1 and mass >= top_p * whole:
            break
        kept.append(token)
        mass += p[token]
    return set(kept), mass


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_p": 1.0, "top_k": 3}, [0.4, 0.3, 0.2]),
        ({"top_p": 1.0, "min_p": 0.49}, [0.4, 0.3, 0.2]),
        ({"top_p": 1.0, "top_k": 2, "min_p": 0.2}, [0.4, 0.3]),
        ({"top_p": 1.0, "top_k": 3, "min_p": 0.6}, [0.4, 0.3]),
        # of 0.9 that top_k leaves, 0.63 need two tokens and 0.72 need three
        ({"top_p": 0.7, "top_k": 3}, [0.4, 0.3]),
        ({"top_p": 0.8, "top_k": 3}, [0.4, 0.3, 0.2]),
        ({"top_p": 0.8}, [0.4, 0.3, 0.2]),
        ({"top_p": 0.99, "top_k": 1}, [0.4]),
        ({"top_p": 0.5, "min_p": 1.0}, [0.4]),
        ({"top_p": 1.0, "top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
    ],
)
def test_the_kept_tokens_by_hand(options, kept):
    stats = rlvr_fast.nucleus_stats(TENTHS.expand(4, 4), torch.arange(4), **options)
    torch.testing.assert_close(stats.kept_mass, torch.full((4,), sum(kept)))
    want = [math.log(p / sum(kept)) for p in kept] + [-math.inf] * (4 - len(kept))
    torch.testing.assert_close(stats.logprob, torch.tensor(want))
    exact = reference.nucleus_stats(TENTHS.expand(4, 4), torch.arange(4), **options)
    for found, expected in zip(stats, exact, strict=True):
        torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-6)


def test_of_tokens_that_tie_the_first_are_kept():
    logits = torch.zeros(5, 5)
    stats = rlvr_fast.nucleus_stats(logits, torch.arange(5), top_p=1.0, top_k=2)
    assert (stats.logprob > -math.inf).tolist() == [True, True, False, False, False]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_all_ways_agree_with_loops(data):
    top_p = data.draw(st.sampled_from([0.1, 0.6, 0.95, 1.0]), "top_p")
    top_k = data.draw(st.sampled_from([0, 1, 3, 50, 2000]), "top_k")
    min_p = data.draw(st.sampled_from([0.0, 1e-3, 0.1, 0.8, 1.0]), "min_p")
    temperature = data.draw(st.sampled_from([0.4, 1.0, 1.6]), "temperature")
    vocabulary = data.draw(st.sampled_from([1, 7, 200, 1500]), "vocabulary")
    rng = np.random.default_rng(data.draw(st.integers(0, 1000), "seed"))
    hidden = torch.from_numpy(rng.normal(0, 1, (6, 8)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(0, 1, (vocabulary, 8)).astype(np.float32))
    logits = hidden @ weight.t()
    cut = {"top_p": top_p, "top_k": top_k, "min_p": min_p}
    ways = [by_loops(row.tolist(), temperature, top_p, top_k, min_p) for row in logits]
    mass = torch.tensor([mass for _, mass in ways])
    # Targets of each row: the last kept token, the first one left out, any.
    order = logits.argsort(dim=-1, descending=True, stable=True)
    sizes = torch.tensor([len(kept) for kept, _ in ways])
    for place in (sizes - 1, sizes.clamp(max=vocabulary - 1), torch.arange(6) % vocabulary):
        targets = order.gather(1, place[:, None])[:, 0]
        inside = torch.tensor([int(t) in kept for t, (kept, _) in zip(targets, ways, strict=True)])
        for function in (nucleus_stats, reference.nucleus_stats):
            stats = function(logits, targets, temperature=temperature, **cut)
            torch.testing.assert_close(stats.kept_mass.float(), mass.float(), atol=1e-5, rtol=0)
            assert torch.equal(stats.logprob > -math.inf, inside)
        truncation = linear_truncation(hidden, weight, temperature=temperature, **cut)
        torch.testing.assert_close(truncation.kept_mass, mass.float(), atol=1e-5, rtol=0)
        whole = linear_token_stats(hidden, weight, targets, temperature=temperature)
        assert torch.equal(outside_nucleus(whole, truncation, **cut), ~inside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("top_k", "min_p"), [(9, 0.0), (0, 0.03), (9, 0.03)])
def test_truncation_equals_the_reference(top_k, min_p, dtype, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(kept_mass, "LOGIT_ELEMENTS", 7 * 1501)  # several chunks of rows
    monkeypatch.setattr(kept_mass, "WEIGHT_ELEMENTS", 16 * 40)  # several chunks of columns
    hidden, bias = torch.randn(23, 16), torch.randn(1501)
    weight = torch.randn(1501, 16).to(dtype)
    options = {"temperature": 0.6, "softcap": 20.0}
    logits = 0.5 * (hidden @ weight.float().t() + bias)
    cut = {"top_p": 0.9, "top_k": top_k, "min_p": min_p}
    targets = torch.zeros(23, dtype=torch.int64)
    found = linear_truncation(hidden, weight, bias=bias, scale=0.5, **cut, **options)
    left = reference.nucleus_stats(logits, targets, **{**cut, "top_p": 1.0}, **options).kept_mass
    kept = reference.nucleus_stats(logits, targets, **cut, **options).kept_mass
    largest = torch.softmax(20 * torch.tanh(logits.double() / 20) / 0.6, -1).amax(-1)
    for value, expected in zip(found, (kept, left, largest), strict=True):
        torch.testing.assert_close(value.double(), expected, atol=1e-5, rtol=0)


def test_rows_without_a_distribution_give_nan():
    logits = TENTHS.repeat(6, 1)
    logits[1] = -math.inf
    logits[2, 3] = math.nan
    logits[3, 0] = math.inf
    targets = torch.tensor([-100, 0, 0, 0, 7, 2])  # 7: a device that reads no target gives nan
    stats = sorted_nucleus_stats(logits, targets, 1.0, None, 0.9, 3, 0.1)
    assert stats.logprob.isnan().tolist() == [True] * 5 + [False]
    assert stats.kept_mass.isnan().tolist() == [True] * 5 + [False]
    hidden = torch.tensor([[1.0], [math.nan]])
    found = linear_truncation(hidden, torch.tensor([[0.0], [2.0]]), top_p=1.0, top_k=1)
    assert found.kept_mass.isnan().tolist() == [False, True]
    assert linear_truncation(hidden[:0], hidden, top_p=1.0, min_p=0.5).largest.shape == (0,)


def test_the_operator_takes_the_new_arguments():
    logits, targets = torch.randn(3, 50), torch.tensor([0, 49, 7])
    found = torch.ops.rlvr_fast.nucleus_stats(logits, targets, 0.9, None, 0.7, 0.0, 4, 0.05)
    want = nucleus_stats(logits, targets, top_p=0.9, temperature=0.7, top_k=4, min_p=0.05)
    assert all(torch.equal(a, b) for a, b in zip(found, want, strict=True))


@pytest.mark.parametrize(
    "options", [{"top_k": -1}, {"top_k": 2.0}, {"top_k": True}, {"min_p": -0.1}, {"min_p": 1.5},
                {"min_p": math.nan}, {"min_p": "0.1"}],
)  # fmt: skip
def test_values_out_of_range_are_refused(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        rlvr_fast.nucleus_stats(TENTHS, torch.tensor([0]), top_p=1.0, **options)
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        small_scorer().score([[1]], [[2]], **options)


def small_scorer(vocabulary: int = 61) -> Scorer:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, initializer_range=0.5,
    )  # fmt: skip
    return Scorer(LlamaForCausalLM(config))


@pytest.mark.parametrize(
    "cut", [{"top_k": 5}, {"min_p": 0.1}, {"top_k": 9, "min_p": 0.02, "top_p": 0.8}], ids=str
)
def test_scores_are_those_of_the_truncated_distribution(cut):
    scorer = small_scorer()
    rng = np.random.default_rng(0)
    prompts = rng.integers(0, 61, (12, 4)).tolist()
    completions = rng.integers(0, 61, (12, 6)).tolist()
    scores = scorer.score(prompts, completions, temperature=0.8, **cut)
    plain = scorer.score(prompts, completions, temperature=0.8)
    assert plain.log_kept_mass is None
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        with torch.no_grad():
            logits = scorer.model(torch.tensor([prompt + completion])).logits[0, 3:-1]
        exact = reference.nucleus_stats(
            logits, torch.tensor(completion), temperature=0.8, **{"top_p": 1.0, **cut}
        )
        assert scores.log_kept_mass[i] == pytest.approx(
            float(exact.kept_mass.log().sum()), abs=1e-4
        )
        assert scores.num_outside_nucleus[i] == int((exact.logprob == -math.inf).sum())
        assert scores.logprob[i] == plain.logprob[i]
    assert 0 < scores.num_outside_nucleus.sum() < 12 * 6


def test_as_sampled_beside_a_truncation_is_refused():
    for options in ({"top_k": 4}, {"min_p": 0.1}):
        with pytest.raises(InvalidInputError, match="as_sampled takes temperature, top_p, top_k"):
            ScoreOptions(as_sampled=True, **options)

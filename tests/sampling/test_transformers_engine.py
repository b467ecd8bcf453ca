"""The transformers engine draws from the model's own distribution, in any batch."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from tiny import END, VOCABULARY, save_tiny
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    Qwen2Config,
)

from rlvr_fast.errors import InvalidInputError, UnsupportedModelError
from rlvr_fast.sampling import Completion, Request, SamplingParameters, load_engine
from rlvr_fast.sampling.engines.transformers.nucleus import nucleus_mask, sample_tokens, uniforms


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("llama"), LlamaConfig)


def requests(samples: int, lengths=(3, 9, 5)) -> list[Request]:
    return [
        Request(
            f"p{number}",
            [(7 * number + 3 * j) % (VOCABULARY - 2) + 2 for j in range(length)],
            np.arange(samples),
            np.arange(samples) + 1000 * number,
        )
        for number, length in enumerate(lengths)
    ]


def draw(engine, samples: int, parameters: SamplingParameters) -> dict[tuple[str, int], Completion]:
    found = list(engine.generate(requests(samples), parameters))
    drawn = {(c.problem_id, c.sample_index): c for c in found}
    assert len(drawn) == len(found) == 3 * samples
    return drawn


def naive(model, request: Request, seed: int, parameters: SamplingParameters) -> list[int]:
    """One token after the other, each from a run of the whole sequence, in float64."""
    ids = list(request.prompt_token_ids)
    drawn: list[int] = []
    while len(drawn) < parameters.max_tokens and (not drawn or drawn[-1] != END):
        with torch.no_grad():
            logits = model(torch.tensor([ids + drawn])).logits[0, -1].double()
        p = torch.softmax(logits / parameters.temperature, -1).numpy()
        order = np.argsort(-p, kind="stable")
        kept, mass = [], 0.0
        for token in order:
            kept.append(token)
            mass += p[token]
            if mass >= parameters.top_p:
                break
        u = uniforms(np.array([seed]), np.array([len(drawn)]))[0]
        drawn.append(int(kept[int(np.searchsorted(np.cumsum(p[kept]), u * mass, side="right"))]))
    return drawn


@pytest.mark.parametrize("config", [LlamaConfig, Qwen2Config, MistralConfig, Gemma2Config])
def test_draws_are_those_of_the_naive_sampler(tmp_path, config):
    extra = {"head_dim": 8} if config is Gemma2Config else {}
    if config in (MistralConfig, Gemma2Config):
        extra["sliding_window"] = 6  # shorter than prompt and completion, so that it matters
    engine = load_engine("transformers", save_tiny(tmp_path, config, **extra), batch_size=4)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    parameters = SamplingParameters(temperature=0.9, top_p=0.9, max_tokens=12)
    drawn = draw(engine, 6, parameters)
    for request in requests(6):
        for index, seed in zip(request.sample_indices, request.seeds, strict=True):
            completion = drawn[request.problem_id, int(index)]
            assert completion.token_ids == naive(model, request, int(seed), parameters)
            assert completion.seed == seed
            ended = completion.token_ids[-1] == END
            assert completion.finish_reason == ("stop" if ended else "length")


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_draw_does_not_depend_on_its_batch(llama, batch_size):
    parameters = SamplingParameters(temperature=1.0, top_p=0.95, max_tokens=20)
    engine = load_engine("transformers", llama, batch_size=7)
    assert draw(load_engine("transformers", llama, batch_size=batch_size), 20, parameters) == draw(
        engine, 20, parameters
    )


def test_threads_do_not_change_a_draw(llama):
    engine = load_engine("transformers", llama)
    parameters = SamplingParameters(temperature=1.0, max_tokens=20)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(draw(engine, 16, parameters))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_frequencies_are_those_of_the_nucleus(llama):
    """4000 draws against the exact distribution: chi-square below its 1e-6 quantile."""
    from scipy.stats import chi2

    engine = load_engine("transformers", llama)
    request = requests(4000)[0]
    parameters = SamplingParameters(temperature=1.3, top_p=0.8, max_tokens=1)
    counts = Counter(c.token_ids[0] for c in engine.generate([request], parameters))
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([request.prompt_token_ids])).logits[0, -1].double()
    p = np.sort(torch.softmax(logits / 1.3, -1).numpy())[::-1]
    tokens = torch.softmax(logits, -1).argsort(descending=True).tolist()
    size = int(np.searchsorted(np.cumsum(p), 0.8)) + 1
    assert set(counts) <= set(tokens[:size])
    expected = p[:size] / p[:size].sum() * 4000
    observed = np.array([counts[token] for token in tokens[:size]])
    usual = expected > 5
    statistic = ((observed - expected) ** 2 / expected)[usual].sum()
    assert statistic < chi2.ppf(1 - 1e-6, usual.sum() - 1)
    assert usual.sum() > 3


def test_temperature_zero_is_greedy(llama):
    engine = load_engine("transformers", llama)
    drawn = draw(engine, 4, SamplingParameters(temperature=0, max_tokens=8))
    for number in range(3):
        assert len({tuple(drawn[f"p{number}", i].token_ids) for i in range(4)}) == 1


def test_stop_texts_end_a_completion(llama):
    engine = load_engine("transformers", llama)
    free = draw(engine, 8, SamplingParameters(temperature=1.0, max_tokens=20))
    stop = next(c.text.split()[3] for c in free.values() if len(c.text.split()) > 5)
    stopped = draw(engine, 8, SamplingParameters(temperature=1.0, max_tokens=20, stop=(stop,)))
    shortened = 0
    for key, completion in free.items():
        before, found, _ = completion.text.partition(stop)
        assert stopped[key].text == before
        if found:
            shortened += 1
            assert stopped[key].finish_reason == "stop"
            assert stopped[key].token_ids == completion.token_ids[: len(stopped[key].token_ids)]
            known = [token for token in stopped[key].token_ids if token != 0]  # <unk>: no text
            assert len(known) == len(before.split()) + 1
    assert shortened


def test_the_context_ends_a_completion(llama):
    engine = load_engine("transformers", llama)
    request = Request("long", [5] * 60, np.arange(50), np.arange(50))
    drawn = list(engine.generate([request], SamplingParameters(temperature=2.0, top_p=1.0)))
    assert max(len(c.token_ids) for c in drawn) == 4
    assert all(len(c.token_ids) == 4 for c in drawn if c.finish_reason == "length")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([5] * 64, r"'p'.*64 tokens.*holds 64"),
        ([5, VOCABULARY], r"'p'.*token id 96.*tokenizer"),
        ([], r"'p'.*no tokens"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(llama, prompt, message):
    engine = load_engine("transformers", llama)
    with pytest.raises(InvalidInputError, match=message):
        list(engine.generate([Request("p", prompt, np.arange(1), np.arange(1))], P))


P = SamplingParameters()


def test_no_request_gives_no_draw(llama):
    assert list(load_engine("transformers", llama).generate([], P)) == []


def test_models_without_a_key_value_cache_are_refused_by_name(tmp_path):
    save_tiny(tmp_path, MambaConfig)
    with pytest.raises(UnsupportedModelError, match=r"MambaForCausalLM.*vllm"):
        load_engine("transformers", str(tmp_path))


def test_unknown_engines_arguments_and_models_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match=r"unknown engine 'llama\.cpp'.*transformers, vllm"):
        load_engine("llama.cpp", "m")
    with pytest.raises(InvalidInputError, match=r"'batch'\..*'batch_size'.*device, dtype, batch_"):
        load_engine("transformers", str(tmp_path), batch=4)
    with pytest.raises(InvalidInputError, match="cannot be loaded"):
        load_engine("transformers", str(tmp_path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_p": 0},
        {"top_p": 1.5},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"seed": "1"},
        {"stop": "no"},
        {"stop": ("",)},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(InvalidInputError):
        SamplingParameters(**wrong)


def test_one_value_has_one_spelling():
    assert SamplingParameters(temperature=1, top_p=1).to_json() == {
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": 16384,
        "seed": 0,
        "stop": [],
    }


# -- the nucleus ---------------------------------------------------------------------------------


@pytest.mark.parametrize("vocabulary", [1, 2, 8, 9, 64, 65, 300])
@pytest.mark.parametrize("top_p", [1e-9, 0.3, 0.95, 1.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0, 40.0])
def test_tokens_are_those_of_the_inverse_distribution(vocabulary, top_p, scale):
    generator = np.random.default_rng(vocabulary)
    logits = torch.from_numpy(generator.normal(size=(200, vocabulary)) * scale).float()
    u = generator.random(200)
    u[:2] = 0.0, 1 - 2.0**-53
    got = sample_tokens(logits, u, temperature=0.7, top_p=top_p)
    p = torch.softmax(logits / 0.7, -1).double()
    values, order = p.sort(dim=-1, descending=True, stable=True)
    for row in range(200):
        token = int(got[row])
        place = int((order[row] == token).nonzero())
        # The probability of likelier tokens is below top_p: the token is in the nucleus.
        likelier = float(values[row][values[row] > p[row, token]].sum())
        assert likelier < top_p + 1e-6
        assert p[row, token] > 0
        if scale > 0 and top_p < 1:
            kept = values[row] * ((values[row].cumsum(0) - values[row]) < top_p)
            total = kept.sum()
            low = kept[:place].sum() / total
            assert low - 1e-5 <= u[row] <= low + kept[place] / total + 1e-5


def test_the_token_that_reaches_top_p_is_in_the_nucleus():
    p = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    for top_p, size in ((0.4, 1), (0.5, 1), (0.500001, 2), (0.9, 3), (0.96, 4)):
        assert nucleus_mask(p, top_p).sum() == size


def test_random_numbers_are_uniform_and_depend_on_seed_and_position():
    seeds = np.arange(20000)
    u = uniforms(seeds, np.zeros(20000, np.int64))
    v = uniforms(seeds, np.ones(20000, np.int64))
    for x in (u, v):
        assert 0 <= x.min() < 1e-3
        assert 1 - 1e-3 < x.max() < 1
        assert abs(np.histogram(x, 20, (0, 1))[0] - 1000).max() < 200  # 6 sigma
    assert abs(np.corrcoef(u, v)[0, 1]) < 0.04
    assert uniforms(seeds[7:8], np.array([1]))[0] == v[7]

"""The Scorer against the full logits of transformers, for each architecture."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from by_models import (
    SMALL,
    VOCABULARY,
    expected_statistics,
    full_logits,
    random_sequences,
    small,
)

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import reference
from rlvr_fast.scoring.models.distributions import Distribution
from rlvr_fast.scoring.models.forward import Forward
from rlvr_fast.scoring.models.heads import HEADS
from rlvr_fast.scoring.models.shared_prompts import plan_shared

EXPERTS = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
    "decoder_sparse_step": 1,
}  # fmt: skip
NO_GROUPS = {"num_key_value_heads": 4}

# A small configuration of each architecture, with the factor or the cap of its head.
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "LlamaForCausalLM": ("LlamaConfig", {"tie_word_embeddings": True}),
    "MistralForCausalLM": ("MistralConfig", {"sliding_window": 8}),
    "MixtralForCausalLM": ("MixtralConfig", {"num_local_experts": 4}),
    "Qwen2ForCausalLM": ("Qwen2Config", {}),
    "Qwen2MoeForCausalLM": ("Qwen2MoeConfig", {**EXPERTS, "shared_expert_intermediate_size": 24}),
    "Qwen3ForCausalLM": ("Qwen3Config", {"head_dim": 8}),
    "Qwen3MoeForCausalLM": ("Qwen3MoeConfig", {**EXPERTS, "head_dim": 8}),
    "PhiForCausalLM": ("PhiConfig", {"num_key_value_heads": 4}),
    "Phi3ForCausalLM": ("Phi3Config", {}),
    "OlmoForCausalLM": ("OlmoConfig", {}),
    "Olmo2ForCausalLM": ("Olmo2Config", {}),
    "Olmo3ForCausalLM": ("Olmo3Config", {"sliding_window": 8}),
    "SmolLM3ForCausalLM": ("SmolLM3Config", {}),
    "StableLmForCausalLM": ("StableLmConfig", NO_GROUPS),
    "Starcoder2ForCausalLM": ("Starcoder2Config", {}),
    "GemmaForCausalLM": ("GemmaConfig", {"head_dim": 8}),
    "Gemma2ForCausalLM": (
        "Gemma2Config", {"head_dim": 8, "final_logit_softcapping": 2.0, "sliding_window": 8},
    ),
    "Gemma3ForCausalLM": (
        "Gemma3TextConfig", {"head_dim": 8, "final_logit_softcapping": 2.0, "sliding_window": 8},
    ),
    "CohereForCausalLM": ("CohereConfig", {"logit_scale": 0.25}),
    "Cohere2ForCausalLM": ("Cohere2Config", {"logit_scale": 0.25, "sliding_window": 8}),
    "GraniteForCausalLM": ("GraniteConfig", {"logits_scaling": 5.0}),
    "GraniteMoeForCausalLM": (
        "GraniteMoeConfig",
        {"logits_scaling": 5.0, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "GPT2LMHeadModel": ("GPT2Config", {}),
    "GPTJForCausalLM": ("GPTJConfig", {"rotary_dim": 4}),
    "GPTNeoXForCausalLM": ("GPTNeoXConfig", {}),
    "Qwen2_5_VLForConditionalGeneration": ("Qwen2_5_VLConfig", {}),
}  # fmt: skip


@functools.cache
def small_model(name: str) -> Any:
    config_name, options = CONFIGURATIONS[name]
    config_class = getattr(transformers, config_name)
    if name in ("GPT2LMHeadModel", "GPTJForCausalLM"):
        config = config_class(
            vocab_size=VOCABULARY, n_embd=32, n_inner=48, n_layer=2, n_head=4, n_positions=96,
            bos_token_id=1, eos_token_id=2, **options,
        )  # fmt: skip
    elif name == "Qwen2_5_VLForConditionalGeneration":
        config = config_class(
            text_config={**SMALL, "rope_parameters": {
                "rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4,
            }},
            vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
                           "out_hidden_size": 32},
        )  # fmt: skip
    else:
        config = config_class(**{**SMALL, **options})
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 2:  # the initial weights give nearly equal logits
                parameter.normal_(0, 0.3)
            elif key == "lm_head.bias":
                parameter.normal_()
    return model


@pytest.fixture(autouse=True)
def _one_thread():
    # On a busy machine, the threads of such small products spend their time on waiting.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def llama() -> Any:
    return small_model("LlamaForCausalLM")


def test_every_architecture_of_the_table_is_tested():
    assert set(CONFIGURATIONS) == set(HEADS)


@pytest.mark.parametrize("share", [False, True], ids=["sequences", "trees"])
@pytest.mark.parametrize("name", list(HEADS))
def test_scores_of_every_architecture(name, share):
    model = small_model(name)
    scorer = rlvr_fast.Scorer(model, batch_tokens=200)
    if share and not scorer.share_prefixes:
        pytest.skip(f"{name} is scored one sequence after another")
    scorer.share_prefixes = share
    prompts, completions = random_sequences(24)
    scores = scorer.score(prompts, completions, per_token=True)
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if not completion:
            continue
        expected = expected_statistics(model, prompt, completion)
        np.testing.assert_allclose(scores.token_logprobs[i], expected.logprob, atol=1e-4)
        np.testing.assert_allclose(scores.token_entropies[i], expected.entropy, atol=1e-4)


def test_the_small_models_have_the_heads_of_their_architectures():
    """The small models have the cap, the factor or the bias that a plain head does not have."""
    heads = {name: rlvr_fast.Scorer(small_model(name)).head for name in HEADS}
    assert heads["Gemma2ForCausalLM"].softcap == 2.0
    assert heads["Gemma3ForCausalLM"].softcap == 2.0
    assert heads["CohereForCausalLM"].scale == 0.25
    assert heads["GraniteForCausalLM"].scale == pytest.approx(0.2)
    for name in ("PhiForCausalLM", "GPTJForCausalLM"):
        assert heads[name].bias is not None
        assert heads[name].bias.abs().max() > 0.1
    for name, head in heads.items():
        plain = head.softcap is None and head.scale == 1.0
        assert plain == (name[:4] not in ("Gemm", "Cohe", "Gran") or name == "GemmaForCausalLM")


@pytest.mark.parametrize("share", [False, True])
def test_sums_order_and_duplicates(llama, share):
    scorer = rlvr_fast.Scorer(llama, batch_tokens=300)
    scorer.share_prefixes = share
    prompts, completions = random_sequences(60, seed=3)
    seen = []
    scores = scorer.score(
        prompts, completions, temperature=0.7, top_p=0.9, per_token=True,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert scores.num_tokens.tolist() == [len(c) for c in completions]
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if not completion:
            assert scores.logprob[i] == 0
            assert np.isnan(scores.mean_entropy[i])
            assert np.isnan(scores.perplexity[i])
            assert scores.num_outside_nucleus[i] == 0
            assert scores.log_kept_mass[i] == 0
            continue
        expected = expected_statistics(llama, prompt, completion, 0.7)
        logprobs = expected.logprob
        assert scores.logprob[i] == pytest.approx(logprobs.sum().item(), abs=1e-3)
        assert scores.mean_entropy[i] == pytest.approx(expected.entropy.mean().item(), abs=1e-4)
        assert scores.perplexity[i] == pytest.approx(np.exp(-logprobs.mean().item()), rel=1e-4)
        assert scores.num_outside_nucleus[i] == int((expected.mass_above >= 0.9).sum())
        logits, targets = full_logits(llama, prompt, completion), torch.tensor(completion)
        kept = reference.nucleus_stats(logits, targets, top_p=0.9, temperature=0.7).kept_mass
        assert kept.min() < 0.99  # some tokens are outside the nucleus
        assert scores.log_kept_mass[i] == pytest.approx(kept.log().sum().item(), abs=1e-4)
    assert scores.logprob[0] == scores.logprob[-1]
    assert seen[-1] == (len(prompts), len(prompts))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_prefix_trees_and_sequences_agree(llama):
    scorer = rlvr_fast.Scorer(llama, batch_tokens=1024)
    prompts, completions = random_sequences(400, seed=5)
    trees = scorer.score(prompts, completions)
    scorer.share_prefixes = False
    sequences = scorer.score(prompts, completions)
    np.testing.assert_allclose(trees.logprob, sequences.logprob, atol=2e-4)
    np.testing.assert_allclose(trees.mean_entropy, sequences.mean_entropy, atol=1e-5)


def test_scores_in_batches_of_any_size_agree_to_rounding(llama):
    prompts, completions = random_sequences(50, seed=7)
    found = []
    for batch_tokens in (1, 64, 4096):
        scorer = rlvr_fast.Scorer(llama, batch_tokens=batch_tokens)
        scorer.share_prefixes = False
        found.append(scorer.score(prompts, completions).logprob)
    np.testing.assert_allclose(found[0], found[1], atol=2e-4)
    np.testing.assert_allclose(found[0], found[2], atol=2e-4)


def test_empty_input(llama):
    scorer = rlvr_fast.Scorer(llama)
    scores = scorer.score([], [])
    assert all(len(value) == 0 for value in scores[:4])
    empty = scorer.score([[1, 2]], [[]], per_token=True)
    assert empty.num_tokens.tolist() == [0]
    assert empty.logprob.tolist() == [0.0]
    assert len(empty.token_logprobs[0]) == 0


@pytest.mark.parametrize(
    ("prompts", "completions", "options", "message"),
    [
        ([[1]], [[1], [2]], {}, "1 prompts and 2 completions"),
        ([[1], []], [[1], [2]], {}, "prompt 1 has no tokens"),
        ([[1]], [[VOCABULARY]], {}, "completion 0 holds token id 131, but .* has 131 tokens"),
        ([[1], [1, -1]], [[1], [3]], {}, "prompt 1 holds token id -1"),
        ([[1], [1] * 90], [[1], [3] * 7], {}, "sequence 1 has 90 prompt and 7 .* holds 96"),
        ([["a"]], [[1]], {}, "prompt 0 must be a list of token ids"),
        ([[1]], [[1]], {"temperature": 0}, "temperature"),
        ([[1]], [[1]], {"top_p": 0}, "top_p"),
    ],
)
def test_bad_input_is_refused_by_name(llama, prompts, completions, options, message):
    with pytest.raises(InvalidInputError, match=message):
        rlvr_fast.Scorer(llama).score(prompts, completions, **options)


def test_a_sequence_may_fill_the_context(llama):
    scores = rlvr_fast.Scorer(llama).score([[1] * 90], [[3] * 6])
    expected = expected_statistics(llama, [1] * 90, [3] * 6)
    assert scores.logprob[0] == pytest.approx(expected.logprob.sum().item(), abs=1e-3)


@pytest.fixture(scope="module")
def llama_tokenizer() -> Any:
    from tokenizers import Tokenizer, models

    words = {f"w{at}": at for at in range(VOCABULARY)}
    plain = Tokenizer(models.WordLevel(words, unk_token="w0"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=plain)


def counted(monkeypatch) -> list[int]:
    """The tokens of each forward pass from here on."""
    seen: list[int] = []
    run = Forward._run

    def watched(self, tokens, **options):
        seen.append(tokens.size)
        return run(self, tokens, **options)

    monkeypatch.setattr(Forward, "_run", watched)
    return seen


@pytest.mark.parametrize("share", [False, True])
def test_one_forward_pass_serves_several_distributions(llama, share, monkeypatch):
    scorer = rlvr_fast.Scorer(llama, batch_tokens=300)
    scorer.share_prefixes = share
    prompts, completions = random_sequences(40, seed=2)
    asked = [
        {},
        {"temperature": 0.6, "top_p": 0.9},
        {"temperature": 0.6, "top_k": 7, "min_p": 0.01},
        {"temperature": 0.6, "top_p": 0.9},
    ]
    apart = [scorer.score(prompts, completions, **each, per_token=True) for each in asked]
    seen = counted(monkeypatch)
    scorer.score(prompts, completions)
    one = sum(seen)
    seen.clear()
    sequences = scorer.check(prompts, completions)
    parts = list(
        scorer.stream(
            sequences, [Distribution(**each) for each in asked], per_token=[True, False, True, True]
        )
    )
    assert sum(seen) == one
    where = np.concatenate([part.which for part in parts])
    assert sorted(where.tolist()) == list(range(len(prompts)))
    for at, alone in enumerate(apart):
        for name in ("logprob", "mean_entropy", "num_outside_nucleus", "log_kept_mass"):
            if getattr(alone, name) is None:
                assert all(getattr(part.scores[at], name) is None for part in parts)
                continue
            found = np.concatenate([getattr(part.scores[at], name) for part in parts])
            np.testing.assert_array_equal(found, getattr(alone, name)[where])
        assert (parts[0].scores[at].token_logprobs is None) == (at == 1)


@pytest.mark.parametrize("batch_tokens", [64, 500, 4096])
def test_a_prompt_of_many_completions_goes_through_the_model_once(batch_tokens, monkeypatch):
    model = transformers.LlamaForCausalLM(small("LlamaConfig", max_position_embeddings=600)).eval()
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.3)
    scorer = rlvr_fast.Scorer(model, batch_tokens=batch_tokens)
    prompts, completions = random_sequences(30, seed=4, lengths=(450, 120, 1))
    completions[0] = completions[0] + [3] * 60
    completions[-1] = completions[0]
    seen = counted(monkeypatch)
    shared = scorer.score(prompts, completions, top_p=0.9, per_token=True)
    together = sum(seen)
    seen.clear()
    scorer.share_prefixes = False
    apart = scorer.score(prompts, completions, top_p=0.9, per_token=True)
    assert 4 * together < sum(seen)
    np.testing.assert_allclose(shared.logprob, apart.logprob, atol=2e-4)
    np.testing.assert_allclose(shared.mean_entropy, apart.mean_entropy, atol=1e-5)
    np.testing.assert_array_equal(shared.num_outside_nucleus, apart.num_outside_nucleus)
    for one, other in zip(shared.token_logprobs, apart.token_logprobs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in HEADS if n != "Qwen2_5_VLForConditionalGeneration"])
def test_shared_prompts_of_every_architecture(name, monkeypatch):
    model = small_model(name)
    scorer = rlvr_fast.Scorer(model, batch_tokens=200)
    if not scorer.share_prefixes:
        pytest.skip(f"{name} is scored one sequence after another")
    prompts = [[1 + i % 50 for i in range(60)]] * 9 + [[5] * 70] * 3
    completions = [[7 + i, 9, 11 + i, 4][: i % 5] for i in range(12)]
    batches = list(plan_shared(scorer.check(prompts, completions), 200))
    assert all(batch.prompt is not None for batch in batches)
    monkeypatch.setattr(scorer, "_plan", lambda sequences: plan_shared(sequences, 200))
    scores = scorer.score(prompts, completions, per_token=True)
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if completion:
            expected = expected_statistics(model, prompt, completion)
            np.testing.assert_allclose(scores.token_logprobs[i], expected.logprob, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["Qwen2_5_VLForConditionalGeneration", "LlamaForCausalLM", "Gemma2ForCausalLM"]
)
def test_a_model_is_loaded_from_its_folder(name, tmp_path, llama_tokenizer):
    """Also one that takes images: its text is scored."""
    model = small_model(name)
    model.save_pretrained(tmp_path)
    llama_tokenizer.save_pretrained(tmp_path)
    scorer = rlvr_fast.Scorer(tmp_path)
    assert type(scorer.model).__name__ == name
    scores = scorer.score([[1, 5, 9]], [[4, 7, 7]])
    expected = expected_statistics(model, [1, 5, 9], [4, 7, 7])
    assert scores.logprob[0] == pytest.approx(expected.logprob.sum().item(), abs=1e-4)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match="nowhere"):
        rlvr_fast.Scorer(tmp_path / "nowhere")


def test_device_map_places_a_model(tmp_path, llama_tokenizer):
    model = transformers.LlamaForCausalLM(small("LlamaConfig"))
    model.save_pretrained(tmp_path)
    llama_tokenizer.save_pretrained(tmp_path)
    want = rlvr_fast.Scorer(model).score([[1, 2]], [[3, 4, 5]]).logprob
    for device_map in ("auto", {"model": "cpu", "lm_head": "disk"}):
        loaded = rlvr_fast.Scorer(str(tmp_path), device_map=device_map)
        found = loaded.score([[1, 2]], [[3, 4, 5]]).logprob
        np.testing.assert_allclose(found, want, rtol=1e-5)
    assert loaded.model.hf_device_map == device_map
    for placed, device in ((model, None), (str(tmp_path), "cpu")):
        with pytest.raises(InvalidInputError, match="device_map 'auto' places the layers"):
            rlvr_fast.Scorer(placed, device=device, device_map="auto")

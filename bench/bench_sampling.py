"""Draws a second of the embedded engine against transformers' generate(); the store at scale.

    python bench/bench_sampling.py [--samples 256] [--rounds 5] [--problems 2000]

Both samplers draw from the demo's base model with its own parameters. Checked first: that the
engine's draws are token for token those of a sampler that runs the whole sequence anew for every
token, in float64.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from common import interleave, record, summary

import rlvr_fast
from rlvr_fast.sampling import Request, SamplingParameters, load_engine
from rlvr_fast.sampling.engines.transformers.nucleus import uniforms
from rlvr_fast.store import Run
from rlvr_fast.tasks import load_tasks

MODEL = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
TASKS = (
    "reasoning_gym:countdown?size=1&seed=202&min_numbers=4&max_numbers=4",
    "reasoning_gym:products?size=1&seed=303&min_digits=2&max_digits=2",
)
PARAMETERS = SamplingParameters(max_tokens=72)


def check(engine: Any, requests: list[Request]) -> int:
    """Compares 8 draws of each prompt with the naive sampler; returns how many were compared."""
    model, end = engine._model, set(engine.end_tokens.tolist())
    few = [request._replace(sample_indices=request.sample_indices[:8]) for request in requests]
    few = [request._replace(seeds=request.seeds[:8]) for request in few]
    drawn = {(c.problem_id, c.sample_index): c for c in engine.generate(few, PARAMETERS)}
    for request in few:
        for index, seed in zip(request.sample_indices, request.seeds, strict=True):
            ids: list[int] = []
            while len(ids) < PARAMETERS.max_tokens and not (ids and ids[-1] in end):
                with torch.no_grad():
                    whole = torch.tensor([[*request.prompt_token_ids, *ids]])
                    logits = model(whole).logits[0, -1].double()
                p = torch.softmax(logits / PARAMETERS.temperature, -1)
                values, tokens = p.sort(descending=True, stable=True)
                kept = values * ((values.cumsum(0) - values) < PARAMETERS.top_p)
                u = uniforms(np.array([seed]), np.array([len(ids)]))[0]
                place = torch.searchsorted(kept.cumsum(0), u * kept.sum(), right=True)
                ids.append(int(tokens[place]))
            if drawn[request.problem_id, int(index)].token_ids != ids:
                raise AssertionError(f"{request.problem_id}, sample {index}: another draw")
    return len(drawn)


def bench_engine(samples: int, rounds: int) -> list[dict[str, Any]]:
    engine = load_engine("transformers", str(MODEL))
    questions = [problem for task in load_tasks(TASKS) for problem in task.problems()]
    prompts = engine.encode([problem.question for problem in questions])
    seeds = np.random.default_rng(0).integers(0, 2**63, (len(questions), samples))
    requests = [
        Request(problem.problem_id, prompt, np.arange(samples), seed)
        for problem, prompt, seed in zip(questions, prompts, seeds, strict=True)
    ]
    compared = check(engine, requests)
    tokens: dict[str, list[int]] = {"rlvr_fast": [], "generate": []}
    cpu: dict[str, list[float]] = {"rlvr_fast": [], "generate": []}

    def ours() -> None:
        start = time.process_time()
        drawn = sum(len(c.token_ids) for c in engine.generate(requests, PARAMETERS))
        tokens["rlvr_fast"].append(drawn)
        cpu["rlvr_fast"].append(time.process_time() - start)

    def rival() -> None:
        start = time.process_time()
        drawn = 0
        for prompt in prompts:
            out = engine._model.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
                do_sample=True,
                temperature=PARAMETERS.temperature,
                top_p=PARAMETERS.top_p,
                top_k=0,
                max_new_tokens=PARAMETERS.max_tokens,
                num_return_sequences=samples,
                pad_token_id=0,
            )
            drawn += int((out[:, len(prompt) :] != 0).sum())
        tokens["generate"].append(drawn)
        cpu["generate"].append(time.process_time() - start)

    timed = interleave({"rlvr_fast": ours, "generate": rival}, rounds=rounds)
    ratios = [
        (t / s) / (u / r)
        for t, s, u, r in zip(
            tokens["rlvr_fast"][-rounds:],
            timed["rlvr_fast"],
            tokens["generate"][-rounds:],
            timed["generate"],
            strict=True,
        )
    ]
    rows: list[dict[str, Any]] = []
    for name, seconds in timed.items():
        drawn = tokens[name][-rounds:]
        rows.append(
            {
                "what": f"{name}: {len(prompts)} prompts x {samples} samples, demo base model",
                "checked_draws": compared if name == "rlvr_fast" else None,
                **summary(seconds),
                "tokens": statistics.median(drawn),
                "tokens_per_s": statistics.median(
                    t / s for t, s in zip(drawn, seconds, strict=True)
                ),
                "cpu_us_per_token": 1e6
                * statistics.median(s / t for t, s in zip(drawn, cpu[name][-rounds:], strict=True)),
            }
        )
    rows[0]["ratio_to_generate"] = statistics.median(ratios)
    return rows


def bench_store(problems: int, samples: int = 1024) -> list[dict[str, Any]]:
    """Problems x samples keys: appending them (texts of 8 bytes), and finding what is missing."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        ids = [f"task/{number}" for number in range(problems)]
        run = Run.create(
            Path(folder) / "run",
            model={"name": "m", "revision": None},
            engine={"name": "transformers", "version": None, "notes": []},
            sampling=PARAMETERS.to_json(),
            prompt_template={"name": "plain", "sha256": "0" * 64},
            tasks=[{"name": "task", "spec": "task:"}],
            problems=pa.table(
                {
                    "problem_id": ids,
                    "task": ["task"] * problems,
                    "prompt": ids,
                    "prompt_token_ids": pa.array([[1]] * problems, pa.list_(pa.int32())),
                    "gold": pa.nulls(problems, pa.string()),
                    "metadata": ["{}"] * problems,
                }
            ),
        )
        start = time.perf_counter()
        block = 20
        stored = 0
        with run.writing():
            for first in range(0, problems, block):
                names = ids[first : first + block]
                count = len(names) * samples
                run.append(
                    "samples",
                    pa.table(
                        {
                            "problem_id": np.repeat(names, samples),
                            "sample_index": np.tile(np.arange(samples, dtype=np.int32), len(names)),
                            "text": pa.array(["12345678"] * count, pa.large_string()),
                            "token_ids": pa.array([[1, 2, 3]] * count, pa.list_(pa.int32())),
                            "finish_reason": ["stop"] * count,
                            "seed": np.arange(count),
                        }
                    ),
                )
                stored += count
        seconds = time.perf_counter() - start
        rows.append(
            {
                "what": f"store: append {stored} draws in {-(-problems // block)} parts, fsynced",
                "seconds": seconds,
                "draws_per_s": stored / seconds,
            }
        )
        run.parts("samples")[-1].unlink()
        lost = (problems % block or block) * samples
        start = time.perf_counter()
        again = Run.open(run.path)
        opened = time.perf_counter() - start
        found = sum(len(indices) for _, indices, _ in again.iter_missing(samples))
        seconds = time.perf_counter() - start
        if found != lost:
            raise AssertionError(f"{found} draws missing, not {lost}")
        rows.append(
            {
                "what": f"store: open and find {lost} missing among {stored} draws",
                "open_s": opened,
                "seconds": seconds,
                "keys_per_s": stored / seconds,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=2000)
    options = parser.parse_args()
    rows = bench_engine(options.samples, options.rounds)
    record("sampling", [*rows, *bench_store(options.problems)])


if __name__ == "__main__":
    main()

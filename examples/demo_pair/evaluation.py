"""Sampling a model on problems and counting what its own verifier calls correct."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .model import Sampler
from .problems import Reward, TrainProblem, extract


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased: 1 - C(n-c, k) / C(n, k); nan for k > n."""
    if k > n:
        return math.nan
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def evaluate(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    problems: list[TrainProblem],
    *,
    samples: int,
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
    ks: tuple[int, ...] = (1, 4, 16, 64, 256, 512),
    batch: int = 1024,
) -> dict[str, Any]:
    """Draws `samples` completions a problem; counts per problem, and means per task and overall."""
    started = time.perf_counter()
    sampler = Sampler(model, generator=torch.Generator().manual_seed(seed))
    prompts = tokenizer([p.question for p in problems])["input_ids"]
    rows = [n for n in range(len(problems)) for _ in range(samples)]
    reward = Reward()
    correct, tokens, unfinished, unanswered = Counter[int](), 0, 0, 0
    answers: list[set[str]] = [set() for _ in problems]
    for start in range(0, len(rows), batch):
        chosen = rows[start : start + batch]
        drawn = sampler.draw(
            [prompts[n] for n in chosen],
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
        )
        texts = tokenizer.batch_decode([d.tokens for d in drawn], skip_special_tokens=True)
        for n, text, draw in zip(chosen, texts, drawn, strict=True):
            tokens += len(draw.tokens)
            unfinished += not draw.finished
            answer = extract(text)
            unanswered += answer is None
            if answer is not None and reward(problems[n], text):
                correct[n] += 1
                answers[n].add(answer)
    ks = tuple(k for k in ks if k <= samples)
    tasks: dict[str, Any] = {}
    for name in [*dict.fromkeys(p.task for p in problems), "overall"]:
        own = [n for n, p in enumerate(problems) if name in ("overall", p.task)]
        tasks[name] = {
            "problems": len(own),
            "pass_at_k": {
                k: sum(pass_at_k(samples, correct[n], k) for n in own) / len(own) for k in ks
            },
            "distinct_correct_answers": sum(len(answers[n]) for n in own),
        }
    return {
        "samples": samples,
        "tasks": tasks,
        "correct": [correct[n] for n in range(len(problems))],
        "mean_tokens": tokens / len(rows),
        "unfinished_share": unfinished / len(rows),
        "unanswered_share": unanswered / len(rows),
        "refused_by_guard": reward.refused,
        "seconds": time.perf_counter() - started,
    }


def support(base: list[int], rl: list[int]) -> dict[str, int]:
    """Problems by whether either model solved them at least once (the papers' four regions)."""
    pairs = [(b > 0, r > 0) for b, r in zip(base, rl, strict=True)]
    return {
        "preserved": pairs.count((True, True)),
        "expanded": pairs.count((False, True)),
        "shrunk": pairs.count((True, False)),
        "out": pairs.count((False, False)),
    }

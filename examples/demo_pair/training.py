"""The two trainings: supervised on traces for the base, then GRPO on the verifier's reward."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .model import Drawn, Sampler
from .problems import Reward, TrainProblem
from .traces import Teacher


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stretch of training with a cosine of its own."""

    steps: int
    batch: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class SupervisedConfig:
    # Small batches later: at this size more updates teach more than smoother ones.
    cycles: tuple[Cycle, ...] = (Cycle(700, 128, 3e-3), Cycle(1566, 64, 2e-3))
    warmup: int = 100
    seconds: float = 86400.0  # a cycle ends here at the latest
    weight_decay: float = 0.01
    bfloat16: bool = True  # the matrix products of the forward pass; weights stay float32


@dataclass(frozen=True, slots=True)
class GRPOConfig:
    steps: int = 120
    problems: int = 48
    group: int = 16
    minibatches: int = 2
    learning_rate: float = 2e-4
    warmup: int = 5
    clip: float = 0.2
    max_tokens: int = 72
    seconds: float = 86400.0  # no step begins after this


@dataclass(slots=True)
class PaddedBatch:
    """Right-padded sequences. `targets` are the next tokens at the positions the loss looks at."""

    ids: torch.Tensor  # [rows, length]
    rows: torch.Tensor  # [targets] row of each target
    columns: torch.Tensor  # [targets] position whose hidden state predicts it
    targets: torch.Tensor  # [targets]


def collate(prompts: list[list[int]], completions: list[list[int]], pad: int) -> PaddedBatch:
    length = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    ids = torch.full((len(prompts), length), pad)
    rows, columns, targets = [], [], []
    for n, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        ids[n, : len(prompt) + len(completion)] = torch.tensor(prompt + completion)
        rows += [n] * len(completion)
        columns += range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        targets += completion
    return PaddedBatch(ids, torch.tensor(rows), torch.tensor(columns), torch.tensor(targets))


def target_logprobs(model: LlamaForCausalLM, batch: PaddedBatch) -> torch.Tensor:
    """Log-prob (nats) of every target. Causal attention with right padding needs no mask."""
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[batch.rows, batch.columns])
    return -F.cross_entropy(logits, batch.targets, reduction="none")


def _optimizer(model: LlamaForCausalLM, rate: float, decay: float) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def _batches(
    prompts: list[list[int]],
    tokenizer: PreTrainedTokenizerFast,
    teacher: Teacher,
    size: int,
    rng: Random,
) -> Iterator[PaddedBatch]:
    """Endless batches of fresh traces, each of like lengths: padding cost 40 % of a step."""
    order: list[int] = []
    while True:
        pool = min(8 * size, len(prompts) // size * size)
        if len(order) < pool:
            order = rng.sample(range(len(prompts)), len(prompts))
        chosen, order = order[:pool], order[pool:]
        traces = tokenizer([teacher.trace(n) for n in chosen], add_special_tokens=False)[
            "input_ids"
        ]
        pairs = [
            (prompts[n], [*t, tokenizer.eos_token_id]) for n, t in zip(chosen, traces, strict=True)
        ]
        pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        starts = list(range(0, pool, size))
        rng.shuffle(starts)
        for start in starts:
            own = pairs[start : start + size]
            yield collate([p for p, _ in own], [c for _, c in own], tokenizer.pad_token_id)


def supervised(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    teacher: Teacher,
    config: SupervisedConfig,
    *,
    cycle: Cycle,
    seed: int,
) -> dict[str, float]:
    """One cycle: next-token cross-entropy on the traces, not the questions; cosine to a tenth."""
    rng = Random(seed)
    prompts = tokenizer([p.question for p in teacher.problems])["input_ids"]
    optimizer = _optimizer(model, cycle.learning_rate, config.weight_decay)
    started, smooth, tokens = time.perf_counter(), math.nan, 0
    batches = _batches(prompts, tokenizer, teacher, cycle.batch, rng)
    model.train()
    taken = 0
    for step in range(cycle.steps):
        # Where a clock is set and runs ahead of the steps, the cosine follows the clock.
        done = max(step / cycle.steps, (time.perf_counter() - started) / config.seconds)
        if done >= 1:
            break
        batch = next(batches)
        rate = cycle.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / config.warmup)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            loss = -target_logprobs(model, batch).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        taken += 1
        tokens += batch.targets.numel()
        smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
        if (step + 1) % 100 == 0 or step + 1 == cycle.steps:
            spent = time.perf_counter() - started
            print(
                f"supervised {step + 1}/{cycle.steps} loss {smooth:.4f} {spent:.0f} s", flush=True
            )
    model.eval()
    return {
        **asdict(cycle),
        "steps": taken,
        "seconds": time.perf_counter() - started,
        "final_loss_nats": smooth,
        "trace_tokens": tokens,
        "problems": len(prompts),
    }


def _advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Rewards [problems, group] whitened within each group (GRPO, arXiv:2402.03300 section 4.1)."""
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)


def grpo(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    problems: list[TrainProblem],
    reward: Reward,
    config: GRPOConfig,
    *,
    seed: int,
) -> dict[str, object]:
    """Clipped policy gradient on group-relative advantages; no critic, KL term or format reward.

    Groups whose draws are all right or all wrong carry no gradient and are left out of the update.
    The loss is the mean over the tokens of a minibatch.
    """
    rng = Random(seed)
    sampler = Sampler(model, generator=torch.Generator().manual_seed(seed))
    optimizer = _optimizer(model, config.learning_rate, 0.0)
    started = time.perf_counter()
    history: list[dict[str, float]] = []
    order: list[TrainProblem] = []
    for step in range(config.steps):
        if time.perf_counter() - started > config.seconds:
            break
        if len(order) < config.problems:
            order = rng.sample(problems, len(problems))
        chosen, order = order[: config.problems], order[config.problems :]
        prompts = tokenizer([p.question for p in chosen])["input_ids"]
        repeated = [prompt for prompt in prompts for _ in range(config.group)]
        drawn = sampler.draw(repeated, max_tokens=config.max_tokens)
        texts = tokenizer.batch_decode([d.tokens for d in drawn], skip_special_tokens=True)
        rewards = torch.tensor(
            [
                reward(chosen[n // config.group], text) if d.finished else 0.0
                for n, (text, d) in enumerate(zip(texts, drawn, strict=True))
            ]
        ).view(config.problems, config.group)
        advantages = _advantages(rewards)
        mixed = (rewards.std(1) > 0).nonzero()[:, 0].tolist()
        rng.shuffle(mixed)
        rate = config.learning_rate * min(1.0, (step + 1) / config.warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        for part in range(config.minibatches):
            rows = [
                g * config.group + n
                for g in mixed[part :: config.minibatches]
                for n in range(config.group)
            ]
            if rows:
                _update(model, tokenizer, optimizer, repeated, drawn, rows, advantages, config.clip)
        history.append(
            {
                "step": step + 1,
                "reward": float(rewards.mean()),
                "mixed_groups": len(mixed) / config.problems,
                "tokens": sum(len(d.tokens) for d in drawn) / len(drawn),
                "nll": -sum(sum(d.logprobs) for d in drawn) / sum(len(d.tokens) for d in drawn),
            }
        )
        if (step + 1) % 10 == 0 or step + 1 == config.steps:
            last = history[-10:]
            means = {k: sum(h[k] for h in last) / len(last) for k in last[0] if k != "step"}
            said = " ".join(f"{k} {v:.3f}" for k, v in means.items())
            spent = time.perf_counter() - started
            print(f"grpo {step + 1}/{config.steps} {said} {spent:.0f} s", flush=True)
    return {
        "seconds": time.perf_counter() - started,
        "steps": len(history),
        "problems": len(problems),
        "refused_by_guard": reward.refused,
        "history": history[9::10],
    }


def _update(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    optimizer: torch.optim.AdamW,
    prompts: list[list[int]],
    drawn: list[Drawn],
    rows: list[int],
    advantages: torch.Tensor,
    clip: float,
) -> None:
    batch = collate(
        [prompts[n] for n in rows], [drawn[n].tokens for n in rows], tokenizer.pad_token_id
    )
    old = torch.tensor([logprob for n in rows for logprob in drawn[n].logprobs])
    gain = advantages.flatten()[rows][batch.rows]
    ratio = (target_logprobs(model, batch) - old).exp()
    loss = -torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

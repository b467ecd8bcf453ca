"""Train the demo's pair of models: a base by supervised learning, an RL model from it by GRPO.

    python examples/train_demo_pair.py --out rlvr_fast/demo_models

writes OUT/base and OUT/rl (Hugging Face format), OUT/training.json (what was trained, how long it
took and what the script measured) and OUT/MODEL_CARD.md. With --resume a run that stopped in GRPO
starts again at GRPO. The only reward in GRPO is the task's own
Reasoning Gym verifier.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from demo_pair.card import write_card
from demo_pair.evaluation import evaluate, support
from demo_pair.model import build_model
from demo_pair.problems import (
    GRPO_OFFSET,
    Reward,
    demo_problems,
    development_problems,
    read_demo,
    training_problems,
)
from demo_pair.tokenizer import build_tokenizer
from demo_pair.traces import Teacher
from demo_pair.training import Cycle, GRPOConfig, SupervisedConfig, grpo, supervised
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
SHAPE = {"hidden": 128, "layers": 3, "heads": 4, "context": 128}
SUPERVISED_SIZES = {"countdown_3": 4500, "countdown_4": 3000, "products": 4000}
GRPO_SIZES = {"countdown_3": 1200, "countdown_4": 1200, "products": 1000}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "rlvr_fast" / "demo_models")
    parser.add_argument("--demo", type=Path, default=ROOT / "rlvr_fast/demo_models/demo.yaml")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sft-steps", type=int, nargs="+", help="of each supervised cycle; default: their own"
    )
    parser.add_argument("--sft-minutes", type=float, help="at most this long a supervised cycle")
    parser.add_argument("--grpo-minutes", type=float, help="at most this long in GRPO")
    parser.add_argument("--grpo-steps", type=int, default=GRPOConfig().steps)
    parser.add_argument("--grpo-rate", type=float, default=GRPOConfig().learning_rate)
    parser.add_argument("--cache", type=Path, help="folder that keeps the posed problems")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep the phases that OUT/training.json says are done; measure again",
    )
    parser.add_argument(
        "--development",
        action="store_true",
        help="measure on development problems, never on the demo's; for choosing hyper-parameters",
    )
    parser.add_argument("--smoke", action="store_true", help="a few steps, seconds: does it run?")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    os.nice(5)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    started = time.perf_counter()
    specs, demo = read_demo(args.demo)
    sampling = demo["sampling"]
    fast = torch.cpu._is_avx512_bf16_supported()
    sft = SupervisedConfig(bfloat16=fast)
    if args.sft_steps:
        pairs = zip(sft.cycles, args.sft_steps, strict=False)
        sft = replace(sft, cycles=tuple(replace(cycle, steps=n) for cycle, n in pairs))
    rl_config = GRPOConfig(
        steps=args.grpo_steps,
        learning_rate=args.grpo_rate,
        max_tokens=sampling["max_tokens"],
    )
    if args.sft_minutes:
        sft = replace(sft, seconds=60 * args.sft_minutes)
    if args.grpo_minutes:
        rl_config = replace(rl_config, seconds=60 * args.grpo_minutes)
    sizes, rl_sizes, shape = SUPERVISED_SIZES, GRPO_SIZES, SHAPE
    samples, per_task = demo["samples"], 16
    if args.smoke:
        sft = replace(sft, cycles=(Cycle(2, 16, 3e-3), Cycle(1, 8, 3e-3)), warmup=1)
        rl_config = replace(rl_config, steps=2, problems=4, group=4, max_tokens=24)
        sizes = rl_sizes = dict.fromkeys(sizes, 24)
        shape = {**SHAPE, "hidden": 32, "layers": 1}
        samples, per_task = 4, 2
        sampling = {**sampling, "max_tokens": 24}

    held_out = demo_problems(specs)
    sft_problems, removed = training_problems(
        specs, sizes, held_out, seed=args.seed, cache=args.cache
    )
    rl_problems, removed_rl = training_problems(
        specs, rl_sizes, held_out, seed=args.seed, offset=GRPO_OFFSET, cache=args.cache
    )
    generated = time.perf_counter() - started
    print(
        f"{len(sft_problems)} and {len(rl_problems)} training problems; "
        f"posed by the demo too and removed: {removed}, {removed_rl}",
        flush=True,
    )

    base_dir, rl_dir, log = args.out / "base", args.out / "rl", args.out / "training.json"
    record: dict[str, Any] = json.loads(log.read_text()) if args.resume and log.exists() else {}
    cycles = record.setdefault("supervised", {"config": asdict(sft), "cycles": []})["cycles"]
    if cycles:
        tokenizer = AutoTokenizer.from_pretrained(base_dir)
        base = AutoModelForCausalLM.from_pretrained(base_dir)
    else:
        tokenizer = build_tokenizer()
        base = build_model(tokenizer, **shape)
    for number in range(len(cycles), len(sft.cycles)):
        record.pop("grpo", None)
        seed = args.seed + number
        teacher = Teacher(sft_problems, seed=seed)
        cycle = sft.cycles[number]
        cycles.append(supervised(base, tokenizer, teacher, sft, cycle=cycle, seed=seed))
        record["supervised"]["config"] = asdict(sft)
        save(base, tokenizer, base_dir)
        write_json(log, record)
    base.eval()
    if "grpo" in record:
        model = AutoModelForCausalLM.from_pretrained(rl_dir)
    else:
        model = copy.deepcopy(base)
        record["grpo"] = {
            "config": asdict(rl_config),
            **grpo(model, tokenizer, rl_problems, Reward(), rl_config, seed=args.seed),
        }
        save(model, tokenizer, rl_dir)
        write_json(log, record)

    measured = development_problems(specs, per_task) if args.development else held_out
    if args.smoke:
        measured = measured[:4]
    results = {
        name: evaluate(
            which,
            tokenizer,
            measured,
            samples=samples,
            temperature=sampling["temperature"],
            top_p=sampling["top_p"],
            max_tokens=sampling["max_tokens"],
            seed=args.seed + 1,
        )
        for name, which in (("base", base), ("rl", model.eval()))
    }
    record |= {
        "seed": args.seed,
        "model": {**shape, "parameters": sum(p.numel() for p in base.parameters())},
        "data": {
            "supervised": sizes,
            "supervised_removed_because_in_demo": removed,
            "grpo": rl_sizes,
            "grpo_removed_because_in_demo": removed_rl,
            "seconds": generated,
        },
        "evaluation": {
            "problems": "development" if args.development else "demo",
            "tasks": demo["tasks"],
            "sampling": sampling,
            **results,
            "support": {
                name: support(
                    *(
                        [
                            c
                            for c, p in zip(results[m]["correct"], measured, strict=True)
                            if name in ("overall", p.task)
                        ]
                        for m in ("base", "rl")
                    )
                )
                for name in results["base"]["tasks"]
            },
        },
        "versions": {
            "python": platform.python_version(),
            **{n: version(n) for n in ("torch", "transformers", "tokenizers", "reasoning-gym")},
        },
        "threads": args.threads,
    }
    record["seconds"] = (
        generated
        + sum(cycle["seconds"] for cycle in cycles)
        + record["grpo"]["seconds"]
        + sum(result["seconds"] for result in results.values())
    )
    write_json(log, record)
    write_card(args.out / "MODEL_CARD.md", record)
    summary(record)
    return 0


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_json(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def summary(record: dict[str, Any]) -> None:
    found = record["evaluation"]
    for task in found["base"]["tasks"]:
        for name in ("base", "rl"):
            row = found[name]["tasks"][task]
            said = " ".join(f"@{k} {v:.3f}" for k, v in row["pass_at_k"].items())
            print(f"{task:12} {name:4} {said} answers {row['distinct_correct_answers']}")
        print(f"{task:12} {found['support'][task]}")
    for name in ("base", "rl"):
        row = found[name]
        print(
            f"{name}: {row['mean_tokens']:.1f} tokens, unfinished {row['unfinished_share']:.4f}, "
            f"unanswered {row['unanswered_share']:.4f}, {row['seconds']:.0f} s, {row['correct']}"
        )
    print(f"all {record['seconds']:.0f} s")


if __name__ == "__main__":
    sys.exit(main())

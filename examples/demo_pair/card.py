"""MODEL_CARD.md from the numbers that the training script wrote down."""

# ruff: noqa: E501  (Markdown table rows)
from __future__ import annotations

from pathlib import Path
from typing import Any

_INTRODUCTION = """\
# The demo's pair of models

Two small Llama models ({parameters:,} parameters each: {layers} layers, width {hidden}, {heads} heads, tied
embeddings, float32) for `rlvr-fast demo`. `base/` was trained by supervised learning on worked
solutions; `rl/` is that base after GRPO with the tasks' own Reasoning Gym verifiers as the only
reward. They exist to show what a comparison of a base and an RLVR model looks like on real models
within two minutes on a CPU; they do nothing else, and know no text but the questions of these tasks.

Everything here is written by `python examples/train_demo_pair.py` (seed {seed}); every number was
measured by that run's own evaluation ({evaluated} problems) and stands in `training.json`. Floating-point
sums differ between machines and thread counts, so another run gives other weights and close numbers.
"""

_DATA = """\
## Data

Reasoning Gym {gym}. The prompt is the question as Reasoning Gym words it, after `<s>`; the model
answers with a few steps of arithmetic and `<answer>...</answer>`.

| task | demo's problems | for the base | for GRPO | removed because the demo poses them |
|---|---|---|---|---|
{rows}

Countdown has many correct answers a problem, products one. Training problems come from other seeds
than the demo's. Reasoning Gym draws its item i from Random(seed + i), so the seeds lie millions
apart, and problems with the demo's content in any wording or order of the numbers (same numbers and
target; same two factors) are removed from both trainings. Two-digit products are few (8100 ordered
pairs), so many others of them are seen in training. The demo's problems were fixed before the first
training and only measured after the last step: nothing was chosen by them. `--development` measures
on problems of yet other seeds; the learning rate and the steps of GRPO were chosen by those.
"""

_TRAINING = """\
## Training

| | base (supervised) | RL (GRPO) |
|---|---|---|
| steps | {sft_steps} traces | {rl_steps} of {rl_problems} problems x {group} draws, {minibatches} updates each |
| learning rate (AdamW) | {sft_rate}, cosine to a tenth in each of the two cycles, {sft_warmup} warm-up steps | {rl_rate:g}, {rl_warmup} warm-up steps |
| loss | cross-entropy on the trace's tokens, weight decay {decay:g} | clipped ratio ({clip:g}), advantages whitened within a group, mean over tokens; no KL, no critic |
| arithmetic | {precision} | float32 |
| draws | | temperature 1, no truncation, at most {max_tokens} tokens |
| time | {sft_seconds:.0f} s | {rl_seconds:.0f} s |

The phases took {seconds:.0f} s together, on {threads} threads (torch {torch}).{clock}

The traces come in several styles, drawn anew each time: worked steps, steps after a dead end, the
answer alone, products split on either factor or rounded up; and a fifth of all traces answer wrongly
on purpose (an expression that misses the target, a slip in a product). So the base holds good and
bad ways to answer, and is left much to improve. The reward is 1 where the
verifier scores 1, else 0. An answer with other characters than digits, `+-*/()` and blanks, with
`**` or with `//` gets 0 unseen, since sympy would evaluate it without a time limit; {refused} distinct
answers met that in GRPO.
"""

_RESULTS = """\
## Measured

{samples} samples a problem at temperature {temperature}, top-p {top_p}, at most {max_tokens} tokens; pass@k is the
unbiased estimator. "Answers" counts distinct correct answer texts.

| task | model | {ks} | answers |
|---|---|{dashes}---|
{rows}

Problems solved at least once in {samples} samples by both models (preserved), the RL model only
(expanded), the base only (shrunk) and neither (out):

| task | preserved | expanded | shrunk | out |
|---|---|---|---|---|
{support}

Mean completion: {base_tokens:.1f} tokens (base), {rl_tokens:.1f} (RL); no `<answer>` in {base_none:.2%} and {rl_none:.2%}.

## Limits

* {problems} problems: one of them moves a share by {share:.1%}, and single counts of `expanded` and `shrunk`
  may be chance; look at the intervals in the report.
* Both trainings use the task distribution that the demo draws from. Other number ranges, other
  tasks or other wordings are out of their reach.
* The base learned from traces with deliberate errors. It is not a pre-trained language model, and
  the size of the effect says nothing about large ones.
"""


def _clock(sft_seconds: float, rl_seconds: float) -> str:
    """What the options --sft-minutes and --grpo-minutes did, if they were given."""
    day = 86400.0
    if sft_seconds >= day and rl_seconds >= day:
        return ""
    return (
        f" A clock ended the last supervised cycle after {sft_seconds:.0f} s at the latest, its cosine"
        f" following the clock, and GRPO after {rl_seconds:.0f} s; the machine was busy with other"
        " work. Without a clock the script's default takes these numbers of steps."
    )


def write_card(path: Path, record: dict[str, Any]) -> None:
    found = record["evaluation"]
    sft, rl = record["supervised"], record["grpo"]
    base = found["base"]
    tasks = base["tasks"]
    ks = list(base["tasks"]["overall"]["pass_at_k"])
    data = record["data"]
    specs = {task["name"]: task["spec"] for task in found["tasks"]}
    text = [
        _INTRODUCTION.format(seed=record["seed"], evaluated=found["problems"], **record["model"]),
        _DATA.format(
            gym=record["versions"]["reasoning-gym"],
            rows="\n".join(
                f"| {name} | `{spec}` | {data['supervised'][name]} | {data['grpo'][name]} | "
                f"{data['supervised_removed_because_in_demo'][name]} + "
                f"{data['grpo_removed_because_in_demo'][name]} |"
                for name, spec in specs.items()
            ),
        ),
        _TRAINING.format(
            sft_steps=" + ".join(f"{c['steps']} x {c['batch']}" for c in sft["cycles"]),
            sft_rate=" and ".join(f"{c['learning_rate']:g}" for c in sft["cycles"]),
            sft_warmup=sft["config"]["warmup"],
            decay=sft["config"]["weight_decay"],
            precision="bfloat16 matrix products, float32 weights"
            if sft["config"]["bfloat16"]
            else "float32",
            sft_seconds=sum(cycle["seconds"] for cycle in sft["cycles"]),
            rl_steps=rl["steps"],
            rl_problems=rl["config"]["problems"],
            group=rl["config"]["group"],
            minibatches=rl["config"]["minibatches"],
            rl_rate=rl["config"]["learning_rate"],
            rl_warmup=rl["config"]["warmup"],
            clip=rl["config"]["clip"],
            max_tokens=rl["config"]["max_tokens"],
            rl_seconds=rl["seconds"],
            refused=rl["refused_by_guard"],
            seconds=record["seconds"],
            clock=_clock(sft["config"]["seconds"], rl["config"]["seconds"]),
            threads=record["threads"],
            torch=record["versions"]["torch"],
        ),
        _RESULTS.format(
            samples=base["samples"],
            temperature=found["sampling"]["temperature"],
            top_p=found["sampling"]["top_p"],
            max_tokens=found["sampling"]["max_tokens"],
            ks=" | ".join(f"pass@{k}" for k in ks),
            dashes="---|" * len(ks),
            rows="\n".join(
                f"| {task} | {label} | "
                + " | ".join(f"{found[m]['tasks'][task]['pass_at_k'][k]:.3f}" for k in ks)
                + f" | {found[m]['tasks'][task]['distinct_correct_answers']} |"
                for task in tasks
                for m, label in (("base", "base"), ("rl", "RL"))
            ),
            support="\n".join(
                f"| {task} | " + " | ".join(str(n) for n in counts.values()) + " |"
                for task, counts in found["support"].items()
            ),
            base_tokens=base["mean_tokens"],
            rl_tokens=found["rl"]["mean_tokens"],
            base_none=base["unanswered_share"],
            rl_none=found["rl"]["unanswered_share"],
            problems=tasks["overall"]["problems"],
            share=1 / tasks["overall"]["problems"],
        ),
    ]
    path.write_text("\n".join(text))

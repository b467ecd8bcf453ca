"""verl: rollout and validation dumps of its trainers.

Source: `_write_generations` in verl/trainer/ppo/ray_trainer.py (verl 0.9).
"""

from __future__ import annotations

from rlvr_fast.store.readers.common import tell_policy
from rlvr_fast.store.readers.reader import About, Columns, Reader, Sample

__all__ = ["FIELDS", "READER", "about", "is_dump"]

# A dump has no id of the problem: the prompt identifies it. `score` is the sum of the rewards of
# the tokens, so that `acc`, which some reward functions return beside it, says more.
FIELDS: Columns = {
    "question": "input",
    "completion": "output",
    "gold": "gts",
    "reward": ("score", "reward"),
    "verdict": ("acc", "accuracy", "is_correct", "correct"),
}


def is_dump(sample: Sample) -> bool:
    """Whether the rows have the keys that every dump of verl has."""
    keys = sample.keys
    return {"input", "output", "score"} <= keys and bool({"gts", "step"} & keys)


def about(sample: Sample) -> About:
    """The step, which names the policy."""
    found = About()
    tell_policy(found, sample, "step")
    return found


READER = Reader(
    name="verl",
    help="verl's trainer.rollout_data_dir and trainer.validation_data_dir: STEP.jsonl",
    matches=is_dump,
    fields=FIELDS,
    about=about,
)

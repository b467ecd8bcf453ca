"""OpenRLHF: batch_inference, with templated prompts and special tokens in the texts.

Source: openrlhf/cli/batch_inference.py at 0551ff62: {"input", "output"[, "reward"]}. The prompts
are repeated best_of_n times as a whole, so the draws of a problem are not adjacent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rlvr_fast.store.readers.reader import Reader, Sample

__all__ = ["READER"]

# {"input", "output"} alone is plain instruction data too: a chat template tells them apart.
_TEMPLATED = re.compile(
    r"<\|[\w ]{2,40}\|>|<｜[^｜]{2,40}｜>|</?s>|<bos>|<eos>|<(?:start|end)_of_turn>|\[/?INST\]"
    r"|(?:^|\n)(?:assistant|ASSISTANT|Assistant):\s*$"
)


def _matches(sample: Sample) -> bool:
    if not {"input", "output"} <= sample.keys or {"instruction", "score", "gts"} & sample.keys:
        return False
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    texts = [row.get(key) for row in rows for key in ("input", "output")]
    return all(text is None or isinstance(text, str) for text in texts) and any(
        _TEMPLATED.search(text) for text in texts if text
    )


READER = Reader(
    name="openrlhf",
    help="openrlhf.cli.batch_inference: input, output and the reward of a reward model",
    matches=_matches,
    # A reward model's number is unbounded: the values decide whether it can be a verdict.
    fields={"question": "input", "completion": "output", "reward": "reward", "gold": "label"},
)

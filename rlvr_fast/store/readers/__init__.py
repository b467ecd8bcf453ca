"""Readers of finished completions: one module for each layout that a tool writes.

A new layout is a new module here that holds a `Reader` named READER, and its name in `READERS`.
"""

from __future__ import annotations

import functools
import importlib

from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.store.readers.reader import Reader

__all__ = ["READERS", "load_readers", "reader_named"]

# The modules of this folder that hold a reader, the most particular layout first: the first reader
# that matches a file is taken.
READERS: tuple[str, ...] = (
    "inspect_log",
    "lighteval",
    "lm_eval",
    "reasoning_gym_eval",
    "evalchemy",
    "opencompass",
    "evalscope",
    "skythought",
    "simple_evals",
    "qwen_math",
    "llmonkeys",
    "nemo_skills",
    "prime_rl",
    "verifiers",
    "nemo_gym",
    "nemo_rl",
    "rllm",
    "slime",
    "roll",
    "areal",
    "skyrl",
    "open_instruct",
    "trl",
    "verl_v1",
    "verl",
    "verl_generation",
    "evalplus",
    "human_eval",
    "livecodebench",
    "bigcode",
    "openai_batch",
    "openai_chat",
    "openr1",
    "openthoughts",
    "vllm_outputs",
    "openrlhf",
    "wide",
    "chat",
    "plain",
    "wrapped",
)


@functools.cache
def load_readers() -> tuple[Reader, ...]:
    """Every reader, in the order in which they are asked."""
    return tuple(importlib.import_module(f"{__name__}.{name}").READER for name in READERS)


def reader_named(name: str) -> Reader:
    """The reader of a name, as `--format` gives it.

    Raises:
        InvalidInputError: no such reader; the message names the nearest one.
    """
    for reader in load_readers():
        if reader.name == name:
            return reader
    known = [reader.name for reader in load_readers()]
    raise InvalidInputError(
        f"unknown format {name!r}.{closest(name, known)} Known: {', '.join(known)}"
    )

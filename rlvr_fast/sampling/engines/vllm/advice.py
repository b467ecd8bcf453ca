"""vLLM's own messages, with its options as they are given here."""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

from rlvr_fast.sampling.engines.vllm.arguments import NOT_TAKEN
from rlvr_fast.sampling.engines.vllm.package import Package

__all__ = ["advised"]

# An option of `vllm serve` with its value: behind "=", a number or a quoted text behind a blank,
# or one word that ends a text between backticks.
_FLAG = re.compile(
    r"--(?P<no>no-)?(?P<name>[a-z][a-z0-9_-]*[a-z0-9])"
    r"""(?:=(?P<value>'[^']*'|[^\s`'",;)]*[^\s`'",;).])"""
    r"""|[ ](?P<number>[0-9.]*[0-9]\b|'[^']*')|[ ](?P<word>[A-Za-z0-9_]+)(?=`))?"""
)

# What pydantic says: of a whole configuration, or of one of its fields.
_PYDANTIC = re.compile(
    r"validation errors? for \w+\n(?:(?P<name>[\w.]+)\n)?\s+"
    r"(?:Value error, )?(?P<text>.+?) \[type=",
    re.S,
)


def advised(text: str, package: Package) -> str:
    """A message of vLLM, with its options as they are given here.

    "--max-model-len" becomes "--engine-arg max_model_len=...", arguments that are named without
    dashes follow at the end, and what pydantic says around the sentence is left out.
    """
    hints = {each.name: each.type for each in dataclasses.fields(package.AsyncEngineArgs)}
    taken = {name: hint for name, hint in hints.items() if name not in NOT_TAKEN}
    if said := _PYDANTIC.search(text):
        text = said["text"] if not said["name"] else f"{said['name']}: {said['text']}"
    given: set[str] = set()

    def flag(found: re.Match[str]) -> str:
        name = found["name"].replace("-", "_")
        if name not in taken:
            return found[0]
        given.add(name)
        value = found["value"] or found["number"] or found["word"]
        if _is_flag(taken[name]):
            value = "false" if found["no"] else value or "true"
        return f"--engine-arg {name}={value or '...'}"

    made = _FLAG.sub(flag, text)
    plain = made.lower().replace("gpu memory utilization", "gpu_memory_utilization")
    named = sorted(set(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", plain)) & set(taken) - given)
    if not named:
        return made
    others = ", ".join(f"--engine-arg {name}=..." for name in named)
    return f"{made.rstrip('. ')}. Here: {others} (engine_args in a study file)"


def _is_flag(hint: Any) -> bool:
    return set(typing.get_args(hint) or (hint,)) - {type(None)} == {bool}

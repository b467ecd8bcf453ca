"""Runs at several temperatures: their order, what may differ, their token entropy."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from rlvr_fast.report.sides import Side
from rlvr_fast.store import Run, differences

__all__ = [
    "dependences",
    "temperature_of",
    "temperature_order",
    "token_entropies",
    "with_temperature",
]


def temperature_of(side: Side) -> float:
    """The temperature that a run was drawn at; nan where it is not recorded."""
    value: Any = side.sampling.get("temperature")
    return float(value) if isinstance(value, (int, float)) else math.nan


def temperature_order(side: Side) -> float:
    """What to sort by: the temperature, runs without a recorded one last."""
    value = temperature_of(side)
    return math.inf if math.isnan(value) else value


def with_temperature(base: Run, run: Run, allow: Collection[str]) -> tuple[str, ...]:
    """`allow`, with "sampling" where two runs differ in no sampling parameter but temperature."""
    found = [d.message for d in differences(base, run) if d.kind == "sampling"]
    only = all(message.startswith("sampling.temperature ") for message in found)
    return (*allow, "sampling") if found and only and "sampling" not in allow else tuple(allow)


def dependences(sides: Iterable[Side]) -> list[str]:
    """Sentences on runs whose draws are not independent.

    Draws at temperature 0 are one and the same, and are taken as such: a problem is then solved by
    every number of draws or by none.
    """
    said = (side.repeats.sentence(f"The {side.title} run", side.num_samples) for side in sides)
    return [text for text in said if text]


def token_entropies(
    sides: Mapping[str, tuple[Side, str]],
) -> tuple[dict[str, float], str, list[str]]:
    """The mean token entropy of each run under its own model, by one kind of scores for all.

    Scores as sampled come first: they hold the entropy of the distribution that the completions
    were drawn from. Else the plain scores count, at one temperature for all runs.

    Args:
        sides: a name to a run, and the label of its own scores ("base" or "rl").

    Returns:
        Nats by name, nan where not known; which entropy that is, in words; and a sentence for
        each run whose scores are missing, with the command that makes them.
    """
    kinds = (
        ("-sampling", "at the temperature of sampling"),
        ("", "at the temperature of the scores"),
    )
    found = {
        suffix: {name: _mean(side, label + suffix) for name, (side, label) in sides.items()}
        for suffix, _ in kinds
    }
    known = {suffix: sum(map(math.isfinite, of.values())) for suffix, of in found.items()}
    # As sampled, unless more runs have plain scores.
    suffix, words = kinds[0] if known["-sampling"] >= known[""] else kinds[1]
    values, said = found[suffix], []
    if suffix == "":
        scored = {_scored_at(side, label) for side, label in sides.values()} - {None}
        if len(scored) > 1:
            shown = ", ".join(sorted(map(str, scored)))
            said.append(
                f"The runs were scored at different temperatures ({shown}): their token entropies "
                "do not compare. Score all of them at one temperature, or --as-sampled."
            )
            values = dict.fromkeys(values, math.nan)
        elif scored:
            words = f"at temperature {scored.pop()}, whatever the completions were drawn at"
    lacking = [name for name, value in values.items() if math.isnan(value)] if not said else []
    for name in lacking:
        side, label = sides[name]
        adapter = side.run.info.model.get("adapter") or {}
        option = f" --adapter {adapter['name']}" if adapter else ""
        said.append(
            f"{name}: no token entropy, as its completions were not scored by their own model. To "
            f"score them: rlvr-fast score {side.run.path.name} --model {side.model}{option} "
            f"--label {label}{' --as-sampled' if suffix or not any(known.values()) else ''}"
        )
    return values, words, said


def _mean(side: Side, label: str) -> float:
    scores = side.scores.get(label)
    if scores is None:
        return math.nan
    entropy = scores.mean_entropy[np.isfinite(scores.mean_entropy)]
    return float(entropy.mean()) if entropy.size else math.nan


def _scored_at(side: Side, label: str) -> Any:
    scores = side.scores.get(label)
    return None if scores is None else scores.info.get("temperature")

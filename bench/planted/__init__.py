"""Simulated studies of known truth: the scenarios of bench/coverage.py, by subject.

A module of this package lists its scenarios in `SCENARIOS`: pairs of a function and its
configurations. One call of the function is one simulated study:

    scenario(rng, **config) -> {what: outcome}

An outcome is True or False, an array of them, a share, or `outcomes.Held` (whether an interval held
the truth, with its width and that of another method). The words of `what` choose the verdict in the
table: see `outcomes.verdict`. Configuration values are whole numbers, words or numbers; "n",
"problems" (or "answers") and "tasks" have columns of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

__all__ = ["Scenario", "load_scenarios"]

Scenario = Callable[..., dict[str, Any]]


def load_scenarios() -> dict[str, tuple[Scenario, list[dict[str, Any]]]]:
    """Every scenario by "module.function", with its configurations."""
    found: dict[str, tuple[Scenario, list[dict[str, Any]]]] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        listed = getattr(import_module(f"{__name__}.{module}"), "SCENARIOS", ())
        for scenario, configs in listed:
            found[f"{module}.{scenario.__name__}"] = (scenario, list(configs))
    return found

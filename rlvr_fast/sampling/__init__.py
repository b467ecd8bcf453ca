"""Prompts to draws: the Engine protocol and its engines."""

from __future__ import annotations

import importlib
from typing import Any

# name -> the module that defines it, imported on first use: the command line needs the options
# alone, and none of what an engine needs.
_HOME = {
    "Completion": "engine",
    "Engine": "engine",
    "Request": "engine",
    "SampleOptions": "options",
    "SamplingParameters": "parameters",
    "Template": "prompts",
    "draw_run": "drawing",
    "load_engine": "engine",
    "load_template": "prompts",
    "prepare_run": "stage",
    "sample_run": "stage",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""From prompts to draws: prompt templates, engines, and the stage that fills a run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlvr_fast.sampling.drawing import draw_run
    from rlvr_fast.sampling.engine import Completion, Engine, EngineKind, LogprobEngine, Request
    from rlvr_fast.sampling.engines import engine_names, load_engine
    from rlvr_fast.sampling.options import SampleOptions
    from rlvr_fast.sampling.parameters import SamplingParameters
    from rlvr_fast.sampling.prompts import Template, load_template
    from rlvr_fast.sampling.stage import prepare_run, sample_run

# name -> the module that defines it. Resolved on first use, so that the command line reads the
# registry of engines and the options of sampling without numpy and pyarrow.
_HOME = {
    "Completion": "rlvr_fast.sampling.engine",
    "Engine": "rlvr_fast.sampling.engine",
    "EngineKind": "rlvr_fast.sampling.engine",
    "LogprobEngine": "rlvr_fast.sampling.engine",
    "Request": "rlvr_fast.sampling.engine",
    "SampleOptions": "rlvr_fast.sampling.options",
    "SamplingParameters": "rlvr_fast.sampling.parameters",
    "Template": "rlvr_fast.sampling.prompts",
    "draw_run": "rlvr_fast.sampling.drawing",
    "engine_names": "rlvr_fast.sampling.engines",
    "load_engine": "rlvr_fast.sampling.engines",
    "load_template": "rlvr_fast.sampling.prompts",
    "prepare_run": "rlvr_fast.sampling.stage",
    "sample_run": "rlvr_fast.sampling.stage",
}

__all__ = [
    "Completion",
    "Engine",
    "EngineKind",
    "LogprobEngine",
    "Request",
    "SampleOptions",
    "SamplingParameters",
    "Template",
    "draw_run",
    "engine_names",
    "load_engine",
    "load_template",
    "prepare_run",
    "sample_run",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'rlvr_fast.sampling' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value

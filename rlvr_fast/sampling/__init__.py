"""From prompts to draws: prompt templates, engines, and the stage that fills a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlvr_fast.lazy_names import lazy_name

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
    "Completion": "engine",
    "Engine": "engine",
    "EngineKind": "engine",
    "LogprobEngine": "engine",
    "Request": "engine",
    "SampleOptions": "options",
    "SamplingParameters": "parameters",
    "Template": "prompts",
    "draw_run": "drawing",
    "engine_names": "engines",
    "load_engine": "engines",
    "load_template": "prompts",
    "prepare_run": "stage",
    "sample_run": "stage",
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
    return lazy_name(__name__, _HOME, name)

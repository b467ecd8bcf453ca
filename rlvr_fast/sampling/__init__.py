"""Prompts to draws: the Engine protocol and its engines."""

from __future__ import annotations

from rlvr_fast.sampling.engine import (
    Completion,
    Engine,
    Request,
    SamplingParameters,
    load_engine,
)
from rlvr_fast.sampling.prompts import Template, load_template
from rlvr_fast.sampling.stage import prepare_run, sample_run

__all__ = [
    "Completion",
    "Engine",
    "Request",
    "SamplingParameters",
    "Template",
    "load_engine",
    "load_template",
    "prepare_run",
    "sample_run",
]

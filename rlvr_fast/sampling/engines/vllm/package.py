"""The package vllm: which versions are taken, and all names of it that are used.

No other file imports vllm. Where versions differ, the difference is met here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import MissingDependencyError, install_hint
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["OLDEST", "QUIET", "Package", "import_vllm", "refusal"]

# The oldest version whose interface is known to be the one below, and whose backend for CPUs takes
# a seed for each request; pyproject.toml has the same.
OLDEST = (0, 32)

# What is logged by default: its warnings are for its makers and for servers.
QUIET = "ERROR"

# Settings of vLLM that its users make in the environment; those that are made there stay.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": QUIET,
    # Results of the command line are on the standard output.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    # By default the threads of a process are pinned to processors, for as long as it lives.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # A fork of a process with threads may stop for ever, and keeps settings of an engine before it.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Nothing is told to vLLM's makers.
    "VLLM_NO_USAGE_STATS": "1",
}


@dataclass(frozen=True, slots=True)
class Package:
    """What is used of vLLM.

    Attributes:
        version: its version.
        device: "cpu", "cuda" or another device for which the package was built.
        AsyncLLM: the engine, whose processes are not this one.
        AsyncEngineArgs: its arguments, a dataclass.
        SamplingParams: how one request is drawn.
        LoRARequest: the adapter of one request.
        final_only: the kind of output that comes once a request.
        Dead: the error of an engine whose process ended.
        Failed: the error of a request that failed inside the engine.
        Refused: the error of a request that is not taken.
    """

    version: str
    device: str
    AsyncLLM: Any
    AsyncEngineArgs: Any
    SamplingParams: Any
    LoRARequest: Any
    final_only: Any
    Dead: type[Exception]
    Failed: type[Exception]
    Refused: type[Exception]


def import_vllm() -> Package:
    """Imports vLLM.

    Raises:
        MissingDependencyError: it is not installed, broken or too old; the message says why.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    oldest = ".".join(map(str, OLDEST))
    try:
        import vllm

        version = str(vllm.__version__)
        if _numbers(version) < OLDEST:
            raise ImportError(f"its version is {version}, expected {oldest} or a newer one")
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.exceptions import VLLMClientError
        from vllm.lora.request import LoRARequest
        from vllm.platforms import current_platform
        from vllm.sampling_params import RequestOutputKind, SamplingParams
        from vllm.v1.engine.async_llm import AsyncLLM
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
    except ImportError as error:
        raise MissingDependencyError(
            f"the engine vllm needs the package vllm ({error}); {install_hint('vllm')}, or "
            "use --engine transformers"
        ) from error
    return Package(
        version=version,
        device=str(current_platform.device_type),
        AsyncLLM=AsyncLLM,
        AsyncEngineArgs=AsyncEngineArgs,
        SamplingParams=SamplingParams,
        LoRARequest=LoRARequest,
        final_only=RequestOutputKind.FINAL_ONLY,
        Dead=EngineDeadError,
        Failed=EngineGenerateError,
        Refused=VLLMClientError,
    )


# The temperatures above 0 that vLLM takes as they are.
_COLDEST, _HOTTEST = 0.01, 2.0


def refusal(parameters: SamplingParameters) -> str:
    """Why vLLM would not draw with these parameters, in words that follow its name; "" if it would.

    Below 0.01 it draws at 0.01, and says so in its own log alone.
    """
    value = parameters.temperature
    if value == 0 or _COLDEST <= value <= _HOTTEST:
        return ""
    return (
        f"draws at temperature 0 and from {_COLDEST} to {_HOTTEST}, not at {value}: vLLM takes "
        f"{_COLDEST} in the place of a lower one, and refuses a higher one; --engine transformers "
        "takes every temperature"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with; a version built from a checkout may have none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    numbers = tuple(map(int, found.groups())) if found else OLDEST
    return OLDEST if numbers == (0, 0) else numbers

"""The engine server: draws by a server of the OpenAI interface, here or elsewhere."""

from __future__ import annotations

from typing import Any

from rlvr_fast.options import options_of
from rlvr_fast.sampling.engine import Engine, EngineKind
from rlvr_fast.sampling.engines.server.options import ServerOptions
from rlvr_fast.sampling.parameters import ORIGINAL_PARAMETERS
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ENGINE"]


def _load(model: str, *, revision: str | None = None, **arguments: Any) -> Engine:
    from rlvr_fast.sampling.engines.server.engine import load_server

    return load_server(model, revision=revision, arguments=arguments)


ENGINE = EngineKind(
    name="server",
    help="an OpenAI-compatible server: vLLM, SGLang, llama.cpp, hosted; needs the extra server",
    load=_load,
    arguments=tuple(each.name for each in options_of(ServerOptions)),
    parameters=(*ORIGINAL_PARAMETERS, *SAMPLING_DEFAULTS),
    packages=("aiohttp",),
    extra="server",
    logprobs=True,
)

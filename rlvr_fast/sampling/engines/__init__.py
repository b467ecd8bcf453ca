"""The engines: one module each, which holds an `EngineKind` named ENGINE.

A new engine is a new module here and its name in `BUILT_IN`; or a package of its own with an entry
point in the group `rlvr_fast.engines`. The tops of these modules import nothing heavy, as the
command line's help reads all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rlvr_fast.adapters import Adapter, check_adapter
from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.registry import Plugin, Registry
from rlvr_fast.sampling.engine import Engine, EngineKind
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = [
    "BUILT_IN",
    "GROUP",
    "check_adapts",
    "check_arguments",
    "check_honoured",
    "check_loads",
    "check_logprobs",
    "describe_engines",
    "engine_kind",
    "engine_names",
    "engine_packages",
    "engine_plugins",
    "load_engine",
]

# The names of the modules in this folder, in the order in which help shows them.
BUILT_IN = (
    "transformers",
    "vllm",
    "server",
)

# The group of entry points in which packages add engines.
GROUP = "rlvr_fast.engines"

_REGISTRY = Registry(
    EngineKind, BUILT_IN, what="engine", modules=__name__, attribute="ENGINE", group=GROUP
)


def engine_kind(name: str) -> EngineKind:
    """What the registry knows of the engine `name`.

    Raises:
        InvalidInputError: no such engine; the message names the nearest ones.
        RlvrError: the package that adds the engine is broken; the message names the package.
    """
    return _REGISTRY.get(name)


def engine_names() -> tuple[str, ...]:
    """The engines, rlvr_fast's own first; the packages that add others stay unloaded."""
    return _REGISTRY.names()


def describe_engines() -> str:
    """The engines, each as NAME (HELP), separated by semicolons: for help texts.

    Packages that add engines stay unloaded; the help of their engines names the package.
    """
    own = [(kind.name, kind.help) for kind in _REGISTRY.own()]
    added = [
        (plugin.name, f"of the package {plugin}")
        for plugin in engine_plugins()
        if not plugin.problem
    ]
    return "; ".join(f"{name} ({text})" for name, text in [*own, *added])


def engine_packages() -> dict[str, str | None]:
    """The packages whose versions a run records and `rlvr-fast doctor` shows, with their extras."""
    return _REGISTRY.packages()


def engine_plugins(*, load: bool = False) -> tuple[Plugin, ...]:
    """The engines that installed packages add; `load` imports them to find broken ones."""
    return _REGISTRY.plugins(load=load)


def check_honoured(name: str, parameters: SamplingParameters) -> None:
    """Refuses sampling parameters that an engine does not honour, before anything is loaded.

    Raises:
        InvalidInputError: such a parameter with another value than its default, by name; or a
            value that the engine would change or refuse.
    """
    kind = engine_kind(name)
    beyond = parameters.beyond(kind.parameters)
    if beyond:
        raise InvalidInputError(
            f"the engine {name} does not know {', '.join(beyond)}. "
            f"Its sampling parameters: {', '.join(kind.parameters)}"
        )
    if why := kind.refuses(parameters):
        raise InvalidInputError(f"the engine {name} {why}")


def check_adapts(name: str) -> None:
    """Refuses an engine that draws with no adapters, before anything is loaded.

    Raises:
        InvalidInputError: such an engine; the message says how to draw with the adapter.
    """
    if engine_kind(name).adapters:
        return
    advice = (
        "the server has each adapter as a model with a name of its own: name that as the model "
        "(vllm serve --enable-lora --lora-modules NAME=FOLDER)"
        if name == "server"
        else "take one of: " + ", ".join(each for each in BUILT_IN if engine_kind(each).adapters)
    )
    raise InvalidInputError(f"the engine {name} loads no adapter; {advice}")


def check_arguments(name: str, arguments: Iterable[str]) -> None:
    """Refuses arguments that an engine does not take, before anything is loaded.

    Raises:
        InvalidInputError: such an argument; the message names the nearest one.
    """
    taken = engine_kind(name).arguments
    if taken is None:
        return
    for argument in arguments:
        if argument not in taken:
            raise InvalidInputError(
                f"the engine {name} has no argument {argument!r}.{closest(argument, taken)} "
                f"Its arguments: {', '.join(taken) or 'none'}"
            )


def check_loads(
    name: str,
    /,
    model: str,
    *,
    revision: str | None = None,
    adapters: Sequence[Adapter] = (),
    **arguments: Any,
) -> None:
    """Refuses what `load_engine` would refuse, as far as the engine can say it without weights.

    Args:
        name: as for `load_engine`.
        model: as for `load_engine`.
        revision: as for `load_engine`.
        adapters: as for `load_engine`; whether they fit the model is not looked at.
        arguments: as for `load_engine`.

    Raises:
        InvalidInputError: an argument, a model or an adapter that the engine does not take.
        MissingDependencyError: the engine's package, which knows its arguments, is not installed.
    """
    check_arguments(name, arguments)
    kind = engine_kind(name)
    if kind.check is not None:
        given = {"adapters": tuple(adapters)} if adapters else {}
        kind.check(model, revision=revision, **given, **arguments)


def check_logprobs(name: str) -> None:
    """Refuses an engine that gives no log-probabilities, before anything is loaded.

    Raises:
        InvalidInputError: such an engine; the message names those that give them.
    """
    if not engine_kind(name).logprobs:
        able = ", ".join(each for each in BUILT_IN if engine_kind(each).logprobs)
        raise InvalidInputError(
            f"the engine {name} gives no log-probabilities of its tokens; leave "
            f"--logprobs out, or take one of: {able}"
        )


def load_engine(
    name: str,
    /,
    model: str,
    *,
    revision: str | None = None,
    adapters: Sequence[Adapter] = (),
    **arguments: Any,
) -> Engine:
    """Loads `model` into the engine `name`.

    Args:
        name: one of `engine_names()`.
        model: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.
        adapters: all adapters that the model will draw with; the engine draws with one of them
            after `adapted(adapter)` (`AdaptedEngine`).
        arguments: further arguments of the engine: `device`, `dtype` and `batch_size` for
            transformers, those of vLLM's AsyncEngineArgs for vllm, those of `ServerOptions` for
            server.

    Raises:
        InvalidInputError: no such engine, argument or model; an adapter that does not fit the
            model, or an engine that draws with none.
        MissingDependencyError: the engine's package is not installed.
        RlvrError: the package that adds the engine is broken; the message names the package.
    """
    kind = engine_kind(name)
    check_arguments(name, arguments)
    if not adapters:
        return kind.load(model, revision=revision, **arguments)
    check_adapts(name)
    for adapter in adapters:
        check_adapter(adapter, model, revision)
    return kind.load(model, revision=revision, adapters=tuple(adapters), **arguments)

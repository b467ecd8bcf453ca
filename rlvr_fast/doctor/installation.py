"""What this installation can do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil

__all__ = ["examine_installation"]

_NOT_INSTALLED = "not installed"


def examine_installation() -> dict[str, str]:
    """Versions, the instruction set and devices of the kernels, and the packages installed."""
    from rlvr_fast.errors import install_hint
    from rlvr_fast.sampling.engines import engine_packages, engine_plugins
    from rlvr_fast.tasks.schemes import scheme_packages, scheme_plugins

    facts = {
        "rlvr-fast": _version("rlvr-fast"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    try:
        from rlvr_fast import _core

        facts["core"] = "built"
        facts["CPU kernels"] = _core.instruction_sets()[0]
        facts["CUDA kernels"] = _cuda()
    except (ImportError, AttributeError) as error:  # the stubs alone import as an empty package
        facts["core"] = f"not built ({error})"
    added = {
        **{f"engine {plugin.name}": plugin for plugin in engine_plugins(load=True)},
        **{f"task {plugin.name}": plugin for plugin in scheme_plugins(load=True)},
    }
    for package, extra in {**engine_packages(), **scheme_packages()}.items():
        facts[package] = _version(package)
        if extra and facts[package] == _NOT_INSTALLED:
            facts[package] += f" ({install_hint(extra)})"
    facts["bubblewrap"] = shutil.which("bwrap") or "not found (tasks that run programs need it)"
    for name, plugin in added.items():
        facts[name] = plugin.problem or f"of the package {plugin}"
    return facts


def _cuda() -> str:
    from rlvr_fast import _core
    from rlvr_fast.errors import CudaError

    if not _core.cuda.built():
        return "not built (RLVR_CUDA=ON builds them)"
    try:
        names = [_core.cuda.device_name(i) for i in range(_core.cuda.device_count())]
    except CudaError as error:
        return f"built; {error}"
    return f"built; {', '.join(names) or 'no device'}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return _NOT_INSTALLED

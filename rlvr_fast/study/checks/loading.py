"""The checks of what an engine is given beside the model, before it loads one."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rlvr_fast.errors import MissingDependencyError, install_hint
from rlvr_fast.study.checks.faults import Faults
from rlvr_fast.study.models import StudySide

if TYPE_CHECKING:
    from rlvr_fast.sampling.engine import EngineKind

__all__ = ["check_loading"]


def check_loading(side: StudySide, faults: Faults) -> None:
    """Checks the packages of an engine, and the values of its arguments for one model."""
    from rlvr_fast.adapters import read_adapter
    from rlvr_fast.sampling.engines import check_loads, engine_kind

    if any(isinstance(fault, MissingDependencyError) for fault in faults.found):
        return  # a package that lacks is told once
    kind = engine_kind(side.sample.engine)
    adapters = []
    if side.model.adapter is not None and kind.adapters:
        with faults.kept():
            adapters.append(read_adapter(side.model.adapter))
    with faults.kept():
        if kind.check is None:
            _check_packages(kind)
        check_loads(
            kind.name,
            side.model.model,
            revision=side.model.revision,
            adapters=adapters,
            **side.sample.engine_arguments(),
        )


def _check_packages(kind: EngineKind) -> None:
    """Refuses an engine none of whose packages is installed."""
    if not kind.extra or not kind.packages:
        return
    for package in kind.packages:
        with contextlib.suppress(PackageNotFoundError):
            version(package)
            return
    raise MissingDependencyError(
        f"the engine {kind.name} needs the package {' or '.join(kind.packages)}; "
        f"{install_hint(kind.extra)}"
    )

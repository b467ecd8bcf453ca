"""bench/coverage.py as a module, with the package of its scenarios."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["coverage_bench"]

BENCH = Path(__file__).parents[2] / "bench"


@functools.cache
def coverage_bench() -> ModuleType:
    """The module, loaded once; `planted` can be imported afterwards."""
    if str(BENCH) not in sys.path:
        sys.path.append(str(BENCH))
    spec = importlib.util.spec_from_file_location("rlvr_bench_coverage", BENCH / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

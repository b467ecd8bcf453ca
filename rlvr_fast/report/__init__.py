"""Two runs to a comparison; a comparison to tables, figures and one HTML page."""

from __future__ import annotations

import importlib
from typing import Any

# name -> the module that defines it, imported on first use: the command line needs the options
# alone, and neither numpy nor matplotlib.
_HOME = {
    "CompareOptions": "options",
    "Comparison": "comparison",
    "Report": "report",
    "Table": "table",
    "build_report": "report",
    "compare_runs": "comparison",
    "reference_perplexity": "dynamics",
    "sampling_plan": "planning",
    "training_dynamics": "dynamics",
    "write_dynamics": "dynamics",
    "write_report": "files",
    "write_tables": "table",
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

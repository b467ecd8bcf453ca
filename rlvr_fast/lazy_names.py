"""Names of a package that are resolved on first use, so that its import stays light."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["lazy_name"]


def lazy_name(package: str, homes: Mapping[str, str], name: str) -> Any:
    """The value of a name, which the package has from then on; for its `__getattr__`.

    Args:
        package: the package, `__name__` in its __init__.py.
        homes: name -> the module below the package that defines it. No module may have the name
            of something that is defined in it: its import would hide that.
        name: the name asked for.

    Raises:
        AttributeError: the package has no such name.
    """
    home = homes.get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{package}.{home}"), name)
    setattr(sys.modules[package], name, value)
    return value

"""What code of datasets changes for the whole process, put back behind it."""

from __future__ import annotations

import decimal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["own_process_state"]


@contextmanager
def own_process_state() -> Iterator[None]:
    """Runs code of a dataset under a decimal context of its own, and leaves NumPy's generator be.

    decimal_arithmetic sets the precision of the decimal context, and pool_matrix seeds NumPy's
    generator. A verdict must not depend on the problems before it, nor a caller's numbers on ours.

    Example:
        >>> with own_process_state():
        ...     decimal.getcontext().prec = 3
        >>> decimal.getcontext().prec
        28
    """
    random = sys.modules.get("numpy.random")
    state = None if random is None else random.get_state()
    try:
        with decimal.localcontext(decimal.Context(prec=28)):
            yield
    finally:
        if random is not None:
            random.set_state(state)

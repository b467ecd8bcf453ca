"""The exceptions rlvr_fast raises on purpose.

Every message says what was expected, what came, where (file, row, problem), and what to do.
"""

from __future__ import annotations

__all__ = [
    "CudaError",
    "InvalidInputError",
    "MissingDependencyError",
    "RlvrError",
    "RunDirectoryError",
    "UnsupportedModelError",
]


class RlvrError(Exception):
    """Base of every error of rlvr_fast."""


class InvalidInputError(RlvrError, ValueError):
    """An argument, file or option is not of the form asked for."""


class RunDirectoryError(InvalidInputError):
    """A run directory is missing, damaged, locked, or not the run it is asked to be."""


class UnsupportedModelError(InvalidInputError):
    """A model whose head is not known to be scored exactly."""


class MissingDependencyError(RlvrError, ImportError):
    """An optional package is not installed; the message says which extra installs it."""


class CudaError(RlvrError, RuntimeError):
    """The CUDA kernels are not built, find no driver or device, or failed."""

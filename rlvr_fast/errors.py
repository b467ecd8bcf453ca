"""The exceptions that rlvr_fast raises on purpose.

    RlvrError
      InvalidInputError        the caller gave wrong input; the command line exits with 2
        RunDirectoryError      ... in or about a run directory
        UnsupportedModelError  ... a model
        SeveralFaults          ... several of these at once
      MissingDependencyError   a package is not installed; exits with 2
      EngineError              the engine that draws failed; exits with 1
      StorageError             the input is right, the file system failed; exits with 1
        RunLockedError         ... another process is writing to the run
      CudaError                the CUDA kernels failed; exits with 1

Every message names the expected and the actual input, the place (file, row, problem), and a remedy.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator

__all__ = [
    "CudaError",
    "EngineError",
    "InvalidInputError",
    "MissingDependencyError",
    "RlvrError",
    "RunDirectoryError",
    "RunLockedError",
    "SeveralFaults",
    "StorageError",
    "UnsupportedModelError",
    "closest",
    "fault_kept",
    "file_error",
    "install_hint",
    "require_none",
    "shown",
]


class RlvrError(Exception):
    """Base of every error of rlvr_fast."""


class InvalidInputError(RlvrError, ValueError):
    """An argument, file or option is not of the form asked for; other input is needed."""


class RunDirectoryError(InvalidInputError):
    """A run directory does not hold what the call needs.

    The directory is missing, is no run, holds another run or a damaged file, or lacks the stage
    that comes before. A run that is right but cannot be read or written is a `StorageError`.
    """


class UnsupportedModelError(InvalidInputError):
    """A model whose head is not known to be scored exactly."""


class SeveralFaults(InvalidInputError):
    """Several faults of one input; the message numbers them.

    Attributes:
        faults: each of them.
    """

    def __init__(self, message: str, faults: Iterable[RlvrError]) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class StorageError(RlvrError, OSError):
    """The file system refused to read or write a file although the input is right.

    Examples: no room left, a quota, a read-only file system, no permission, an input/output error.
    What was stored before is intact; the same call goes on from there once the cause is removed.
    """


class RunLockedError(StorageError):
    """Another process is writing to the run directory; one process may write at a time."""


class MissingDependencyError(RlvrError, ImportError):
    """An optional package is not installed; the message says which extra installs it."""


class EngineError(RlvrError):
    """An engine failed while it drew, as a server that is gone; what was finished is stored."""


class CudaError(RlvrError, RuntimeError):
    """The CUDA kernels are not built, find no driver or device, or failed."""


_WRONG_PATH = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_WRONG_NAME = (errno.ELOOP, errno.ENAMETOOLONG)


def file_error(error: OSError, message: str) -> InvalidInputError | StorageError:
    """The exception to raise for an operation on a file that failed.

    Args:
        error: what the operating system reported.
        message: the whole message of the exception.

    Returns:
        An `InvalidInputError` where the path cannot name such a file (a folder that does not
        exist, a file in place of a folder, a name that is too long), else a `StorageError`.

    Example:
        >>> type(file_error(PermissionError(13, "Permission denied"), "a.txt: ...")).__name__
        'StorageError'
    """
    wrong = isinstance(error, _WRONG_PATH) or error.errno in _WRONG_NAME
    return InvalidInputError(message) if wrong else StorageError(message)


@contextlib.contextmanager
def fault_kept(faults: list[RlvrError]) -> Iterator[None]:
    """A block whose error is put into a list, so that what comes after it is examined too.

    Args:
        faults: receives the error, or each of those that a `SeveralFaults` holds; one message once.
    """
    try:
        yield
    except RlvrError as error:
        known = set(map(str, faults))
        for each in error.faults if isinstance(error, SeveralFaults) else [error]:
            if str(each) not in known:
                faults.append(each)


def require_none(faults: Iterable[RlvrError], what: str) -> None:
    """Raises what is in a list of faults: one as it is, several as one error that numbers them.

    Args:
        faults: as `fault_kept` leaves them.
        what: stands behind the number of faults, as "of study.yaml".

    Raises:
        RlvrError: the only fault.
        SeveralFaults: several.
    """
    found = list(faults)
    if len(found) == 1:
        raise found[0]
    if found:
        listed = "\n".join(
            f"  {number}. " + "\n     ".join(str(fault).splitlines())
            for number, fault in enumerate(found, 1)
        )
        raise SeveralFaults(f"{len(found)} faults {what}:\n{listed}", found)


def closest(name: object, names: Iterable[str]) -> str:
    """A suggestion for the end of a message about an unknown name.

    Returns:
        " Did you mean 'x'?" with up to three names that are like `name`, the nearest first; ""
        where none is like it.

    Example:
        >>> closest("tempratur", ["temperature", "top_p"])
        " Did you mean 'temperature'?"
    """
    import difflib  # only where something is wrong

    near = difflib.get_close_matches(str(name), list(names), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def install_hint(extra: str) -> str:
    """How the packages of an extra are installed, for the end of a message.

    rlvr-fast is on no package index, so an extra is installed from a checkout.

    Example:
        >>> install_hint("vllm")
        "run in a checkout of rlvr-fast: pip install '.[vllm]'"
    """
    return f"run in a checkout of rlvr-fast: pip install '.[{extra}]'"


def shown(value: object, most: int = 80) -> str:
    """A value in a message: its repr, cut to `most` characters.

    Example:
        >>> shown("a long text", most=10)
        "'a long..."
    """
    if isinstance(value, str | bytes):
        value = value[: most + 1]  # of a text of a gigabyte nobody needs the whole repr
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in itself
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= most else text[: most - 3] + "..."

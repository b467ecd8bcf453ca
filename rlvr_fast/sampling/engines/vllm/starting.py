"""The start of vLLM's processes: what they print is kept, to tell why one of them failed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.model_files import asks_for_code
from rlvr_fast.sampling.engines.vllm.advice import advised
from rlvr_fast.sampling.engines.vllm.package import QUIET, Package
from rlvr_fast.shown_text import terminal

__all__ = ["Output", "check_configuration", "start"]

_TAIL_BYTES = 1 << 20
_MOST_SHOWN = 2000
# An error of one process of vLLM that only points to that of another one.
_POINTERS = ("root cause", "core initialization failed", "see stack trace", "worker failed")
_ERROR = re.compile(r"(?:^|[\s\]])((?:\w+\.)*\w*(?:Error|Exception|Interrupt)): (.+)$")


class Output:
    """What the processes of one engine print, in a file without a name."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the engine)

    @contextlib.contextmanager
    def collecting(self, wanted: bool = True) -> Iterator[None]:
        """What is printed meanwhile goes to the file; processes begun meanwhile print to it on.

        Both streams of the operating system are exchanged, as processes inherit those.

        Args:
            wanted: False leaves the streams as they are.
        """
        if not wanted:
            yield
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        kept = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in kept:
                os.dup2(self._file.fileno(), number)
            yield
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)

    def cause(self) -> str | None:
        """The first error in the file that does not only point to another one; None without one."""
        size = os.fstat(self._file.fileno()).st_size
        first = max(0, size - _TAIL_BYTES)
        data = os.pread(self._file.fileno(), size - first, first)
        for line in data.decode("utf-8", "replace").splitlines():
            found = _ERROR.search(line)
            if found and not any(word in found[2].lower() for word in _POINTERS):
                return found[2].strip()
        return None

    def close(self) -> None:
        """Frees the file; processes that still print to it keep it until they end."""
        self._file.close()


def start(model: str, arguments: dict[str, Any], package: Package, output: Output) -> Any:
    """Starts an AsyncLLM.

    Args:
        model: for messages.
        arguments: those of AsyncEngineArgs.
        package: vLLM.
        output: takes what is printed, unless VLLM_LOGGING_LEVEL is set: then it is shown.

    Raises:
        InvalidInputError: vLLM cannot load the model; the message is vLLM's own.
    """
    quiet = os.environ.get("VLLM_LOGGING_LEVEL") == QUIET
    with _refused(model, package, output), output.collecting(quiet):
        llm = package.AsyncLLM.from_engine_args(package.AsyncEngineArgs(**arguments))
    if quiet:  # errors of this process are raised, too
        logging.getLogger("vllm").setLevel(logging.CRITICAL)
    return llm


def check_configuration(model: str, arguments: dict[str, Any], package: Package) -> None:
    """Has vLLM make its configuration of the arguments and of the model's files, weights aside.

    Args:
        model: as for `start`.
        arguments: as for `start`.
        package: vLLM.

    Raises:
        InvalidInputError: as `start`.
    """
    output = Output()
    quiet = os.environ.get("VLLM_LOGGING_LEVEL") == QUIET
    try:
        with _refused(model, package, output), output.collecting(quiet):
            package.AsyncEngineArgs(**arguments).create_engine_config()
    finally:
        output.close()


@contextlib.contextmanager
def _refused(model: str, package: Package, output: Output) -> Iterator[None]:
    """Errors of vLLM as ours, with what is to be done in the words of our options."""
    try:
        yield
    except Exception as error:  # every kind of damage has an exception of its own
        told = str(error).strip()
        if any(word in told.lower() for word in _POINTERS):
            told = output.cause() or told
        if "trust_remote_code" in told:
            raise InvalidInputError(asks_for_code(model)) from error
        why = advised(terminal(told[:_MOST_SHOWN]), package) or type(error).__name__
        raise InvalidInputError(f"{model}: vLLM cannot load it ({why})") from error

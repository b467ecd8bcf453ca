"""Programs in bubblewrap: no network, a read-only system, a private /tmp, limits."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.sandbox.commands import program_command, working_variant
from rlvr_fast.tasks.sandbox.folders import program_folder
from rlvr_fast.tasks.sandbox.limits import Limits, ProgramResult
from rlvr_fast.tasks.sandbox.supervision import Supervision

__all__ = ["open_program", "require_sandbox", "run_program", "unavailable_reason"]


def run_program(
    files: Mapping[str, str | bytes],
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    limits: Limits | None = None,
    hidden: Sequence[str] = (),
) -> ProgramResult:
    """Runs a program in a sandbox of its own.

    Args:
        files: name to content; they lie read-only in the program's working directory.
        argv: the command. A first word "python" stands for the interpreter of this process,
            without its site-packages.
        stdin: what the program reads from standard input.
        limits: the default limits where None.
        hidden: what the program cannot read, should it lie in /usr or the interpreter's folder.

    Raises:
        MissingDependencyError: bubblewrap cannot be used here; nothing is run without it.
        InvalidInputError: a name in `files` has a folder.
        OSError: bubblewrap makes no sandbox this time.
    """
    with open_program(files, argv, limits=limits, hidden=hidden) as running:
        running.write(stdin)
        return running.finish()


@contextlib.contextmanager
def open_program(
    files: Mapping[str, str | bytes],
    argv: Sequence[str],
    *,
    limits: Limits | None = None,
    hidden: Sequence[str] = (),
) -> Iterator[Supervision]:
    """Starts a program in a sandbox of its own, which ends with the context.

    Args:
        files: as in `run_program`.
        argv: as in `run_program`.
        limits: as in `run_program`.
        hidden: as in `run_program`.

    Raises:
        MissingDependencyError: bubblewrap cannot be used here; nothing is run without it.
        InvalidInputError: a name in `files` has a folder.
    """
    limits = limits or Limits()
    require_sandbox()
    with program_folder() as folder:
        for name, content in files.items():
            path = folder / name
            if path.parent != folder:
                raise InvalidInputError(f"sandbox file {name!r}: expected a name without a folder")
            data = content.encode("utf-8", "replace") if isinstance(content, str) else content
            path.write_bytes(data)
            path.chmod(0o644)
        variant = working_variant()
        command = program_command(argv, str(folder), limits, variant, hidden)
        with Supervision(command, limits, as_nobody=variant.as_nobody) as running:
            yield running


def require_sandbox() -> None:
    """Checks that programs can be run here.

    Raises:
        MissingDependencyError: they cannot; the message says what to install or to allow.
    """
    reason = unavailable_reason()
    if reason is not None:
        raise MissingDependencyError(reason)


def unavailable_reason() -> str | None:
    """Why programs cannot be run here, and what to install or to allow; None where they can."""
    if not sys.platform.startswith("linux"):
        return "programs are run in bubblewrap, which needs Linux; grade code tasks on Linux"
    if shutil.which("bwrap") is None:
        return (
            "programs are run only in bubblewrap, and there is no 'bwrap' on the PATH: "
            "apt-get install bubblewrap"
        )
    try:
        working_variant()
    except OSError as error:
        return (
            "bubblewrap is installed but cannot make a sandbox here "
            f"({str(error).strip() or 'no message'}): it needs unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces > 0; in a "
            "container, a seccomp profile that allows unshare and mount)"
        )
    return None

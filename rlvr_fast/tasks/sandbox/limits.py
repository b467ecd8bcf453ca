"""What a sandboxed program may use, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MEBIBYTE", "Limits", "Outcome", "ProgramResult"]

Outcome = Literal["exited", "timeout", "memory", "output"]
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use; a program that exceeds a limit is ended.

    Attributes:
        cpu_seconds: processor seconds of each process.
        wall_seconds: seconds from start to end of the whole program.
        memory_mb: MiB of address space of each process, and of resident memory of all processes.
        processes: processes and threads at once.
        output_bytes: bytes of standard output and standard error together.
        disk_mb: MiB of the private /tmp, and of each file.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 20.0
    memory_mb: int = 1024
    processes: int = 32
    output_bytes: int = 4 * MEBIBYTE
    disk_mb: int = 64

    @property
    def whole_cpu_seconds(self) -> int:
        """The limit of processor seconds as the kernel keeps it."""
        return max(1, round(self.cpu_seconds + 0.5))

    def of_processes(self) -> dict[str, int]:
        """Resource limits of each process: the name behind RLIMIT_, and the value."""
        return {
            "NPROC": self.processes,
            "AS": self.memory_mb * MEBIBYTE,
            "CPU": self.whole_cpu_seconds,
            "FSIZE": self.disk_mb * MEBIBYTE,
            "NOFILE": 64,  # sockets and pipes hold memory that no process limit counts
            "SIGPENDING": 256,  # signals and timers that wait hold memory too
            "MSGQUEUE": 0,
            "CORE": 0,
            "RTPRIO": 0,  # a process of real-time priority would keep the supervisor waiting
            "NICE": 0,
        }


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended.

    Attributes:
        outcome: "exited", or the limit that ended the program.
        returncode: the exit status; negative (minus the number of the signal) after a signal.
        stdout: what the program wrote to standard output.
        stderr: what the program wrote to standard error.
    """

    outcome: Outcome
    returncode: int
    stdout: bytes
    stderr: bytes

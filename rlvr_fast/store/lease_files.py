"""Files of leases: which there are, whom they name, and whether that process runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import time
from pathlib import Path
from typing import NamedTuple, Self

__all__ = [
    "FREE",
    "Owner",
    "lease_file",
    "lease_files",
    "lease_owner",
    "locked_message",
    "machine_name",
    "make_lease",
    "read_lease",
    "write_lease",
]

_NAME = re.compile(r"\.lease-([0-9]{6}|[1-9][0-9]{6,11})")
_BYTES = 512  # of a record, padded, so that one write replaces it
FREE = json.dumps({"lease": "free"}).encode().ljust(_BYTES - 1) + b"\n"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC){2}")
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Owner(NamedTuple):
    """What a lease says of the process that made it.

    Attributes:
        token: a random name of the lease.
        host: the name of the machine.
        machine: a digest of the start of the machine.
        space: the space of process numbers (a container has its own).
        process: the number of the process in that space.
        started: when the process started, in ticks of its machine; 0 where that is not known.
        since: when the lease was made, by the clock of the machine.
        beat: the last change, by the clock of the machine.
        beats: the number of changes.
    """

    token: str
    host: str
    machine: str
    space: str
    process: int
    started: int
    since: str
    beat: str
    beats: int = 0

    @classmethod
    def this_process(cls) -> Self:
        """The owner of a new lease."""
        process, now = os.getpid(), _now()
        return cls(
            token=secrets.token_hex(8),
            host=re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64],
            machine=machine_name(),
            space=_space(),
            process=process,
            started=_state(process)[1],
            since=now,
            beat=now,
        )

    @classmethod
    def read(cls, data: bytes) -> Self | None:
        """The owner that a lease names; None where it names none, or is no lease."""
        try:
            owner = cls(**json.loads(data))
        except (ValueError, TypeError, RecursionError):
            return None
        if [type(value) for value in owner] != _KINDS:
            return None
        numbers = (owner.process, owner.started, owner.beats)
        if not all(0 <= number < 1 << 62 for number in numbers) or not owner.process:
            return None
        if not _TIME.fullmatch(owner.since + owner.beat):
            return None
        return owner if _HOST.fullmatch(owner.host) else owner._replace(host="unknown")

    def record(self) -> bytes:
        """The contents of the file, as `read` takes them; always of one size."""
        return json.dumps(self._asdict()).encode().ljust(_BYTES - 1) + b"\n"

    def again(self) -> Self:
        """The same owner, one sign of life later."""
        return self._replace(beat=_now(), beats=self.beats + 1)

    def same_machine(self) -> bool:
        """Whether the machine is this one, and was not started again since."""
        return self.machine == machine_name() != "unknown"

    def here(self) -> bool:
        """Whether the number of the process means something to this process."""
        return self.same_machine() and self.space == _space() != "unknown"

    def alive(self) -> bool:
        """Whether the process, which is `here`, still runs."""
        try:
            os.kill(self.process, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:  # a process of another user
            pass
        state, started = _state(self.process)
        return state not in ("Z", "X") and (started == self.started or 0 in (started, self.started))


# Of the fields of `Owner`.
_KINDS = [str, str, str, str, int, int, str, str, int]


def machine_name() -> str:
    """A name of this machine that says nothing of it: a digest of a number drawn at its start."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return "unknown"
    return hashlib.blake2b(start, digest_size=6).hexdigest()


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "unknown"


def _state(process: int) -> tuple[str, int]:
    """(state, start in ticks) of a process, ("", 0) where they cannot be read."""
    try:
        words = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        return words.split()[0], int(words.split()[19])
    except (OSError, ValueError, IndexError):
        return "", 0


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


def lease_files(run: Path) -> dict[int, Path]:
    """The files of leases in a run directory, by number."""
    # Opened first: NFS may show an old list of a folder, but asks its server when one is opened.
    handle = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(handle) as entries:
            found = [_NAME.fullmatch(entry.name) for entry in entries]
        return {int(name[1]): run / name[0] for name in found if name}
    finally:
        os.close(handle)


def read_lease(file: Path) -> bytes | None:
    """The bytes of a lease, None where it is gone."""
    try:
        handle = os.open(file, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    try:
        return os.read(handle, 2 * _BYTES)
    finally:
        os.close(handle)


def lease_owner(run: Path) -> Owner | None:
    """The owner of the lease of a run, None where nobody has it or it cannot be read."""
    with contextlib.suppress(OSError):
        files = lease_files(run)
        if files:
            return Owner.read(read_lease(files[max(files)]) or b"")
    return None


def locked_message(run: Path, owner: Owner | None, process: str = "another process") -> str:
    """Why a run cannot be written to.

    Args:
        run: the folder.
        owner: who has the lease, as far as that is known.
        process: the one that writes, in words, where no lease names it.
    """
    about = ""
    if owner is not None:
        process = f"process {owner.process}"
        about = f", since {owner.since}, last sign of life {owner.beat}"
        if not owner.same_machine():
            process += " of another machine"
            about += " by its clock"
        about = f" (on {owner.host}{about})"
        if owner.here() and _state(owner.process)[0] == "T":
            about += f"; it is stopped (kill -CONT {owner.process} lets it go on)"
    return (
        f"{run}: {process} is writing to this run{about}; one process may write at a time. Wait "
        "until it is done, or stop it: nothing that it has stored is lost."
    )


def lease_file(run: Path, number: int) -> Path:
    """The file of the lease of a number."""
    return run / f".lease-{number:06d}"


def make_lease(run: Path, number: int, owner: Owner) -> bool:
    """Makes the lease of a number; False where it is there.

    Raises:
        OSError: as the file system raises it.
    """
    file = lease_file(run, number)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(handle, owner.record())
    except OSError:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return True


def write_lease(run: Path, number: int, record: bytes) -> None:
    """Replaces the contents of a lease that is there.

    Opened by name, and closed: NFS sends the bytes to its server then. A name is never used for
    another lease.

    Raises:
        OSError: as the file system raises it; FileNotFoundError where the lease is gone.
    """
    handle = os.open(lease_file(run, number), os.O_WRONLY | _FLAGS)
    try:
        os.pwrite(handle, record, 0)
    finally:
        os.close(handle)

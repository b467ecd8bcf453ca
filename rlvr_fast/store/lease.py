"""The lease of a run: a file that says who writes, with a heartbeat, where flock cannot tell.

flock is granted without effect, or not at all, on NFS without a lock service, on some mounts of
FUSE and Lustre, and between a file server and the machines that mount its disk. What such file
systems do keep is that of two processes that make a file of one name (O_EXCL) one succeeds. So a
writer makes RUN/.lease-N with the next number, and the highest number is the one that counts:

* Its owner changes it every `BEAT_SECONDS`. Clocks of machines are never compared: who finds a
  lease of another machine watches it, and only one that has not changed for `SILENT_SECONDS` is
  over.
* Whoever takes over makes the next number: of several exactly one can.
* An owner that could not change its file for half that time, stopped or cut off, may have been
  overtaken. Before it writes anything more it has to make the next number itself, which fails where
  somebody else has made it.
* Numbers only grow. A lease that was given back stays, as a file that says so and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from rlvr_fast.errors import RunDirectoryError, RunLockedError
from rlvr_fast.store.lease_files import (
    FREE,
    Owner,
    lease_file,
    lease_files,
    lease_owner,
    locked_message,
    make_lease,
    read_lease,
    write_lease,
)

__all__ = ["BEAT_SECONDS", "SILENT_SECONDS", "Lease", "confirm_writing"]

BEAT_SECONDS = 3.0
# An owner counts on half of it: clocks of two machines may run at different rates, and a file
# system may show a change late.
SILENT_SECONDS = 30.0

# The highest number that a name may have.
_LAST = 10**12 - 1

# The leases that this process holds, by the folder of their run.
_held: dict[Path, Lease] = {}
_beating: threading.Thread | None = None


def _clock() -> float:
    """Seconds that pass while the machine sleeps, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def confirm_writing(path: Path) -> None:
    """Makes sure that this process may still write to the run that `path` lies in.

    To be called right before a file of a run gets its name, or is deleted. It costs nothing while
    the heartbeat goes on, and outside the runs that this process writes to.

    Raises:
        RunLockedError: another process has taken the run over.
        OSError: the lease cannot be renewed.
    """
    if _held:
        for folder in path.parents:
            if folder in _held:
                _held[folder].confirm()
                return


class Lease:
    """The lease of a run, held by this process: made by `Lease.take`, ended by `release`."""

    def __init__(self, run: Path, number: int, began: float, me: Owner) -> None:
        self.me = me
        self._run = run
        self._number = number
        self._beaten = began  # when the last change that others can see was begun
        self._lost = False
        self._holders = 1
        self._mutex = threading.RLock()

    @classmethod
    def take(cls, run: Path, *, flock_holds: Callable[[], bool]) -> Lease:
        """Takes the lease of a run; one of another machine is watched first, for a while.

        Args:
            run: the folder.
            flock_holds: whether the flock of this process keeps the other processes of its machine
                away; called where that matters.

        Raises:
            RunLockedError: another process has the lease and lives; the message names it.
            RunDirectoryError: a lease with the highest number that there can be.
            OSError: as the file system raises it.
        """
        me = Owner.this_process()
        while True:
            last = max(lease_files(run), default=0)
            if last and not _over(run, last, flock_holds):
                continue
            if last >= _LAST:
                raise RunDirectoryError(
                    f"{lease_file(run, last)}: no lease of rlvr_fast has so high a number; delete "
                    "the file, if nobody writes to this run"
                )
            began, number = _clock(), last + 1
            # Whoever looked long ago may make a number that is over: then there is a higher one.
            if make_lease(run, number, me) and max(lease_files(run)) == number:
                break
        _delete_below(run, number)
        lease = _held[run] = cls(run, number, began, me)
        try:
            _start_beating()
        except BaseException:  # Ctrl-C as well
            lease.release()
            raise
        return lease

    def share(self) -> None:
        """Asks for one more `release` before the lease is over."""
        with self._mutex:
            self._holders += 1

    def release(self) -> None:
        """Gives the lease back, where nobody shares it any more."""
        with self._mutex:
            self._holders -= 1
            if self._holders:
                return
            _held.pop(self._run, None)
            if not self._lost:
                # Where this fails, the next writer sees that the process is gone.
                with contextlib.suppress(OSError):
                    write_lease(self._run, self._number, FREE)

    def confirm(self) -> None:
        """Makes sure that nobody has taken the lease over; see `confirm_writing`."""
        with self._mutex:
            if not self._lost and not self._certain():
                self._renew()
            if not self._lost:
                return
        now = lease_owner(self._run)
        taker = "another process" if now is None else f"process {now.process} on {now.host}"
        raise RunLockedError(
            f"{self._run}: {taker} has taken this run over, because this process (number "
            f"{os.getpid()}) showed no sign of life for {SILENT_SECONDS:.0f} s: it was stopped, or "
            "cut off from the file system. What it had stored is in the run; the rest is left to "
            "the other process, or to the same command once that one is done."
        )

    def _certain(self) -> bool:
        return _clock() - self._beaten < SILENT_SECONDS / 2

    def beat(self) -> None:
        """Shows the others that this process lives.

        Raises:
            OSError: as the file system raises it.
        """
        with self._mutex:
            if self._lost or not self._holders:
                return
            if not self._certain():
                self._renew()
                return
            began, self.me = _clock(), self.me.again()
            write_lease(self._run, self._number, self.me.record())
            self._beaten = began

    def _renew(self) -> None:
        """Takes the lease over from itself, where nobody else has done so."""
        began, number = _clock(), self._number + 1
        self.me = self.me.again()
        made = make_lease(self._run, number, self.me)
        if made and set(lease_files(self._run)) <= {self._number, number}:
            _delete_below(self._run, number)
            self._number, self._beaten = number, began
            return
        self._lost = True
        if made:
            lease_file(self._run, number).unlink(missing_ok=True)


def _start_beating() -> None:
    """Starts the thread that beats for all leases of this process; after a fork, another."""
    global _beating
    if _beating is None or not _beating.is_alive():
        _beating = threading.Thread(target=_beat_for_ever, name="rlvr-fast-lease", daemon=True)
        _beating.start()


def _beat_for_ever() -> None:
    while True:
        time.sleep(BEAT_SECONDS)
        for lease in list(_held.values()):
            with contextlib.suppress(OSError):  # `confirm` raises it, where that matters
                lease.beat()


def _delete_below(run: Path, number: int) -> None:
    for other, file in lease_files(run).items():
        if other < number:
            with contextlib.suppress(OSError):
                file.unlink()


def _over(run: Path, number: int, flock_holds: Callable[[], bool]) -> bool:
    """Whether the last lease of a run is over; False where it has to be looked at again.

    Raises:
        RunLockedError: its owner lives.
    """
    file = lease_file(run, number)
    data = read_lease(file)
    if data is None:
        time.sleep(BEAT_SECONDS / 100)
        return False
    if data == FREE:
        return True
    owner = Owner.read(data)
    if owner is not None and owner.same_machine():
        if flock_holds():
            return True  # the kernel took flock from the owner
        if owner.here():
            ours = owner.process == os.getpid()
            known = owner.token in [lease.me.token for lease in _held.values()]
            if (known or not ours) and owner.alive():
                raise RunLockedError(locked_message(run, owner))
            return True
    return _silent(run, number, data)


def _silent(run: Path, number: int, data: bytes) -> bool:
    """Whether a lease does not change for `SILENT_SECONDS`; False where another one counts now.

    Raises:
        RunLockedError: it changes, so its owner lives.
    """
    owner, began, told = Owner.read(data), _clock(), False
    while True:
        time.sleep(BEAT_SECONDS / 3)
        waited = _clock() - began
        now = read_lease(lease_file(run, number))
        if now is None or max(lease_files(run), default=0) != number:
            return False
        if now != data:
            later = Owner.read(now)
            if owner is None or later is None:
                return False
            raise RunLockedError(locked_message(run, later))
        if waited > SILENT_SECONDS:
            return True
        if not told and waited > 2 * BEAT_SECONDS:
            told = True
            named = "a process" if owner is None else f"process {owner.process} on {owner.host}"
            warnings.warn(
                f"{run}: {named} has not given this run back; waiting {SILENT_SECONDS:.0f} s for a "
                "sign of life from it before going on",
                stacklevel=2,
            )

"""The lock that admits one writer to a run at a time: flock, and a lease for where flock fails."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from rlvr_fast.errors import RunLockedError
from rlvr_fast.safe_files import check_tree, open_in_place
from rlvr_fast.store.files import writing_to
from rlvr_fast.store.lease import Lease
from rlvr_fast.store.lease_files import lease_files, lease_owner, locked_message, machine_name

__all__ = ["Hold", "RunLock"]

# What flock says where a file system has none.
_NO_FLOCK = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class Hold:
    """One hold of the lock of a run, which ends with `close`; `Hold.share` makes another.

    The lock is free when all of them are closed.
    """

    def __init__(self, handle: int, lease: Lease) -> None:
        self._handle = handle
        self._lease = lease

    def share(self) -> Hold:
        """Another hold, for a thread of the holder."""
        handle = os.dup(self._handle)
        self._lease.share()
        return Hold(handle, self._lease)

    def close(self) -> None:
        """Ends this hold."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            try:
                self._lease.release()
            finally:
                os.close(handle)


class RunLock:
    """The lock of a run during writes; its holder may acquire it again.

    RUN/.lock is locked with flock, and not by its existence, because the kernel releases flock when
    its holder dies, for any cause. RUN/.lease-N is for what flock does not see (`store.lease`).
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._hold: Hold | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Holds the lock during a block.

        Yields:
            True to the outermost block that holds the lock, False to the blocks inside.

        Raises:
            RunDirectoryError: the folder holds something else than regular files and folders.
            RunLockedError: another process holds the lock; the message names the process.
            StorageError: the lock file cannot be written.
        """
        with self._thread_lock:
            if self._depth == 0:
                check_tree(self._directory)
                self._hold = self._acquire()
            self._depth += 1
            try:
                yield self._depth == 1
            finally:
                self._depth -= 1
                if self._depth == 0 and self._hold is not None:
                    self._hold.close()
                    self._hold = None

    def share(self) -> Hold:
        """A hold for a thread of the holder: the lock is held until it, too, is closed."""
        assert self._hold is not None
        return self._hold.share()

    def delete_files(self) -> None:
        """Deletes the files of the lock, for a folder that is to be deleted.

        Raises:
            OSError: as the file system raises it.
        """
        for file in [self._directory / ".lock", *lease_files(self._directory).values()]:
            file.unlink(missing_ok=True)

    def _acquire(self) -> Hold:
        path = self._directory / ".lock"
        with writing_to(path):
            handle = open_in_place(path)
        try:
            with writing_to(path):
                self._flock(handle)
            with writing_to(self._directory):
                lease = Lease.take(self._directory, flock_holds=lambda: _excludes(path))
        except BaseException:
            os.close(handle)
            raise
        return Hold(handle, lease)

    def _flock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise self._refused(os.pread(handle, 200, 0)) from None
            if error.errno not in _NO_FLOCK:
                raise
        # The number of the holder helps the next process; a full disk that cannot take it is no
        # reason to fail here.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} of {machine_name()}".encode(), 0)

    def _refused(self, lock: bytes) -> RunLockedError:
        """The error that names who has flock."""
        owner = lease_owner(self._directory)
        named = re.match(rb"process (\d{1,10}) of (\w+)", lock)
        if named is None:
            return RunLockedError(locked_message(self._directory, owner))
        process, machine = int(named[1]), named[2].decode()
        if owner is not None and (owner.process, owner.machine) != (process, machine):
            owner = None  # of one that is gone, and that the process has not yet replaced
        other = "" if machine == machine_name() else " of another machine"
        return RunLockedError(locked_message(self._directory, owner, f"process {process}{other}"))


def _excludes(path: Path) -> bool:
    """Whether flock, which this process has on a file, is denied to another opening of the file."""
    handle = open_in_place(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(handle)
    return False

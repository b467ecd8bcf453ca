"""Files and networks closed to a process by itself, where there is no bubblewrap to close them.

Landlock (landlock(7), Linux 5.13) lets a process without privileges give up access to files for
itself and its children. It leaves no trace on the machine and needs no namespaces.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

__all__ = ["read_only_view"]

# The numbers are those of every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights over files that a version knows: 13 in the first, one more in the second and the third.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_TCP, _SCOPES = 0b11, 0b11  # bind and connect; abstract unix sockets and signals
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/urandom", "/proc/self")


def read_only_view(paths: Iterable[str], folders: Iterable[str] = ()) -> bool:
    """Leaves this process and its children the system in /usr and these paths, read-only.

    The process must not be able to gain privileges (`drop_privileges`). /proc/self stands for this
    process alone, not for its children.

    Args:
        paths: files and folders.
        folders: of these the names of the files alone.

    Returns:
        Whether the kernel does it.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    if version < 1:
        return False
    told = struct.pack("=Q", _FILE_RIGHTS[min(version, 3)])
    told += struct.pack("=Q", _TCP) if version >= 4 else b""
    told += struct.pack("=Q", _SCOPES) if version >= 6 else b""
    rules = library.syscall(_CREATE_RULESET, told, ctypes.c_size_t(len(told)), 0)
    if rules < 0:
        return False
    try:
        whole = [(path, _READ_FILE | _READ_DIR) for path in [*_SYSTEM, *_DEVICES, *paths]]
        for path, rights in [*whole, *((path, _READ_DIR) for path in folders)]:
            try:
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                rights &= _READ_FILE
            rule = struct.pack("=Qi", rights, opened)
            added = library.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
            os.close(opened)
            if added < 0:
                return False
        return bool(library.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)

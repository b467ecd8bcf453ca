"""How a file of a run or a report is opened: regular files and folders only, and no links.

A run directory may come from a stranger. A symbolic link in it names a file of the user that a
command would overwrite or show; a pipe or a device blocks the reader or never ends; a file with a
second name is changed under both by a write in place; a file of holes takes hours to read and no
room to pass on. `check_tree` refuses such a folder before anything in it is read or written, and
the functions that open a file refuse once more, because the folder may have changed since. The
folder that the user names may be a link itself.

Files of models and files that the user names may be links: `open_linked` and `read_linked`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from rlvr_fast.errors import InvalidInputError, RunDirectoryError, file_error

__all__ = [
    "JSON_BYTES",
    "at_home",
    "check_tree",
    "create_new",
    "enclosing_run",
    "is_run",
    "open_descriptor",
    "open_in_place",
    "open_linked",
    "open_regular",
    "read_bytes",
    "read_lines",
    "read_linked",
    "refuse_holes",
]

# The largest JSON file that is read as a whole. run.json, import.json and summary.json name files,
# tasks and sections, not completions.
JSON_BYTES = 64 << 20

# Folders inside each other: a report that holds runs of arms has six. The standard library deletes
# folders by recursion.
_MOST_DEPTH = 100
# Bytes that a file may have without storing them. No file of ours has any.
_HOLES = 1 << 30
_MOST_EXTENTS = 10_000
# What a folder with run.json has of a run besides.
_OF_A_RUN = ("problems.parquet", "samples", "answers", "grading.json", "import.json")

# O_NONBLOCK, because opening a pipe without a writer would wait for ever.
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def check_tree(root: str | Path, *, only: Iterable[str] | None = None) -> None:
    """Refuses a folder that holds anything but regular files and folders.

    Reads folders only, and follows no link but `root` itself. A `root` that is missing or no folder
    holds nothing.

    Args:
        root: the folder.
        only: the entries of `root` that are examined; by default all.

    Raises:
        RunDirectoryError: the message names the entry, and what it is; or more than 100 folders
            inside each other.
        StorageError: a folder cannot be read.
    """
    folders = [Path(root)]
    most = len(folders[0].parts) + _MOST_DEPTH
    if only is not None:
        entries = [Path(root, name) for name in only]
        for entry in entries:
            if entry.is_symlink() or (entry.exists() and not (entry.is_file() or entry.is_dir())):
                raise _refused(entry)
        folders = entries
    while folders:
        folder = folders.pop()
        if len(folder.parts) > most:
            raise RunDirectoryError(
                f"{Path(*folder.parts[: most - _MOST_DEPTH + 4])}: more than {_MOST_DEPTH} folders "
                "inside each other, which no run and no report has; delete them"
            )
        try:
            folders += _folders_in(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise file_error(
                error, f"{folder}: cannot be read ({error.strerror or error})"
            ) from error


def _folders_in(folder: Path) -> list[Path]:
    """The folders in a folder whose other entries are regular files."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.append(Path(entry.path))
            # Another process may delete its temporary file meanwhile.
            elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
                raise _refused(Path(entry.path))
    return found


def at_home(path: str) -> str:
    """A path that begins with "~" or "~user" with the home folder in its place, as shells have it.

    A study file and `--option=~/x` have no shell that does it. Other paths stay as they are.

    Example:
        >>> at_home("runs/~x")
        'runs/~x'
    """
    if path.startswith("~"):
        with contextlib.suppress(RuntimeError):  # no such user
            return str(Path(path).expanduser())
    return path


def enclosing_run(path: str | Path) -> Path | None:
    """The run directory that holds `path` at any depth; None where there is none.

    Example:
        >>> enclosing_run("/") is None
        True
    """
    for folder in Path(path).resolve().parents:
        if is_run(folder):
            return folder
    return None


def is_run(folder: Path) -> bool:
    """Whether a folder looks like a run directory, a damaged one too."""
    found = (folder / name for name in _OF_A_RUN)
    return os.path.lexists(folder / "run.json") and any(map(os.path.lexists, found))


def open_regular(path: str | Path, *, root: str | Path | None = None) -> BinaryIO:
    """Opens a regular file for reading; see `open_descriptor`.

    Raises:
        RunDirectoryError: not a regular file; the message names the file and what it is.
        OSError: as `open` raises it, such as FileNotFoundError.
    """
    return os.fdopen(open_descriptor(path, root=root), "rb")


def open_descriptor(path: str | Path, *, root: str | Path | None = None) -> int:
    """A descriptor for reading a regular file, closed at exec.

    Args:
        path: the file; a link is refused.
        root: a folder that `path` lies in. No component of the path below it may be a link; without
            it only the last component may not.

    Raises:
        RunDirectoryError: not a regular file; the message names the file and what it is.
        OSError: as `open` raises it, such as FileNotFoundError.
    """
    path = Path(path)
    if root is None:
        return _regular(path, os.O_RDONLY)
    inside = path.relative_to(root)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        folder = Path(root)
        for name in inside.parts[:-1]:
            folder /= name
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=handle)
            except OSError as error:
                if folder.is_symlink():
                    raise _refused(folder) from error
                error.filename = str(folder)
                raise
            os.close(handle)
            handle = below
        return _regular(path, os.O_RDONLY, name=inside.name, folder=handle)
    finally:
        os.close(handle)


def read_bytes(path: str | Path, *, at_most: int, root: str | Path | None = None) -> bytes:
    """The bytes of a regular file that holds at most `at_most` bytes; see `open_descriptor`.

    Raises:
        RunDirectoryError: not a regular file, or a larger one.
        OSError: as `open` and `read` raise it.
    """
    with open_regular(path, root=root) as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise RunDirectoryError(
            f"{path}: expected a file of at most {at_most:,} bytes, which is more than rlvr_fast "
            "writes there; this file is larger"
        )
    return data


def read_lines(path: str | Path, *, at_most: int) -> Iterator[bytes]:
    """The lines of a regular file, each with its line break; see `open_descriptor`.

    Raises:
        RunDirectoryError: not a regular file, or a line of more than `at_most` bytes.
        OSError: as `open` and `read` raise it.
    """
    with open_regular(path) as file:
        number = 0
        while line := file.readline(at_most + 1):
            number += 1
            if len(line) > at_most:
                raise RunDirectoryError(
                    f"{path}, row {number}: expected a line of at most {at_most:,} bytes; this one "
                    "is longer"
                )
            yield line


def open_in_place(path: str | Path, *, append: bool = False) -> int:
    """A descriptor for reading and writing a file where it lies; an empty file where it is missing.

    What is written goes to this name alone: a file with a second name (a hard link) is refused.

    Args:
        path: the file; a link is refused.
        append: whether every write goes to the end of the file.

    Raises:
        RunDirectoryError: not a regular file, or one with a second name.
        OSError: as `open` raises it.
    """
    handle = _regular(Path(path), os.O_RDWR | os.O_CREAT | (os.O_APPEND if append else 0))
    if os.fstat(handle).st_nlink > 1:
        os.close(handle)
        raise RunDirectoryError(
            f"{path}: a file with a second name (a hard link), which writing to it would change "
            "too. Replace it by a copy, or delete this name"
        )
    return handle


def open_linked(path: str | Path, *, pipes: bool = False) -> BufferedReader:
    """Opens a regular file for reading, which may be named by a link; never waits to open it.

    Args:
        path: the file.
        pipes: whether a pipe is taken too, as `<(command)` gives one.

    Raises:
        InvalidInputError: something else than a regular file, or a file of holes.
        OSError: as `open` raises it, such as FileNotFoundError.
    """
    path = Path(path)
    handle = os.open(path, os.O_RDONLY | (_FLAGS & ~os.O_NOFOLLOW))
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISFIFO(mode) and pipes:
            os.set_blocking(handle, True)
        elif not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "not a regular file")
            raise InvalidInputError(f"{path}: {kind}, expected a file")
        refuse_holes(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_linked(path: str | Path, *, at_most: int, pipes: bool = False) -> bytes:
    """The bytes of a file that holds at most `at_most` bytes; see `open_linked`.

    Raises:
        InvalidInputError: no regular file, or a larger one.
        OSError: as `open` and `read` raise it.
    """
    with open_linked(path, pipes=pipes) as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise InvalidInputError(f"{path}: expected a file of at most {at_most:,} bytes, got more")
    return data


def refuse_holes(handle: int, path: str | Path) -> None:
    """Refuses an open file with more than 1 GiB of holes, which takes hours to read.

    Raises:
        RunDirectoryError: there is more.
    """
    size = os.fstat(handle).st_size
    if size <= _HOLES:
        return
    holes = at = 0
    for _ in range(_MOST_EXTENTS):
        try:
            hole = os.lseek(handle, at, os.SEEK_HOLE)
            if hole >= size:
                break
        except OSError:  # a file system that tells no holes
            break
        try:
            at = os.lseek(handle, hole, os.SEEK_DATA)
        except OSError:  # a hole to the end
            at = size
        holes += at - hole
        if holes > _HOLES:
            raise RunDirectoryError(
                f"{path}: a file of {size:,} bytes of which most are holes (a sparse file), as no "
                "tool that writes such files leaves it. Put a whole copy of the file there, or "
                "delete it"
            )
        if at >= size:
            break
    os.lseek(handle, 0, os.SEEK_SET)


def create_new(path: str | Path) -> BinaryIO:
    """Opens a new file for writing; an entry of that name is deleted first, and not followed.

    Raises:
        OSError: as `open` raises it; FileExistsError where another process made the file meanwhile,
            IsADirectoryError where a folder lies there.
    """
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666), "wb")


def _regular(path: Path, flags: int, *, name: str = "", folder: int | None = None) -> int:
    """Opens `path`, or `name` in the open folder `folder`, and checks what was opened."""
    try:
        handle = os.open(name or path, flags | _FLAGS, 0o666, dir_fd=folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise _refused(path) from error
        error.filename = str(path)
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _refused(path)
        if flags & os.O_ACCMODE == os.O_RDONLY:
            refuse_holes(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _refused(path: Path) -> RunDirectoryError:
    try:
        kind = _KINDS.get(stat.S_IFMT(os.lstat(path).st_mode), "not a regular file")
    except OSError:  # gone since
        kind = "not a regular file"
    if kind == _KINDS[stat.S_IFDIR]:
        return RunDirectoryError(f"{path}: expected a file, found a folder")
    return RunDirectoryError(
        f"{path}: {kind}; a run or a report holds regular files and folders only. Nothing was read "
        "from it or written to it. Put a copy of the file there, or delete the entry"
    )

"""The files behind the sources that a user gives: files, folders, patterns, archives, tables."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, closest, file_error
from rlvr_fast.store.readers import load_readers
from rlvr_fast.store.readers.archives import MAX_MEMBERS, archive_members, reading
from rlvr_fast.store.readers.names import is_checkpoint, natural_key, why_skipped
from rlvr_fast.store.readers.object_rows import ObjectRows
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import Spool

__all__ = ["STANDARD_INPUT", "Found", "Source", "as_sources", "find_files", "source_name"]

# A file, folder or pattern, "-" for standard input; an Arrow table (or what exports one: a data
# frame of polars or pandas); or rows, as mappings or objects with attributes.
Source: TypeAlias = str | Path | pa.Table | Iterable[Any]

STANDARD_INPUT = "-"


class Found(NamedTuple):
    """What the sources hold.

    Attributes:
        files: in the order of the sources; of a folder, pattern or archive in natural order.
        skipped: (name, why) of files that are no rollouts by their name.
    """

    files: list[SourceFile]
    skipped: list[tuple[str, str]]


def source_name(source: Source) -> str:
    """The name of a source for messages and notes."""
    if isinstance(source, str | Path):
        return "standard input" if str(source) == STANDARD_INPUT else str(source)
    return "a table" if _is_table(source) else "rows in memory"


def find_files(
    sources: Source | Sequence[Source], *, claimed: Callable[[Path], bool] | None = None
) -> Found:
    """The files of rollouts in the sources.

    Args:
        sources: files, folders, patterns (`**` too), "-" for standard input, Arrow tables, lists of
            rows. A file that is named itself is always taken; of folders, patterns and archives,
            files whose names say that they hold no rollouts are skipped. Links to folders inside a
            folder are not followed.
        claimed: whether an archive is the container of a reader, and not a folder of files; by
            default the readers are asked.

    Raises:
        InvalidInputError: nothing there; a folder or pattern without rollouts; a file that is given
            twice; a damaged archive; a run directory.
        StorageError: the file system refuses to read.
    """
    finder = _Finder(claimed or _claimed)
    for source in as_sources(sources):
        finder.add(source)
    return Found(finder.files, finder.skipped)


def _claimed(path: Path) -> bool:
    return any(reader.claims is not None and reader.claims(path) for reader in load_readers())


def as_sources(sources: Any) -> Iterable[Any]:
    """The sources one by one: a list of rows is one source, a list of files is several."""
    if isinstance(sources, str | Path) or _is_table(sources):
        return [sources]
    if not isinstance(sources, Sequence):
        return [sources]  # an iterator of rows
    if sources and all(_is_row(source) for source in sources):
        return [sources]  # one list of rows
    return sources


def _is_row(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return not (isinstance(value, str | Path | Iterable) or _is_table(value)) and (
        hasattr(value, "__dict__") or hasattr(type(value), "__slots__")
    )


def _is_table(value: Any) -> bool:
    return isinstance(value, pa.Table) or hasattr(value, "__arrow_c_stream__")


class _Finder:
    def __init__(self, claimed: Callable[[Path], bool]) -> None:
        self._claimed = claimed
        self.files: list[SourceFile] = []
        self.skipped: list[tuple[str, str]] = []
        # (device, inode) of each file: the path that stands for it, and the source it came from.
        self._seen: dict[tuple[int, int], tuple[Path, str]] = {}
        self._in_memory = 0
        self._has_input = False

    def add(self, source: Any) -> None:
        if isinstance(source, str | Path):
            self._add_path(source)
        elif _is_table(source):
            table = source if isinstance(source, pa.Table) else pa.table(source)
            self.files.append(SourceFile(self._name("a table"), None, data=table))
        elif isinstance(source, Iterable) and not isinstance(source, Mapping):
            rows = ObjectRows(source)
            if not rows.head():
                raise InvalidInputError("expected rows, got an empty list")
            self.files.append(SourceFile(self._name("rows in memory"), None, data=rows))
        else:
            raise InvalidInputError(
                "expected a path, a pattern, an Arrow table or a list of rows, got "
                f"{type(source).__name__}"
            )

    def _name(self, name: str) -> str:
        self._in_memory += 1
        return name if self._in_memory == 1 else f"{name} ({self._in_memory})"

    def _add_path(self, source: str | Path) -> None:
        text = str(source)
        if text == STANDARD_INPUT:
            self._add_standard_input()
            return
        if not text or "\x00" in text:
            raise InvalidInputError(f"expected a path of rollouts, got {text!r}")
        path = Path(text).expanduser()
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not glob.has_magic(text):
                raise InvalidInputError(_nothing_at(path)) from None
            self._add_many(text, self._matches(path), "the pattern matches nothing")
            return
        except OSError as error:
            raise file_error(error, f"{path}: cannot be read ({error.strerror})") from error
        if stat.S_ISDIR(mode):
            if _is_run(path):
                raise InvalidInputError(
                    f"{path}: a run directory, which needs no import; give it to grade, score or "
                    "compare itself"
                )
            self._add_many(text, self._walk(path), "the folder holds no file")
        elif stat.S_ISREG(mode):
            self._add_file(path, text, named=True)
        elif not stat.S_ISFIFO(mode):
            raise InvalidInputError(f"{path}: expected a file, folder or pipe")
        else:  # as of <(zcat FILE)
            with reading(text), path.open("rb") as stream:
                self.files.append(SourceFile(text, None, data=Spool(stream, text)))

    def _add_standard_input(self) -> None:
        if self._has_input:
            raise InvalidInputError('standard input ("-") is given twice')
        self._has_input = True
        if sys.stdin is None or sys.stdin.isatty():
            raise InvalidInputError(
                'standard input ("-") is a terminal; pipe rollouts into it, as in '
                "zcat rollouts.jsonl.gz | rlvr-fast import - --out RUN"
            )
        name = "standard input"
        self.files.append(SourceFile(name, None, data=Spool(sys.stdin.buffer, name)))

    def _add_many(self, text: str, paths: Iterable[Path], nothing: str) -> None:
        before, skipped = len(self.files), len(self.skipped)
        found = sorted(set(paths), key=lambda path: natural_key(str(path)))
        names: dict[Path, set[str]] = {}
        for path in found:
            names.setdefault(path.parent, set()).add(path.name)
        for path in found:
            why = why_skipped(path.name, names[path.parent])
            if why is None:
                self._add_file(path, text, named=False)
            else:
                self.skipped.append((str(path), why))
        if len(self.files) == before:
            left = self.skipped[skipped:]
            shown = "; ".join(f"{Path(name).name} ({why})" for name, why in left[:5])
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            near = _near(Path(text)) if glob.has_magic(text) and not left else ""
            raise InvalidInputError(
                f"{text}: {f'no rollouts; skipped: {shown}{more}' if left else nothing}. Expected "
                f"files of rollouts: JSON lines, JSON, Parquet, Arrow, CSV or YAML.{near}"
            )

    def _walk(self, folder: Path) -> Iterator[Path]:
        """The files below a folder, without links to folders: these lead out, or in circles."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: natural_key(entry.name))
        except OSError as error:
            raise file_error(error, f"{folder}: cannot be read ({error.strerror})") from error
        for entry in found:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                why = why_skipped(entry.name + "/")
                if _is_run(path):
                    why = "a run directory"
                elif why is None and is_checkpoint(entry.name, _names_in(path)):
                    why = "a checkpoint"
                if why is None:
                    yield from self._walk(path)
                else:
                    self.skipped.append((f"{path}/", why))
            elif entry.is_dir():
                self.skipped.append((f"{path}/", "a link to a folder is not followed"))
            elif entry.is_file():
                yield path
            else:
                what = "a link to nothing" if entry.is_symlink() else "no regular file"
                self.skipped.append((str(path), what))

    def _matches(self, path: Path) -> Iterator[Path]:
        """The files that a pattern matches; a folder that it matches counts with all below."""
        parts = path.parts
        deep = next((i for i, part in enumerate(parts) if "**" in part), None)
        if deep is None:
            for name in glob.iglob(str(path)):  # noqa: PTH207 - Path.glob refuses an absolute pattern
                found = Path(name)
                if found.is_dir():
                    yield from self._walk(found)
                elif found.is_file():
                    yield found
            return
        # glob follows links to folders below `**`, which can lead in circles.
        pattern = re.compile(_expression(parts[deep:]), re.DOTALL)
        prefix = str(Path(*parts[:deep])) if deep else "."
        bases = glob.glob(prefix) if glob.has_magic(prefix) else [prefix]  # noqa: PTH207
        for name in bases:
            base = Path(name)
            if base.is_dir():
                for found in self._walk(base):
                    if pattern.fullmatch(found.relative_to(base).as_posix()):
                        yield found

    def _add_file(self, path: Path, source: str, *, named: bool) -> None:
        with reading(str(path)):
            status = path.stat()
            key = (status.st_dev, status.st_ino)
            known = self._seen.get(key)
            if known is not None:
                if named or known[1] != source:
                    raise InvalidInputError(
                        f"{path}: the same file as {known[0]}"
                        f"{'' if known[0] == path else ' under another name'}; give each file once"
                    )
                self.skipped.append((str(path), f"the same file as {known[0]}"))
                return
            self._seen[key] = (path, source)
            if len(self._seen) > MAX_MEMBERS:
                raise InvalidInputError(
                    f"{source}: more than {MAX_MEMBERS:,} files; give a pattern that names the "
                    "rollouts"
                )
            with path.open("rb") as stream:
                is_zip = stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
        if is_zip and not self._claimed(path) and self._add_members(path):
            return
        self.files.append(SourceFile(str(path), path))

    def _add_members(self, path: Path) -> bool:
        """Whether the archive is a folder of files, whose rollouts are added."""
        names = archive_members(path)
        if any(name.endswith("/data.pkl") or name == "[Content_Types].xml" for name in names) or (
            names and all(name.endswith(".npy") for name in names)
        ):
            return False
        before, skipped = len(self.files), len(self.skipped)
        siblings: dict[str, set[str]] = {}
        for name in names:
            folder, last = _split(name)
            siblings.setdefault(folder, set()).add(last)
        for name in sorted(names, key=natural_key):
            folder, last = _split(name)
            hidden = (why_skipped(part + "/") for part in folder.split("/") if part)
            why = next(filter(None, hidden), None) or why_skipped(last, siblings[folder])
            if why is None:
                self.files.append(SourceFile(f"{path}: {name}", path, member=name))
            else:
                self.skipped.append((f"{path}: {name}", why))
        if len(self.files) == before:
            left = ", ".join(name.split(": ", 1)[-1] for name, _ in self.skipped[skipped:][:5])
            raise InvalidInputError(
                f"{path}: the archive holds no rollouts{f' (skipped: {left})' if left else ''}"
            )
        return True


def _split(name: str) -> tuple[str, str]:
    folder, _, last = name.replace("\\", "/").rpartition("/")
    return folder, last


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are needed, not paths
    except OSError:
        return []


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file() and (path / "problems.parquet").is_file()


def _nothing_at(path: Path) -> str:
    return f"{path}: no such file or folder.{_near(path)}"


def _near(path: Path) -> str:
    """The nearest names that exist, for the end of a message."""
    for parent in path.parents:
        if glob.has_magic(str(parent)):
            continue
        try:
            if not parent.is_dir():
                continue
            names = sorted((p.name for p in parent.iterdir() if p.name[:1] != "."), key=natural_key)
        except OSError:
            return ""
        suggestion = closest(path.relative_to(parent).parts[0], names)
        if suggestion:
            return suggestion
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f" {parent}{'' if str(parent).endswith('/') else '/'} holds {shown or 'nothing'}"
    return ""


def _expression(parts: Sequence[str]) -> str:
    """A regular expression for the rest of a pattern from its `**` on."""
    import fnmatch

    expression = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            expression += ".+" if last else "(?:.+/)?"
        else:
            one = fnmatch.translate(part).removeprefix("(?s:").removesuffix(r")\Z")
            expression += one.replace(".*", "[^/]*") + ("" if last else "/")
    return expression

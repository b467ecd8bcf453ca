"""Where the rows of a task come from: files, folders of shards, patterns, data sets of the Hub."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.rows import EXPECTED, Row, file_sha256, iterate_rows

__all__ = ["HUB", "HUB_OPTIONS", "RowSource", "open_source"]

HUB = "hf://"
# The options of a source besides the fields; those of files first.
FILE_OPTIONS = ("sha256",)
HUB_OPTIONS = ("split", "config", "revision")

# In a folder, files of the first of these kinds that is there: others (README, dataset_infos.json)
# describe the data.
_KINDS = (
    (".parquet",),
    (".arrow",),
    (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst"),
    (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst"),
    (".json", ".json.gz", ".json.zst"),
)
_SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?![a-z])")


@dataclass(frozen=True, slots=True)
class RowSource:
    """The rows of a task.

    Attributes:
        label: the source, as messages name it.
        name: the name of a task that has no other.
        pins: the options that a spec needs so that a source that changed is noticed.
        read: gives ("FILE, row N", row) of every row, where needed only the named fields.
    """

    label: str
    name: str
    read: Callable[[Sequence[str] | None], Iterator[tuple[str, Row]]]
    pins: Mapping[str, str] = field(default_factory=dict)


def open_source(source: str, options: Mapping[str, str]) -> RowSource:
    """The rows that the source of a task spec names.

    Args:
        source: a file, a folder, a pattern with `*`, or hf://ORG/NAME.
        options: the options of the spec.

    Raises:
        InvalidInputError: no such source, one that has changed since `options` were made, or
            options that do not belong to it.
        MissingDependencyError: a data set of the Hub, without the package that reads it.
    """
    foreign = FILE_OPTIONS if source.startswith(HUB) else HUB_OPTIONS
    for option in foreign:
        if option in options:
            kind = "files" if foreign is FILE_OPTIONS else f"data sets named {HUB}ORG/NAME"
            raise InvalidInputError(f"{source}: the option {option!r} is for {kind} only")
    if source.startswith(HUB):
        from rlvr_fast.tasks.hub import hub_rows

        name, pins, read = hub_rows(source.removeprefix(HUB), options)
        return RowSource(source, name, read, pins)
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise InvalidInputError(f"{source}: no such folder: {error}") from error
    return _files_source(path, options)


def _files_source(path: Path, options: Mapping[str, str]) -> RowSource:
    files = _find_files(path)
    digest = _digest(files)
    if options.get("sha256", digest) != digest:
        raise InvalidInputError(
            f"{path}: the file has changed: the task was made from one with SHA-256 "
            f"{options['sha256']}, this one has {digest}. Restore the file, or drop sha256=... "
            "from the task to pose the problems of the new one"
        )

    def read(columns: Sequence[str] | None) -> Iterator[tuple[str, Row]]:
        for file in files:
            for number, row in iterate_rows(file, columns):
                yield f"{file}, row {number}", row

    name = path.name.split(".")[0].replace("*", "").strip("-_ ") or path.parent.name
    return RowSource(str(path), name, read, {"sha256": digest})


def _find_files(path: Path) -> list[Path]:
    """The files of a path, of a pattern or of a folder, in natural order."""
    if path.is_file():
        return [path]
    if not path.exists() and "*" in str(path):
        # Path.glob takes no pattern that begins at the root.
        files = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
        files = [file for file in files if file.is_file()]
        if not files:
            raise InvalidInputError(f"{path}: no file matches; expected {EXPECTED}")
        return sorted(files, key=_natural)
    if not path.is_dir():
        raise InvalidInputError(f"{path}: no such file; expected {EXPECTED}")
    inside = [
        file
        for file in sorted(path.rglob("*"), key=_natural)
        if file.is_file()
        and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    ]
    for endings in _KINDS:
        files = [file for file in inside if file.name.lower().endswith(endings)]
        if files:
            break
    else:
        raise InvalidInputError(f"{path}: a folder; expected {EXPECTED} in it")
    splits: dict[str, Path] = {}
    for file in files:
        found = next(filter(None, map(_SPLIT.match, file.relative_to(path).parts[::-1])), None)
        splits.setdefault(found[1] if found else "", file)
    if len(splits) > 1:
        examples = ", ".join(str(file.relative_to(path)) for file in splits.values())
        raise InvalidInputError(
            f"{path}: a folder with several splits ({examples}); name the files of one, as in "
            f"{path}/{next(filter(None, splits))}*"
        )
    return files


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]


def _digest(files: Sequence[Path]) -> str:
    """The SHA-256 of one file; of several, that of the lines "NAME SHA-256"."""
    if len(files) == 1:
        return file_sha256(files[0])
    lines = "".join(f"{file.name} {file_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

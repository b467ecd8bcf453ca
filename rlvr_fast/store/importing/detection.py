"""Which layout the files of an import have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.sources import RowSource, open_source, read_by
from rlvr_fast.store.readers import load_readers, reader_named
from rlvr_fast.store.readers.containers import UnknownContainerError
from rlvr_fast.store.readers.reader import About, Columns, Reader, Sample, SourceFile
from rlvr_fast.store.readers.unknown import describe_unknown

__all__ = ["Recognised", "recognise"]

# Readers of rows that no tool in particular writes. Beside files of a particular tool in one
# folder, what only these readers take is not rollouts (logs, inputs, summaries).
_GENERAL = ("vllm-outputs", "openai-chat", "wide", "chat", "plain", "wrapped")
# What is kept of the first rows once the layout is known: one row may hold any number of draws.
_HEAD_DEPTH = 6
_HEAD_ITEMS = 8
_HEAD_TEXT = 200


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file, with the reader that knows its layout.

    Attributes:
        file: the file.
        rows: the rows of the file.
        reader: the reader.
        fields: role to path, or to alternative paths, as they are read.
        about: what the file and its neighbours say of all its rollouts.
        sample: the first rows.
    """

    file: SourceFile
    rows: RowSource
    reader: Reader
    fields: Columns
    about: About
    sample: Sample


def recognise(
    files: Sequence[SourceFile],
    named: Callable[[SourceFile], bool],
    format: str | None,
    given: Mapping[str, str],
) -> tuple[list[Recognised], list[tuple[str, str]]]:
    """The files that hold rollouts with their readers, and (file, why) of the others.

    Args:
        files: the files in the order of the import.
        named: whether the user named this very file, and not its folder or a pattern.
        format: the name of the reader; None asks each reader.
        given: role to the path that the user names.

    Raises:
        InvalidInputError: a file that the user named is not recognised, none is, or the files of
            one folder have several layouts.
    """
    wanted = None if format is None else reader_named(format)
    found: list[tuple[SourceFile, RowSource, Sample, Reader]] = []
    skipped: list[tuple[str, str]] = []
    failures: list[str] = []
    readers = load_readers()
    for file in files:
        try:
            rows, claimed = open_source(file, readers)
            sample = rows.sample()
            if not sample.rows:
                raise UnknownContainerError(f"{file.name}: no rows")
            reader = wanted or claimed or _reader_of(sample)
            if reader is None and "completion" in given and sample.has(given["completion"]):
                reader = reader_named("plain")  # the user names the fields
            if reader is None:
                raise UnknownContainerError(describe_unknown(sample, readers))
        except UnknownContainerError as error:  # a damaged file is no file to skip
            if named(file) or len(files) == 1:
                raise
            skipped.append((file.name, "no rollouts found in it"))
            failures.append(str(error))
            continue
        found.append((file, read_by(rows, file, reader), sample, reader))
    if not found:
        raise InvalidInputError(_nothing(failures))
    found, dropped = _one_layout(found, named)
    skipped += dropped
    kept = {id(file) for file in _chosen([entry[0] for entry in found], found)}
    skipped += [
        (entry[0].name, "holds the same draws as another file of its folder")
        for entry in found
        if id(entry[0]) not in kept
    ]
    recognised = [
        Recognised(
            file,
            rows,
            reader,
            _fields(reader, sample, given),
            _about(reader, sample),
            Sample(sample.file, sample.kind, [_head(row, _HEAD_DEPTH) for row in sample.rows]),
        )
        for file, rows, sample, reader in found
        if id(file) in kept
    ]
    return recognised, skipped


def _nothing(failures: Sequence[str]) -> str:
    if not failures:
        return "no files to import"
    if len(failures) == 1:
        return failures[0]
    return f"none of {len(failures)} files holds known rollouts. The first: {failures[0]}"


def _reader_of(sample: Sample) -> Reader | None:
    return next((reader for reader in load_readers() if reader.matches(sample)), None)


def _fields(reader: Reader, sample: Sample, given: Mapping[str, str]) -> Columns:
    return reader.fields if reader.columns is None else reader.columns(sample, given)


def _about(reader: Reader, sample: Sample) -> About:
    if reader.about is None:
        return About()
    try:
        return reader.about(sample)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Rows that are not of the layout that the user names.
        return About(notes=[f"{sample.file.name}: the first rows are not as {reader.name} writes"])


_Found = list[tuple[SourceFile, RowSource, Sample, Reader]]


def _one_layout(
    found: _Found, named: Callable[[SourceFile], bool]
) -> tuple[_Found, list[tuple[str, str]]]:
    """Without the files that only a general reader takes, beside those of a particular tool."""
    counts = Counter(reader.name for file, _, _, reader in found if not named(file))
    particular = [name for name in counts if name not in _GENERAL]
    if len(particular) > 1:
        shown = ", ".join(
            f"{name} ({counts[name]} file{'s' * (counts[name] > 1)})" for name in particular
        )
        raise InvalidInputError(
            f"the files have several layouts: {shown}. Import one of them: give the "
            "files of one layout alone, by their names or as a pattern"
        )
    if not particular:
        return found, []
    kept = [e for e in found if named(e[0]) or e[3].name == particular[0]]
    names = {id(entry[0]) for entry in kept}
    return kept, [
        (entry[0].name, f"not of the layout {particular[0]}")
        for entry in found
        if id(entry[0]) not in names
    ]


def _chosen(files: Sequence[SourceFile], found: _Found) -> list[SourceFile]:
    readers = {id(file): reader for file, _, _, reader in found}
    groups: dict[str, list[SourceFile]] = {}
    for file in files:
        # Not by folder: what holds the draws of a file again may lie in the folder above.
        groups.setdefault(readers[id(file)].name, []).append(file)
    kept: list[SourceFile] = []
    for group in groups.values():
        choose = readers[id(group[0])].choose
        kept += group if choose is None or len(group) == 1 else list(choose(group))
    return kept


def _head(value: Any, depth: int) -> Any:
    """A value with its keys, the first items of its lists and the heads of its texts."""
    if isinstance(value, Mapping) and depth:
        return {key: _head(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_head(item, depth - 1) for item in value[:_HEAD_ITEMS]] if depth else []
    return value[:_HEAD_TEXT] if isinstance(value, str) else value

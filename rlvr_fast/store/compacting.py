"""Many small parts of a run become few of a good size; grades and scores stay valid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store.digests import (
    Mismatch,
    file_sha256,
    grading_mismatches,
    scores_mismatches,
    sealed,
)
from rlvr_fast.store.files import (
    open_parquet,
    parquet_writer,
    sync_directory,
    write_atomically,
    write_json,
    writing_to,
)
from rlvr_fast.store.part_names import part_number
from rlvr_fast.store.parts import PIECE_BYTES, joined_pieces
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import stage_schema
from rlvr_fast.store.switching import NEW_FILES, Switch, decide, drop_undecided, finish_switch

__all__ = ["PART_BYTES", "Compacted", "compact_run"]

# The most bytes of a part that is made here. A part of half of it stays as it is.
PART_BYTES = 64 << 20
# The keys of made_from, by their stages; scores have the stage of their own label.
_STAGE_KEYS = {"samples": "samples", "answers": "answers"}


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of the parts of a stage.

    Attributes:
        stage: "samples", "answers" or "scores/LABEL".
        parts_before: number of parts that there were.
        parts: number of parts that there are.
        bytes_before: their size.
        bytes: their size.
    """

    stage: str
    parts_before: int
    parts: int
    bytes_before: int
    bytes: int


def compact_run(
    path: str | Path, *, part_bytes: int = PART_BYTES, progress: Progress | None = None
) -> list[Compacted]:
    """Joins the small parts of each stage of a run, in their order.

    Every row stays, in its place. grading.json and scores.json get the digests of the new parts, so
    that grades and scores stay valid, and a grading or scoring that was not finished goes on. A
    part is joined only with neighbours of the same columns, of which the same is recorded. At each
    moment the stage is as before or as after: a process that is killed leaves a folder that the
    next one that opens or writes the run finishes or drops. Who reads the run meanwhile keeps what
    was read, and is told where a part is gone.

    Args:
        path: the run directory.
        part_bytes: about the most bytes of a new part; parts of at least half as much stay.
        progress: called as progress("compact", parts done, parts in all).

    Returns:
        What became of each stage that has parts.

    Raises:
        InvalidInputError: part_bytes < 1.
        RunDirectoryError: a part is damaged or is not the one that was graded or scored; a regrade
            was not finished.
        RunLockedError: another process is writing to the run.
        StorageError: no room for the new parts beside the old ones of one stage, or the file system
            refuses to write; the run is as before.
    """
    if part_bytes < 1:
        raise InvalidInputError(f"expected parts of at least 1 byte, got {part_bytes}")
    run = Run.open(path)
    with run.writing():
        if (run.path / ".graded-before").exists():
            raise RunDirectoryError(
                f"{run.path}: a regrade was not finished, and the earlier grading is kept until it "
                f"is; finish it (rlvr-fast grade {run.path}), then compact"
            )
        stages = [stage for stage in run.stages() if run.parts(stage)]
        _require_untouched(run, stages)
        return [_compact_stage(run, stage, part_bytes, progress) for stage in stages]


def _require_untouched(run: Run, stages: Sequence[str]) -> None:
    """Refuses parts that are not those that were graded or scored: their digests would be lost."""
    found: list[tuple[str, Iterator[Mismatch]]] = [("grading.json", grading_mismatches(run))]
    for stage in stages:
        if stage.startswith("scores/"):
            label = stage.removeprefix("scores/")
            found.append((f"{stage}/scores.json", scores_mismatches(run, label)))
    for document, mismatches in found:
        made_from = (run.read_json(document) or {}).get("made_from") or {}
        known = {name for one in made_from.values() if isinstance(one, dict) for name in one}
        for wrong in mismatches:
            folder = wrong.file.parent.relative_to(run.path).as_posix()
            if folder in stages and wrong.file.name not in known:
                continue  # a later part, of a stage that was not finished
            raise RunDirectoryError(
                f"{wrong.file}: {wrong.message}; nothing was compacted. `rlvr-fast doctor "
                f"{run.path}` says more"
            )


def _compact_stage(run: Run, stage: str, part_bytes: int, progress: Progress | None) -> Compacted:
    parts = run.parts(stage)
    before = sum(part.stat().st_size for part in parts)
    records = _records(run, stage)
    folder = run.path / NEW_FILES
    switch = Switch(stage, [], [], list(records))
    done = 0
    try:
        for group in _groups(run, stage, parts, records, part_bytes):
            name = _new_name(group, parts)
            with writing_to(folder / stage):
                (folder / stage).mkdir(parents=True, exist_ok=True)
            _write(run, stage, group, folder / stage / name)
            switch.old.extend(part.name for part in group)
            switch.new.append(name)
            digest = file_sha256(folder / stage / name)
            for value, key in records.values():
                recorded = value["made_from"][key]
                if group[0].name in recorded:
                    for part in group:
                        del recorded[part.name]
                    recorded[name] = digest
            done += len(group)
            if progress is not None:
                progress("compact", done, len(parts))
        if switch.new:
            for document, (value, _) in records.items():
                write_json(folder / document, sealed(value))
            with writing_to(folder):
                for place in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
                    sync_directory(place)
            decide(run.path, switch)
    except BaseException:
        drop_undecided(run.path)
        raise
    finish_switch(run.path)
    run.forget_index()
    after = run.parts(stage)
    return Compacted(
        stage, len(parts), len(after), before, sum(part.stat().st_size for part in after)
    )


def _records(run: Run, stage: str) -> dict[str, tuple[dict[str, Any], str]]:
    """The documents that record digests of parts of a stage, and the key that they have there."""
    found = {}
    for document in ("grading.json", *(f"{s}/scores.json" for s in run.stages())):
        key = _STAGE_KEYS.get(stage)
        if key is None and document == f"{stage}/scores.json":
            key = "scores"
        value = run.read_json(document)
        if key is not None and value and key in (value.get("made_from") or {}):
            found[document] = (value, key)
    return found


def _groups(
    run: Run,
    stage: str,
    parts: Sequence[Path],
    records: dict[str, tuple[dict[str, Any], str]],
    part_bytes: int,
) -> Iterator[list[Path]]:
    """Neighbours that become one part: small ones, of equal columns, recorded by the same files."""
    known = [set(value["made_from"][key]) for value, key in records.values()]
    waiting: list[Path] = []
    size, kind = 0, None
    for part in parts:
        own = part.stat().st_size
        small = 2 * own < part_bytes
        here = (_columns(run, part), *(part.name in names for names in known)) if small else None
        if not small or here != kind or size + own > part_bytes:
            if len(waiting) > 1:
                yield waiting
            waiting, size, kind = [], 0, here
        if small:
            waiting.append(part)
            size += own
    if len(waiting) > 1:
        yield waiting


def _columns(run: Run, part: Path) -> tuple[str, ...]:
    with open_parquet(part, root=run.path) as parquet:
        return tuple(parquet.schema_arrow.names)


def _new_name(group: Sequence[Path], parts: Sequence[Path]) -> str:
    """A name in the place of a group that no part has had: its first number, with more zeros.

    A reader that listed the parts before can never open this one as the old first of the group.
    """
    number, taken = part_number(group[0]), {part.name for part in parts}
    names = (f"part-{number:0{width}d}.parquet" for width in itertools.count(6))
    return next(name for name in names if name not in taken)


def _write(run: Run, stage: str, group: Sequence[Path], file: Path) -> None:
    """Writes the rows of some parts as one, in pieces."""
    written = 0

    def write(out: BinaryIO) -> None:
        nonlocal written
        waiting: list[pa.Table] = []
        writer = None
        pieces = joined_pieces(group, stage_schema(stage), None, run.path)
        try:
            for piece in itertools.chain((joined.rows for joined in pieces), [None]):
                if piece is not None:
                    waiting.append(piece)
                    written += len(piece)
                if piece is None or sum(one.nbytes for one in waiting) >= PIECE_BYTES:
                    rows = pa.concat_tables(waiting) if waiting else None
                    waiting = []
                    if rows is not None:
                        writer = writer or parquet_writer(out, rows)
                        writer.write_table(rows)
        finally:
            if writer is not None:
                writer.close()

    write_atomically(file, write)
    with open_parquet(file, root=run.path) as parquet:
        stored = parquet.metadata.num_rows
    if stored != written:
        raise RunDirectoryError(f"{file}: holds {stored} rows, expected {written}")

"""One JSON object around the rollouts: rows under a key, rows by problem, or columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers import chat, openai_chat, vllm_outputs, wide
from rlvr_fast.store.readers.common import sampling_of
from rlvr_fast.store.readers.json_objects import CutObject
from rlvr_fast.store.readers.naming import FITS, NAMES, is_several, names_of
from rlvr_fast.store.readers.reader import (
    MISSING,
    ROLES,
    About,
    Columns,
    Reader,
    Rollout,
    Sample,
    SourceFile,
    value_at,
)
from rlvr_fast.store.readers.resolution import resolve_roles

__all__ = ["READER"]

_NESTED = (chat.READER, openai_chat.READER, vllm_outputs.READER, wide.READER)
# Of a row of several draws, the roles that have one value for each of them.
_OF_DRAWS = ("verdict", "reward", "finish_reason", "token_ids", "logprobs", "reasoning")
_SHALLOW = 3


def _matches(sample: Sample) -> bool:
    value = _whole(sample)
    return value is not None and _inner(value, sample.file) is not None


def _whole(sample: Sample) -> Mapping[str, Any] | None:
    only = sample.rows[0] if len(sample.rows) == 1 else None
    return only if isinstance(only, Mapping) else None


def _inner(
    value: Mapping[str, Any], file: SourceFile
) -> tuple[list[Mapping[str, Any]], Reader | Columns] | None:
    """The rows inside an object, and the reader or the columns that read them."""
    for _, found in _found(value, file):
        return found
    return None


def _found(
    value: Mapping[str, Any], file: SourceFile
) -> Iterator[tuple[str, tuple[list[Mapping[str, Any]], Reader | Columns]]]:
    """(place, what `_inner` returns) of each table that can be read."""
    for place, rows in _tables(value, _SHALLOW):
        sample = Sample(file, "rows", rows[:100])
        reader = next((reader for reader in _NESTED if reader.matches(sample)), None)
        if reader is not None:
            yield place, (rows, reader)
            continue
        try:
            columns = resolve_roles(rows[:100], where=file.name).columns
        except InvalidInputError:
            continue
        if "completion" in columns and {"question", "problem_id"} & columns.keys():
            yield place, (rows, columns)


def _tables(
    value: Mapping[str, Any], depth: int, place: str = ""
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """(place, rows) in an object: under a key, by problem, or as equally long columns."""
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(r, Mapping) for r in inner):
            yield f"{place}/{key}", inner
    columns = {
        key: inner
        for key, inner in value.items()
        if isinstance(inner, list) and inner and not isinstance(inner[0], Mapping)
    }
    lengths = {len(inner) for inner in columns.values()}
    if len(columns) > 1 and len(lengths) == 1 and all(isinstance(k, str) for k in columns):
        questions = [columns[k] for k in columns if k.lower() in names_of("question")]
        if any(all(map(FITS["question"], column)) for column in questions):
            found = zip(*columns.values(), strict=True)
            yield f"{place} columns", [dict(zip(columns, row, strict=True)) for row in found]
    rows = [(key, inner) for key, inner in value.items() if isinstance(inner, Mapping)]
    if len(rows) == len(value) and rows:
        by_problem: list[Mapping[str, Any]] = [{"problem_id": k, **inner} for k, inner in rows]
        yield f"{place} rows", by_problem
    lists = [(key, inner) for key, inner in value.items() if _is_rows(inner)]
    if len(lists) == len(value) and lists:
        by_problem = [{"problem_id": key, **row} for key, inner in lists for row in inner]
        yield f"{place} lists", by_problem
    if depth:
        for key, inner in rows:
            yield from _tables(inner, depth - 1, f"{place}/{key}")


def _of_piece(
    row: CutObject, file: SourceFile
) -> tuple[list[Mapping[str, Any]], Reader | Columns] | None:
    """The rows of a piece, read as those of the first piece, from the same place."""
    if "wrapped" not in row.shared:
        for place, (rows, how) in _found(row, file):
            row.shared["wrapped"] = place, how
            return rows, how
        return None
    place, how = row.shared["wrapped"]
    return next(((rows, how) for at, rows in _tables(row, _SHALLOW) if at == place), None)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, Mapping) for row in value)


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    found = _of_piece(row, file) if isinstance(row, CutObject) else None
    if found is None and isinstance(row, Mapping) and not isinstance(row, CutObject):
        found = _inner(row, file)
    if found is None:
        return
    rows, how = found
    if isinstance(how, Reader):
        for inner in rows:
            if how.rows is not None:
                yield from how.rows(inner, file)
        return
    for inner in rows:
        yield from _draws(inner, how)


def _draws(row: Mapping[str, Any], columns: Columns) -> Iterator[Rollout]:
    roles: dict[str, Any] = {key: v for key, v in row.items() if key not in ROLES and _is_plain(v)}
    for role, paths in columns.items():
        values = [value_at(row, path) for path in ((paths,) if isinstance(paths, str) else paths)]
        value = next((v for v in values if v is not MISSING and v is not None), None)
        if value is not None:
            roles[role] = value
    several = roles.get("completion")
    if isinstance(several, str) or not is_several(several) or not isinstance(several, Sequence):
        yield roles
        return
    for index, completion in enumerate(several):
        own = {
            role: roles[role][index]
            for role in _OF_DRAWS
            if isinstance(roles.get(role), list) and len(roles[role]) == len(several)
        }
        yield {**roles, **own, "completion": completion}


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 200)


def _about(sample: Sample) -> About:
    about = About()
    value = _whole(sample) or {}
    heads = [value, *(inner for inner in value.values() if isinstance(inner, Mapping))]
    for head in heads:
        for name in NAMES["model"][0].split():
            if about.model is None and isinstance(head.get(name), str):
                about.model = head[name]
    about.sampling = sampling_of(*heads)
    return about


READER = Reader(
    name="wrapped",
    help="one JSON object with rows under a key, rows by problem, or columns of equal length",
    matches=_matches,
    rows=_rows,
    about=_about,
    takes_pieces=True,
)

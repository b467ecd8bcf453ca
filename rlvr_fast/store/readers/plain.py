"""Rows with the usual names of fields, from any tool: the reader of last resort."""

from __future__ import annotations

from collections.abc import Mapping

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.naming import names_of
from rlvr_fast.store.readers.reader import ROLES, About, Columns, Reader, Sample
from rlvr_fast.store.readers.resolution import resolve_roles

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    try:
        columns = resolve_roles(sample.rows).columns
    except InvalidInputError:
        return True  # rollouts whose fields are ambiguous: `columns` says so
    drawn = bool({"completion", "token_ids"} & columns.keys())
    return drawn and bool({"question", "problem_id"} & columns.keys())


def _columns(sample: Sample, given: Mapping[str, str]) -> Columns:
    return resolve_roles(sample.rows, given, where=sample.file.name).columns


def _about(sample: Sample) -> About:
    try:
        return About(notes=list(resolve_roles(sample.rows).notes))
    except InvalidInputError:
        return About()


READER = Reader(
    name="plain",
    help="rows with the usual names: question, completion, gold, correct, ...; lists are draws",
    matches=_matches,
    fields={role: names for role in ROLES if (names := names_of(role))},
    columns=_columns,
    about=_about,
)

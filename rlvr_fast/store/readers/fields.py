"""The fields of a row of rollouts: the names of the fields, and the checked values."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.index import MAX_SAMPLE_INDEX

__all__ = [
    "Fields",
    "RowCompletion",
    "RowProblem",
    "check_field_names",
    "read_completions",
    "read_problem",
    "read_problem_id",
    "resolve_fields",
]

_FINISH_REASONS = {None: "stop", "stop": "stop", "eos": "stop", "length": "length"}


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of the fields of a row; None where the rows have no such field.

    Attributes:
        question: the text of the problem.
        completion: one text or, in files with one row for each problem, a list of texts; then
            `token_ids`, `sample_index` and `finish_reason` hold lists of the same length.
        problem_id: identifies the problem; without it, rows with one question are one problem.
        gold: the gold answer.
        task: the task of the problem.
        sample_index: the number of the completion among those of its problem.
        token_ids: the token ids of the completion.
        finish_reason: "stop", "eos" or null (all read as "stop"), or "length".
    """

    question: str = "question"
    completion: str = "completion"
    problem_id: str | None = None
    gold: str | None = None
    task: str | None = None
    sample_index: str | None = None
    token_ids: str | None = None
    finish_reason: str | None = None


_NAMES = tuple(field.name for field in dataclasses.fields(Fields))


class RowProblem(NamedTuple):
    """The problem of a row; `task` is None where the rows have no task field."""

    problem_id: str
    question: str
    gold: str | None
    task: str | None


class RowCompletion(NamedTuple):
    """One completion of a row; an attribute is None where the row does not have the value."""

    text: str
    sample_index: int | None
    token_ids: list[int] | None
    finish_reason: str


def check_field_names(mapping: Mapping[str, str | None]) -> None:
    """Checks the names of a mapping before any row is read.

    Args:
        mapping: name in `Fields` to name of a field of the rows.

    Raises:
        InvalidInputError: a name that `Fields` lacks, or question or completion left out.
    """
    for name in mapping:
        if name not in _NAMES:
            raise InvalidInputError(f"expected fields among {', '.join(_NAMES)}, got {name!r}")
    for name in ("question", "completion"):
        if name in mapping and mapping[name] is None:
            raise InvalidInputError(f"every row needs a {name}: name the field that holds it")


def resolve_fields(mapping: Mapping[str, str | None], first_row: Mapping[str, Any]) -> Fields:
    """The fields of a container.

    Args:
        mapping: name in `Fields` to name of a field; None leaves the field out.
        first_row: a name that `mapping` lacks is the field of the same name, where the first row
            has one, so that no column of golds, ids or indices is dropped without notice.
    """
    found = {name: name for name in _NAMES if name in first_row}
    return Fields(**{**found, **mapping})  # type: ignore[arg-type]


def read_problem(where: str, row: Mapping[str, Any], fields: Fields) -> RowProblem:
    """The problem of a row.

    Raises:
        InvalidInputError: a field is missing or of another type; the message begins with `where`.
    """
    question = _text(where, row, fields.question)
    gold = None if fields.gold is None else _scalar(where, row, fields.gold)
    task = None if fields.task is None else _text(where, row, fields.task)
    return RowProblem(read_problem_id(where, row, fields), question, gold, task)


def read_problem_id(where: str, row: Mapping[str, Any], fields: Fields) -> str:
    """The id of the problem of a row: its field or, without one, a digest of the question.

    Raises:
        InvalidInputError: the field is missing, empty or of another type.
    """
    if fields.problem_id is None:
        digest = hashlib.blake2b(_text(where, row, fields.question).encode(), digest_size=8)
        return f"q-{digest.hexdigest()}"
    problem_id = _scalar(where, row, fields.problem_id)
    if not problem_id:
        raise InvalidInputError(f"{where}: the problem id ({fields.problem_id!r}) is empty")
    return problem_id


def read_completions(where: str, row: Mapping[str, Any], fields: Fields) -> list[RowCompletion]:
    """The completions of a row, one or several.

    Raises:
        InvalidInputError: a field is missing, of another type or of another length; the message
            begins with `where`.
    """
    value = _value(where, row, fields.completion)
    nested = isinstance(value, list)
    texts = value if nested else [value]

    def beside(name: str | None) -> list[Any]:
        """The values of a field, one for each completion."""
        if name is None:
            return [None] * len(texts)
        given = _value(where, row, name, null_ok=True)
        if not nested:
            return [given]
        if given is None:
            return [None] * len(texts)
        if not isinstance(given, list) or len(given) != len(texts):
            raise InvalidInputError(
                f"{where}: expected {name!r} to be a list of {len(texts)}, one for each completion"
            )
        return given

    token_lists = beside(fields.token_ids)
    reasons = beside(fields.finish_reason)
    indices = beside(fields.sample_index)
    found = []
    for text, ids, reason, index in zip(texts, token_lists, reasons, indices, strict=True):
        if not isinstance(text, str):
            raise InvalidInputError(
                f"{where}: expected text in {fields.completion!r}, got {type(text).__name__}"
            )
        _check_unicode(where, text, fields.completion)
        if ids is not None and not (
            isinstance(ids, list) and all(type(i) is int and 0 <= i < 2**31 for i in ids)
        ):
            raise InvalidInputError(f"{where}: expected token ids in {fields.token_ids!r}")
        if not isinstance(reason, str | None) or reason not in _FINISH_REASONS:
            raise InvalidInputError(
                f"{where}: expected 'stop' or 'length' in {fields.finish_reason!r}, got {reason!r}"
            )
        if fields.sample_index is not None and (
            type(index) is not int or not 0 <= index <= MAX_SAMPLE_INDEX
        ):
            raise InvalidInputError(
                f"{where}: expected an index 0..{MAX_SAMPLE_INDEX} in {fields.sample_index!r}, "
                f"got {index!r}"
            )
        found.append(RowCompletion(text, index, ids, _FINISH_REASONS[reason]))
    return found


def _value(where: str, row: Mapping[str, Any], name: str, *, null_ok: bool = False) -> Any:
    if name not in row:
        raise InvalidInputError(
            f"{where}: no field {name!r}; the row has {', '.join(map(repr, row))}"
        )
    if row[name] is None and not null_ok:
        raise InvalidInputError(f"{where}: the field {name!r} is null")
    return row[name]


def _text(where: str, row: Mapping[str, Any], name: str) -> str:
    value = _value(where, row, name)
    if not isinstance(value, str):
        raise InvalidInputError(f"{where}: expected text in {name!r}, got {type(value).__name__}")
    _check_unicode(where, value, name)
    return value


def _scalar(where: str, row: Mapping[str, Any], name: str) -> str:
    value = _value(where, row, name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInputError(
            f"{where}: expected text or a number in {name!r}, got {type(value).__name__}"
        )
    _check_unicode(where, str(value), name)
    return str(value)


def _check_unicode(where: str, text: str, name: str) -> None:
    # A JSON escape can spell one half of a surrogate pair, which UTF-8 cannot encode.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{where}: the text in {name!r} is not valid Unicode ({error.reason} at character "
            f"{error.start})"
        ) from None

"""The schemas of the tables of a run directory, and conversion of a table to its schema."""

from __future__ import annotations

import json
import re

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.vocabulary import FINISH_REASONS, STATUSES, VERDICTS

__all__ = [
    "ANSWERS",
    "DAMAGE",
    "GRADES",
    "PROBLEMS",
    "SAMPLES",
    "SCORES",
    "conform",
    "schema_mismatch",
    "stage_schema",
    "value_fault",
]


# What Arrow raises for damaged files: a footer of flipped bytes gives names that are no UTF-8,
# numbers that do not fit, columns that are not there, and sizes that no memory has.
DAMAGE = (OSError, pa.ArrowException, ValueError, LookupError, OverflowError, MemoryError)


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _optional(name: str, kind: pa.DataType) -> pa.Field:
    # A column that a table may lack; a nullable column is one that a table has, with nulls.
    return pa.field(name, kind, nullable=True, metadata={"optional": "1"})


_KEY = [_required("problem_id", pa.string()), _required("sample_index", pa.int32())]

PROBLEMS = pa.schema(
    [
        _required("problem_id", pa.string()),
        _required("task", pa.string()),
        _required("prompt", pa.string()),
        _required("prompt_token_ids", pa.list_(pa.int32())),
        pa.field("gold", pa.string()),
        _required("metadata", pa.string()),
    ]
)
SAMPLES = pa.schema(
    [
        *_KEY,
        _required("text", pa.large_string()),
        _required("token_ids", pa.list_(pa.int32())),
        _required("finish_reason", pa.string()),
        pa.field("seed", pa.int64()),
        # What came with finished completions; null where the source says nothing of a draw.
        _optional("verdict", pa.string()),
        _optional("reward", pa.float64()),
        # What the sampler said of its own tokens, where it was asked; see `sampling.engine`.
        _optional("token_logprobs", pa.list_(pa.float32())),
    ]
)
ANSWERS = pa.schema(
    [
        *_KEY,
        pa.field("answer", pa.large_string()),
        _required("status", pa.string()),
        _required("answer_id", pa.int32()),
        # The verdict that came with the draw, where the samples have such a column.
        _optional("imported_verdict", pa.string()),
    ]
)
GRADES = pa.schema(
    [
        _required("problem_id", pa.string()),
        _required("answer_id", pa.int32()),
        pa.field("canonical", pa.large_string()),
        _required("count", pa.int64()),
        _required("verdict", pa.string()),
        _required("grader", pa.string()),
    ]
)
SCORES = pa.schema(
    [
        *_KEY,
        _required("num_tokens", pa.int32()),
        _required("logprob", pa.float64()),
        _required("mean_entropy", pa.float64()),
        _optional("num_outside_nucleus", pa.int32()),
        _optional("log_kept_mass", pa.float64()),
        _optional("token_logprobs", pa.list_(pa.float32())),
        _optional("token_entropies", pa.list_(pa.float32())),
    ]
)

_VALUES = {
    "finish_reason": FINISH_REASONS,
    "status": STATUSES,
    "verdict": VERDICTS,
    "imported_verdict": VERDICTS,
}

# Ranges of whole numbers; counts are added up, and sample indices number the bits of an index.
_RANGES = {
    "count": (1, 2**40),
    "answer_id": (-1, 2**31 - 2),
    "sample_index": (0, 2**24 - 1),
    "num_tokens": (0, 2**31 - 1),
    "num_outside_nucleus": (0, 2**31 - 1),
}

# A label becomes the name of a folder, and must not name a folder outside the run directory.
_SCORES_STAGE = re.compile(r"scores/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def stage_schema(stage: str) -> pa.Schema:
    """The schema of the parts of `stage`: "samples", "answers" or "scores/LABEL".

    Raises:
        InvalidInputError: another name.
    """
    if stage == "samples":
        return SAMPLES
    if stage == "answers":
        return ANSWERS
    if _SCORES_STAGE.fullmatch(stage):
        return SCORES
    raise InvalidInputError(
        f"expected the stage 'samples', 'answers' or 'scores/LABEL' (LABEL of letters, digits, "
        f"'.', '_' and '-'), got {stage!r}"
    )


def _is_optional(field: pa.Field) -> bool:
    return bool(field.metadata) and b"optional" in field.metadata


def schema_mismatch(found: pa.Schema, schema: pa.Schema) -> str | None:
    """The first fault of `found` as the schema of a stored table, None where there is none."""
    for field in schema:
        at = found.get_field_index(field.name)
        if at < 0:
            if not _is_optional(field):
                return f"the column {field.name!r} ({field.type}) is missing"
        elif found.field(at).type != field.type:
            return f"column {field.name!r} is {found.field(at).type}, expected {field.type}"
    extra = [name for name in found.names if schema.get_field_index(name) < 0]
    return f"unexpected column(s) {', '.join(map(repr, extra))}" if extra else None


def value_fault(table: pa.Table, schema: pa.Schema) -> str | None:
    """The first fault of the values of a stored table, None where there is none.

    A null where none is allowed, text that is no UTF-8, a word that is not in the vocabulary of the
    column, or a negative count.
    """
    for name in table.column_names:
        field, column = schema.field(name), table[name]
        if column.null_count and not field.nullable:
            return f"column {name!r} holds a null"
        if pa.types.is_list(column.type) and any(c.values.null_count for c in column.chunks):
            return f"column {name!r} holds a null inside a list"
        try:
            column.validate(full=True)
        except pa.ArrowException as error:
            return f"column {name!r} is damaged ({str(error).splitlines()[0]})"
        words = _VALUES.get(name, ())
        given = pc.unique(column).to_pylist() if words else ()
        odd = [word for word in given if word is not None and word not in words]
        if odd:
            return f"column {name!r} holds {shown(odd[0])}, expected one of {', '.join(words)}"
        least, most = _RANGES.get(name, (None, None))
        if least is not None and len(column) > column.null_count:
            low, high = pc.min_max(column).as_py().values()
            if low < least or high > most:
                odd_number = low if low < least else high
                return f"column {name!r} holds {odd_number}, expected {least} to {most}"
        if name == "metadata" and (fault := _metadata_fault(column)):
            return fault
    return None


def _metadata_fault(column: pa.ChunkedArray) -> str | None:
    """The first row of the column "metadata" that is no JSON object; empty text stands for {}."""
    for row, text in enumerate(column.to_pylist()):
        try:
            # orjson refuses nan, which tasks of others may have written.
            value = orjson.loads(text or "{}")
        except ValueError:
            try:
                value = json.loads(text)
                json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, dict):
            return f"column 'metadata' holds {shown(text)} in row {row}, expected a JSON object"
    return None


def conform(table: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """`table` with exactly the columns, order and types of `schema`.

    Columns are cast where no value is lost (string to large_string, int64 to int32 in range).

    Args:
        table: the table.
        schema: the schema.
        what: name of the table, for the message of an error.

    Raises:
        InvalidInputError: a column is missing, unknown, of another type, holds a null where none
            is allowed, or a word that is not in the vocabulary of the column.
    """
    extra = [name for name in table.column_names if schema.get_field_index(name) < 0]
    if extra:
        raise InvalidInputError(f"{what}: unexpected column(s) {', '.join(map(repr, extra))}")
    columns, fields = [], []
    for field in schema:
        if field.name not in table.column_names:
            if _is_optional(field):
                continue
            raise InvalidInputError(f"{what}: the column {field.name!r} ({field.type}) is missing")
        column = table.column(field.name)
        if column.type != field.type:
            column = _cast(column, field, what)
        if not field.nullable and column.null_count:
            raise InvalidInputError(f"{what}: column {field.name!r} holds a null")
        words = _VALUES.get(field.name, ())
        odd = words and [
            v for v in pc.unique(column).to_pylist() if v is not None and v not in words
        ]
        if odd:
            raise InvalidInputError(
                f"{what}: column {field.name!r} holds {odd[0]!r}, "
                f"expected one of {', '.join(words)}"
            )
        columns.append(column)
        fields.append(field.remove_metadata())
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _cast(column: pa.ChunkedArray, field: pa.Field, what: str) -> pa.ChunkedArray:
    def family(kind: pa.DataType) -> str:
        if pa.types.is_dictionary(kind):
            return family(kind.value_type)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return "text"
        if kind == pa.string_view():
            return "text"
        if pa.types.is_integer(kind):
            return "integer"
        if pa.types.is_floating(kind):
            return "floating"
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return "list of " + family(kind.value_type)
        return str(kind)

    untyped = pa.types.is_null(column.type) or column.type == pa.list_(pa.null())
    if not untyped and family(column.type) != family(field.type):
        raise InvalidInputError(
            f"{what}: column {field.name!r} is {column.type}, expected {field.type}"
        )
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise InvalidInputError(
            f"{what}: column {field.name!r} ({column.type}) does not fit {field.type}: {error}"
        ) from None

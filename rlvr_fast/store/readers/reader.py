"""The types of a reader: a file of rollouts, its first rows, and the layout that a reader knows.

A row is one JSON-like value of a container. A reader says which layouts it knows and what the
fields of a row mean; it opens no file of rollouts, writes nothing, and knows nothing of runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from rlvr_fast.paths import MISSING, value_at

__all__ = [
    "MISSING",
    "ROLES",
    "About",
    "Columns",
    "Reader",
    "Rollout",
    "Sample",
    "SourceFile",
    "value_at",
]

# What a field of a rollout may mean. A role that holds several values in one row (a list of texts
# as `completion`) has lists of the same length beside it, or one value for all.
ROLES: Mapping[str, str] = {
    "question": "the problem as text, or the prompt as a chat list",
    "completion": "a text, a message, content parts, the messages of an answer, or a list of them",
    "reasoning": "the thinking that a server returns beside the content",
    "problem_id": "identifies the problem; numbers and texts of one spelling are one id",
    "gold": "the gold answer: text, number, a list, or a worked solution",
    "task": "the name of the task; with one, ids are unique within the task only",
    "spec": "a task spec (reasoning_gym:NAME?...) that poses this problem",
    "sample_index": "the number of the completion among those of its problem, from 0",
    "token_ids": "token ids of the completion",
    "prompt_token_ids": "token ids of the prompt",
    "finish_reason": "why the completion ended, in the words of any server",
    "verdict": "whether the completion is correct: true/false, 1/0, C/I, pass/fail, ...",
    "reward": "a number; a threshold makes it a verdict",
    "logprobs": "log-probability of each token under the model that drew it, nats",
    "reference_logprobs": "log-probability of each token under the reference model, nats",
    "seed": "the seed of the draw",
    "model": "the model that drew the completion",
    "error": "a value other than null, false, 0 and empty: the draw failed and is left out",
    "system": "the system prompt, where the question does not hold it",
    "metadata": "a mapping kept with the problem",
}

# Role to value; roles that a row does not have are absent.
Rollout: TypeAlias = Mapping[str, Any]
# Role to path, or to paths of which the first one present in a row is taken.
Columns: TypeAlias = Mapping[str, str | tuple[str, ...]]


@dataclass(slots=True)
class About:
    """What a file says about all of its rollouts, by its name, its head or the files beside it.

    Attributes:
        model: the model that drew.
        revision: its revision.
        sampling: temperature, top_p, max_tokens, seed, stop and the parameters of
            `SAMPLING_DEFAULTS`, as far as known.
        roles: a value for a role that the rows themselves lack (`task`, `sample_index`, `seed`).
        verdict: what `Reader.verdict` says, where the file's neighbours say it (a threshold).
        notes: sentences that the user has to read.
    """

    model: str | None = None
    revision: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)
    verdict: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of rollouts: a file on disk, a member of an archive, a table or rows in memory.

    Attributes:
        name: as messages name it: "dumps/3.jsonl", "a.zip: b.jsonl", "a table".
        path: the file on disk (the archive of a member); None for tables and rows in memory.
        member: the name inside an archive; "" for a file.
        data: a table or a list of rows in memory.
    """

    name: str
    path: Path | None
    member: str = ""
    data: Any = None

    @property
    def file_name(self) -> str:
        """The last part of the name, of the member where there is one; suffixes included."""
        return (
            re.split(r"[/\\]", self.member)[-1]
            if self.member
            else (self.path.name if self.path else self.name)
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a file, by which its layout is recognised.

    Attributes:
        file: the file.
        kind: the container: "jsonl", "json" (one value), "array" (elements of a JSON array),
            "parquet", "arrow", "csv", "yaml", "torch", "rows".
        rows: at most 100 first rows. Long texts and lists may be cut.
    """

    file: SourceFile
    kind: str
    rows: Sequence[Any]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all rows that are objects."""
        return frozenset(key for row in self.rows if isinstance(row, Mapping) for key in row)

    def has(self, *paths: str) -> bool:
        """Whether each path is present in some row."""
        return all(any(value_at(row, path) is not MISSING for row in self.rows) for path in paths)

    def first(self, path: str) -> Any:
        """The first value at a path that is not null; None where there is none."""
        values = (value_at(row, path) for row in self.rows)
        return next((v for v in values if v is not MISSING and v is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One layout of rollouts.

    Attributes:
        name: for `--format` and messages.
        help: one line: which tool writes this, and where.
        matches: whether the first rows of a file have this layout. Readers are asked in the order
            of `READERS`; the first that matches is taken.
        fields: role to path, or to alternative paths, in a row. Beside `rows`, only the words for
            messages: where `rows` takes a role from.
        columns: the paths of `fields` for a file, by its first rows and the fields that the user
            named (role to path): for a layout whose names mean different things in different
            files. Raises `InvalidInputError` where two fields fit one role. None: `fields`.
        rows: turns one row of the container into rollouts keyed by roles: for layouts that paths
            cannot say. None: the row itself, read by `fields`.
        gather: for layouts that write several rows for one draw: the rows of one file, as
            (row number, row) in its order, to (row number, row, ""), or (row number, row, why) of a
            row that is left out. Asked before `fields` and `rows`; holds a bounded number of rows.
        about: what the file and its neighbours say of all its rollouts.
        choose: of the files of one folder that this reader matches, those to import: the
            others hold the same draws again.
        opens: for containers of the tool's own (inspect's .eval): the rows of the file, as
            ("FILE, sample 3", row); asked before the general containers where `claims` is true.
        claims: whether a file on disk is such a container.
        verdict: which verdict is taken where the user names none: a role or `ROLE>=X`, `ROLE>X`;
            None leaves the choice to the values (see docs/import.md).
        takes_pieces: whether `rows` makes of the pieces of one long object (`json_objects`) what it
            makes of the object: each row stands for itself, and its position means nothing.
    """

    name: str
    help: str
    matches: Callable[[Sample], bool]
    fields: Columns = field(default_factory=dict)
    columns: Callable[[Sample, Mapping[str, str]], Columns] | None = None
    rows: Callable[[Any, SourceFile], Iterable[Rollout]] | None = None
    gather: Callable[[Iterable[tuple[int, Any]]], Iterator[tuple[int, Any, str]]] | None = None
    about: Callable[[Sample], About] | None = None
    choose: Callable[[Sequence[SourceFile]], Sequence[SourceFile]] | None = None
    opens: Callable[[Path], Iterator[tuple[str, Any]]] | None = None
    claims: Callable[[Path], bool] | None = None
    verdict: str | None = None
    takes_pieces: bool = False

"""Completions that exist already, as JSONL or Parquet, to a run directory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.store.index import MAX_SAMPLE_INDEX
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import SAMPLES

__all__ = ["Fields", "import_rollouts"]

_ROWS_PER_PART = 20_000


@dataclass(frozen=True, slots=True)
class Fields:
    """Which field of a row holds what; None: the rows have no such field.

    `completion` may hold one text or, in files of one row a problem, a list of texts; then
    `token_ids` and `finish_reason` hold lists of the same length. Without `problem_id` rows of the
    same question are one problem. `finish_reason` may say "stop", "eos" or null (all "stop") or
    "length".
    """

    question: str = "question"
    completion: str = "completion"
    problem_id: str | None = None
    gold: str | None = None
    task: str | None = None
    sample_index: str | None = None
    token_ids: str | None = None
    finish_reason: str | None = None


@dataclass(slots=True)
class _Rollout:
    problem_id: str
    sample_index: int
    text: str
    token_ids: list[int] | None
    finish_reason: str


def import_rollouts(
    source: str | Path | pa.Table,
    path: str | Path,
    *,
    model: str,
    revision: str | None = None,
    sampling: Mapping[str, Any] | None = None,
    fields: Fields | Mapping[str, str | None] | None = None,
    task: str = "imported",
    tasks: Sequence[Mapping[str, Any]] | None = None,
    tokenize: Callable[[str], Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Makes a run directory of finished completions; problems may have any number of them each.

    Args:
        source: a .jsonl or .parquet file, or an Arrow table.
        path: the run directory to make; an import that was interrupted is taken up again.
        model, revision: what drew the completions.
        sampling: temperature, top_p, max_tokens, seed, stop as far as known; None elsewhere.
        fields: which field holds what, see `Fields`; or a mapping of its names. A name that it
            lacks is the field of the same name, where the first row has it; None leaves it out.
        task: name of the task of rows that have no task field.
        tasks: [{"name", "spec"}] naming the verifier of each task; by default one
            "math:SOURCE?..." task that compares answers with the gold field.
        tokenize: text to token ids, for rows without token ids; without it their lists are empty
            and such a run can be graded but not scored.
        progress: called as progress("import", completions done, completions in all).

    Raises:
        InvalidInputError: naming the file and row (from 1) of the first row that lacks a field, is
            of the wrong kind, or contradicts an earlier one. Nothing is written then.
        RunDirectoryError: `path` holds something else.

    Example:
        >>> import tempfile, pyarrow as pa
        >>> rows = pa.table({"question": ["1 + 1?"], "answer": ["2"], "response": [["2", "3"]]})
        >>> fields = {"completion": "response", "gold": "answer"}
        >>> run = import_rollouts(rows, tempfile.mkdtemp(), model="m", fields=fields)
        >>> run.num_samples().tolist()
        [2]
    """
    names = fields if isinstance(fields, Fields) else _fields(fields or {}, source)
    problems = _problems(source, names, task)
    run = Run.create(
        path,
        model={"name": model, "revision": revision},
        engine={"name": "imported", "version": None, "notes": [f"imported from {_label(source)}"]},
        sampling={
            **dict.fromkeys(("temperature", "top_p", "max_tokens", "seed"), None),
            "stop": [],
            **(sampling or {}),
        },
        prompt_template={"name": "plain", "sha256": hashlib.sha256(b"{question}").hexdigest()},
        tasks=tasks if tasks is not None else _default_tasks(source, names, problems),
        problems=_problem_table(problems, tokenize),
    )
    total, done = sum(problem.total for problem in problems.values()), 0
    with run.writing():
        pending: list[_Rollout] = []

        def store() -> None:
            nonlocal done
            _store(run, pending, tokenize)
            done += len(pending)
            pending.clear()
            if progress is not None:
                progress("import", done, total)

        for where, row in _rows(source):
            pending += _rollouts(where, row, names, problems)
            if len(pending) >= _ROWS_PER_PART:
                store()
        if pending:
            store()
    return run


def _fields(mapping: Mapping[str, str | None], source: str | Path | pa.Table) -> Fields:
    known = [field.name for field in dataclasses.fields(Fields)]
    for name in mapping:
        if name not in known:
            raise InvalidInputError(f"expected fields among {', '.join(known)}, got {name!r}")
    for name in ("question", "completion"):
        if name in mapping and mapping[name] is None:
            raise InvalidInputError(f"every row needs a {name}: name the field that holds it")
    # Dropping a column of gold answers, ids or indices because nobody named it would be a surprise.
    _, first = next(_rows(source), ("", {}))
    return Fields(**{**{name: name for name in known if name in first}, **mapping})  # type: ignore[arg-type]


def _label(source: str | Path | pa.Table) -> str:
    return "a table" if isinstance(source, pa.Table) else str(source)


def _rows(source: str | Path | pa.Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """("file, row N", row) of each row; a blank line of JSONL is none."""
    if isinstance(source, pa.Table):
        batches: Any = source.to_batches(max_chunksize=1000)
        yield from _batch_rows("table", batches)
        return
    file = Path(source)
    if not file.is_file():
        raise InvalidInputError(f"{file}: no such file")
    if file.suffix == ".parquet":
        try:
            with pq.ParquetFile(file) as parquet:
                yield from _batch_rows(str(file), parquet.iter_batches(1000))
        except (OSError, pa.ArrowException) as error:
            raise InvalidInputError(f"{file}: not readable as Parquet ({error})") from None
    elif file.suffix in (".jsonl", ".json", ".ndjson"):
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                where = f"{file}, row {number}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise InvalidInputError(f"{where}: not JSON ({error})") from None
                if not isinstance(row, dict):
                    raise InvalidInputError(
                        f"{where}: expected a JSON object, got {type(row).__name__}"
                    )
                yield where, row
    else:
        raise InvalidInputError(f"{file}: expected a .jsonl or .parquet file")


def _batch_rows(name: str, batches: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield f"{name}, row {number}", row


@dataclass(slots=True)
class _Problem:
    task: str
    question: str
    gold: str | None
    metadata: dict[str, Any]
    used: set[int] = dataclasses.field(default_factory=set)  # sample indices given explicitly
    count: int = 0  # completions handed out so far, where indices are counted
    total: int = 0  # completions


def _problems(source: str | Path | pa.Table, names: Fields, task: str) -> dict[str, _Problem]:
    """Every problem of the source; checks every row on the way, so that writing can't fail late."""
    problems: dict[str, _Problem] = {}
    for where, row in _rows(source):
        question = _text(where, row, names.question)
        gold = None
        if names.gold is not None:
            gold = _scalar(where, row, names.gold)
        row_task = task if names.task is None else _text(where, row, names.task)
        key = _problem_key(where, row, names)
        known = problems.get(key)
        if known is None:
            metadata = {"index": len(problems)}
            problems[key] = known = _Problem(row_task, question, gold, metadata)
        for what, old, new in (
            ("question", known.question, question),
            ("gold", known.gold, gold),
            ("task", known.task, row_task),
        ):
            if old != new:
                raise InvalidInputError(
                    f"{where}: problem {key!r} has another {what} than in an earlier row "
                    f"({old!r} and {new!r})"
                )
        known.total += len(_rollouts(where, row, names, problems))
    if not problems:
        raise InvalidInputError(f"{_label(source)}: no rows")
    for problem in problems.values():
        problem.used.clear()
        problem.count = 0
    return problems


def _problem_key(where: str, row: dict[str, Any], names: Fields) -> str:
    if names.problem_id is None:
        digest = hashlib.blake2b(_text(where, row, names.question).encode(), digest_size=8)
        return f"q-{digest.hexdigest()}"
    key = _scalar(where, row, names.problem_id)
    if not key:
        raise InvalidInputError(f"{where}: the problem id ({names.problem_id!r}) is empty")
    return key


def _rollouts(
    where: str, row: dict[str, Any], names: Fields, problems: dict[str, _Problem]
) -> list[_Rollout]:
    key = _problem_key(where, row, names)
    problem = problems[key]
    value = _value(where, row, names.completion)
    nested = isinstance(value, list)
    texts = value if nested else [value]

    def beside(name: str | None) -> list[Any]:
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

    token_lists = beside(names.token_ids)
    reasons = beside(names.finish_reason)
    indices = beside(names.sample_index)
    found = []
    for text, ids, reason, index in zip(texts, token_lists, reasons, indices, strict=True):
        if not isinstance(text, str):
            raise InvalidInputError(
                f"{where}: expected text in {names.completion!r}, got {type(text).__name__}"
            )
        _check_unicode(where, text, names.completion)
        if ids is not None and not (
            isinstance(ids, list) and all(type(i) is int and 0 <= i < 2**31 for i in ids)
        ):
            raise InvalidInputError(f"{where}: expected token ids in {names.token_ids!r}")
        words = {None: "stop", "stop": "stop", "eos": "stop", "length": "length"}
        if not isinstance(reason, str | None) or reason not in words:
            raise InvalidInputError(
                f"{where}: expected 'stop' or 'length' in {names.finish_reason!r}, got {reason!r}"
            )
        if names.sample_index is None:
            index = problem.count
            problem.count += 1
        elif type(index) is not int or not 0 <= index <= MAX_SAMPLE_INDEX:
            raise InvalidInputError(
                f"{where}: expected an index 0..{MAX_SAMPLE_INDEX} in {names.sample_index!r}, "
                f"got {index!r}"
            )
        elif index in problem.used:
            raise InvalidInputError(f"{where}: problem {key!r} has sample_index {index} twice")
        else:
            problem.used.add(index)
        found.append(_Rollout(key, index, text, ids, words[reason]))
    return found


def _value(where: str, row: dict[str, Any], name: str, *, null_ok: bool = False) -> Any:
    if name not in row:
        raise InvalidInputError(
            f"{where}: no field {name!r}; the row has {', '.join(map(repr, row))}"
        )
    if row[name] is None and not null_ok:
        raise InvalidInputError(f"{where}: the field {name!r} is null")
    return row[name]


def _text(where: str, row: dict[str, Any], name: str) -> str:
    value = _value(where, row, name)
    if not isinstance(value, str):
        raise InvalidInputError(f"{where}: expected text in {name!r}, got {type(value).__name__}")
    _check_unicode(where, value, name)
    return value


def _check_unicode(where: str, text: str, name: str) -> None:
    # JSON can spell half a surrogate pair, which no UTF-8 file can hold.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{where}: the text in {name!r} is not valid Unicode ({error.reason} at character "
            f"{error.start})"
        ) from None


def _scalar(where: str, row: dict[str, Any], name: str) -> str:
    value = _value(where, row, name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInputError(
            f"{where}: expected text or a number in {name!r}, got {type(value).__name__}"
        )
    _check_unicode(where, str(value), name)
    return str(value)


def _default_tasks(
    source: str | Path | pa.Table, names: Fields, problems: dict[str, _Problem]
) -> list[dict[str, Any]]:
    if isinstance(source, pa.Table):
        spec = "math:"
    else:
        given = {"question": names.question, "answer": names.gold, "id": names.problem_id}
        query = "&".join(f"{key}={quote(value)}" for key, value in given.items() if value)
        spec = f"math:{source}?{query}"
    return [{"name": name, "spec": spec} for name in sorted({p.task for p in problems.values()})]


def _problem_table(
    problems: dict[str, _Problem], tokenize: Callable[[str], Sequence[int]] | None
) -> pa.Table:
    return pa.table(
        {
            "problem_id": list(problems),
            "task": [p.task for p in problems.values()],
            "prompt": [p.question for p in problems.values()],
            "prompt_token_ids": pa.array(
                [list(tokenize(p.question)) if tokenize else [] for p in problems.values()],
                pa.list_(pa.int32()),
            ),
            "gold": pa.array([p.gold for p in problems.values()], pa.string()),
            "metadata": [json.dumps(p.metadata) for p in problems.values()],
        }
    )


def _store(
    run: Run, rollouts: list[_Rollout], tokenize: Callable[[str], Sequence[int]] | None
) -> None:
    keys = pa.table(
        {
            "problem_id": pa.array([r.problem_id for r in rollouts], pa.string()),
            "sample_index": pa.array([r.sample_index for r in rollouts], pa.int32()),
        }
    )
    # An import that was interrupted left its first rows here.
    fresh = [rollouts[i] for i in np.flatnonzero(~run.has_rows("samples", keys))]
    if not fresh:
        return

    def ids(rollout: _Rollout) -> list[int]:
        if rollout.token_ids is not None:
            return rollout.token_ids
        return list(tokenize(rollout.text)) if tokenize else []

    columns = {
        "problem_id": [r.problem_id for r in fresh],
        "sample_index": [r.sample_index for r in fresh],
        "text": [r.text for r in fresh],
        "token_ids": [ids(r) for r in fresh],
        "finish_reason": [r.finish_reason for r in fresh],
        "seed": [None] * len(fresh),
    }
    run.append("samples", pa.table(columns, schema=pa.schema([SAMPLES.field(n) for n in columns])))

"""Problems with gold answers as a task."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError, closest, shown
from rlvr_fast.paths import MISSING, value_at
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.golds import gold_parts
from rlvr_fast.tasks.questions import MEDIA_FIELDS, chat_messages, media_in, question_text
from rlvr_fast.tasks.rows import Row
from rlvr_fast.tasks.schemes.math.verifier import MathVerifier
from rlvr_fast.tasks.sources import HUB_OPTIONS, open_source
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["MathTask"]

# Paths into a row, the most telling first.
QUESTION_FIELDS = (
    "problem", "question", "prompt", "query", "input", "instruction", "messages", "conversations",
    "extra_info.question",
)  # fmt: skip
ANSWER_FIELDS = (
    "reward_model.ground_truth", "answer", "final_answer", "gold", "gt", "target",
    "expected_answer", "ground_truth", "correct_answer", "gold_answer", "label", "solution",
    "extra_info.answer",
)  # fmt: skip
ID_FIELDS = (
    "unique_id", "id", "problem_id", "idx", "index", "uid", "question_id", "task_id", "uuid",
    "extra_info.index", "extra_info.id",
)  # fmt: skip
# The fields that a problem needs besides question, answer and id.
OTHER_FIELDS = ("choices", "options", "is_multiple_answer", "unit", "error")
# The longest answer that extraction takes; no answer equals a longer gold.
MAX_GOLD_BYTES = 64 << 10
OPTIONS = ("question", "answer", "id", "sha256", "answer_space", *HUB_OPTIONS)
_HEAD_ROWS = 100


class MathTask:
    r"""`math:SOURCE?question=FIELD&answer=FIELD&id=FIELD`: problems with gold answers.

    SOURCE is a file (JSONL, a JSON array, Parquet, Arrow or CSV; text also as .gz or .zst), a
    folder of shards, a pattern with `*`, or hf://ORG/NAME?config=NAME&split=NAME, a data set of the
    Hugging Face Hub.

    Fields are paths into a row (`reward_model.ground_truth`). Those that are not given are guessed
    from the names in common use; `spec` holds the fields that were used and the SHA-256 of the
    file (the commit of a data set), so that a run records the guess and a source that changed is
    noticed. The path is kept as given (relative to the working directory). Gold answers travel in
    the run, so grading a run does not need the file.

    A question is a text or a chat list, of which the last user message is asked. A gold answer may
    be text, a number, a list of these (all of them are asked for), or a worked solution, whose
    final answer follows the last '#### ' or stands in the last `\boxed{}`. Rows with the id, the
    question and the gold answer of an earlier row are that problem again. `id=` without a field
    numbers the rows. `answer_space=N` says that a guesser chooses among N answers (1000 for AIME,
    by default).
    """

    domain = "math"

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        for key in spec.options:
            if key not in OPTIONS:
                raise InvalidInputError(
                    f"task {str(spec)!r}: unknown option {key!r}.{closest(key, OPTIONS)} "
                    f"A math task takes: {', '.join(OPTIONS)}"
                )
        source = open_source(spec.source, spec.options)
        self.name = name or source.name
        head = [row for _, row in itertools.islice(source.read(None), _HEAD_ROWS)]
        if not head:
            raise InvalidInputError(f"{source.label}: the file holds no rows")
        fields = {
            "question": _field(spec, "question", QUESTION_FIELDS, head, source.label),
            "answer": _field(spec, "answer", ANSWER_FIELDS, head, source.label),
        }
        identifier = _field(spec, "id", ID_FIELDS, head, source.label, required=False)
        if identifier or "id" in spec.options:
            fields["id"] = identifier
        if "answer_space" not in spec.options and self.name.lower().startswith("aime"):
            fields["answer_space"] = "1000"  # AIME answers are the integers 0 to 999
        resolved = spec.with_options(**fields, **source.pins)
        self.spec = str(resolved)
        shown_fields = {name for row in head for name in row if media_in({name: 1}, None)}
        columns = [
            *OTHER_FIELDS,
            *sorted({*shown_fields, *MEDIA_FIELDS}),
            *(name for path in fields.values() for name in (path, path.partition(".")[0])),
        ]
        self._problems = _problems(self.name, source.label, source.read(columns), resolved.options)

    def problems(self) -> list[Problem]:
        """The problems, in the order of the source."""
        return list(self._problems)

    def verifier(self) -> MathVerifier:
        """The reader of answers."""
        return MathVerifier()


def _field(
    spec: TaskSpec,
    role: str,
    guesses: Sequence[str],
    head: Sequence[Row],
    label: str,
    *,
    required: bool = True,
) -> str:
    def present(path: str) -> bool:
        return any(value_at(row, path) is not MISSING for row in head)

    given = spec.options.get(role)
    if given or (given is not None and required):
        if not present(given):
            raise InvalidInputError(
                f"{label}: {role}={given!r}, but the rows have no such field; "
                f"they have: {', '.join(_paths(head))}"
            )
        return given
    if given is not None:
        return ""
    candidates = [path for path in guesses if present(path)]
    filled = (p for p in candidates if any(value_at(row, p) not in (None, MISSING) for row in head))
    found = next(filled, candidates[0] if candidates else None)
    if found is None and required:
        raise InvalidInputError(
            f"{label}: no field looks like the {role} (tried {', '.join(guesses)}); say which of "
            f"{', '.join(_paths(head))} it is: ?{role}=FIELD"
        )
    return found or ""


def _paths(rows: Sequence[Row]) -> list[str]:
    """The fields of the rows; those of an object as dotted paths."""
    paths: dict[str, None] = {}
    for row in rows:
        for key, value in row.items():
            inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
            paths.update(dict.fromkeys(map(str, inner)))
    return list(paths)


def _problems(
    task: str, label: str, rows: Iterable[tuple[str, Row]], options: Mapping[str, str]
) -> list[Problem]:
    problems: list[Problem] = []
    # Of each problem: where it stands first, and its question and gold as the row has them. Without
    # ids the key is the question and the gold themselves.
    known: dict[str, tuple[str, object, object]] = {}
    repeats = 0
    has_context = False
    for index, (where, row) in enumerate(rows):
        asked, gold = value_at(row, options["question"]), value_at(row, options["answer"])
        if options.get("id"):
            key = identifier = _identifier(row, options["id"], where)
        else:
            key, identifier = f"{asked!r}\0{gold!r}", str(index)
        if key in known:
            _check_same(known[key], where, identifier, asked, gold)
            repeats += 1
            continue
        question = question_text(asked)
        if question is None:
            raise InvalidInputError(
                f"{where}: field {options['question']!r} should hold the question as text or as "
                f"chat messages, got {shown(None if asked is MISSING else asked)}"
            )
        if (media := media_in(row, asked)) is not None:
            raise InvalidInputError(
                f"{where}: {media} holds a picture, a film or a sound, and prompts here are texts: "
                "the model would be asked about what it is not shown; leave such rows out of the "
                "file, or the field where the question stands without it"
            )
        known[key] = (where, asked, gold)
        if gold is MISSING:
            raise InvalidInputError(
                f"{where}: missing gold answer: no field {options['answer']!r}; the row has: "
                f"{', '.join(map(str, row)) or 'nothing'}"
            )
        parts = gold_parts(_listed(gold), where, options["answer"])
        size = sum(len(part.encode("utf-8", "replace")) for part in parts)
        if size > MAX_GOLD_BYTES:
            raise InvalidInputError(
                f"{where}: the gold answer in {options['answer']!r} has {size:,} bytes, more than "
                f"the {MAX_GOLD_BYTES:,} that an answer may have; is it the final answer alone?"
            )
        metadata: dict[str, Any] = {"index": index, "domain": MathTask.domain}
        if "answer_space" in options:
            metadata["answer_space"] = _positive(options["answer_space"], label)
        else:
            choices = row.get("choices", row.get("options"))
            if isinstance(choices, list) and choices:
                metadata["answer_space"] = len(choices)
        if len(parts) > 1 or row.get("is_multiple_answer") is True:
            metadata["multiple_answers"] = True
        for name in ("unit", "error"):  # OlympiadBench's unit and tolerance
            if isinstance(row.get(name), str) and row[name].strip():
                metadata[{"unit": "unit", "error": "tolerance"}[name]] = row[name].strip()
        has_context |= _has_context(asked)
        problems.append(Problem(f"{task}/{identifier}", task, question, ", ".join(parts), metadata))
    if not problems:
        raise InvalidInputError(f"{label}: the file holds no rows")
    if repeats:
        _warn(
            f"{label}: {repeats:,} of {len(problems) + repeats:,} rows repeat an earlier row (the "
            f"same question and gold answer); it has {len(problems):,} problems"
        )
    if has_context:
        _warn(
            f"{label}: chat lists in {options['question']!r} have messages before the last user "
            "message (a system prompt or earlier turns); the last user message alone is asked"
        )
    return problems


def _check_same(
    earlier: tuple[str, object, object], where: str, identifier: str, asked: object, gold: object
) -> None:
    first, known_asked, known_gold = earlier
    if asked == known_asked and gold == known_gold:
        return
    if where.rpartition(", ")[0] == first.rpartition(", ")[0]:
        first = first.rpartition(", ")[2]  # the same file
    advice = "choose another field with ?id=FIELD, or number the rows with ?id="
    if question_text(asked) != question_text(known_asked):
        raise InvalidInputError(
            f"{where}: id {identifier!r} stands in {first} too, with another question; ids have to "
            f"be unique ({advice})"
        )
    if repr(gold) != repr(known_gold):
        raise InvalidInputError(
            f"{where}: id {identifier!r} stands in {first} too, with another gold answer: "
            f"{shown(known_gold)} there, {shown(gold)} here; correct the file, or {advice}"
        )


def _listed(gold: object) -> object:
    """A list of texts where the gold is the JSON text of one, as some verl files have it."""
    if isinstance(gold, str) and gold.lstrip().startswith('["'):
        try:
            items = json.loads(gold)
        except (ValueError, RecursionError):
            return gold
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
    return gold


def _has_context(asked: object) -> bool:
    if isinstance(asked, str):
        return False
    roles = [role for role, _ in chat_messages(asked) or ()]
    return "user" in roles[: len(roles) - 1 - roles[::-1].index("user")] or "system" in roles


def _identifier(row: Row, field: str, where: str) -> str:
    value = value_at(row, field)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # an integer column with gaps
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise InvalidInputError(
            f"{where}: field {field!r} (the problem's id) should be text or an integer, got "
            f"{'no such field' if value is MISSING else shown(value)}; choose another with "
            "?id=FIELD, or number the rows with ?id="
        )
    return str(value)


def _positive(text: str, label: str) -> int:
    if not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise InvalidInputError(
            f"{label}: answer_space should be a positive integer below 10^18, got {shown(text)}"
        )
    return int(text)


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=2)

"""A file of problems with gold answers as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.golds import gold_parts
from rlvr_fast.tasks.rows import file_sha256, read_rows
from rlvr_fast.tasks.schemes.math.verifier import MathVerifier
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["MathTask"]

QUESTION_FIELDS = ("problem", "question", "prompt", "query", "input")
ANSWER_FIELDS = ("answer", "final_answer", "gold", "gt", "target", "expected_answer", "solution")
ID_FIELDS = ("unique_id", "id", "problem_id", "idx", "index", "uid")
# The longest answer that extraction takes; no answer equals a longer gold.
MAX_GOLD_BYTES = 64 << 10
OPTIONS = ("question", "answer", "id", "sha256", "answer_space")


class MathTask:
    r"""`math:PATH?question=FIELD&answer=FIELD&id=FIELD`: problems with gold answers.

    Fields that are not given are guessed from the names in common use; `spec` holds the fields
    that were used and the SHA-256 of the file, so that a run records the guess and a file that
    changed is noticed. The path is kept as given (relative to the working directory). Gold
    answers travel in the run, so grading a run does not need the file.

    A gold answer may be text, a number, a list of these (all of them are asked for), or a worked
    solution, whose final answer follows the last '#### ' or stands in the last `\boxed{}`.
    `answer_space=N` says that a guesser chooses among N answers (1000 for AIME, by default).
    """

    domain = "math"

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        self._path = Path(spec.source).expanduser()
        for key in spec.options:
            if key not in OPTIONS:
                raise InvalidInputError(
                    f"task {str(spec)!r}: unknown option {key!r}.{closest(key, OPTIONS)} "
                    f"A math task takes: {', '.join(OPTIONS)}"
                )
        rows = read_rows(self._path)
        digest = file_sha256(self._path)
        if spec.options.get("sha256", digest) != digest:
            raise InvalidInputError(
                f"{self._path}: the file has changed: task {str(spec)!r} was made from a file "
                f"with SHA-256 {spec.options['sha256']}, this one has {digest}. Restore the file, "
                "or drop sha256=... from the task to pose the problems of the new one"
            )
        self.name = name or self._path.name.split(".")[0]
        fields = {
            "question": _field(spec, "question", QUESTION_FIELDS, rows, self._path),
            "answer": _field(spec, "answer", ANSWER_FIELDS, rows, self._path),
        }
        identifier = _field(spec, "id", ID_FIELDS, rows, self._path, required=False)
        if identifier:
            fields["id"] = identifier
        if "answer_space" not in spec.options and self.name.lower().startswith("aime"):
            fields["answer_space"] = "1000"  # AIME answers are the integers 0 to 999
        resolved = spec.with_options(**fields, sha256=digest)
        self.spec = str(resolved)
        self._problems = _problems(self.name, self._path, rows, resolved.options)

    def problems(self) -> list[Problem]:
        """The problems, in the order of the file."""
        return list(self._problems)

    def verifier(self) -> MathVerifier:
        """Math-Verify."""
        return MathVerifier()


def _field(
    spec: TaskSpec,
    role: str,
    guesses: Sequence[str],
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    path: Path,
    *,
    required: bool = True,
) -> str:
    present = rows[0][1]
    given = spec.options.get(role)
    if given is not None:
        if given not in present:
            raise InvalidInputError(
                f"{path}: {role}={given!r}, but the rows have no such field; "
                f"they have: {', '.join(map(str, present))}"
            )
        return given
    found = next((name for name in guesses if name in present), None)
    if found is None and required:
        raise InvalidInputError(
            f"{path}: no field looks like the {role} (tried {', '.join(guesses)}); say which of "
            f"{', '.join(map(str, present))} it is: ?{role}=FIELD"
        )
    return found or ""


def _problems(
    task: str,
    path: Path,
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    options: Mapping[str, str],
) -> list[Problem]:
    problems: list[Problem] = []
    first_row: dict[str, int] = {}
    for index, (number, row) in enumerate(rows):
        where = f"{path}, row {number}"
        question = row.get(options["question"])
        if not isinstance(question, str) or not question.strip():
            raise InvalidInputError(
                f"{where}: field {options['question']!r} should hold the question as text, "
                f"got {_short(question)}"
            )
        identifier = _identifier(row, options["id"], where) if options.get("id") else str(index)
        problem_id = f"{task}/{identifier}"
        if problem_id in first_row:
            raise InvalidInputError(
                f"{where}: id {identifier!r} stands in row {first_row[problem_id]} too; ids have "
                "to be unique (choose another field with ?id=FIELD)"
            )
        first_row[problem_id] = number
        if options["answer"] not in row:
            raise InvalidInputError(
                f"{where}: missing gold answer: no field {options['answer']!r}; the row has: "
                f"{', '.join(map(str, row)) or 'nothing'}"
            )
        parts = gold_parts(row[options["answer"]], where, options["answer"])
        size = sum(len(part.encode("utf-8", "replace")) for part in parts)
        if size > MAX_GOLD_BYTES:
            raise InvalidInputError(
                f"{where}: the gold answer in {options['answer']!r} has {size:,} bytes, more than "
                f"the {MAX_GOLD_BYTES:,} that an answer may have; is it the final answer alone?"
            )
        metadata: dict[str, Any] = {"index": index, "domain": MathTask.domain}
        if "answer_space" in options:
            metadata["answer_space"] = _positive(options["answer_space"], path)
        else:
            choices = row.get("choices", row.get("options"))
            if isinstance(choices, list) and choices:
                metadata["answer_space"] = len(choices)
        if len(parts) > 1 or row.get("is_multiple_answer") is True:
            metadata["multiple_answers"] = True
        for key in ("unit", "error"):  # OlympiadBench's unit and tolerance
            if isinstance(row.get(key), str) and row[key].strip():
                metadata[{"unit": "unit", "error": "tolerance"}[key]] = row[key].strip()
        problems.append(Problem(problem_id, task, question, ", ".join(parts), metadata))
    return problems


def _identifier(row: Mapping[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise InvalidInputError(
            f"{where}: field {field!r} (the problem's id) should be text or an integer, got "
            f"{_short(value) if field in row else 'no such field'}; choose another with ?id=FIELD"
        )
    return str(value)


def _positive(text: str, path: Path) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInputError(f"{path}: answer_space should be a positive integer, got {text!r}")
    return int(text)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."

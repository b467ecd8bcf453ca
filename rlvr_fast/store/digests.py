"""What the tables of a run were made from: SHA-256 of files, recorded beside what they gave."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rlvr_fast.errors import RlvrError, RunDirectoryError, StorageError
from rlvr_fast.safe_files import open_regular
from rlvr_fast.store.files import read_json
from rlvr_fast.store.info import RunInfo
from rlvr_fast.store.parts import stage_parts
from rlvr_fast.store.run import Run

__all__ = [
    "Mismatch",
    "audit_mismatches",
    "file_sha256",
    "graded_run_info",
    "grades_made_from",
    "grading_mismatches",
    "grading_options",
    "journal_mark",
    "journal_prefix",
    "require_sealed_grades",
    "require_sealed_scores",
    "same_identity",
    "scores_made_from",
    "scores_mismatches",
    "seal",
    "sealed",
    "write_sealed",
]

_BLOCK = 1 << 20
# Digests kept in memory by file, size and times: a command hashes no file twice.
_KEPT = 1 << 17


class Mismatch(NamedTuple):
    """A file that is not the one that a table was made from.

    Attributes:
        file: the file.
        message: what is wrong with it.
    """

    file: Path
    message: str


def file_sha256(file: Path, size: int | None = None) -> str:
    """The SHA-256 of a file, in hexadecimal digits; with `size` of its first bytes alone.

    Raises:
        FileNotFoundError: there is no such file.
        StorageError: the file cannot be read.
    """
    try:
        stat = file.stat()
        mark = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        return _sha256(str(file), mark, size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{file}: cannot be read ({error.strerror or error})") from error


@functools.lru_cache(_KEPT)
def _sha256(file: str, mark: tuple[int, ...], size: int | None) -> str:
    digest = hashlib.sha256()
    left = mark[2] if size is None else size
    with open_regular(file) as opened:
        while left > 0 and (block := opened.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


# -- what is recorded ------------------------------------------------------------------------------


def grades_made_from(run: Run) -> dict[str, Any]:
    """The key "made_from" of grading.json: what the grades in the run were made from, and they."""
    found: dict[str, Any] = {"run.json": _identity(run.info), **_table_digests(run)}
    found["samples"] = _stage_digests(run, "samples")
    found["answers"] = _stage_digests(run, "answers")
    found["grades.parquet"] = file_sha256(run.path / "grades.parquet")
    found["verdicts.jsonl"] = journal_mark(run)
    return found


def journal_mark(run: Run) -> dict[str, Any]:
    """The number of bytes that the journal of verdicts has, and their SHA-256."""
    journal = run.path / "verdicts.jsonl"
    if not journal.exists():
        return {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    size = journal.stat().st_size
    return {"bytes": size, "sha256": file_sha256(journal, size)}


def scores_made_from(run: Run, label: str) -> dict[str, Any]:
    """The key "made_from" of the scores.json of a label."""
    return {
        "run.json": _identity(run.info),
        **_table_digests(run),
        "samples": _stage_digests(run, "samples"),
        "scores": _stage_digests(run, f"scores/{label}"),
    }


def seal(run: Run) -> None:
    """Records what the grades and the scores of a run were made from, as their stages do.

    For runs whose tables are written by hand, as tests and benchmarks do.
    """
    with run.writing():
        if (run.path / "grades.parquet").exists():
            grading = run.read_json("grading.json") or {"policy": "auto"}
            sealed = {**grading, "made_from": grades_made_from(run), "run": run.info.to_json()}
            write_sealed(run, "grading.json", sealed)
        for stage in run.stages():
            if stage.startswith("scores/"):
                name = f"{stage}/scores.json"
                made_from = scores_made_from(run, stage.removeprefix("scores/"))
                write_sealed(run, name, {**(run.read_json(name) or {}), "made_from": made_from})


def write_sealed(run: Run, name: str, value: Mapping[str, Any]) -> None:
    """Writes grading.json or a scores.json; where it has "made_from", with its own digest there."""
    run.write_json(name, sealed(value))


def sealed(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The value of such a file, with its own digest where it has "made_from"."""
    if "made_from" not in value:
        return value
    return {**value, "made_from": {**value["made_from"], "itself": _own_sha256(value)}}


def _value_sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _own_sha256(value: Mapping[str, Any]) -> str:
    """The digest of a value with "made_from", but for the digest itself."""
    made_from = {key: one for key, one in value["made_from"].items() if key != "itself"}
    return _value_sha256({**value, "made_from": made_from})


def _itself(run: Run, name: str, value: Mapping[str, Any]) -> Iterator[Mismatch]:
    if value["made_from"].get("itself") != _own_sha256(value):
        yield Mismatch(run.path / name, "was changed after it was written (another SHA-256)")


def _identity(info: RunInfo) -> str:
    """A digest of run.json without the number of samples asked for, which a top-up changes."""
    value = info.to_json()
    for name in ("requested_samples", "requested_of"):
        value.pop(name, None)
    return _value_sha256(value)


def same_identity(info: RunInfo, copy: RunInfo) -> bool:
    """Whether a copy of a run.json is of this one, or of it before tasks were added.

    The numbers of samples that were asked for may differ.
    """
    return _identity(copy) in map(_identity, info.earlier())


def graded_run_info(path: Path) -> RunInfo | None:
    """The copy of run.json in the grading.json of the run `path`.

    None where there is none, where grading.json was changed after it was written, and where the
    copy is not that of the run.json that was graded.
    """
    try:
        grading = read_json(path / "grading.json", root=path, remedy="")
        copy = RunInfo.from_json(grading["run"], "grading.json")
        if "made_from" in grading:
            made_from = grading["made_from"]
            if (made_from["itself"], made_from["run.json"]) != (
                _own_sha256(grading),
                _identity(copy),
            ):
                return None
    except (RlvrError, LookupError, TypeError, AttributeError):
        return None
    return copy


def _table_digests(run: Run) -> dict[str, str]:
    names = ("problems.parquet", "import.json")
    return {name: file_sha256(run.path / name) for name in names if (run.path / name).exists()}


def _stage_digests(run: Run, stage: str) -> dict[str, str]:
    return {part.name: file_sha256(part) for part in stage_parts(run.path, stage)}


# -- what is compared ------------------------------------------------------------------------------


def grading_mismatches(run: Run) -> Iterator[Mismatch]:
    """The files of a graded run that are not those that its grades were made from.

    Parts of samples/ that came later are draws without a grade, and no mismatch; parts of answers/
    that came later belong to a grading that was not finished.
    """
    grading = run.read_json("grading.json") or {}
    made_from = grading.get("made_from")
    if made_from is None:
        return
    yield from _itself(run, "grading.json", grading)
    yield from _common(run, made_from, "grades.parquet")
    yield from _stage(run, made_from, "samples", "samples", "grades.parquet")
    yield from _stage(run, made_from, "answers", "answers", "grades.parquet")
    known = made_from.get("answers", {})
    for part in stage_parts(run.path, "answers"):
        if part.name not in known:
            yield Mismatch(part, "is of a grading that was not finished, or foreign")
    grades = run.path / "grades.parquet"
    if grades.exists() or "grades.parquet" in made_from:
        yield from _file(grades, made_from.get("grades.parquet"), "grading.json")
    journal = run.path / "verdicts.jsonl"
    if journal.exists() and not journal_prefix(journal, made_from.get("verdicts.jsonl")):
        yield Mismatch(journal, "is not the journal that grading.json records")


def scores_mismatches(run: Run, label: str) -> Iterator[Mismatch]:
    """The files that are not those that the scores of a label were made from."""
    what = f"scores/{label}"
    about = run.read_json(f"{what}/scores.json") or {}
    made_from = about.get("made_from")
    if made_from is None:
        return
    yield from _itself(run, f"{what}/scores.json", about)
    yield from _common(run, made_from, what)
    yield from _stage(run, made_from, "samples", "samples", what)
    yield from _stage(run, made_from, "scores", what, f"{what}/scores.json")
    known = made_from.get("scores", {})
    for part in stage_parts(run.path, what):
        if part.name not in known:
            yield Mismatch(part, "is of a scoring that was not finished, or foreign")


def audit_mismatches(run: Run) -> Iterator[Mismatch]:
    """The file audit.json where it was changed after it was written."""
    audit = run.read_json("audit.json") or {}
    if "made_from" in audit:
        yield from _itself(run, "audit.json", audit)


def require_sealed_grades(run: Run) -> None:
    """Checks that the files of a graded run are those that its grades were made from.

    Raises:
        RunDirectoryError: one is not, or nothing is recorded; the message names file and remedy.
    """
    remedy = f"grade the run anew: rlvr-fast grade {run.path}{grading_options(run)} --regrade"
    file = run.path / "grading.json"
    grading = run.read_json("grading.json")
    if grading is None:
        raise RunDirectoryError(
            f"{file}: missing, so nothing says what the grades were made from; {remedy}"
        )
    if grading.get("made_from") is None:
        raise RunDirectoryError(
            f"{file}: does not say what the grades were made from (made_from), as the grading was "
            f"not finished (rlvr-fast grade {run.path}) or was made by an earlier version; {remedy}"
        )
    for wrong in grading_mismatches(run):
        raise RunDirectoryError(
            f"{wrong.file}: {wrong.message}. `rlvr-fast doctor {run.path}` says more. Restore the "
            f"file, or {remedy}"
        )


def require_sealed_scores(run: Run, label: str) -> None:
    """Checks that the scores of a label are those of the samples of a run.

    Raises:
        RunDirectoryError: they are not, or nothing is recorded; the message names file and remedy.
    """
    file = run.path / "scores" / label / "scores.json"
    again = f"rlvr-fast score {run.path} --model MODEL --label {label.removesuffix('-sampling')}"
    if (run.read_json(f"scores/{label}/scores.json") or {}).get("made_from") is None:
        raise RunDirectoryError(
            f"{file}: does not say what the scores were made from (made_from), as the scoring was "
            "not finished or was made by an earlier version; the command that scored the run, "
            f"given again, scores what is missing and records it ({again}), or remove {file.parent}"
        )
    for wrong in scores_mismatches(run, label):
        raise RunDirectoryError(
            f"{wrong.file}: {wrong.message}. Restore the file, or remove {file.parent} and score "
            f"the run again ({again})"
        )


def grading_options(run: Run) -> str:
    """The options that a run was graded with, where they are not the defaults: " --policy P"."""
    try:
        grading = run.read_json("grading.json") or {}
    except RunDirectoryError:
        return ""
    policy = grading.get("policy", "auto")
    options = "" if policy == "auto" else f" --policy {policy}"
    if grading.get("verdicts") == "imported" and not grading.get("verdicts_because"):
        options += " --verdicts imported"
    return options


def _common(run: Run, made_from: Mapping[str, Any], what: str) -> Iterator[Mismatch]:
    if made_from.get("run.json") not in [_identity(info) for info in run.info.earlier()]:
        yield Mismatch(run.path / "run.json", f"is not the run.json that {what} was made from")
    for name in ("problems.parquet", "import.json"):
        recorded = made_from.get(name)
        if name == "problems.parquet" and _was_extended(run, recorded):
            continue
        if recorded is not None or (run.path / name).exists():
            yield from _file(run.path / name, recorded, what)


def _was_extended(run: Run, recorded: str | None) -> bool:
    """Whether problems.parquet is that of a later state of the run than the recorded one."""
    states = [state["problems.parquet"] for state in run.info.states]
    if recorded not in states:
        return False
    try:
        return file_sha256(run.path / "problems.parquet") in states[states.index(recorded) :]
    except (FileNotFoundError, RunDirectoryError):
        return False  # said of the file itself


def _file(file: Path, recorded: str | None, what: str) -> Iterator[Mismatch]:
    try:
        digest = file_sha256(file)
    except FileNotFoundError:
        yield Mismatch(file, f"is gone, and {what} was made from it")
        return
    except RunDirectoryError as error:  # no regular file, or one of holes
        yield Mismatch(file, f"cannot be what {what} records ({error})")
        return
    if digest != recorded:
        yield Mismatch(file, f"is not the file that {what} records (another SHA-256)")


def _stage(
    run: Run, made_from: Mapping[str, Any], key: str, stage: str, what: str
) -> Iterator[Mismatch]:
    recorded: Mapping[str, str] = made_from.get(key, {})
    present = {part.name: part for part in stage_parts(run.path, stage)}
    gone = [name for name in recorded if name not in present]
    if gone:
        number = f"{len(gone)} of {len(recorded)} parts are gone"
        text = f"is gone, and {what} was made from it ({number})"
        yield Mismatch(run.path / stage / gone[0], text)
    for name, part in present.items():
        if name in recorded:
            yield from _file(part, recorded[name], what)


def journal_prefix(journal: Path, recorded: Mapping[str, Any] | None) -> bool:
    """Whether a journal begins with the lines that grading.json records; more may follow."""
    if recorded is None:
        return journal.stat().st_size == 0
    size = int(recorded["bytes"])
    if journal.stat().st_size < size:
        return False
    try:
        return file_sha256(journal, size) == str(recorded["sha256"])
    except RunDirectoryError:  # no regular file, or one of holes
        return False

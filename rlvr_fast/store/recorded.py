"""What a run records of the user's models and files: their names and digests, and no folders.

A path holds the name of a user, of a customer or of a project, and a run directory is passed on.
Where the verifier of a task reads a file, as the tests of programs, the run keeps a copy.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import RlvrError, file_error
from rlvr_fast.safe_files import open_regular
from rlvr_fast.store.files import replacing
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.tasks.specs import TaskSpec, parse_spec

__all__ = [
    "TASK_FILES",
    "keep_task_files",
    "kept_spec",
    "recorded_adapter",
    "recorded_name",
    "recorded_spec",
    "without_folders",
]

# The folder of a run with the files that its verifiers read.
TASK_FILES = "tasks"


def recorded_name(name: str) -> str:
    """The name of a model or a file as a run records it: of a path its last part.

    The name of a hub ("org/name") stays as it is, unless there is a folder or a file of this name.

    Example:
        >>> recorded_name("/home/alice/runs/checkpoint-500"), recorded_name("org/name")
        ('checkpoint-500', 'org/name')
    """
    text = name.removeprefix("file://")
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # no such user
        path = path.expanduser()
    local = text != name or text.startswith(("/", ".", "~"))
    if not local:
        try:
            local = path.exists()
        except (OSError, ValueError):  # too long for a path, or with a null byte
            return name
    return Path(os.path.abspath(path)).name or name if local else name  # noqa: PTH100 - no links


def recorded_adapter(folder: Path, sha256: str) -> dict[str, str]:
    """An adapter as the "model" of run.json and of scores.json holds it: no folders.

    Args:
        folder: the folder of the adapter.
        sha256: its digest.
    """
    return {"name": recorded_name(str(folder)), "sha256": sha256}


def recorded_spec(spec: str) -> str:
    """The spec of a task as a run records it: a file by its name and its digest.

    Example:
        >>> recorded_spec("math:/home/alice/aime.jsonl?sha256=1f2e")
        'math:aime.jsonl?sha256=1f2e'
    """
    try:
        parsed = parse_spec(spec)
    except RlvrError:  # of a run of a stranger
        return spec
    options = {
        key: recorded_name(value) if value.startswith(("/", "~", "file://")) else value
        for key, value in parsed.options.items()
    }
    source = recorded_name(parsed.source) if "sha256" in options else parsed.source
    return str(TaskSpec(parsed.scheme, source, options))


def keep_task_files(run: Path, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Copies into a run the files that the verifiers of its tasks read.

    Args:
        run: the run directory.
        tasks: [{"name", "spec"}] with the specs that the user gave.

    Raises:
        InvalidInputError, StorageError: a file cannot be read, or its copy cannot be written.
    """
    for task in tasks:
        spec, files = _files_of(str(task["spec"]))
        goal = None if spec is None else _kept(run, spec)
        if goal is None or goal.exists():
            continue
        for file in files:
            source = Path(file).expanduser()
            try:
                # The user named the file, which may be a link, but no pipe and no device.
                with open_regular(source.resolve()) as original:
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    with replacing(goal) as copy:
                        shutil.copyfileobj(original, copy, 1 << 20)
            except OSError as error:
                raise file_error(
                    error, f"{source}: cannot be copied into the run ({error.strerror or error})"
                ) from error


def kept_spec(run: Path, spec: str) -> str:
    """A recorded spec that names the file in the run, where the run keeps one, by its whole path.

    The verifier compares the digest of the file with that of the spec. It is made again in worker
    processes, whose current folder is another one.
    """
    parsed, files = _files_of(spec)
    file = _kept(run, parsed) if parsed is not None and files else None
    if parsed is None or file is None or not file.is_file():
        return spec
    return str(TaskSpec(parsed.scheme, str(file.absolute()), parsed.options))


def _files_of(spec: str) -> tuple[TaskSpec | None, tuple[str, ...]]:
    """The parts of a spec, and the files without which its verifier cannot be made.

    Nothing of a spec that is not understood here: where the task is used, an error says so.
    """
    try:
        parsed = parse_spec(spec)
        files = scheme_of(spec).files
        return parsed, () if files is None else files(parsed)
    except RlvrError:
        return None, ()


def _kept(run: Path, spec: TaskSpec) -> Path | None:
    """The place of a task's file in a run; None without a digest, or with a name that leads out."""
    digest = spec.options.get("sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        return None
    name = Path(recorded_name(spec.source))
    return None if ".." in name.parts else run / TASK_FILES / digest[:16] / name


def without_folders(value: Any, sources: Sequence[str]) -> Any:
    """A JSON value whose texts name files without the folders that lead to them.

    Args:
        value: the value.
        sources: the files, folders and patterns that the user gave. A file inside a folder keeps
            its path from that folder on.

    Example:
        >>> without_folders({"name": "/home/alice/dumps/1.jsonl"}, ["/home/alice/dumps"])
        {'name': 'dumps/1.jsonl'}
    """
    folders: set[str] = set()
    for source in sources:
        wildcard = re.search(r"[*?\[]", source)
        # Of a pattern, the folders before the first wildcard.
        folder = str(Path(source[: wildcard.start()] + "x" if wildcard else source).parent)
        for form in (folder, str(Path(folder).expanduser()), str(Path(folder).absolute())):
            if form.strip("/."):
                folders.add(f"{form}/")
    prefixes = {re.escape(folder): len(folder) for folder in folders}
    with contextlib.suppress(RuntimeError):  # nobody's home
        home = Path.home()
        prefixes[re.escape(f"{home}/")] = len(str(home)) + 1
        if home.parent != home.parent.parent:  # "/home/*/dumps" names users
            prefixes[rf"{re.escape(f'{home.parent}/')}[^/\s]+/"] = len(str(home.parent)) + 2
    if not prefixes:
        return value
    longest = sorted(prefixes, key=lambda prefix: prefixes[prefix], reverse=True)
    # Not inside of a longer path or a word.
    pattern = re.compile(rf"(?<![\w./~-])(?:{'|'.join(longest)})")

    def shorten(part: Any) -> Any:
        if isinstance(part, str):
            return pattern.sub("", part)
        if isinstance(part, Mapping):
            return {shorten(key): shorten(each) for key, each in part.items()}
        return [shorten(each) for each in part] if isinstance(part, list | tuple) else part

    return shorten(value)

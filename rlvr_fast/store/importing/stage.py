"""The stage that makes a run directory of finished completions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.store.digests import seal
from rlvr_fast.store.importing.import_pass import ImportPass, Tokenize, recognised_files
from rlvr_fast.store.importing.staging import StagedRun
from rlvr_fast.store.importing.summary import ImportSummary
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.readers.discovery import STANDARD_INPUT, Source, as_sources
from rlvr_fast.store.run import Run

__all__ = ["check_sources", "import_rollouts", "preview_rollouts"]


def import_rollouts(
    sources: Source | Sequence[Source],
    path: str | Path,
    options: ImportOptions = ImportOptions(),
    *,
    model: str | None = None,
    revision: str | None = None,
    tokenize: Tokenize | None = None,
    told: Callable[[ImportSummary], None] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Makes a run directory of finished completions; a problem may have any number of them.

    The layout is recognised by the keys of the first rows (docs/import.md lists the tools). The
    run directory is whole or absent: an import that is interrupted leaves nothing, and begins anew.
    Importing the same bytes into the same folder again changes nothing.

    Args:
        sources: files, folders, patterns such as "dumps/*.jsonl", "-" for standard input, Arrow
            tables, lists of rows or of vLLM's RequestOutput; several are one run.
        path: the run directory to make.
        options: format, fields, verdict, problems; see `ImportOptions`.
        model: the model that drew the completions; by default what the files say, else the name
            of the first source.
        revision: its revision.
        tokenize: text to token ids, for rows without token ids; without it their lists are empty,
            and the run can be graded but not scored.
        told: called with what was found, before the run directory appears.
        progress: called as progress("import", completions done, 0), at the end with their number.

    Raises:
        InvalidInputError: the layout is not recognised, a row contradicts an earlier row, or
            nothing can be imported; the message names the file and the row (from 1).
        RunDirectoryError: `path` holds something else, or an import of other files.
        StorageError: a source cannot be read, or the run cannot be written.

    Example:
        >>> import tempfile
        >>> rows = [{"question": "1 + 1?", "answer": "2", "responses": ["so 2", "so 3"]}]
        >>> run = import_rollouts(rows, tempfile.mkdtemp(), model="m")
        >>> run.num_samples().tolist(), run.problems()["gold"].to_pylist()
        ([2], ['2'])
    """
    path = Path(path)
    stage = ImportPass(sources, options, model, revision, tokenize, progress)
    if (path / "run.json").exists():
        return _same_import(path, stage)
    with StagedRun(path) as staged:
        summary = stage.read(staged.add)
        if told is not None:
            told(summary)
        staged.publish(stage.info(), stage.problem_table(), stage.about(), stage.tasks())
    run = Run.open(path)
    seal(run)
    return run


def preview_rollouts(
    sources: Source | Sequence[Source],
    options: ImportOptions = ImportOptions(),
    *,
    model: str | None = None,
    progress: Progress | None = None,
) -> ImportSummary:
    """What `import_rollouts` would import; reads everything and writes nothing.

    Raises:
        InvalidInputError: as for `import_rollouts`.
    """
    return ImportPass(sources, options, model, None, None, progress).read(lambda stage, rows: None)


def check_sources(sources: Source | Sequence[Source], options: ImportOptions) -> None:
    """Refuses at once what `import_rollouts` would refuse after the files before it.

    Looks at the first rows alone, and not at standard input and pipes, which can be read once.

    Raises:
        InvalidInputError: no such file, or no known layout.
        StorageError: a source cannot be read.
    """
    listed = [
        source
        for source in list(as_sources(sources))
        if not isinstance(source, str | Path)
        or not (str(source) == STANDARD_INPUT or Path(source).is_fifo())
    ]
    if listed:
        recognised_files(listed, options)


def _same_import(path: Path, stage: ImportPass) -> Run:
    """The run of an earlier import of the same bytes.

    Raises:
        RunDirectoryError: the folder holds another run.
    """
    run = Run.open(path)
    about = run.read_json("import.json")
    if about is None:
        raise RunDirectoryError(f"{path}: holds a run that was not imported; name another folder")
    for key in ("sources", "options"):
        if key not in about:
            raise RunDirectoryError(f"{path}/import.json: the key {key!r} is missing")
    then = [(s["name"], s.get("sha256")) for s in about["sources"]]
    now = stage.digests()
    if not all(sha for _, sha in now):
        raise RunDirectoryError(
            f"{path}: holds an import already, and the rows of an iterator cannot be compared with "
            "it. Name another folder, or give a list"
        )
    if sorted(sha for _, sha in then) != sorted(sha for _, sha in now):
        others = [name for name, sha in now if sha not in {sha for _, sha in then}]
        gone = [name for name, sha in then if sha not in {sha for _, sha in now}]
        what = f"{others[0]} has other bytes" if others else f"{gone[0]} is not among the sources"
        raise RunDirectoryError(
            f"{path}: holds an import of other rollouts: {what} (files then: "
            f"{len(then)}, now: {len(now)}). Name another folder (compare: --runs DIR, which keeps "
            "the report's folder and epsilon), or delete this one first"
        )
    given = stage.recorded_options()
    changed = [name for name in given if given[name] != about["options"].get(name)]
    if changed:
        shown = "; ".join(
            f"{name}: {about['options'].get(name) or 'not given'} then, "
            f"{given[name] or 'not given'} now"
            for name in changed
        )
        raise RunDirectoryError(
            f"{path}: holds an import of these files with other options ({shown}). Name another "
            "folder, or delete this one first"
        )
    return run

"""Data sets of the Hugging Face Hub, read by the package datasets (extra `hub`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, MissingDependencyError, closest, install_hint
from rlvr_fast.tasks.rows import Row

__all__ = ["hub_rows"]

# Data, and what says which files belong to which configuration and split. Loading scripts (.py) are
# never fetched.
_FILES = [
    "README.md", "dataset_infos.json", "*.parquet", "*.arrow", "*.json", "*.jsonl", "*.ndjson",
    "*.csv", "*.tsv", "*.gz", "*.zst", "*.zip",
]  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_rows(
    source: str, options: Mapping[str, str]
) -> tuple[str, dict[str, str], Callable[[Sequence[str] | None], Iterator[tuple[str, Row]]]]:
    """The name, the pinned options and the rows of a data set.

    The data set is taken from the cache of huggingface_hub (HF_HUB_CACHE), where it is put first
    unless HF_HUB_OFFLINE=1; its token, cache and offline mode apply. Data sets that are made by a
    program of their own are refused.

    Args:
        source: ORG/NAME, or ORG/NAME@REVISION.
        options: `split` and `config`, needed where there are several; `revision`, a commit, tag or
            branch.

    Raises:
        InvalidInputError: no such data set, revision, configuration or split, or one that cannot
            be reached.
        MissingDependencyError: the package datasets is not installed.
    """
    try:
        import datasets
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingDependencyError(
            f"hf://{source} needs the package datasets ({error}); {install_hint('hub')}"
        ) from error
    repository, _, revision = source.removeprefix("datasets/").strip("/").partition("@")
    revision = options.get("revision", revision or "main")
    label = f"hf://{repository}"
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                repository, repo_type="dataset", revision=revision, allow_patterns=_FILES
            )
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise InvalidInputError(
            f"{label}: no data set ORG/NAME of this name and revision {revision!r} can be reached "
            f"or is in the cache: {_first_line(error)}. Check the name, log in for a gated one, "
            "unset HF_HUB_OFFLINE, or name local files instead"
        ) from error
    commit = folder.name
    if not _COMMIT.fullmatch(commit):
        raise InvalidInputError(f"{label}: expected a snapshot named by its commit, got {folder}")

    def guarded(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return call(str(folder), *arguments, **named)
        except Exception as error:  # each builder of datasets has exceptions of its own
            raise InvalidInputError(
                f"{label}: datasets {datasets.__version__} cannot read it: {_first_line(error)}"
            ) from error

    config = _choice(label, "config", options, guarded(datasets.get_dataset_config_names))
    split = _choice(label, "split", options, guarded(datasets.get_dataset_split_names, config))

    def read(columns: Sequence[str] | None) -> Iterator[tuple[str, Row]]:
        # Streaming reads the files as they are; without it datasets would write a second copy.
        rows = guarded(datasets.load_dataset, config, split=split, streaming=True)
        if columns and rows.column_names:
            rows = rows.select_columns([name for name in rows.column_names if name in columns])
        number = 0
        try:
            for number, row in enumerate(rows, start=1):
                yield f"{label} ({config}, {split}), row {number}", row
        except InvalidInputError:
            raise
        except Exception as error:
            raise InvalidInputError(
                f"{label} ({config}, {split}), row {number + 1}: datasets {datasets.__version__} "
                f"cannot read it: {_first_line(error)}"
            ) from error

    pins = {"revision": commit, "config": config, "split": split}
    return repository.rpartition("/")[2], pins, read


def _choice(label: str, what: str, options: Mapping[str, str], known: Sequence[str]) -> str:
    given = options.get(what)
    if given is None and len(known) == 1:
        return str(known[0])
    if given in known:
        return str(given)
    said = f"several {what}s" if given is None else f"no {what} {given!r}"
    hint = closest(given, known) if given is not None else ""
    raise InvalidInputError(
        f"{label}: the data set has {said}.{hint} Name one with ?{what}=NAME: {', '.join(known)}"
    )


def _first_line(error: BaseException) -> str:
    """The first line of what went wrong first: datasets wraps exceptions in vaguer ones."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

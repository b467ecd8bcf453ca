"""Data sets of the Hugging Face Hub, read by the package datasets (extra `hub`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.errors import (
    InvalidInputError,
    MissingDependencyError,
    closest,
    install_hint,
    shown,
)
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

    _check_inside(label, folder)
    # From version 4 on datasets runs no code of a data set; earlier ones would ask the user.
    asks = "trust_remote_code" in inspect.signature(datasets.load_dataset).parameters
    no_code = {"trust_remote_code": False} if asks else {}
    configs = guarded(datasets.get_dataset_config_names, **no_code)
    config = _choice(label, "config", options, configs)
    splits = guarded(datasets.get_dataset_split_names, config, **no_code)
    split = _choice(label, "split", options, splits)

    def read(columns: Sequence[str] | None) -> Iterator[tuple[str, Row]]:
        # Streaming reads the files as they are; without it datasets would write a second copy.
        rows = guarded(
            datasets.load_dataset, config, split=split, streaming=True, trust_remote_code=False
        )
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


def _check_inside(label: str, folder: Path) -> None:
    """Refuses a data set that names files outside of its snapshot: its author is a stranger.

    Its card may name any file of the machine, or a URL, as its data; datasets would read them.

    Raises:
        InvalidInputError: the message names the path, or says why the card cannot be read.
    """
    import yaml
    from huggingface_hub import DatasetCard

    root = folder.resolve().parents[1]  # the snapshot holds links to its neighbour, blobs/
    outside = [file for file in folder.rglob("*") if not file.resolve().is_relative_to(root)]
    if outside:
        raise InvalidInputError(f"{label}: {outside[0]} is a link to a file outside the data set")
    cards: list[Any] = []
    try:
        if (readme := folder / "README.md").is_file():
            cards.append(DatasetCard.load(readme).data.to_dict())
        if (further := folder / ".huggingface.yaml").is_file():
            cards.append(yaml.safe_load(further.read_text("utf-8")))
        configs = [config for card in cards if card for config in card.get("configs") or ()]
        named = [config.get(key) for config in configs for key in ("data_files", "data_dir")]
    except Exception as error:  # what cards hold is not checked anywhere
        raise InvalidInputError(
            f"{label}: its card cannot be read: {_first_line(error)}"
        ) from error
    for text in _texts(named):
        parts = re.split(r"[/\\]", text)
        if text.startswith(("/", "\\", "~")) or ".." in parts or "://" in text or "::" in text:
            raise InvalidInputError(
                f"{label}: its card names data outside of the data set: {shown(text)}"
            )


def _texts(value: object) -> Iterator[str]:
    """Every text in a value that YAML made, which may repeat a part of itself or hold itself."""
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, (list, tuple, set)):
                waiting += value


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

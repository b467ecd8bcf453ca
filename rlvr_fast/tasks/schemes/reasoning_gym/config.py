"""The datasets of Reasoning Gym and their config values, read from the text of a task spec."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from importlib import metadata as importlib_metadata
from typing import Any

from rlvr_fast.errors import InvalidInputError, MissingDependencyError, closest, shown
from rlvr_fast.tasks.schemes.reasoning_gym.bounds import MAX_OPTION_LENGTH, check_bounds
from rlvr_fast.tasks.specs import TaskSpec

__all__ = [
    "DEFAULT_SEED",
    "DEFAULT_SIZE",
    "FIXES_OPTION",
    "GUARDS_OPTION",
    "config_of",
    "dataset_of",
    "datasets",
    "generator",
]

DEFAULT_SIZE = 50
DEFAULT_SEED = 0
# Options of rlvr_fast beside those of the dataset: which corrections an answer gets before it is
# scored (see fixes.py), and whether our own checks and readings apply (see guards.py, reading.py).
FIXES_OPTION = "fixes"
GUARDS_OPTION = "guards"
OWN_OPTIONS = {FIXES_OPTION: ("none", "leash"), GUARDS_OPTION: ("on", "off")}


@functools.cache
def generator() -> str:
    """Package and version whose code makes the problems."""
    try:
        return f"reasoning-gym {importlib_metadata.version('reasoning-gym')}"
    except importlib_metadata.PackageNotFoundError as error:
        raise MissingDependencyError(
            "tasks named reasoning_gym:NAME need the package reasoning-gym: "
            "pip install reasoning-gym"
        ) from error


def datasets() -> dict[str, tuple[type, type]]:
    """The class and the config class of each dataset, by name."""
    generator()
    import reasoning_gym  # noqa: F401  (its import fills the registry)
    from reasoning_gym.factory import DATASETS

    return typing.cast("dict[str, tuple[type, type]]", DATASETS)


def config_of(spec: TaskSpec) -> dict[str, Any]:
    """Config values of a spec, read as the types of the dataset's config dataclass say.

    Raises:
        InvalidInputError: an unknown dataset or config value, or one that the dataset refuses.
        MissingDependencyError: Reasoning Gym is not installed.
    """
    known_datasets = datasets()
    if spec.source not in known_datasets:
        raise InvalidInputError(
            f"{generator()} has no dataset {spec.source!r}."
            f"{closest(spec.source, known_datasets)} "
            f"It has: {', '.join(sorted(known_datasets))}"
        )
    config_class = known_datasets[spec.source][1]
    hints = typing.get_type_hints(config_class)
    known = {item.name: hints[item.name] for item in dataclasses.fields(config_class)}
    values: dict[str, Any] = {"size": DEFAULT_SIZE, "seed": DEFAULT_SEED}
    for key, text in spec.options.items():
        if len(text) > MAX_OPTION_LENGTH:
            raise InvalidInputError(
                f"task {shown(str(spec))}: {shown(key)} has {len(text):,} characters; at most "
                f"{MAX_OPTION_LENGTH:,} are read"
            )
        if key in OWN_OPTIONS:
            if text not in OWN_OPTIONS[key]:
                raise InvalidInputError(
                    f"task {str(spec)!r}: {key} should be {' or '.join(OWN_OPTIONS[key])}, got "
                    f"{text!r}"
                )
            continue
        if key not in known:
            raise InvalidInputError(
                f"task {str(spec)!r}: dataset {spec.source!r} has no config value {key!r}."
                f"{closest(key, [*known, *OWN_OPTIONS])} It has: {', '.join(sorted(known))}; and "
                + ", ".join(f"{name}={' or '.join(may)}" for name, may in OWN_OPTIONS.items())
            )
        try:
            values[key] = _read(text, known[key])
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            raise InvalidInputError(
                f"task {str(spec)!r}: {key}={shown(text)} is not of type {_type_name(known[key])}"
            ) from error
    if not isinstance(values["size"], int) or values["size"] < 1:
        raise InvalidInputError(f"task {str(spec)!r}: size should be at least 1")
    check_bounds(str(spec), values)
    try:
        config = config_class(**values)
        # the configs of a few datasets have no method to validate them
        getattr(config, "validate", lambda: None)()
    except (AssertionError, ValueError, TypeError) as error:
        raise InvalidInputError(
            f"task {str(spec)!r}: {generator()} refuses this config: {error or type(error)}"
        ) from error
    return values


def dataset_of(spec: TaskSpec) -> Any:
    """The dataset that a spec names, with the config that it states."""
    dataset_class, config_class = datasets()[spec.source]
    return dataset_class(config=config_class(**config_of(spec)))


def _read(text: str, kind: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() in ("", "none", "null"):
            return None
        return _read(text, next(item for item in arguments if item is not type(None)))
    if origin is typing.Literal:
        return next(item for item in arguments if str(item) == text)
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(item for item in kind if text in (item.name, str(item.value)))
    if kind in (list, tuple) or origin in (list, tuple) or "Sequence" in str(origin):
        element = next((item for item in arguments if item is not Ellipsis), None)
        items = [item.strip() for item in text.strip("[]()").split(",") if item.strip()]
        read = [
            _number_or_text(item) if element is None else _read(item, element) for item in items
        ]
        return tuple(read) if tuple in (kind, origin) else read
    raise TypeError(kind)


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")

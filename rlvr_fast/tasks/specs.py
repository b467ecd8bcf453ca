"""The text form of a task: SCHEME:SOURCE?key=value&key=value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from rlvr_fast.errors import InvalidInputError, shown

__all__ = ["CEILINGS", "MAX_SPEC_LENGTH", "TaskSpec", "parse_spec"]

MAX_SPEC_LENGTH = 64 << 10

# The largest limits that a spec may give to the programs of its task. A larger one is refused where
# the user names the task, and lowered to this where a run names it.
CEILINGS: Mapping[str, float] = {"timeout": 120.0, "memory_mb": 8192.0}


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """The parts of a task spec.

    `str(spec)` is canonical: keys sorted, values percent-encoded only where they must be.

    Attributes:
        scheme: the kind of task.
        source: what the kind of task reads: a dataset, a path.
        options: the rest, key to value, as text.
    """

    scheme: str
    source: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "&".join(
            f"{_encode(key)}={_encode(value)}" for key, value in sorted(self.options.items())
        )
        return f"{self.scheme}:{self.source}" + (f"?{options}" if options else "")

    def with_options(self, **options: str) -> TaskSpec:
        """The same spec with these options set."""
        return TaskSpec(self.scheme, self.source, {**self.options, **options})


def _encode(text: str) -> str:
    return quote(text, safe="/:,.-_~ []()+*'\"{}")


def parse_spec(text: str) -> TaskSpec:
    """Splits a task spec into scheme, source and options.

    Raises:
        InvalidInputError: the text has no scheme or no source, or is too long; an option is not of
            the form key=value or is given twice.

    Example:
        >>> parse_spec("reasoning_gym:countdown?seed=7&size=50").options
        {'seed': '7', 'size': '50'}
    """
    if len(text) > MAX_SPEC_LENGTH:
        raise InvalidInputError(
            f"expected a task of at most {MAX_SPEC_LENGTH:,} characters, got {len(text):,}: "
            f"{shown(text)}"
        )
    scheme, colon, rest = text.partition(":")
    source, _, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    if not colon or not scheme.strip() or not source.strip():
        raise InvalidInputError(
            f"a task is written SCHEME:SOURCE?key=value&..., as in "
            f"'reasoning_gym:countdown?size=50&seed=7' or 'math:problems.jsonl'; got {text!r}"
        )
    options: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        key, equals, value = item.partition("=")
        key, value = unquote(key).strip(), unquote(value)
        if not equals or not key:
            raise InvalidInputError(f"task {text!r}: option {item!r} is not of the form key=value")
        if key in options:
            raise InvalidInputError(f"task {text!r}: option {key!r} is given twice")
        options[key] = value
    return TaskSpec(scheme.strip(), source.strip(), options)

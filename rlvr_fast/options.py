"""One definition of an option, read alike by Python, a study file and the command line.

A room names its options in a frozen dataclass that derives from `Options`; each field is made by
`option`, which adds a help text, a range and choices to the annotation. From the class follow
`from_mapping` (study files), `options_of` (the command line) and the checks of Python calls.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

from rlvr_fast.errors import (
    InvalidInputError,
    RlvrError,
    closest,
    fault_kept,
    require_none,
    shown,
)

__all__ = ["Option", "Options", "option", "options_of", "refuse_unknown"]

_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
# What tables and run.json hold.
_64_BITS = 1 << 63


@dataclass(frozen=True, slots=True)
class _About:
    """What `option` adds to the annotation of a field."""

    help: str | Callable[[], str]
    choices: Sequence[str] | Callable[[], Sequence[str]]
    minimum: float | None
    above: float | None
    maximum: float | None
    below: float | None
    reason: str
    metavar: str | None
    cli_name: str | None


def option(
    default: Any = MISSING,
    *,
    help: str | Callable[[], str],
    choices: Sequence[str] | Callable[[], Sequence[str]] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    reason: str = "",
    metavar: str | None = None,
    cli_name: str | None = None,
) -> Any:
    """Makes a field of an `Options` class.

    Args:
        default: value where none is given; without one the option has to be given.
        help: one sentence for the command line, or a function that gives the sentence.
        choices: the texts to choose from, or a function that gives them; a field annotated with
            a Literal has the choices of the Literal.
        minimum: smallest value.
        above: a bound that the value exceeds.
        maximum: largest value.
        below: a bound that the value stays under.
        reason: why a value outside of the range makes no sense, for the message.
        metavar: what stands for the value in the help of the command line.
        cli_name: name on the command line; by default the name of the field. An option that may
            be repeated has a plural name in Python and a singular name here.
    """
    about = _About(help, choices, minimum, above, maximum, below, reason, metavar, cli_name)
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata={"option": about})
    return field(default=default, metadata={"option": about})


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an `Options` class, as its field defines the option.

    Attributes:
        name: name in Python and in a study file.
        cli_name: name on the command line, without the dashes.
        kind: type of one value: int, float, str or bool; `object` for the values of a mapping; an
            `Options` class where the field holds a group of options.
        form: whether the option takes one value, a sequence of values, a mapping of names to
            values, or is a group.
        optional: whether None is a value.
        default: the default; `dataclasses.MISSING` where the option has to be given.
        minimum: smallest value, if any.
        above: a bound that the value exceeds, if any.
        maximum: largest value, if any.
        below: a bound that the value stays under, if any.
        reason: why a value outside of the range makes no sense.
        metavar: what stands for the value in the help of the command line, if anything.
    """

    name: str
    cli_name: str
    kind: type[Any]
    form: Literal["one", "sequence", "mapping", "group"]
    optional: bool
    default: Any
    minimum: float | None
    above: float | None
    maximum: float | None
    below: float | None
    reason: str
    metavar: str | None
    _help: str | Callable[[], str]
    _choices: Sequence[str] | Callable[[], Sequence[str]]

    @property
    def help(self) -> str:
        """What the option does, in one sentence."""
        return self._help() if callable(self._help) else self._help

    @property
    def flag(self) -> str:
        """The option as a user types it on the command line."""
        return f"--{self.cli_name.replace('_', '-')}"

    @property
    def required(self) -> bool:
        """Whether the option has to be given."""
        return self.default is MISSING

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts to choose from; empty where any text may be given."""
        return tuple(self._choices() if callable(self._choices) else self._choices)

    @property
    def range(self) -> str:
        """The range of a number in words; empty where any number may be given."""
        bounds = (
            ("at least", self.minimum),
            ("above", self.above),
            ("at most", self.maximum),
            ("below", self.below),
        )
        return " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)

    @property
    def expected(self) -> str:
        """What one value has to be, for messages."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return ", ".join(filter(None, (_WORDS.get(self.kind, self.kind.__name__), self.range)))

    def read(self, value: Any, where: str) -> Any:
        """The value as a mapping, such as a study file, has it, in its normal form.

        One value may stand for a list of one, and a group of options is a mapping.

        Raises:
            InvalidInputError: as `check`.
        """
        if self.form == "group" and not self.kind.text_field:
            if not isinstance(value, Mapping):
                inner = ", ".join(each.name for each in options_of(self.kind))
                raise InvalidInputError(f"{where} is {shown(value)}, expected a mapping of {inner}")
            return self.kind.from_mapping(value, where=where)
        if self.form == "sequence" and not isinstance(value, list | tuple):
            value = (value,)
        return self.check(value, where)

    def check(self, value: Any, where: str) -> Any:
        """The value in its normal form: a tuple of a sequence, a float of a number.

        Raises:
            InvalidInputError: another type, out of range, or none of the choices; the message
                begins with `where`.
        """
        if value is None and self.optional:
            return None
        if self.form == "group":
            if isinstance(value, self.kind):
                return value
            if self.kind.text_field and isinstance(value, str | Mapping):
                given = {self.kind.text_field: value} if isinstance(value, str) else value
                return self.kind.from_mapping(given, where=where)
            raise InvalidInputError(
                f"{where} is {shown(value)}, expected {self.kind.__name__}(...)"
            )
        if self.form == "mapping":
            if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
                return dict(value)
            raise InvalidInputError(
                f"{where} is {shown(value)}, expected a mapping of names to values"
            )
        if self.form == "sequence":
            if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
                raise InvalidInputError(
                    f"{where} is {shown(value)}, expected a list, each {self.expected}"
                )
            return tuple(self._check_one(entry, where) for entry in value)
        return self._check_one(value, where)

    def _check_one(self, value: Any, where: str) -> Any:
        accepted: Any = {int: Integral, float: Real}.get(self.kind, self.kind)
        read = value
        fits = isinstance(value, accepted) and isinstance(value, bool) == (self.kind is bool)
        if fits and self.kind in (int, float):
            try:
                read = self.kind(value) + self.kind(0)  # of two zeros, the one without a sign
                fits = math.isfinite(read) and self._in_range(read)
            except OverflowError:  # a whole number beyond all floats
                fits = False
            if fits and self.kind is int and not -_64_BITS <= read < _64_BITS:
                raise InvalidInputError(f"{where} is {shown(value)}, expected at most 64 bits")
        elif fits and self.kind is str:
            fits = value in self.choices if self.choices else bool(value)
        if not fits:
            reason = f" ({self.reason})" if self.reason else ""
            raise InvalidInputError(f"{where} is {shown(value)}, expected {self.expected}{reason}")
        return read

    def _in_range(self, value: float) -> bool:
        return (
            (self.minimum is None or value >= self.minimum)
            and (self.above is None or value > self.above)
            and (self.maximum is None or value <= self.maximum)
            and (self.below is None or value < self.below)
        )


class _Given:
    """Keeps the names of the arguments that a call gives; a dataclass itself does not know them."""

    __slots__ = ("_given",)
    _given: frozenset[str]

    def __new__(cls, *_: Any, **values: Any) -> Self:
        made = super().__new__(cls)
        object.__setattr__(made, "_given", frozenset(values))
        return made

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        values = {name: getattr(self, name) for name in self._given}
        return functools.partial(type(self), **values), ()  # a copy was given the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(_Given):
    """Base of the options of a room: values are checked, and normalised, when one is made.

    Attributes:
        text_field: of a group, the option that a text in place of the group gives; "" where no
            text stands for the group.
    """

    text_field: ClassVar[str] = ""

    @property
    def given(self) -> frozenset[str]:
        """The names of the options that were given, whatever their values; others have defaults."""
        return self._given

    def __post_init__(self) -> None:
        cls = type(self)
        for each in options_of(cls):
            where = f"{cls.__name__}: {each.name}"
            object.__setattr__(self, each.name, each.check(getattr(self, each.name), where))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """The options that a mapping, such as a part of a study file, gives by name.

        A group of options is a mapping inside the mapping; one value may stand for a list of one.

        Args:
            values: names to values; an absent name has its default.
            where: stands first in every message, a file name for example.

        Raises:
            InvalidInputError: an unknown name (the message has the nearest known one), a missing
                one, or a value of another type or out of range; a `SeveralFaults` of all of them.
        """
        known = {each.name: each for each in options_of(cls)}
        faults: list[RlvrError] = []
        with fault_kept(faults):
            refuse_unknown(values, known, where)
        clean: dict[str, Any] = {}
        for name, each in known.items():
            with fault_kept(faults):
                if each.required and values.get(name) is None:
                    needed = ", ".join(other.name for other in known.values() if other.required)
                    raise InvalidInputError(f"{where}: {name!r} is missing; needed: {needed}")
                if name in values:
                    clean[name] = each.read(values[name], f"{where}: {name}")
        require_none(faults, f"of {where}")
        try:
            return cls(**clean)
        except InvalidInputError as error:  # options that exclude each other
            raise InvalidInputError(f"{where}: {error}") from None


def options_of(cls: type[Options]) -> tuple[Option, ...]:
    """The options of a class in the order of its fields; a group is one entry."""
    owner: Any = cls  # mypy does not take a class for hashable whose instances are compared
    return _options_of(owner)


@functools.cache
def _options_of(cls: Any) -> tuple[Option, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(_resolved(each, hints[each.name]) for each in fields(cls))


def _resolved(about: Any, hint: Any) -> Option:
    kind, form, optional, choices = _taken_apart(hint)
    default = about.default
    if about.default_factory is not MISSING:
        default = about.default_factory()
    said: _About | None = about.metadata.get("option")
    if said is None:
        said = _About("", (), None, None, None, None, "", None, None)
    return Option(
        name=about.name,
        cli_name=said.cli_name or about.name,
        kind=kind,
        form=form,
        optional=optional,
        default=default,
        minimum=said.minimum,
        above=said.above,
        maximum=said.maximum,
        below=said.below,
        reason=said.reason,
        metavar=said.metavar,
        _help=said.help,
        _choices=said.choices or choices,
    )


def _taken_apart(hint: Any) -> tuple[type, Any, bool, tuple[str, ...]]:
    """(type of one value, form, whether None is a value, choices) of an annotation."""
    parts = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in parts if part is not type(None)]
        groups = [part for part in inner if isinstance(part, type) and issubclass(part, Options)]
        kind, form, _, choices = _taken_apart(*groups or inner)  # a text may stand for a group
        return kind, form, type(None) in parts, choices
    if origin is Literal:
        return str, "one", False, parts
    if origin is tuple:
        kind, _, _, choices = _taken_apart(parts[0])
        return kind, "sequence", False, choices
    if origin is Mapping:
        return object, "mapping", False, ()
    if isinstance(hint, type) and issubclass(hint, Options):
        return hint, "group", False, ()
    if hint in _WORDS:
        return hint, "one", False, ()
    raise TypeError(f"no option can be annotated with {hint!r}")


def refuse_unknown(names: Iterable[object], known: Iterable[str], where: str) -> None:
    """Raises InvalidInputError for unknown names, each with the nearest known one."""
    known = list(known)
    require_none(
        (
            InvalidInputError(
                f"{where}: unknown key {shown(name)}.{closest(name, known)} "
                f"Known: {', '.join(known)}"
            )
            for name in names
            if name not in known
        ),
        f"of {where}",
    )

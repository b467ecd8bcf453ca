"""Parameters of commands: those that many commands share, and those that follow from options.

A command names a parameter of an `Options` class; `with_options` puts one parameter in its place
for each option of the class, with the type, the default, the choices and the help of the option.
"""

from __future__ import annotations

import enum
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, cast

import typer

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Option, Options, options_of
from rlvr_fast.yaml_text import parse_yaml

__all__ = ["BaseRun", "Given", "Json", "Quiet", "RlRun", "RunDirectory", "with_options"]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bars.")]
RunDirectory = Annotated[Path, typer.Argument(help="A run directory.", show_default=False)]
BaseRun = Annotated[Path, typer.Argument(help="The base model's graded run.")]
RlRun = Annotated[Path, typer.Argument(help="The RL-trained model's graded run.")]


T = TypeVar("T", bound=Options)


class Given(Generic[T]):
    """The options of a class that were given; a command that annotates so makes the class itself.

    Attributes:
        values: the options by name, those of groups among them.
    """

    def __init__(self, cls: type[T], values: Mapping[str, Any]) -> None:
        self._cls = cls
        self.values = dict(values)

    def made(self, defaults: Mapping[str, Any] | None = None) -> T:
        """The options, where `defaults` stand for those that were not given.

        Raises:
            InvalidInputError: a needed option is missing; options that exclude each other.
        """
        values = {**(defaults or {}), **self.values}
        missing = [o.flag for o in _flat(self._cls) if o.required and o.name not in values]
        if missing:
            raise InvalidInputError(f"Missing option {', '.join(map(repr, missing))}.")
        return cast(T, _made(self._cls, values))


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Puts the options of a class in the place of a parameter annotated with the class.

    `Annotated[CompareOptions, "zeta", "allow"]` takes only the options of these names.
    `Annotated[Given[SampleOptions], "without --plan"]` gives the command what was given (`Given`),
    and says when an option is required.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    taken: dict[str, tuple[type[Options], tuple[Option, ...]]] = {}
    deferred: set[str] = set()
    for name, parameter in inspect.signature(command).parameters.items():
        hint = hints[name]
        cls, *names = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
        when = ""
        if typing.get_origin(cls) is Given:
            (cls,), (when,), names = typing.get_args(cls), names, []
            deferred.add(name)
        if isinstance(cls, type) and issubclass(cls, Options):
            chosen = tuple(o for o in _flat(cls) if not names or o.name in names)
            taken[name] = cls, chosen
            parameters += [_parameter(each, when) for each in chosen]
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(annotation=hint, kind=kind))

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters.append(context)

    @functools.wraps(command)
    def run(*, context: typer.Context, **given: Any) -> None:
        for name, (cls, chosen) in taken.items():
            values = {each.name: given.pop(each.name) for each in chosen}
            for each in chosen:  # what was not given is left to the class
                source = context.get_parameter_source(each.name)
                if source is not None and source.name == "DEFAULT":
                    del values[each.name]
            values = _checked(values, {each.name: each for each in chosen})
            given[name] = Given(cls, values) if name in deferred else _made(cls, values)
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _flat(cls: type[Options]) -> list[Option]:
    """The options of a class, with those of its groups."""
    found: list[Option] = []
    for each in options_of(cls):
        found += _flat(each.kind) if each.form == "group" else [each]
    return found


def _parameter(each: Option, when: str = "") -> inspect.Parameter:
    """The parameter of a command that reads one option, which may be required in a case alone."""
    kind: Any = enum.StrEnum(each.name, [(c, c) for c in each.choices]) if each.choices else None
    kind = kind or (str if each.form == "mapping" else each.kind)
    default = each.default
    notes = [each.range] if each.range else []
    if each.required and when:
        default = None
        notes.append(f"required {when}")
    metavar = each.metavar
    if each.form != "one":
        kind, default = list[kind], None
        notes.append("may be repeated")
        if each.choices:
            metavar = f"<{'|'.join(each.choices)}>"
    elif default is None:
        kind = kind | None
    info = typer.Option(
        each.flag,
        help=" ".join((each.help, *(f"[{note}]" for note in notes))),
        metavar=metavar,
    )
    if each.required and not when:
        default = inspect.Parameter.empty
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, info],
    )


def _checked(values: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """The values in their normal form; an option that was not given is left to its default."""
    clean = {}
    for name, value in values.items():
        each = known[name]
        if value is None or (each.form != "one" and not value):
            continue
        if each.form == "mapping":
            value = _mapping(value, each.flag, each.metavar or "NAME=VALUE")
        elif each.form == "sequence":
            value = [_plain(entry) for entry in value]
        clean[name] = each.check(_plain(value), each.flag)
    return clean


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _mapping(entries: Sequence[str], flag: str, form: str) -> dict[str, Any]:
    """NAME=VALUE entries as a mapping, with the values that YAML gives them."""
    values: dict[str, Any] = {}
    for entry in entries:
        name, sign, text = entry.partition("=")
        if not sign or not name:
            raise InvalidInputError(f"{flag} takes {form}, not {entry!r}")
        if name in values:
            raise InvalidInputError(f"{flag}: {name} is given twice")
        values[name] = parse_yaml(text, f"{flag} {name}")
    return values


def _made(cls: type[Options], values: dict[str, Any]) -> Options:
    """The options of `cls` from the values of its options and of those of its groups."""
    for each in options_of(cls):
        if each.form == "group":
            names = {inner.name for inner in options_of(each.kind)} & set(values)
            values[each.name] = _made(each.kind, {name: values.pop(name) for name in names})
    return cls(**values)

"""The reference of a study file, as Markdown, from the classes that define its keys.

`make docs` writes it into docs/study.md, between two marks; `python -m rlvr_fast.study.reference`
prints it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Option, Options, options_of
from rlvr_fast.sampling.engines import BUILT_IN, engine_kind
from rlvr_fast.study.config import StudyConfig, study_keys

__all__ = ["put_into", "study_reference"]

BEGIN = "<!-- begin of what `make docs` writes -->"
END = "<!-- end of what `make docs` writes -->"

_TYPES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_COMMANDS = {"sample": "Sampling", "grade": "Grading", "compare": "Comparing"}


def study_reference() -> str:
    """Every key of a study file in Markdown tables: the study, its stages, and its mappings.

    The options of a stage are keys by themselves, and stand under the stage. A key whose value is
    a mapping of further options has a table of its own, after the one that holds the key.
    """
    keys = study_keys()
    own = [each for each in options_of(StudyConfig) if each.name in keys]
    shown: set[Any] = set()
    parts = ["### The study", *_tables(own, shown)]
    for each in options_of(StudyConfig):
        if each.name not in keys:
            title = _COMMANDS.get(each.name, each.name.capitalize())
            parts.append(f"### {title}: the options of `rlvr-fast {each.name}`")
            parts += _tables(list(options_of(each.kind)), shown)
    return "\n\n".join(parts) + "\n"


def put_into(page: str) -> str:
    """The page with the reference between its two marks.

    Raises:
        InvalidInputError: a page without the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidInputError(f"expected a page with the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{study_reference()}\n{END}{after}"


def _tables(options: list[Option], shown: set[Any]) -> Iterator[str]:
    """The table of some options, then those of their mappings that were not `shown` before."""
    lines = ["| key | default | values | |", "|---|---|---|---|"]
    lines += [
        f"| `{each.name}` | {_default(each)} | {_values(each)} | {_help(each)} |"
        for each in options
    ]
    yield "\n".join(lines)
    for each in options:
        if each.name == "engine_args":
            yield _engine_arguments()
        elif _holds_options(each) and each.kind not in shown:
            shown.add(each.kind)
            names = [f"`{other.name}`" for other in options if other.kind is each.kind]
            yield f"#### The mapping{'s' * (len(names) > 1)} {' and '.join(names)}"
            yield from _tables(list(options_of(each.kind)), shown)


def _engine_arguments() -> str:
    """What the mapping `engine_args` may hold with each of the package's own engines."""
    lines = ["#### The mapping `engine_args`", ""]
    for name in BUILT_IN:
        arguments = engine_kind(name).arguments
        if arguments is None:
            lines.append(f"* `{name}`: the arguments of the library ([sampling.md](sampling.md)).")
        else:
            listed = ", ".join(f"`{argument}`" for argument in arguments)
            lines.append(f"* `{name}`: {listed} ([sampling.md](sampling.md)).")
    return "\n".join(lines)


def _holds_options(each: Option) -> bool:
    return isinstance(each.kind, type) and issubclass(each.kind, Options)


def _default(each: Option) -> str:
    if each.default is MISSING:
        return "needed"
    if each.name == "score":
        return "`true`"
    if _holds_options(each) or each.form == "mapping":
        return "`{}`"
    value = list(each.default) if isinstance(each.default, tuple) else each.default
    if isinstance(value, str):
        return f"`{value}`"
    return f"`{json.dumps(value)}`"


def _values(each: Option) -> str:
    """What a value may be, in words."""
    if each.name == "score":
        return "true, false, or a mapping"
    if bool(getattr(each.kind, "text_field", "")):
        return "text, or a mapping"
    if _holds_options(each) or each.form == "mapping":
        return "a mapping"
    if each.choices:
        text = " ".join(f"`{choice}`" for choice in each.choices)
    else:
        text = ", ".join(filter(None, (_TYPES.get(each.kind, "any value"), each.range)))
    if each.form == "sequence":
        text = f"list of: {text}"
    return f"{text}; or null" if each.optional else text


def _help(each: Option) -> str:
    if not each.help and _holds_options(each):
        return f"Its keys: [`{each.name}`](#the-mapping-{each.name})."
    # Every second part stands between backticks, where Markdown shows a backslash.
    parts = each.help.replace("|", r"\|").split("`")
    for sign, shown in (("<", "&lt;"), ("*", r"\*"), ("_", r"\_")):
        parts[::2] = [part.replace(sign, shown) for part in parts[::2]]
    return "`".join(parts)


def main(arguments: list[str]) -> None:
    """Prints the reference, or writes it into the page that is named."""
    if not arguments:
        sys.stdout.write(study_reference())
        return
    page = Path(arguments[0])
    page.write_text(put_into(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

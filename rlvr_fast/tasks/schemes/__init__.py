"""The kinds of tasks: one module each, which holds a `Scheme` named SCHEME.

A new kind is a new module here and its name in `BUILT_IN`; or a package of its own with an entry
point in the group `rlvr_fast.tasks`. The tops of these modules import nothing heavy, as the command
line's help reads all of them.
"""

from __future__ import annotations

from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.registry import Plugin, Registry
from rlvr_fast.tasks.base import Scheme

__all__ = [
    "BUILT_IN",
    "GOLD_ANSWERS",
    "GROUP",
    "describe_schemes",
    "scheme_names",
    "scheme_of",
    "scheme_packages",
    "scheme_plugins",
]

# The names of the modules in this folder, in the order in which help shows them.
BUILT_IN = (
    "reasoning_gym",
    "math",
    "code",
    "math_verify",
)

# The group of entry points in which packages add kinds of tasks.
GROUP = "rlvr_fast.tasks"

# A spec whose verifier compares an answer with a gold answer and needs no file.
GOLD_ANSWERS = "math:golds"


_REGISTRY = Registry(
    Scheme, BUILT_IN, what="kind of task", modules=__name__, attribute="SCHEME", group=GROUP
)


def scheme_of(spec: str) -> Scheme:
    """The kind of task of a spec, or of the name of a kind.

    Raises:
        InvalidInputError: no such kind; the message names the nearest ones.
        RlvrError: the package that adds this kind is broken; the message names the package.

    Example:
        >>> scheme_of("code:humaneval").policy
        'code_block'
    """
    name = spec.partition(":")[0].strip()
    if name not in _REGISTRY:
        known = scheme_names()
        raise InvalidInputError(
            f"task {spec!r}: unknown kind {name!r}.{closest(name, known)} "
            f"Known: {', '.join(f'{scheme}:...' for scheme in known)}"
        )
    return _REGISTRY.get(name)


def scheme_names() -> tuple[str, ...]:
    """The kinds of tasks, rlvr_fast's own first; the packages that add others stay unloaded."""
    hidden = {scheme.name for scheme in _REGISTRY.own() if scheme.load is None}
    return tuple(name for name in _REGISTRY.names() if name not in hidden)


def describe_schemes() -> str:
    """The kinds of tasks, each as FORM (HELP), separated by semicolons: for help texts.

    Packages that add kinds stay unloaded; the help of their kinds names the package.
    """
    own = [(scheme.form, scheme.help) for scheme in _REGISTRY.own() if scheme.load is not None]
    added = [
        (f"{plugin.name}:...", f"of the package {plugin}")
        for plugin in scheme_plugins()
        if not plugin.problem
    ]
    return "; ".join(f"{form} ({text})" for form, text in [*own, *added])


def scheme_packages() -> dict[str, str | None]:
    """The packages whose versions a run records and `rlvr-fast doctor` shows, with their extras."""
    return _REGISTRY.packages()


def scheme_plugins(*, load: bool = False) -> tuple[Plugin, ...]:
    """The kinds of tasks that installed packages add; `load` imports them to find broken ones."""
    return _REGISTRY.plugins(load=load)

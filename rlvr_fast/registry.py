"""Registries: entries of one type by name, from rlvr_fast itself and from installed packages.

A room with a registry has a folder with one module an entry and one list of their names. A package
that is not ours adds an entry through an entry point
(https://packaging.python.org/specifications/entry-points/): the name of the entry point is the name
of the entry, its object is the entry. Packages are imported only where one of their entries is
asked for.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from rlvr_fast.errors import InvalidInputError, RlvrError, closest

__all__ = ["Entry", "Plugin", "Registry"]


class Entry(Protocol):
    """The attributes of every entry of a registry."""

    @property
    def name(self) -> str:
        """The name by which users ask for the entry."""
        ...

    @property
    def packages(self) -> Sequence[str]:
        """The packages whose versions a run records and `rlvr-fast doctor` shows."""
        ...

    @property
    def extra(self) -> str | None:
        """The extra of rlvr-fast that installs these packages, if there is one."""
        ...


EntryT = TypeVar("EntryT", bound=Entry)


class Plugin(NamedTuple):
    """An entry that an installed package adds to a registry.

    Attributes:
        name: the name of the entry.
        package: the package that adds it.
        version: the version of that package.
        problem: why the entry cannot be used; empty where nothing is known against it.
    """

    name: str
    package: str
    version: str
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.package} {self.version}".rstrip()


class Registry(Generic[EntryT]):
    """The entries of one type.

    Attributes:
        built_in: names of rlvr_fast's own entries, in the order in which help shows them.
    """

    def __init__(
        self,
        entry_type: type[EntryT],
        built_in: Sequence[str],
        *,
        what: str,
        modules: str,
        attribute: str,
        group: str,
    ) -> None:
        """Imports nothing.

        Args:
            entry_type: the class of an entry.
            built_in: the names of rlvr_fast's own entries, each also the name of its module.
            what: what an entry is, for messages ("engine").
            modules: the package that holds those modules.
            attribute: the name under which a module holds its entry.
            group: the group of entry points in which other packages add entries.
        """
        self.built_in = tuple(built_in)
        self._type = entry_type
        self._what = what
        self._modules = modules
        self._attribute = attribute
        self._group = group
        self._loaded: dict[str, EntryT] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._loaded or name in self.built_in or name in self._points

    def names(self) -> tuple[str, ...]:
        """The names of all entries: rlvr_fast's own, then those of packages, which stay unloaded.

        Reads the metadata of the installed packages (a few milliseconds, once a process).
        """
        return (*self.built_in, *(name for name in self._points if name not in self.built_in))

    def own(self) -> tuple[EntryT, ...]:
        """rlvr_fast's own entries."""
        return tuple(self.get(name) for name in self.built_in)

    def get(self, name: str) -> EntryT:
        """The entry `name`.

        Warns where a package adds an entry under the name of one of rlvr_fast's own, which is the
        one that is used.

        Raises:
            InvalidInputError: no such entry; the message names the nearest ones.
            RlvrError: the package that adds the entry cannot be imported, adds something else in
                its place, or is not the only one that adds this name; the message names the
                packages.
        """
        if name in self._loaded:
            return self._loaded[name]
        points = self._points.get(name, [])
        if name in self.built_in:
            for point in points:
                warnings.warn(self._collision(point), UserWarning, stacklevel=2)
            module = importlib.import_module(f"{self._modules}.{name}")
            entry: EntryT = getattr(module, self._attribute)
        elif points:
            entry = self._load(points)
        else:
            known = self.names()
            raise InvalidInputError(
                f"unknown {self._what} {name!r}.{closest(name, known)} Known: {', '.join(known)}"
            )
        self._loaded[name] = entry
        return entry

    def plugins(self, *, load: bool = False) -> tuple[Plugin, ...]:
        """The entries that installed packages add.

        Args:
            load: import each of them to find those that are broken; without, `problem` tells only
                of names that collide.
        """
        found: list[Plugin] = []
        for name, points in self._points.items():
            for point in points:
                problem = ""
                if name in self.built_in:
                    problem = self._collision(point)
                elif load or len(points) > 1:
                    try:
                        self.get(name)
                    except RlvrError as error:
                        problem = str(error)
                found.append(_plugin(point)._replace(problem=problem))
        return tuple(found)

    def packages(self) -> dict[str, str | None]:
        """The packages whose versions a run records and `rlvr-fast doctor` shows.

        The packages that rlvr_fast's own entries name, that add entries, or that the loaded
        entries of packages name.

        Returns:
            Package to the extra of rlvr-fast that installs it, None where there is no extra.
        """
        found = {
            package: entry.extra
            for entry in [*self.own(), *self._loaded.values()]
            for package in entry.packages
        }
        for plugin in self.plugins():
            if plugin.version:
                found.setdefault(plugin.package, None)
        return found

    @functools.cached_property
    def _points(self) -> dict[str, list[metadata.EntryPoint]]:
        points: dict[str, list[metadata.EntryPoint]] = {}
        for point in metadata.entry_points(group=self._group):
            points.setdefault(point.name, []).append(point)
        return points

    def _load(self, points: Sequence[metadata.EntryPoint]) -> EntryT:
        name = points[0].name
        if len(points) > 1:
            packages = " and ".join(str(_plugin(point)) for point in points)
            raise RlvrError(
                f"the {self._what} {name!r} is added by several packages ({packages}); uninstall "
                "all but one of them"
            )
        told = f"the {self._what} {name!r} of the package {_plugin(points[0])}"
        try:
            entry: Any = points[0].load()
        except (Exception, SystemExit) as error:
            raise RlvrError(
                f"{told} cannot be loaded ({type(error).__name__}: {error}); repair or uninstall "
                "that package"
            ) from error
        if not isinstance(entry, self._type) or entry.name != name:
            got = repr(getattr(entry, "name", entry))
            raise RlvrError(
                f"{told} cannot be used: its entry point has to be of type "
                f"{self._type.__name__} and named {name!r}, got {type(entry).__name__} {got}; "
                "repair or uninstall that package"
            )
        return entry

    def _collision(self, point: metadata.EntryPoint) -> str:
        return (
            f"the {self._what} {point.name!r} of the package {_plugin(point)} is refused, as "
            "rlvr_fast has one of that name, which is used; the package has to rename its own"
        )


def _plugin(point: metadata.EntryPoint) -> Plugin:
    if point.dist is None:
        return Plugin(point.name, "unknown", "")
    return Plugin(point.name, point.dist.name, point.dist.version)

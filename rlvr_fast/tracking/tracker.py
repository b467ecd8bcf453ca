"""The protocol of a tracker, which shows the numbers of a job while it runs and keeps them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rlvr_fast.errors import MissingDependencyError, install_hint

__all__ = ["Job", "Tracker", "TrackerKind", "needed_package"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a tracker records the numbers of.

    Attributes:
        project: the project that the job belongs to.
        name: how pages call the job.
        key: 16 hexadecimal digits; the same job has the same key when it goes on.
        folder: what the job writes into.
        config: what the job was asked for, as JSON has it.
    """

    project: str
    name: str
    key: str
    folder: Path
    config: Mapping[str, Any]


class Tracker(Protocol):
    """One job in one tracker. An exception of any method ends the tracking, not the job."""

    @property
    def place(self) -> str:
        """Where the numbers can be seen: a folder, an address or a command."""
        ...

    def log(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        """Records numbers.

        Args:
            group: what the numbers belong to, such as "sample/base"; a group has its own steps.
            numbers: finite numbers by name.
            step: the place on the axis of the group: draws made, k of pass@k, row of a table.
        """
        ...

    def keep(self, folder: Path, name: str, text: str) -> None:
        """Keeps the files of a folder as an artefact, as far as the tracker can.

        Args:
            folder: a report, or table and figures.
            name: of the artefact, in letters, digits and hyphens.
            text: the headline, in plain text.
        """
        ...

    def close(self, *, failed: bool) -> None:
        """Ends the record; everything logged is stored when this returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerKind:
    """A tracker as the registry knows it, before its package is imported.

    Attributes:
        name: how users ask for the tracker.
        help: where the numbers go, for the command line.
        open: `open(job)` begins or continues the record of a job. It raises MissingDependencyError
            where the package is missing and InvalidInputError where the user has to log in.
        packages: the packages whose versions `rlvr-fast doctor` shows.
        extra: the extra of rlvr-fast that installs them.
    """

    name: str
    help: str
    open: Callable[[Job], Tracker]
    packages: tuple[str, ...] = ()
    extra: str | None = None


@contextlib.contextmanager
def needed_package(name: str) -> Iterator[None]:
    """A context in which a tracker imports the package of its own name.

    Raises:
        MissingDependencyError: it is not installed, or broken.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"the tracker {name} needs the package {name} ({error}); {install_hint('track')}"
        ) from error

"""Tracking of one job: its progress while it runs, its results at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.options import Options
from rlvr_fast.progress import Progress
from rlvr_fast.tracking.numbers import Logged
from rlvr_fast.tracking.options import TrackOptions
from rlvr_fast.tracking.tracker import Job, Tracker
from rlvr_fast.tracking.trackers import open_tracker

__all__ = ["Recording", "track_job"]

# How often a stage is logged.
_SECONDS = 5.0
# Arguments that may hold a secret, or name a machine, are not sent to anybody.
_PRIVATE = re.compile(
    r"token(?!s|_ids|izer)|secret|password|passwd|api_?key|credential|bearer|authorization|headers|"
    r"private|url|host|addr",
    re.IGNORECASE,
)
# The folders of a path in a text, as in "math:/home/alice/aime.jsonl"; no address of the web.
_FOLDERS = re.compile(r"(?<![\w./~-])(?:/(?!/)|~|\.{1,2}/)(?:[^\s/?&,;:'\"]*/)*(?=[^\s/?&,;:'\"])")
# Trackers read "." and "*" in the name of a group as more than letters.
_NO_NAME = re.compile(r"[^\w /,+=()@-]")


class Recording:
    """The open trackers of one job. Without trackers every method does nothing."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        """A recording that has logged nothing.

        Args:
            trackers: the open trackers by name.
        """
        self._trackers = dict(trackers)
        self._stages: dict[str, _Stage] = {}

    @property
    def places(self) -> dict[str, str]:
        """Where each tracker shows the job."""
        return {name: tracker.place for name, tracker in self._trackers.items()}

    def progress(self, inner: Progress | None = None) -> Progress | None:
        """A progress that is also logged.

        Args:
            inner: is called as well.
        """
        if not self._trackers:
            return inner

        def report(stage: str, done: int, total: int) -> None:
            if inner is not None:
                inner(stage, done, total)
            known = self._stages.setdefault(stage, _Stage(done))
            if numbers := known.due(done, total):
                group = _NO_NAME.sub("_", stage.replace(" ", "/", 1))
                self.log([Logged(group, numbers, done)])

        return report

    def log(self, numbers: Iterable[Logged]) -> None:
        """Records numbers in every tracker."""
        for each in numbers:
            self._in_each(lambda tracker, each=each: tracker.log(*each))  # type: ignore[misc]

    def keep(self, folder: Path, text: str) -> None:
        """Keeps a folder, a report for example, in every tracker.

        Args:
            folder: the folder.
            text: what it says, in plain text.
        """
        name = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-") or "results"
        self._in_each(lambda tracker: tracker.keep(folder, name, text))

    def close(self, *, failed: bool) -> None:
        """Ends the record of every tracker."""
        self._in_each(lambda tracker: tracker.close(failed=failed))
        self._trackers = {}

    def _in_each(self, action: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                action(tracker)
            except (Exception, SystemExit) as error:  # one that fails does not end the job
                del self._trackers[name]
                warnings.warn(
                    f"the tracker {name} failed ({type(error).__name__}: {str(error)[:300]}); the "
                    "job goes on without it",
                    UserWarning,
                    stacklevel=3,
                )


class _Stage:
    """When the progress of one stage was logged."""

    def __init__(self, first: int) -> None:
        self._first, self._last = first, -1
        self._begun = self._logged = time.monotonic()

    def due(self, done: int, total: int) -> dict[str, float]:
        """The numbers to log; none where the last ones are recent and the stage goes on."""
        now = time.monotonic()
        ended = total > 0 and done >= total
        if done == self._last or not (ended or self._last < 0 or now - self._logged >= _SECONDS):
            return {}
        self._logged, self._last = now, done
        numbers: dict[str, float] = {"done": done}
        if total > 0:
            numbers["share"] = done / total
        if now > self._begun and done > self._first:
            numbers["per_second"] = (done - self._first) / (now - self._begun)
        return numbers


@contextlib.contextmanager
def track_job(
    options: TrackOptions, *, what: str, folder: str | Path, config: Options | Mapping[str, Any]
) -> Iterator[Recording]:
    """Opens the trackers of a job, and closes them when the job has ended or failed.

    Args:
        options: which trackers.
        what: the command: "study", "sample", "dynamics".
        folder: what the job writes into; the job goes on in a tracker under the same folder.
        config: what the job was asked for. Arguments whose name tells of a secret or of a machine
            are left out, and of a path its folders.

    Raises:
        InvalidInputError: no such tracker, or it refuses the job, as without a login.
        MissingDependencyError: the package of a tracker is not installed.
    """
    place = Path(folder).resolve()
    given = dataclasses.asdict(config) if isinstance(config, Options) else dict(config)
    job = Job(
        project=options.track_project,
        name=options.track_name or f"{what}-{place.name}",
        key=hashlib.sha256(f"{what}\0{place}".encode()).hexdigest()[:16],
        folder=place,
        config=_without_private(given),
    )
    opened: dict[str, Tracker] = {}
    try:
        for name in dict.fromkeys(options.track):
            opened[name] = _opened(name, job)
    except BaseException:
        Recording(opened).close(failed=True)
        raise
    record = Recording(opened)
    try:
        yield record
    except BaseException:
        record.close(failed=True)
        raise
    record.close(failed=False)


def _opened(name: str, job: Job) -> Tracker:
    """A tracker that has begun; whatever its package raises is an error that names the tracker."""
    try:
        return open_tracker(name, job)
    except RlvrError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidInputError(
            f"the tracker {name} does not start ({type(error).__name__}: {str(error)[:300]}); put "
            "right what it names, or leave the tracker out: nothing was done yet"
        ) from error


def _without_private(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {str(k): v for k, v in value.items() if not _PRIVATE.search(str(k))}
        return {k: _without_private(v) for k, v in kept.items()}
    if isinstance(value, list | tuple):
        return [_without_private(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if text.startswith(("/", "~", "./", "../")):
        text = text.rstrip("/").rpartition("/")[2]
    return _FOLDERS.sub("", text)

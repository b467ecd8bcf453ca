"""Options of tracking: one definition for Python and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.options import Options, option
from rlvr_fast.tracking.trackers import describe_trackers, tracker_names

__all__ = ["TrackOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions(Options):
    """Where the numbers of a job go while it runs, beside its own files.

    Attributes:
        track: the trackers; none by default.
        track_project: the project in each of them.
        track_name: how the job is called there; by default as its folder.
    """

    track: tuple[str, ...] = option(
        (),
        choices=tracker_names,
        help=lambda: f"Show progress and results in a tracker: {describe_trackers()}.",
    )
    track_project: str = option("rlvr-fast", metavar="NAME", help="The project in the tracker.")
    track_name: str | None = option(
        None, metavar="NAME", help="The job's name in the tracker; by default its folder's."
    )

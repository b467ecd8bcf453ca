"""The trackers: one module each, which holds a `TrackerKind` named TRACKER.

A new tracker is a new module here and its name in `BUILT_IN`; or a package of its own with an entry
point in the group `rlvr_fast.trackers`. The tops of these modules import nothing heavy.
"""

from __future__ import annotations

from rlvr_fast.registry import Registry
from rlvr_fast.tracking.tracker import Job, Tracker, TrackerKind

__all__ = ["BUILT_IN", "GROUP", "describe_trackers", "open_tracker", "tracker_names"]

# The names of the modules in this folder, in the order in which help shows them.
BUILT_IN = (
    "wandb",
    "trackio",
    "tensorboard",
)

# The group of entry points in which packages add trackers.
GROUP = "rlvr_fast.trackers"

_REGISTRY = Registry(
    TrackerKind, BUILT_IN, what="tracker", modules=__name__, attribute="TRACKER", group=GROUP
)


def tracker_names() -> tuple[str, ...]:
    """The trackers, rlvr_fast's own first; the packages that add others stay unloaded."""
    return _REGISTRY.names()


def describe_trackers() -> str:
    """rlvr_fast's own trackers, each as NAME (HELP): for help texts."""
    return "; ".join(f"{kind.name} ({kind.help})" for kind in _REGISTRY.own())


def open_tracker(name: str, job: Job) -> Tracker:
    """Begins or continues the record of `job` in the tracker `name`.

    Raises:
        InvalidInputError: no such tracker, or it refuses the job, as without a login.
        MissingDependencyError: the tracker's package is not installed.
        RlvrError: the package that adds the tracker is broken.
    """
    return _REGISTRY.get(name).open(job)

"""Progress and results of a job in a tracker: Weights & Biases, Trackio, TensorBoard."""

from __future__ import annotations

from rlvr_fast.tracking.numbers import report_numbers, table_numbers
from rlvr_fast.tracking.options import TrackOptions
from rlvr_fast.tracking.recording import Recording, track_job
from rlvr_fast.tracking.tracker import Job, Tracker, TrackerKind

__all__ = [
    "Job",
    "Recording",
    "TrackOptions",
    "Tracker",
    "TrackerKind",
    "report_numbers",
    "table_numbers",
    "track_job",
]

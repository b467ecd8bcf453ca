"""Trackio, which keeps numbers on this machine or in a Space: https://huggingface.co/docs/trackio."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.tracking.tracker import Job, Tracker, TrackerKind, needed_package

__all__ = ["TRACKER"]


class _Trackio:
    """A run of Trackio; a job that goes on continues the run of its name."""

    def __init__(self, trackio: Any, job: Job) -> None:
        self._trackio = trackio
        self._project = job.project
        with contextlib.redirect_stdout(io.StringIO()):  # its greeting
            self._run = trackio.init(
                project=job.project,
                name=f"{job.name}-{job.key[:6]}",
                config=dict(job.config),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    @property
    def place(self) -> str:
        return f"trackio show --project {self._project}"

    def log(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        values = {f"{group}/{name}": value for name, value in numbers.items()}
        self._run.log({f"{group}/step": step, **values})

    def keep(self, folder: Path, name: str, text: str) -> None:
        artifact = self._trackio.Artifact(name, type="report", description=text[:1000])
        artifact.add_dir(str(folder))
        with contextlib.redirect_stdout(io.StringIO()):
            self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        # The package's function, and not the run's own: at the end of the process it ends the run
        # that it takes for current once more, with words on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            self._trackio.finish()


def _open(job: Job) -> Tracker:
    with needed_package("trackio"):
        import trackio
    return _Trackio(trackio, job)


TRACKER = TrackerKind(
    name="trackio",
    help="numbers on this machine, shown by `trackio show`",
    open=_open,
    packages=("trackio",),
    extra="track",
)

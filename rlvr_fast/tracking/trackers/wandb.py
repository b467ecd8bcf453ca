"""Weights & Biases: https://docs.wandb.ai."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tracking.tracker import Job, Tracker, TrackerKind, needed_package

__all__ = ["TRACKER"]


class _Wandb:
    """A run of wandb; a job that goes on continues the run with the job's key."""

    def __init__(self, wandb: Any, job: Job) -> None:
        self._wandb = wandb
        self._groups: set[str] = set()
        # No source code and no terminal output leave this machine.
        settings = wandb.Settings(
            console="off", save_code=False, disable_git=True, disable_code=True, silent=True
        )
        try:
            self._run = wandb.init(
                project=job.project,
                name=job.name,
                id=job.key,
                resume="allow",
                config=dict(job.config),
                settings=settings,
            )
        except wandb.Error as error:
            raise InvalidInputError(
                f"wandb does not start: {str(error).rstrip('. ')}; log in with `wandb login`, or "
                "set WANDB_MODE=offline and run `wandb sync` later"
            ) from error

    @property
    def place(self) -> str:
        if self._run.offline:
            return f"wandb sync {Path(self._run.dir).parent}"
        return str(self._run.url or "nowhere, as WANDB_MODE says")

    def log(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        axis = f"{group}/step"
        if group not in self._groups:
            self._groups.add(group)
            self._run.define_metric(axis, hidden=True)
            self._run.define_metric(f"{group}/*", step_metric=axis)
        self._run.log({axis: step, **{f"{group}/{name}": v for name, v in numbers.items()}})

    def keep(self, folder: Path, name: str, text: str) -> None:
        artifact = self._wandb.Artifact(name, type="report", description=text[:1000])
        artifact.add_dir(str(folder))
        self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def _open(job: Job) -> Tracker:
    with needed_package("wandb"):
        import wandb
    return _Wandb(wandb, job)


TRACKER = TrackerKind(
    name="wandb",
    help="Weights & Biases; WANDB_MODE=offline keeps the numbers here",
    open=_open,
    packages=("wandb",),
    extra="track",
)

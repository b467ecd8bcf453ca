"""TensorBoard's event files: https://www.tensorflow.org/tensorboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.shown_text import file_name
from rlvr_fast.tracking.tracker import Job, Tracker, TrackerKind, needed_package

__all__ = ["TRACKER"]

# TensorBoard's usual folder; a run directory holds no files of others.
_FOLDER = Path("runs.tensorboard")


class _TensorBoard:
    """The event files of one job, in a folder of the working folder."""

    def __init__(self, writer: Any, folder: Path) -> None:
        self._writer = writer
        self._folder = folder

    @property
    def place(self) -> str:
        return f"tensorboard --logdir {self._folder.parent}"

    def log(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def keep(self, folder: Path, name: str, text: str) -> None:
        # Event files hold no folders: the headline, the figures, and where the rest is.
        block = "\n".join("    " + line for line in text.splitlines())  # code in Markdown
        self._writer.add_text(name, f"{block}\n\n    {folder.parent.name}/{folder.name}")
        import numpy as np
        from PIL import Image

        for figure in sorted(folder.glob("figures/*.png")) + sorted(folder.glob("*.png")):
            self._writer.add_image(
                f"{name}/{figure.stem}", np.asarray(Image.open(figure)), dataformats="HWC"
            )

    def close(self, *, failed: bool) -> None:
        self._writer.close()


def _open(job: Job) -> Tracker:
    with needed_package("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter
    folder = _FOLDER / f"{file_name(job.name)}-{job.key[:6]}"
    return _TensorBoard(SummaryWriter(str(folder)), folder)


TRACKER = TrackerKind(
    name="tensorboard",
    help=f"event files in {_FOLDER}",
    open=_open,
    packages=("tensorboard",),
    extra="track",
)

"""A finding of `rlvr-fast doctor`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["finding"]


def finding(level: str, where: str | Path, message: str, remedy: str) -> dict[str, str]:
    """A finding, as `rlvr-fast doctor` prints it.

    Args:
        level: "error", "warning" or "info".
        where: the file or folder.
        message: what is wrong.
        remedy: what to do; empty where there is nothing to do.
    """
    return {"level": level, "where": str(where), "message": message, "remedy": remedy}

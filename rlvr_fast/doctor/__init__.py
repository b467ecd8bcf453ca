"""What is wrong with a run directory, and what this installation can do (`rlvr-fast doctor`)."""

from __future__ import annotations

from rlvr_fast.doctor.description import describe
from rlvr_fast.doctor.installation import examine_installation
from rlvr_fast.doctor.run import examine_run

__all__ = ["describe", "examine_installation", "examine_run"]

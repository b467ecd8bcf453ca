"""Import of finished completions: files that any tool wrote to one run directory."""

from __future__ import annotations

from rlvr_fast.store.importing.stage import import_rollouts, preview_rollouts
from rlvr_fast.store.importing.summary import ImportSummary

__all__ = ["ImportSummary", "import_rollouts", "preview_rollouts"]

"""Import of finished completions: files that any tool wrote to one run directory."""

from __future__ import annotations

from rlvr_fast.store.importing.stage import check_sources, import_rollouts, preview_rollouts
from rlvr_fast.store.importing.summary import ImportSummary

__all__ = ["ImportSummary", "check_sources", "import_rollouts", "preview_rollouts"]

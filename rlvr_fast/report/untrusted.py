"""Text of models and data sets for the page; see `rlvr_fast.shown_text`."""

from __future__ import annotations

from rlvr_fast.shown_text import script_json, visible

__all__ = ["script_json", "visible"]

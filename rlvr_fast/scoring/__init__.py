"""Log-probs, entropies, ranks and divergences of tokens, and teacher-forced completions."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "DivergenceStats": "results",
    "NucleusStats": "results",
    "ScoreOptions": "options",
    "Scorer": "scorer",
    "SequenceScores": "results",
    "TokenStats": "results",
    "linear_divergence": "linear",
    "linear_token_stats": "linear",
    "nucleus_stats": "nucleus",
    "score_run": "run",
    "token_stats": "logits",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Resolved on first use: the functions need torch, and the Scorer needs transformers. No module
    # of this folder may have the name of a function: its import would hide the function.
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'rlvr_fast.scoring' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"rlvr_fast.scoring.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

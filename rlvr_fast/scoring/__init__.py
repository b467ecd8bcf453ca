"""Log-probs, entropies, ranks and divergences of tokens, and teacher-forced completions."""

from __future__ import annotations

from typing import Any

from rlvr_fast.lazy_names import lazy_name

_HOME = {
    "DivergenceStats": "results",
    "NucleusStats": "results",
    "ScoreOptions": "options",
    "Scorer": "models.scorer",
    "SequenceScores": "results",
    "TokenStats": "results",
    "linear_divergence": "kernels.linear",
    "linear_token_stats": "kernels.linear",
    "nucleus_stats": "kernels.nucleus",
    "score_run": "runs.run",
    "token_stats": "kernels.logits",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    return lazy_name(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted(__all__)

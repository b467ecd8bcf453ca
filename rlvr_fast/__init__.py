"""What did RLVR do to the set of correct answers a base model could already reach?"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# name -> the module that defines it. Resolved on first use, so that `import rlvr_fast` pulls in
# neither torch nor transformers.
_HOME = {
    # scoring
    "token_stats": "rlvr_fast.scoring",
    "linear_token_stats": "rlvr_fast.scoring",
    "linear_divergence": "rlvr_fast.scoring",
    "nucleus_stats": "rlvr_fast.scoring",
    "TokenStats": "rlvr_fast.scoring",
    "DivergenceStats": "rlvr_fast.scoring",
    "NucleusStats": "rlvr_fast.scoring",
    "Scorer": "rlvr_fast.scoring",
    "SequenceScores": "rlvr_fast.scoring",
    # answers
    "extract_answers": "rlvr_fast.answers",
    "normalize_answers": "rlvr_fast.answers",
    "group_answers": "rlvr_fast.answers",
    "AnswerGroups": "rlvr_fast.answers",
    "AnswerIndex": "rlvr_fast.answers",
    "verify_answers": "rlvr_fast.answers",
    "find_duplicates": "rlvr_fast.answers",
    "DuplicateGroups": "rlvr_fast.answers",
    # metrics
    "Draws": "rlvr_fast.metrics",
    "pass_at_k": "rlvr_fast.metrics",
    "detection_threshold": "rlvr_fast.metrics",
    "support_shift": "rlvr_fast.metrics",
    "SupportShift": "rlvr_fast.metrics",
    "answer_entropy": "rlvr_fast.metrics",
    # options of the stages
    "SampleOptions": "rlvr_fast.sampling",
    "GradeOptions": "rlvr_fast.answers",
    "ScoreOptions": "rlvr_fast.scoring",
    "CompareOptions": "rlvr_fast.report",
    # errors
    "RlvrError": "rlvr_fast.errors",
    "InvalidInputError": "rlvr_fast.errors",
    "RunDirectoryError": "rlvr_fast.errors",
    "RunLockedError": "rlvr_fast.errors",
    "StorageError": "rlvr_fast.errors",
    "UnsupportedModelError": "rlvr_fast.errors",
    "MissingDependencyError": "rlvr_fast.errors",
    "CudaError": "rlvr_fast.errors",
    "EngineError": "rlvr_fast.errors",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'rlvr_fast' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

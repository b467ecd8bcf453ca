"""What did RLVR do to the set of correct answers a base model could already reach?"""

from __future__ import annotations

from typing import Any

from rlvr_fast.lazy_names import lazy_name

__version__ = "0.1.0"

# name -> the module that defines it. Resolved on first use, so that `import rlvr_fast` pulls in
# neither torch nor transformers.
_HOME = {
    # scoring
    "token_stats": "scoring",
    "linear_token_stats": "scoring",
    "linear_divergence": "scoring",
    "nucleus_stats": "scoring",
    "TokenStats": "scoring",
    "DivergenceStats": "scoring",
    "NucleusStats": "scoring",
    "Scorer": "scoring",
    "SequenceScores": "scoring",
    # answers
    "extract_answers": "answers",
    "normalize_answers": "answers",
    "group_answers": "answers",
    "AnswerGroups": "answers",
    "AnswerIndex": "answers",
    "verify_answers": "answers",
    "find_duplicates": "answers",
    "DuplicateGroups": "answers",
    # metrics
    "Draws": "metrics",
    "pass_at_k": "metrics",
    "detection_threshold": "metrics",
    "support_shift": "metrics",
    "SupportShift": "metrics",
    "answer_entropy": "metrics",
    # options of the stages
    "SampleOptions": "sampling",
    "GradeOptions": "answers",
    "ScoreOptions": "scoring",
    "CompareOptions": "report",
    # errors
    "RlvrError": "errors",
    "InvalidInputError": "errors",
    "RunDirectoryError": "errors",
    "RunLockedError": "errors",
    "StorageError": "errors",
    "UnsupportedModelError": "errors",
    "MissingDependencyError": "errors",
    "CudaError": "errors",
    "EngineError": "errors",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    return lazy_name(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Pure functions over numpy arrays: what the counts say, and how sure they are of it.

Nothing here knows of runs, files or models; docs/statistics.md defines every quantity.
"""

from __future__ import annotations

from rlvr_fast.metrics.entropy import (
    answer_entropies,
    answer_entropy,
    mean_token_entropy,
    perplexity,
)
from rlvr_fast.metrics.pass_at_k import pass_at_k
from rlvr_fast.metrics.summaries import (
    AccuracyHistogram,
    SolvableCoverage,
    accuracy_histogram,
    delta_se,
    solvable_coverage,
)
from rlvr_fast.metrics.support import (
    LABELS,
    Rule,
    SupportRatios,
    SupportShift,
    accessibility,
    detection_threshold,
    support_ratios,
    support_shift,
)

__all__ = [
    "LABELS",
    "AccuracyHistogram",
    "Rule",
    "SolvableCoverage",
    "SupportRatios",
    "SupportShift",
    "accessibility",
    "accuracy_histogram",
    "answer_entropies",
    "answer_entropy",
    "delta_se",
    "detection_threshold",
    "mean_token_entropy",
    "pass_at_k",
    "perplexity",
    "solvable_coverage",
    "support_ratios",
    "support_shift",
]

"""Pure functions over numpy arrays: what the counts say, and how sure they are of it.

Nothing here knows of runs, files or models; docs/statistics.md defines every quantity.
"""

from __future__ import annotations

from rlvr_fast.metrics.bootstrap import (
    ExpectedShift,
    SupportInterval,
    expected_support_shift,
    pass_at_k_difference,
    pass_at_k_interval,
    ratio_interval,
    support_interval,
)
from rlvr_fast.metrics.bounds import ShiftBounds, pass_at_k_bounds, support_shift_bounds
from rlvr_fast.metrics.entropy import (
    answer_entropies,
    answer_entropy,
    mean_token_entropy,
    perplexity,
)
from rlvr_fast.metrics.intervals import (
    CurveInterval,
    Estimate,
    Interval,
    beta_interval,
    clopper_pearson,
)
from rlvr_fast.metrics.nulls import (
    ExchangeNull,
    NullShift,
    above_guessing,
    exchange_null,
    guessing_baseline,
    split_half_null,
)
from rlvr_fast.metrics.pass_at_k import pass_at_k
from rlvr_fast.metrics.significance import FisherTests, fisher_tests, sign_test
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
    "CurveInterval",
    "Estimate",
    "ExchangeNull",
    "ExpectedShift",
    "FisherTests",
    "Interval",
    "NullShift",
    "Rule",
    "ShiftBounds",
    "SolvableCoverage",
    "SupportInterval",
    "SupportRatios",
    "SupportShift",
    "above_guessing",
    "accessibility",
    "accuracy_histogram",
    "answer_entropies",
    "answer_entropy",
    "beta_interval",
    "clopper_pearson",
    "delta_se",
    "detection_threshold",
    "exchange_null",
    "expected_support_shift",
    "fisher_tests",
    "guessing_baseline",
    "mean_token_entropy",
    "pass_at_k",
    "pass_at_k_bounds",
    "pass_at_k_difference",
    "pass_at_k_interval",
    "perplexity",
    "ratio_interval",
    "sign_test",
    "solvable_coverage",
    "split_half_null",
    "support_interval",
    "support_ratios",
    "support_shift",
    "support_shift_bounds",
]

"""Statistics of sampled answers: pure functions over numpy arrays.

The functions take counts, labels and log-probabilities, and know nothing of runs, files or models.
docs/statistics.md defines every quantity. Counts of one model are two arguments, number of samples,
then number correct; functions of two models take `Draws` or such pairs, base first.
"""

from __future__ import annotations

from rlvr_fast.metrics.bootstrap import (
    mean_difference_interval,
    pass_at_k_difference,
    pass_at_k_interval,
)
from rlvr_fast.metrics.bounds import (
    ShiftBounds,
    accessibility_bounds,
    pass_at_k_bounds,
    support_shift_bounds,
)
from rlvr_fast.metrics.consistency import (
    BayesAtN,
    at_least_correct,
    bayes_at_n,
    cover_at,
    g_pass_at_k,
    mg_pass_at_k,
    pass_hat_k,
)
from rlvr_fast.metrics.cost import TokenCrossover, pass_at_tokens, token_crossover
from rlvr_fast.metrics.crossover import Crossing, Crossover, crossover
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.entropy import (
    answer_entropies,
    answer_entropy,
    mean_token_entropy,
    perplexity,
)
from rlvr_fast.metrics.expected_shift import ExpectedShift, expected_support_shift
from rlvr_fast.metrics.extrapolation import (
    BetaBinomialFit,
    HoldOut,
    LowerCurve,
    extrapolate_pass_at_k,
    fit_beta_binomial,
    hold_out,
)
from rlvr_fast.metrics.guessing import above_guessing, guessing_baseline
from rlvr_fast.metrics.importance import (
    ImportanceEstimate,
    importance_estimate,
    importance_estimates,
)
from rlvr_fast.metrics.intervals import (
    CurveInterval,
    Estimate,
    Interval,
    beta_interval,
    clopper_pearson,
)
from rlvr_fast.metrics.majority import Majority, majority_at_k
from rlvr_fast.metrics.mean_limit import lower_mean_limit, lower_mean_limits
from rlvr_fast.metrics.nulls import (
    ExchangeNull,
    NullShift,
    exchange_null,
    split_half_null,
)
from rlvr_fast.metrics.pass_at_k import pass_at_k
from rlvr_fast.metrics.planning import Plan, decision_limits, plan
from rlvr_fast.metrics.shared_shift import LuckOfSharing, SharedShift, shared_shift
from rlvr_fast.metrics.significance import (
    FisherTests,
    discordance_test,
    fisher_tests,
    holm,
    sign_test,
)
from rlvr_fast.metrics.summaries import (
    AccuracyHistogram,
    SolvableCoverage,
    accuracy_histogram,
    delta_se,
    solvable_coverage,
)
from rlvr_fast.metrics.support import (
    SupportRatios,
    SupportShift,
    accessibility,
    detection_threshold,
    support_ratios,
    support_shift,
)
from rlvr_fast.metrics.support_intervals import SupportInterval, ratio_interval, support_interval
from rlvr_fast.metrics.tilt import (
    Ceiling,
    TiltCurve,
    TiltFit,
    fit_tilt,
    support_ceiling,
    tilt,
    tilt_pass_at_k,
)
from rlvr_fast.metrics.tilt_distance import TiltDistance, tilt_distance
from rlvr_fast.metrics.tilt_null import TiltNull, tilt_null
from rlvr_fast.metrics.unseen import Richness, UnseenMass, chao1, good_turing
from rlvr_fast.metrics.verifier_null import (
    FalsePositives,
    ReachedAtLeast,
    false_positive_rate,
    reached_at_least,
)

__all__ = [
    "AccuracyHistogram",
    "BayesAtN",
    "BetaBinomialFit",
    "Ceiling",
    "Crossing",
    "Crossover",
    "CurveInterval",
    "Draws",
    "Estimate",
    "ExchangeNull",
    "ExpectedShift",
    "FalsePositives",
    "FisherTests",
    "HoldOut",
    "ImportanceEstimate",
    "Interval",
    "LowerCurve",
    "LuckOfSharing",
    "Majority",
    "NullShift",
    "Plan",
    "ReachedAtLeast",
    "Richness",
    "SharedShift",
    "ShiftBounds",
    "SolvableCoverage",
    "SupportInterval",
    "SupportRatios",
    "SupportShift",
    "TiltCurve",
    "TiltDistance",
    "TiltFit",
    "TiltNull",
    "TokenCrossover",
    "UnseenMass",
    "above_guessing",
    "accessibility",
    "accessibility_bounds",
    "accuracy_histogram",
    "answer_entropies",
    "answer_entropy",
    "at_least_correct",
    "bayes_at_n",
    "beta_interval",
    "chao1",
    "clopper_pearson",
    "cover_at",
    "crossover",
    "decision_limits",
    "delta_se",
    "detection_threshold",
    "discordance_test",
    "exchange_null",
    "expected_support_shift",
    "extrapolate_pass_at_k",
    "false_positive_rate",
    "fisher_tests",
    "fit_beta_binomial",
    "fit_tilt",
    "g_pass_at_k",
    "good_turing",
    "guessing_baseline",
    "hold_out",
    "holm",
    "importance_estimate",
    "importance_estimates",
    "lower_mean_limit",
    "lower_mean_limits",
    "majority_at_k",
    "mean_difference_interval",
    "mean_token_entropy",
    "mg_pass_at_k",
    "pass_at_k",
    "pass_at_k_bounds",
    "pass_at_k_difference",
    "pass_at_k_interval",
    "pass_at_tokens",
    "pass_hat_k",
    "perplexity",
    "plan",
    "ratio_interval",
    "reached_at_least",
    "shared_shift",
    "sign_test",
    "solvable_coverage",
    "split_half_null",
    "support_ceiling",
    "support_interval",
    "support_ratios",
    "support_shift",
    "support_shift_bounds",
    "tilt",
    "tilt_distance",
    "tilt_null",
    "tilt_pass_at_k",
    "token_crossover",
]

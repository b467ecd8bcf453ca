"""What the tables, the figures and the page are made of: numbers, no formatting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import (
    AccuracyHistogram,
    SupportShift,
    accuracy_histogram,
    delta_se,
    pass_at_k,
    perplexity,
)
from rlvr_fast.report.comparison import Comparison, Group, plain
from rlvr_fast.report.sides import CompletionScores, FloatArray, IntArray, Side

__all__ = [
    "CompletionSupport",
    "EntropyRow",
    "FailureRow",
    "PassCurves",
    "PerplexityRow",
    "ShiftAtK",
    "answer_shift",
    "as_sampled",
    "completion_support",
    "entropy_row",
    "failure_row",
    "histograms",
    "pass_curves",
    "perplexity_rows",
    "row_for_row",
    "shift_at_k",
]


def curve_ks(comparison: Comparison) -> list[int]:
    """The k of every curve: powers of two, the number of samples, and those asked for.

    Without those at which pass@k is undefined, which are the last of `comparison.ks`.
    """
    fewest = np.minimum(comparison.base.num_samples, comparison.rl.num_samples)
    return [k for k in comparison.ks if k <= fewest.max(initial=0)]


@dataclass(frozen=True, slots=True)
class PassCurves:
    """Mean unbiased pass@k of both models over the same problems.

    ``problems[i]`` of the group have at least ``ks[i]`` samples in both runs; the mean is over
    these, nan where there are none.
    """

    ks: IntArray
    base: FloatArray
    rl: FloatArray
    problems: IntArray


def pass_curves(comparison: Comparison, group: Group, ks: list[int] | None = None) -> PassCurves:
    """pass@k of one group at `ks` (by default powers of two, and n)."""
    at = np.asarray(ks if ks is not None else curve_ks(comparison), dtype=np.int64)
    rows = group.members
    values = [
        pass_at_k(side.num_samples[rows], side.num_correct[rows], at).reshape(rows.size, at.size)
        for side in comparison.sides
    ]
    usable = np.isfinite(values[0]) & np.isfinite(values[1])
    number = usable.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        base, rl = (
            np.where(number > 0, np.where(usable, v, 0.0).sum(axis=0) / number, np.nan)
            for v in values
        )
    return PassCurves(at, base, rl, number.astype(np.int64))


@dataclass(frozen=True, slots=True)
class ShiftAtK:
    """Expected number of problems in each region, had only k samples been drawn."""

    ks: IntArray
    preserved: FloatArray
    expanded: FloatArray
    shrunk: FloatArray
    out: FloatArray
    problems: IntArray


def shift_at_k(comparison: Comparison, group: Group, ks: list[int] | None = None) -> ShiftAtK:
    """How the four regions of the rule "seen" depend on the number of samples.

    A random k of a model's draws shows a correct one with probability pass@k (unbiased), and the
    two models are drawn independently, so the expected counts are sums of products.
    """
    at = np.asarray(ks if ks is not None else curve_ks(comparison), dtype=np.int64)
    rows = group.members
    base, rl = (
        pass_at_k(side.num_samples[rows], side.num_correct[rows], at).reshape(rows.size, at.size)
        for side in comparison.sides
    )
    usable = np.isfinite(base) & np.isfinite(rl)
    b, r = np.where(usable, base, 0.0), np.where(usable, rl, 0.0)
    return ShiftAtK(
        ks=at,
        preserved=(b * r).sum(axis=0),
        expanded=((1 - b) * r).sum(axis=0),
        shrunk=(b * (1 - r)).sum(axis=0),
        out=np.where(usable, (1 - b) * (1 - r), 0.0).sum(axis=0),
        problems=usable.sum(axis=0).astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class EntropyRow:
    """One model on one group. Entropies in nats, length in tokens; nan where not measured."""

    token: float
    answer: float
    answer_32: float
    accuracy: float
    mean_length: float
    distinct_answers: float


def entropy_row(side: Side, group: Group) -> EntropyRow:
    """Means over sequences for token entropy and length, over problems for the rest."""
    rows = group.members
    return EntropyRow(
        token=_ratio(side.token_entropy_sum[rows].sum(), side.token_entropy_count[rows].sum()),
        answer=_mean(side.answer_entropy[rows]),
        answer_32=_mean(side.answer_entropy_32[rows]),
        accuracy=_mean(side.accuracy[rows]),
        mean_length=_ratio(side.length_sum[rows].sum(), side.length_count[rows].sum()),
        distinct_answers=_mean(side.num_distinct[rows].astype(np.float64)),
    )


def _ratio(top: float, bottom: float) -> float:
    return float(top) / float(bottom) if bottom > 0 else float("nan")


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Shares of draws without a verdict on their answer, and what they could hide.

    ``lowest`` counts every timed-out, failed or unparsed draw as wrong, as pass@1 does; ``highest``
    counts it as correct: the true accuracy lies between.
    """

    unparsed: float
    timeout: float
    error: float
    truncated: float
    lowest: float
    highest: float


def failure_row(side: Side, group: Group) -> FailureRow:
    """Rates over all draws of the group; bounds on the mean accuracy of its problems."""
    rows = group.members
    draws = side.num_samples[rows].sum()
    drawn = side.num_samples[rows] > 0
    n = side.num_samples[rows][drawn]
    c = side.num_correct[rows][drawn]
    undecided = side.num_undecided[rows][drawn]
    return FailureRow(
        unparsed=_ratio(side.num_unparsed[rows].sum(), draws),
        timeout=_ratio(side.num_timeout[rows].sum(), draws),
        error=_ratio(side.num_error[rows].sum(), draws),
        truncated=_ratio(side.num_truncated[rows].sum(), side.length_count[rows].sum()),
        lowest=_mean(c / np.maximum(n, 1)),
        highest=_mean((c + undecided) / np.maximum(n, 1)),
    )


def histograms(comparison: Comparison, group: Group) -> tuple[AccuracyHistogram, AccuracyHistogram]:
    """Problems per accuracy bin, base then RL."""
    base, rl = (
        accuracy_histogram(side.num_samples[group.members], side.num_correct[group.members])
        for side in comparison.sides
    )
    return base, rl


def sampling_gap(comparison: Comparison, group: Group) -> float:
    """delta-SE: base pass@256 minus RL pass@1; nan with fewer than 256 samples."""
    curves = pass_curves(comparison, group, [1, 256])
    return float(delta_se(curves.base[1], curves.rl[0]))


def answer_shift(comparison: Comparison, group: Group, rule: str | None = None) -> SupportShift:
    """The shift of the distinct correct answers of a group."""
    mask = np.isin(comparison.answers.problem, group.members)
    return comparison.answers.shifts[rule or comparison.rule].subset(mask)


@dataclass(frozen=True, slots=True)
class PerplexityRow:
    """Perplexity of one run's completions under one model: quartiles over completions."""

    completions: str
    scored_by: str
    subset: str
    number: int
    lower: float
    median: float
    upper: float


_SUBSETS = ("all", "correct", "incorrect", "preserved", "shrunk", "expanded", "out")


def perplexity_rows(comparison: Comparison) -> list[PerplexityRow]:
    """The cross table: each run's completions under each model that scored them."""
    labels = comparison.shift.labels
    assert labels is not None  # shifts made from samples always carry their labels
    rows = []
    for side in comparison.sides:
        for label in ("base", "rl"):
            scores = side.scores.get(label)
            if scores is None:
                continue
            value = perplexity(scores.logprob, scores.num_tokens)
            for subset in _SUBSETS:
                if subset == "all":
                    mask = np.ones(value.shape, bool)
                elif subset in ("correct", "incorrect"):
                    mask = scores.correct == (subset == "correct")
                else:
                    mask = labels[scores.problem] == subset
                chosen = value[mask & np.isfinite(value)]
                if chosen.size:
                    low, mid, high = np.quantile(chosen, [0.25, 0.5, 0.75])
                    rows.append(
                        PerplexityRow(
                            side.name,
                            label,
                            subset,
                            chosen.size,
                            float(low),
                            float(mid),
                            float(high),
                        )
                    )
    return rows


@dataclass(frozen=True, slots=True)
class CompletionSupport:
    """How one run's correct completions look to the other model under one distribution.

    ``distribution``: "as sampled", or "temperature 1", say, over the whole vocabulary.
    ``outside``: share of them with at least one token outside the other model's top-p nucleus,
    which under these sampling parameters it can therefore never produce; nan without nucleus
    scores. ``problems_outside``: problems all of whose correct completions are so. ``log_ratio``:
    quartiles of (log p under the other model) - (log p under its own), nats per completion, of
    those that the other model can produce at all. ``median_own`` and ``median_other``: median
    log-probability of the completion (-inf where the other can produce less than half of them).
    """

    completions: str
    other: str
    distribution: str
    number: int
    problems: int
    outside: float
    problems_outside: int
    problem_ids_outside: tuple[str, ...]
    median_own: float
    median_other: float
    log_ratio: tuple[float, float, float]
    temperature: Any
    top_p: Any


def completion_support(comparison: Comparison, side: Side, other: str) -> list[CompletionSupport]:
    """As sampled first, then at the temperature of the scores; only what the run's scores hold.

    Empty where the completions were not scored under `other`, or none is correct.
    """
    return [
        _completion_support(comparison, side, other, scores)
        for scores in _scores_under(side, other)
        if scores.correct.any()
    ]


def _completion_support(
    comparison: Comparison, side: Side, other: str, theirs: CompletionScores
) -> CompletionSupport:
    right = theirs.correct
    own_scores = side.scores.get(theirs.label.replace(other, side.name, 1))
    temperature = theirs.info.get("temperature")
    sampled = as_sampled(side, theirs)
    distribution = f"temperature {temperature:g}" if temperature is not None else "?"
    logprob, own = theirs.logprob, None
    if sampled and own_scores is not None:
        drawn, own = theirs.sampling_logprob(own=False), own_scores.sampling_logprob(own=True)
        if drawn is not None and own is not None:
            logprob, distribution = drawn, "as sampled"
        else:
            own = None
    written = row_for_row(own_scores, theirs, own)[right]
    logprob = logprob[right]
    outside, all_outside = float("nan"), 0
    ids: tuple[str, ...] = ()
    problems = np.unique(theirs.problem[right])
    if theirs.outside_nucleus is not None and sampled:
        flag = theirs.outside_nucleus[right] > 0
        outside = float(flag.mean())
        total = len(comparison.problems)
        inside = np.bincount(theirs.problem[right][~flag], minlength=total)
        beyond = [int(p) for p in problems if inside[p] == 0]
        all_outside = len(beyond)
        ids = tuple(comparison.problems.ids[p] for p in beyond)
    difference = (logprob - written)[np.isfinite(logprob - written)]
    low, mid, high = (
        (float(q) for q in np.quantile(difference, [0.25, 0.5, 0.75]))
        if difference.size
        else (float("nan"),) * 3
    )
    return CompletionSupport(
        completions=side.name,
        other=other,
        distribution=distribution,
        number=int(right.sum()),
        problems=int(problems.size),
        outside=outside,
        problems_outside=all_outside,
        problem_ids_outside=ids,
        median_own=float(np.nanmedian(written)) if np.isfinite(written).any() else float("nan"),
        # the lower of the two middle ones: the mean of a number and -inf is neither
        median_other=float(np.quantile(logprob, 0.5, method="lower")),
        log_ratio=(low, mid, high),
        temperature=temperature,
        top_p=theirs.info.get("top_p"),
    )


def as_sampled(side: Side, scores: CompletionScores) -> bool:
    """Whether scores were taken under the parameters that the run was sampled with."""
    sampling = plain(side.run.info.sampling)
    return all(scores.info.get(k) == sampling.get(k) for k in ("temperature", "top_p"))


def _scores_under(side: Side, other: str) -> list[CompletionScores]:
    """The scores under `other` as sampled (label "base-sampling", say), and plainly "base"."""
    found = [
        scores
        for label, scores in sorted(side.scores.items())
        if label.startswith(f"{other}-") and as_sampled(side, scores)
    ][:1]
    return [*found, *(side.scores[label] for label in (other,) if label in side.scores)]


def row_for_row(
    own: CompletionScores | None, theirs: CompletionScores, values: FloatArray | None = None
) -> FloatArray:
    """`values` of `own` (by default its logprob), row for row of `theirs`; nan where not scored."""
    out = np.full(theirs.logprob.shape, np.nan)
    if own is None or own.logprob.size == 0:
        return out
    span = int(max(own.sample_index.max(initial=0), theirs.sample_index.max(initial=0))) + 1
    key = own.problem.astype(np.int64) * span + own.sample_index
    order = np.argsort(key)
    wanted = theirs.problem.astype(np.int64) * span + theirs.sample_index
    at = np.minimum(np.searchsorted(key[order], wanted), key.size - 1)
    hit = key[order][at] == wanted
    out[hit] = (own.logprob if values is None else values)[order][at[hit]]
    return out

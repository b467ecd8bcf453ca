"""Completions of each model under the other model: perplexities, log-probabilities as sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import perplexity
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.facts import percent
from rlvr_fast.report.scores import CompletionScores, as_sampled, row_for_row
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Table
from rlvr_fast.store.sampling_values import sampling_value
from rlvr_fast.vocabulary import DECIDED, REGIONS

__all__ = ["SECTION", "CompletionSupport", "completion_sentence"]

# The rows of the perplexity table, and their names on the page.
_SUBSETS = {
    "all": "all",
    "correct": "correct",
    "incorrect": "not correct",
    **{region.key: f"on {region.word} problems" for region in REGIONS if region.key != "out"},
    "out": "on problems reached by neither",
}


@dataclass(frozen=True, slots=True)
class CompletionSupport:
    """The correct completions of one run under the other model, for one distribution.

    Attributes:
        completions: the model that drew the completions.
        other: the model that scored the completions.
        distribution: "as sampled", or "temperature 1", say, over the whole vocabulary.
        number: correct completions.
        problems: problems with a correct completion.
        outside: share of the correct completions with at least one token outside the other
            model's nucleus (by top-p, top-k and min-p), which under these sampling parameters the
            other model can therefore never produce; nan without nucleus scores.
        problems_outside: problems all of whose correct completions are outside.
        median_own: median log-probability of a completion under the model that drew it, nats.
        median_other: the same under the other model; -inf where the other model can produce less
            than half of them.
        log_ratio: quartiles of (log p under the other model) - (log p under its own), nats per
            completion, of the completions that the other model can produce at all.
        temperature: of the scores.
        top_p: of the scores.
        top_k: of the scores.
        min_p: of the scores.
    """

    completions: str
    other: str
    distribution: str
    number: int
    problems: int
    outside: float
    problems_outside: int
    median_own: float
    median_other: float
    log_ratio: tuple[float, float, float]
    temperature: Any
    top_p: Any
    top_k: Any
    min_p: Any


def _measure(context: Context) -> Findings[tuple[CompletionSupport, ...]]:
    comparison = context.comparison
    found = tuple(
        row
        for side, other in ((comparison.rl, "base"), (comparison.base, "rl"))
        for row in _completion_support(comparison, side, other)
    )
    perplexities, table = _perplexity_table(comparison), _table(found)
    return Findings(
        measured=found,
        tables=(perplexities, table),
        summary={"perplexity": perplexities.rows, "completions": table.rows},
        view=lambda: {
            "subsets": _by_subset(perplexities),
            "temperature": _temperature(comparison),
            "table": table,
            "sentences": [text for row in table.rows if (text := completion_sentence(row))],
            "no_nucleus": all(row["problems_outside"] is None for row in table.rows),
        },
    )


def _perplexity_table(comparison: Comparison) -> Table:
    """Each run's completions under each model that scored them: quartiles over completions."""
    labels = comparison.label_array()
    rows: list[dict[str, Any]] = []
    for side in comparison.sides:
        for model in ("base", "rl"):
            scores = side.scores.get(model)
            if scores is None:
                continue
            value = perplexity(scores.logprob, scores.num_tokens)
            for subset in _SUBSETS:
                if subset == "all":
                    mask = np.ones(value.shape, bool)
                elif subset in DECIDED:
                    mask = scores.correct == (subset == "correct")
                else:
                    mask = labels[scores.problem] == subset
                chosen = value[mask & np.isfinite(value)]
                if chosen.size:
                    low, mid, high = np.quantile(chosen, [0.25, 0.5, 0.75])
                    rows.append(
                        {
                            "completions": side.name,
                            "scored_by": model,
                            "subset": subset,
                            "number": chosen.size,
                            "lower": float(low),
                            "median": float(mid),
                            "upper": float(high),
                        }
                    )
    columns = (
        Column("completions", "completions of"),
        Column("scored_by", "under model"),
        Column("subset", "subset"),
        Column("number", "number", "count"),
        Column("lower", "lower quartile", "decimal"),
        Column("median", "median", "decimal"),
        Column("upper", "upper quartile", "decimal"),
    )
    return Table(
        "perplexity", "Completion level: perplexity (quartiles over completions).", columns, rows
    )


def _by_subset(table: Table) -> list[tuple[str, str, dict[tuple[str, str], dict[str, Any]]]]:
    """(subset, its name on the page, rows by completions and model) of each subset with rows."""
    cells: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in table.rows:
        cells.setdefault(row["subset"], {})[row["completions"], row["scored_by"]] = row
    return [(subset, _SUBSETS[subset], found) for subset, found in cells.items()]


def _temperature(comparison: Comparison) -> str | None:
    """The temperature of all scores; None where unknown or where scores differ in temperature."""
    found = {
        str(one.info.get("temperature"))
        for side in comparison.sides
        for name, one in side.scores.items()
        if name in ("base", "rl")
    }
    return found.pop() if len(found) == 1 and "None" not in found else None


def _completion_support(comparison: Comparison, side: Side, other: str) -> list[CompletionSupport]:
    """Rows for the scores as sampled, then for the plain scores, as far as the run holds them.

    Empty where the completions were not scored under `other`, or none is correct.
    """
    return [
        _support(comparison, side, other, scores)
        for scores in _scores_under(side, other)
        if scores.correct.any()
    ]


def _support(
    comparison: Comparison, side: Side, other: str, theirs: CompletionScores
) -> CompletionSupport:
    right = theirs.correct
    own_scores = side.scores.get(theirs.label.replace(other, side.name, 1))
    temperature = theirs.info.get("temperature")
    sampled = as_sampled(side.sampling, theirs.info)
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
    problems = np.unique(theirs.problem[right])
    if theirs.outside_nucleus is not None and sampled:
        flag = theirs.outside_nucleus[right] > 0
        outside = float(flag.mean())
        inside = np.bincount(theirs.problem[right][~flag], minlength=len(comparison.problems))
        all_outside = int(np.count_nonzero(inside[problems] == 0))
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
        median_own=float(np.nanmedian(written)) if np.isfinite(written).any() else float("nan"),
        # the lower middle value: the mean of a number and -inf would be -inf
        median_other=float(np.quantile(logprob, 0.5, method="lower")),
        log_ratio=(low, mid, high),
        temperature=temperature,
        top_p=theirs.info.get("top_p"),
        top_k=sampling_value(theirs.info, "top_k"),
        min_p=sampling_value(theirs.info, "min_p"),
    )


def _scores_under(side: Side, other: str) -> list[CompletionScores]:
    """The scores under `other` as sampled (label "base-sampling", say), and plainly "base"."""
    found = [
        scores
        for label, scores in sorted(side.scores.items())
        if label.startswith(f"{other}-") and as_sampled(side.sampling, scores.info)
    ][:1]
    return [*found, *(side.scores[label] for label in (other,) if label in side.scores)]


def _table(found: Sequence[CompletionSupport]) -> Table:
    """Completion level: each run's correct completions under the other model."""
    rows = [
        {
            "completions": c.completions,
            "other": c.other,
            "distribution": c.distribution,
            "number": c.number,
            "problems": c.problems,
            "outside": c.outside,
            "problems_outside": c.problems_outside if math.isfinite(c.outside) else None,
            "median_own": c.median_own,
            "median_other": c.median_other,
            "log_ratio_lower": c.log_ratio[0],
            "log_ratio": c.log_ratio[1],
            "log_ratio_upper": c.log_ratio[2],
            "temperature": c.temperature,
            "top_p": c.top_p,
            "top_k": c.top_k,
            "min_p": c.min_p,
        }
        for c in found
    ]
    columns = (
        Column("completions", "completions of", "text", "correct ones only"),
        Column("other", "under"),
        Column("distribution", "distribution"),
        Column("number", "number", "count", "correct completions"),
        Column("problems", "problems", "count"),
        Column("outside", "outside nucleus", "share", "with a token outside the other’s nucleus"),
        Column("problems_outside", "wholly outside", "count", "problems all of whose are so"),
        Column("median_own", "log p, own", "number", "median under the model that wrote them"),
        Column(
            "median_other",
            "log p, other",
            "number",
            "median under the other model; −∞ where it can draw less than half of them",
        ),
        Column("log_ratio_lower", "log ratio, lower quartile", "number"),
        Column(
            "log_ratio",
            "median log ratio",
            "number",
            "log p under the other model minus log p under its own, nats, of those it can draw",
        ),
        Column("log_ratio_upper", "upper quartile", "number"),
        Column("temperature", "temperature", "number"),
        Column("top_p", "top-p", "number"),
        Column("top_k", "top-k", "count", "0: all tokens"),
        Column("min_p", "min-p", "number"),
    )
    return Table(
        "completions",
        "Completion level: correct completions of one model, teacher-forced under the other, under "
        "the distribution they were sampled from and at the temperature of the scores.",
        columns,
        rows,
    )


def completion_sentence(row: dict[str, Any]) -> str:
    """One row of the completion level in plain words; "" for a row without numbers."""
    own, other = ("RL", "base") if row["completions"] == "rl" else ("base", "RL")
    parts = []
    cut = row["distribution"] == "as sampled"
    if row["problems_outside"] is not None:
        problems = row["problems"]
        parts.append(
            f"{percent(row['outside'])} of {own}’s {row['number']:,} correct completions hold a "
            f"token outside {other}’s nucleus, to which its sampling gives no probability; on "
            f"{row['problems_outside']} of {problems} "
            f"problem{'s' if problems != 1 else ''} all of them do"
        )
    ratio = row["log_ratio"]
    if np.isfinite(ratio):
        times = _about(float(np.exp(min(abs(ratio), 700.0))))
        direction = "less" if ratio < 0 else "more"
        which = "one of the others" if cut and row["outside"] else "one"
        if not cut:
            which = f"a correct completion of {own}"
        where = "" if cut else f"at {row['distribution']}, with nothing cut off, "
        parts.append(
            f"{where}{which} is typically about {times} times {direction} likely from {other}"
        )
    text = ". ".join(part[0].upper() + part[1:] for part in parts)
    return f"{text}." if text else ""


def _about(value: float) -> str:
    """A number with two digits: the precision of a typical value."""
    return (
        f"{value:.1e}" if value >= 1e7 else f"{float(f'{value:.1e}'):,.{1 if value < 10 else 0}f}"
    )


SECTION = Section("completions", _measure)

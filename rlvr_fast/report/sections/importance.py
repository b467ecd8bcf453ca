"""The base model's probability of RL's correct completions, by importance sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import importance_estimate
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.problems import FloatArray
from rlvr_fast.report.scores import CompletionScores, row_for_row
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION"]

# Rows of the table on the page; the file has them all.
_SHOWN = 12

# Further sampling parameters that change the distribution, each with its neutral values.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "top_k": (None, 0, -1),
    "min_p": (None, 0),
    "typical_p": (None, 1),
    "repetition_penalty": (None, 1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "min_tokens": (None, 0),
}


@dataclass(frozen=True, slots=True)
class _Pair:
    """Log p of the RL run's completions under base and under RL, both as they were drawn."""

    scores: CompletionScores  # the base model's: which draws, and which are correct
    base: FloatArray
    own: FloatArray


@dataclass(frozen=True, slots=True)
class _SamplingDistribution:
    """The distribution of the RL run's draws; `refusal`: why no score can be one of it, or ""."""

    temperature: float = math.nan
    top_p: float = 1.0
    refusal: str = ""


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    pair, refusal = _pair(comparison)
    rows = _rows(comparison, pair) if pair is not None else []
    table = _table(rows, refusal)
    trusted = [row for row in rows if not row["reason"]]
    return Findings(
        measured=None,
        tables=(table,),
        summary={
            "importance": {
                "refusal": refusal or None,
                "problems": len(rows),
                "trusted": len(trusted),
            }
        },
        view=lambda: {
            "refusal": refusal,
            "problems": len(rows),
            "trusted": len(trusted),
            "unseen": sum(row["label"] == "expanded" for row in trusted),
            "reasons": _reasons(rows),
            "table": replace(table, rows=trusted[:_SHOWN]),
        },
    )


def _distribution(side: Side) -> _SamplingDistribution:
    sampling = side.sampling
    temperature, top_p = sampling.get("temperature"), sampling.get("top_p")
    if not temperature or not top_p:
        return _SamplingDistribution(
            refusal="it is not recorded at which temperature and top-p (both above 0) the RL run "
            "was drawn"
        )
    other = [key for key, neutral in _NEUTRAL.items() if sampling.get(key) not in neutral]
    if other:
        return _SamplingDistribution(
            refusal=f"the RL run was drawn with {other[0]}, which the scores do not know of"
        )
    return _SamplingDistribution(float(temperature), float(top_p))


def _logprob(
    side: Side, model: str, drawn: _SamplingDistribution
) -> tuple[CompletionScores, FloatArray] | None:
    """Scores under `model`, and its log p under the distribution `drawn`; None if unknown."""
    for label in (f"{model}-sampling", model):
        one = side.scores.get(label)
        if one is None or one.info.get("temperature") != drawn.temperature:
            continue
        if drawn.top_p == 1:
            return one, one.logprob
        if one.info.get("top_p") == drawn.top_p:
            logprob = one.sampling_logprob(own=model == side.name)
            if logprob is not None:
                return one, logprob
    return None


def _pair(comparison: Comparison) -> tuple[_Pair | None, str]:
    """The log-probabilities to weigh by; or None, and as a clause why there is no estimate."""
    rl = comparison.rl
    drawn = _distribution(rl)
    if drawn.refusal:
        return None, drawn.refusal
    found = {model: _logprob(rl, model, drawn) for model in ("base", "rl")}
    for model, one in found.items():
        if one is None:
            return None, (
                f"the RL run’s completions have no scores under the {model} model as they were "
                f"sampled (temperature {drawn.temperature:g}, top-p {drawn.top_p:g}); "
                f"`rlvr-fast score {rl.run.path} --model MODEL --label {model} --as-sampled` "
                "makes them"
            )
    base, own = found["base"], found["rl"]
    assert base is not None
    assert own is not None
    return _Pair(base[0], base[1], row_for_row(own[0], base[0], own[1])), ""


def _table(rows: list[dict[str, Any]], refusal: str) -> Table:
    """Base's probability of RL's correct completions, one row per problem that RL solved.

    Found problems come first, then by base's measured accuracy. The row of a problem whose
    estimate is not to be trusted holds the reason; without any estimate the caption says why.
    """
    columns = (
        Column("problem_id", "problem"),
        Column("task", "task"),
        Column("label", "region"),
        Column("rl_draws", "RL draws", "count", "scored draws of the RL model"),
        Column("rl_correct", "correct", "count"),
        Column("base_samples", "base draws", "count"),
        Column("base_accuracy", "base, measured", "number", "share of base’s own draws correct"),
        Column("value", "base, estimated", "number", "from RL’s completions; a lower bound"),
        Column("low", "low", "number", "95 % interval"),
        Column("high", "high", "number", "95 % interval"),
        Column(
            "pareto_k",
            "Pareto k",
            "decimal",
            "tail of the weights; −∞: all alike, above 0.7: no trust",
        ),
        Column("ess", "effective draws", "length", "correct draws the weights are worth"),
        Column("reason", "why not"),
    )
    caption = (
        "Base’s chance, per draw, of the correct completions that RL wrote (importance sampling)."
    )
    if refusal:
        caption = f"{caption} Not estimated: {refusal}."
    return Table("importance", caption, columns, rows)


def _rows(comparison: Comparison, pair: _Pair) -> list[dict[str, Any]]:
    base, rl = comparison.sides
    labels = comparison.labels("seen")
    known = ~np.isnan(pair.own)
    problem = pair.scores.problem[known]
    order = np.argsort(problem, kind="stable")
    bounds = np.searchsorted(problem[order], np.arange(len(comparison.problems) + 1))
    logprob, own, right = (
        values[known][order] for values in (pair.base, pair.own, pair.scores.correct)
    )
    accuracy = base.accuracy
    solved = np.flatnonzero(rl.num_correct > 0)
    rows = []
    for i in sorted(solved, key=lambda i: (labels[i] != "expanded", accuracy[i], i)):
        at = slice(bounds[i], bounds[i + 1])
        row: dict[str, Any] = {
            "problem_id": comparison.problems.ids[i],
            "task": comparison.problems.tasks[i],
            "label": labels[i],
            "rl_draws": int(bounds[i + 1] - bounds[i]),
            "rl_correct": int(right[at].sum()),
            "base_samples": int(base.num_samples[i]),
            "base_accuracy": float(accuracy[i]),
        }
        if rl.num_ungraded[i] > 0:
            row["reason"] = f"{int(rl.num_ungraded[i])} draws are not graded yet"
            rows.append(row)
            continue
        try:
            e = importance_estimate(base_logprob=logprob[at], rl_logprob=own[at], correct=right[at])
        except InvalidInputError as error:
            row["reason"] = str(error)
        else:
            row |= {"value": e.value, "low": e.low, "high": e.high, "pareto_k": e.pareto_k}
            row |= {"ess": e.ess, "reason": e.reason}
        rows.append(row)
    return rows


def _reasons(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many problems are refused for each kind of reason."""
    words = {"Pareto": "heavy", "too few": "few", "any probability": "impossible"}
    reasons = dict.fromkeys((*words.values(), "other"), 0)
    for row in rows:
        if row["reason"]:
            found = (kind for word, kind in words.items() if word in row["reason"])
            reasons[next(found, "other")] += 1
    return reasons


SECTION = Section("importance", _measure)

"""Chances known without drawing: base's of RL's correct answers, and those of a guesser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import above_guessing, guessing_baseline, importance_estimate
from rlvr_fast.report.analysis import own_logprobs
from rlvr_fast.report.comparison import Comparison, plain
from rlvr_fast.report.evidence import FDR
from rlvr_fast.report.sides import CompletionScores, FloatArray, Side
from rlvr_fast.report.table import Column, Table
from rlvr_fast.report.tables import GROUP, group_cells

__all__ = ["guessing_table", "importance_refusal", "importance_table"]

# What changes the distribution drawn from beyond temperature and top-p, with its neutral values.
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
    """Scores of the RL run's completions under base and under RL, both as they were drawn."""

    base: CompletionScores
    own: FloatArray


def _distribution(side: Side) -> tuple[float, str]:
    """(temperature, why the scores are not of the distribution drawn from, or "")."""
    sampling = plain(side.run.info.sampling)
    temperature, top_p = sampling.get("temperature"), sampling.get("top_p")
    if not temperature or top_p is None:
        return math.nan, (
            "it is not recorded at which temperature (above 0) and top-p the RL run was drawn"
        )
    other = [key for key, neutral in _NEUTRAL.items() if sampling.get(key) not in neutral]
    if other:
        return math.nan, f"the RL run was drawn with {other[0]}, which the scores do not know of"
    if top_p != 1:
        return math.nan, (
            f"the RL run was drawn with top-p {top_p:g}. The sampler then drops the unlikely "
            "tokens and scales up the rest, by a factor that differs from token to token and is "
            "not in the scores; left out, it would falsify every weight. Draw both models with "
            "top_p: 1 to get this estimate"
        )
    return float(temperature), ""


def _scored(side: Side, model: str, temperature: float) -> CompletionScores | None:
    """Scores under `model` at `temperature` and over the whole vocabulary."""
    for label in (f"{model}-sampling", model):
        one = side.scores.get(label)
        if one is not None and one.info.get("temperature") == temperature:
            return one
    return None


def _pair(comparison: Comparison) -> tuple[_Pair | None, str]:
    """The scores to weigh by, or None and the reason."""
    rl = comparison.rl
    temperature, reason = _distribution(rl)
    if reason:
        return None, reason
    found = {model: _scored(rl, model, temperature) for model in ("base", "rl")}
    for model, one in found.items():
        if one is None:
            return None, (
                f"the RL run’s completions have no scores under the {model} model at the "
                f"temperature of the sampling ({temperature:g}); "
                f"`rlvr-fast score {rl.run.path.name} --model MODEL --label {model} --as-sampled` "
                "makes them"
            )
    base = found["base"]
    assert base is not None
    return _Pair(base, own_logprobs(found["rl"], base)), ""


def importance_refusal(comparison: Comparison) -> str:
    """Why no estimate can be made at all, as a clause; empty where it can."""
    return _pair(comparison)[1]


def importance_table(comparison: Comparison) -> Table:
    """Base's chance of RL's correct completions, one row per problem that RL solved.

    Found problems first, then by base's measured accuracy. A problem whose estimate is not to be
    trusted has the reason in its row; where there is none at all the caption says why.
    """
    pair, refusal = _pair(comparison)
    rows = _importance_rows(comparison, pair) if pair is not None else []
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
        Column("pareto_k", "Pareto k", "decimal", "tail of the weights; above 0.7 not trusted"),
        Column("ess", "effective draws", "length", "correct draws the weights are worth"),
        Column("reason", "why not"),
    )
    caption = (
        "Base’s chance, per draw, of the correct completions that RL wrote (importance sampling)."
    )
    if refusal:
        caption = f"{caption} Not estimated: {refusal}."
    return Table("importance", caption, columns, rows)


def _importance_rows(comparison: Comparison, pair: _Pair) -> list[dict[str, Any]]:
    base, rl = comparison.sides
    labels = comparison.shifts["seen"].labels
    assert labels is not None
    known = ~np.isnan(pair.own)
    problem = pair.base.problem[known]
    order = np.argsort(problem, kind="stable")
    bounds = np.searchsorted(problem[order], np.arange(len(comparison.problems) + 1))
    logprob, own, right = (
        values[known][order] for values in (pair.base.logprob, pair.own, pair.base.correct)
    )
    accuracy = base.accuracy
    solved = np.flatnonzero(rl.num_correct > 0)
    rows = []
    for i in sorted(solved, key=lambda i: (labels[i] != "expanded", accuracy[i], i)):
        at = slice(bounds[i], bounds[i + 1])
        row: dict[str, Any] = {
            "problem_id": comparison.problems.ids[i],
            "task": comparison.problems.tasks[i],
            "label": str(labels[i]),
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
            e = importance_estimate(logprob[at], own[at], right[at])
        except InvalidInputError as error:
            row["reason"] = str(error)
        else:
            row |= {"value": e.value, "low": e.low, "high": e.high, "pareto_k": e.pareto_k}
            row |= {"ess": e.ess, "reason": e.reason}
        rows.append(row)
    return rows


def _answer_space(metadata: dict[str, Any]) -> float:
    value = metadata.get("answer_space")
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1
    return float(value) if usable and value is not None else math.nan


def guessing_table(comparison: Comparison) -> Table:
    """What a uniform guesser would solve in as many draws; only problems whose answers are counted.

    One row per group and model, none where no problem's metadata holds "answer_space".
    """
    space = np.array([_answer_space(m) for m in comparison.problems.metadata])
    known = np.isfinite(space)
    rows = []
    if known.any():
        guess = np.where(known, 1 / np.where(known, space, 1), 0.0)
        by_guessing, above = {}, {}
        for side in comparison.sides:
            n = side.num_samples
            by_guessing[side.name] = np.array(
                [
                    float(guessing_baseline(g, int(k))) if k else 0.0
                    for g, k in zip(guess, n, strict=True)
                ]
            )
            p = above_guessing(n[known], side.num_correct[known], guess[known])
            found = np.zeros(n.size, bool)
            found[known] = false_discovery_control(p) <= FDR
            above[side.name] = found
        for group in comparison.groups:
            members = group.members[known[group.members]]
            for side in comparison.sides if members.size else ():
                rows.append(
                    {
                        **group_cells(group),
                        "model": side.name,
                        "problems": int(members.size),
                        "samples": float(np.median(side.num_samples[members])),
                        "guesser": float(by_guessing[side.name][members].sum()),
                        "solved": int(np.count_nonzero(side.num_correct[members])),
                        "above": int(np.count_nonzero(above[side.name][members])),
                        "guesser_accuracy": float(guess[members].mean()),
                        "accuracy": float(np.nanmean(side.accuracy[members]))
                        if side.num_samples[members].any()
                        else math.nan,
                    }
                )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("problems", "problems", "count", "whose number of possible answers is known"),
        Column("samples", "samples", "count", "draws a problem (median)"),
        Column("guesser", "a guesser solves", "length", "expected with as many draws"),
        Column("solved", "the model solves", "count", "at least one correct draw"),
        Column("above", "beyond guessing", "count", "exact test, 5 % false discoveries"),
        Column("guesser_accuracy", "accuracy of a guesser", "share"),
        Column("accuracy", "of the model", "share"),
    )
    return Table(
        "guessing",
        "Problems that guessing uniformly among the possible answers would solve.",
        columns,
        rows,
    )

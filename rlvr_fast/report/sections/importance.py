"""Lower limits of base's probability of a correct answer, from RL's completions."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import ImportanceEstimate, clopper_pearson, importance_estimates
from rlvr_fast.report.columns import LEVEL
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.problems import BoolArray, FloatArray, IntArray
from rlvr_fast.report.scores import CompletionScores, as_sampled, row_for_row
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Table
from rlvr_fast.report.table_files import ColumnRows
from rlvr_fast.store.sampling_values import TRUNCATION, beyond_one_pass, cuts, sampling_value

__all__ = ["SECTION"]

# Rows of the table on the page; the file has them all.
_SHOWN = 12
# Problems whose estimates are held at a time.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class _Pair:
    """Log p of the RL run's completions under base and under RL, both as they were drawn."""

    scores: CompletionScores  # the base model's: which draws, and which are correct
    base: FloatArray
    own: FloatArray


@dataclass(frozen=True, slots=True)
class _SamplingDistribution:
    """The distribution of the RL run's draws.

    Attributes:
        values: temperature, top_p, top_k and min_p.
        refusal: why no score can be one of the distribution, or "".
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""

    def __str__(self) -> str:
        found = [f"temperature {self.values['temperature']:g}", *cuts(self.values)]
        return ", ".join(found)


@dataclass(frozen=True, slots=True)
class _Found:
    """The problems that only RL reached (rule "seen"), and what the weights say of base there.

    Attributes:
        problems: number of found problems with a limit.
        possible: those of which base gives a correct completion of RL a positive probability.
        above: those of which base's probability exceeds epsilon, all together at `LEVEL`.
    """

    problems: int = 0
    possible: int = 0
    above: int = 0


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    pair, refusal = _pair(comparison)
    rows, found = _limits(comparison, pair) if pair else (ColumnRows({}), _Found())
    table = _table(rows, refusal)
    low = np.asarray(rows.columns.get("low", ()), dtype=np.float64)
    usable = ~np.isnan(low) & ~np.asarray(rows.columns.get("contradicts", ()), dtype=bool)
    limits, contradictions = int(usable.sum()), int((~np.isnan(low) & ~usable).sum())
    shown = np.flatnonzero(~np.isnan(low))[:_SHOWN]
    return Findings(
        measured=None,
        tables=(table,),
        summary={
            "importance": {
                "refusal": refusal or None,
                "problems": len(rows),
                "limits": limits,
                "contradictions": contradictions,
                "found": found.problems,
                "found_possible": found.possible,
                "found_above_epsilon": found.above,
            }
        },
        view=lambda: {
            "refusal": refusal,
            "problems": len(rows),
            "limits": limits,
            "contradictions": contradictions,
            "impossible": int((low[usable] == 0).sum()),
            "missing": len(rows) - limits - contradictions,
            "found": _sentence(found, comparison.epsilon),
            "table": replace(table, rows=[rows[at] for at in shown.tolist()]),
        },
    )


def _sentence(found: _Found, epsilon: float) -> str:
    """What the limits show of the problems that only RL reached; "" where there are none."""
    if not found.problems:
        return ""
    return (
        f"Base’s own draws hold no correct answer on {found.problems} of these problems. "
        f"On {found.possible} of the {found.problems}, base gives a positive probability to a "
        f"correct completion that RL drew; on {found.above}, its probability of a correct answer "
        f"exceeds ε = {epsilon:.3g} per draw ({LEVEL:.0%} confidence that this holds on all "
        f"{found.above} of them)."
        if found.above
        else f"Base’s own draws hold no correct answer on {found.problems} of these problems. "
        f"On {found.possible} of the {found.problems}, base gives a positive probability to a "
        f"correct completion that RL drew; on none do the weights show that base’s probability of "
        f"a correct answer exceeds ε = {epsilon:.3g} per draw."
    )


def _distribution(side: Side) -> _SamplingDistribution:
    sampling = side.sampling
    values = {name: sampling_value(sampling, name) for name in TRUNCATION}
    if not values["temperature"] or not values["top_p"]:
        return _SamplingDistribution(
            refusal="it is not recorded at which temperature and top-p (both above 0) the RL run "
            "was drawn"
        )
    if other := beyond_one_pass(sampling):
        return _SamplingDistribution(
            refusal=f"the RL run was drawn with {other}, which the scores do not know of"
        )
    return _SamplingDistribution(values)


def _logprob(
    side: Side, model: str, drawn: _SamplingDistribution
) -> tuple[CompletionScores, FloatArray] | None:
    """Scores under `model`, and its log p under the distribution `drawn`; None if unknown."""
    for label in (f"{model}-sampling", model):
        one = side.scores.get(label)
        if one is None or one.info.get("temperature") != drawn.values["temperature"]:
            continue
        if not cuts(drawn.values):
            return one, one.logprob
        if as_sampled(drawn.values, one.info):
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
                f"sampled ({drawn}); "
                f"`rlvr-fast score {rl.run.path.name} --model MODEL --label {model} --as-sampled` "
                "makes them"
            )
    base, own = found["base"], found["rl"]
    assert base is not None
    assert own is not None
    return _Pair(base[0], base[1], row_for_row(own[0], base[0], own[1])), ""


def _table(rows: ColumnRows, refusal: str) -> Table:
    """Lower limits of base's probability, one row per problem that RL solved.

    Found problems come first, then by base's measured accuracy. The row of a problem without a
    limit, or whose draws and scores contradict each other, holds the reason; without any limit the
    caption says why.
    """
    columns = (
        Column("problem_id", "problem"),
        Column("task", "task"),
        Column("label", "region"),
        Column("rl_draws", "RL draws", "count", "scored draws of the RL model"),
        Column("rl_correct", "correct", "count"),
        Column("base_samples", "base draws", "count"),
        Column("base_accuracy", "base, measured", "number", "share of base’s own draws correct"),
        Column("base_low", "low", "number", "95 % interval (Clopper–Pearson)"),
        Column("base_high", "high", "number", "95 % interval (Clopper–Pearson)"),
        Column(
            "low",
            "base, from RL’s draws",
            "at least",
            "lower limit of base’s chance of a correct answer per draw, one-sided, 95 % confidence "
            "on each problem",
        ),
        Column(
            "pareto_k",
            "Pareto k",
            "decimal",
            "diagnostic: heaviness of the tail of the weights. Above 0.7 a few draws carry their "
            "mean, and the limit lies far below it; –: the largest weights are too few or equal",
        ),
        Column(
            "ess", "effective draws", "length", "diagnostic: correct draws the weights are worth"
        ),
        Column("reason", "note"),
    )
    caption = (
        "Base’s chance, per draw, of a correct answer: measured by base’s own draws, and at least "
        "so much from the completions that RL wrote (importance sampling)."
    )
    if refusal:
        caption = f"{caption} Not estimated: {refusal}."
    return Table("importance", caption, columns, rows)


@dataclass(frozen=True, slots=True)
class _Draws:
    """The scored draws of the RL run, problem after problem.

    Attributes:
        problem: index of the problem of each draw, ascending.
        base: log p under base, as the draw was drawn.
        own: the same under RL.
        right: whether the draw is correct.
        number: number of scored draws of each problem, shape [problems].
        correct: number of correct ones among them, same shape.
        faulty: whether a log p of the problem is not a possible one, same shape.
    """

    problem: IntArray
    base: FloatArray
    own: FloatArray
    right: BoolArray
    number: IntArray
    correct: IntArray
    faulty: BoolArray

    @classmethod
    def of(cls, pair: _Pair, problems: int) -> _Draws:
        known = np.flatnonzero(~np.isnan(pair.own))
        order = known[np.argsort(pair.scores.problem[known], kind="stable")]
        problem = pair.scores.problem[order].astype(np.int64)
        base, own, right = pair.base[order], pair.own[order], pair.scores.correct[order]
        bad = np.isnan(base) | (base == np.inf) | np.isinf(own)
        count = functools.partial(np.bincount, minlength=problems)
        return cls(
            problem=problem,
            base=base,
            own=own,
            right=right,
            number=count(problem),
            correct=count(problem[right]),
            faulty=count(problem[bad]) > 0,
        )

    def estimates(
        self, problems: IntArray, own_draws: tuple[IntArray, IntArray] | None, level: float
    ) -> Iterator[tuple[int, ImportanceEstimate]]:
        """Problems, ascending, and their estimates.

        Args:
            problems: indices, ascending.
            own_draws: base's samples and correct ones on each problem; None for no comparison.
            level: of each lower limit.
        """
        for first in range(0, len(problems), _AT_ONCE):
            mine = problems[first : first + _AT_ONCE]
            some = np.zeros(len(self.number), dtype=bool)
            some[mine] = True
            at = some[self.problem]
            found = importance_estimates(
                base_logprob=self.base[at],
                rl_logprob=self.own[at],
                correct=self.right[at],
                draws=self.number[mine],
                base_draws=None if own_draws is None else (own_draws[0][mine], own_draws[1][mine]),
                level=level,
            )
            yield from zip(mine.tolist(), found, strict=True)

    def fault(self, problem: int) -> str:
        """What is wrong with the scores of a faulty problem."""
        try:
            list(self.estimates(np.array([problem]), None, LEVEL))
        except InvalidInputError as error:
            return str(error)
        return ""


def _limits(comparison: Comparison, pair: _Pair) -> tuple[ColumnRows, _Found]:
    """The rows of the problems that RL solved, and what they say of the found ones."""
    base, rl = comparison.sides
    labels = np.asarray(comparison.labels("seen"))
    draws = _Draws.of(pair, len(comparison.problems))
    solved = np.flatnonzero(rl.num_correct > 0)
    reason = dict.fromkeys(solved.tolist(), "")
    low, shape, ess = (np.full(len(labels), np.nan) for _ in range(3))
    contradicts, possible = (np.zeros(len(labels), dtype=bool) for _ in range(2))
    usable = solved[(rl.num_ungraded[solved] == 0) & ~draws.faulty[solved]]
    for i, e in draws.estimates(usable, (base.num_samples, base.num_correct), LEVEL):
        if math.isnan(e.low):
            reason[i] = "no scored draw of the RL model is correct"
            continue
        low[i], shape[i], ess[i], contradicts[i] = e.low, e.pareto_k, e.ess, e.contradicts
        possible[i] = e.log_value > -math.inf
        reason[i] = e.reason if e.contradicts or e.low == 0 else ""
    for i in np.setdiff1d(solved, usable).tolist():
        ungraded = int(rl.num_ungraded[i])
        reason[i] = f"{ungraded} draws are not graded yet" if ungraded else draws.fault(i)

    expanded = solved[labels[solved] == "expanded"]
    limited = expanded[~np.isnan(low[expanded]) & ~contradicts[expanded]]
    # all these limits hold together: each at a share of the error rate
    strict = 1 - (1 - LEVEL) / max(len(expanded), 1)
    joint = draws.estimates(limited[low[limited] > comparison.epsilon], None, strict)
    found = _Found(
        problems=len(limited),
        possible=int(possible[limited].sum()),
        above=sum(e.low > comparison.epsilon for _, e in joint),
    )

    order = solved[np.lexsort((base.accuracy[solved], labels[solved] != "expanded"))]
    interval = clopper_pearson(base.num_samples, base.num_correct, level=LEVEL)
    columns = {
        "problem_id": [comparison.problems.ids[i] for i in order],
        "task": [comparison.problems.tasks[i] for i in order],
        "label": labels[order].tolist(),
        "rl_draws": draws.number[order],
        "rl_correct": draws.correct[order],
        "base_samples": base.num_samples[order],
        "base_accuracy": base.accuracy[order],
        "base_low": interval.low[order],
        "base_high": interval.high[order],
        "low": low[order],
        "pareto_k": shape[order],
        "ess": ess[order],
        "contradicts": contradicts[order],
        "reason": [reason[i] for i in order.tolist()],
    }
    return ColumnRows(columns), found


SECTION = Section("importance", _measure)

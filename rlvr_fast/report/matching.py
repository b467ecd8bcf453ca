"""Support of RL runs beside base runs at the same temperature, and at the same token entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import Draws, pass_at_k, pass_at_k_difference, support_ratios
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.columns import LEVEL, RATIOS
from rlvr_fast.report.comparable import check_comparable
from rlvr_fast.report.figures import COLOURS, STYLE, new_figure, save_figure
from rlvr_fast.report.imported import gradable_problems
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.problems import IntArray, common_problems, read_problems, task_domains
from rlvr_fast.report.several import (
    depth_of_curves,
    depth_text,
    fewest_draws,
    interval_columns,
    limits,
    reach,
    shift_at,
    whole,
)
from rlvr_fast.report.sides import Side, read_side
from rlvr_fast.report.table import Column, Kind, Table, write_tables
from rlvr_fast.report.temperature import (
    dependences,
    temperature_of,
    temperature_order,
    token_entropies,
    with_temperature,
)
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import REGIONS

__all__ = ["MatchedSupport", "matched_support", "write_matched"]

_REGION_KEYS = ("preserved", "shrunk", "expanded", "out")
# How a base run was chosen for an RL run, in the order of the rows.
_TEMPERATURE = "same temperature"
_ENTROPY = "nearest token entropy"
_BETWEEN = "same token entropy"


@dataclass(frozen=True, slots=True)
class MatchedSupport:
    """RL runs beside the base runs that match them; see `matched_support`.

    Attributes:
        table: a row for each RL run and way of matching, by temperature.
        notes: what a reader of the table has to know: runs that have no match, missing scores.
    """

    table: Table
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Point:
    """One run of the table."""

    name: str
    side: Side
    temperature: float
    entropy: float

    @property
    def draws(self) -> Draws:
        return self.side.draws


def matched_support(
    bases: Mapping[str, Run],
    runs: Mapping[str, Run],
    options: CompareOptions = CompareOptions(),
    *,
    progress: Progress | None = None,
) -> MatchedSupport:
    """Compares RL runs with base runs at the same temperature, and at the same token entropy.

    A model after RL is surer of each token, so that at one temperature it explores less than the
    base. At one token entropy both explore alike. Each RL run stands beside the base run of its
    temperature; beside the base run whose mean token entropy is nearest; and, where its entropy
    lies between those of two base runs, beside the two together: a problem is reached with the
    probabilities of the two, interpolated linearly in the entropy.

    Every problem is compared at the least number of samples that any of the runs has of it (rule
    "seen"), pass@k at the largest k that nine of ten problems have in all runs.

    Args:
        bases: a name to a graded run of the base model, each at a temperature of its own.
        runs: a name to a graded run of an RL model.
        options: `allow` as for `compare_runs`; the temperatures may differ in any case.
        progress: called as progress("read", runs read, runs in all).

    Raises:
        InvalidInputError: no run of one of the kinds, a run that stands twice, or runs that are not
            of one experiment.
        RunDirectoryError: a run that is not graded.
    """
    if not bases or not runs:
        raise InvalidInputError("give at least one base run and one RL run to compare")
    _refuse_repeated([*bases.items(), *runs.items()])
    first = next(iter(bases.values()))
    problems = read_problems(first, task_domains(first.info.tasks))
    everyone = {
        **{("base", n): r for n, r in bases.items()},
        **{("rl", n): r for n, r in runs.items()},
    }
    for run in list(everyone.values())[1:]:
        check_comparable(first, run, with_temperature(first, run, options.allow))
        problems, _ = gradable_problems(common_problems(problems, run), first, run)
    step = steps(progress, "read", len(everyone))
    sides: dict[tuple[str, str], Side] = {}
    for (label, name), run in everyone.items():
        ids = common_problems(problems, run).rl_ids
        sides[label, name] = replace(read_side(run, label, ids), name=name)
        step()
    entropies, words, notes = token_entropies(
        {f"{name} ({label})": (side, label) for (label, name), side in sides.items()}
    )
    points = {
        key: _Point(key[1], side, temperature_of(side), entropies[f"{key[1]} ({key[0]})"])
        for key, side in sides.items()
    }
    ours = [p for (label, _), p in points.items() if label == "base"]
    theirs = [p for (label, _), p in points.items() if label == "rl"]
    theirs.sort(key=lambda p: temperature_order(p.side))
    depth = fewest_draws([p.draws for p in points.values()])
    rows: list[dict[str, Any]] = []
    for point in theirs:
        rows += _rows(point, ours, depth, notes)
    caption = (
        f"Support at equal temperature and at equal token entropy, {depth_text(depth)} (reached = "
        f"at least one correct draw). Token entropy: nats, whole vocabulary, {words}."
    )
    notes += dependences(sides.values())
    return MatchedSupport(_table(caption, rows, depth), tuple(notes))


def _refuse_repeated(named: list[tuple[str, Run]]) -> None:
    seen: dict[Path, str] = {}
    for name, run in named:
        other = seen.setdefault(run.path.resolve(), name)
        if other is not name:
            raise InvalidInputError(
                f"{run.path} is given twice, as {other!r} and {name!r}: a run stands once"
            )


def _rows(
    point: _Point, bases: list[_Point], depth: IntArray, notes: list[str]
) -> list[dict[str, Any]]:
    """The rows of one RL run: one for each base run that matches it."""
    rows = []
    alike = [b for b in bases if b.temperature == point.temperature]
    if not alike:
        have = ", ".join(f"{b.temperature:g}" for b in bases)
        at = f"{point.temperature:g}"
        notes.append(f"{point.name}: no base run at its temperature {at} (there are: {have})")
    nearest = None
    known = [b for b in bases if math.isfinite(b.entropy)]
    if math.isfinite(point.entropy) and known:
        nearest = min(known, key=lambda b: abs(b.entropy - point.entropy))
    for base in alike:
        match = _TEMPERATURE + (" and nearest token entropy" if base is nearest else "")
        rows.append(_row(point, base, match, depth))
    if nearest is None:
        return rows
    if nearest not in alike:
        rows.append(_row(point, nearest, _ENTROPY, depth))
    if math.isclose(nearest.entropy, point.entropy, rel_tol=1e-9):
        return rows
    below = [b for b in known if b.entropy < point.entropy]
    above = [b for b in known if b.entropy > point.entropy]
    if below and above:
        pair = max(below, key=lambda b: b.entropy), min(above, key=lambda b: b.entropy)
        rows.append(_between(point, pair, depth))
    else:
        side = "below" if above else "above"
        notes.append(
            f"{point.name}: its token entropy {point.entropy:.3f} lies {side} that of every base "
            f"run; the nearest has {nearest.entropy:.3f}. For equal entropy, draw the base at a "
            f"{'lower' if above else 'higher'} temperature."
        )
    return rows


def _row(point: _Point, base: _Point, match: str, depth: IntArray) -> dict[str, Any]:
    one = shift_at(base.draws, point.draws, depth)
    at = _ks(depth)
    rows = _curve_rows(depth)
    b, r = base.draws[rows], point.draws[rows]
    difference = pass_at_k_difference(b, r, k=at, level=LEVEL)
    row = _named(point, match, base.name, base.temperature, base.entropy)
    row |= {key: getattr(one, key).value * one.problems for key in _REGION_KEYS}
    for key in RATIOS:
        row |= limits(key, *getattr(one, key))
    row |= _passing(_mean(b, at), _mean(r, at))
    for i, what in enumerate(("1", "n")):
        curve = (difference.value[i], difference.low[i], difference.high[i])
        row |= limits(f"difference_{what}", *curve)
    if base.side.repeats.reason or point.side.repeats.reason:
        row |= {key: math.nan for key in row if key.endswith(("_low", "_high"))}
    return row


def _between(point: _Point, pair: tuple[_Point, _Point], depth: IntArray) -> dict[str, Any]:
    """The base interpolated linearly between two runs, at the token entropy of an RL run."""
    low, high = pair
    weight = (point.entropy - low.entropy) / (high.entropy - low.entropy)

    def mixed(left: Any, right: Any) -> Any:
        return (1 - weight) * left + weight * right

    used = depth > 0
    a = mixed(*(reach(p.draws, depth)[used] for p in pair))
    b = reach(point.draws, depth)[used]
    p, e, s, o = (float(v.sum()) for v in (a * b, (1 - a) * b, a * (1 - b), (1 - a) * (1 - b)))
    ratios = support_ratios(p, e, s)
    at, rows = _ks(depth), _curve_rows(depth)
    base = mixed(*(_mean(each.draws[rows], at) for each in pair))
    run = _mean(point.draws[rows], at)
    names = f"{low.name} and {high.name}, {1 - weight:.0%} and {weight:.0%}"
    row = _named(point, _BETWEEN, names, math.nan, point.entropy)
    row |= {"preserved": p, "expanded": e, "shrunk": s, "out": o}
    for key in RATIOS:
        row |= limits(key, float(getattr(ratios, key)))
    row |= _passing(base, run)
    for i, what in enumerate(("1", "n")):
        row |= limits(f"difference_{what}", run[i] - base[i])
    return row


def _ks(depth: IntArray) -> list[int]:
    return [1, max(depth_of_curves(depth), 1)]


def _curve_rows(depth: IntArray) -> Any:
    return depth >= max(depth_of_curves(depth), 1)


def _mean(draws: Draws, at: list[int]) -> Any:
    if not draws.problems:
        return np.full(len(at), np.nan)
    return pass_at_k(draws.num_samples, draws.num_correct, at).mean(axis=0)


def _named(
    point: _Point, match: str, base: str, temperature: float, entropy: float
) -> dict[str, Any]:
    return {
        "run": point.name,
        "temperature": point.temperature,
        "token_entropy": point.entropy,
        "match": match,
        "base": base,
        "base_temperature": temperature,
        "base_token_entropy": entropy,
        "entropy_difference": point.entropy - entropy,
    }


def _passing(base: Any, run: Any) -> dict[str, float]:
    return {
        "base_pass_at_1": float(base[0]),
        "pass_at_1": float(run[0]),
        "base_pass_at_n": float(base[1]),
        "pass_at_n": float(run[1]),
    }


def _table(caption: str, rows: list[dict[str, Any]], depth: IntArray) -> Table:
    kind: Kind = "count" if all(whole(r[key]) for r in rows for key in _REGION_KEYS) else "length"
    n = _ks(depth)[-1]
    letters = {region.key: region.letter for region in REGIONS}
    columns = (
        Column("run", "run"),
        Column("match", "match", "text", "how the base run was chosen"),
        Column("base", "base run", "text"),
        Column("temperature", "T", "number", "temperature of the run"),
        Column("base_temperature", "base T", "number"),
        Column("token_entropy", "token entropy", "share", "nats"),
        Column("base_token_entropy", "base's", "share", "nats"),
        Column("entropy_difference", "difference", "signed", "token entropy, run minus base"),
        *(Column(key, letters[key], kind) for key in _REGION_KEYS),
        *interval_columns("srr", "SRR", "share", "support retention rate, P/(P+S)"),
        *interval_columns("ndr", "NDR", "share", "net discovery rate, E/(P+E)"),
        *interval_columns("sds", "SDS", "share", "harmonic mean of SRR and NDR"),
        *interval_columns("nscr", "NSCR", "signed", "(E−S)/(P+E+S)"),
        Column("base_pass_at_1", "base pass@1", "share"),
        Column("pass_at_1", "pass@1", "share"),
        *interval_columns("difference_1", "difference", "signed", "pass@1, run minus base, paired"),
        Column("base_pass_at_n", f"base pass@{n}", "share"),
        Column("pass_at_n", f"pass@{n}", "share"),
        *interval_columns(
            "difference_n", "difference", "signed", f"pass@{n}, run minus base, paired"
        ),
    )
    return Table("matched", caption, columns, rows)


def write_matched(found: MatchedSupport, out: str | Path) -> list[Path]:
    """Writes the table (CSV, JSON, LaTeX) and its figure (PNG, SVG, PDF) into `out`.

    The figure shows problems kept, lost and found against the temperature, beside the base of the
    same temperature, and against the token entropy, beside the base of the same or nearest one.
    """
    import matplotlib

    folder = Path(out)
    written = write_tables([found.table], folder)
    rows = found.table.rows
    by_temperature = [r for r in rows if r["match"].startswith(_TEMPERATURE)]
    between = {r["run"] for r in rows if r["match"] == _BETWEEN}
    by_entropy = [
        r
        for r in rows
        if r["match"] == _BETWEEN or (r["run"] not in between and _ENTROPY in r["match"])
    ]
    panels = (
        ("base at the same temperature", "temperature", by_temperature, "temperature"),
        ("base at the same or nearest token entropy", "token_entropy", by_entropy,
         "token entropy of the run, nats"),
    )  # fmt: skip
    marks = {"preserved": "o-", "shrunk": "v-", "expanded": "^-"}
    words = {region.key: f"{region.letter} {region.word}" for region in REGIONS}
    with matplotlib.rc_context(STYLE):
        figure = new_figure(7.2, 2.8)
        for axis, (title, x, some, label) in zip(figure.subplots(1, 2), panels, strict=True):
            some = sorted((r for r in some if math.isfinite(r[x])), key=lambda r: r[x])
            for key, mark in marks.items():
                at = [r[x] for r in some]
                values = [r[key] for r in some]
                axis.plot(at, values, mark, ms=3.5, lw=1.3, color=COLOURS[key], label=words[key])
            axis.set_title(title)
            axis.set_xlabel(label)
            axis.set_ylabel("problems")
            axis.set_ylim(bottom=0)
            if not some:
                axis.text(0.5, 0.5, "no such runs", transform=axis.transAxes, ha="center")
        figure.axes[0].legend()
        written += save_figure(figure, folder / found.table.name)
    return written

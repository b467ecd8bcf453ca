"""A value lies in its own interval, and identical runs give no claim: on any input.

The input is random: equal, unequal, ragged and tiny numbers of draws, one problem, no correct draw,
every draw correct. Every table of the report is walked, whatever its columns; a column of limits
whose value is not found fails, so that a new one is looked at.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graded_counts import graded_counts

from rlvr_fast.metrics import support_ratios
from rlvr_fast.report import CompareOptions, Report, build_report, compare_runs
from rlvr_fast.store import Run

ANSWERS = 5  # of each problem; the first two are correct
PAIRS = {
    # problems, base's draws, RL's draws (each problem has one of them), share of solvable problems
    "equal": (30, [48], [48], 0.8),
    "unequal": (30, [128], [16], 0.8),
    "ragged": (30, [4, 16, 96], [4, 16, 96], 0.8),
    "tiny": (24, [0, 1, 2], [0, 1, 2], 0.8),
    "one draw": (12, [1], [1], 0.8),
    "one problem": (1, [32], [32], 1.0),
    "few problems": (3, [256], [8], 1.0),
    "nothing correct": (12, [16], [16], 0.0),
    "one side drawn": (8, [16], [0], 0.8),
}
QUICK = ("ragged", "tiny", "one problem", "nothing correct")
CASES = [
    pytest.param(name, seed, marks=() if name in QUICK and not seed else pytest.mark.slow)
    for name in PAIRS
    for seed in (0, 1)
]
# Limits of a column whose name is not that of the value.
VALUE_OF = {
    "base": "base_accuracy",
    "rl": "rl_accuracy",
    "new_tasks": "difference",
}
RATIOS = ("srr", "ndr", "sds", "nscr")
SLACK = 1e-9


def counts_of(
    rng: np.random.Generator, draws: list[int], problems: int, solvable: float
) -> list[list[int]]:
    """Draws of each answer: most problems are solved rarely or never, some always."""
    drawn = rng.choice(draws, size=problems)
    rate = np.where(rng.random(problems) < solvable, rng.beta(0.15, 0.4, problems), 0.0)
    split = rng.random(problems)
    found = []
    for n, p, part in zip(drawn, rate, split, strict=True):
        law = [p * part, p * (1 - part), *((1 - p) * rng.dirichlet(np.ones(ANSWERS - 2)))]
        found.append(rng.multinomial(n, np.array(law) / sum(law)).tolist())
    return found


def write(folder: Path, counts: list[list[int]], *, seed: int = 0) -> Run:
    tasks = [f"task {i % 3}" for i in range(len(counts))]
    return graded_counts(folder, counts, correct=2, tasks=tasks, seed=seed)


def report_of(base: Run, rl: Run, options: CompareOptions | None = None) -> Report:
    return build_report(compare_runs(base, rl, options or CompareOptions()))


def planted(folder: Path, name: str, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    rng = np.random.default_rng(seed)
    problems, base, rl, solvable = PAIRS[name]
    return (
        counts_of(rng, base, problems, solvable),
        counts_of(rng, rl, problems, solvable),
    )


def known(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not math.isnan(value)


def value_of(row: dict[str, Any], stem: str, table: str) -> Any:
    """The value whose limits are `stem`_low and `stem`_high (stem "" for low and high)."""
    stem = VALUE_OF[stem] if stem == "new_tasks" else stem.removesuffix("_tasks")
    shares = [row.get(f"{label}_share") for label in ("preserved", "expanded", "shrunk")]
    if stem in RATIOS and stem not in row and "preserved_share" in row:
        return float(getattr(support_ratios(*shares), stem))
    names = (
        [f"{stem}_share", stem, VALUE_OF.get(stem, stem)]
        if stem
        else ["value", "beta", "estimate", "k_star"]
    )
    for name in names:
        if name in row:
            return row[name]
    raise AssertionError(f"{table}: no value for the limits {stem}_low, {stem}_high in {list(row)}")


def limits(table: str, rows: list[dict[str, Any]]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Every (place, low, value, high) of a table's rows."""
    for i, row in enumerate(rows):
        for key in row:
            if key == "low" or key.endswith("_low"):
                stem = key[: -len("_low")] if key != "low" else ""
                high = row.get(f"{stem}_high" if stem else "high", math.nan)
                yield f"{table}[{i}].{key}", row[key], value_of(row, stem, table), high
            if key == "high" or key.endswith("_high"):
                assert f"{key[: -len('high')]}low" in row, f"{table}: {key} has no lower limit"
            stem = key[: -len("_least")]
            if key == "median" or (key.endswith("_least") and f"{stem}_most" in row):
                names = ("lower", "upper") if key == "median" else (key, f"{stem}_most")
                middle = row["median"] if key == "median" else row.get(stem, math.nan)
                yield f"{table}[{i}].{key}", row[names[0]], middle, row[names[1]]


def outside(report: Report) -> list[str]:
    """The places where a value lies outside its limits, or has limits in the wrong order."""
    found = []
    for name, table in report.tables.items():
        for place, low, value, high in limits(name, table.rows):
            ordered = [x for x in (low, value, high) if known(x)]
            if any(a > b + SLACK for a, b in itertools.pairwise(ordered)):
                found.append(f"{place}: {low} {value} {high}")
    return found


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_every_value_lies_in_its_own_interval(tmp_path: Path, name: str, seed: int) -> None:
    base, rl = planted(tmp_path, name, seed)
    runs = write(tmp_path / "base", base), write(tmp_path / "rl", rl, seed=1)
    for rule in ("seen", "epsilon"):
        assert outside(report_of(*runs, CompareOptions(rule=rule))) == []


def test_the_walk_finds_a_value_outside(tmp_path: Path) -> None:
    base, rl = planted(tmp_path, "equal", 0)
    report = report_of(write(tmp_path / "base", base), write(tmp_path / "rl", rl, seed=1))
    assert sum(len(list(limits(n, t.rows))) for n, t in report.tables.items()) > 300
    row = report.tables["pass_at_k"].rows[0]
    row["base"] = row["base_high"] + 0.01
    assert len(outside(report)) == 1


# Words with which a page says that a change is more than luck.
CLAIM = re.compile(
    r"more than luck|not luck|beyond luck|unlikely by luck|proven|significant"
    r"|adjusted p < |adjusted p = 0\.0[0-4]",
    re.IGNORECASE,
)
NO_CLAIM = re.compile(r"\b(no|not|none|nothing|neither|0)\b[^.;]*$", re.IGNORECASE)


def claims(report: Report) -> list[str]:
    """Everything on a report that says a change is more than luck."""
    found = []
    for match in CLAIM.finditer(report.headline()):
        if not NO_CLAIM.search(report.headline()[: match.start()]):
            found.append(f"headline: {report.headline()}")
    for name, table in report.tables.items():
        if name == "guessing":
            continue  # against a guesser, not between the models
        for i, row in enumerate(table.rows):
            for key, value in row.items():
                is_p = re.search(r"^[pq]_|_[pq]$|^[pq]$|adjusted", key)
                if is_p and known(value) and value <= 0.05:
                    found.append(f"{name}[{i}].{key} = {value}")
                if key in ("worse", "better", "less_often", "more_often") and value:
                    found.append(f"{name}[{i}].{key} = {value}")
                if key == "changed" and value not in (None, "", "–", "no", False):
                    found.append(f"{name}[{i}].{key} = {value}")
            for stem in ("difference", "beta"):
                low, high = row.get(f"{stem}_low"), row.get(f"{stem}_high")
                if known(low) and known(high) and not low <= 0 <= high:
                    found.append(f"{name}[{i}].{stem}: {low} to {high}")
    return found


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_identical_runs_give_no_claim(tmp_path: Path, name: str, seed: int) -> None:
    """A run against itself, and against other draws with the same counts."""
    counts, _ = planted(tmp_path, name, seed)
    base = write(tmp_path / "base", counts)
    for rl in (base, write(tmp_path / "rl", counts, seed=1)):
        for rule in ("seen", "epsilon"):
            assert claims(report_of(base, rl, CompareOptions(rule=rule))) == []


def test_the_walk_finds_a_claim(tmp_path: Path) -> None:
    base = write(tmp_path / "base", [[20, 0, 20, 8, 0]] * 12 + [[0, 0, 48, 0, 0]] * 12)
    rl = write(tmp_path / "rl", [[0, 0, 48, 0, 0]] * 12 + [[0, 0, 48, 0, 0]] * 12, seed=1)
    found = " ".join(claims(report_of(base, rl)))
    for place in ("evidence", "problem_evidence", "pass_at_k"):
        assert place in found


@pytest.mark.slow
def test_equal_models_with_unequal_draws_rarely_give_a_claim(tmp_path: Path) -> None:
    """256 against 32 draws of two equal models: at most 5 % of the pages hold a claim of support.

    Differences of accuracy are intervals at 95 % each, and are not counted here.
    """
    rng = np.random.default_rng(5)
    pages = 24
    said = 0
    for i in range(pages):
        rate = rng.beta(0.15, 1.0, 60)
        law = np.stack([rate, 0 * rate, *((1 - rate) * part for part in (0.5, 0.3, 0.2))], axis=1)
        drawn = [[rng.multinomial(n, p / p.sum()).tolist() for p in law] for n in (256, 32)]
        report = report_of(
            write(tmp_path / f"base {i}", drawn[0]), write(tmp_path / f"rl {i}", drawn[1], seed=1)
        )
        said += any("headline" in claim or "changed" in claim for claim in claims(report))
    # more than 4 of 24 at a rate of 5 % has a probability below 1 %
    assert said <= 4

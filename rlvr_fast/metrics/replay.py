"""Recomputes every number of the two papers' tables that follows from other printed numbers.

A printed number agrees when the recomputed number lies within half a unit of its last digit, or
within one unit where it is a mean of printed, and so rounded, numbers. Numbers that disagree are
named in `MISPRINTS`. A row outside that list that disagrees, or a row of that list that agrees, is
an error of this package or of the transcription.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from rlvr_fast.metrics.summaries import delta_se, solvable_coverage
from rlvr_fast.metrics.support import SupportShift

__all__ = ["MISPRINTS", "ReplayRow", "replay"]


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One number of a table, as printed and as recomputed.

    Attributes:
        source: paper and table.
        row: row of the table.
        quantity: name of the number.
        printed: the number as printed; None where the paper leaves it out.
        recomputed: the number that follows from the other printed numbers.
        agrees: whether both agree; None where nothing was printed.
        misprint: whether the row is one of `MISPRINTS`.
    """

    source: str
    row: str
    quantity: str
    printed: str | None
    recomputed: float
    agrees: bool | None
    misprint: bool


# (source, row, quantity) of the printed numbers that do not follow from the printed counts.
MISPRINTS: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("Leash table 1", "PRORL-1.5B-V1 Overall", "NDR"),
        ("Leash table 1", "NEMOTRON-1-7B Non-Math", "SRR"),
        ("Leash table 1", "NEMOTRON-1-7B Non-Math", "SDS"),
        ("Leash table 1", "NEMOTRON-1-14B Non-Math", "NSCR"),
        ("Leash table 1", "KANGHENG-OVR-7B Math", "SRR"),
        ("Leash table 7", "AceReason-Nemotron-1-7B Overall", "SRR"),
        ("Leash table 8", "Skywork-OR1-7B Math", "NSCR"),
        ("Leash table 8", "Skywork-OR1-7B Overall", "SDS"),
        ("Leash table 8", "Skywork-OR1-7B Overall", "NSCR"),
    }
)


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("rlvr_fast.metrics").joinpath("published", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _agrees(printed: str, value: float, units: float) -> bool:
    digits = len(printed.partition(".")[2])
    # 1e-9 of tolerance: a value exactly between two printable numbers may be rounded either way
    return abs(float(printed) - value) <= units * 10.0**-digits + 1e-9


def _row(
    source: str,
    row: str,
    quantity: str,
    printed: str | None,
    value: float,
    *,
    units: float = 0.5,
) -> ReplayRow:
    agrees = None if printed is None else _agrees(printed, value, units)
    misprint = (source, row, quantity) in MISPRINTS
    return ReplayRow(source, row, quantity, printed, value, agrees, misprint)


def _support(source: str, row: str, cells: dict[str, str]) -> Iterator[ReplayRow]:
    shift = SupportShift.from_counts(*(int(cells[name]) for name in "PESO"))
    for quantity in ("SRR", "NDR", "SDS", "NSCR"):
        yield _row(source, row, quantity, cells[quantity], getattr(shift, quantity.lower()))


def _leash_support() -> Iterator[ReplayRow]:
    for cells in _rows("leash_table1_support.csv"):
        yield from _support("Leash table 1", f"{cells['model']} {cells['domain']}", cells)
    per_dataset = _rows("leash_tables3_6-9_per_dataset.csv")
    for cells in per_dataset:
        source = f"Leash table {cells['table']}"
        row = f"{cells['target_model']} {cells['dataset']}"
        yield from _support(source, row, cells)
        p, e, s, o = (int(cells[name]) for name in "PESO")
        total = p + e + s + o
        for quantity, solved in (("base_pass_pct", p + s), ("target_pass_pct", p + e)):
            yield _row(source, row, quantity, cells[quantity], 100 * solved / total)
    math_sets = {"AIME2024", "AIME2025", "AMC23", "MATH500", "Minerva", "Olympiad"}
    for cells in _rows("leash_tables6-9_aggregates.csv"):
        source = f"Leash table {cells['table']}"
        row = f"{cells['target_model']} {cells['domain']}"
        yield from _support(source, row, cells)
        parts = [
            r
            for r in per_dataset
            if r["table"] == cells["table"]
            and (
                cells["domain"] == "Overall"
                or (r["dataset"] in math_sets) == (cells["domain"] == "Math")
            )
        ]
        for name in "PESO":
            total = sum(int(part[name]) for part in parts)
            yield _row(source, row, f"{name} (sum)", cells[name], total)


def _leash_curves_and_entropy() -> Iterator[ReplayRow]:
    # table 14's last column and table 3's pass rates print the same quantity
    names = {"AIME24": "AIME2024", "AIME25": "AIME2025"}
    at_256 = {
        (names.get(r["dataset"], r["dataset"]), r["target_model"].split()[-1]): r
        for r in _rows("leash_tables3_6-9_per_dataset.csv")
        if r["table"] == "3"
    }
    for cells in _rows("leash_table14_pass_at_k.csv"):
        counts = at_256[cells["dataset"], cells["training"]]
        p, e, s, o = (int(counts[name]) for name in "PESO")
        row = f"{cells['training']} {cells['dataset']}"
        value = 100 * (p + e) / (p + e + s + o)
        yield _row("Leash table 14", row, "pass@256", cells["pass@256"], value)
    for cells in _rows("leash_table5_entropy.csv"):
        parts = [float(cells[d]) for d in ("AIME24", "AMC23", "MATH500", "Minerva", "Olympiad")]
        row = f"{cells['model']} {cells['metric']}"
        # the five averaged numbers are rounded to the same digit: half a unit more
        average = math.fsum(parts) / len(parts)
        yield _row("Leash table 5", row, "Avg", cells["Avg"], average, units=1.0)


def _limit() -> Iterator[ReplayRow]:
    coverage: dict[str, list[dict[str, str]]] = {}
    for cells in _rows("limit_solvable_problems.csv"):
        coverage.setdefault(cells["benchmark"], []).append(cells)
    for benchmark, (base, rl) in coverage.items():
        first = 400 if "[400..450]" in benchmark else 0
        number = int(base["n_problems"])
        solved = [{int(i) for i in cells["solvable_indices"].split()} for cells in (base, rl)]
        split = solvable_coverage(range(first, first + number), *solved)
        row = f"{rl['model']} {benchmark}"
        for quantity in ("both", "base_only", "rl_only", "neither"):
            value = len(getattr(split, quantity))
            yield _row("Limit tables 4-5", row, quantity, None, value)
    algorithms = _rows("limit_rl_algorithms.csv")
    base = algorithms[0]
    for cells in algorithms[1:]:
        for part in ("omni_train", "omni_test", "math500"):
            gap = float(delta_se(float(base[f"{part}_p256"]), float(cells[f"{part}_p1"])))
            yield _row("Limit section 4.3", f"{cells['model']} {part}", "delta-SE", None, gap)


def replay() -> list[ReplayRow]:
    """Every recomputed number, in the order of the papers' tables.

    >>> rows = replay()
    >>> all(row.agrees is not False or row.misprint for row in rows)
    True
    """
    return [*_leash_support(), *_leash_curves_and_entropy(), *_limit()]

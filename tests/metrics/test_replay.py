"""The numbers of both papers' tables follow from their counts, except the listed misprints."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from rlvr_fast.metrics.replay import MISPRINTS, ReplayRow, replay

PUBLISHED = Path(__file__).parents[2] / "rlvr_fast" / "metrics" / "published"
SHARED = Path(os.environ.get("RLVR_SHARED", Path(__file__).parents[2] / ".." / "shared"))


@pytest.fixture(scope="module")
def rows() -> list[ReplayRow]:
    return replay()


def test_exactly_the_known_misprints_disagree(rows: list[ReplayRow]) -> None:
    wrong = {(r.source, r.row, r.quantity) for r in rows if r.agrees is False}
    assert wrong == MISPRINTS
    assert len(MISPRINTS) == 9
    assert {(r.source, r.row, r.quantity) for r in rows if r.misprint} == MISPRINTS


def test_every_published_row_is_replayed(rows: list[ReplayRow]) -> None:
    def lines(name: str) -> int:
        with (PUBLISHED / name).open(newline="") as file:
            return sum(1 for _ in csv.DictReader(file))

    for quantity in ("SRR", "NDR", "SDS", "NSCR"):
        support = (
            lines("leash_table1_support.csv")
            + lines("leash_tables3_6-9_per_dataset.csv")
            + lines("leash_tables6-9_aggregates.csv")
        )
        assert sum(r.quantity == quantity for r in rows) == support
    datasets = lines("leash_tables3_6-9_per_dataset.csv")
    assert sum(r.quantity == "base_pass_pct" for r in rows) == datasets
    assert sum(r.quantity == "target_pass_pct" for r in rows) == datasets
    assert sum(r.quantity == "Avg" for r in rows) == lines("leash_table5_entropy.csv")
    assert sum(r.quantity == "delta-SE" for r in rows) == 3 * (lines("limit_rl_algorithms.csv") - 1)


def test_coverage_and_gap_of_the_limit_paper(rows: list[ReplayRow]) -> None:
    value = {(r.source, r.row, r.quantity): r.recomputed for r in rows}

    def split(row: str) -> list[float]:
        names = ("both", "base_only", "rl_only", "neither")
        return [value["Limit tables 4-5", row, name] for name in names]

    # counted by hand from the two index lists of each benchmark
    assert split("SimpleRL-Qwen2.5-7B AIME24") == [19, 4, 0, 7]
    assert split("Coder-R1 LiveCodeBench[400..450]") == [19, 4, 1, 27]
    assert value["Limit section 4.3", "GRPO omni_train", "delta-SE"] == pytest.approx(41.1)


def test_packaged_tables_equal_the_shared_tables() -> None:
    shared = SHARED / "published"
    if not shared.is_dir():
        pytest.skip(f"the shared tables are not at {shared}")
    names = sorted(p.name for p in shared.glob("*.csv"))
    assert names == sorted(p.name for p in PUBLISHED.glob("*.csv"))
    for name in names:
        assert (PUBLISHED / name).read_bytes() == (shared / name).read_bytes(), name

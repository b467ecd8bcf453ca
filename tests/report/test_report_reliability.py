"""pass^k, G-Pass@k, Cover@tau, maj@k and Bayes@N on the page and in the tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rlvr_fast.metrics import bayes_at_n, cover_at, g_pass_at_k, mg_pass_at_k, pass_hat_k
from rlvr_fast.report import Report
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sides import curve_depth


def _row(report: Report, quantity: str, k: int, tau: float | None = None) -> dict[str, Any]:
    mine = [
        row
        for row in report.tables["reliability"].rows
        if (row["kind"], row["quantity"], row["k"]) == ("overall", quantity, k)
        and (tau is None or row["tau"] == tau)
    ]
    assert len(mine) == 1, (quantity, k, tau)
    return mine[0]


def test_the_table_holds_what_the_metrics_give(built: Report) -> None:
    base, rl = built.comparison.sides
    depth = curve_depth(base, rl)
    rows = np.minimum(base.num_samples, rl.num_samples) >= depth
    for side in (base, rl):
        n, c = side.draws[rows]

        def value(quantity: str, k: int, tau: float | None = None, name: str = side.name) -> float:
            return float(_row(built, quantity, k, tau)[name])

        assert value("pass^k", 4) == pytest.approx(pass_hat_k(n, c, k=4).mean())
        assert value("G-Pass@k", 4, 0.5) == pytest.approx(g_pass_at_k(n, c, k=4, tau=0.5).mean())
        assert value("mG-Pass@k", 4) == pytest.approx(mg_pass_at_k(n, c, k=4).mean())
        assert value("Bayes@N", depth) == pytest.approx(bayes_at_n(n, c, draws=depth).value)
        if (n == depth).all():
            assert value("Cover@tau", depth, 0.5) == pytest.approx(float(cover_at(n, c, tau=0.5)))
            assert value("Cover@tau", depth, 1.0) == pytest.approx((c == n).mean())
            assert value("pass^k", depth) == value("Cover@tau", depth, 1.0)


def test_every_value_lies_in_its_interval(built: Report) -> None:
    rows = built.tables["reliability"].rows
    assert {row["kind"] for row in rows} >= {"overall", "task"}
    for row in rows:
        assert row["difference"] == pytest.approx(row["rl"] - row["base"])
        assert row["difference_low"] - 1e-9 <= row["difference"] <= row["difference_high"] + 1e-9
        assert 0 <= row["base"] <= 1
        assert (row["error"] == 0) == (row["quantity"] != "maj@k" or row["error"] == 0)
    majority = [row for row in rows if row["quantity"] == "maj@k" and row["kind"] == "overall"]
    assert any(row["error"] > 0 for row in majority)
    assert majority[-1]["error"] == 0  # with all draws nothing is left to choose


def test_the_page_shows_the_section(built: Report) -> None:
    page = render_page(built)
    section = page[page.index('<section id="reliability"') :]
    section = section[: section.index("</section>")]
    for name in ("pass^k", "G-Pass@k", "mG-Pass@k", "Cover@tau", "maj@k", "Bayes@N"):
        assert name in section
    assert "nan" not in section.lower().replace("finance", "")
    assert "cover" in built.figures
    said = built.summary()["reliability"]
    assert all(math.isfinite(row["difference"]) for row in said)

"""Runs of bench/gpu_peers.py: budget, order, resume, and processes that die or hang."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gpu_peers
import pytest
from peers.plan import Case, parse_case

QUICK = ["--device", "cpu", "--peers", "torch.mm alone", "dies", "hangs"]


def rows_of(out: Path) -> list[dict]:
    return json.loads((out / "gpu_peers.json").read_text("utf-8"))["rows"]


def shapes_of(rows: list[dict]) -> list[tuple[int, int]]:
    return list(dict.fromkeys((row["rows"], row["session"]) for row in rows if "job" in row))


@pytest.mark.slow
def test_a_run_is_recorded_and_resumed(tmp_path, capfd):
    first = ["--out", str(tmp_path), *QUICK]
    assert gpu_peers.main([*first, "--cases", "3x16x40", "2x16x40"]) == 0
    rows = rows_of(tmp_path)
    assert shapes_of(rows) == [(3, 0), (2, 0)]  # in the requested order
    (session,) = [row for row in rows if "date" in row]
    assert session["cases"] == 2
    assert session["product_tflop_per_s"] > 0
    assert session["packages"]["torch"]
    assert "0 of 2 left" in capfd.readouterr().out

    again = [*first, "--resume", str(tmp_path / "gpu_peers.json")]
    assert gpu_peers.main([*again, "--cases", "3x16x40", "2x16x40", "divergence:4x16x40"]) == 0
    rows = rows_of(tmp_path)
    assert shapes_of(rows) == [(3, 0), (2, 0), (4, 1)]
    assert [row["session"] for row in rows if "date" in row] == [0, 1]


def test_a_newly_installed_peer_is_measured(monkeypatch):
    case = Case("linear", 3, 16, 40)
    row = {"job": "linear", "rows": 3, "width": 16, "vocabulary": 40, "status": "absent",
           "peer": "torch.mm alone", "gives": "nothing"}  # fmt: skip
    assert gpu_peers.unfinished([case], [row]) == [case]
    assert gpu_peers.unfinished([case], [{**row, "status": "measured"}]) == []
    assert gpu_peers.unfinished([case], [{**row, "peer": "no such peer"}]) == []


@pytest.mark.slow
def test_shapes_beyond_the_budget_are_left_out(tmp_path):
    """A large shape exceeds the budget, a later small shape does not; the file lists both."""
    status = gpu_peers.main(
        ["--out", str(tmp_path), *QUICK, "--budget", "40",
         "--cases", "65536x5120x152064", "2x16x40"]
    )  # fmt: skip
    assert status == 0
    rows = rows_of(tmp_path)
    assert shapes_of(rows) == [(2, 0)]
    assert rows[-1]["left_out"] == ["linear:65536x5120x152064"]


@pytest.mark.slow
def test_a_rival_that_dies_or_hangs_ends_only_the_worker_process(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(gpu_peers, "GRACE", 3.0)
    monkeypatch.setattr(gpu_peers, "WORKER", "dying_worker")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[2]}")
    status = gpu_peers.main(
        ["--out", str(tmp_path), *QUICK, "--prepare", "12", "--cases", "2x16x40", "3x16x40"]
    )
    assert status == 0, capfd.readouterr().err
    found = {(row["rows"], row["peer"]): row for row in rows_of(tmp_path) if "job" in row}
    assert "ended (-9)" in found[2, "dies"]["note"]
    assert "ended (-9)" in found[3, "dies"]["note"]
    assert "no answer" in found[2, "hangs"]["note"]
    assert "linear 2 x 16 x 40" in found[3, "hangs"]["note"]  # not run again
    assert {found[n, "torch.mm alone"]["status"] for n in (2, 3)} == {"measured"}


def test_without_a_gpu_the_script_reports_the_missing_gpu(capfd):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert gpu_peers.main([]) == 2
    assert "NVIDIA GPU" in capfd.readouterr().err


def test_the_plan_is_listed(capfd):
    assert gpu_peers.main(["--list"]) == 0
    out = capfd.readouterr().out
    assert "rlvr_fast portable (everything): linear_token_stats" in out
    assert str(parse_case("8192x3584x152064")) in out
    assert sys.modules["peers.rivals"].RIVALS[0].name in out

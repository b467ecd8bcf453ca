"""Measuring one shape on the CPU: checks, timings, and rivals that are not timed."""

from __future__ import annotations

import time

import pytest
import torch
from peers import measure
from peers.inputs import checked_rows, errors, make_inputs, reference
from peers.measure import Device, DeviceLost, ShapeBench, time_limit
from peers.plan import Case
from peers.rivals import LOGPROB, RIVALS, Rival

CASE = Case("linear", 20, 32, 300)
PAIR = Case("divergence", 20, 32, 300)
RUNS_HERE = ("rlvr_fast portable", "eager PyTorch", "torch.mm alone")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(measure, "TIMED_SECONDS", 0.02)


def bench_of(*rivals, **options):
    return ShapeBench(Device("cpu"), rivals, **options)


def rival(build, name="peer", **options):
    return Rival(name, LOGPROB, "torch", ("torch",), "", build, **options)


def exact_logprob(inputs):
    log_p = torch.log_softmax(inputs.hidden.double() @ inputs.weight.double().t(), -1)
    return log_p.gather(-1, inputs.targets[:, None])[:, 0].float()


@pytest.mark.parametrize("case", [CASE, PAIR], ids=["linear", "divergence"])
def test_rivals_are_checked_and_timed(case):
    bench = bench_of(*(r for r in RIVALS if r.name in RUNS_HERE))
    rows = bench.run(case)
    assert {row["peer"] for row in rows} == set(RUNS_HERE)
    for row in rows:
        assert row["status"] == "measured", row
        assert 0 < row["min_ms"] <= row["median_ms"] <= row["max_ms"]
        assert row["rounds"] >= 5
        made = 1 if row["gives"] == "nothing" else case.products
        operations = 2.0 * made * case.rows * case.width * case.vocabulary
        assert row["tflop_per_s"] == pytest.approx(operations / row["median_ms"] / 1e9)
        assert row["share_of_product"] == pytest.approx(
            row["tflop_per_s"] / row["product_tflop_per_s"]
        )
        if row["gives"] != "nothing":
            assert row["error_nats"] < 1e-4
        assert row.get("batch_invariant") is (True if row["peer"].startswith("rlvr") else None)


def test_the_reference_matches_the_definition():
    inputs = make_inputs(CASE, torch.device("cpu"), torch.float32)
    exact = reference(inputs)
    rows = checked_rows(CASE.rows)
    x = inputs.hidden[rows].double() @ inputs.weight.double().t()
    for i, row in enumerate(rows.tolist()):
        z, target = x[i], int(inputs.targets[row])
        p = z.exp() / z.exp().sum()
        above = z > z[target]
        assert exact["logprob"][i] == pytest.approx(float(p[target].log()))
        assert exact["entropy"][i] == pytest.approx(float(-(p * p.log()).sum()))
        assert exact["rank"][i] == int(above.sum())
        assert exact["mass_above"][i] == pytest.approx(float(p[above].sum()))
    assert (
        exact["rank"][::2] == 0
    ).all()  # in every second row the target is the most likely token


def test_nan_counts_as_an_infinite_error():
    inputs = make_inputs(CASE, torch.device("cpu"), torch.float32)
    out = exact_logprob(inputs)
    assert errors({"logprob": out}, reference(inputs))["logprob"] < 1e-6
    out[0] = float("nan")
    assert errors({"logprob": out}, reference(inputs))["logprob"] == float("inf")


def test_a_wrong_result_is_listed_and_not_timed():
    def off(inputs):
        return lambda: {"nll": 1.0 - exact_logprob(inputs)}

    (row,) = bench_of(rival(off)).run(CASE)
    assert row["status"] == "wrong"
    assert row["error_nats"] == pytest.approx(1.0, rel=1e-5)
    assert "median_ms" not in row


def test_the_error_limit_is_stricter_for_rlvr_fast():
    def slightly_off(inputs):
        return lambda: {"logprob": exact_logprob(inputs) + 1e-3}

    rows = bench_of(
        rival(slightly_off, "ours", ours=True), rival(slightly_off, "theirs")
    ).run(CASE)  # fmt: skip
    assert [row["status"] for row in rows] == ["wrong", "measured"]


def test_bits_that_depend_on_the_batch_are_reported():
    def by_batch(inputs):
        return lambda: {"logprob": exact_logprob(inputs) + 1e-6 * len(inputs.hidden)}

    (row,) = bench_of(rival(by_batch, ours=True)).run(CASE)
    assert row["status"] == "measured"
    assert row["batch_invariant"] is False


@pytest.mark.slow
def test_an_error_is_listed_and_other_rivals_are_timed():
    def broken(inputs):
        raise ValueError("no kernel for H = 32\nand more")

    def breaks_later(inputs):
        calls = []

        def work():
            calls.append(1)
            if len(calls) > 7:
                raise RuntimeError("failed after some calls")
            return {"logprob": exact_logprob(inputs)}

        return work

    good = next(r for r in RIVALS if r.name == "torch.mm alone" and r.job == "linear")
    rows = bench_of(rival(broken), rival(breaks_later), good).run(CASE)
    assert [row["status"] for row in rows] == ["error", "error", "measured"]
    assert rows[0]["note"] == "ValueError: no kernel for H = 32"
    assert "failed after some calls" in rows[1]["note"]


def test_a_rival_that_exceeds_the_preparation_time_is_excluded():
    begun = []

    def slow(inputs):
        begun.append(1)
        try:
            time.sleep(1000)
        except Exception:  # as the fallback of a library does
            return lambda: {"logprob": exact_logprob(inputs)}

    bench = bench_of(rival(slow), prepare_seconds=0.2)
    (row,) = bench.run(CASE)
    assert row["status"] == "error"
    assert "not ready in" in row["note"]
    (row,) = bench.run(CASE)
    assert str(CASE) in row["note"]
    assert len(begun) == 1


def test_no_alarm_fires_after_the_block():
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_missing_large_and_slow_rivals_are_not_run(monkeypatch):
    def never(inputs):
        raise AssertionError("the rival was run")

    absent = Rival("peer", LOGPROB, "none", ("no_such_module",), "", never)
    large = rival(never, memory=lambda case: 1e12)
    monkeypatch.setattr(Device, "free_bytes", lambda self: 1e11)
    bench = bench_of(absent, large)
    rows = bench.run(CASE)
    assert [row["status"] for row in rows] == ["absent", "skipped"]
    assert rows[0]["note"] == "no module no_such_module"
    assert "931 GiB" in rows[1]["note"]
    slow = rival(never, "slow")
    bench = bench_of(slow)
    bench.forecast.learn(slow.key, CASE, bench.limits, 60.0, 1.0)
    (row,) = bench.run(CASE)
    assert (row["status"], row["note"]) == ("skipped", "a call is expected to take 60.0 s")


@pytest.mark.parametrize("refuses", ["synchronize", "release"])
def test_a_lost_device_ends_the_process(monkeypatch, refuses):
    def broken(inputs):
        raise RuntimeError("an illegal memory access was encountered")

    def gone(self):
        raise RuntimeError("an illegal memory access was encountered")

    bench = bench_of(rival(broken, "peer"))
    monkeypatch.setattr(Device, refuses, gone)
    with pytest.raises(DeviceLost, match=r"peer .*illegal memory"):
        bench.run(CASE)

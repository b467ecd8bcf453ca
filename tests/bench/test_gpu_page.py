"""The sections of bench/README.md on GPU results."""

from __future__ import annotations

import gpu_page
import pytest
from peers import page
from peers.plan import Case


def row(peer, gives, case, milliseconds, *, product=800.0, copy=4000.0, **more):
    seconds = milliseconds / 1e3
    return {
        "what": f"{case} {peer}", "job": case.job, "rows": case.rows, "width": case.width,
        "vocabulary": case.vocabulary, "peer": peer, "gives": gives, "session": 0,
        "status": "measured", "median_ms": milliseconds, "error_nats": 1e-6, "peak_bytes": 1 << 20,
        "tflop_per_s": case.operations / seconds / 1e12,
        "share_of_product": case.operations / seconds / (product * 1e12),
        "share_of_copy": case.bytes_read / seconds / (copy * 1e9), **more,
    }  # fmt: skip


def cells(lines, start):
    (line,) = [line for line in lines if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


LARGE = Case("linear", 8192, 3584, 152064)
SMALL_WIDTH = Case("linear", 8192, 1024, 151936)
FEW = Case("linear", 16, 3584, 152064)


@pytest.mark.parametrize("show", [gpu_page.kernels, page.peers])
def test_without_results_every_target_is_not_yet_measured(show):
    lines = show([])
    assert len(lines) > 6
    assert all(line.split("|")[3].strip() == "not yet measured" for line in lines[2:])


def test_targets_show_the_measurement_and_whether_the_target_is_met():
    perfect = LARGE.operations / 800e12 * 1e3
    narrow = SMALL_WIDTH.operations / 800e12 * 1e3
    rows = [
        row("rlvr_fast fused", "everything", LARGE, perfect / 0.96, batch_invariant=True),
        row("rlvr_fast portable", "everything", LARGE, perfect / 0.5, batch_invariant=True),
        row("quack", "log-prob", LARGE, perfect / 0.93),
        row("rlvr_fast fused", "everything", SMALL_WIDTH, narrow / 0.9, batch_invariant=False),
        row("verl Triton", "log-prob + entropy", SMALL_WIDTH, narrow / 0.85),
        row("quack", "log-prob", SMALL_WIDTH, narrow / 0.99),  # gives less, so not compared
        row("Liger Triton", "log-prob", SMALL_WIDTH, narrow / 0.1, error_nats=3e-2,
            rounds_logits=True),
        row("rlvr_fast fused", "everything", FEW, FEW.bytes_read / 4e12 * 1e3 / 0.4,
            graph_ms=FEW.bytes_read / 4e12 * 1e3 / 0.81, batch_invariant=True),
    ]  # fmt: skip
    lines = page.peers(rows)
    _, measured, met = cells(lines, "all outputs, H >= 3584, N >= 8192")[1:]
    assert met == "yes"
    assert measured == "96.0% at least (rlvr_fast fused, 1 shapes); 1.03x quack at least"
    _, measured, met = cells(lines, "all outputs, H in {1024, 1536}, N >= 8192")[1:]
    assert met == "**no**"
    assert "1.06x verl Triton" in measured
    assert cells(lines, "N <= 256")[2:] == [
        "81.0% at least, 1 shapes, 1 of them from a graph",
        "yes",
    ]
    assert cells(lines, "worst error")[3] == "yes"
    assert cells(lines, "batch invariance")[2:] == ["3 of 4 results", "**no**"]
    assert cells(lines, "V = 50 257 and 152 064, beside 50 432 and 155 648")[2:] == [
        "not yet measured", "",
    ]  # fmt: skip


def test_a_ragged_vocabulary_is_compared_with_the_next_aligned_one():
    ragged, aligned = LARGE._replace(vocabulary=50257), LARGE._replace(vocabulary=50432)
    rows = [
        row("rlvr_fast fused", "everything", ragged, 4.0),
        row("rlvr_fast fused", "everything", aligned, 4.0),
    ]
    line = cells(page.peers(rows), "V = 50 257 and 152 064, beside 50 432 and 155 648")
    assert line[2:] == ["99.7% of the rate at least, 1 pairs", "yes"]
    rows[0] = row("rlvr_fast portable", "everything", ragged, 4.0)  # another kernel, so no pair
    line = cells(page.peers(rows), "V = 50 257 and 152 064, beside 50 432 and 155 648")
    assert line[2] == "not yet measured"


def test_the_table_shows_every_rival():
    rows = [
        row("rlvr_fast fused", "everything", LARGE, 14.0),
        row("quack", "log-prob", LARGE, 13.0),
        row("verl Triton", "log-prob + entropy", LARGE, 20.0),
        row("torch.mm alone", "nothing", LARGE, 12.0),
        {**row("Liger CuTe-DSL", "log-prob", LARGE, 1.0), "status": "error",
         "note": "RuntimeError: a | b"},
        {**row("Liger CuTe-DSL", "log-prob", FEW, 1.0), "status": "error",
         "note": "RuntimeError: a | b"},
        row("rlvr_fast fused", "everything", FEW, 0.5, graph_ms=0.3),
    ]  # fmt: skip
    for left_out in rows[4:6]:
        for key in ("median_ms", "tflop_per_s", "share_of_product", "share_of_copy"):
            del left_out[key]
    lines = page.peers(rows)
    header = next(line for line in lines if line.startswith("| shape |"))
    assert header.count("|") == 6  # a rival without a measurement has no column
    line = cells(lines, "8192 x 3584 x 152064")
    assert [cell.split(" ")[0] for cell in line[1:]] == ["**14**", "**13**", "20", "12"]
    assert cells(lines, "16 x 3584 x 152064")[1] == "**0.5** (55% of copy), graph 0.3"
    (listed,) = [line for line in lines if line.startswith("| Liger CuTe-DSL: log-prob | error")]
    assert "RuntimeError: a \\| b | 2 shapes, 8192 x 3584 x 152064 the first" in listed


def test_the_targets_of_the_kernels():
    def timed(what, milliseconds, share, limit="copy", **more):
        return {"what": what, "median_ms": milliseconds, "spread": 0.01, "limit": limit,
                "limit_ms": milliseconds * share, "share_of_limit": share, **more}  # fmt: skip

    rows = [
        {"what": "limits", "device": "a GPU", "copy_gb_per_s": 4000.0},
        timed("token_stats bf16 [8192, 151936]", 0.7, 0.92, error_against_float64=1e-5),
        timed("with top-p 0.95 bf16 [8192, 151936]", 1.4, 0.46),
        timed("eager PyTorch bf16 [8192, 151936]", 7.0, 0.09),
        timed("token_stats bf16 [8192, 151936] beside TRL", 0.7, 0.92),
        timed("TRL Triton bf16 [8192, 151936]", 0.9, 0.7, error_against_float64=1.0),
        timed("linear_divergence bfloat16 8192 x 4096 x 151936", 27.0, 0.95, "product"),
        {"what": "workspace of token_stats", "mebibytes": 64.0},
        timed("linear_token_stats mma bf16 8192 x 4096 x 151936", 26.0, 0.5, "product"),
        timed("linear_token_stats wgmma_pairs bf16 8192 x 4096 x 151936", 15.0, 0.86, "product"),
    ]
    lines = gpu_page.kernels(rows)
    assert cells(lines, "the same with exact top-p")[2:] == ["2x", "**no**"]
    assert cells(lines, "the same against eager PyTorch")[2:] == ["10x", "yes"]
    trl = "the same against TRL's Triton log-prob and entropy, which computes less"
    assert cells(lines, trl)[2:] == ["1.29x", "yes"]
    assert cells(lines, "`linear_divergence`, the same shape")[2:] == ["2.11x", "yes"]
    assert cells(lines, "error against float64 on the same bf16 inputs")[3] == "yes"
    assert cells(lines, "workspace")[2:] == ["64 MiB at most", "yes"]
    fused = "`linear_token_stats` fused, 8192 x 4096 x 151936 bf16, all outputs"
    assert cells(lines, fused)[2:] == ["wgmma_pairs: 15 ms, 86.0% of the product limit", "yes"]
    assert cells(gpu_page.kernels(rows[:-2]), fused)[2] == "not yet measured"

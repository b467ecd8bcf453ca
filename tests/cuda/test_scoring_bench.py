"""The benchmarks that `rlvr-fast bench` runs from the installed package."""

from __future__ import annotations

import pytest
import torch

from rlvr_fast import _core
from rlvr_fast.errors import CudaError, InvalidInputError
from rlvr_fast.scoring.kernels.benchmarks import run_benchmarks


@pytest.mark.slow
def test_every_timing_has_a_measured_limit():
    seen = []
    facts, timings = run_benchmarks(
        "cpu", quick=True, progress=lambda stage, done, total: seen.append((done, total))
    )
    assert facts["device"] == "CPU"
    assert facts["read_gb_per_s"] > 0.1
    assert len(timings) == 3
    for timing in timings:
        row = timing.row()
        assert row["median_ms"] > 0
        assert 0 < row["share_of_limit"] < 1.3
        assert row["error_against_float64"] < 2e-4
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_an_unknown_or_missing_device_is_refused():
    with pytest.raises(InvalidInputError, match="tpu"):
        run_benchmarks("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InvalidInputError, match="no CUDA device"):
            run_benchmarks("cuda")
    elif not _core.cuda.built():
        with pytest.raises(CudaError, match="RLVR_CUDA=ON"):
            run_benchmarks("cuda")

"""The build with CUDA on a machine without a GPU, and the build without CUDA."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.errors import CudaError

ROOT = Path(__file__).resolve().parents[2]

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@without_gpu
def test_the_first_cuda_call_without_gpu_raises_cuda_error():
    with pytest.raises(CudaError, match=r"not in this build|driver|no CUDA device"):
        _core.cuda.device_count()


@pytest.mark.skipif(_core.cuda.built(), reason="this build has the CUDA kernels")
def test_a_build_without_cuda_names_the_build_option():
    from rlvr_fast.scoring.kernels import cuda

    x, targets = torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64)
    for call in (
        lambda: cuda.token_stats(x, targets, 1.0, None),
        lambda: cuda.linear_token_stats(x, x, targets, None, 1.0, None, 1.0),
        lambda: cuda.linear_divergence(x, x, x, x, None, 1.0),
        lambda: _core.cuda.logits_workspace_bytes(1, 3, "float32"),
    ):
        with pytest.raises(CudaError, match="RLVR_CUDA=ON"):
            call()
    assert issubclass(CudaError, rlvr_fast.RlvrError)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kernels_compile_without_warnings_or_spills_and_need_no_cuda_library(tmp_path, capsys):
    """Needs nvcc, but no GPU and no torch."""
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(tmp_path), f"-DPython_EXECUTABLE={sys.executable}",
        "-DRLVR_CUDA=ON", "-DRLVR_WERROR=ON",
    ]  # fmt: skip
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    subprocess.run(configure, check=True, capture_output=True)
    build = subprocess.run(
        ["cmake", "--build", str(tmp_path), "--parallel", "2", "--verbose"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    log = build.stdout + build.stderr
    assert build.returncode == 0, log[-5000:]

    report = list(resources(log))
    with capsys.disabled():
        print("\narch   registers  spilled bytes  kernel")
        for arch, registers, spilled, kernel in report:
            print(f"{arch:<6} {registers:>9}  {spilled:>13}  {kernel}")
    assert {arch for arch, *_ in report} == {"sm_80", "sm_90a", "sm_100"}
    assert [row for row in report if row[2] != 0] == []

    (module,) = tmp_path.glob("_core*.so")
    if shutil.which("ldd"):
        linked = subprocess.run(["ldd", module], check=True, capture_output=True, text=True)
        assert not re.search(r"cuda|nvidia|cublas", linked.stdout)
    if torch.cuda.is_available():
        return
    program = f"""
        import importlib.util
        spec = importlib.util.spec_from_file_location("rlvr_fast._core", {str(module)!r})
        core = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(core)
        assert core.cuda.built()
        from rlvr_fast.errors import CudaError
        rows = core.cuda.LogitRows(64, "float32", 1, 3, 1, 0, 3)
        options = core.cuda.RowOptions(0, 1.0, 0, 1.0, 0.0)
        outputs = core.cuda.TokenOutputs(64, 64, 64, 64, 64)
        for call in (
            core.cuda.device_count,
            lambda: core.cuda.logits_stats(
                rows, 64, options, 64, 1 << 20, outputs, 1.0, 0, 0, core.cuda.Device(0, 0)
            ),
        ):
            try:
                call()
            except CudaError as error:
                assert "NVIDIA GPU and a driver" in str(error), error
            else:
                raise SystemExit("no CudaError")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, cwd=ROOT)


def resources(log):
    """Yields (architecture, registers, spilled bytes, kernel) from the output of -Xptxas -v."""
    entry = re.compile(
        r"Compiling entry function '(?P<kernel>\w+)' for '(?P<arch>\w+)'"
        r"(?:(?!Compiling entry).)*?(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill"
        r"(?:(?!Compiling entry).)*?Used (?P<registers>\d+) registers",
        re.DOTALL,
    )
    for found in entry.finditer(log):
        kernel = re.search(
            r"(?:_cu_[0-9a-f]{8}|\d(?=ampere|hopper))(ampere|hopper)?\d+([a-z_]+?)(?:I(\w+?)E)?E",
            found["kernel"],
        )
        name = found["kernel"]
        if kernel:
            name = f"{kernel[1] or ''} {kernel[2]}<{kernel[3] or ''}>".strip()
        spilled = int(found["stores"]) + int(found["loads"])
        yield found["arch"], int(found["registers"]), spilled, name

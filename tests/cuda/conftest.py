"""A host emulation of the kernels, so that what needs a GPU elsewhere runs here (emulation.cpp)."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build_emulation() -> Path:
    """The module, compiled once for each state of its sources."""
    import pybind11

    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler here to build the emulation of the CUDA kernels")
    sources = [ROOT / "tests/cuda/emulation.cpp", ROOT / "csrc/python/bind_cuda.cpp"]
    headers = [
        *(ROOT / "csrc/scoring/cuda").rglob("*.cuh"),
        *(ROOT / "csrc/scoring/cuda").rglob("*.hpp"),
        ROOT / "csrc/math/online_softmax.hpp",
    ]
    state = hashlib.sha256(sys.version.encode())
    for path in sorted([*sources, *headers]):
        state.update(path.read_bytes())
    folder = Path(tempfile.gettempdir()) / "rlvr_fast_emulation"
    folder.mkdir(exist_ok=True)
    module = folder / f"rlvr_fast_emulation_{state.hexdigest()[:16]}.so"
    if module.exists():
        return module
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unfinished = Path(scratch) / "module.so"
        command = [
            compiler, "-std=c++20", "-O1", "-march=native", "-fPIC", "-shared",
            "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc'}",
            f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}",
            *map(str, sources), "-o", str(unfinished),
        ]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        unfinished.replace(module)
    return module


@pytest.fixture(scope="session")
def emulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rlvr_fast_emulation", build_emulation())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernels:
    """`rlvr_fast.scoring.cuda` for tensors of the CPU: moved to where it runs, and back."""

    def __init__(self, module: ModuleType, device: str) -> None:
        self.module = module
        self.device = device

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.module, name)

        def call(*arguments: Any) -> Any:
            result = function(*(self._moved(a) for a in arguments))
            if name == "nucleus_stats":
                stats, logprob, kept_mass = result
                return stats._make(v.cpu() for v in stats), logprob.cpu(), kept_mass.cpu()
            return result._make(value.cpu() for value in result)

        return call

    def _moved(self, value: Any) -> Any:
        import torch

        if not isinstance(value, torch.Tensor) or self.device == "cpu":
            return value
        if value._base is None:
            return value.to(self.device)
        # A view keeps its strides, which are often what is tested.
        base = value._base.to(self.device)
        return base.as_strided(value.shape, value.stride(), value.storage_offset())


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The CUDA path: on a GPU where one is, and on the CPU through the emulation."""
    import torch

    from rlvr_fast.scoring import cuda

    if request.param == "gpu":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        return Kernels(cuda, "cuda")

    return emulate(request.getfixturevalue("emulation"), monkeypatch)


@pytest.fixture
def emulated(emulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The CUDA path through the emulation, whatever is here."""
    return emulate(emulation, monkeypatch)


def emulate(emulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    import torch

    from rlvr_fast.scoring import cuda

    monkeypatch.setattr(cuda, "_core", SimpleNamespace(cuda=emulation.cuda))
    monkeypatch.setattr(cuda, "_device", lambda device: emulation.cuda.Device(0, 0))

    # 16-bit products in float32 exist on CUDA alone; the products of their float32 copies are the
    # same numbers, summed in another order.
    def multiply(self: Any, block: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return torch.mm(block.float(), columns.float().t(), out=self._tile)

    monkeypatch.setattr(cuda.Product, "_multiply", multiply)
    return Kernels(cuda, "cpu")

"""Fixtures for the CUDA path; without a GPU, kernels run on the machine of tests/cuda/machine."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
from compiled import KERNELS, ROOT, TESTS, linked, machine_sources

# Fixtures that compile for a minute.
COMPILED = {"emulation", "kernels", "machine_tests"}


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if COMPILED & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def emulation() -> ModuleType:
    """A replacement of rlvr_fast._core whose kernels run on the machine (machine_module.cpp)."""
    sources = [TESTS / "machine_module.cpp", ROOT / "csrc/python/bind_cuda.cpp", *machine_sources()]
    path = linked("rlvr_fast_machine", sources, kernels=KERNELS, module=True)
    spec = importlib.util.spec_from_file_location("rlvr_fast_machine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernels:
    """`scoring.kernels.cuda` for CPU tensors: moves arguments to `device` and results back."""

    def __init__(self, module: ModuleType, device: str) -> None:
        self.module = module
        self.device = device

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.module, name)

        def call(*arguments: Any) -> Any:
            result = function(*(self._moved(a) for a in arguments))
            if name == "linear_kept_mass":
                return result.cpu()
            return result._make(value.cpu() for value in result)

        return call

    def _moved(self, value: Any) -> Any:
        import torch

        if not isinstance(value, torch.Tensor) or self.device == "cpu":
            return value
        if value._base is None:
            return value.to(self.device)
        # Keep the strides of a view, because tests check views of various strides.
        base = value._base.to(self.device)
        return base.as_strided(value.shape, value.stride(), value.storage_offset())


@pytest.fixture(params=["emulated", pytest.param("gpu", marks=pytest.mark.gpu)])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The CUDA path, once on the machine and once on a GPU (marked `gpu`)."""
    import torch

    from rlvr_fast.scoring.kernels import cuda

    if request.param == "gpu":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        return Kernels(cuda, "cuda")

    return emulate(request.getfixturevalue("emulation"), monkeypatch)


@pytest.fixture
def emulated(emulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The CUDA path on the machine."""
    return emulate(emulation, monkeypatch)


def emulate(emulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    import torch

    from rlvr_fast import _core
    from rlvr_fast.scoring.kernels import cuda, cuda_kernels, cuda_products

    emulation.configure_machine(2, 3)
    monkeypatch.setattr(_core, "cuda", emulation.cuda)
    monkeypatch.setattr(cuda_kernels, "index_and_stream", lambda device: (0, 0))

    # Only CUDA multiplies 16-bit matrices into float32. The product of float32 copies sums the same
    # numbers in another order.
    def multiply(self: Any, block: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return torch.mm(block.float(), columns.float().t(), out=self.output)

    monkeypatch.setattr(cuda_products.Product, "multiply", multiply)
    return Kernels(cuda, "cpu")

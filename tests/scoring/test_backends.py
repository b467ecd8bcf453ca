"""The choice of a backend: one table, one error, and one line for a new backend."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import ModuleType

import pytest
import torch

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import backends, cpu, cuda, operators
from rlvr_fast.scoring.kernels.nucleus import linear_kept_mass
from rlvr_fast.scoring.results import TokenStats

FUNCTIONS = ["token_stats", "linear_token_stats", "linear_divergence", "nucleus_stats"]


def parameters(function: object) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values() if p.name != "self"]


@pytest.mark.parametrize("backend", [cpu, cuda, operators], ids=lambda m: m.__name__)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_backend_has_the_same_signatures(backend, name):
    expected = parameters(getattr(backends.Backend, name))
    assert parameters(getattr(backend, name)) == expected
    assert name in backend.__all__


@pytest.mark.parametrize("backend", [cpu, cuda], ids=lambda m: m.__name__)
def test_every_device_backend_computes_the_kept_mass(backend):
    expected = parameters(backends.DeviceBackend.linear_kept_mass)
    assert parameters(backend.linear_kept_mass)[: len(expected)] == expected


def test_the_choice_follows_the_device():
    assert backends.backend_of(torch.zeros(1), "logits") is cpu
    assert backends.platform_of(torch.device("cuda:1")) == "cuda"


def test_compiled_code_calls_the_operators(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert backends.backend_of(torch.zeros(1), "logits") is operators
    assert backends.device_backend(torch.zeros(1), "logits") is cpu


CALLS = {
    "logits": [
        lambda x, t: rlvr_fast.token_stats(x, t),
        lambda x, t: rlvr_fast.nucleus_stats(x, t, top_p=0.5),
    ],
    "hidden": [
        lambda x, t: rlvr_fast.linear_token_stats(x, x, t),
        lambda x, t: linear_kept_mass(x, x, top_p=0.5),
    ],
    "hidden_p": [lambda x, t: rlvr_fast.linear_divergence(x, x, x, x)],
}


@pytest.mark.parametrize(("name", "call"), [(n, c) for n, calls in CALLS.items() for c in calls])
def test_a_device_without_a_backend_is_refused_with_one_message(name, call):
    x, targets = torch.zeros(3, 3, device="meta"), torch.zeros(3, dtype=torch.long, device="meta")
    with pytest.raises(
        InvalidInputError, match=f"^{name} must lie on one of cpu, cuda, not on meta"
    ):
        call(x, targets)


def test_an_amd_gpu_is_not_taken_for_a_cuda_device(monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert backends.platform_of(torch.device("cuda")) == "rocm"
    assert backends.platform_of(torch.device("cpu")) == "cpu"


def test_a_new_backend_is_one_module_and_one_line(monkeypatch):
    module = ModuleType("toy_scoring_backend")

    def token_stats(logits, targets, temperature, softcap):
        return TokenStats("toy", logits.shape, targets.shape, temperature, softcap)

    module.token_stats = token_stats
    monkeypatch.setitem(sys.modules, "toy_scoring_backend", module)
    monkeypatch.setitem(backends.MODULES, "meta", "toy_scoring_backend")
    logits, targets = torch.zeros(2, 5, device="meta"), torch.zeros(2, dtype=int, device="meta")
    stats = rlvr_fast.token_stats(logits, targets, temperature=0.5)
    assert tuple(stats) == ("toy", (2, 5), (2,), 0.5, None)


def test_the_import_of_the_folder_needs_no_torch():
    code = "import sys, rlvr_fast.scoring; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

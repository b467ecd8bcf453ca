"""The bits of token_stats in any batch, with any number of threads, by any instruction set."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.scoring.kernels import cpu, reference


def bits(stats) -> list[np.ndarray]:
    return [np.asarray(value).view(np.int32).copy() for value in stats]


def assert_same_bits(a, b) -> None:
    for name, x, y in zip(a._fields, bits(a), bits(b), strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)


@pytest.fixture
def threads():
    yield _core.set_num_threads
    _core.set_num_threads(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_bits_depend_on_neither_batch_nor_threads(dtype, threads):
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(40, 50257, generator=generator) * 4).to(dtype)
    targets = torch.randint(0, 50257, (40,), generator=generator)
    threads(1)
    whole = rlvr_fast.token_stats(logits, targets)
    for count in (1, 2, 3, 7):
        threads(count)
        assert_same_bits(whole, rlvr_fast.token_stats(logits, targets))
        for rows in (slice(0, 1), slice(3, 5), slice(7, 40)):
            part = rlvr_fast.token_stats(logits[rows], targets[rows])
            assert_same_bits(type(whole)(*(value[rows] for value in whole)), part)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("softcap", [None, 30.0])
def test_instruction_sets_agree(dtype, softcap, monkeypatch):
    generator = torch.Generator().manual_seed(1)
    logits = (torch.randn(9, 50257, generator=generator) * 8).to(dtype)
    logits[3, ::2] = -torch.inf
    logits[4] -= 3e4
    logits[5, :40000] -= 300
    targets = torch.randint(0, 50257, (9,), generator=generator)
    found = {}
    for name in _core.instruction_sets():
        monkeypatch.setattr(cpu, "instruction_set", name)
        found[name] = rlvr_fast.token_stats(logits, targets, softcap=softcap, temperature=0.7)
    # The baseline rounds a multiply-add twice; the other sets therefore differ in the last bits.
    for stats in found.values():
        assert torch.equal(stats.rank, found["baseline"].rank)
        for value, other in zip(stats[:3], found["baseline"][:3], strict=True):
            torch.testing.assert_close(value, other, rtol=1e-6, atol=1e-5)


def test_every_finite_float16_is_read_exactly(monkeypatch):
    # All 65536 bit patterns except nan and +inf, with the denormals.
    patterns = torch.arange(-32768, 32768).to(torch.int16).view(torch.float16)
    finite = patterns[~(patterns.isnan() | patterns.isposinf())]
    targets = torch.arange(0, len(finite), 997)
    logits = finite[None].expand(len(targets), -1)
    expected = reference.token_stats(logits, targets, temperature=1e4)
    for name in _core.instruction_sets():
        monkeypatch.setattr(cpu, "instruction_set", name)
        stats = rlvr_fast.token_stats(logits, targets, temperature=1e4)
        assert torch.equal(stats.rank.long(), expected.rank), name
        torch.testing.assert_close(stats.logprob.double(), expected.logprob, rtol=0, atol=2e-5)


def test_concurrent_calls_from_python_threads():
    from concurrent.futures import ThreadPoolExecutor

    logits = torch.randn(64, 20000, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(64)
    expected = rlvr_fast.token_stats(logits, targets)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: rlvr_fast.token_stats(logits, targets), range(16)):
            assert_same_bits(expected, found)


def test_a_forked_process_scores():
    code = (
        "import os, torch, rlvr_fast\n"
        "x, t = torch.randn(64, 20000), torch.arange(64)\n"
        "a = rlvr_fast.token_stats(x, t)\n"
        "pid = os.fork()\n"
        "b = rlvr_fast.token_stats(x, t)\n"
        "ok = all(torch.equal(p, q) for p, q in zip(a, b))\n"
        "if pid == 0: os._exit(0 if ok else 1)\n"
        "assert ok and os.waitpid(pid, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)

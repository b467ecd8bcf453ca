"""Fixtures of the tests of sampling."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai_server import FakeServer, serving


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch on one thread: on a busy machine, synchronising threads slows short operations down."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def at_once(monkeypatch):
    """No long waits between the tries of the engine server, and no key in the environment."""
    from rlvr_fast.sampling.engines.server import retrying

    monkeypatch.setattr(retrying, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(retrying, "MOST_SECONDS", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server of the OpenAI interface, of the tests' own."""
    with serving() as started:
        yield started

"""Makes the modules beside these tests importable, and verifies without worker processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


# Of the module: a fixture of a package that shares its process with others outlives its tests.
@pytest.fixture(scope="module", autouse=True)
def no_workers() -> Iterator[None]:
    """These tests are about files: the verifiers run in this process, on answers of ours."""
    from runs_in_parts import verify_here

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rlvr_fast.answers.grading.verify_pairs", verify_here)
        patched.setattr("rlvr_fast.answers.audit.verify_pairs", verify_here)
        yield

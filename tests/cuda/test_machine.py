"""The machine that runs kernels on the host: each instruction against a small case worked out by
hand, and each kind of misuse against the error that names it (tests/cuda/machine/tests).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from compiled import TESTS, linked, machine_sources

CASES = sorted((TESTS / "machine/tests").glob("*.cpp"))
NAMES = [
    name
    for path in CASES
    for name in re.findall(r"^TEST\((\w+)\)", path.read_text("utf-8"), re.MULTILINE)
]


@pytest.fixture(scope="session")
def machine_tests() -> Path:
    return linked("machine_tests", [*machine_sources(), *CASES])


def test_every_test_is_found(machine_tests):
    listing = subprocess.run([machine_tests], capture_output=True, text=True, check=False)
    assert sorted(listing.stdout.split()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_machine(machine_tests, name):
    run = subprocess.run(
        [machine_tests, name], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr

"""Tests of the machine that runs kernels on the host (tests/cuda/machine/tests).

Each instruction is compared with a small case computed by hand, and each misuse must give the error
that describes it.
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


def test_the_program_lists_every_test(machine_tests):
    listing = subprocess.run([machine_tests], capture_output=True, text=True, check=False)
    assert sorted(listing.stdout.split()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_machine(machine_tests, name):
    run = subprocess.run(
        [machine_tests, name], capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 0, run.stderr

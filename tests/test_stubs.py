"""The stubs of the compiled core equal the output of its bindings (`make stubs`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STUBS = Path(__file__).resolve().parent.parent / "rlvr_fast" / "_core"


def test_stubs_are_those_of_the_bindings(tmp_path: Path) -> None:
    pytest.importorskip("pybind11_stubgen", reason="pybind11-stubgen is not installed (extra dev)")
    python = [sys.executable, "-m"]
    subprocess.run(
        [*python, "pybind11_stubgen", "rlvr_fast._core", "-o", str(tmp_path), "--exit-code"],
        check=True,
        capture_output=True,
    )
    made = tmp_path / "rlvr_fast" / "_core"
    config = ["--config", str(STUBS.parent.parent / "pyproject.toml")]
    # pyproject.toml exempts the stubs of the repository from the docstring rules by their path.
    for command in (["check", "-q", "--fix-only", "--extend-ignore", "D"], ["format", "-q"]):
        subprocess.run([*python, "ruff", *command, *config, str(made)], check=True)
    names = sorted(path.name for path in made.glob("*.pyi"))
    assert names == sorted(path.name for path in STUBS.glob("*.pyi"))
    for name in names:
        assert (made / name).read_text() == (STUBS / name).read_text(), f"{name}: run `make stubs`"

"""Compiles the C++ of the tests, once for each state of the sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pybind11
import pytest

ROOT = Path(__file__).resolve().parents[2]
CUDA = ROOT / "csrc/scoring/cuda"
TESTS = ROOT / "tests/cuda"
FLAGS = [
    "-std=c++20", "-O2", "-march=native", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra",
    "-Werror", "-Wno-psabi", "-Wno-unused-parameter",
]  # fmt: skip
# The kernels and launchers that run on the machine.
KERNELS = sorted(CUDA.glob("*.cu"))
FUSED_KERNELS = sorted(CUDA.glob("linear_fused*.cu"))
# Flags of a kernel for the machine: plain C++, with the machine's headers in place of CUDA's.
ON_MACHINE = ["-DRLVR_HOST_MACHINE", "-Wno-unknown-pragmas"]
MACHINE_INCLUDES = [TESTS, TESTS / "machine/toolkit"]


def machine_sources() -> list[Path]:
    """Returns the sources of the machine."""
    return sorted((TESTS / "machine").glob("*.cpp"))


def linked(
    name: str,
    sources: Sequence[Path],
    *,
    kernels: Sequence[Path] = (),
    module: bool = False,
    include: Sequence[Path] = (),
) -> Path:
    """Compiles and links a program or a Python module; skips the test without a compiler.

    Args:
        name: Name of the result.
        sources: Sources that are compiled with the flags of the tests.
        kernels: Sources that are compiled for the machine.
        module: Whether the result is a Python module.
        include: Folders whose headers kernels include in place of those of the repository.

    Returns:
        The path of the program or module.
    """
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    folder = Path(tempfile.gettempdir()) / f"rlvr_fast_compiled_{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    includes = [f"-I{path}" for path in (ROOT / "csrc", *MACHINE_INCLUDES)]
    includes += [f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}"]

    def source_object(source: Path) -> Path:
        command = [compiler, *FLAGS, "-c", *includes]
        return built(folder, source.stem, ".o", command, [source], digest(header_files()))

    def kernel_object(kernel: Path) -> Path:
        first = [f"-I{path}" for path in include]
        command = [compiler, *FLAGS, *ON_MACHINE, "-c", *first, *includes, "-x", "c++"]
        return built(folder, kernel.stem, ".o", command, [kernel], digest(header_files(*include)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [*pool.map(source_object, sources), *pool.map(kernel_object, kernels)]
    command = [compiler, *(["-shared"] if module else [])]
    return built(folder, name, ".so" if module else "", command, objects, "")


def header_files(*more: Path) -> list[Path]:
    folders = [*more, ROOT / "csrc/common", ROOT / "csrc/math", CUDA, TESTS / "machine"]
    return sorted(p for f in folders for p in f.rglob("*") if p.suffix in {".h", ".hpp", ".cuh"})


def digest(paths: Sequence[Path]) -> str:
    state = hashlib.sha256()
    for path in paths:
        state.update(path.read_bytes())
    return state.hexdigest()


def built(
    folder: Path, name: str, suffix: str, command: list[str], inputs: Sequence[Path], state: str
) -> Path:
    """Returns the output of `command` for `inputs`; runs the command where no output is stored."""
    key = hashlib.sha256("\0".join([*command, state]).encode())
    for path in inputs:
        key.update(path.read_bytes())
    target = folder / f"{name}_{key.hexdigest()[:16]}{suffix}"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unfinished = Path(scratch) / target.name
        run = subprocess.run(
            [*command, *map(str, inputs), "-o", str(unfinished)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        unfinished.replace(target)
    return target

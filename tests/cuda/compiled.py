"""Compiles the C++ of the tests, once for each state of the sources."""

from __future__ import annotations

import fcntl
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
    replaced = [f"-I{path}" for path in include]

    def source_object(source: Path) -> Path:
        return compiled(folder, source, [compiler, *FLAGS], includes)

    def kernel_object(kernel: Path) -> Path:
        command = [compiler, *FLAGS, *ON_MACHINE, "-x", "c++"]
        return compiled(folder, kernel, command, [*replaced, *includes])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [*pool.map(source_object, sources), *pool.map(kernel_object, kernels)]
    command = [compiler, *(["-shared"] if module else []), *map(str, objects)]
    key = hashlib.sha256("\0".join(command).encode())  # the name of an object says its contents
    return built(folder / f"{name}_{key.hexdigest()[:16]}{'.so' if module else ''}", command)


def compiled(folder: Path, source: Path, command: list[str], includes: list[str]) -> Path:
    """Returns the object of a source; compiles it where none of its preprocessed text is stored.

    So a header in place of another compiles those sources again that include it.
    """
    preprocessed = run([*command, *includes, "-E", "-P", str(source)])
    key = hashlib.sha256("\0".join([*command, preprocessed]).encode())
    target = folder / f"{source.stem}_{key.hexdigest()[:16]}.o"
    return built(target, [*command, *includes, "-c", str(source)])


def built(target: Path, command: list[str]) -> Path:
    """Returns the output of a command; runs the command where no output is stored.

    Where two processes want one output, the second waits for the first.
    """
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                unfinished = Path(scratch) / target.name
                run([*command, "-o", str(unfinished)])
                unfinished.replace(target)
    return target


def run(command: list[str]) -> str:
    """Runs a command that must succeed; returns its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

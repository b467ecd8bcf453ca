"""A copy of the package that a test may change, and an interpreter that imports the copy."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import rlvr_fast
from rlvr_fast import _core

# torch and vLLM import setuptools, which puts its own distutils in place of Python's, and fails
# where it comes too late for that.
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests into the groups of `--dist loadgroup`, each of which one worker runs.

    The tests of a file are a group, so that no worker makes the fixtures of a module that another
    one has made; a slow test without such a fixture is for whichever worker is free.
    """
    for item in items:
        fixtures = getattr(item, "_fixtureinfo", None)
        defined = fixtures.name2fixturedefs.values() if fixtures is not None else ()
        shares = any(each.scope == "module" for several in defined for each in several)
        if shares or item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


class PackageCopy(NamedTuple):
    """A changed rlvr_fast.

    Attributes:
        package: the folder `rlvr_fast` of the copy.
        python: an interpreter that imports the copy, and so do the processes that it starts.
    """

    package: Path
    python: Path


@pytest.fixture
def package_copy(tmp_path: Path) -> PackageCopy:
    package = tmp_path / "copy" / "rlvr_fast"
    shutil.copytree(
        Path(rlvr_fast.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("__pycache__", "demo_models", "*.so"),
    )
    compiled = Path(_core.__file__)
    (package / compiled.name).symlink_to(compiled)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Plain paths: .pth files in the borrowed folders, such as that of an editable rlvr_fast, are
    # not read.
    borrowed = [str(package.parent), *(path for path in sys.path if path.endswith("-packages"))]
    (packages / "borrowed.pth").write_text("\n".join(borrowed))
    return PackageCopy(package, environment / "bin" / "python")

"""A copy of the package that a test may change, and an interpreter that imports the copy."""

from __future__ import annotations

import contextlib
import functools
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest

import rlvr_fast
from rlvr_fast import _core

# torch and vLLM import setuptools, which puts its own distutils in place of Python's, and fails
# where it comes too late for that.
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401


# A shell that starts the tests in the background has them ignore Ctrl-C, and with them the commands
# that they interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test depends on the speed of the machine: neither an example nor the making of one has a limit.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives the tests of a file with fixtures of its module to one worker, which makes them once.

    Every other test is for whichever worker is free.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if _shares_fixtures(config.rootpath / file) else nodeid

    return Scheduling(config, log)


@functools.cache
def _shares_fixtures(file: Path) -> bool:
    return 'scope="module"' in file.read_text("utf-8")


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

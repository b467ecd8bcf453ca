"""A package of a user's own adds a kind of task and an engine: installed, then used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "toy_package"
# The toy engine needs no torch: any import of torch fails.
TASK = "--task"
COMMAND = "import sys; sys.modules['torch'] = None; from rlvr_fast.cli import main; main()"


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of a scratch environment that has the toy package and rlvr_fast."""
    pytest.importorskip("pip", reason="needs pip to install a package")
    pytest.importorskip("scikit_build_core", reason="needs scikit-build-core to build a package")
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    asked = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    # addsitedir reads the .pth files there too: an editable rlvr_fast is installed by one.
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(borrowed)]
    (Path(asked.stdout.strip()) / "borrowed.pth").write_text("\n".join(lines))
    source = tmp_path_factory.mktemp("source") / "toy"  # a build may write beside the sources
    subprocess.run(["cp", "-r", PACKAGE, source], check=True)
    install = ["install", "--no-build-isolation", "--no-deps", "--no-index", str(source)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, *install],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return python


def run(python: Path, *arguments: object, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [python, "-c", COMMAND, *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "COLUMNS": "1000"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_task_of_a_package_is_sampled_by_its_engine_and_graded(python, tmp_path):
    out = tmp_path / "run"
    asked = f"sample any-model {TASK} toy:numbers?size=2 --samples 4 --engine toy --json --out"
    sampled = json.loads(run(python, *asked.split(), out))
    assert sampled["counts"] == {"problems": 2, "samples": 8}
    graded = json.loads(run(python, "grade", out, "--json"))
    assert graded["verdicts"] == {"correct": 4, "incorrect": 4}
    recorded = json.loads((out / "run.json").read_text())
    assert recorded["engine"] == {"name": "toy", "version": "1.5", "notes": ["counts"]}
    assert recorded["versions"]["toy-rlvr"] == "1.5"
    settings = json.loads((out / "grading.json").read_text())
    assert settings["tasks"]["numbers"]["policy"] == "boxed"
    assert settings["tasks"]["numbers"]["verifier"] == "toy 1.5"


def test_help_and_doctor_show_task_and_engine(python):
    shown = "".join(run(python, "sample", "--help").split())  # lines may break at a hyphen
    assert "toy:...(ofthepackagetoy-rlvr1.5)" in shown
    assert "toy(ofthepackagetoy-rlvr1.5)" in shown
    facts = json.loads(run(python, "doctor", "--json"))
    assert facts["task toy"] == facts["engine toy"] == "of the package toy-rlvr 1.5"
    assert facts["toy-rlvr"] == "1.5"


def test_an_unknown_argument_of_the_engine_is_refused(python):
    code = "from rlvr_fast.sampling import load_engine; load_engine('toy', 'm', stepp=2)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert "no argument 'stepp'. Did you mean 'step'? Its arguments: step" in done.stderr

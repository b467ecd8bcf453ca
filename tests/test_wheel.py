"""The wheel, installed in an empty environment, does the main job from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)],
        check=True,
        env={**os.environ, "RLVR_CUDA": "OFF"},
    )
    (found,) = folder.glob("rlvr_fast-*.whl")
    return found


def test_wheel_holds_the_needed_files_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(n.startswith("rlvr_fast/_core.") and n.endswith(".so") for n in names)
    for needed in (
        "rlvr_fast/py.typed",
        "rlvr_fast/_core/__init__.pyi",
        "rlvr_fast/metrics/published/leash_table1_support.csv",
        "rlvr_fast/report/templates/index.html.j2",
        "rlvr_fast/report/sections/support.html.j2",
        "rlvr_fast/demo_models/base/model.safetensors",
        "rlvr_fast/demo_models/rl/model.safetensors",
        "rlvr_fast/demo_models/demo.yaml",
    ):
        assert needed in names
    assert not [n for n in names if n.startswith(("tests/", "bench/", "csrc/", "examples/"))]
    assert wheel.stat().st_size < 20e6


def test_demo_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    constraints = ROOT / "requirements" / "constraints.txt"
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "-c", str(constraints), str(wheel)], check=True
    )
    folder = tmp_path / "anywhere"
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(python.with_name("rlvr-fast")), "demo", "--quick", "--out", "out", "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"]["problems"] > 0
    assert (folder / "out" / "report" / "index.html").exists()

"""`rlvr-fast sample --engine server` is ended in mid-batch; the same command makes the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openai_server import FakeServer
from test_server_faults import hang

from rlvr_fast.store import Run, verify

pytestmark = pytest.mark.slow

PROBLEMS, SAMPLES = 3, 150
ALL = PROBLEMS * SAMPLES
# Background jobs of a shell ignore SIGINT. A write beyond the limit fails as one on a full disk
# does, with EFBIG in place of ENOSPC; the limit holds from the first draw on.
SCRIPT = """
import resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from rlvr_fast.cli import main
from rlvr_fast.sampling import drawing
most = int(sys.argv.pop(1))
sample_run = drawing.sample_run
def limited(*arguments, **named):
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    return sample_run(*arguments, **named)
drawing.sample_run = limited
main()
"""


def sample(server: FakeServer, path: Path, *, largest_file: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-c", SCRIPT, str(largest_file)),
            *("sample", "toy", "--engine", "server", "--engine-arg", f"url={server.url}"),
            *("--engine-arg", "concurrency=4", "--template", "plain", "--samples", str(SAMPLES)),
            *("--task", f"reasoning_gym:chain_sum?size={PROBLEMS}", "--out", str(path)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # No .pyc files: Python would keep one that the limit cut.
        env={**os.environ, "OPENAI_API_KEY": "", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[2],
    )


def rows(path: Path) -> dict[tuple[str, int], str]:
    table = Run.open(path).read("samples").to_pylist()
    found = {(row["problem_id"], row["sample_index"]): row["text"] for row in table}
    assert len(found) == len(table), "a draw is there twice"
    assert all(row["text"] == f"draw {row['seed']} 0" for row in table)
    return found


def complete(server: FakeServer, path: Path) -> None:
    """The same command makes what is missing, and leaves the run sound."""
    held = rows(path)
    server.always = None
    server.faults.clear()
    sent = len(server.bodies)
    process = sample(server, path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    # Beside the draws: the probe of the start, and one token of each problem, which tells its ids.
    assert len(server.bodies) - sent == ALL - len(held) + 1 + PROBLEMS
    assert len(rows(path)) == ALL
    assert held.items() <= rows(path).items()
    assert [finding for finding in verify(path) if finding.level != "info"] == []
    checked = [sys.executable, "-m", "rlvr_fast", "doctor", str(path)]
    doctor = subprocess.run(checked, capture_output=True, text=True, check=True)
    assert "error" not in doctor.stdout
    assert "warning" not in doctor.stdout


@pytest.mark.parametrize("end", ["kill -9", "Ctrl-C twice"])
def test_a_driver_that_is_ended(server, tmp_path, end):
    path = tmp_path / "run"
    answered = 40 + 1 + PROBLEMS
    server.faults.extend([None] * answered)
    server.always = hang
    with sample(server, path) as process:
        deadline = time.monotonic() + 120
        while len(server.bodies) < answered + 4:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        if end == "kill -9":
            process.send_signal(signal.SIGKILL)
        else:
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    server.released.set()
    # A second Ctrl-C may come in the last moment of the process, which ends by it then.
    assert process.returncode in ((-9,) if end == "kill -9" else (130, -signal.SIGINT))
    assert "Traceback" not in errors
    assert len(rows(path)) <= 40
    complete(server, path)


def test_a_full_disk(server, tmp_path):
    path = tmp_path / "run"
    with sample(server, path, largest_file=7000) as process:
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert "File too large" in errors
    assert len(rows(path)) < ALL
    complete(server, path)

"""The demo's whole job after installation: sample, grade, score, compare, report, on this machine.

python bench/bench_demo.py
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import record

TARGET_SECONDS = 120


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "rlvr_fast", "demo", "--out", "demo", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.stderr)
        summary = json.loads(done.stdout)
        problems = summary["overall"]["problems"]
        import pyarrow.dataset as ds

        draws = [
            ds.dataset(Path(folder) / "demo" / side / "samples").count_rows()
            for side in ("base", "rl")
        ]
    if draws != [problems * 512] * 2:
        sys.exit(f"expected {problems} x 512 draws of each model, found {draws}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    record(
        "demo",
        [
            {
                "what": f"rlvr-fast demo: {problems} problems x 512 samples x 2 models, each "
                "completion scored under both",
                "wall_s": seconds,
                "largest_process_gb": peak / 1e9,
                "target": f"at most {TARGET_SECONDS} s, at least 40 problems x 512 samples x 2",
                "met": seconds <= TARGET_SECONDS and problems >= 40,
            }
        ],
    )


if __name__ == "__main__":
    main()

"""Compares our kernels with others that score tokens from hidden states; writes gpu_peers.json.

    python bench/gpu_peers.py [--budget SECONDS] [--resume [FILE]] [--out FOLDER]
                              [--cases JOB:ROWSxWIDTHxVOCABULARY ...] [--peers NAME ...]

All rivals of a shape run in one process, in turns, after a check against float64 (bench/peers/).
Shapes are measured in the order of their importance until the budget is spent. --resume continues
from an earlier file, and measures a shape again where a peer that was absent is now installed. A
peer that cannot run is listed with the error. Where a peer hangs or crashes, the process ends, and
a new process continues. docs/cuda.md lists the wheels of the peers and how to install them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from common import RESULTS, commit, record
from peers.measure import TIMED
from peers.plan import Case, parse_case, plan
from peers.rivals import RIVALS, use_site_directories

BENCH = Path(__file__).resolve().parent
WORKER = "peers.worker"  # the module that measures
GRACE = 30.0  # seconds beyond the limits that a process may take to end
SMALLEST = 20.0  # with fewer seconds left, no further process is started


@dataclass
class Session:
    """The results of all shapes, and the state of this run."""

    out: Path
    number: int
    rows: list[dict[str, Any]]  # of earlier runs and this one, written after every shape
    excluded: dict[str, dict[str, str]] = field(default_factory=dict)  # shape: rival: why
    given_up: dict[str, str] = field(default_factory=dict)  # rival: why, for the rest of this run
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        packages = {}
        for rival in RIVALS:
            with contextlib.suppress(PackageNotFoundError):
                packages[rival.package] = version(rival.package)
        with contextlib.suppress(PackageNotFoundError):
            packages["nvidia-cutlass-dsl"] = version("nvidia-cutlass-dsl")
        self.facts = {
            "what": f"session {self.number}", "session": self.number, "commit": commit(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "driver": driver(), "packages": packages, "cases": 0, "left_out": [],
            "calls": {rival.key: rival.how for rival in RIVALS},
        }  # fmt: skip

    def add(self, case: Case, rows: list[dict[str, Any]]) -> None:
        kept = [row for row in self.rows if case_of(row) != case]
        self.rows = kept + [{**row, "session": self.number} for row in rows]
        self.facts["cases"] += 1
        self.write()

    def write(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            record("gpu_peers", [*self.rows, self.facts], self.out)


def case_of(row: dict[str, Any]) -> Case | None:
    if "job" not in row:
        return None
    return Case(row["job"], row["rows"], row["width"], row["vocabulary"])


def unfinished(cases: list[Case], rows: list[dict[str, Any]]) -> list[Case]:
    """Returns the cases without rows, or with a peer that was absent and is now installed."""
    present = {rival.key for rival in RIVALS if rival.absent is None}
    done = {case_of(row) for row in rows}
    again = {
        case_of(row)
        for row in rows
        if row.get("status") == "absent" and f"{row['peer']} ({row['gives']})" in present
    }
    return [case for case in cases if case not in done or case in again]


def driver() -> str | None:
    try:
        run = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return run.stdout.strip().splitlines()[0] if run.stdout.strip() else None


class Ended(NamedTuple):
    """The shape and rival of a process when the process ended early."""

    shape: str
    rival: str
    why: str
    hung: bool


def run_process(
    session: Session, todo: list[Case], options: argparse.Namespace, end: float
) -> Ended | None:
    """Runs one process over the shapes in `todo`; returns None where the process ran to the end."""
    read_end, write_end = os.pipe()
    task = {
        "pipe": write_end, "cases": [task_name(case) for case in todo],
        "seconds": end - time.monotonic(), "device": options.device, "peers": options.peers,
        "prepare_seconds": options.prepare, "excluded": session.excluded,
        "given_up": session.given_up,
    }  # fmt: skip
    # bench/ comes last on the import path, because bench/coverage.py would hide a package coverage.
    start = (
        "import importlib, sys; sys.path += sys.argv[3:]; "
        "sys.exit(importlib.import_module(sys.argv[1]).main(sys.argv[2]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", start, WORKER, json.dumps(task), str(BENCH), str(BENCH.parent)],
        pass_fds=[write_end], stdout=sys.stderr,
    )  # fmt: skip
    os.close(write_end)
    at: tuple[str, str] = ("start", "imports")
    since = time.monotonic()
    limit = options.prepare + GRACE
    pending, lost = b"", ""
    try:
        while True:
            now = time.monotonic()
            wait = min(since + limit, end + GRACE) - now
            if wait <= 0 or not select.select([read_end], [], [], wait)[0]:
                silent = time.monotonic() - since
                return Ended(*at, f"no answer for {silent:.0f} s: ended", hung=True)
            data = os.read(read_end, 1 << 16)
            if not data:
                status = process.wait()
                why = lost or f"its process ended ({status})"
                return Ended(*at, why, hung=False) if status else None
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                message = json.loads(line)
                since = time.monotonic()
                if "begin" in message:
                    at = (message["begin"][0], message["begin"][1])
                lost = message.get("fatal", "")
                record_message(session, message)
    finally:
        os.close(read_end)
        if process.poll() is None:
            process.kill()
        process.wait()


def record_message(session: Session, message: dict[str, Any]) -> None:
    """Records one message of the process."""
    if "case" in message:
        case = parse_case(message["case"])
        session.add(case, message["rows"])
        ok = sum(row["status"] == "measured" for row in message["rows"])
        print(f"{case}: {ok} of {len(message['rows'])} in {message['seconds']:.1f} s", flush=True)
    elif "limits" in message:
        session.facts.update(message["limits"])
    elif "given_up" in message:
        session.given_up.update(message["given_up"])
    elif "left_out" in message:
        session.facts["left_out"].append(message["left_out"][0])
    elif "failed" in message:
        session.facts.setdefault("failed", {})[message["failed"][0]] = message["failed"][1]


def measure(session: Session, cases: list[Case], options: argparse.Namespace) -> int:
    end = time.monotonic() + options.budget
    while True:
        failed = session.facts.get("failed", {})
        todo = [case for case in unfinished(cases, session.rows) if task_name(case) not in failed]
        session.facts["left_out"] = []
        if not todo or end - time.monotonic() < SMALLEST:
            break
        ended = run_process(session, todo, options, end)
        if ended is None:
            break
        if end - time.monotonic() > 0:
            exclude_rival(session, todo, ended)
        if "start" in session.facts.get("failed", {}):
            break
    session.write()
    return 0 if session.facts["cases"] or not unfinished(cases, session.rows) else 1


def exclude_rival(session: Session, todo: list[Case], ended: Ended) -> None:
    """Excludes the rival at which a process ended.

    The rival is excluded from that shape; from all shapes, where the rival hung or ended a second
    process.
    """
    shape, rival, why, hung = ended
    print(f"{shape}, {rival}: {why}; continuing", file=sys.stderr, flush=True)
    failed = session.facts.setdefault("failed", {})
    if shape == "start":
        failed["start"] = f"{rival}: {why}"
        return
    name = next(task_name(case) for case in todo if str(case) == shape)
    known = session.excluded.setdefault(name, {})
    if rival == TIMED or rival in known:
        failed[name] = f"{rival}: {why}"
        return
    known[rival] = why
    if hung or sum(rival in rivals for rivals in session.excluded.values()) > 1:
        session.given_up[rival] = f"{why} on {shape}"


def task_name(case: Case) -> str:
    return f"{case.job}:{case.rows}x{case.width}x{case.vocabulary}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--budget", type=float, default=480.0, help="seconds; default 480")
    parser.add_argument(
        "--resume", type=Path, nargs="?", const=RESULTS / "gpu_peers.json",
        help="continue from this file; default bench/results/gpu_peers.json",
    )  # fmt: skip
    parser.add_argument("--cases", nargs="+", type=parse_case, help="measure these shapes only")
    parser.add_argument(
        "--peers", nargs="+", default=[], help="measure only peers whose name contains one of these"
    )
    parser.add_argument("--prepare", type=float, default=60.0, help="seconds a rival may compile")
    parser.add_argument(
        "--device", default="cuda", help="cpu runs the benchmark without a GPU, as a trial"
    )
    parser.add_argument("--list", action="store_true", help="print the plan and the peers found")
    options = parser.parse_args(arguments)
    use_site_directories()
    cases = options.cases or plan()
    if options.list:
        for rival in RIVALS:
            print(f"{rival.key}: {'absent: ' + rival.absent if rival.absent else rival.how}")
        print("\n".join(str(case) for case in cases))
        return 0
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            print(
                "bench/gpu_peers.py needs an NVIDIA GPU; this machine shows none", file=sys.stderr
            )
            return 2
    rows: list[dict[str, Any]] = []
    if options.resume is not None and options.resume.exists():
        rows = json.loads(options.resume.read_text("utf-8"))["rows"]
    number = 1 + max((row["session"] for row in rows), default=-1)
    session = Session(options.out, number, rows)
    status = measure(session, cases, options)
    left = len(unfinished(cases, session.rows))
    print(f"{session.facts['cases']} shapes measured, {left} of {len(cases)} left; "
          f"{options.out / 'gpu_peers.json'}")  # fmt: skip
    return status


if __name__ == "__main__":
    sys.exit(main())

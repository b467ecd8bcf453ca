"""The process that measures, started by bench/gpu_peers.py.

A rival may hang the GPU or end the process, so the worker reports each step before it begins: one
JSON object on each line of the pipe whose number the task holds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import torch

from peers.measure import Device, DeviceLost, ShapeBench, describe
from peers.plan import parse_case
from peers.rivals import RIVALS

FATAL = 42  # exit status: the GPU no longer responds to this process


def work(task: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> int:
    """Measures task["cases"] in their order until task["seconds"] have passed."""
    end = time.monotonic() + task["seconds"]
    names = task["peers"]
    rivals = tuple(r for r in RIVALS if not names or any(n in r.key for n in names))
    tell({"begin": ["start", "the machine's limits"]})
    bench = ShapeBench(
        Device(task["device"]), rivals, prepare_seconds=task["prepare_seconds"],
        tell=lambda case, rival: tell({"begin": [case, rival]}), given_up=dict(task["given_up"]),
    )  # fmt: skip
    limits = {
        "copy_gb_per_s": bench.limits.copy / 1e9,
        "product_tflop_per_s": bench.limits.product / 1e12,
        **bench.device.clocks(),
    }
    if bench.device.cuda:
        from rlvr_fast.scoring.kernels.cuda_fused import fused_kernel

        limits |= {"device": torch.cuda.get_device_name(), "torch": torch.__version__,
                   "fused_kernel": fused_kernel(torch.device("cuda"))}  # fmt: skip
    tell({"limits": limits})
    for text in task["cases"]:
        case = parse_case(text)
        expected = bench.expected_seconds(case)
        left = end - time.monotonic()
        if left <= 0:
            break
        if expected > left:  # a smaller shape may still fit
            tell({"left_out": [text, expected]})
            continue
        start = time.monotonic()
        try:
            rows = bench.run(case, task["excluded"].get(text))
        except DeviceLost as error:
            tell({"fatal": str(error)})
            return FATAL
        except (RuntimeError, MemoryError) as error:  # inputs or reference failed, not a rival
            bench.device.release()
            tell({"failed": [text, describe(error)]})
            continue
        tell({"case": text, "rows": rows, "seconds": time.monotonic() - start})
        tell({"given_up": bench.given_up})
    tell({"end": True})
    return 0


def main(argument: str) -> int:
    task = json.loads(argument)
    with os.fdopen(task["pipe"], "w", encoding="utf-8") as pipe:

        def tell(message: dict[str, Any]) -> None:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

        return work(task, tell)

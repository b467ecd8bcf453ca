"""Runs Triton peers and bench/gpu.py's call of TRL on small shapes in Triton's interpreter.

Prints the errors as JSON. The script runs in a separate process, because TRITON_INTERPRET must be
set before the import of Triton.
"""

from __future__ import annotations

import json
import sys

import gpu
import torch
from peers.inputs import errors, make_inputs, reference
from peers.plan import Case
from peers.rivals import RIVALS

from rlvr_fast.scoring.kernels.benchmarks import Bench

inputs = make_inputs(Case("linear", 12, 128, 700), torch.device("cpu"), torch.float32)
exact = reference(inputs)
found = {}
for rival in RIVALS:
    if rival.name in sys.argv[1:] and rival.job == "linear":
        with torch.no_grad():
            found[rival.key] = errors(rival.build(inputs)(), exact)
for timing in gpu.trl_in_turns(Bench("cpu"), 6, 1500):  # from logits
    found[timing.what] = {"logits": timing.error}
print(json.dumps(found))

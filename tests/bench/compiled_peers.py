"""Compiles the CuTe-DSL peers for Hopper without a GPU, up to the launch.

The peers ask PyTorch for the properties of the device; the functions below return the properties
of a Hopper GPU. The peers choose the kernels and arguments. The script runs in a separate process,
because the changes of torch.cuda remain.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types

os.environ["CUTE_DSL_ARCH"] = "sm_90a"

import torch
from peers import rivals
from peers.inputs import make_inputs
from peers.plan import Case

torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 1
torch.cuda.current_device = lambda: 0
torch.cuda.get_device_capability = lambda *_: (9, 0)
torch.cuda.current_stream = lambda *_: types.SimpleNamespace(cuda_stream=0)
torch.cuda.get_device_properties = lambda *_: types.SimpleNamespace(
    multi_processor_count=132, major=9, minor=0, name="Hopper"
)

import cutlass.cute as cute  # noqa: E402

compiled = []


class NotLaunched(Exception):
    """Raised by a compiled kernel in place of a launch."""


def recorded(kernel, *arguments, compile_kernel=cute.compile, **options):
    compile_kernel(kernel, *arguments, **options)
    compiled.append(type(kernel).__name__)

    def launch(*_):
        raise NotLaunched

    return launch


cute.compile = recorded
inputs = make_inputs(Case("linear", 256, 1024, 4096), torch.device("cpu"), torch.bfloat16)
from liger_kernel.ops.cutedsl.ops import fused_scaled_cross_entropy_sm90 as liger  # noqa: E402
from quack.epilogue.library import lse_target_epi  # noqa: E402

# Both would ask the driver, which this machine may not have.
liger.ensure_cuda_context = lambda: None
sys.modules[liger.scaled_ce_forward_fragment.__module__]._max_active_clusters = lambda _: 66
for entropy in (False, True):
    with contextlib.suppress(NotLaunched):
        rivals._liger_cute(entropy)(inputs)()
try:  # the branch of rivals._quack that a GPU takes
    hidden, weight, targets = inputs[:3]
    lse_target_epi(hidden, weight.mT, store_d=False, target=targets, tuned=False)
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
print(json.dumps(compiled))

"""The rivals and their calls: published entry points, with options for scoring without gradients.

A rival's `build` imports the packages of the rival and returns the call that is timed, which
returns tensors by name: logprob or nll, entropy, logsumexp, rank, mass_above; kl_pq, kl_qp,
entropy_p, entropy_q. `build` also allocates buffers that users of the rival keep between calls.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import site
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from peers import plain_torch
from peers.inputs import Inputs, Work
from peers.plain_torch import CHUNK
from peers.plan import Case

LOGPROB, ENTROPY, EVERYTHING = "log-prob", "log-prob + entropy", "everything"
DIVERGENCE, ONE_WAY, NOTHING = "divergence both ways", "divergence one way + entropy", "nothing"


@dataclass(frozen=True)
class Rival:
    name: str
    gives: str
    package: str  # the distribution whose version is recorded
    modules: tuple[str, ...]  # the rival is absent without these modules
    how: str  # the call, for the page
    build: Callable[[Inputs], Work]
    job: str = "linear"
    ours: bool = False
    rounds_logits: bool = False  # rounds the logits to 16 bits before the fold
    graph: bool = False  # the call does not synchronise, so that a CUDA graph can capture the call
    memory: Callable[[Case], float] = lambda case: 0.0  # bytes of stored logits

    @property
    def key(self) -> str:
        return f"{self.name} ({self.gives})"

    @property
    def absent(self) -> str | None:
        """The name of a missing module, or None."""
        use_site_directories()
        for module in self.modules:
            try:
                spec = importlib.util.find_spec(module)
            except (ImportError, ValueError):
                return module
            if spec is None:
                return module
            if module == "cutlass" and not any(
                any(Path(folder, "_mlir", "_mlir_libs").glob("_cutlass_ir.*"))
                for folder in spec.submodule_search_locations or ()
            ):
                return "cutlass._mlir"  # the compiler is a separate wheel
        return None


@functools.cache
def use_site_directories() -> None:
    """Reads the .pth files in the folders of PYTHONPATH, as Python does in site-packages.

    The wheel of the CuTe DSL adds its packages to the path by such files.
    """
    for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if entry and any(Path(entry).glob("*.pth")):
            site.addsitedir(entry)


# --- ours


def _ours(path: str) -> Callable[[Inputs], Work]:
    def build(inputs: Inputs) -> Work:
        from rlvr_fast import linear_token_stats
        from rlvr_fast.scoring.kernels.cuda_fused import fused_fits

        hidden, weight, targets = inputs[:3]
        if path == "fused" and not (hidden.is_cuda and fused_fits(hidden, weight)):
            raise RuntimeError("the fused kernel does not take this GPU, type or shape")

        def work() -> dict[str, torch.Tensor]:
            os.environ["RLVR_LINEAR_PATH"] = path
            return linear_token_stats(hidden, weight, targets)._asdict()

        return work

    return build


def _our_logprob(inputs: Inputs) -> Work:
    """The fused kernel with a fold of the log-prob only.

    The library does not offer this fold. The difference is the cost of the other statistics.
    """
    from rlvr_fast.scoring.kernels.cuda_fused import fused_fits, fused_token_stats
    from rlvr_fast.scoring.kernels.cuda_kernels import empty_stats

    hidden, weight, targets = inputs[:3]
    if not (hidden.is_cuda and fused_fits(hidden, weight)):
        raise RuntimeError("the fused kernel does not take this GPU, type or shape")

    def work() -> dict[str, torch.Tensor]:
        stats = empty_stats(targets.shape, targets.device)
        fused_token_stats(hidden, weight, targets, None, 1.0, None, 1.0, stats, logprob_only=True)
        return {"logprob": stats.logprob, "logsumexp": stats.logsumexp}

    return work


def _our_divergence(path: str) -> Callable[[Inputs], Work]:
    def build(inputs: Inputs) -> Work:
        from rlvr_fast import linear_divergence
        from rlvr_fast.scoring.kernels.cuda_fused import fused_divergence_fits

        hidden, weight, targets, *other = inputs
        if path == "fused" and not (
            hidden.is_cuda and fused_divergence_fits(hidden, weight, *other)
        ):
            raise RuntimeError("the fused divergence does not take this GPU, type or shape")

        def work() -> dict[str, torch.Tensor]:
            os.environ["RLVR_LINEAR_PATH"] = path
            return linear_divergence(hidden, weight, *other, targets=targets)._asdict()

        return work

    return build


# --- Liger


def _liger_cute(entropy: bool) -> Callable[[Inputs], Work]:
    def build(inputs: Inputs) -> Work:
        # A documented option: otherwise each call synchronises to check the targets.
        os.environ["LIGER_SCALED_CE_SM90_VALIDATE_TARGETS"] = "0"
        ops = importlib.import_module("liger_kernel.ops.cutedsl.ops")
        # The function of the frontend on Hopper; on other GPUs the frontend uses PyTorch.
        function = ops.LigerFusedScaledCrossEntropySM90Function
        hidden, weight, targets = inputs[:3]

        def work() -> dict[str, torch.Tensor]:
            # temperature, ignore_index, m_tiles_per_cluster (without effect), return_entropy
            out = function.apply(hidden, weight, targets, 1.0, -100, 1, entropy)
            return {"nll": out[0], "entropy": out[1]} if entropy else {"nll": out}

        return work

    return build


def _liger_triton(inputs: Inputs) -> Work:
    functional = importlib.import_module("liger_kernel.transformers.functional")
    hidden, weight, targets = inputs[:3]

    def work() -> dict[str, torch.Tensor]:
        call = functional.liger_fused_linear_cross_entropy
        return {"nll": call(hidden, weight, targets, reduction="none")}

    return work


# --- quack


def _quack(inputs: Inputs) -> Work:
    linear = importlib.import_module("quack.linear_cross_entropy")
    library = importlib.import_module("quack.epilogue.library")
    hidden, weight, targets = inputs[:3]
    if linear.scaled_exp_lce_supported(hidden, weight, 4096, "sum"):

        def fused() -> dict[str, torch.Tensor]:
            # The computation of chunked_linear_cross_entropy without gradients and without the sum.
            out = library.lse_target_epi(
                hidden, weight.mT, store_d=False, target=targets, tuned=False
            )
            return {"logsumexp": out["lse"], "nll": out["lse"] - out["target_logit"]}

        return fused

    def stored() -> dict[str, torch.Tensor]:
        call = linear.linear_cross_entropy_func
        return {"nll": call(hidden, weight, None, targets, reduction="none")}

    return stored


# --- verl


@functools.cache
def verl_linear_cross_entropy() -> Callable[..., Any]:
    """Returns verl's function without an import of verl, which needs Ray, tensordict and Hydra.

    The parent packages are entered in sys.modules without running their __init__, so that Python
    reads the module and the modules that it imports from the wheel.
    """
    for name in ("verl", "verl.utils"):
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {name!r}")
            sys.modules[name] = importlib.util.module_from_spec(spec)  # does not run __init__
    module = importlib.import_module("verl.utils.kernel.linear_cross_entropy")
    call: Callable[..., Any] = module.linear_cross_entropy
    return call


def _verl(inputs: Inputs) -> Work:
    call = verl_linear_cross_entropy()
    hidden, weight, targets = inputs[:3]

    def work() -> dict[str, torch.Tensor]:
        logprob, entropy = call(hidden, weight, targets, 1.0, "none")
        return {"logprob": logprob, "entropy": entropy}

    return work


# --- TRL

_TRL_CHUNK = 32768  # columns: trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE


def _trl_chunked(*outputs: str) -> Callable[[Inputs], Work]:
    def build(inputs: Inputs) -> Work:
        function = importlib.import_module("trl.kernels").ChunkedLogProbFunction
        hidden, weight, targets = inputs[:3]

        def work() -> dict[str, torch.Tensor]:
            # bias, targets, temperature, chunk_size, softcap, logit_scale, outputs
            out = function.apply(hidden, weight, None, targets, 1.0, _TRL_CHUNK, None, 1.0, outputs)
            found = {"logprob": out[0]}
            return {**found, "entropy": out[1]} if "entropy" in outputs else found

        return work

    return build


def _trl_triton(inputs: Inputs) -> Work:
    call = importlib.import_module("trl.kernels").selective_log_softmax_and_entropy
    hidden, weight, targets = inputs[:3]

    def work() -> dict[str, torch.Tensor]:
        logprob, entropy = call(torch.nn.functional.linear(hidden, weight), targets)
        return {"logprob": logprob, "entropy": entropy}

    return work


def _trl_divergence(inputs: Inputs) -> Work:
    module = importlib.import_module("trl.kernels.chunked_divergence")
    function = module.ChunkedDivergenceFunction
    hidden, weight, _, other_hidden, other_weight = inputs

    def work() -> dict[str, torch.Tensor]:
        # beta 0 is KL(teacher || student); the entropy is that of the student, q
        kl, entropy = function.apply(
            other_hidden, other_weight, None, hidden, weight, None, 0.0, 1.0
        )
        return {"kl_pq": kl, "entropy_q": entropy}

    return work


# --- cut cross entropy


def _cut_cross_entropy(implementation: str) -> Callable[[Inputs], Work]:
    def build(inputs: Inputs) -> Work:
        call = importlib.import_module("cut_cross_entropy").linear_cross_entropy
        hidden, weight, targets = inputs[:3]

        def work() -> dict[str, torch.Tensor]:
            return {"nll": call(hidden, weight, targets, reduction="none", impl=implementation)}

        return work

    return build


# --- all rivals, in the order of the page

_ALL = ("logprob", "entropy", "logsumexp", "rank", "mass_above")
_BOTH = ("kl_pq", "kl_qp", "entropy_p", "entropy_q")


def _logits_of(bytes_each: float, rows: int | None = None) -> Callable[[Case], float]:
    return lambda case: bytes_each * min(case.rows, rows or case.rows) * case.vocabulary


def _plain(name: str, compiled: bool) -> list[Rival]:
    def rival(
        gives: str, does: str, function: Callable[..., Any], names: tuple[str, ...], **options: Any
    ) -> Rival:
        # Eager PyTorch holds three or four float32 tensors of the shape of the logits.
        models = 2 if gives == DIVERGENCE else 1
        return Rival(
            name, gives, "torch", ("torch",),
            f"{does} of F.linear(hidden, weight).float(), {CHUNK} rows at a time",
            plain_torch.build(function, *names, compiled=compiled),
            memory=_logits_of(models * (10.0 if compiled else 22.0), CHUNK),
            rounds_logits=True, graph=True, **options,
        )  # fmt: skip

    rivals = [
        rival(ENTROPY, "log_softmax and entropy", plain_torch.entropy, _ALL[:2]),
        rival(EVERYTHING, "all five", plain_torch.everything, _ALL),
        rival(DIVERGENCE, "two log_softmax", plain_torch.divergence, _BOTH, job="divergence"),
    ]
    if compiled:
        alone = rival(LOGPROB, "cross_entropy", plain_torch.logprob, ("logprob",))
        rivals.insert(0, alone)
    return rivals


RIVALS: tuple[Rival, ...] = (
    Rival("rlvr_fast fused", EVERYTHING, "rlvr-fast", ("rlvr_fast",),
          "linear_token_stats, RLVR_LINEAR_PATH=fused", _ours("fused"), ours=True, graph=True),
    Rival("rlvr_fast portable", EVERYTHING, "rlvr-fast", ("rlvr_fast",),
          "linear_token_stats, RLVR_LINEAR_PATH=portable", _ours("portable"), ours=True,
          graph=True),
    Rival("rlvr_fast fused", LOGPROB, "rlvr-fast", ("rlvr_fast",),
          "the same kernel with a fold of the log-prob only (not in the library)", _our_logprob,
          ours=True, graph=True),
    Rival("rlvr_fast fused", DIVERGENCE, "rlvr-fast", ("rlvr_fast",),
          "linear_divergence, RLVR_LINEAR_PATH=fused", _our_divergence("fused"),
          job="divergence", ours=True, graph=True),
    Rival("rlvr_fast portable", DIVERGENCE, "rlvr-fast", ("rlvr_fast",),
          "linear_divergence, RLVR_LINEAR_PATH=portable", _our_divergence("portable"),
          job="divergence", ours=True, graph=True),
    Rival("Liger CuTe-DSL", LOGPROB, "liger-kernel", ("liger_kernel", "cutlass"),
          "LigerFusedScaledCrossEntropySM90Function", _liger_cute(False),
          rounds_logits=True),
    Rival("Liger CuTe-DSL", ENTROPY, "liger-kernel", ("liger_kernel", "cutlass"),
          "LigerFusedScaledCrossEntropySM90Function, return_entropy=True", _liger_cute(True),
          rounds_logits=True),
    Rival("Liger Triton", LOGPROB, "liger-kernel", ("liger_kernel", "triton"),
          'liger_fused_linear_cross_entropy, reduction="none"', _liger_triton,
          rounds_logits=True, memory=lambda case: 4.0 * case.rows * case.width),
    Rival("quack", LOGPROB, "quack-kernels", ("quack", "cutlass", "tvm_ffi"),
          "lse_target_epi without logits; linear_cross_entropy_func where V % 128 != 0", _quack,
          memory=lambda case: 0.0 if case.vocabulary % 128 == 0
          else 4.0 * case.rows * case.vocabulary),
    Rival("verl Triton", ENTROPY, "verl", ("verl", "triton"),
          'linear_cross_entropy, reduction "none"', _verl, graph=True),
    Rival("TRL chunked", LOGPROB, "trl", ("trl", "triton"),
          "ChunkedLogProbFunction, chunks of 32768 columns", _trl_chunked("log_probs"),
          rounds_logits=True, memory=_logits_of(0.5, CHUNK), graph=True),
    Rival("TRL chunked", ENTROPY, "trl", ("trl", "triton"),
          "ChunkedLogProbFunction with entropy", _trl_chunked("log_probs", "entropy"),
          rounds_logits=True, memory=_logits_of(0.5, CHUNK), graph=True),
    Rival("TRL Triton", ENTROPY, "trl", ("trl", "triton"),
          "selective_log_softmax_and_entropy of F.linear(hidden, weight)", _trl_triton,
          rounds_logits=True, memory=_logits_of(2.0), graph=True),
    Rival("cut-cross-entropy", LOGPROB, "cut-cross-entropy", ("cut_cross_entropy", "triton"),
          'linear_cross_entropy, reduction="none"', _cut_cross_entropy("cce")),
    *_plain("torch.compile", True),
    *_plain("eager PyTorch", False),
    Rival("torch.mm alone", NOTHING, "torch", ("torch",),
          "one product in bfloat16 without a fold", plain_torch.product_alone,
          memory=_logits_of(2.0, 8192), graph=True),
    Rival("torch.mm alone", NOTHING, "torch", ("torch",),
          "one product in bfloat16 without a fold",
          plain_torch.product_alone, job="divergence", memory=_logits_of(2.0, 8192), graph=True),
    Rival("TRL chunked", ONE_WAY, "trl", ("trl", "triton", "datasets"),
          "ChunkedDivergenceFunction, beta 0", _trl_divergence, job="divergence", graph=True),
)  # fmt: skip

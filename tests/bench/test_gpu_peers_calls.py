"""The packages of the peers, called as bench/peers/rivals.py calls them.

The packages are not dependencies: a test is skipped where the wheel is not installed
(requirements/gpu-peers.txt). Calls that need no GPU are run; for other calls, names and arguments
are compared with the installed source.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peers import rivals
from peers.inputs import errors, make_inputs, reference
from peers.plan import Case

REPO = Path(__file__).resolve().parents[2]
PATHS = [str(REPO / "bench"), str(REPO), os.environ.get("PYTHONPATH", "")]
WITH_BENCH = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, PATHS))}
CASE = Case("linear", 12, 128, 700)
PAIR = Case("divergence", 12, 128, 700)


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def run(name: str, gives: str, case: Case) -> dict[str, float]:
    rival = next(
        r for r in rivals.RIVALS if (r.name, r.gives, r.job) == (name, gives, case.job)
    )  # fmt: skip
    inputs = make_inputs(case, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        return errors(rival.build(inputs)(), reference(inputs))


def function(module: str, path: str) -> ast.FunctionDef:
    """Returns a function or method ("Class.method") of a module's source without an import."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    assert spec is not None
    root = Path(next(iter(spec.submodule_search_locations or ())))
    file = root.joinpath(*rest).with_suffix(".py")
    if not file.exists():
        file = root.joinpath(*rest, "__init__.py")
    node: ast.AST = ast.parse(file.read_text("utf-8"))
    for name in path.split("."):
        node = next(
            child for child in ast.walk(node)
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and child.name == name
        )  # fmt: skip
    assert isinstance(node, ast.FunctionDef)
    return node


def names_of(node: ast.FunctionDef) -> list[str]:
    return [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]


@pytest.mark.slow
def test_pth_files_in_pythonpath_are_read(tmp_path):
    """The wheel of the CuTe DSL has .pth files, which Python reads in site-packages only."""
    (tmp_path / "deep" / "only_there_for_this_test").mkdir(parents=True)
    (tmp_path / "a.pth").write_text("deep\n", "utf-8")
    code = (
        "import sys; sys.path.append(sys.argv[1]); from peers.rivals import Rival\n"
        "found = Rival('', '', '', ('only_there_for_this_test',), '', print).absent\n"
        "print(found, Rival('', '', '', ('not_even_there',), '', print).absent)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(REPO / "bench")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout.split() == ["None", "not_even_there"], process.stderr


@needs("trl", "triton")
def test_the_chunked_head_of_trl():
    assert run("TRL chunked", rivals.LOGPROB, CASE)["logprob"] < 1e-4
    found = run("TRL chunked", rivals.ENTROPY, CASE)
    assert found.keys() == {"logprob", "entropy"}
    assert max(found.values()) < 1e-4


@needs("trl", "datasets", "xxhash")
def test_the_chunked_divergence_of_trl():
    found = run("TRL chunked", rivals.ONE_WAY, PAIR)
    assert found.keys() == {"kl_pq", "entropy_q"}
    assert max(found.values()) < 1e-4


@needs("trl")
def test_the_chunk_size_is_that_of_trl_trainers():
    spec = importlib.util.find_spec("trl")
    assert spec is not None
    source = Path(next(iter(spec.submodule_search_locations)), "trainer", "utils.py")
    assert f"_CHUNKED_LOGPROB_CHUNK_SIZE = {rivals._TRL_CHUNK}\n" in source.read_text("utf-8")


@needs("trl", "liger_kernel", "triton")
def test_triton_kernels_in_the_triton_interpreter():
    process = subprocess.run(
        [sys.executable, Path(__file__).with_name("interpreted_peers.py"),
         "TRL Triton", "Liger Triton"],
        capture_output=True, text=True, check=False,
        env={**WITH_BENCH, "TRITON_INTERPRET": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout.splitlines()[-1])
    assert found.keys() == {
        "TRL Triton (log-prob + entropy)", "Liger Triton (log-prob)",
        "TRL Triton bf16 [6, 1500]", "token_stats bf16 [6, 1500] beside TRL",
    }  # fmt: skip
    assert max(error for each in found.values() for error in each.values()) < 1e-4


@pytest.mark.slow
@needs("cut_cross_entropy", "triton")
def test_cut_cross_entropy_through_its_compiled_form():
    """The kernel needs a GPU; the compiled form takes the same arguments without a GPU."""
    inputs = make_inputs(CASE, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        out = rivals._cut_cross_entropy("torch_compile")(inputs)()
    assert errors(out, reference(inputs))["nll"] < 1e-4


@needs("cut_cross_entropy")
def test_the_default_of_cut_cross_entropy_is_the_kernel():
    node = function("cut_cross_entropy.linear_cross_entropy", "linear_cross_entropy")
    assert names_of(node)[:3] == ["e", "c", "targets"]
    assert {"reduction", "impl"} <= set(names_of(node))


@needs("verl", "triton")
def test_the_function_of_verl_loads_without_ray():
    process = subprocess.run(
        [sys.executable, "-c",
         "import sys; sys.path.insert(0, 'bench')\n"
         "from peers.rivals import RIVALS, verl_linear_cross_entropy as load\n"
         "call = load()\n"
         "assert [r.absent for r in RIVALS if r.package == 'verl'] == [None]\n"
         "print(call.__self__.__module__, 'ray' in sys.modules, 'tensordict' in sys.modules)\n"
         "import inspect; print(*inspect.signature(call.__self__.forward).parameters)"],
        capture_output=True, text=True, check=False, cwd=REPO,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    module, parameters = process.stdout.splitlines()[-2:]
    assert module == "verl.utils.kernel.linear_cross_entropy False False"
    assert parameters.split() == [
        "ctx", "hidden", "weight", "labels", "temperature", "reduction", "dist_process_group",
    ]  # fmt: skip


@needs("liger_kernel")
def test_the_hopper_function_of_liger_takes_these_arguments():
    module = "liger_kernel.ops.cutedsl.ops.fused_scaled_cross_entropy_sm90"
    node = function(module, "LigerFusedScaledCrossEntropySM90Function.forward")
    assert names_of(node) == [
        "ctx", "_input", "weight", "target", "temperature", "ignore_index", "m_tiles_per_cluster",
        "return_entropy", "selected_token_ids",
    ]  # fmt: skip
    spec = importlib.util.find_spec("liger_kernel")
    source = Path(next(iter(spec.submodule_search_locations)), *module.split(".")[1:])
    assert '"LIGER_SCALED_CE_SM90_VALIDATE_TARGETS"' in source.with_suffix(".py").read_text("utf-8")


@needs("quack")
def test_quack_is_called_as_in_its_own_loss_without_gradients():
    node = function("quack.linear_cross_entropy", "_scaled_exp_lce_loss_only")
    call = next(
        child for child in ast.walk(node)
        if isinstance(child, ast.Call) and getattr(child.func, "id", "") == "lse_target_epi"
    )  # fmt: skip
    theirs = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert [ast.unparse(arg) for arg in call.args] == ["x", "weight.mT"]
    assert theirs == {"store_d": "False", "target": "target", "tuned": "False"}
    ours = inspect.getsource(rivals._quack)
    assert "store_d=False, target=targets, tuned=False" in ours
    supported = function("quack.linear_cross_entropy", "scaled_exp_lce_supported")
    assert names_of(supported) == ["x", "weight", "chunk_size", "reduction"]
    other = function("quack.linear_cross_entropy", "linear_cross_entropy_func")
    assert names_of(other)[:4] == ["x", "weight", "bias", "target"]
    assert "reduction" in names_of(other)


@pytest.mark.slow
@needs("quack", "cutlass", "liger_kernel")
def test_the_cute_peers_import_without_a_gpu():
    """Without a GPU the peers refuse the device, not the call."""
    inputs = make_inputs(CASE, torch.device("cpu"), torch.bfloat16)
    with pytest.raises(RuntimeError, match="Hopper"), torch.no_grad():
        rivals._liger_cute(True)(inputs)()
    assert callable(rivals._quack(inputs))


@pytest.mark.slow
@needs("quack", "cutlass", "liger_kernel")
def test_the_cute_peers_compile_for_hopper():
    process = subprocess.run(
        [sys.executable, Path(__file__).with_name("compiled_peers.py")],
        capture_output=True, text=True, check=False,
        env=WITH_BENCH,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    names = json.loads(process.stdout.splitlines()[-1])
    assert names[:2] == ["_ScaledCEForwardFragmentSM90"] * 2, process.stderr
    assert any("lse_target_epi" in name for name in names), process.stderr

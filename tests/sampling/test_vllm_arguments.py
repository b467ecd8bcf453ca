"""Arguments for vLLM: which name code, what run.json holds of them, and vLLM's own messages."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling import SampleOptions, SamplingParameters
from rlvr_fast.sampling.engines.vllm.advice import advised
from rlvr_fast.sampling.engines.vllm.arguments import readable, without_code
from rlvr_fast.sampling.engines.vllm.engine import _invariant
from rlvr_fast.sampling.engines.vllm.recording import recorded
from rlvr_fast.sampling.engines.vllm.starting import Output


@pytest.mark.parametrize(
    "options",
    [
        {"trust_remote_code": True},
        {"worker_cls": "a.B"},
        {"model_class_overrides": {"LlamaForCausalLM": "evil:Model"}},
        {"logging_config": {"pylogging_config_file": "evil.json"}},
        {"kv_transfer_config": {"kv_connector": "X", "kv_connector_module_path": "evil"}},
        {"speculative_config": {"model": "m", "trust_remote_code": True}},
        {"speculative_config": {"method": "custom_class", "model": "evil.Draft"}},
        {"spec_model": "evil.package.Draft"},
        {"hf_overrides": {"text_config": [{"auto_map": {"AutoModel": "evil.M"}}]}},
        {"compilation_config": {"inductor_passes": {"p": "evil.run"}}},
        {"compilation_config": {"backend": "evil.backend"}},
        {"distributed_executor_backend": "evil.Executor"},
        {"cache": {"x_module_path": "evil"}},
    ],
)
def test_arguments_that_name_code_are_refused_at_any_depth(options):
    with pytest.raises(InvalidInputError, match=r"m: .* would run Python code"):
        without_code("m", options)


def test_arguments_that_name_no_code_stay():
    given = {
        "trust_remote_code": False, "distributed_executor_backend": "mp", "max_model_len": 512,
        "speculative_config": {"model": "draft", "trust_remote_code": False},
        "compilation_config": {"backend": "eager"},
    }  # fmt: skip
    assert without_code("m", given) == {
        "distributed_executor_backend": "mp", "max_model_len": 512,
        "speculative_config": {"model": "draft"}, "compilation_config": {"backend": "eager"},
    }  # fmt: skip


def test_run_json_holds_no_host_and_no_folder(tmp_path):
    given = {
        "tensor_parallel_size": 2, "master_addr": "10.0.0.7", "data_parallel_address": "node-3",
        "download_dir": "/home/me/models", "tokenizer": str(tmp_path), "device": "cpu",
        "speculative_config": {"model": "/home/me/draft", "num_speculative_tokens": 3},
        "hf_overrides": {"rope_theta": 1e6}, "batch_invariant": True, "lora_target_modules": ["q"],
    }  # fmt: skip
    found = recorded(given)
    assert found == {
        "tensor_parallel_size": 2, "tokenizer": tmp_path.name,
        "speculative_config": {"model": "draft", "num_speculative_tokens": 3},
        "hf_overrides": {"rope_theta": 1e6}, "batch_invariant": True, "lora_target_modules": ["q"],
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found


def test_run_json_holds_no_secret_and_takes_a_text_of_any_length():
    given = {
        "model_loader_extra_config": {
            "s3_access_key_id": "AKIA", "aws_secret_access_key": "hunter2", "authToken": "hunter2",
            "tensorizer_uri": "s3://bucket.example/models/qwen?key=hunter2", "num_readers": 3,
            "nested": [{"password": "hunter2", "master_addr": "10.0.0.7"}],
        },
        "max_num_batched_tokens": 512, "hf_overrides": {"pad_token": "x" * 5000, 1: "\0"},
    }  # fmt: skip
    found = recorded(given)
    assert found == {
        "model_loader_extra_config": {
            "tensorizer_uri": "qwen", "num_readers": 3, "nested": [{}],
        },
        "max_num_batched_tokens": 512, "hf_overrides": {"pad_token": "x" * 5000, "1": "\0"},
    }  # fmt: skip
    assert readable("m", {"tokenizer": "x" * 5000}) == {"tokenizer": "x" * 5000}


@pytest.mark.parametrize("name", ["model", "revision", "adapter", "adapters"])
def test_what_has_an_option_of_its_own_is_no_argument(name):
    with pytest.raises(InvalidInputError, match=f"^{name} is no argument of an engine"):
        SampleOptions(
            tasks=("t",), samples=1, engine_args={name: "x"}, sampling=SamplingParameters()
        )


@pytest.mark.parametrize("before", [None, "0", "1"])
@pytest.mark.parametrize("wanted", [None, False, True])
def test_batch_invariant_mode_is_as_it_is_given(monkeypatch, before, wanted):
    name = "VLLM_BATCH_INVARIANT"
    monkeypatch.delenv(name, raising=False)
    if before is not None:
        monkeypatch.setenv(name, before)
    with _invariant(wanted):
        assert os.environ.get(name) == (before if wanted is None else str(int(wanted)))
    assert os.environ.get(name) == before


@dataclass
class Args:
    """Some of the arguments of vLLM."""

    gpu_memory_utilization: float = 0.9
    max_model_len: int = 0
    enforce_eager: bool = False
    enable_prefix_caching: bool | None = None
    kv_cache_dtype: str = "auto"
    hf_overrides: dict | None = None
    hf_token: str | None = None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "To resolve: decrease `--gpu-memory-utilization` (e.g. `--gpu-memory-utilization 0.5`)",
            "To resolve: decrease `--engine-arg gpu_memory_utilization=...` (e.g. `--engine-arg "
            "gpu_memory_utilization=0.5`)",
        ),
        (
            "Try increasing `gpu_memory_utilization` or decreasing `max_model_len`.",
            "Try increasing `gpu_memory_utilization` or decreasing `max_model_len`. Here: "
            "--engine-arg gpu_memory_utilization=..., --engine-arg max_model_len=... (engine_args "
            "in a study file)",
        ),
        (
            "Decrease GPU memory utilization.",
            "Decrease GPU memory utilization. Here: --engine-arg gpu_memory_utilization=... "
            "(engine_args in a study file)",
        ),
        (
            "1 validation error for VllmConfig\n  Value error, Heads (9) must be divisible by 2. "
            "[type=value_error, input_value=ArgsKwargs(), input_type=X]\n    For further",
            "Heads (9) must be divisible by 2.",
        ),
        (
            "1 validation error for CacheConfig\ngpu_memory_utilization\n  Input should be less "
            "than or equal to 1 [type=less_than_equal, input_value=1.5, input_type=float]\n  For",
            "gpu_memory_utilization: Input should be less than or equal to 1. Here: --engine-arg "
            "gpu_memory_utilization=... (engine_args in a study file)",
        ),
        ("use --no-such-option", "use --no-such-option"),
        (
            "Use --enforce-eager. Or --no-enable-prefix-caching, or `--kv-cache-dtype float16`.",
            "Use --engine-arg enforce_eager=true. Or --engine-arg enable_prefix_caching=false, or "
            "`--engine-arg kv_cache_dtype=float16`.",
        ),
        (
            "set --max_model_len=64, or --hf-overrides '{\"a\": 1}' and raise "
            "gpu_memory_utilization.",
            "set --engine-arg max_model_len=64, or --engine-arg hf_overrides='{\"a\": 1}' and "
            "raise gpu_memory_utilization. Here: --engine-arg gpu_memory_utilization=... "
            "(engine_args in a study file)",
        ),
        ("increase --max-model-len to fit", "increase --engine-arg max_model_len=... to fit"),
        ("give hf_token or trust_remote_code", "give hf_token or trust_remote_code"),
    ],
)
def test_the_advice_of_vllm_is_given_as_it_is_taken_here(told, expected):
    assert advised(told, SimpleNamespace(AsyncEngineArgs=Args)) == expected  # type: ignore[arg-type]


def test_the_first_error_of_a_process_is_the_cause(capfd):
    output = Output()
    lines = [
        "(Worker pid=1) ERROR 11-27 22:48:56 [w.py:9] ValueError: no room left for the cache",
        "(EngineCore pid=2) ERROR 11-27 [c.py:1] Exception: WorkerProc failed. See stack trace for "
        "root cause.",
        "(EngineCore pid=2) ERROR 11-27 [c.py:1] RuntimeError: another",
    ]
    with output.collecting():
        os.write(2, b"nothing is wrong\n")
        subprocess.run([sys.executable, "-c", f"print({chr(10).join(lines)!r})"], check=True)
    print("seen")
    assert output.cause() == "no room left for the cache"
    assert capfd.readouterr().out == "seen\n"
    output.close()

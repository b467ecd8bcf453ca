"""The engine arguments that a user gives: all are checked before a model is loaded.

Their names and types are those of vLLM's own AsyncEngineArgs, with two of ours besides: `device`,
which the package decides, and `batch_invariant`.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.adapters import Adapter
from rlvr_fast.errors import InvalidInputError, closest, shown
from rlvr_fast.model_files import check_model_files, check_name
from rlvr_fast.sampling.engines.vllm.adapters import lora_arguments
from rlvr_fast.sampling.engines.vllm.package import Package

__all__ = ["NOT_TAKEN", "all_arguments", "is_folder", "readable", "without_code"]

# Arguments that name Python code, wherever in the arguments they stand.
_CODE = (
    "trust_remote_code", "auto_map", "worker_cls", "worker_extension_cls", "logits_processors",
    "scheduler_cls", "reasoning_parser_plugin", "tool_parser_plugin", "io_processor_plugin",
    "model_class_overrides", "logging_config", "log_config_file", "pylogging_config_file",
    "inductor_passes", "kv_transfer_config", "ec_transfer_config", "kv_events_config",
)  # fmt: skip
_CODE_ENDINGS = ("module_path", "_cls", "_plugin", "qualname")
# Texts that name a class of vLLM's, or by a dot one of any package.
_DOTTED = ("distributed_executor_backend", "backend", "all2all_backend")
# A draft model whose name is that of a class is one of Python, with any or no method.
_DRAFTS = ("model", "spec_model")

# Arguments that would take away what the engine stands on, each with what is done instead.
_OURS = {
    "model": "the model has an argument of its own",
    "revision": "the revision has an argument of its own",
    "hf_token": "a token is no argument, as arguments are recorded: set HF_TOKEN in the "
    "environment",
    "skip_tokenizer_init": "prompts need the tokenizer",
    "runner": "the engine draws completions",
    "convert": "the engine draws completions",
    "max_num_queued_reqs": "the engine waits for its own requests",
    "max_num_queued_tokens": "the engine waits for its own requests",
    "data_parallel_external_lb": "one process draws; leave it out, or use --engine server",
    "data_parallel_hybrid_lb": "one process draws; leave it out, or use --engine server",
    "data_parallel_multi_port_external_lb": "one process draws; leave it out, or use --engine "
    "server",
    "data_parallel_rank": "one process draws; leave it out, or use --engine server",
    "data_parallel_start_rank": "one process draws; leave it out, or use --engine server",
    "served_model_name": "nothing is served",
    "seed": "every draw has a seed of its own, which --seed changes (sampling: {seed: ...} in a "
    "study file)",
    "override_generation_config": "sampling parameters have options of their own, as --temperature,"
    " and --stop-token-id names further tokens that end a completion",
    "enable_lora": "--adapter names the adapter to draw with (adapter: of a model in a study file)",
    "default_mm_loras": "--adapter names the adapter to draw with",
    "lora_target_modules": "an adapter changes all modules that it was trained on",
}  # fmt: skip
NOT_TAKEN = frozenset((*_OURS, *_CODE))
_LOGPROBS = ("raw_logprobs", "processed_logprobs")


def readable(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What can be checked without vLLM: the files of the model, and that no argument names code.

    Returns:
        The arguments, as `without_code` leaves them.

    Raises:
        InvalidInputError: a .gguf file, a folder with a damaged file, an argument that names code.
    """
    check_name(model)
    clean: dict[str, Any] = without_code(model, options)
    if is_folder(model):
        check_model_files(Path(model))
    elif model.endswith(".gguf"):
        raise InvalidInputError(
            f"{model}: vLLM reads no .gguf file; use --engine transformers, or the folder of "
            "the model's safetensors"
        )
    return clean


def all_arguments(
    model: str, options: Mapping[str, Any], package: Package, adapters: Sequence[Adapter] = ()
) -> dict[str, Any]:
    """The arguments for vLLM: those of the user, checked, and ours where the user gave none.

    Args:
        model: for messages.
        options: what the user gave, as `readable` leaves it.
        package: vLLM.
        adapters: the adapters that the model will draw with.

    Raises:
        InvalidInputError: an argument that vLLM has not (the message has the nearest known one),
            one of another type, one that would take away what the engine stands on, another device
            than that of the package, a further model whose folder is damaged, or an adapter of a
            larger rank than vLLM or the arguments have room for.
    """
    made = _typed_arguments(options, package)
    if package.device == "cpu":
        # With "auto" vLLM would turn a float32 model into bfloat16.
        made.setdefault("dtype", "float32")
        # There a request with a seed whose prompt is computed in parts ends the process (0.32:
        # "CPU Generator does not use offset").
        if made.get("enable_chunked_prefill"):
            raise InvalidInputError(
                "the engine vllm: enable_chunked_prefill is true, expected false: vLLM's "
                "backend for CPUs takes no seeds with it"
            )
        made["enable_chunked_prefill"] = False
    made.setdefault("enable_prefix_caching", True)
    made.setdefault("disable_log_stats", True)
    return lora_arguments(adapters, made, package) if adapters else made


def is_folder(text: str) -> bool:
    """Whether there is such a folder; False for a text that no name of a folder can be."""
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        return False


def without_code(model: str, options: Any) -> Any:
    """The arguments without those of `_CODE` that are false or empty.

    Raises:
        InvalidInputError: one that is neither.
    """
    if isinstance(options, list | tuple):
        return [without_code(model, each) for each in options]
    if not isinstance(options, Mapping):
        return options
    for name, value in options.items():
        if value and (_names_code(name) or _is_class(name, value)):
            raise InvalidInputError(
                f"{model}: {name} would run Python code that came with the model, or that an "
                "argument names; rlvr-fast runs no such code: leave it out"
            )
    return {k: without_code(model, v) for k, v in options.items() if not _names_code(k)}


def _names_code(name: object) -> bool:
    return isinstance(name, str) and (name in _CODE or name.endswith(_CODE_ENDINGS))


def _is_class(name: object, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if name in _DRAFTS:
        parts = value.split(".")
        return len(parts) > 1 and all(part.isidentifier() for part in parts)
    return name in _DOTTED and "." in value


def _typed_arguments(options: Mapping[str, Any], package: Package) -> dict[str, Any]:
    """The arguments of AsyncEngineArgs, each with the type that vLLM's annotation asks for."""
    known = {each.name: each for each in dataclasses.fields(package.AsyncEngineArgs)}
    names = [name for name in (*known, "device", "batch_invariant") if not name.startswith("_")]
    made: dict[str, Any] = {}
    for name, value in options.items():
        if (wrong := _not_finite(value)) is not None:
            raise InvalidInputError(_wrong(name, wrong, "finite numbers"))
        if name in _OURS:
            raise InvalidInputError(
                f"the engine vllm does not take the argument {name}: {_OURS[name]}"
            )
        if name not in names:
            raise InvalidInputError(
                f"the engine vllm has no argument {name!r}.{closest(name, names)} Its arguments "
                f"are those of vLLM {package.version}'s AsyncEngineArgs, and batch_invariant"
            )
        if name == "device":
            _check_device(value, package)
        elif name == "batch_invariant":
            if not isinstance(value, bool):
                raise InvalidInputError(_wrong(name, value, "true or false"))
            if value and package.device == "cpu":
                raise InvalidInputError(
                    "the engine vllm: batch_invariant needs a GPU; vLLM's backend for CPUs has no "
                    "such mode: leave it out"
                )
        else:
            made[name] = _typed(name, value, known[name].type)
    if made.get("logprobs_mode", _LOGPROBS[0]) not in _LOGPROBS:
        raise InvalidInputError(
            _wrong("logprobs_mode", made["logprobs_mode"], " or ".join(_LOGPROBS))
        )
    if made.get("load_format") == "dummy":
        raise InvalidInputError(
            _wrong("load_format", "dummy", "a format: dummy weights are random")
        )
    for folder in _further_models(options):
        if folder.endswith(".gguf"):
            raise InvalidInputError(f"{folder}: vLLM reads no .gguf file; name a folder")
        if is_folder(folder):
            check_model_files(Path(folder))
    return made


def _not_finite(value: object) -> float | None:
    """The first number that is infinite or none, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    inner = value.values() if isinstance(value, Mapping) else value
    if isinstance(inner, str | bytes) or not isinstance(inner, Iterable):
        return None
    return next((wrong for each in inner if (wrong := _not_finite(each)) is not None), None)


def _check_device(value: object, package: Package) -> None:
    if value != package.device:
        raise InvalidInputError(
            f"device is {shown(value)}, but vLLM {package.version} is installed for "
            f"{package.device}; leave the device out, or install the package for the other one"
        )


def _wrong(name: str, value: object, expected: str) -> str:
    return f"the engine vllm: {name} is {shown(value)}, expected {expected}"


def _typed(name: str, value: Any, hint: Any) -> Any:
    """The value as pydantic reads it for an annotation; numbers and flags are not converted.

    vLLM needs pydantic for its own configuration.
    """
    import pydantic

    if isinstance(hint, str):  # not resolved; vLLM checks the value itself
        return value
    kinds = typing.get_args(hint) or (hint,)
    for kind in kinds:
        if isinstance(kind, enum.EnumMeta):
            if isinstance(value, str) and value in kind.__members__:
                return kind[value]
            raise InvalidInputError(
                _wrong(name, value, f"a member of {kind.__name__}")
                + closest(value, kind.__members__)
            )
    try:
        adapter = pydantic.TypeAdapter(
            hint, config=pydantic.ConfigDict(arbitrary_types_allowed=True)
        )
    except pydantic.errors.PydanticUserError:
        try:
            adapter = pydantic.TypeAdapter(hint)  # a class has a configuration of its own
        except pydantic.errors.PydanticUserError:
            return value
    # A list may stand for a set, and a mapping for a class.
    plain = set(kinds) <= {bool, int, float, type(None)}
    try:
        return adapter.validate_python(value, strict=plain or isinstance(value, bool | int | float))
    except pydantic.ValidationError as error:
        told = dict.fromkeys(
            (f"{each['loc'][-1]}: " if isinstance(value, Mapping) and each["loc"] else "")
            + each["msg"].removeprefix("Input should be ")
            for each in error.errors(include_url=False)
        )
    names = [getattr(kind, "__name__", "") for kind in kinds]
    expected = " or ".join(names).replace("NoneType", "null") if plain else "; ".join(told)[:300]
    raise InvalidInputError(_wrong(name, value, expected))


def _further_models(options: Mapping[str, Any]) -> Iterator[str]:
    """The models and tokenizers that arguments name."""
    draft = options.get("speculative_config")
    named = [options.get(name) for name in ("tokenizer", "hf_config_path", "spec_model")]
    named += [draft.get("model"), draft.get("tokenizer")] if isinstance(draft, Mapping) else []
    return (name for name in named if isinstance(name, str))

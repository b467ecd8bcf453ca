"""Loads Hugging Face causal language models, in one way for sampling and for scoring."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rlvr_fast.errors import (
    InvalidInputError,
    MissingDependencyError,
    RlvrError,
    install_hint,
    shown,
)
from rlvr_fast.model_files import (
    asks_for_code,
    check_config,
    check_model_files,
    check_name,
    damaged_file,
    is_damage,
)
from rlvr_fast.safe_files import open_linked
from rlvr_fast.shown_text import terminal

if TYPE_CHECKING:
    import torch

__all__ = [
    "Layer",
    "causal_lm_class",
    "check_revision",
    "load_causal_lm",
    "load_tokenizer",
    "load_without_weights",
    "local_revision",
    "model_file",
    "model_layers",
    "torch_device",
    "torch_dtype",
]


def torch_device(device: str | torch.device | None) -> torch.device:
    """The torch device of a name, checked to be there.

    Args:
        device: "cpu", "cuda" or "cuda:1"; None for "cuda" where torch finds a CUDA device, else
            "cpu".

    Raises:
        InvalidInputError: no such device, in general or on this machine.
    """
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        raise InvalidInputError(
            f"expected a device such as 'cpu', 'cuda' or 'cuda:1', got {device!r}"
        ) from None
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        number = torch.cuda.device_count()
        raise InvalidInputError(
            f"device {str(device)!r}: torch finds {number or 'no'} CUDA "
            f"{'device' if number < 2 else 'devices'} here; take 'cpu', or a torch with CUDA on a "
            "machine with a GPU"
        )
    return found


def torch_dtype(dtype: Any, device: torch.device) -> torch.dtype:
    """The type of weights that is asked for.

    Args:
        dtype: a torch dtype or its name; None for float32 on the CPU and bfloat16 on CUDA.
        device: where the weights will be.

    Raises:
        InvalidInputError: no type of floating-point numbers.
    """
    import torch

    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InvalidInputError(f"expected a torch dtype such as 'bfloat16', got {shown(dtype)}")
    return found


def load_causal_lm(
    model: str | Path,
    revision: str | None = None,
    device: str | None = None,
    dtype: Any = None,
    *,
    device_map: Any = None,
) -> tuple[Any, Any]:
    """Loads a model and its tokenizer from a folder, a Hugging Face name or a .gguf file.

    Args:
        model: the folder, name or file. A GGUF file is dequantised, to the weights with which
            llama.cpp computes.
        revision: branch, tag or commit of a Hugging Face name.
        device: by default "cuda" where there is a CUDA device, else "cpu".
        dtype: a torch dtype or its name; by default float32 on the CPU and bfloat16 on CUDA.
        device_map: how the layers are spread over devices, as from_pretrained of transformers takes
            it ("auto", say); None keeps all on `device`.

    Returns:
        The pair (model in evaluation mode, tokenizer).

    Raises:
        InvalidInputError: the model does not exist or is not a causal language model.
        MissingDependencyError: a .gguf file without the `gguf` package, or a device_map without
            the `accelerate` package.
    """
    from transformers import AutoConfig, AutoTokenizer

    if device_map is not None:
        _check_accelerate()

    place = torch_device(device)
    dtype = torch_dtype(dtype, place)
    path = Path(model)
    source, options = _source(model, revision)
    _refuse_adapter(path)
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # loading is short beside the work with progress bars
    part = "config.json" if path.is_dir() else "configuration"
    try:
        config = AutoConfig.from_pretrained(source, **options)
        check_config(str(model), config.to_dict())
        part = "files of the tokenizer"
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        part = "files of weights"
        loaded, found = _auto_class(config).from_pretrained(
            source,
            dtype=dtype,
            weights_only=True,  # of a .bin file: a pickle runs code
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # _check_weights names them
            **({} if device_map is None else {"device_map": device_map}),
            **_quantization(path),
            **options,
        )
        _check_weights(str(model), found)
        if getattr(loaded, "_hf_peft_config_loaded", False):  # of the hub
            raise InvalidInputError(_is_adapter(source))
        loaded = (loaded.to(place) if device_map is None else loaded).eval()
    except RlvrError:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        raise _not_loaded(path, str(model), part, error) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    return loaded, tokenizer


def _check_accelerate() -> None:
    try:
        import accelerate  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            f"a device_map needs the package accelerate; {install_hint('device-map')}"
        ) from None


def _source(model: str | Path, revision: str | None) -> tuple[str, dict[str, Any]]:
    """What from_pretrained of transformers is given of a model, whose files are checked first."""
    path, source = Path(model), str(model)
    check_name(source)
    check_revision(source, revision)
    options: dict[str, Any] = {"revision": revision} if revision else {}
    if path.suffix == ".gguf":
        if not path.is_file():
            raise InvalidInputError(f"{path}: no such file")
        try:
            import gguf  # noqa: F401
        except ImportError:
            raise MissingDependencyError(
                f"{path}: reading a GGUF file needs the package gguf; {install_hint('gguf')}"
            ) from None
        source, options = str(path.parent), {"gguf_file": path.name}
    elif not path.is_dir() and (path.is_absolute() or source.startswith((".", "~"))):
        raise InvalidInputError(
            f"{source}: no such folder; a model is a folder, a .gguf file or a Hugging Face name"
        )
    # Beside a .gguf file transformers reads the configuration of a tokenizer.
    if (folder := path.parent if path.suffix == ".gguf" else path).is_dir():
        check_model_files(folder)
    # Asked about code of the model, transformers would put the question on the terminal.
    return source, {**options, "trust_remote_code": False}


def check_revision(model: str, revision: str | None) -> None:
    """Refuses a revision of a model on this machine, which has none: it would be recorded for one.

    Raises:
        InvalidInputError: such a revision.
    """
    if revision is not None and Path(model).exists():
        raise InvalidInputError(
            f"{model}: the revision {shown(revision)} is given, but a folder or a file has no "
            "revisions, and a digest of its files is recorded: leave the revision out, or give the "
            "model's name on the hub"
        )


def _refuse_adapter(path: Path) -> None:
    """Refuses the folder of an adapter in place of a model.

    Where peft is installed, transformers would load the base model that the file names, whatever
    that is, and put the adapter into it.
    """
    if os.path.lexists(path / "adapter_config.json"):
        raise InvalidInputError(_is_adapter(str(path)))


def _is_adapter(source: str) -> str:
    return (
        f"{source}: holds an adapter (adapter_config.json), expected a model: name its base model "
        "as the model, and this folder as the adapter (--adapter FOLDER); or remove the file where "
        "the folder holds a whole model"
    )


class Layer(NamedTuple):
    """A linear layer or an embedding of a model.

    Attributes:
        shape: [outputs, inputs] of a linear layer, [tokens, width] of an embedding.
        embedding: whether it is an embedding.
    """

    shape: tuple[int, int]
    embedding: bool


def model_layers(model: str | Path, revision: str | None = None) -> dict[str, Layer]:
    """The linear layers and embeddings of a model by name; reads its configuration alone.

    Args:
        model: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: the model does not exist or is not a causal language model.
        MissingDependencyError: a .gguf file without the `gguf` package.
    """
    import torch
    from transformers import AutoConfig
    from transformers.pytorch_utils import Conv1D

    source, options = _source(model, revision)
    _refuse_adapter(Path(model))
    try:
        config = AutoConfig.from_pretrained(source, **options)
        check_config(str(model), config.to_dict())
        with torch.device("meta"):  # shapes without memory
            made = _auto_class(config).from_config(config, trust_remote_code=False)
    except RlvrError:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        raise _not_loaded(Path(model), str(model), "config.json", error) from error
    found = {}
    for name, module in made.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D | torch.nn.Embedding):
            rows, columns = (int(size) for size in module.weight.shape)
            shape = (columns, rows) if isinstance(module, Conv1D) else (rows, columns)
            found[name] = Layer(shape, isinstance(module, torch.nn.Embedding))
    return found


def load_tokenizer(name: str, revision: str | None = None) -> Any:
    """Loads the tokenizer of a model without the model.

    Args:
        name: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: there is none, or its files are damaged.
        MissingDependencyError: a .gguf file without the `gguf` package.
    """
    from transformers import AutoTokenizer

    source, options = _source(name, revision)
    try:
        return AutoTokenizer.from_pretrained(source, **options)
    except BaseException as error:
        if not is_damage(error):
            raise
        raise _not_loaded(
            Path(name), name, "files of the tokenizer", error, what="as a tokenizer"
        ) from error


def _not_loaded(
    path: Path,
    model: str,
    part: str,
    error: BaseException,
    *,
    what: str = "as a causal language model",
) -> InvalidInputError:
    if "trust_remote_code" in str(error):
        return InvalidInputError(asks_for_code(model))
    if (file := damaged_file(path)) is not None:
        return InvalidInputError(f"{file}; copy the model anew")
    why = " ".join(line.strip() for line in str(error).strip().splitlines()[:2])
    return InvalidInputError(
        f"{model}: cannot be loaded {what} ({part}: {type(error).__name__}: "
        f"{terminal(why, 300, lines=False)}); its files are damaged, or of a kind that "
        "transformers does not know"
    )


def _check_weights(model: str, found: Mapping[str, Any]) -> None:
    """Refuses a model whose files lack weights: transformers would take random ones."""
    for key, what in (("missing_keys", "lack"), ("mismatched_keys", "have of another shape")):
        names = sorted(str(n[0] if isinstance(n, tuple) else n) for n in found.get(key) or ())
        if names:
            more = f" and {len(names) - 3} others" if len(names) > 3 else ""
            raise InvalidInputError(
                f"{model}: its files {what} the weights {', '.join(names[:3])}{more}, which its "
                "config.json asks for; copy the model anew"
            )


def _quantization(path: Path) -> dict[str, Any]:
    if path.suffix != ".gguf":
        return {}
    try:
        from transformers import GgufConfig
    except ImportError:  # before GgufConfig, from_pretrained(gguf_file=...) always dequantised
        return {}
    return {"quantization_config": GgufConfig(dequantize=True)}


def model_file(model: str | Path, name: str, revision: str | None = None) -> Path | None:
    """A file of a model by its name, on this machine; None where the model has none.

    Args:
        model: a folder, a .gguf file, which has no further files, or a Hugging Face name.
        name: the name of the file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: no such model, or it cannot be reached.
    """
    path, source = Path(model), str(model)
    check_name(source)
    if path.is_dir():
        return path / name if os.path.lexists(path / name) else None
    if path.suffix == ".gguf":
        return None
    if path.is_absolute() or source.startswith((".", "~")):
        raise InvalidInputError(
            f"{source}: no such folder; a model is a folder, a .gguf file or a Hugging Face name"
        )
    from transformers.utils import cached_file

    try:
        found = cached_file(
            source, name, revision=revision, _raise_exceptions_for_missing_entries=False
        )
    except Exception as error:  # those of the library of the hub have many classes
        why = " ".join(str(error).split())
        raise InvalidInputError(
            f"{source}: its {name} cannot be had ({terminal(why, 300, lines=False)})"
        ) from error
    return None if found is None else Path(found)


def local_revision(model: str | Path) -> str | None:
    """A digest of the weights, configuration and tokenizer of a local model.

    The digest covers the length of each file and up to 64 evenly spaced blocks of 64 KiB: two
    trainings of one model differ in nearly every weight.

    Returns:
        "sha256:..." for a folder or a file, None for a Hugging Face name.

    Raises:
        InvalidInputError: a pipe or a device in place of a file, or a file of holes.
    """
    path = Path(model)
    if path.is_file():
        files = [path]
    elif path.is_dir():
        kinds = (".safetensors", ".bin", ".json", ".model", ".gguf", ".jinja", ".txt")
        files = sorted(f for f in path.iterdir() if f.suffix in kinds and not f.is_dir())
    else:
        return None
    block, blocks = 1 << 16, 64
    digest = hashlib.sha256()
    for file in files:
        with open_linked(file) as data:
            size = os.fstat(data.fileno()).st_size
            digest.update(os.fsencode(f"{file.name if path.is_dir() else ''}\0{size}\0"))
            if size <= block * blocks:
                digest.update(data.read())
            else:
                for number in range(blocks):
                    data.seek((size - block) * number // (blocks - 1))
                    digest.update(data.read(block))
    return f"sha256:{digest.hexdigest()}"


def load_without_weights(model: str | Path, revision: str | None = None) -> tuple[Any, Any]:
    """Loads the configuration and the tokenizer of a model, and no weights.

    Args:
        model: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: the model does not exist, or its files are damaged.
        MissingDependencyError: a .gguf file without the `gguf` package.
    """
    from transformers import AutoConfig, AutoTokenizer

    source, options = _source(model, revision)
    part = "config.json" if Path(model).is_dir() else "configuration"
    try:
        config = AutoConfig.from_pretrained(source, **options)
        check_config(str(model), config.to_dict())
        part = "files of the tokenizer"
        return config, AutoTokenizer.from_pretrained(source, **options)
    except RlvrError:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        raise _not_loaded(Path(model), str(model), part, error) from error


def causal_lm_class(config: Any) -> str | None:
    """The class of transformers that a configuration is loaded into; None where there is none.

    Of a model that takes images as well, the class that writes text after text alone.
    """
    from transformers.models.auto import modeling_auto as auto

    for names in (
        auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    ):
        if name := names.get(config.model_type):
            return str(name[0] if isinstance(name, tuple) else name)
    return None


def _auto_class(config: Any) -> Any:
    """The class of transformers whose from_pretrained finds the class of `causal_lm_class`."""
    import transformers

    kind = type(config)
    if kind in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        return transformers.AutoModelForCausalLM
    if kind in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return transformers.AutoModelForImageTextToText
    return transformers.AutoModelForCausalLM  # which says what it knows

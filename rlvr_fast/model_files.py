"""Checks of the files of a model before a library reads them: what is damaged is named.

A folder of a model comes from a stranger as a run directory does.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.safe_files import read_linked

__all__ = ["check_config", "check_model_files"]

# Files of JSON that transformers and vLLM read, each an object.
_JSON = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "model.safetensors.index.json",
    "pytorch_model.bin.index.json", "adapter_config.json", "processor_config.json",
)  # fmt: skip
_MOST_JSON = 512 << 20
_MOST_TEMPLATE = 1 << 20
_MOST_HEADER = 100_000_000  # the bound of the safetensors format
# More of them than any model has: a library would build layers until the memory is full.
_MOST = {"layers": 4_000, "experts": 20_000}
_LARGEST = 1 << 40
_IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "experts_implementation")


def check_model_files(folder: Path) -> None:
    """Refuses a folder of a model with a damaged file.

    Raises:
        InvalidInputError: a pipe or a device, a file of JSON that is not an object, a file of
            weights whose header does not fit it, an index that names a file outside the folder, a
            config.json as `check_config` refuses; the message names the file.
    """
    for path in sorted(folder.iterdir()):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InvalidInputError(f"{path}: a pipe or a device, expected a file of the model")
    found = {name: _read(folder / name) for name in _JSON if (folder / name).exists()}
    if (config := found.get("config.json")) is not None:
        check_config(str(folder / "config.json"), config)
    _check_template(folder / "chat_template.jinja")
    for name in _weights(folder, found.get("model.safetensors.index.json")):
        _check_safetensors(folder / name)


def check_config(where: str, config: Mapping[str, Any]) -> None:
    """Refuses a configuration that asks for code of others, or for an endless model.

    Args:
        where: what the message calls it.
        config: the object of config.json.

    Raises:
        InvalidInputError: numbers out of any model's range, or a kernel of the hub.
    """
    for key, value in _entries(config):
        if key in _IMPLEMENTATIONS and "/" in str(value):
            raise InvalidInputError(
                f"{where}: {key} names a kernel to load from the hub ({shown(value)}); rlvr-fast "
                "runs no code of a model: remove the entry"
            )
        if isinstance(value, int) and not isinstance(value, bool):
            layers = "layer" in key
            experts = "expert" in key and "num" in key
            most = _MOST["layers"] if layers else _MOST["experts"] if experts else _LARGEST
            if abs(value) > most:
                raise InvalidInputError(
                    f"{where}: {key} is {shown(value)}, more than any model has (at most {most:,})"
                )


def _entries(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping and of the mappings in it, to a bounded depth."""
    if isinstance(value, Mapping) and depth < 8:
        for key, inner in value.items():
            yield str(key), inner
            yield from _entries(inner, depth + 1)


def _read(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        if size > _MOST_JSON:
            raise InvalidInputError(f"{path}: {size:,} bytes, expected at most {_MOST_JSON:,}")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{path}: not a readable file of JSON ({str(error)[:200]}); copy the model anew"
        ) from None
    if not isinstance(value, dict):
        raise InvalidInputError(f"{path}: expected an object of JSON, got {shown(value)}")
    return value


def _check_template(path: Path) -> None:
    try:
        if (
            path.exists()
            and len(read_linked(path, at_most=4 * _MOST_TEMPLATE).decode()) > _MOST_TEMPLATE
        ):
            raise ValueError(f"more than {_MOST_TEMPLATE:,} characters")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path}: not a readable chat template ({error})") from None


def _weights(folder: Path, index: Mapping[str, Any] | None) -> list[str]:
    """The names of the files of weights in the format of safetensors."""
    names = ["model.safetensors"] if (folder / "model.safetensors").exists() else []
    if index is None:
        return names
    parts = index.get("weight_map")
    where = folder / "model.safetensors.index.json"
    if not isinstance(parts, dict):
        raise InvalidInputError(f"{where}: expected an object weight_map, got {shown(parts)}")
    for name in sorted({str(part) for part in parts.values()}):
        if Path(name).name != name:
            raise InvalidInputError(f"{where}: names {shown(name)}, expected a file of its folder")
        if not (folder / name).is_file():
            raise InvalidInputError(f"{folder / name}: no such file; {where.name} names it")
        names.append(name)
    return names


def _check_safetensors(path: Path) -> None:
    """Compares the header of a file with its size: 8 bytes of length, JSON, then the tensors."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            if not 2 <= length <= min(size - 8, _MOST_HEADER):
                raise ValueError("its header is damaged, or the file ends too early")
            header = json.loads(file.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if size != 8 + length + end:
            raise ValueError(f"{size:,} bytes, its header says {8 + length + end:,}")
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        raise InvalidInputError(
            f"{path}: not a readable file of safetensors ({str(error)[:200]}); copy the model anew"
        ) from None

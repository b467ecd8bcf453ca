"""Checks of the files of a model before a library reads them: what is damaged is named.

A folder of a model comes from a stranger as a run directory does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.safe_files import read_linked
from rlvr_fast.shown_text import terminal

__all__ = [
    "asks_for_code",
    "check_config",
    "check_model_files",
    "check_name",
    "damaged_file",
    "is_damage",
    "read_object",
]

# Files of JSON that transformers and vLLM read, each an object.
_JSON = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "model.safetensors.index.json",
    "pytorch_model.bin.index.json", "adapter_config.json", "processor_config.json",
)  # fmt: skip
_SAFETENSORS, _PICKLE = "model.safetensors", "pytorch_model.bin"
_MOST_JSON = 512 << 20
_MOST_TEMPLATE = 1 << 20
# More of them than any model has: a library would build layers until the memory is full.
_MOST = {"layers": 4_000, "experts": 20_000}
_LARGEST = 1 << 40


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
    found = {name: read_object(folder / name) for name in _JSON if (folder / name).exists()}
    if (config := found.get("config.json")) is not None:
        check_config(str(folder / "config.json"), config)
    _check_template(folder / "chat_template.jinja")
    for name in _weights(folder, _SAFETENSORS, found.get(f"{_SAFETENSORS}.index.json")):
        _check_safetensors(folder / name)
    _weights(folder, _PICKLE, found.get(f"{_PICKLE}.index.json"))


def check_name(model: str) -> None:
    """Refuses a name that is not UTF-8, which the libraries do not take.

    Raises:
        InvalidInputError: such a name.
    """
    try:
        model.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            f"{model}: the name of a model that is not UTF-8, shown with \\udcXX for its other "
            "bytes; rename the file or folder"
        ) from None


def check_config(where: str, config: Mapping[str, Any]) -> None:
    """Refuses a configuration that asks for code of others, or for an endless model.

    Args:
        where: what the message calls it.
        config: the object of config.json.

    Raises:
        InvalidInputError: numbers out of any model's range, or a kernel of the hub.
    """
    for key, value in _entries(config):
        # Of attention and of experts, by the names that versions of transformers read.
        if "implementation" in key and "/" in str(value):
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


def read_object(
    path: Path,
    *,
    at_most: int = _MOST_JSON,
    what: str = "model",
    parse: Callable[[bytes], Any] = json.loads,
) -> dict[str, Any]:
    """Reads a file of JSON that holds an object.

    Args:
        path: the file.
        at_most: its largest size in bytes.
        what: what is to be copied anew where it is damaged.
        parse: makes the value of its bytes; raises ValueError.

    Raises:
        InvalidInputError: no such file, or another one; the message names it.
    """
    try:
        value = parse(read_linked(path, at_most=at_most))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{path}: not a readable file of JSON ({str(error)[:200]}); copy the {what} anew"
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


def _weights(folder: Path, kind: str, index: Mapping[str, Any] | None) -> list[str]:
    """The names of the files of weights of one format: the file `kind`, and those of its index."""
    names = [kind] if (folder / kind).exists() else []
    if index is None:
        return names
    parts = index.get("weight_map")
    where = folder / f"{kind}.index.json"
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
    """Has the library of the format read the header, which it compares with the file's size."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            file.keys()
    except Exception as error:  # of a library in Rust
        raise InvalidInputError(
            f"{path}: not a readable file of safetensors ({terminal(str(error), 200)}); copy the "
            "model anew"
        ) from None


def asks_for_code(model: str) -> str:
    """The message on a model that cannot be loaded without code of its own."""
    return (
        f"{model}: its files ask to run Python code that came with the model (auto_map of "
        "config.json or tokenizer_config.json); rlvr-fast runs no such code: take a model of an "
        "architecture that the engine has, without auto_map"
    )


def is_damage(error: BaseException) -> bool:
    """Whether a library that reads a file of a model raised an error because of the file.

    Every kind of damage has an exception of its own; a panic of Rust is no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def damaged_file(folder: Path) -> str | None:
    """Which file of a folder cannot be read by the library of its format, and why.

    Finds tokenizer.json and files of weights that are pickles; the other files are those of
    `check_model_files`. None where all can be read, and for a model that is no folder.
    """
    from tokenizers import Tokenizer

    if not folder.is_dir():
        return None
    index = folder / f"{_PICKLE}.index.json"
    names = _weights(folder, _PICKLE, read_object(index) if index.exists() else None)
    readers = dict.fromkeys(names, _read_pickle)
    for name, read in {"tokenizer.json": Tokenizer.from_file, **readers}.items():
        path = folder / name
        try:
            if path.is_file():
                read(str(path))
        except BaseException as error:
            if not is_damage(error):
                raise
            why = terminal(str(error).partition("\n")[0] or type(error).__name__, 200, lines=False)
            return f"{path}: not readable ({why})"
    return None


def _read_pickle(path: str) -> None:
    """Reads a file of torch.save, which may hold tensors and plain values."""
    import pickle

    import torch

    try:
        found = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError:  # the message of torch tells how to run the code
        raise ValueError("no file of torch.save, or one that holds objects of classes") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"a {type(found).__name__}, expected names of weights and their values")

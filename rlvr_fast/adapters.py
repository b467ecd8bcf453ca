"""LoRA adapters: the adapter in a folder, and whether it fits a base model."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr_fast.adapter_files import (
    CONFIG,
    MERGE,
    WEIGHTS,
    Factors,
    adapter_config,
    adapter_factors,
)
from rlvr_fast.errors import InvalidInputError, closest, shown
from rlvr_fast.model_files import check_model_files
from rlvr_fast.models import model_layers
from rlvr_fast.safe_files import open_linked
from rlvr_fast.shown_text import terminal

if TYPE_CHECKING:
    from rlvr_fast.models import Layer

__all__ = ["Adapter", "check_adapter", "check_unchanged", "read_adapter", "same_adapter"]

_NUMBERED = re.compile(r"(.+\.)(\d+)(\..+)")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in a folder, as `read_adapter` found it.

    Attributes:
        path: the folder.
        sha256: digest of everything that determines its draws: the file of weights, and rank,
            alpha and scaling rule of adapter_config.json.
        rank: the rank of its factors.
        base: the base model that it was trained on, as adapter_config.json names it: a text of a
            stranger, which may be a path of another machine.
        modules: the last parts of the names of the modules that it changes, sorted, as ("k_proj",
            "q_proj").
    """

    path: Path
    sha256: str
    rank: int
    base: str | None
    modules: tuple[str, ...]


def read_adapter(folder: str | Path) -> Adapter:
    """Reads what a folder of an adapter (PEFT format) holds, without loading weights.

    Raises:
        InvalidInputError: no such folder, a file that is missing or damaged, weights as a pickle,
            an adapter that asks for code, or one that is not plain LoRA; the message names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(
            f"{folder}: no such folder; an adapter is a folder with {CONFIG} and {WEIGHTS} (one of "
            "the Hub is loaded down before: hf download NAME --local-dir FOLDER)"
        )
    config = adapter_config(folder)  # before anything larger is read
    check_model_files(folder)
    factors, _ = adapter_factors(folder)
    for module, (names, shapes, _) in factors.items():
        ranks = shapes[0][0], shapes[1][-1]
        if ranks != (config.rank, config.rank):
            raise InvalidInputError(
                f"{folder / WEIGHTS}: {shown(module)} has factors of the ranks {ranks[0]} and "
                f"{ranks[1]} ({shown(names)}), but r of {CONFIG} is {config.rank}; copy "
                "the adapter anew"
            )
    digest = hashlib.sha256()
    said = [config.rank, config.alpha, config.root_scale]
    digest.update(json.dumps(said).encode() + b"\0")
    with open_linked(folder / WEIGHTS) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    modules = tuple(sorted({name.rpartition(".")[2] for name in factors}))
    return Adapter(folder, digest.hexdigest(), config.rank, config.base, modules)


def check_unchanged(adapter: Adapter) -> None:
    """Refuses an adapter that was changed since it was read, as by a training that goes on.

    Called once the weights are loaded: what a run records is then what draws.

    Raises:
        InvalidInputError: other factors or another scale; or it can no longer be read.
    """
    if read_adapter(adapter.path).sha256 != adapter.sha256:
        raise InvalidInputError(
            f"{adapter.path}: the adapter was changed while it was loaded; give a copy of a "
            "finished checkpoint, which no training writes to"
        )


def same_adapter(recorded: Mapping[str, Any] | None, folder: str | Path | None) -> bool:
    """Whether the adapter that a run or its scores record is the one in a folder.

    Args:
        recorded: "name" and "sha256"; None where there was none.
        folder: the folder; None for no adapter. Where it is gone, its name decides.

    Raises:
        InvalidInputError: the folder holds no readable adapter.
    """
    if recorded is None or folder is None:
        return recorded is None and folder is None
    if not Path(folder).exists():
        return recorded.get("name") == Path(folder).name
    return recorded.get("sha256") == read_adapter(folder).sha256


def check_adapter(adapter: Adapter, model: str | Path, revision: str | None = None) -> None:
    """Refuses an adapter that does not fit a base model, of which the configuration alone is read.

    Warns (UserWarning) where the adapter fits and names another base model, and where it changes
    nothing.

    Args:
        adapter: what `read_adapter` gave.
        model: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: a module that the base lacks, a factor of another shape, values that are
            not finite in float32, fewer layers than the base; or the model cannot be read.
    """
    factors, whole = adapter_factors(adapter.path)
    layers = model_layers(model, revision)
    for module, each in factors.items():
        _check_module(adapter, str(model), module, each, layers)
    for module, shape in whole.values():
        if module not in layers or shape != layers[module].shape:
            raise InvalidInputError(
                f"{adapter.path / WEIGHTS}: holds the whole weight of {terminal(module, 120)}, "
                f"which is not that of {model}; {MERGE}"
            )
    _check_depth(adapter, str(model), factors, layers)
    if not _changes(adapter.path / WEIGHTS, factors):
        warnings.warn(
            f"{adapter.path}: changes nothing, as one factor of each module is all zeros: an "
            "adapter before its training",
            UserWarning,
            stacklevel=3,
        )
    if adapter.base and _last_part(adapter.base) != _last_part(str(model)):
        warnings.warn(
            f"{adapter.path}: trained on {terminal(adapter.base, 120)}, used with {model}, which "
            "it fits; draws and scores are right if both are one model",
            UserWarning,
            stacklevel=3,
        )


def _last_part(model: str) -> str:
    """The name of a model without folders, also in the cache of the Hub (NAME/snapshots/HASH)."""
    parts = Path(model.replace("\\", "/")).parts or ("",)
    cached = len(parts) > 2 and parts[-2] == "snapshots"
    return parts[-3].rpartition("--")[2] if cached else parts[-1]


def _check_module(
    adapter: Adapter, model: str, module: str, factors: Factors, layers: Mapping[str, Layer]
) -> None:
    layer = layers.get(module)
    if layer is None:
        near = closest(module[:120], layers)
        raise InvalidInputError(
            f"{adapter.path}: changes the module {terminal(module, 120)}, which {model} does not "
            f"have.{near} Name the base model that the adapter was trained on"
        )
    (rank, width), (height, _) = factors.shapes
    got = [width, height] if factors.embedding else [height, width]
    if layer.embedding != factors.embedding or got != list(layer.shape):
        kind = "an embedding" if layer.embedding else "a linear layer"
        raise InvalidInputError(
            f"{adapter.path}: its factors of {terminal(module, 120)} (rank {rank}) make a change "
            f"of shape {got}, but in {model} that is {kind} of shape {list(layer.shape)}; name the "
            "base model that the adapter was trained on"
        )


def _check_depth(
    adapter: Adapter, model: str, factors: Iterable[str], layers: Iterable[str]
) -> None:
    """Refuses an adapter that changes a module in some layers only, and does not say so."""
    targets = adapter_config(adapter.path).targets
    if targets is None:
        return
    ends = set(targets or adapter.modules)
    parts = {match.group(1, 3) for name in factors if (match := _NUMBERED.fullmatch(name))}
    have = set(factors)
    for name in layers:
        match = _NUMBERED.fullmatch(name)
        if match is None or name in have or match.group(1, 3) not in parts:
            continue
        words = name.split(".")
        if any(".".join(words[at:]) in ends for at in range(len(words))):
            raise InvalidInputError(
                f"{adapter.path}: changes {terminal(match[1], 60)}N{terminal(match[3], 60)}, but "
                f"not {name} of {model}, and {CONFIG} has no layers_to_transform: an adapter of "
                "another model, or a part of one; name the base model that it was trained on"
            )


def _changes(path: Path, factors: Mapping[str, Factors]) -> bool:
    """Whether any module has two factors of which neither is zero.

    Raises:
        InvalidInputError: values that are not finite in float32, with which factors are applied.
    """
    from safetensors import safe_open

    changes = False
    with safe_open(path, framework="pt") as weights:
        for module, each in factors.items():
            a, b = (weights.get_tensor(name).float() for name in each.names)
            if not (a.isfinite().all() and b.isfinite().all()):
                raise InvalidInputError(
                    f"{path}: {terminal(module, 120)}: values that are not finite; copy the "
                    "adapter anew"
                )
            changes = changes or bool(a.any() and b.any())
    return changes

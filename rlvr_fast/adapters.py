"""LoRA adapters as files: what a folder holds, and whether it fits a base model.

A folder of an adapter comes from a stranger as one of a model does: it is checked before a library
reads it. No code of it is run, and no pickle is read. Plain LoRA is taken, of which the factors in
the file and three numbers of adapter_config.json tell everything: y = W x + scale * B (A x).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rlvr_fast.errors import InvalidInputError, closest, shown
from rlvr_fast.model_files import check_model_files, is_damage
from rlvr_fast.models import model_layers
from rlvr_fast.safe_files import open_linked, read_linked
from rlvr_fast.shown_text import terminal

if TYPE_CHECKING:
    from rlvr_fast.models import Layer

__all__ = [
    "CONFIG",
    "WEIGHTS",
    "Adapter",
    "AdapterConfig",
    "Factors",
    "adapter_config",
    "adapter_factors",
    "check_adapter",
    "read_adapter",
    "same_adapter",
]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_MOST_CONFIG = 16 << 20
_MOST_WEIGHTS = 64 << 30
_MOST_RANK = 1 << 16
_MERGE = (
    "merge it into its base model (merge_and_unload of peft, then save_pretrained) and name the "
    "folder of the merged model"
)

# Entries that change neither draws nor scores of a finished adapter. Of all others but those that
# `adapter_config` reads, only null, false and empty ones are taken: they stand for changes of the
# model that plain LoRA does not have (use_dora, rank_pattern, layer_replication, ...).
_NEUTRAL = frozenset({
    "auto_mapping", "base_model_name_or_path", "bias", "corda_config",
    "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights",
    "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout", "lora_ga_config",
    "megatron_core", "peft_type", "peft_version", "qalora_group_size", "revision", "runtime_config",
    "target_modules", "task_type",
})  # fmt: skip
# Beginnings of init_lora_weights with which training changes the base model before it begins.
_CHANGED_BASE = ("pissa", "corda", "olora", "loftq", "lora_ga", "mica")
_PREFIX = "base_model.model."
# The end of a factor's name, to (whether it is A, whether of an embedding).
_ENDS = {
    ".lora_A.weight": (True, False),
    ".lora_B.weight": (False, False),
    ".lora_embedding_A": (True, True),
    ".lora_embedding_B": (False, True),
}
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


class AdapterConfig(NamedTuple):
    """What adapter_config.json says beside the factors.

    Attributes:
        rank: number of rows of A and of columns of B.
        alpha: the scale is alpha / rank.
        root_scale: the scale is alpha / sqrt(rank) instead (use_rslora).
        base: see `Adapter`.
        some_layers: whether the adapter may leave layers out (layers_to_transform and others).
    """

    rank: int
    alpha: float
    root_scale: bool
    base: str | None
    some_layers: bool


class Factors(NamedTuple):
    """The two factors of one module.

    Attributes:
        names: names of A and B in the file.
        shapes: shapes of A and B.
        embedding: whether the module is an embedding: A is [rank, tokens], B [width, rank].
    """

    names: tuple[str, str]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    embedding: bool


def read_adapter(folder: str | Path) -> Adapter:
    """Reads what a folder of an adapter (PEFT format) holds, without loading weights.

    Raises:
        InvalidInputError: no such folder, a file that is missing or damaged, weights as a pickle,
            an adapter that asks for code, or one that is not plain LoRA; the message names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(
            f"{folder}: no such folder; an adapter is a folder with {CONFIG} and {WEIGHTS}"
        )
    check_model_files(folder)
    config = adapter_config(folder)
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


def adapter_config(folder: Path) -> AdapterConfig:
    """Reads and checks adapter_config.json of a folder.

    Raises:
        InvalidInputError: the file is missing or damaged, asks for code, or describes something
            else than plain LoRA.
    """
    path = folder / CONFIG
    try:
        value = json.loads(read_linked(path, at_most=_MOST_CONFIG))
    except FileNotFoundError:
        raise InvalidInputError(
            f"{folder}: no {CONFIG}, so this is no adapter; name the folder that save_pretrained "
            "of peft wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{path}: not a readable file of JSON ({str(error)[:200]}); copy the adapter anew"
        ) from None
    if not isinstance(value, dict):
        raise InvalidInputError(f"{path}: expected an object of JSON, got {shown(value)}")
    if value.get("peft_type") != "LORA":
        raise InvalidInputError(
            f"{path}: peft_type is {shown(value.get('peft_type'))}, expected 'LORA'; {_MERGE}"
        )
    _refuse_code(path, value)
    _refuse_beyond_lora(path, value)
    rank: Any = value.get("r")
    alpha: Any = value.get("lora_alpha")
    if type(rank) is not int or not 1 <= rank <= _MOST_RANK:
        raise InvalidInputError(
            f"{path}: r is {shown(rank)}, expected a whole number from 1 to {_MOST_RANK:,}"
        )
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    if not number or not abs(alpha) < 1e12:
        raise InvalidInputError(f"{path}: lora_alpha is {shown(alpha)}, expected a number")
    rooted, base = value.get("use_rslora", False), value.get("base_model_name_or_path")
    if not isinstance(rooted, bool | None):
        raise InvalidInputError(f"{path}: use_rslora is {shown(rooted)}, expected true or false")
    if not isinstance(base, str | None):
        raise InvalidInputError(f"{path}: base_model_name_or_path is {shown(base)}, expected text")
    some = any(value.get(key) for key in ("layers_to_transform", "exclude_modules"))
    pattern = value.get("target_modules")
    some = some or (isinstance(pattern, str) and pattern != "all-linear")
    return AdapterConfig(rank, float(alpha), bool(rooted), base or None, some)


def _refuse_code(path: Path, value: Mapping[str, Any]) -> None:
    mapping = value.get("auto_mapping") or {}
    library = mapping.get("parent_library") if isinstance(mapping, dict) else mapping
    own = library is None or str(library).split(".")[0] == "transformers"
    if value.get("auto_map") or not own:
        key = "auto_map" if value.get("auto_map") else "auto_mapping"
        raise InvalidInputError(
            f"{path}: {key} names Python code ({shown(value[key])}); rlvr-fast runs no code of a "
            "model: take an adapter of a model of transformers, or remove the entry"
        )


def _refuse_beyond_lora(path: Path, value: Mapping[str, Any]) -> None:
    """Refuses what changes the model in another way than by the product of two factors."""
    read = {"r", "lora_alpha", "use_rslora"}
    for key, given in value.items():
        if key not in _NEUTRAL | read and given:
            raise InvalidInputError(
                f"{path}: {terminal(str(key), 60)} is {shown(given)}, which plain LoRA does not "
                f"have; {_MERGE}"
            )
    if value.get("bias") not in (None, "none"):
        raise InvalidInputError(
            f"{path}: bias is {shown(value['bias'])}: the adapter changes biases of the base "
            f"model, which plain LoRA does not; {_MERGE}"
        )
    how = value.get("init_lora_weights")
    if isinstance(how, str) and how.lower().startswith(_CHANGED_BASE):
        raise InvalidInputError(
            f"{path}: init_lora_weights is {shown(how)}: training changed the base model before it "
            "began, and the factors belong to the changed one; save the adapter anew with "
            "path_initial_model_for_weight_conversion of peft, or merge it where it was trained"
        )


def adapter_factors(folder: Path) -> tuple[dict[str, Factors], dict[str, tuple[int, ...]]]:
    """Reads the names and shapes in adapter_model.safetensors; values are not read.

    Returns:
        The factors of each module by its name in the base model; and the weights of embeddings or
        of the LM head that peft stores beside their factors, name to shape.

    Raises:
        InvalidInputError: the file is missing or damaged, a pickle stands in its place, or it holds
            something else than factors.
    """
    path = folder / WEIGHTS
    if not path.exists():
        pickled = sorted(folder.glob("adapter_model*.bin"))
        raise InvalidInputError(
            f"{pickled[0]}: weights as a pickle, which can hold code and is not read; save the "
            "adapter as safetensors (save_pretrained of peft with safe_serialization=True)"
            if pickled
            else f"{folder}: no {WEIGHTS}; copy the adapter anew"
        )
    found: dict[str, dict[bool, tuple[str, tuple[int, ...], bool]]] = {}
    whole: dict[str, tuple[int, ...]] = {}
    for name, shape in _header(path).items():
        plain = name.removeprefix(_PREFIX)
        end = next((end for end in _ENDS if plain.endswith(end)), None)
        if end is None and plain.endswith(".weight") and ".lora_" not in plain and len(shape) == 2:
            whole[plain.removesuffix(".weight").removesuffix(".base_layer")] = shape
            continue
        if end is None or plain == name or len(shape) != 2 or 0 in shape:
            raise InvalidInputError(
                f"{path}: {terminal(name, 120)} of shape {list(shape)}, expected the factors of "
                f"plain LoRA, {_PREFIX}MODULE.lora_A.weight and .lora_B.weight; {_MERGE}"
            )
        is_a, embedding = _ENDS[end]
        found.setdefault(plain.removesuffix(end), {})[is_a] = (name, shape, embedding)
    if not found:
        raise InvalidInputError(f"{path}: holds no factors of LoRA; copy the adapter anew")
    factors = {}
    for module, pair in found.items():
        if len(pair) < 2 or pair[True][2] != pair[False][2]:
            raise InvalidInputError(
                f"{path}: {terminal(module, 120)} has one factor, expected lora_A and lora_B; copy "
                "the adapter anew"
            )
        (a, a_shape, embedding), (b, b_shape, _) = pair[True], pair[False]
        factors[module] = Factors((a, b), (a_shape, b_shape), embedding)
    return factors, whole


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a file of safetensors, as the library of the format reads them."""
    from safetensors import safe_open

    with open_linked(path) as file:  # no pipe, no device, no holes
        size = os.fstat(file.fileno()).st_size
    if size > _MOST_WEIGHTS:
        raise InvalidInputError(f"{path}: {size:,} bytes, expected at most {_MOST_WEIGHTS:,}")
    try:
        with safe_open(path, framework="np") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            types = {each.get_dtype() for each in slices.values()}
            shapes = {name: tuple(each.get_shape()) for name, each in slices.items()}
    except BaseException as error:  # of a library in Rust
        if not is_damage(error):
            raise
        raise InvalidInputError(
            f"{path}: not a readable file of safetensors ({terminal(str(error), 200)}); copy the "
            "adapter anew"
        ) from None
    if other := types - {"F64", "F32", "F16", "BF16"}:
        raise InvalidInputError(
            f"{path}: weights of the type {sorted(other)[0]}, expected F32, F16 or BF16"
        )
    return shapes


def check_adapter(adapter: Adapter, model: str | Path, revision: str | None = None) -> None:
    """Refuses an adapter that does not fit a base model; loads the configuration of the model only.

    Warns (UserWarning) where the adapter fits and names another base model.

    Args:
        adapter: what `read_adapter` gave.
        model: a folder, a Hugging Face name or a .gguf file.
        revision: branch, tag or commit of a Hugging Face name.

    Raises:
        InvalidInputError: a module that the base lacks, a factor of another shape, fewer layers
            than the base; or the model cannot be read.
    """
    factors, whole = adapter_factors(adapter.path)
    layers = model_layers(model, revision)
    for module, each in factors.items():
        _check_module(adapter, str(model), module, each, layers)
    for module, shape in whole.items():
        if module not in layers or shape != layers[module].shape:
            raise InvalidInputError(
                f"{adapter.path / WEIGHTS}: holds the whole weight of {terminal(module, 120)}, "
                f"which is not that of {model}; {_MERGE}"
            )
    if not adapter_config(adapter.path).some_layers:
        _check_depth(adapter, str(model), factors, layers)
    if adapter.base and Path(adapter.base).name != Path(model).name:
        warnings.warn(
            f"{adapter.path}: trained on {terminal(adapter.base, 120)}, used with {model}, which "
            "it fits; draws and scores are right if both are one model",
            UserWarning,
            stacklevel=3,
        )


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
    """Refuses an adapter that changes a module in the first layers only."""
    parts = {match.group(1, 3) for name in factors if (match := _NUMBERED.fullmatch(name))}
    have = set(factors)
    for name in layers:
        match = _NUMBERED.fullmatch(name)
        if match and match.group(1, 3) in parts and name not in have:
            raise InvalidInputError(
                f"{adapter.path}: changes {terminal(match[1], 60)}N{terminal(match[3], 60)}, but "
                f"not {name} of {model}, and {CONFIG} has no layers_to_transform: an adapter of "
                "another model, or a part of one; name the base model that it was trained on"
            )

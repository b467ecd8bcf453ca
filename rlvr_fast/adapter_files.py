"""The two files of a LoRA adapter: adapter_config.json, and the names and shapes of its factors.

They come from a stranger as those of a model do, and are checked before a library reads them. No
code of an adapter is run, and no pickle is read. Plain LoRA is taken, of which the factors in the
file and three numbers of adapter_config.json tell everything: y = W x + scale * B (A x).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rlvr_fast.errors import InvalidInputError, RlvrError, shown
from rlvr_fast.model_files import is_damage, read_object
from rlvr_fast.safe_files import open_linked
from rlvr_fast.shown_text import terminal

__all__ = [
    "CONFIG",
    "MERGE",
    "WEIGHTS",
    "AdapterConfig",
    "Factors",
    "Whole",
    "adapter_config",
    "adapter_factors",
]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_MOST_CONFIG = 16 << 20
_MOST_WEIGHTS = 64 << 30
_MOST_RANK = 1 << 16
MERGE = (
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
_CHANGED_BASE = ("pissa", "corda", "olora", "loftq", "lora_ga")
_PREFIX = "base_model.model."
# Ends of factors under a name of training: without the prefix, or with the name of the adapter.
_OF_TRAINING = re.compile(r"\.lora_(A|B|embedding_A|embedding_B)(\.[^.]+)?(\.weight)?$")
_SAVE = (
    "save it with save_pretrained of peft, or give the weights the names that it would have written"
)
# The end of a factor's name, to (whether it is A, whether of an embedding).
_ENDS = {
    ".lora_A.weight": (True, False),
    ".lora_B.weight": (False, False),
    ".lora_embedding_A": (True, True),
    ".lora_embedding_B": (False, True),
}


class AdapterConfig(NamedTuple):
    """What adapter_config.json says beside the factors.

    Attributes:
        rank: number of rows of A and of columns of B.
        alpha: the scale is alpha / rank.
        root_scale: the scale is alpha / sqrt(rank) instead (use_rslora).
        base: see `Adapter`.
        targets: names, or ends of names, of the modules that it changes in all layers; empty where
            these are all linear ones. None where it may leave layers out (layers_to_transform and
            others).
    """

    rank: int
    alpha: float
    root_scale: bool
    base: str | None
    targets: tuple[str, ...] | None


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


class Whole(NamedTuple):
    """A weight that stands in the file as a whole, beside the factors.

    Attributes:
        module: the module of the base model that has it.
        shape: its shape.
    """

    module: str
    shape: tuple[int, ...]


def adapter_config(folder: Path) -> AdapterConfig:
    """Reads and checks adapter_config.json of a folder.

    Raises:
        InvalidInputError: the file is missing or damaged, asks for code, or describes something
            else than plain LoRA.
    """
    path = folder / CONFIG
    if not os.path.lexists(path):
        inner = sorted(each.parent.name for each in folder.glob(f"*/{CONFIG}"))
        there = f"; there is one in {terminal(', '.join(inner), 120)}" if inner else ""
        raise InvalidInputError(
            f"{folder}: no {CONFIG}, so this is no adapter{there}; name the folder that "
            "save_pretrained of peft wrote"
        )
    value = read_object(path, at_most=_MOST_CONFIG, what="adapter")
    if value.get("peft_type") != "LORA":
        raise InvalidInputError(
            f"{path}: peft_type is {shown(value.get('peft_type'))}, expected 'LORA'; {MERGE}"
        )
    _refuse_code(path, value)
    _refuse_beyond_lora(path, value)
    rank, rooted = value.get("r"), value.get("use_rslora", False)
    base = value.get("base_model_name_or_path")
    if type(rank) is not int or not 1 <= rank <= _MOST_RANK:
        raise InvalidInputError(
            f"{path}: r is {shown(rank)}, expected a whole number from 1 to {_MOST_RANK:,}"
        )
    if not isinstance(rooted, bool | None):
        raise InvalidInputError(f"{path}: use_rslora is {shown(rooted)}, expected true or false")
    if not isinstance(base, str | None):
        raise InvalidInputError(f"{path}: base_model_name_or_path is {shown(base)}, expected text")
    return AdapterConfig(
        rank, _alpha(path, value), bool(rooted), base or None, _targets(path, value)
    )


def _alpha(path: Path, value: Mapping[str, Any]) -> float:
    alpha = value.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not abs(alpha) < 1e12:
        raise InvalidInputError(f"{path}: lora_alpha is {shown(alpha)}, expected a number")
    if not alpha:
        raise InvalidInputError(
            f"{path}: lora_alpha is 0, with which the adapter changes nothing; tools that merge "
            "checkpoints write it where they do not know the value (verl): put in the lora_alpha "
            "of the training"
        )
    return float(alpha)


def _targets(path: Path, value: Mapping[str, Any]) -> tuple[str, ...] | None:
    """`AdapterConfig.targets`."""
    targets = value.get("target_modules")
    several = targets if isinstance(targets, list) else None
    if not isinstance(targets, str) and (
        several is None or not all(isinstance(each, str) for each in several)
    ):
        raise InvalidInputError(
            f"{path}: target_modules is {shown(targets)}, expected a list of names of "
            "modules, or a text"
        )
    some = value.get("layers_to_transform") not in (None, []) or value.get("exclude_modules")
    # A text is a regular expression of a stranger, which is not run.
    if some or (isinstance(targets, str) and targets != "all-linear"):
        return None
    return tuple(several or ())


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
                f"have; {MERGE}"
            )
    if value.get("bias") not in (None, "none"):
        raise InvalidInputError(
            f"{path}: bias is {shown(value['bias'])}: the adapter changes biases of the base "
            f"model, which plain LoRA does not; {MERGE}"
        )
    how = value.get("init_lora_weights")
    if isinstance(how, str) and how.lower().startswith(_CHANGED_BASE):
        raise InvalidInputError(
            f"{path}: init_lora_weights is {shown(how)}: training changed the base model before it "
            "began, and the factors belong to the changed one; save the adapter anew with "
            "path_initial_model_for_weight_conversion of peft, or merge it where it was trained"
        )


def adapter_factors(folder: Path) -> tuple[dict[str, Factors], dict[str, Whole]]:
    """Reads the names and shapes in adapter_model.safetensors; values are not read.

    Returns:
        The factors of each module by its name in the base model; and the weights of embeddings or
        of the LM head that peft stores beside their factors, by their names in the file.

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
    whole: dict[str, Whole] = {}
    for name, shape in _header(path).items():
        plain = name.removeprefix(_PREFIX)
        end = next((end for end in _ENDS if plain.endswith(end)), None)
        if end is None and plain.endswith(".weight") and ".lora_" not in plain and len(shape) == 2:
            module = plain.removesuffix(".weight").removesuffix(".base_layer")
            whole[name] = Whole(module, shape)
            continue
        if end is None or plain == name or len(shape) != 2 or 0 in shape:
            raise InvalidInputError(f"{path}: {_no_factor(name, shape)}")
        is_a, embedding = _ENDS[end]
        pair = found.setdefault(plain.removesuffix(end), {})
        if is_a in pair:
            raise InvalidInputError(
                f"{path}: holds both {terminal(name, 120)} and {terminal(pair[is_a][0], 120)}, "
                "expected one of them; copy the adapter anew"
            )
        pair[is_a] = (name, shape, embedding)
    if not found:
        raise InvalidInputError(
            f"{path}: holds no factors of LoRA, as a file that DeepSpeed saves without gathering "
            "the weights (ZeRO-3); save or copy the adapter anew"
        )
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


def _no_factor(name: str, shape: tuple[int, ...]) -> str:
    """What is wrong with a weight that is no factor of plain LoRA, and what to do."""
    what = (
        f"{terminal(name, 120)} of shape {list(shape)}, expected the factors of plain LoRA, "
        f"{_PREFIX}MODULE.lora_A.weight and .lora_B.weight"
    )
    if 0 in shape:
        return (
            f"{what}; it is empty, as DeepSpeed saves it without gathering the weights (ZeRO-3): "
            "save the adapter anew"
        )
    if _OF_TRAINING.search(name):
        return f"{what}; these are the names that the weights have in training: {_SAVE}"
    return f"{what}; {MERGE}"


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a file of safetensors, as the library of the format reads them."""
    from safetensors import safe_open

    try:
        with open_linked(path) as file:  # no pipe, no device, no holes
            size = os.fstat(file.fileno()).st_size
        if size > _MOST_WEIGHTS:
            raise InvalidInputError(f"{path}: {size:,} bytes, expected at most {_MOST_WEIGHTS:,}")
        with safe_open(path, framework="np") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            types = {each.get_dtype() for each in slices.values()}
            shapes = {name: tuple(each.get_shape()) for name, each in slices.items()}
    except RlvrError:
        raise
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

"""Sampling parameters that a model's own generation_config.json gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.model_files import read_object
from rlvr_fast.models import model_file
from rlvr_fast.options import options_of
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.store.json_files import parse_json

__all__ = ["ModelSampling", "sampling_from_model"]

_NAME = "generation_config.json"
_MOST_BYTES = 1 << 20

# Our name of a parameter to the file's name for it.
_KEYS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repetition_penalty",
    "max_tokens": "max_new_tokens",
    "min_tokens": "min_new_tokens",
    "stop": "stop_strings",
}

# What else a file may name that changes draws, with the values that change nothing. The draws are
# made without.
_NOT_TAKEN: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (None, 1),
    "typical_p": (None, 1),
    "epsilon_cutoff": (None, 0),
    "eta_cutoff": (None, 0),
    "penalty_alpha": (None, 0),
    "no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1),
    "guidance_scale": (None, 1),
    "bad_words_ids": (None, []),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "sequence_bias": (None, {}, []),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "exponential_decay_length_penalty": (None,),
    "watermarking_config": (None,),
    # Of prompt and completion together; 20 is the value of transformers that means none.
    "max_length": (None, 20),
    "min_length": (None, 0),
    "max_time": (None,),
}


@dataclass(frozen=True, slots=True)
class ModelSampling:
    """Sampling parameters, some of which the model's file gave.

    Attributes:
        parameters: all of them.
        gave: those of the file, by our names; empty where it gave none.
        remarks: what the file says beyond them, for the user and a reader of the draws.
    """

    parameters: SamplingParameters
    gave: Mapping[str, Any]
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What run.json says of the file."""
        listed = ", ".join(f"{name} {value}" for name, value in self.gave.items())
        return (f"from {_NAME}: {listed or 'no sampling parameter'}", *self.remarks)


def sampling_from_model(
    parameters: SamplingParameters,
    model: str,
    revision: str | None = None,
    *,
    adapter: Path | None = None,
) -> ModelSampling:
    """Takes what `parameters` were not given from the generation_config.json of a model.

    A parameter that neither was given nor stands in the file keeps its default. "do_sample": false
    is temperature 0, whatever temperature stands beside it.

    Args:
        parameters: `parameters.given` names those that the file does not change.
        model: a folder, a .gguf file or a Hugging Face name.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: the folder of an adapter, whose file comes before that of the model where it has
            one.

    Raises:
        InvalidInputError: the model has no such file, or it is damaged or holds a value of another
            type or out of range; the message names the file.
    """
    path = None if adapter is None else model_file(adapter, _NAME)
    if path is None:
        path = model_file(model, _NAME, revision)
    if path is None:
        raise InvalidInputError(
            f"{model}: the model has no {_NAME} that is stored here or can be reached; "
            "sampling_from_model takes parameters from it"
        )
    values = read_object(path, at_most=_MOST_BYTES, parse=parse_json)
    known = {each.name: each for each in options_of(SamplingParameters)}
    gave: dict[str, Any] = {}
    for name, key in _KEYS.items():
        value = values.get(key)
        if value is None or name in parameters.given:
            continue
        if name == "stop" and isinstance(value, str):
            value = [value]
        gave[name] = known[name].check(value, f"{path}: {key}")
    remarks = []
    sampled = values.get("do_sample")
    if not isinstance(sampled, bool | None):
        raise InvalidInputError(f"{path}: do_sample is {shown(sampled)}, expected true or false")
    if sampled is False and "temperature" not in parameters.given:
        gave["temperature"] = 0.0
        remarks.append(f"{_NAME} has do_sample false: the temperature is 0")
    others = [key for key, same in _NOT_TAKEN.items() if values.get(key) not in same]
    if others:
        remarks.append(f"{_NAME} also names {', '.join(others)}, without which the draws are made")
    own = {name: getattr(parameters, name) for name in parameters.given}
    try:
        made = SamplingParameters(**{**gave, **own})
    except InvalidInputError as error:  # min_tokens above max_tokens
        raise InvalidInputError(f"{path}: {error}") from None
    said = made.to_json()
    # As run.json spells them: a parameter at its default is said by the file all the same.
    gave = {name: said.get(name, getattr(made, name)) for name in gave}
    return ModelSampling(made, gave, tuple(remarks))

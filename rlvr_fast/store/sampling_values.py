"""The sampling parameters of run.json, where a parameter that is absent has its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["TRUNCATION", "TRUNCATION_TITLES", "beyond_one_pass", "cuts", "sampling_value"]

# The parameters of the distribution that a token is drawn from, apart from what depends on the
# tokens before it; by these names in run.json and in scores.json.
TRUNCATION = ("temperature", "top_p", "top_k", "min_p")

# The parameters that leave tokens out: their names in sentences, and the values that leave none.
TRUNCATION_TITLES: Mapping[str, tuple[str, float]] = {
    "top_p": ("top-p", 1),
    "top_k": ("top-k", 0),
    "min_p": ("min-p", 0),
}

# Parameters by which a distribution depends on the tokens before it, or is another one at the first
# positions; and what other tools record of this kind, with the values that change nothing.
_BEYOND_ONE_PASS: Mapping[str, tuple[Any, ...]] = {
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "repetition_penalty": (None, 1),
    "min_tokens": (None, 0),
    "typical_p": (None, 1),
    "logit_bias": (None, {}),
}


def sampling_value(values: Mapping[str, Any], name: str) -> Any:
    """A sampling parameter of run.json or scores.json in its one spelling.

    Returns:
        The default of a parameter of `SAMPLING_DEFAULTS` that is absent or null; None for another
        one. A top_k of -1 is 0, a sequence is a list.

    Example:
        >>> sampling_value({"top_k": -1}, "top_k"), sampling_value({}, "min_p")
        (0, 0.0)
    """
    value = values.get(name)
    if value is None:
        value = SAMPLING_DEFAULTS.get(name)
    if name == "top_k" and value == -1:
        value = 0
    return list(value) if isinstance(value, tuple) else value


def beyond_one_pass(sampling: Mapping[str, Any]) -> str:
    """The first parameter that one pass of a model over a completion does not know of, or "".

    Such a parameter makes the distribution that a token was drawn from another one than
    temperature, top-p, top-k and min-p make of the model's logits.

    Example:
        >>> beyond_one_pass({"top_k": 20, "repetition_penalty": 1.05})
        'repetition_penalty'
    """
    return next(
        (name for name, same in _BEYOND_ONE_PASS.items() if sampling.get(name) not in same), ""
    )


def cuts(sampling: Mapping[str, Any]) -> list[str]:
    """The parameters that leave tokens out, with their values, in words.

    Example:
        >>> cuts({"top_p": 0.95, "top_k": 20, "min_p": 0})
        ['top-p 0.95', 'top-k 20']
    """
    values = (
        (title, sampling_value(sampling, name), same)
        for name, (title, same) in TRUNCATION_TITLES.items()
    )
    return [f"{title} {value:g}" for title, value, same in values if value not in (None, same)]

r"""The commands of siunitx in plain text: `\SI{5}{\kilo\metre}`, `\qty{5}{km}`, `\ang{45}`."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parts.units_table import PREFIX_NAMES

__all__ = ["without_siunitx"]

_ARGUMENT = r"\s*\{(?=\s*[^\s}])((?:[^{}]|\{[^{}]{0,40}\}){0,120})\}"
_OPTIONS = r"(?:\s*\[[^\[\]]{0,120}\])?"
_QUANTITY = re.compile(
    rf"\\(?:SI|qty|quantity){_OPTIONS}{_ARGUMENT}{_ARGUMENT}(?!\s*[0-9^_(]|[A-Za-z])"
)
_UNIT = re.compile(rf"\\(?:si|unit){_OPTIONS}{_ARGUMENT}")
_ANGLE = re.compile(rf"\\ang{_OPTIONS}\s*\{{([^{{}};]{{1,40}})\}}")
_PREFIX = re.compile(rf"\\({'|'.join(PREFIX_NAMES)})\s*\\?(?=[A-Za-z])")
_TO_THE = re.compile(r"\\(?:tothe|raiseto)\s*\{([+-]?\d{1,2})\}")
# Commands whose names are no words of units.
_NAMES = {"degreeCelsius": r"^\circ C", "celsius": r"^\circ C", "percent": "%", "degree": r"^\circ",
          "of": " "}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")


def without_siunitx(text: str) -> str:
    r"""The text with plain numbers and words in place of the commands of siunitx.

    Example:
        >>> without_siunitx(r"\SI{5}{\kilo\metre\per\hour}")
        '5 kilometre per hour'
    """
    if "\\" not in text:
        return text
    text = _QUANTITY.sub(lambda match: f"{match[1].strip()} {_words(match[2])}", text)
    text = _UNIT.sub(lambda match: f" {_words(match[1])}", text)
    return _ANGLE.sub(r"\1^\\circ ", text)


def _words(unit: str) -> str:
    unit = _TO_THE.sub(r"^{\1}", unit.replace("~", " "))
    unit = _PREFIX.sub(r" \1", unit)
    unit = _COMMAND.sub(lambda match: f" {_NAMES.get(match[1], match[1])} ", unit)
    # a period between units is a product
    unit = re.sub(r"(?<=[A-Za-z}\d])\.(?=[A-Za-z])", " ", unit)
    return re.sub(r" +(?=\^)|(?<= ) +", "", unit).strip()

"""The colours of the report: of the labels, from the vocabulary, and of the two models."""

from __future__ import annotations

from rlvr_fast.vocabulary import LABELS

__all__ = ["COLOURS", "css_variables"]

# name -> (on white paper, on the dark page)
_MODELS = {"base": ("#444c5c", "#c3cad4"), "rl": ("#8e3b8f", "#dc8fdd")}
_ALL = {label.key: (label.colour, label.dark) for label in LABELS} | _MODELS

COLOURS: dict[str, str] = {name: light for name, (light, _) in _ALL.items()}


def css_variables() -> str:
    """The colours as variables of a style sheet: `--preserved`, `--base`, and so on."""
    light, dark = (
        " ".join(f"--{name}: {pair[i]};" for name, pair in _ALL.items()) for i in range(2)
    )
    return (
        f":root {{ {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n  :root {{ {dark} }}\n}}\n"
    )

"""The prompt template of run.json in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlvr_fast.errors import shown

__all__ = ["template_difference", "template_words"]

# Key of the object "prompt_template" -> what it is called.
_PARTS = {
    "system": "system message",
    "template_args": "arguments of the template",
    "few_shot": "examples",
    "prefill": "prefill",
    "instruction": "instruction",
}


def template_words(template: Mapping[str, Any]) -> str:
    """A prompt template in words: its name, and what stands around the questions.

    Example:
        >>> template_words({"name": "chat", "template_args": {"enable_thinking": False}})
        'chat, arguments of the template: enable_thinking=false'
    """
    parts = [
        f"{word}: {_value(template[key])}" for key, word in _PARTS.items() if template.get(key)
    ]
    return ", ".join([str(template.get("name") or "?"), *parts])


def template_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """The difference of two prompt templates in words; they have different digests."""
    names = [f"{each.get('name')} ({str(each.get('sha256'))[:12]})" for each in (a, b)]
    parts = [
        f"{word} {_value(a.get(key))} and {_value(b.get(key))}"
        for key, word in _PARTS.items()
        if (a.get(key) or None) != (b.get(key) or None)
    ]
    text = f"prompt template {names[0]} and {names[1]}"
    return f"{text}: {'; '.join(parts)}" if parts else text


def _value(value: Any) -> str:
    if not value:
        return "none"
    if isinstance(value, Mapping):
        if set(value) == {"name", "sha256"}:
            return f"{value['name']} ({str(value['sha256'])[:12]})"
        return ", ".join(f"{name}={_plain(each)}" for name, each in sorted(value.items()))
    return shown(value)


def _plain(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else shown(value)

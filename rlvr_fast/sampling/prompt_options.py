"""What stands around the question in a prompt: one definition for Python, command line and study.

What each option does is written in docs/sampling.md, section "Prompts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import PREFILL_CHARACTERS

__all__ = ["PromptOptions"]

# Names that the rendering of a chat template gives itself, or that would name another template.
_RESERVED = (
    "messages", "conversation", "conversations", "add_generation_prompt", "continue_final_message",
    "tools", "documents", "chat_template", "tokenize", "return_dict", "raise_exception",
)  # fmt: skip
_MOST_CHARACTERS = 100_000
_MOST_DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOptions(Options):
    """What a prompt holds beside the question; by default the task's own instruction alone.

    Attributes:
        system: the text of a system message, the first message of a chat.
        template_args: names to values that the chat template reads, as enable_thinking;
            strftime_now is the date that it is told.
        few_shot: a file of examples: JSON or JSON Lines of question and answer, or a text that
            is put before the question.
        prefill: the beginning of the assistant's turn. It is part of the prompt, and no part of a
            completion.
        instruction: "auto" is the instruction of the kind of task (`Scheme.instruction`), "none"
            is none, any other text is put below each question.

    Raises:
        InvalidInputError: a value of another type; a text that is too long; a reserved name among
            template_args, or a value there that is not one of JSON.
    """

    system: str | None = option(None, metavar="TEXT", help="System message of the chat.")
    template_args: Mapping[str, Any] = option(
        {},
        metavar="NAME=VALUE",
        cli_name="template_arg",
        help="An argument of the chat template, as enable_thinking=false; VALUE is read as YAML.",
    )
    few_shot: str | None = option(
        None,
        metavar="FILE",
        help="Examples before the question: .json or .jsonl of question and answer, or a text.",
    )
    prefill: str | None = option(
        None, metavar="TEXT", help="Begins the assistant's turn, as part of the prompt."
    )
    instruction: str = option(
        "auto",
        metavar="TEXT",
        help="Put below each question: auto is the task's own (math asks for a box), none is none.",
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        bounds = {"system": _MOST_CHARACTERS, "instruction": _MOST_CHARACTERS}
        for name, most in {**bounds, "prefill": PREFILL_CHARACTERS}.items():
            if len(text := getattr(self, name) or "") > most:
                raise InvalidInputError(
                    f"{name} has {len(text):,} characters, expected at most {most:,}"
                )
        word = self.instruction.strip().lower()
        if word in ("auto", "none") and word != self.instruction:
            raise InvalidInputError(
                f"instruction is {self.instruction!r}, which would stand below every question; "
                f"write {word!r} where the word is meant"
            )
        for name, value in self.template_args.items():
            if name in _RESERVED or not name.isidentifier():
                why = "the rendering gives it itself" if name in _RESERVED else "it is no name"
                raise InvalidInputError(
                    f"{shown(name)} cannot be an argument of a chat template: {why}"
                )
            if name == "strftime_now" and not _is_date(value):
                raise InvalidInputError(
                    f"the argument strftime_now of the chat template is {shown(value)}, expected "
                    "the date that the template is told, as 2025-01-31"
                )
            if not _of_json(value):
                raise InvalidInputError(
                    f"the argument {name} of the chat template is {shown(value)}, expected a "
                    "text, a number, true, false, null, or lists and mappings of these"
                )


def _is_date(value: Any) -> bool:
    """Whether a value is a text such as 2025-01-31."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _of_json(value: Any, depth: int = 0) -> bool:
    """Whether JSON has a value, to a bounded depth."""
    if depth > _MOST_DEPTH:
        return False
    if isinstance(value, list | tuple):
        return all(_of_json(each, depth + 1) for each in value)
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _of_json(v, depth + 1) for k, v in value.items())
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return value is None or isinstance(value, str | int)

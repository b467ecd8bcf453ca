"""Rendered chat templates: the last user turn of a prompt that is one text."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["assistant_start", "last_user_turn"]


class _Marked(NamedTuple):
    """A template whose turns are marked by special tokens."""

    token: str  # a text that every prompt of this template holds
    user: re.Pattern[str]  # what opens a user turn
    end: re.Pattern[str]  # what ends it
    assistant: re.Pattern[str]  # what opens the turn of the assistant


def _marked(token: str, user: str, end: str, assistant: str) -> _Marked:
    return _Marked(token, re.compile(user), re.compile(end), re.compile(assistant))


# The more particular token first: Phi-4 writes ChatML with <|im_sep|>, Granite <|end_of_text|>.
_MARKED = (
    _marked(  # ChatML: Qwen, InternLM, SmolLM, Phi-4
        "<|im_start|>",
        r"<\|im_start\|>user(?:<\|im_sep\|>|\s?\n)",
        r"<\|im_end\|>|<\|im_start\|>",
        r"<\|im_start\|>assistant(?:<\|im_sep\|>|\n|$)",
    ),
    _marked(  # Llama 3
        "<|start_header_id|>",
        r"<\|start_header_id\|>user<\|end_header_id\|>",
        r"<\|eot_id\|>|<\|start_header_id\|>",
        r"<\|start_header_id\|>assistant<\|end_header_id\|>\n{0,2}",
    ),
    _marked(  # Llama 4
        "<|header_start|>",
        r"<\|header_start\|>user<\|header_end\|>",
        r"<\|eot\|>|<\|header_start\|>",
        r"<\|header_start\|>assistant<\|header_end\|>\n{0,2}",
    ),
    _marked(  # Gemma
        "<start_of_turn>",
        r"<start_of_turn>user\n",
        r"<end_of_turn>|<start_of_turn>",
        r"<start_of_turn>model\n?",
    ),
    _marked(  # DeepSeek
        "<｜User｜>",
        r"<｜User｜>",
        r"<｜(?:Assistant|end▁of▁sentence|User)｜>",
        r"<｜Assistant｜>",
    ),
    _marked(  # gpt-oss
        "<|message|>",
        r"<\|start\|>user<\|message\|>",
        r"<\|end\|>|<\|start\|>",
        r"<\|start\|>assistant(?=<\|channel\|>|$)",
    ),
    _marked(  # Granite
        "<|start_of_role|>",
        r"<\|start_of_role\|>user<\|end_of_role\|>",
        r"<\|end_of_text\|>|<\|start_of_role\|>",
        r"<\|start_of_role\|>assistant<\|end_of_role\|>",
    ),
    _marked(  # Command R
        "<|USER_TOKEN|>",
        r"<\|USER_TOKEN\|>",
        r"<\|END_OF_TURN_TOKEN\|>|<\|START_OF_TURN_TOKEN\|>",
        r"<\|CHATBOT_TOKEN\|>",
    ),
    _marked(  # Kimi
        "<|im_user|>",
        r"<\|im_user\|>user<\|im_middle\|>",
        r"<\|im_end\|>|<\|im_(?:user|assistant|system)\|>",
        r"<\|im_assistant\|>assistant<\|im_middle\|>",
    ),
    _marked(  # Phi-3, Zephyr, GLM, Tulu, OLMo
        "<|user|>",
        r"<\|user\|>",
        r"<\|(?:end|assistant|system|user|endoftext|eot_id|observation)\|>|</s>",
        r"<\|assistant\|>\n?",
    ),
    _marked(  # Llama 2, Mistral
        "[INST]",
        r"\[INST\]",
        r"\[/INST\]",
        r"\[/INST\]",
    ),
)

# What a prompt may put at the beginning of the answer.
_OPENING = r"(?:\s*(?:Let me solve this step by step\.|Let's think step by step\.))?"
_THINK = r"(?:\s*<think>(?:\s*</think>)?)?\s*"


class _Plain(NamedTuple):
    """A template without special tokens; the prompt ends where the answer begins."""

    start: re.Pattern[str]  # what the prompt begins with
    user: re.Pattern[str]  # what opens a user turn
    assistant: re.Pattern[str]  # what opens an answer
    tail: re.Pattern[str]  # what follows the last opening


def _plain(start: str, user: str, assistant: str, tail: str) -> _Plain:
    return _Plain(
        re.compile(start), re.compile(user), re.compile(assistant), re.compile(tail + _THINK)
    )


_PLAIN = (
    # ChatML decoded without special tokens: "system\nS\nuser\nQ\nassistant\n".
    _plain(r"\s?(?:system|user)\n(?!\n)", r"(?:^|\n)\s?user\n", r"\n\s?assistant(?:\n|$)", ""),
    # Gemma decoded without special tokens: "user\nQ\nmodel\n".
    _plain(r"\s?user\n(?!\n)", r"(?:^|\n)\s?user\n", r"\n\s?model(?:\n|$)", ""),
    # Llama 3 decoded without special tokens: "system\n\nS" + "user\n\nQ" + "assistant\n\n".
    _plain(r"\s*(?:system|user)\n\n", r"user\n\n", r"assistant(?:\n\n|$)", ""),
    # ChatML and Gemma again: the question begins with an empty line.
    _plain(r"\s?(?:system|user)\n", r"(?:^|\n)\s?user\n", r"\n\s?assistant\n(?!\n)", ""),
    _plain(r"\s?user\n", r"(?:^|\n)\s?user\n", r"\n\s?model\n(?!\n)", ""),
    _plain(
        r"",
        r"(?:^|\n|[.!>] )(?:Human|User)\s*:",
        r"(?:^|\s)Assistant\s*:",
        _OPENING,
    ),
    _plain(r"\s*(?:system|user)\s*:", r"(?:^|\n)\s?user\s*:", r"\n\s?assistant\s*:", _OPENING),
    _plain(r"", r"(?:^|\n|[.!>] )(?:HUMAN|USER)\s*:", r"(?:^|\s)ASSISTANT\s*:", _OPENING),
    # Alpaca.
    _plain(r"", r"(?:^|\n)### (?:Instruction|Question|Problem):", r"\n### Response:", _OPENING),
    _plain(r"", r"(?:^|\n)Question\s*:", r"\nAnswer\s*:", _OPENING),
    _plain(r"", r"(?:^|\n)Problem\s*:", r"\nSolution\s*:", _OPENING),
    _plain(r"", r"(?:^|\n)Q\s*:", r"\nA\s*:", _OPENING),
)


def last_user_turn(text: str) -> str | None:
    r"""The text of the last user turn of a rendered prompt; None where no template is recognised.

    Recognised are ChatML, Llama 2 to 4, Mistral, Gemma, DeepSeek, gpt-oss, Granite, Command R,
    Kimi, and Phi, Zephyr, GLM, Tulu and OLMo by their special tokens; ChatML, Llama 3 and Gemma
    decoded without special tokens; "User: Q\nAssistant:" and its kin, "Question: Q\nAnswer:"
    with or without worked examples before, and Alpaca. A template without special tokens is
    recognised only where the text ends with the opening of an answer.

    Example:
        >>> last_user_turn("system\nBe brief.\nuser\nWhat is 1+1?\nassistant\n")
        'What is 1+1?'
    """
    for template in _MARKED:
        if template.token not in text:
            continue
        headers = list(template.user.finditer(text))
        if not headers:
            continue
        begin = headers[-1].end()
        end = template.end.search(text, begin)
        turn = text[begin : end.start() if end else len(text)].strip()
        if turn.startswith("<<SYS>>"):  # Llama 2 puts the system prompt into the first user turn
            turn = turn.partition("<</SYS>>")[2].strip() or turn
        if turn:
            return turn
    for plain in _PLAIN:
        if found := _plain_turn(text, plain):
            return found
    return None


def assistant_start(text: str) -> int | None:
    """Where the answer begins in a text that opens with a prompt with special tokens, else None.

    The first turn of an assistant after the first user turn counts.
    """
    for template in _MARKED:
        if template.token not in text:
            continue
        user = template.user.search(text)
        answer = template.assistant.search(text, user.end()) if user else None
        if answer:
            return answer.end()
    return None


def _plain_turn(text: str, template: _Plain) -> str | None:
    if not template.start.match(text):
        return None
    answers = list(template.assistant.finditer(text))
    if not answers or not template.tail.fullmatch(text, answers[-1].end()):
        return None
    end = answers[-1].start()
    # A question may itself hold what opens an answer, as "Solution:" of its parts.
    for before in (*reversed(answers[:-1]), None):
        user = template.user.search(text, before.end() if before else 0, end)
        if user:
            return text[user.end() : end].strip()
    return None

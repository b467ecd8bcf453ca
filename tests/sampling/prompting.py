"""Engines without a model for the tests of prompts: a real chat template, letters as tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rlvr_fast.sampling.tokenizer import TokenizerPrompts
from rlvr_fast.tasks import Task, load_tasks

__all__ = ["CAPTIOUS", "CHATML", "THINKING", "Letters", "math_tasks"]

# In the manner of Qwen3: turns between marks, and a switch that closes the thoughts at once.
CHATML = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '\n<think>\n\n</think>\n\n' }}{%- else %}{{- '\n' }}{%- endif %}{%- endif %}"
)
# In the manner of DeepSeek's: it opens the thoughts, and leaves those of earlier turns out.
THINKING = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<User>{{ m.content }}"
    "{% else %}<Assistant>{{ m.content.split('</think>')[-1] }}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant>{{ '<think>\n' }}{% endif %}"
)
# In the manner of Gemma's first: it refuses a system message; one that is hidden it leaves out.
CAPTIOUS = (
    "{% if messages[0].role == 'system' and messages[0].content != 'Hidden.' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endif %}"
    "{% endfor %}<model>"
)


class Letters(TokenizerPrompts):
    """An engine as far as prompts go."""

    model, name, version, revision, notes = "the model", "letters", "1", "r1", ()
    context_length, vocab_size = None, 1 << 21

    def __init__(self, template: str | None = None) -> None:
        class Library:
            chat_template = template
            special_tokens_map = {"bos_token": "<s>"}  # noqa: RUF012

            def __call__(self, prompts: list[str], **_: object) -> dict[str, list[list[int]]]:
                return {"input_ids": [[ord(letter) for letter in text] for text in prompts]}

        self._tokenizer = Library()


QUESTIONS = {"What is 2 + 3?": "5", "Put 7 + 1 into \\boxed{}.": "8"}


def math_tasks(folder: Path, questions: dict[str, str] = QUESTIONS) -> Sequence[Task]:
    """One task of kind math; the second question asks for a box itself."""
    file = folder / "golds.jsonl"
    rows = [{"question": question, "answer": answer} for question, answer in questions.items()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_tasks([f"math:{file}"])

"""The prompts that completions are scored after, compared with the scoring model's tokenizer."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.prompt_tokens import prompt_tokens

__all__ = ["scored_prompts"]


def scored_prompts(
    problems: pa.Table, tokenizer: Any, model: str, *, where: str, messages: bool
) -> dict[str, list[int]]:
    """The token ids of each problem's prompt, compared with those of the model's tokenizer.

    Args:
        problems: the table of problems of a run.
        tokenizer: the tokenizer of the model that scores; None where there is none.
        model: the name of that model.
        where: the run, for messages.
        messages: whether the prompts are messages, which a server put into a chat template.

    Raises:
        InvalidInputError: the tokenizer gives other ids for a prompt, or a server did not tell the
            ids; the message names the problem.
    """
    names = problems["problem_id"].to_pylist()
    texts = problems["prompt"].to_pylist()
    stored = problems["prompt_token_ids"].to_pylist()
    if messages and (unknown := [n for n, ids in zip(names, stored, strict=True) if not ids]):
        raise InvalidInputError(
            f"{where}: a server made the prompts of {len(unknown)} problems from messages "
            f"(first: {unknown[0]!r}) and did not tell their token ids, so what the completions "
            "follow is not known; draw with a server that tells them, as vLLM does, or with "
            "--engine-arg api=completions and a tokenizer"
        )
    if tokenizer is None or not names:
        return dict(zip(names, stored, strict=True))
    if messages:
        for name, text, ids in zip(names, texts, stored, strict=True):
            if not _holds_messages(tokenizer, ids, text):
                raise InvalidInputError(
                    f"{where}: the tokenizer of {model} is not the tokenizer of this run: "
                    f"with it the prompt of problem {name!r} does not hold the message that was "
                    "sent; score the run with a model of the same tokenizer"
                )
        return dict(zip(names, stored, strict=True))
    with_special = prompt_tokens(tokenizer, texts)
    # The text of a prompt made by a chat template holds the special tokens.
    without = prompt_tokens(tokenizer, texts, special_tokens=False)
    prompts = {}
    for name, ids, a, b in zip(names, stored, with_special, without, strict=True):
        if ids and ids not in (a, b):
            at = next(
                (i for i, (x, y) in enumerate(zip(ids, a, strict=False)) if x != y),
                min(len(ids), len(a)),
            )
            raise InvalidInputError(
                f"{where}: the tokenizer of {model} is not the tokenizer of this run: "
                f"its ids for the prompt of problem {name!r} differ from position "
                f"{at} on ({a[at : at + 4]}, stored {ids[at : at + 4]}); score the run with "
                "a model of the same tokenizer"
            )
        prompts[name] = ids or a
    return prompts


def _holds_messages(tokenizer: Any, ids: list[int], messages: str) -> bool:
    """Whether a prompt holds the content of each message, white space aside."""
    try:
        value = json.loads(messages)
        turns = value["messages"] if isinstance(value, dict) else value
        contents = [message.get("content") or "" for message in turns]
        plain = "".join(tokenizer.decode(ids).split())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return False  # no messages, or ids beyond all vocabularies
    return all("".join(str(content).split()) in plain for content in contents)

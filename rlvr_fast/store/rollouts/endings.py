"""Where a completion begins and ends: copies of the prompt, special tokens and later turns."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store.rollouts.columns import text_array
from rlvr_fast.store.rollouts.messages import join_thinking
from rlvr_fast.store.rollouts.templates import assistant_start

__all__ = ["cut_prompt", "cut_special_tokens"]

# A shorter text may begin an answer by chance.
_LEAST_PROMPT = 8
# As much of the beginning of a text as decides whether the text may begin with the prompt.
_HEAD = 128

# Tokens that end a text wherever they stand: ends of a text or turn, and the start of another
# turn. `str.find` of the text in front is much faster than the pattern.
_ENDS = tuple(
    (needle, re.compile(pattern))
    for needle, pattern in (
        (
            "<|",
            r"<\|(?:im_end|eot_id|end_of_text|endoftext|eom_id|end|return|call|eot|eos|endofturn"
            r"|end_of_turn|endofprompt|END_OF_TURN_TOKEN|END_RESPONSE|finetune_right_pad_id"
            r"|finetune_right_pad|pad|padding|im_start|start_header_id|header_start|start_of_role"
            r"|begin_of_text|startoftext|START_OF_TURN_TOKEN|USER_TOKEN|im_user|im_system"
            r"|im_assistant|start|user|system|assistant|observation)\|>|<\|turn>",
        ),
        ("<｜", r"<｜(?:end▁of▁sentence|begin▁of▁sentence|User|Assistant|▁pad▁)｜>"),
        ("<end_of_", r"<end_of_(?:turn|utterance)>"),
        ("<start_of_turn>", r"<start_of_turn>"),
        ("<turn|>", r"<turn\|>"),
        ("<eos>", r"<eos>"),
        ("</s>", r"</s>\s*<s>"),
        ("[EOS]", r"\[EOS\]"),
        ("[INST]", r"\[INST\]"),
        ("[e~[", r"\[e~\["),
    )
)
# Tokens that are also HTML or plain words: they end a text where nothing but such tokens follows.
_TRAILING = ("</s>", "<pad>", "<unk>", "[PAD]", "<s>")
# Tokens that open a text or the answer.
_LEADING = re.compile(
    r"\s*(<s>|<bos>|<pad>|\[PAD\]|\[/INST\]|<\|begin_of_text\|>|<\|startoftext\|>"
    r"|<｜begin▁of▁sentence｜>|<｜▁pad▁｜>|<\|finetune_right_pad_id\|>|\[gMASK\]\s?<sop>|<sop>"
    r"|<\|im_start\|>assistant(?:<\|im_sep\|>|\n|$)|<\|start_header_id\|>assistant<\|end_header_id\|>\n*"
    r"|<\|header_start\|>assistant<\|header_end\|>\n*|<start_of_turn>model\n?|<\|assistant\|>\n?"
    r"|<｜Assistant｜>|<\|start\|>assistant(?=<\|channel\|>|<\|message\|>)"
    r"|<\|start_of_role\|>assistant<\|end_of_role\|>|<\|CHATBOT_TOKEN\|>"
    r"|<\|im_assistant\|>assistant<\|im_middle\|>)"
)
# Any token above; RE2 finds the rows that hold one. "analysis": see `_harmony`.
_ANY = (
    r"<(?:[|｜][A-Za-z_▁]|/?s>|eos>|bos>|pad>|unk>|sop>|end_of_|start_of_turn>|turn\|>)"
    r"|\[(?:EOS|PAD|/?INST|gMASK)\]|\[e~\[|\Aanalysis"
)

# One message of gpt-oss (the harmony format): its channel, and its text up to the next token.
_HARMONY = re.compile(
    r"<\|channel\|>\s*(\w++)[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
# The same decoded without special tokens.
_BARE_HARMONY = re.compile(r"\Aanalysis(.*?)assistantfinal(.*)\Z", re.DOTALL)
_HARMONY_END = re.compile(r"<\|return\|>|<\|start\|>(?:user|system|developer)\b")


def cut_special_tokens(texts: pa.LargeStringArray) -> tuple[pa.LargeStringArray, Counter[str]]:
    """Completions without the special tokens of tokenizers and chat templates.

    A token that ends a text or turn (<|im_end|>, <|eot_id|>, <|endoftext|>, ...) or opens another
    turn (<|im_start|>, <|user|>, ...) ends the text: the token and all that follows is dropped.
    Tokens that open a text or the answer (<s>, <|im_start|>assistant, ...) are dropped at the
    beginning. `</s>` and `<s>` are HTML too, and `<pad>`, `[PAD]` and `<unk>` are words: they are
    cut at the end of a text only, where no `<s>` before them is open; `</s><s>` ends a text.
    Channels of gpt-oss become <think>...</think> and the final text.

    Args:
        texts: completions, null where there is none.

    Returns:
        (texts, tokens): the texts, and in how many texts each token was dropped; of what follows
        the end of a text only the token that ended it is counted. Texts without a token are
        unchanged.
    """
    tokens: Counter[str] = Counter()
    mask = pc.fill_null(pc.match_substring_regex(texts, _ANY), False)
    if not pc.any(mask).as_py():
        return texts, tokens
    clean: list[str] = []
    for text in texts.filter(mask).to_pylist():
        cut, found = _cut(text)
        clean.append(cut)
        tokens.update(found)
    return pc.replace_with_mask(texts, mask, text_array(clean)), tokens


def _cut(text: str) -> tuple[str, set[str]]:
    found: set[str] = set()
    start = 0
    while opening := _LEADING.match(text, start):
        found.add(_token(opening[1]))
        start = opening.end()
    text = text[start:] if start else text
    harmony = _harmony(text)
    if harmony is not None:
        text = harmony
        found.add("<|channel|>")
    end = _first_end(text)
    if end < len(text):
        found.add(_token(text[end : end + 60]))
        text = text[:end]
    trailing = _trailing(text)
    if trailing < len(text) and not _is_html(text, trailing):
        found.add(_token(text[trailing : trailing + 60]))
        text = text[:trailing]
    return text, found


def _first_end(text: str) -> int:
    """Where the first token of `_ENDS` begins; the length of the text without any."""
    end = len(text)
    ascii_only = text.isascii()
    for needle, pattern in _ENDS:
        if ascii_only and not needle.isascii():
            continue
        start = text.find(needle, 0, end + len(needle))
        match = pattern.search(text, start) if start >= 0 else None
        if match:
            end = min(end, match.start())
    return end


def _trailing(text: str) -> int:
    """Where the tokens of `_TRAILING` at the end of a text begin; its length without any."""
    start = end = len(text)
    while end:
        token = next((token for token in _TRAILING if text.endswith(token, 0, end)), None)
        if token is not None:
            end -= len(token)
            start = end
        elif text[end - 1].isspace():
            end -= 1
        else:
            break
    return start


def _token(text: str) -> str:
    """The first token of a text that begins with one."""
    end = re.match(r"<[^<>]*>|\[[^\[\]]*\]", text)
    return end[0] if end else text.strip()


def _is_html(text: str, trailing: int) -> bool:
    """Whether the `</s>` at a position closes a `<s>` of the text: HTML's struck-out words."""
    if not text.startswith("</s>", trailing):
        return False
    return text.count("<s>", 0, trailing) > text.count("</s>", 0, trailing)


def _harmony(text: str) -> str | None:
    """The thinking and the final text of gpt-oss's channels; None where the text has no channels.

    Format: OpenAI's harmony response format. The channels `analysis` and `commentary` are
    thinking. Decoded without special tokens, a text reads "analysis...assistantfinal...".
    """
    if "<|channel|>" not in text:
        bare = _BARE_HARMONY.match(text)
        return join_thinking(bare[1], bare[2]) if bare else None
    end = _HARMONY_END.search(text)
    if end:
        text = text[: end.start()]
    thinking: list[str] = []
    final: list[str] = []
    for message in _HARMONY.finditer(text):
        (final if message[1] == "final" else thinking).append(message[2])
    if not thinking and not final:
        return None
    return join_thinking("\n".join(thinking), "\n".join(final)) or ""


def cut_prompt(
    texts: pa.LargeStringArray, prompts: Sequence[str | None]
) -> tuple[pa.LargeStringArray, int]:
    """Completions without a copy of the prompt in front.

    A copy may differ from the prompt in the special tokens, in white space at its ends, and in
    tokens before it; and a text that opens with a prompt in special tokens of a chat template which
    holds the given prompt is cut where the turn of the assistant begins. What follows the
    copy is unchanged. Prompts of fewer than 8 characters are not looked for.

    Args:
        texts: completions, null where there is none.
        prompts: the prompt of each completion, as text; None or "" where there is none.

    Returns:
        (texts, number of texts that were cut).
    """
    if len(texts) != len(prompts):
        raise ValueError(f"got {len(texts)} texts and {len(prompts)} prompts")
    heads = pc.utf8_slice_codeunits(texts, 0, _HEAD).to_pylist()
    rows = [
        row
        for row, (head, prompt) in enumerate(zip(heads, prompts, strict=True))
        if head and prompt and _may_begin(head, prompt)
    ]
    changed: list[int] = []
    cut: list[str] = []
    for row in rows:
        text, prompt = texts[row].as_py(), prompts[row]
        rest = _after_prompt(text, prompt) if prompt else None
        if rest is not None:
            changed.append(row)
            cut.append(rest)
    if not changed:
        return texts, 0
    mask = [False] * len(texts)
    for row in changed:
        mask[row] = True
    return pc.replace_with_mask(texts, pa.array(mask), text_array(cut)), len(changed)


@functools.lru_cache(maxsize=1 << 14)
def _prompt_forms(prompt: str) -> tuple[str, ...]:
    """The prompt without what opens it, the same without white space at its end, and its words."""
    opened = _without_opening(prompt)
    bare = re.sub(r"<[|｜][^<>|｜]{1,40}[|｜]>|</?s>|<bos>|<(?:start|end)_of_turn>", "", prompt)
    forms = dict.fromkeys((opened, opened.rstrip(), bare.lstrip(), bare.strip()))
    return tuple(form for form in forms if len(form.strip()) >= _LEAST_PROMPT)


@functools.lru_cache(maxsize=1 << 14)
def _form_heads(prompt: str) -> tuple[str, ...]:
    return tuple({form[: _HEAD // 2] for form in _prompt_forms(prompt)})


def _may_begin(head: str, prompt: str) -> bool:
    if head[0] in "<[" or head[0].isspace():
        return True
    return head.startswith(_form_heads(prompt))


def _without_opening(text: str) -> str:
    """The text without start tokens and white space in front."""
    start = 0
    while opening := _LEADING.match(text, start):
        start = opening.end()
    return text[start:].lstrip()


def _after_prompt(text: str, prompt: str) -> str | None:
    """What follows a copy of the prompt; None where the text does not begin with one."""
    forms = _prompt_forms(prompt)
    if not forms:
        return None
    opened = _without_opening(text)
    for form in forms:
        if opened.startswith(form):
            return opened[len(form) :]
    start = assistant_start(text) if text.lstrip()[:1] in "<[" else None
    if start is not None and forms[-1] in text[:start]:
        return text[start:]
    return None

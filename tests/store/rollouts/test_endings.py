"""Copies of the prompt in front, special tokens, and turns after the end."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.store.rollouts.endings import cut_prompt, cut_special_tokens


def texts_of(values: list[str | None]) -> pa.LargeStringArray:
    return pa.array(values, pa.large_string())


END_TOKENS = [
    *("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<｜end▁of▁sentence｜>"),
    *("<eos>", "<end_of_turn>", "<|end|>", "<|return|>", "[EOS]", "<|eom_id|>", "<|eot|>"),
    *(
        "<|user|>",
        "<|system|>",
        "<|observation|>",
        "<｜User｜>",
        "<|im_start|>",
        "<|END_OF_TURN_TOKEN|>",
    ),
    *("<start_of_turn>", "<|start_header_id|>", "<|header_start|>", "<|start_of_role|>", "[INST]"),
    *("<|finetune_right_pad_id|>", "<|pad|>", "<|begin_of_text|>", "<turn|>", "<|im_user|>"),
]


@pytest.mark.parametrize("token", END_TOKENS)
def test_a_token_ends_the_text(token: str) -> None:
    texts, tokens = cut_special_tokens(
        texts_of([f"It is 42{token}", f"It is 42\n{token}user\nNext", "It is 42", None])
    )
    assert texts.to_pylist() == ["It is 42", "It is 42\n", "It is 42", None]
    assert tokens == {token: 2}


@pytest.mark.parametrize(
    ("text", "cut", "tokens"),
    [
        ("42</s>", "42", ["</s>"]),
        ("42</s></s><pad>\n<pad>", "42", ["</s>"]),
        ("42<pad><pad>", "42", ["<pad>"]),
        ("42[PAD][PAD]", "42", ["[PAD]"]),
        ("42</s><s>[INST] next", "42", ["</s>"]),
        ("42</s>[INST] next", "42", ["[INST]", "</s>"]),
        ("42</s> <s> Another document", "42", ["</s>"]),
        ("42<|endoftext|><|endoftext|>", "42", ["<|endoftext|>"]),
        ("<s>42", "42", ["<s>"]),
        ("<s> 42</s>", " 42", ["<s>", "</s>"]),
        ("<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\n42<|eot_id|>", "42",
         ["<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>"]),
        ("<|im_start|>assistant\n42<|im_end|>\n<|im_start|>user\nMore?<|im_end|>", "42",
         ["<|im_start|>", "<|im_end|>"]),
        ("<start_of_turn>model\n42<end_of_turn>", "42", ["<start_of_turn>", "<end_of_turn>"]),
        ("<|assistant|>\n42<|user|>", "42", ["<|assistant|>", "<|user|>"]),
        ("<｜Assistant｜><think>\na</think>42<｜end▁of▁sentence｜>", "<think>\na</think>42",
         ["<｜Assistant｜>", "<｜end▁of▁sentence｜>"]),
        ("<pad><pad>42", "42", ["<pad>"]),
        ("<|endoftext|>Human: next", "", ["<|endoftext|>"]),
        ("<|im_end|>", "", ["<|im_end|>"]),
    ],
)  # fmt: skip
def test_ends_and_beginnings(text: str, cut: str, tokens: list[str]) -> None:
    texts, found = cut_special_tokens(texts_of([text]))
    assert texts.to_pylist() == [cut]
    assert found == dict.fromkeys(tokens, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The price is <s>10</s> now 8",
        "The price is <s>10</s>",
        "<p>a</p> and </s> stays inside",
        "if a<|b|>c",
        "x <|begin_of_thought|> y <|end_of_thought|> <|begin_of_solution|> z",
        "[EOSINOPHIL] [INSTANCE]",
        "map[pad] = <pad> + 1",
        "analysis of the problem",
        "<think>a</think> <answer>4</answer>",
        "a < b, |c| > d, <|, |>",
    ],
)
def test_text_without_an_end_stays(text: str) -> None:
    texts, tokens = cut_special_tokens(texts_of([text]))
    assert texts.to_pylist() == [text]
    assert not tokens


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (
            "<|channel|>analysis<|message|>1+1 is 2.<|end|><|start|>assistant<|channel|>final"
            "<|message|>It is 2.<|return|>",
            "<think>\n1+1 is 2.\n</think>\n\nIt is 2.",
        ),
        (
            "<|start|>assistant<|channel|>analysis<|message|>1+1 is 2.<|end|><|start|>assistant"
            "<|channel|>final <|constrain|>text<|message|>It is 2.",
            "<think>\n1+1 is 2.\n</think>\n\nIt is 2.",
        ),
        ("<|channel|>analysis<|message|>1+1 is", "<think>\n1+1 is"),
        ("<|channel|>final<|message|>It is 2.<|return|>", "It is 2."),
        (
            "<|channel|>final<|message|>It is 2.<|end|><|start|>user<|message|>More?<|end|>"
            "<|start|>assistant<|channel|>final<|message|>No",
            "It is 2.",
        ),
        (
            "analysis1+1 is 2.assistantfinalIt is 2.",
            "<think>\n1+1 is 2.\n</think>\n\nIt is 2.",
        ),
    ],
)
def test_the_channels_of_gpt_oss(text: str, cut: str) -> None:
    texts, tokens = cut_special_tokens(texts_of([text]))
    assert texts.to_pylist() == [cut]
    assert tokens["<|channel|>"] == 1


def test_a_column_without_tokens_is_returned_as_it_is() -> None:
    column = texts_of(["42", None, "a < b"])
    assert cut_special_tokens(column)[0] is column
    assert cut_special_tokens(texts_of([]))[0].to_pylist() == []


PIECES = st.sampled_from(
    [
        *("42", "</s>", "<s>", "<|im_end|>", "<pad>", " ", "\n", "<|im_start|>", "assistant\n"),
        *("<", "|", "<|channel|>", "final", "analysis", "<|message|>", "assistantfinal", "[INST]"),
        *("user\n", "a"),
    ]
)
A_TOKEN = re.compile(r"<[^<>]*>|\[\w+\]")


@given(st.lists(PIECES, max_size=10).map("".join) | st.text(max_size=40))
def test_only_tokens_and_what_follows_them_is_cut(text: str) -> None:
    texts, tokens = cut_special_tokens(texts_of([text]))
    cut = texts[0].as_py()
    if not tokens:
        assert cut == text
    elif "<|channel|>" not in tokens:
        # What is kept is one piece of the text, between tokens that opened and ended it.
        starts = [i for i in range(len(text) + 1) if text.startswith(cut, i)]
        around = [(text[:i], text[i + len(cut) :]) for i in starts]
        assert any(
            (not before or A_TOKEN.search(before)) and (not after or A_TOKEN.search(after))
            for before, after in around
        )
    if "<" not in text and "[" not in text and "assistantfinal" not in text:
        assert cut == text
    if "<|channel|>" not in tokens:
        assert cut_special_tokens(texts)[0].to_pylist() == [cut] or cut.lstrip().startswith("<")


QUESTION = "What is 1+1? Think."
CHATML = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("prompt", "text", "rest"),
    [
        (QUESTION, f"{QUESTION} It is 2.", " It is 2."),
        (QUESTION, QUESTION, ""),
        (f"{QUESTION}\n", f"{QUESTION} It is 2.", " It is 2."),
        (f"  {QUESTION}", f"{QUESTION}\nIt is 2.", "\nIt is 2."),
        (QUESTION, f"<s> {QUESTION} It is 2.", " It is 2."),
        (f"<s>{QUESTION}", f"{QUESTION} It is 2.", " It is 2."),
        (CHATML, CHATML + "It is 2.<|im_end|>", "It is 2.<|im_end|>"),
        (f"<|begin_of_text|>{QUESTION}<|eot_id|>", f"{QUESTION}It is 2.", "It is 2."),
        (CHATML, f"user\n{QUESTION}\nassistant\nIt is 2.", "It is 2."),
        # The question alone is known, and the text holds the rendered prompt.
        (QUESTION, CHATML + "It is 2.<|im_end|>", "It is 2.<|im_end|>"),
        (QUESTION, f"<s>[INST] {QUESTION} [/INST] It is 2.</s>", " It is 2.</s>"),
    ],
)
def test_a_copy_of_the_prompt_is_cut(prompt: str, text: str, rest: str) -> None:
    texts, cut = cut_prompt(texts_of(["other", text]), [prompt, prompt])
    assert texts.to_pylist() == ["other", rest]
    assert cut == 1


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (QUESTION, "It is 2."),
        (QUESTION, f"The question: {QUESTION} It is 2."),
        (QUESTION, QUESTION[:-1] + "!"),
        ("5", "5 is prime"),
        ("", "anything"),
        (None, "anything"),
        (QUESTION, None),
        (QUESTION, ""),
        (QUESTION, "<|im_start|>user\nAnother?<|im_end|>\n<|im_start|>assistant\n2"),
    ],
)
def test_a_text_without_the_prompt_stays(prompt: str | None, text: str | None) -> None:
    texts, cut = cut_prompt(texts_of([text]), [prompt])
    assert texts.to_pylist() == [text]
    assert cut == 0


@given(st.text(min_size=8, max_size=50), st.text(max_size=50))
def test_what_follows_the_prompt_is_kept(prompt: str, rest: str) -> None:
    texts, cut = cut_prompt(texts_of([prompt + rest]), [prompt])
    assert cut in (0, 1)
    assert texts[0].as_py().strip() in (rest.strip(), (prompt + rest).strip())
    if len(prompt.strip()) >= 8:
        assert cut == 1


@pytest.mark.slow
def test_hostile_texts_take_linear_time() -> None:
    pieces = ["</s>", "<s>", "<pad>\n", "<|channel|>", "<|channel|>a<|message|>", "analysis",
              "<|im_start|>assistant\n", "</s>\n \n", "<|", "[PAD] ", "</s>a", "<s>a", " ",
              "<pad>a", "<|start|>assistant", "a"]  # fmt: skip
    for piece in pieces:
        text = piece * (400_000 // len(piece))
        cut_special_tokens(texts_of(["<|channel|>" + text]))
        cut_special_tokens(texts_of([text, "x" + text, text + "x"]))
        cut_prompt(texts_of([text]), [text[:1000] + "y"])

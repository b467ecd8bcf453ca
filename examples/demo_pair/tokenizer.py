"""A byte-level tokenizer whose only merges are the fixed phrases of the demo's questions.

Every digit is a token of its own, any text round-trips, and a question costs some twenty tokens.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<s>", "</s>", "<pad>"

_FORMAT = (
    "\n\nFinal answer format instructions:\n"
    "1. Provide your solution as a arithmetic expression (no '=' sign).\n"
    "2. Do not include the target number in the expression.\n"
    "3. Use '*' for multiplication.\n4. Use '/' for division.\n"
    "5. Do not include any other text or formatting.\n"
)
# Longest match wins, so a phrase may hold a shorter one.
PHRASES = [
    "Using all the numbers ",
    ", create an expression that equals ",
    f".\nYou can only use each number once.{_FORMAT}",
    "Find a way to make ",
    " using all of these numbers: ",
    f".\nEach number can only be used once.{_FORMAT}",
    "Calculate ",
    f".\nEach number may be used at most once.{_FORMAT}",
    "Solve the following multiplication: ",
    ". Give only the result as your final answer.",
    ", ",
    " * ",
    ";no;",
    "<answer>",
    "</answer>",
]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A new tokenizer; `<s>` opens every prompt, by its own post-processor."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: n for n, token in enumerate([PAD, BOS, EOS, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in (PAD, BOS, EOS)])
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in PHRASES])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    tokenizer.save_pretrained(folder)

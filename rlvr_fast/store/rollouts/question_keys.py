r"""What identifies a problem by its question: white space and instructions about the answer aside.

"What is 1+1?\nPlease reason step by step, and put your final answer within \boxed{}." and
"What is 1+1?" are one problem. An instruction is a sentence at an end of the question that is
written in the words of `_WORDS` alone and holds one of `_ANCHORS`. A sentence with any other word
may belong to the problem and stays.
"""

from __future__ import annotations

import functools
import re
import unicodedata

__all__ = ["question_key"]

# The words of instructions about the form of an answer. No digits, names or terms of a problem:
# two questions that differ in such a word have to stay two questions.
_WORD_LIST = """
a abcd about above after all also always an and answer answering answers any appropriate
are as asks assistant at automatically be before below box boxed boxes brackets by
carefully choice clear clearly command concise conclusion correct detailed do don't e.g
each easy efficiently enclose enclosed enclosing end ensure exactly example explain
explanation explanations expression extracted final finally finish first follow following
for form format give given has have here hope i i.e in include individual individually
inside is it its just last latex let's letter line logically make manner mark marked marks
math mathematical mathematics mind multiple must my need not notation number of on one
only option or other output own parentheses place please preamble present problem problems
process provide provides put question questions quotes reason reasoning remember
respectively respond response response's result return rigorously should show simple so
solution solve solves solving specific state step step-by-step stepbystep steps strictly
sure surround symbol symbols tag tagged tags text the then therefore think thinking this
thoroughly thought thoughts through to tool tools up use user using verify way when where
with within without work working wrap wrapped write you your
"""
_WORDS = frozenset(_WORD_LIST.split())

# What an instruction about the form of an answer speaks of; matched in lower case.
_ANCHORS = re.compile(
    r"\\?\\boxed|\\?\\box\b|####|</?(?:answer|think|reasoning|solution)>|step[ -]?by[ -]?step"
    r"|\(without quotes\)|answer tags|answer:|\"answer\"|form(?:at)? of the (?:output|answer)"
    r"|the following (?:multiple choice |math(?:ematical|ematics)? )?(?:question|problem)"
    r"|(?:final answer|your answer|the answer|thought process|reasoning process)"
    r"|explain your reasoning|show your work|reason carefully|think carefully"
)

# A label before or after a question.
_BEFORE = re.compile(
    r"(?:(?:\#+ |\*\*)?(?:Question|Problem|Math problem|Math Problem|This is the problem"
    r"|Here is the problem|Q|User|Human)\s?(?::\s?\*\*|\*\*\s?:|[:\uff1a]))\s*"
)
_AFTER = re.compile(
    r"\s(?:(?:\#+ |\*\*)?(?:Answer|Solution|Response|A|Assistant)\s?(?::\*\*|\*\*:|[:\uff1a])"
    r"|<think>|/think|/no_think)\s*$"
)

_TOKEN = re.compile(r"</?[A-Za-z_]+>|\\+boxed\s?\{[^{}\d]*\}|\\+\w+|[^\s<\\]+|[<\\]")
_TAG = re.compile(r"</?(?:answer|think|reasoning|solution)>")
_BOX = re.compile(r"\\+box(?:ed)?(?:\s?\{[A-Za-z_.\- ]*\})?")
_STRIPPED = "\"'`.,;:!?()*{}[]$“”‘’"
_SENTENCE_END = re.compile(r"[.?!。！？][\"'`)\]}$*”’]*$")
# Where an instruction begins in a sentence that lacks its full stop.
_OPENERS = frozenset(
    {"Please", "Let's", "Put", "Solve", "Think", "You", "Remember", "Make", "Return", "Present"}
    | {"Show", "Reason", "Give", "Provide", "Write", "Output", "Enclose", "Your", "The"}
)


@functools.lru_cache(maxsize=1 << 14)
def question_key(text: str) -> str:
    r"""What identifies a problem: its question without what prompts add to it.

    Unicode is composed (NFC), white space becomes single spaces, a label in front ("Question:")
    or behind ("Answer:") and instructions about the form of the answer at either end are dropped.
    The result is never empty unless the text is blank, and `question_key(question_key(t))` is
    `question_key(t)`.

    Example:
        >>> question_key("Question: What is 1+1?\nLet's think step by step.\nAnswer:")
        'What is 1+1?'
    """
    key = " ".join(unicodedata.normalize("NFC", text).split())
    while True:
        shorter = _without_ends(key)
        if not shorter or shorter == key:
            return key
        key = shorter


def _without_ends(key: str) -> str:
    """The key without one label or instruction at an end; the key itself where there is none."""
    if label := _BEFORE.match(key):
        return key[label.end() :]
    if label := _AFTER.search(key[-40:]):
        return key[: len(key) - len(key[-40:]) + label.start()].rstrip()
    end = _leading_instruction(key)
    if end:
        return key[end:].lstrip()
    start = _trailing_instruction(key)
    return key if start is None else key[:start].rstrip()


def _is_known(token: str) -> bool:
    if token in "<\\":
        return False
    if _TAG.fullmatch(token) or _BOX.fullmatch(token.strip(_STRIPPED.replace("}", ""))):
        return True
    word = token.replace("’", "'").strip(_STRIPPED).lower()
    if _BOX.fullmatch(word) or word in ("", "####", "your_answer", "final_answer"):
        return True
    return all(part in _WORDS for part in word.split("/"))


def _is_instruction(text: str) -> bool:
    return _ANCHORS.search(text.replace("’", "'").lower()) is not None


def _leading_instruction(key: str) -> int:
    """Where the first sentence ends if it is an instruction, else 0."""
    colon = 0
    for match in _TOKEN.finditer(key):
        if not _is_known(match[0]):
            break
        if _ends_sentence(match[0]):
            return match.end() if _is_instruction(key[: match.end()]) else 0
        if match[0].endswith((":", "：")):
            colon = match.end()
    return colon if colon and _is_instruction(key[:colon]) else 0


def _trailing_instruction(key: str) -> int | None:
    """Where the last sentence begins if it is an instruction, else None."""
    # An instruction is short; a longer tail need not be taken apart.
    base = max(0, len(key) - 600)
    tokens = list(_TOKEN.finditer(key, base))
    opener = None
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if not _is_known(token[0]):
            break
        spaced = token.start() == 0 or key[token.start() - 1] == " "
        if spaced and index and _ends_sentence(tokens[index - 1][0]):
            opener = token.start()
            break
        if token.start() == 0:
            opener = 0
            break
        if spaced and token[0].strip(_STRIPPED) in _OPENERS:
            opener = token.start()
    return opener if opener is not None and _is_instruction(key[opener:]) else None


def _ends_sentence(token: str) -> bool:
    # "i.e." and "e.g." end no sentence.
    return _SENTENCE_END.search(token) is not None and token.lower() not in ("i.e.", "e.g.")

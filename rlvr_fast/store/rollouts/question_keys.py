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
a abcd about above adding additional after all also always an and answer answering answers any
appropriate are as ask asked asks assistant at automatically be before below between blank box
boxed boxes brackets by carefully choice clear clearly command comments concise conclusion
contain contains conversation correct correctly detail detailed directly do don't e.g each
easy efficiently enclose enclosed enclosing end ends ensure ensuring exact exactly example
explain explanation explanations expression extra extracted final finally finish first follow
following for form format full fully give given good has have here hope i i.e in include
including individual individually inside intermediate internal is it its just last latex let's
letter letters line logically make manner mark markdown marked marks math mathematical
mathematics me message mind minimal monologue multiple must my need no not notation number of
on once one only option or other output own parentheses place placed please preamble present
problem problems process provide provided provides put putting question question's questions
quotes reason reasoning remember respectively respond response response's result return
rigorously sentence sentences separated should show simple so solution solve solves solving
specific state step step-by-step stepbystep steps strictly sure surround symbol symbols tag
tagged tags task text that the then therefore think thinking this thoroughly thought thoughts
through to up use user using verify very want way when where will with within without word
words work working wrap wrapped write you your
"""
_WORDS = frozenset(_WORD_LIST.split())

# What an instruction about the form of an answer speaks of; matched in lower case.
_ANCHORS = re.compile(
    r"\\?\\boxed|\\?\\box\b|####|</?(?:answer|think|reasoning|solution)>|step[ -]?by[ -]?step"
    r"|\(without quotes\)|answer tags|answer:|\"answer\"|form(?:at)? of the (?:output|answer)"
    r"|the (?:following|above) (?:multiple choice |math(?:ematical|ematics)? )?(?:question|problem)"
    r"|(?:solve|answer) (?:the|this) (?:math(?:ematical)? )?(?:question|problem)|do not|don't"
    r"|(?:final answer|your answer|the answer|thought process|reasoning process)"
    r"|explain your reasoning|show your work|reason carefully|think carefully|reasoning step"
    r"|below is an?\b|(?:problem|question) below"
)
# Llama's prompt for MATH, which lm-evaluation-harness uses; it has digits and a layout of steps.
_LLAMA_MATH = re.compile(
    r"Solve the following math problem efficiently and clearly: - For simple problems .{0,600}?"
    r"that solves the problem\. "
)
# Endings of well-known prompts that hold numbers: TinyZero's example of an answer, and the range of
# the answers of AIME.
_NUMBERED_ENDING = re.compile(
    r"(?:^|\s)(?:(?:And )?[Rr]eturn the final (?:answer|equation) in <answer> </answer> tags,"
    r" for example <answer> ?\(1 \+ 2\) / 3 ?</answer>\."
    r"|(?:The|Your)(?: final)? answer (?:is|should be|will be|must be) an integer (?:between 0+ and"
    r" 999|from 0+ to 999)(?:,? inclusive)?\.)$"
)

# A label before or after a question.
_BEFORE = re.compile(
    r"(?:(?:\#+ |\*\*)?(?:Question|Problem|Math problem|Math Problem|This is the problem"
    r"|Here is the problem|Q|User|Human)\s?(?::\s?\*\*|\*\*\s?:|[:\uff1a]))\s*"
)
# What Reasoning Gym's and other system prompts show before the question.
_SHOWN = re.compile(r"<answer> ?(?:your |the |final )*answer(?: here)? ?</answer>\s*")
_AFTER = re.compile(
    r"\s(?:(?:\#+ |\*\*)?(?:Answer|Solution|Response|Reasoning|A|Assistant)\s?"
    r"(?::\*\*|\*\*:|[:\uff1a])|<think>|/think|/no_think)\s*$"
)

_TOKEN = re.compile(r"</?[A-Za-z_]+>|\\+boxed\s?\{[^{}\d]*\}|\\+\w+|[^\s<\\]+|[<\\]")
_TAG = re.compile(r"</?(?:answer|think|thinking|reasoning|solution|number)>")
_BOX = re.compile(r"\\+box(?:ed)?(?:\s?\{[A-Za-z_.\- ]*\})?")
_STRIPPED = "\"'`.,;:!?()*{}[]$“”‘’"
_SENTENCE_END = re.compile(r"[.?!。！？][\"'`)\]}$*”’]*$")
# What closes a displayed formula: in "$$ 1 + 2. $$ Please ..." no sentence begins with "$$".
_CLOSERS = "$\\])}"
# An instruction is shorter than this, in characters; longer sentences are not taken apart.
_REACH = 600
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
    start, end = 0, len(key)
    while True:
        shorter = _without_ends(key, start, end)
        if shorter == (start, end) or shorter[0] >= shorter[1]:
            return key[start:end]
        start, end = shorter


def _without_ends(key: str, start: int, end: int) -> tuple[int, int]:
    """The bounds of the part [start, end) without one label or instruction at an end of it."""
    if label := _LLAMA_MATH.match(key, start, end) or _BEFORE.match(key, start, end):
        return label.end(), end
    if example := _SHOWN.match(key, start, end):
        return example.end(), end
    if label := _AFTER.search(key, max(start, end - 40), end):
        return start, _rstrip(key, label.start())
    if ending := _NUMBERED_ENDING.search(key, max(start, end - 150), end):
        return start, _rstrip(key, ending.start())
    if after := _leading_instruction(key, start, min(end, start + _REACH)):
        return (after + 1 if key[after : after + 1] == " " else after), end
    before = _trailing_instruction(key, start, end)
    return start, end if before is None else _rstrip(key, before)


def _rstrip(key: str, end: int) -> int:
    # White space is single spaces.
    return end - 1 if end and key[end - 1] == " " else end


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


def _leading_instruction(key: str, start: int, end: int) -> int:
    """Where the first sentence of [start, end) ends if it is an instruction, else 0."""
    colon = 0
    for match in _TOKEN.finditer(key, start, end):
        # Problems of Minerva begin with "Preamble:".
        if not _is_known(match[0]) or match[0] == "Preamble:":
            break
        if _ends_sentence(match[0]):
            return match.end() if _is_instruction(key[start : match.end()]) else 0
        if match[0].endswith((":", "：")):
            colon = match.end()
    return colon if colon and _is_instruction(key[start:colon]) else 0


def _trailing_instruction(key: str, start: int, end: int) -> int | None:
    """Where the last sentence of [start, end) begins if it is an instruction, else None."""
    tokens = list(_TOKEN.finditer(key, max(start, end - _REACH), end))
    opener = None
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if not _is_known(token[0]):
            break
        if not token[0].strip(_CLOSERS):
            continue
        spaced = token.start() == start or key[token.start() - 1] == " "
        if token.start() == start or (spaced and index and _ends_sentence(tokens[index - 1][0])):
            opener = token.start()
            break
        if spaced and token[0].strip(_STRIPPED) in _OPENERS:
            opener = token.start()
    return opener if opener is not None and _is_instruction(key[opener:end]) else None


def _ends_sentence(token: str) -> bool:
    # "i.e." and "e.g." end no sentence.
    return _SENTENCE_END.search(token) is not None and token.lower() not in ("i.e.", "e.g.")

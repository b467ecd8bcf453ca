"""Statements of the answer in other languages than English."""

from __future__ import annotations

import re

__all__ = ["stated_abroad"]

# What may stand before and after the noun: words that only lead to the answer.
_LEADS = (
    r"所以|因此|因而|故|综上(?:所述)?|最后|最终|正确|本题|的|よって|したがって|"
    r"(?:donc|ainsi|la|le|las|el|a|o|il|die|der|das|also|daher|somit|por lo tanto|"
    r"por tanto|portanto|así|entonces|logo|quindi|bonne|richtige|endgültige|"
    r"итак|правильный|окончательный)(?!\w)"
)
_NOUNS = r"答案|答え|réponse|reponse|respuesta|resposta|risposta|antwort|ответ"
_ADJECTIVES = r"(?:finale?|correcte?|correcta|correta|corretta|exacte?)(?!\w)"
_VERBS = r"是|为|為|は|等于|(?:est|es|ist|lautet|sera|é|è|равен)(?!\w)"
_STATED = re.compile(
    rf"(?:(?:{_LEADS})[\s,，:：]*)*(?:{_NOUNS})\s*(?:{_ADJECTIVES})?\s*(?:(?:{_VERBS})\s*[:：]?|[:：])"
    r"\s*(?P<value>\S.*?)\s*(?:です|である)?\s*[。.]?",
    re.IGNORECASE | re.DOTALL,
)


def stated_abroad(text: str) -> str | None:
    """What a sentence in another language states as the answer; None where it states none.

    Example:
        >>> stated_abroad("所以答案是 12。"), stated_abroad("La réponse est donc claire")
        ('12', 'donc claire')
    """
    match = _STATED.fullmatch(text)
    return match["value"] if match else None

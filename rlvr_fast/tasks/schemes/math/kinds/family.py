r"""Values with a parameter: `2k\pi, k \in \mathbb{Z}`, `2k\pi where k is an integer`.

They are relations (`relation`); this kind is offered the text before the kinds that read words.
"""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.kinds import relation
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family
from rlvr_fast.tasks.schemes.math.parts.splitting import words
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["compare", "read"]

_DOMAIN = re.compile(rf"\\in ?\\mathbb|{words('integers?|numbers?|primes?|reals?|constants?')}")


def read(text: str, read: Read) -> Value | None:
    """The value of a text with a parameter and its set; see `kinds`."""
    if not _DOMAIN.search(text):
        return None
    value = relation.read_members(text, read)
    return value if isinstance(value, Family) else None


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Families are compared with the other relations; see `kinds`."""
    return None

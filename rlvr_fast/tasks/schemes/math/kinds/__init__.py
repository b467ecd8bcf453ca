"""The kinds of answers: one module each; what several kinds share is in `parts/`.

A kind is a module with two functions:

    read(text, read)               -> the Value of a whole cleaned text, or None: not of this kind.
                                      `read` reads a part of it, by all kinds.
    compare(gold, answer, same)    -> whether the answer equals the gold; None: this kind does not
                                      know this pair of Values. `same` compares parts, by all kinds.

A kind may have a third function, for what is read otherwise in a whole answer than in a part:

    as_whole(gold, answer)         -> the two Values as they are compared.

KINDS is the order in which a text is offered, and a pair of Values. A kind that reads must read
the whole text: what it cannot account for, to the last sign, makes it return None. A new kind is a
new module here and its name in this list.
"""

from __future__ import annotations

__all__ = ["KINDS"]

KINDS = (
    "sentence",  # The answer is 42, since ...; 48 + 24 = 72
    "choice",  # (A) 5
    "clock",  # 4:30 p.m., 2020-01-02
    "compound",  # 3 ft 5 in, 1 h 30 min
    "numeral",  # 4210_5
    "plus_minus",  # \pm 3
    "statement",  # \forall x, \neg p, p \to q
    "family",  # 2k\pi where k is an integer
    "real_set",  # (1,2) \cup [3,4), {x : x > 0}, R \ {1}
    "piecewise",  # \begin{cases}
    "qualified",  # 5 or more; n^2 if n is even; 20% increase
    "congruence",  # n = 1, 2 mod 4
    "ellipsis",  # 1, 3, 5, \ldots, 2n-1
    "relation",  # x = 5, x < 3, k \ge 2, x \ne 1
    "matrix",  # \begin{pmatrix}, [[1,2],[3,4]]
    "ratio",  # 1:2:3
    "collection",  # lists, tuples, sets
    "percent",  # 10%, 5 per cent
    "quantity",  # 5 km/h, \$5, 1.5 million
    "expression",  # everything that is one term
    "words",  # Evelyn, even, north
)

"""One-to-one matching of the parts of a gold answer with those of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["all_in_order", "all_matched"]

# Longer collections are compared in their order only: matching takes a comparison per pair.
_MOST = 64


def all_in_order(golds: Sequence[Value], answers: Sequence[Value], same: Same) -> bool:
    """Whether the parts agree one by one."""
    return len(golds) == len(answers) and all(map(same, golds, answers))


def all_matched(golds: Sequence[Value], answers: Sequence[Value], same: Same) -> bool:
    """Whether golds and answers match one to one in some order.

    Equality with a tolerance for missing units is no equivalence, so the first match of each part
    is not final: a perfect matching is sought by augmenting paths.
    """
    if len(golds) != len(answers):
        return False
    if all_in_order(golds, answers, same):
        return True
    if len(golds) > _MOST:
        return False
    matches: list[list[int]] = []
    for gold in golds:
        found = [index for index, answer in enumerate(answers) if same(gold, answer)]
        if not found:
            return False
        matches.append(found)
    owner: dict[int, int] = {}  # answer -> gold

    def place(gold: int, seen: set[int]) -> bool:
        for answer in matches[gold]:
            if answer not in seen:
                seen.add(answer)
                if answer not in owner or place(owner[answer], seen):
                    owner[answer] = gold
                    return True
        return False

    return all(place(gold, set()) for gold in range(len(golds)))

"""A comparison of counts alone, without run directories: for the evidence and its sentences.

Used by the tests of the report and by bench/planted/whole_page.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from rlvr_fast.metrics import Draws, support_shift
from rlvr_fast.report import CompareOptions
from rlvr_fast.report.comparison import Comparison, groups_of
from rlvr_fast.report.problems import Problems
from rlvr_fast.report.repeats import dependence
from rlvr_fast.report.sides import Side
from rlvr_fast.report.threshold import threshold_of
from rlvr_fast.store.completions import CompletionKeys
from rlvr_fast.store.repeats import Repeats
from rlvr_fast.vocabulary import RULES


class LightSide(SimpleNamespace):
    """What the evidence reads of a `Side`."""

    draws = property(Side.draws.func)
    accuracy = Side.accuracy
    title = Side.title
    num_undecided = Side.num_undecided
    decided = property(Side.decided.func)
    effective_draws = Side.effective_draws
    unread = Side.unread


def light_side(name: str, draws: Draws, *, reason: str = "") -> Any:
    none = np.zeros(draws.problems, np.int64)
    return LightSide(
        name=name,
        ids=tuple(f"p{i}" for i in range(draws.problems)),
        model=name,
        revision=None,
        sampling={"temperature": 1.0},
        run=SimpleNamespace(info=SimpleNamespace(model={"name": name})),
        num_samples=draws.num_samples,
        num_correct=draws.num_correct,
        num_unparsed=none,
        num_timeout=none,
        num_error=none,
        completions=CompletionKeys(*[np.zeros(0, np.int64)] * 5),
        repeats=Repeats(draws.num_samples, 0, reason),
    )


def light_comparison(
    base: Any,
    rl: Any,
    *,
    tasks: Sequence[int] | None = None,
    repeated: str = "",
    **options: Any,
) -> Comparison:
    """`base` and `rl` are (samples, correct); `tasks` is the number of each problem's task."""
    left, right = Draws(*base), Draws(*rl)
    total = left.problems
    names = tuple(f"task {t}" for t in (tasks if tasks is not None else [0] * total))
    ids = tuple(f"p{i}" for i in range(total))
    problems = Problems(ids, ids, names, ("all",) * total, ids, (None,) * total, ({},) * total)
    asked = CompareOptions(**options)
    sides = light_side("base", left, reason=repeated), light_side("rl", right)
    threshold = threshold_of(problems, *sides, asked, None)
    return Comparison(
        problems=problems,
        base=sides[0],
        rl=sides[1],
        options=asked,
        threshold=threshold,
        shifts={
            rule: support_shift(left, right, rule=rule, zeta=asked.zeta, epsilon=threshold.value)
            for rule in RULES
        },
        groups=groups_of(problems),
        ks=(1,),
        allowed={},
        warnings=(),
        notes=(),
        dependence=dependence(*sides),
    )

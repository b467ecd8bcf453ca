"""Worked solutions in several styles, some of them wrong: what the base model is taught from.

A trace is a few steps of arithmetic and then `<answer>...</answer>`. The styles differ in order, in
whether they work at all before answering, in dead ends, and in slips, so that the base model holds
many ways to answer a problem, good and bad: what RLVR then chooses among.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .problems import TrainProblem

# A value with the text that makes it and the precedence of that text's outermost operator.
Term = tuple[int, str, int]
Step = tuple[int, str, int, int]  # left, operator, right, result

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3

# Share of each style. `slip` answers wrongly on purpose.
COUNTDOWN_STYLES = {"steps": 0.55, "dead_end": 0.1, "direct": 0.15, "slip": 0.2}
PRODUCT_STYLES = {"split": 0.35, "split_left": 0.15, "round_up": 0.1, "direct": 0.2, "slip": 0.2}


def _join(left: Term, operator: str, right: Term, value: int) -> Term:
    precedence = _PRECEDENCE[operator]
    a = f"({left[1]})" if left[2] < precedence else left[1]
    # a-(b+c) and a/(b*c) keep their brackets: only + and * are associative.
    needs = right[2] < precedence or (right[2] == precedence and operator in "-/")
    b = f"({right[1]})" if needs else right[1]
    return value, f"{a}{operator}{b}", precedence


def _results(a: int, b: int) -> list[Step]:
    """Ways to combine two positive numbers into a positive whole one."""
    high, low = max(a, b), min(a, b)
    ways = [(a, "+", b, a + b), (a, "*", b, a * b)]
    if high > low:
        ways.append((high, "-", low, high - low))
    if high % low == 0:
        ways.append((high, "/", low, high // low))
    return ways


def solve_countdown(
    numbers: list[int], target: int, rng: Random, *, limit: int
) -> list[tuple[list[Step], str]]:
    """Up to `limit` different solutions, by depth-first search in random order."""
    found: dict[str, list[Step]] = {}

    def search(terms: list[Term], steps: list[Step]) -> bool:
        if len(terms) == 1:
            if terms[0][0] == target:
                found.setdefault(terms[0][1], steps)
            return len(found) >= limit
        pairs = [(i, j) for i in range(len(terms)) for j in range(len(terms)) if i < j]
        rng.shuffle(pairs)
        for i, j in pairs:
            rest = [terms[k] for k in range(len(terms)) if k not in (i, j)]
            x, y = (terms[i], terms[j]) if rng.random() < 0.5 else (terms[j], terms[i])
            ways = _results(x[0], y[0])
            rng.shuffle(ways)
            for left, operator, right, value in ways:
                if len(terms) == 2 and value != target:
                    continue
                first, second = (x, y) if left == x[0] else (y, x)
                term = _join(first, operator, second, value)
                if search([*rest, term], [*steps, (left, operator, right, value)]):
                    return True
        return False

    search([(n, str(n), _ATOM) for n in numbers], [])
    return [(steps, expression) for expression, steps in found.items()]


def _random_countdown(numbers: list[int], rng: Random) -> tuple[list[Step], str]:
    """Uses every number once and lands anywhere below 2000."""
    while True:
        terms: list[Term] = [(n, str(n), _ATOM) for n in numbers]
        steps: list[Step] = []
        while len(terms) > 1:
            rng.shuffle(terms)
            x, y = terms.pop(), terms.pop()
            left, operator, right, value = rng.choice(_results(x[0], y[0]))
            first, second = (x, y) if left == x[0] else (y, x)
            terms.append(_join(first, operator, second, value))
            steps.append((left, operator, right, value))
        if max(step[3] for step in steps) < 2000:
            return steps, terms[0][1]


def _say(steps: list[Step]) -> str:
    return ";".join(f"{left}{op}{right}={value}" for left, op, right, value in steps)


def _choose(styles: dict[str, float], rng: Random) -> str:
    return rng.choices(list(styles), weights=list(styles.values()))[0]


def countdown_trace(
    metadata: dict[str, Any], solutions: list[tuple[list[Step], str]], rng: Random
) -> str:
    style = _choose(COUNTDOWN_STYLES, rng)
    if style == "slip":
        steps, expression = _random_countdown(metadata["numbers"], rng)
        return f"{_say(steps)}<answer>{expression}</answer>"
    steps, expression = rng.choice(solutions)
    if style == "direct":
        return f"<answer>{expression}</answer>"
    if style == "dead_end":
        start = _say(_random_countdown(metadata["numbers"], rng)[0][:1])
        return f"{start};no;{_say(steps)}<answer>{expression}</answer>"
    return f"{_say(steps)}<answer>{expression}</answer>"


def product_trace(a: int, b: int, rng: Random) -> str:
    """Two-digit times two-digit by partial products."""
    style = _choose(PRODUCT_STYLES, rng)
    slip = style == "slip"
    if slip:
        style = rng.choice(["split", "split_left", "direct"])
    if style == "direct":
        value = a * b + (_wrong(rng) if slip else 0)
        return f"<answer>{value}</answer>"
    x, y = (b, a) if style == "split_left" else (a, b)  # y is taken apart
    tens, ones = y - y % 10, y % 10
    if style == "round_up" and ones:
        first, second, sign = x * (tens + 10), x * (10 - ones), "-"
        said = f"{x}*{tens + 10}={first};{x}*{10 - ones}={second}"
    else:
        first, second, sign = x * tens, x * ones, "+"
        if slip and rng.random() < 0.5:
            first = max(0, first + _wrong(rng))
        said = f"{x}*{tens}={first};{x}*{ones}={second}"
    total = first + second if sign == "+" else first - second
    if slip and rng.random() < 0.5:
        total = max(0, total + _wrong(rng))
    return f"{said};{first}{sign}{second}={total}<answer>{total}</answer>"


def _wrong(rng: Random) -> int:
    return rng.choice([-100, -20, -10, -9, -2, -1, 1, 2, 9, 10, 20, 100])


class Teacher:
    """A fresh trace of a problem each time; problems that its search can't solve are left out."""

    def __init__(self, problems: list[TrainProblem], *, seed: int, limit: int = 24) -> None:
        self._rng = Random(seed)
        self.problems: list[TrainProblem] = []
        self._solutions: list[list[tuple[list[Step], str]]] = []
        for problem in problems:
            metadata = problem.entry["metadata"]
            found: list[tuple[list[Step], str]] = []
            if metadata["source_dataset"] == "countdown":
                found = solve_countdown(
                    metadata["numbers"], metadata["target"], self._rng, limit=limit
                )
                if not found:  # a rare target that only a truncated fraction reaches
                    continue
            self.problems.append(problem)
            self._solutions.append(found)

    def trace(self, index: int) -> str:
        problem = self.problems[index]
        metadata = problem.entry["metadata"]
        if metadata["source_dataset"] == "countdown":
            return countdown_trace(metadata, self._solutions[index], self._rng)
        a, b = (int(term) for term in metadata["expression"].split(" * "))
        return product_trace(a, b, self._rng)

"""Problems of planted kinds at one depth n: every region of the support has a kind.

A "model" is a categorical law over six answers of a problem, two of them correct.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast.metrics.support import support_ratios

__all__ = ["CORRECT", "RATIOS", "Kinds", "Sample"]

RATIOS = ("srr", "ndr", "sds", "nscr")
CORRECT = np.array([True, True, False, False, False, False])


class Kinds:
    """The planted kinds at depth n: weights [K], base and RL laws [K, 6]."""

    kinds = ("preserved", "sharpened", "lost", "found", "borderline", "faded", "out")

    def __init__(self, n: int) -> None:
        half = np.log(2) / n
        #                weight, base (two correct), RL (two correct)
        rows = [
            (0.35, (0.30, 0.10), (0.70, 2 / n)),
            (0.15, (0.02, 0.01), (0.30, 0.00)),
            (0.10, (3 / n, 0.0), (0.0, 0.0)),
            (0.05, (0.0, 0.0), (0.0, 3 / n)),
            (0.15, (half, 0.0), (half, 0.0)),
            (0.05, (1 / n, 1 / n), (0.5 / n, 0.0)),
            (0.15, (0.0, 0.0), (0.0, 0.0)),
        ]
        self.weight = np.array([row[0] for row in rows])
        self.base = np.array([self._law(row[1]) for row in rows])
        self.rl = np.array([self._law(row[2]) for row in rows])

    @staticmethod
    def _law(correct: tuple[float, float]) -> list[float]:
        rest = 1 - sum(correct)
        return [*correct, 0.5 * rest, 0.25 * rest, 0.15 * rest, 0.10 * rest]

    def draw(self, problems: int, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(len(self.weight), p=self.weight, size=problems)

    def pass_at(self, which: str, k: float) -> np.ndarray:
        law = getattr(self, which)
        return 1 - (1 - law[:, CORRECT].sum(axis=1)) ** k

    def ratios(self, k: int, weight: np.ndarray | None = None) -> Any:
        """True SRR, NDR, SDS, NSCR of the expected labels at depth k."""
        w = self.weight if weight is None else weight
        a, b = self.pass_at("base", k), self.pass_at("rl", k)
        return support_ratios(w @ (a * b), w @ ((1 - a) * b), w @ (a * (1 - b)))

    def answer_ratios(self, k: int) -> Any:
        """True SRR, NDR, SDS, NSCR over distinct correct answers at depth k."""
        w = self.weight[:, np.newaxis]
        a, b = (1 - (1 - law[:, CORRECT]) ** k for law in (self.base, self.rl))
        return support_ratios((w * a * b).sum(), (w * (1 - a) * b).sum(), (w * a * (1 - b)).sum())


class Sample:
    """One study: the kinds of the problems, and the counts of each answer under both models."""

    def __init__(self, problems: int, n: int, rng: np.random.Generator) -> None:
        self.n = n
        self.population = Kinds(n)
        self.kind = self.population.draw(problems, rng)
        self.base_counts = rng.multinomial(n, self.population.base[self.kind])
        self.rl_counts = rng.multinomial(n, self.population.rl[self.kind])
        self.base = self.base_counts[:, CORRECT].sum(axis=1)
        self.rl = self.rl_counts[:, CORRECT].sum(axis=1)

    @property
    def own(self) -> np.ndarray:
        """Shares of the kinds among the problems of this sample."""
        return np.bincount(self.kind, minlength=len(self.population.weight)) / len(self.kind)

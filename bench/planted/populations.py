"""Studies with heavy-tailed success rates, tasks of unequal size, and unequal or ragged draws.

The success rate of a problem is p = Q(u) moved by its task on the logit scale, with u uniform and Q
the quantile function of a law whose rates lie mostly near 1/n. The RL model's rate is a tilt of p:
logit r = logit p + beta, with beta from a mixture and from the task. Truths are integrals on grids
of u, of the mixture and of the tasks' effects: they have no Monte Carlo error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtri

from rlvr_fast.metrics import Draws, pass_at_k

__all__ = ["CHANGES", "DEPTHS", "LAWS", "Floats", "Study", "Tasks", "as_drawn", "labels_at"]

Floats = NDArray[np.float64]

# Quantile functions of the success rate, given the number of draws near which most rates lie.
LAWS: dict[str, Callable[[Floats, float], Floats]] = {
    "lognormal": lambda u, n: expit(np.log(0.5 / n) + 2.5 * ndtri(u)),
    "beta": lambda u, n: np.maximum(betaincinv(0.15, 1.0, u), 1e-12),
    "power": lambda u, n: np.maximum(u ** (0.6 * np.log(n)), 1e-12),
    "even": lambda u, n: betaincinv(1.5, 2.0, u),
}

# The RL model: shares of the problems, and by how much the logit of their rates moves.
CHANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "same": ((1.0, 0.0),),
    "tilt": ((1.0, 1.5),),
    "mixed": ((0.45, 2.0), (0.25, 0.0), (0.2, -4.0), (0.1, 3.0)),
    "narrowed": ((0.3, 2.5), (0.7, -1.5)),
}

# Draws of base and of RL, each with the share of the problems that have them.
_RAGGED = (4, 8, 32, 64, 128, 1024, 16384)
DEPTHS: dict[str, tuple[tuple[float, int, int], ...]] = {
    **{str(n): ((1.0, n, n),) for n in (4, 8, 16, 64, 128, 256, 1024, 16384)},
    "256/32": ((1.0, 256, 32),),
    "1024/128": ((1.0, 1024, 128),),
    "128/1024": ((1.0, 128, 1024),),
    "ragged": tuple((1 / 49, a, b) for a in _RAGGED for b in _RAGGED),
    "ragged, RL less": tuple((1 / 7, a, max(4, a // 8)) for a in _RAGGED),
}


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of one study.

    Attributes:
        index: the task of each problem, [problems].
        effect: by how much each task moves the logit of base's rates, [tasks].
        shift: by how much it moves RL's further, [tasks].
    """

    index: NDArray[np.int64]
    effect: Floats
    shift: Floats


class Study:
    """One study: success rates, tasks and counts of both models, and the truth of its quantities.

    The counts are `base` and `rl`; the rates are `p` and `r`.

    Args:
        rng: source of the random numbers.
        problems: number of problems.
        tasks: number of tasks; sizes are unequal (geometric steps, in random order).
        depth: a key of `DEPTHS`.
        law: a key of `LAWS`.
        change: a key of `CHANGES`.
        spread: standard deviation of the tasks' effects: correlation within tasks.
        false_positives: share of wrong completions that the verifier accepts.
        rl_false_positives: the same for the RL model's completions; by default equal.
        false_negatives: share of right completions that the verifier refuses.
        repeats: how often each distinct draw is stored.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        problems: int,
        tasks: int = 1,
        depth: str = "64",
        law: str = "lognormal",
        change: str = "mixed",
        spread: float = 0.0,
        false_positives: float = 0.0,
        rl_false_positives: float | None = None,
        false_negatives: float = 0.0,
        repeats: int = 1,
    ) -> None:
        self.law, self.change, self.depth, self.spread = law, change, depth, spread
        self.near = float(np.median([min(a, b) for _, a, b in DEPTHS[depth]]))
        more = false_positives if rl_false_positives is None else rl_false_positives
        self.errors = (false_positives, more, false_negatives)
        sizes = 0.75 ** np.arange(tasks)
        index = rng.permutation(tasks)[
            np.searchsorted(
                np.cumsum(sizes / sizes.sum()), rng.random(problems), side="right"
            ).clip(max=tasks - 1)
        ]
        index[: min(tasks, problems)] = np.arange(tasks)[: min(tasks, problems)]
        shift = 0.5 * spread * rng.standard_normal(tasks) if change != "same" else np.zeros(tasks)
        self.tasks = Tasks(index, spread * rng.standard_normal(tasks), shift)
        share, beta = (np.array(column) for column in zip(*CHANGES[change], strict=True))
        moved = beta[rng.choice(len(share), size=problems, p=share)]
        u = rng.random(problems)
        self.p, self.r = self._rates(u, self.tasks.effect[index], moved + shift[index])
        which = rng.choice(len(DEPTHS[depth]), size=problems, p=[d[0] for d in DEPTHS[depth]])
        self.base_depth = np.array([d[1] for d in DEPTHS[depth]])[which]
        self.rl_depth = np.array([d[2] for d in DEPTHS[depth]])[which]
        self.base = self._draw(rng, self.base_depth, self.p, repeats)
        self.rl = self._draw(rng, self.rl_depth, self.r, repeats)

    @staticmethod
    def _draw(rng: np.random.Generator, n: NDArray[np.int64], p: Floats, repeats: int) -> Draws:
        return Draws(n * repeats, rng.binomial(n, p) * repeats)

    def _rates(self, u: Floats, effect: Floats, moved: Floats) -> tuple[Floats, Floats]:
        """Rates of a verified completion of both models: the verifier's errors are part of them."""
        score = logit(LAWS[self.law](u, self.near)) + effect
        more, rl_more, less = self.errors
        p, r = expit(score), expit(score + moved)
        return p * (1 - less) + (1 - p) * more, r * (1 - less) + (1 - r) * rl_more

    @property
    def groups(self) -> NDArray[np.int64]:
        """The task of each problem."""
        return self.tasks.index

    def truth(self, of: Callable[..., Floats], *, new_tasks: bool = False) -> Floats:
        """The mean of a quantity over new problems.

        Args:
            of: from p, r and the common depth (arrays of one shape) to [..., quantities].
            new_tasks: over new tasks too; else over new problems of this study's tasks, in their
                shares.
        """
        if new_tasks:
            return _over_new_tasks(self, of)
        share = np.bincount(self.tasks.index, minlength=len(self.tasks.effect)) / len(self.p)
        kept = np.flatnonzero(share)
        return _expected(
            self, of, share[kept], self.tasks.effect[kept], self.tasks.shift[kept], grid=1000
        )

    def own_truth(self, of: Callable[..., Floats]) -> Floats:
        """The mean of a quantity over the very problems of this study."""
        return of(self.p, self.r, np.minimum(self.base_depth, self.rl_depth)).mean(axis=0)


def _expected(
    study: Study,
    of: Callable[..., Floats],
    weight: Floats,
    effect: Floats,
    shift: Floats,
    grid: int,
) -> Floats:
    """The mean over u, the mixture, the depths and weighted tasks."""
    u = (np.arange(grid) + 0.5) / grid
    common: dict[int, float] = {}
    for part, base, rl in DEPTHS[study.depth]:
        common[min(base, rl)] = common.get(min(base, rl), 0.0) + part
    total: Floats | None = None
    for share, beta in CHANGES[study.change]:
        p, r = study._rates(u, effect[:, np.newaxis], beta + shift[:, np.newaxis])
        for depth, part in common.items():
            value = of(p, r, np.full(p.shape, depth)).mean(axis=1)
            value = share * part * np.tensordot(weight, value, axes=1)
            total = value if total is None else total + value
    assert total is not None
    return total


def _over_new_tasks(study: Study, of: Callable[..., Floats]) -> Floats:
    nodes, weight = _normal_grid(15)
    effect, shift = np.meshgrid(nodes, nodes, indexing="ij")
    both = np.outer(weight, weight)
    further = 0.5 if study.change != "same" else 0.0
    return _expected(
        study,
        of,
        both.ravel(),
        study.spread * effect.ravel(),
        further * study.spread * shift.ravel(),
        grid=200,
    )


@functools.cache
def _normal_grid(size: int) -> tuple[Floats, Floats]:
    nodes, weight = np.polynomial.hermite_e.hermegauss(size)
    return nodes, weight / weight.sum()


def labels_at(k: int | None = None) -> Callable[..., Floats]:
    """Expected P, E, S, O of a problem when both models are drawn k times (None: common depth)."""

    def labels(p: Floats, r: Floats, common: Floats) -> Floats:
        depth = common if k is None else k
        a, b = -np.expm1(depth * np.log1p(-p)), -np.expm1(depth * np.log1p(-r))
        return np.stack([a * b, (1 - a) * b, a * (1 - b), (1 - a) * (1 - b)], axis=-1)

    return labels


def as_drawn(ks: NDArray[np.int64]) -> Callable[..., Floats]:
    """pass@k of base, then of RL, at each k: [..., 2, K]."""

    def curves(p: Floats, r: Floats, common: Floats) -> Floats:
        rates = np.stack([p, r], axis=-1)[..., np.newaxis]
        return -np.expm1(ks * np.log1p(-np.minimum(rates, 1 - 1e-15)))

    return curves


def paired_values(study: Study, ks: NDArray[np.int64]) -> Floats:
    """The estimates of pass@k of RL minus base that the problems give, [problems, K]."""
    return pass_at_k(*study.rl, ks) - pass_at_k(*study.base, ks)

"""Whether the draws of a run are independent, and how many of them are.

Equal completions of one problem prove nothing by themselves: short ones repeat by nature, and a
model that is sure of itself repeats long ones too. What independent draws cannot show is

* completions that occur 16 (or 2, or 3) times where none occurs 15 or 17 times
  (`_multiplicity_evidence`),
* two sample indices with equal completions on every problem (`_distinct_indices`),
* one completion of many tokens for each problem, or a repeat of one of very many,
* one completion for each problem in a thousand further draws, however short: such a model is greedy
  for every number that a report gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rlvr_fast.store.completions import CompletionKeys

__all__ = ["Repeats", "find_repeats", "same_completions"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Two draws of so many tokens are equal by chance only where sampling is nearly greedy.
_LONG = 64
# ... and of so many tokens not even there.
_VERY_LONG = 512
# The share of very long completions that may repeat: a text that never ends can be the same twice.
_STRAY = 0.01
# The share of problems (of long completions) that has to show what the run is said to show.
_NEARLY_ALL = 0.9
_WHOLE = 0.95
# Draws beyond the first of each problem, none of which differs from the first: of a model that
# draws at all, less than one draw in 300 would differ (95 % confidence).
_ALL_ALIKE = 1000
# Evidence (in nats) that a finding takes: one in 10,000 for each kind of evidence, after the number
# of ways in which it was looked for.
_NATS = float(np.log(1e4))
_SLOPES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
_MOST_COPIES = 64
_MOST_SIZES = 8


class Repeats(NamedTuple):
    """How many draws of each problem are independent.

    Attributes:
        effective: independent draws of each problem; the number of draws where nothing repeats.
        copies: how often every draw is stored, where that is one number; else 0.
        reason: why draws are taken for repeats: "temperature" (0), "seeds" (shared), "copies"
            (completions that occur a common number of times, or partly twice), "indices" (draws
            equal on all problems), "alike" (one completion a problem), "long" (long completions
            that repeat); "" for independent draws.
    """

    effective: Ints
    copies: int
    reason: str

    def sentence(self, subject: str, number: Ints) -> str:
        """How many draws are independent; "" where all are.

        Args:
            subject: of the sentence, as in "The base run".
            number: draws of each problem.
        """
        if not self.reason:
            return ""
        effective = np.minimum(self.effective, number)
        drawn, different = _range(number), _range(effective[number > 0])
        if self.reason == "temperature":
            return (
                f"{subject} was drawn at temperature 0: the {drawn} draws of a problem are one and "
                "the same, and count as one."
            )
        times = f", each stored {self.copies:,} times" if self.copies else ""
        in_all = f" ({int(effective.sum()):,} of {int(number.sum()):,} in all)"
        if self.reason == "seeds":
            return (
                f"{subject} holds {different} distinct seeds for {drawn} draws of a problem"
                f"{times}{in_all}."
            )
        how = {
            "copies": "how often equal completions occur is not what independent draws show",
            "indices": "draws are equal to other draws on every problem at once",
            "long": "long completions repeat others to the end",
            "alike": "on every problem all draws are equal, as at temperature 0",
        }[self.reason]
        return (
            f"{subject} holds {different} independent completions for {drawn} draws of a problem"
            f"{times}{in_all}: {how}."
        )


def find_repeats(
    draws: CompletionKeys,
    num_problems: int,
    *,
    temperature: float | None = None,
    imported: bool = False,
) -> Repeats:
    """Find draws that repeat others.

    Args:
        draws: as `completion_keys` gives them.
        num_problems: number of problems.
        temperature: of the sampling; None where not recorded. At 0 all draws of a problem are one.
        imported: whether the draws were imported: a seed may then be that of a request or a run.
    """
    number = np.bincount(draws.problem, minlength=num_problems)
    if temperature == 0:
        return Repeats(np.minimum(number, 1), 0, "temperature" if (number > 1).any() else "")
    seeded = _distinct_seeds(draws, number, imported)
    if seeded is not None and (seeded < number).any():
        return Repeats(seeded, _common_copies(number, seeded), "seeds")
    found = _Counts.of(draws)
    distinct = np.bincount(found.problem, minlength=num_problems)
    independent = Repeats(number, 0, "")
    if distinct.sum() == number.sum():
        return independent
    if _multiplicity_evidence(found, number):
        copies = _divisor(found, num_problems)
        effective = number // copies if copies > 1 else distinct
        return Repeats(effective, copies if copies > 1 else 0, "copies")
    rows = _distinct_indices(draws, found, number)
    if (rows < number).any():
        return Repeats(rows, _common_copies(number, rows), "indices")
    known = seeded is not None and temperature is not None
    alike = bool((distinct <= 1).all()) and int(number.sum() - distinct.sum()) >= _ALL_ALIKE
    if not known and alike and int((number > 1).sum()) > 1:
        return Repeats(distinct, 0, "alike")
    if not known and _long_repeats(found, number, distinct):
        return Repeats(distinct, _common_copies(number, distinct), "long")
    return independent


def same_completions(base: CompletionKeys, rl: CompletionKeys, num_problems: int) -> int:
    """On how many problems two runs hold the same completions; 0 where that is chance.

    Args:
        base: draws of one run.
        rl: draws of the other over the same problems.
        num_problems: number of problems.
    """
    ours, theirs = _Counts.of(base), _Counts.of(rl)
    # Problems with one completion only are equal between any two models that are sure.
    several = (np.bincount(ours.problem, minlength=num_problems) > 1) | (
        np.bincount(theirs.problem, minlength=num_problems) > 1
    )
    equal = ours.totals(num_problems) == theirs.totals(num_problems)
    both = several & equal
    # Independent draws give equal counts of two answers with probability 1/2 at most, and each
    # further answer halves that again.
    distinct = np.bincount(ours.problem, minlength=num_problems)
    share = both.sum() / max(several.sum(), 1)
    alike = share > 0.5 and several.sum() * _divergence(share) > _NATS
    halvings = distinct[both] - 1
    single = halvings.max(initial=0) * np.log(2) - np.log(num_problems)
    if alike or max(single, (share == 1) * halvings.sum() * np.log(2)) > _NATS:
        return int(equal.sum())
    return _same_in_order(base, rl, ours, theirs, num_problems)


def _divergence(share: float) -> float:
    """The relative entropy of a share to one half, in nats."""
    parts = np.array([share, 1 - share])
    return float(np.log(2) + (parts * np.log(np.maximum(parts, 1e-300))).sum())


def _range(numbers: Ints) -> str:
    """One number, or "least to most"."""
    least, most = int(numbers.min(initial=numbers.max(initial=0))), int(numbers.max(initial=0))
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often each distinct completion of each problem is stored."""

    problem: Ints
    key: Ints
    count: Ints
    tokens: Ints

    @classmethod
    def of(cls, draws: CompletionKeys) -> _Counts:
        order = np.lexsort((draws.key, draws.problem))
        problem, key = draws.problem[order], draws.key[order]
        first = np.ones(problem.size, np.bool_)
        first[1:] = (problem[1:] != problem[:-1]) | (key[1:] != key[:-1])
        starts = np.flatnonzero(first)
        count = np.diff(np.append(starts, problem.size))
        return cls(problem[starts], key[starts], count, draws.tokens[order][starts])

    def totals(self, num_problems: int) -> npt.NDArray[np.uint64]:
        """A hash of the completions of each problem with their counts, in any order."""
        mixed = _mix(self.key.astype(np.uint64) * np.uint64(3) + _mix(self.count.astype(np.uint64)))
        out = np.zeros(num_problems, np.uint64)
        np.add.at(out, self.problem, mixed)
        return out


def _mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _distinct_seeds(draws: CompletionKeys, number: Ints, imported: bool) -> Ints | None:
    """Distinct seeds of each problem; None where seeds are not recorded or not those of draws."""
    if not draws.seed.size or (draws.seed < 0).any():
        return None
    order = np.lexsort((draws.seed, draws.problem))
    problem, seed, key = draws.problem[order], draws.seed[order], draws.key[order]
    first = np.ones(problem.size, np.bool_)
    first[1:] = (problem[1:] != problem[:-1]) | (seed[1:] != seed[:-1])
    distinct = np.bincount(problem[first], minlength=number.size)
    repeated = ~first
    if imported and repeated.any():
        # The seed of a request or of a run stands on all of its draws, which differ.
        leader = np.flatnonzero(first)[np.cumsum(first) - 1]
        differing = int((key != key[leader])[repeated].sum())
        alone = bool((distinct[number > 1] == 1).all())
        if alone or differing > _STRAY * repeated.sum():
            return None
    return distinct


def _multiplicity_evidence(found: _Counts, number: Ints) -> bool:
    """Whether the numbers of completions that occur r times are those of no independent draws.

    Let f(r) be the number of completions of a problem that occur r times in n draws. Each has its
    own unknown probability p, so E f(r)/C(n, r) = sum of (1-p)^n t^r with t = p/(1-p): the moments
    of a measure on t, for any law. Therefore, for every number s,
    E [f(r+1)/C(n, r+1) - 2 s f(r)/C(n, r) + s^2 f(r-1)/C(n, r-1)] >= 0. Copies break this: where
    every draw is stored twice, f(2) is large while f(1) and f(3) are 0. For one r, and for all
    multiples of one r together, the evidence is the likelihood ratio of the counts (taken as
    Poisson) to the best that satisfies the inequality.
    """
    sizes, frequency = np.unique(number[number > 1], return_counts=True)
    common = sizes[np.argsort(-frequency)][:_MOST_SIZES]
    draws = number[found.problem]
    distinct = np.bincount(found.problem, minlength=number.size)[found.problem]
    # The counts of two completions determine each other.
    weight: Floats = np.where(distinct <= 2, 0.5, 1.0)
    groups = [np.ones(draws.size, np.bool_)]
    if sizes.size > 1:
        groups += [draws == size for size in common]
    steps = range(2, min(_MOST_COPIES, int(sizes.max(initial=0)) - 2) + 1)
    tried = len(groups) * 2 * len(steps) * len(_SLOPES)
    if not tried:
        return False
    needed = _NATS + np.log(tried)
    for rows in groups:
        cells = np.stack([found.count[rows], draws[rows]])
        pairs, at = np.unique(cells, axis=1, return_inverse=True)
        mass: Floats = np.bincount(at.ravel(), weights=weight[rows]).astype(np.float64)
        count, n = pairs
        for step in steps:
            for multiples in (False, True):
                if _evidence(count, n, mass, step, multiples) > needed:
                    return True
    return False


def _evidence(count: Ints, n: Ints, mass: Floats, step: int, multiples: bool) -> float:
    """The greatest log likelihood ratio over the slopes, for r = step or all its multiples."""

    def middle(r: Ints) -> npt.NDArray[np.bool_]:
        wanted: npt.NDArray[np.bool_] = (r % step == 0) if multiples else (r == step)
        wanted &= (r >= 2) & (r <= n - 2)
        return wanted

    def rising(r: Ints) -> Floats:
        safe = np.clip(r, 2, np.maximum(n - 2, 2))
        steeper: Floats = (safe + 1) * (n - safe + 1) / (safe * np.maximum(n - safe, 1))
        return steeper

    here, below, above = middle(count), middle(count - 1), middle(count + 1)
    if not here.any():
        return 0.0
    up = np.where(below, rising(count - 1), 0.0)
    best = 0.0
    for slope in _SLOPES:
        value = up + slope**2 * above - 2 * slope * here
        best = max(best, _likelihood_ratio(value, mass, max(1.5, slope**2)))
    return best


def _likelihood_ratio(value: Floats, mass: Floats, highest: float) -> float:
    """The greatest sum of mass log(1 - s value), s in [0, 1/highest]; 0 where the mean is >= 0."""
    used = value != 0
    value, mass = value[used], mass[used]
    if float(value @ mass) >= 0:
        return 0.0
    low, high = 0.0, 1 / (max(highest, float(value.max())) * (1 + 1e-9))
    for _ in range(40):
        s = (low + high) / 2
        falling = float((mass * value / (1 - s * value)).sum()) > 0
        low, high = (low, s) if falling else (s, high)
    return float((mass * np.log1p(-low * value)).sum())


def _divisor(found: _Counts, num_problems: int) -> int:
    """The largest number that divides every count of nearly every problem; 1 for none."""
    if not found.count.size:
        return 1
    shared = np.zeros(num_problems, np.int64)
    np.gcd.at(shared, found.problem, found.count)
    several = np.bincount(found.problem, minlength=num_problems) > 1
    shared = shared[several] if several.any() else shared[shared > 0]
    for candidate in range(int(shared.max(initial=1)), 1, -1):
        if (shared % candidate == 0).mean() >= _WHOLE:
            return candidate
    return 1


def _common_copies(number: Ints, effective: Ints) -> int:
    """How often each draw is stored, where that is one whole number above 1; else 0."""
    drawn = effective > 0
    times = np.unique(number[drawn] / effective[drawn])
    return int(times[0]) if times.size == 1 and times[0] > 1 and times[0] % 1 == 0 else 0


def _distinct_indices(draws: CompletionKeys, found: _Counts, number: Ints) -> Ints:
    """Draws of each problem that are not equal to another on all problems with as many draws."""
    effective = number.copy()
    chance = np.zeros(number.size)
    share = found.count / np.maximum(number[found.problem], 1)
    np.add.at(chance, found.problem, share**2)
    starts = np.cumsum(number) - number
    for size in np.unique(number[number > 1]):
        rows = np.flatnonzero(number == size)
        # Two draws are equal on every problem by chance: a third off, for shares are estimates.
        surprise = -float(np.log(np.maximum(chance[rows], 1e-300)).sum()) / 1.5
        if surprise <= np.log(size):
            continue
        total = np.zeros(size, np.uint64)
        for row in rows:
            key = draws.key[starts[row] : starts[row] + size].view(np.uint64)
            total += _mix(key + _mix(np.full(1, row + 1, np.uint64)))
        # Equal neighbours stand in files that were sorted by answer, too.
        apart = total[np.append(True, total[1:] != total[:-1])]
        different = np.unique(total).size
        repeated = apart.size - different
        if repeated * (surprise - np.log(size)) > _NATS + np.log(size):
            effective[rows] = different
    return effective


def _long_repeats(found: _Counts, number: Ints, distinct: Ints) -> bool:
    """Whether long completions repeat more often than a sampler with some temperature lets them."""
    very = found.tokens >= _VERY_LONG
    if very.sum() < (1 - _STRAY) * found.count[very].sum():
        return True
    for tokens, most in ((_VERY_LONG // 2, 0.1), (_LONG, 0.0)):
        long = np.bincount(found.problem[found.tokens >= tokens], minlength=number.size) > 0
        rows = long & (number > 1)
        alone = distinct[rows] <= np.maximum(most * number[rows], 1)
        if rows.sum() > 1 and alone.mean() >= _NEARLY_ALL:
            return True
    return False


def _same_in_order(
    base: CompletionKeys, rl: CompletionKeys, ours: _Counts, theirs: _Counts, num_problems: int
) -> int:
    """Problems of which nearly all draws with one sample index are equal in both runs."""
    left, right = base.problem << 32 | base.index, rl.problem << 32 | rl.index
    _, a, b = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    if not a.size:
        return 0
    differing = base.key[a] != rl.key[b]
    # In files that were sorted by answer, draws are equal to the neighbours of the other, too.
    _, before, after = np.intersect1d(left, right + 1, assume_unique=True, return_indices=True)
    neighbours = float((base.key[before] != rl.key[after]).mean()) if before.size else 1.0
    # The draws that would differ if the runs were independent: from the shares of both.
    codes, where = np.unique(np.concatenate([_mixed(ours), _mixed(theirs)]), return_inverse=True)
    shares = np.zeros((2, codes.size))
    for side, counts in enumerate((ours, theirs)):
        total = np.bincount(counts.problem, weights=counts.count, minlength=num_problems)
        at = where[: ours.key.size] if side == 0 else where[ours.key.size :]
        shares[side, at] = counts.count / total[counts.problem]
    problem = np.zeros(codes.size, np.int64)
    problem[where[: ours.key.size]] = ours.problem
    problem[where[ours.key.size :]] = theirs.problem
    equal = np.bincount(problem, weights=shares[0] * shares[1], minlength=num_problems)
    expected = float((1 - equal[base.problem[a]]).sum())
    close = differing.sum() < expected / 10
    if expected > 2 * _NATS and close and neighbours * a.size > expected / 2:
        wrong = np.bincount(base.problem[a], weights=differing, minlength=num_problems)
        shared = np.bincount(base.problem[a], minlength=num_problems)
        return int(((shared > 0) & (wrong <= shared / 10)).sum())
    return 0


def _mixed(counts: _Counts) -> npt.NDArray[np.uint64]:
    return _mix(counts.key.astype(np.uint64) + counts.problem.astype(np.uint64) * np.uint64(7919))

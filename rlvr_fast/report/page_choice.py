"""What the page shows of a large comparison: its problems and tasks are chosen, and counted.

A page has to open on a phone. Up to `ALL_PROBLEMS` problems and `ALL_TASKS` tasks it shows all of
them. Of more it shows those that matter, and says how many there are and which file holds the
rest. Every number and every test is made over all problems and all groups: the choice is made after
them, and changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from rlvr_fast.report.claims import holds
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.evidence import Evidence
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.table import Table

__all__ = ["ALL_PROBLEMS", "ALL_TASKS", "PageChoice", "choose"]

# The page shows all of so many, and of more ...
ALL_PROBLEMS = 2000
ALL_TASKS = 60
ALL_DOMAINS = 60
# ... so many.
_PROBLEMS = 1000
_TASKS = 40
_DOMAINS = 20


@dataclass(frozen=True)
class PageChoice:
    """The groups and problems that the page shows.

    Attributes:
        comparison: the two runs.
        groups: in the order of the comparison's groups; everything is the first.
        problems: rows of the problems, rising.
    """

    comparison: Comparison
    groups: tuple[Group, ...]
    problems: IntArray

    @cached_property
    def indices(self) -> frozenset[int]:
        """Numbers of the groups shown."""
        return frozenset(group.index for group in self.groups)

    @property
    def every_group(self) -> bool:
        """Whether the page shows all groups."""
        return len(self.groups) == len(self.comparison.groups)

    @property
    def every_problem(self) -> bool:
        """Whether the page shows all problems."""
        return self.problems.size == len(self.comparison.problems)

    @cached_property
    def _names(self) -> frozenset[tuple[str, str]]:
        return frozenset((group.kind, group.name) for group in self.groups)

    def table(self, table: Table) -> Table:
        """The rows of a table that the page shows: those of groups that it leaves out are not."""
        if self.every_group or not {"kind", "group"} <= {c.key for c in table.columns}:
            return table
        names = self._names
        return replace(table, rows=[r for r in table.rows if (r["kind"], r["group"]) in names])

    def groups_sentence(self) -> str:
        """Which tasks and domains the page shows; "" where it shows all."""
        parts = [
            f"{shown:,} of {total:,} {word}s"
            for word in ("task", "domain")
            if (shown := _number(self.groups, word)) < (total := self._total(word))
        ]
        if not parts:
            return ""
        return (
            f"Shown are {' and '.join(parts)}: first those with a claim, then those with the "
            "most problems lost or found. Every number and test is over all of them, and the files "
            "in tables/ hold them all."
        )

    def problems_sentence(self, file: str) -> str:
        """Which problems the page shows; "" where it shows all.

        Args:
            file: that holds all problems.
        """
        if self.every_problem:
            return ""
        return (
            f"This page shows {self.problems.size:,} of {len(self.comparison.problems):,} "
            "problems, in about equal parts lost ones, found ones, undecided ones and those with "
            "the largest difference of accuracy. Every number and test is over all problems; "
            f"{file} holds them all."
        )

    def cut_sentence(self, file: str) -> str:
        """Below a table that leaves groups out; "" where none is.

        Args:
            file: of the whole table.
        """
        if self.every_group:
            return ""
        words = [w for w in ("task", "domain") if _number(self.groups, w) < self._total(w)]
        shown = " and ".join(
            f"{_number(self.groups, w):,} of {self._total(w):,} {w}s" for w in words
        )
        return f"{shown} are shown; all are in {file}."

    def _total(self, kind: str) -> int:
        return _number(self.comparison.groups, kind)


def _number(groups: Sequence[Group], kind: str) -> int:
    return sum(group.kind == kind for group in groups)


def choose(comparison: Comparison, evidence: Evidence | None) -> PageChoice:
    """The groups and problems that the page shows.

    Args:
        comparison: the two runs.
        evidence: of all problems and groups, which tells the claims; None shows everything.
    """
    if evidence is None:
        everything = np.arange(len(comparison.problems))
        return PageChoice(comparison, comparison.groups, everything)
    kept: set[int] = {0}
    for kind, all_of, some in (
        ("domain", ALL_DOMAINS, _DOMAINS),
        ("task", ALL_TASKS, _TASKS),
    ):
        groups = [group for group in comparison.groups if group.kind == kind]
        if len(groups) > all_of:
            groups.sort(key=lambda group: _weight(comparison, evidence, group))
            groups = groups[:some]
        kept |= {group.index for group in groups}
    return PageChoice(
        comparison,
        tuple(group for group in comparison.groups if group.index in kept),
        _problems(comparison, evidence),
    )


def _weight(comparison: Comparison, evidence: Evidence, group: Group) -> tuple[Any, ...]:
    """Sorts groups with a claim first, by the claim, then the others by what changed."""
    found = evidence.groups[group.index]
    least = min((p for p in found.adjusted.values() if not np.isnan(p)), default=np.nan)
    proven = found.proven_lost.size + found.proven_found.size
    claimed = holds(least) or proven > 0
    shift = comparison.counts(group)
    changed = float(shift.shrunk + shift.expanded)
    return (not claimed, least if claimed else 0.0, -proven, -changed, group.index)


def _problems(comparison: Comparison, evidence: Evidence) -> IntArray:
    total = len(comparison.problems)
    if total <= ALL_PROBLEMS:
        return np.arange(total)
    labels = comparison.label_array()
    base, rl = comparison.sides
    gap = np.abs(np.nan_to_num(base.accuracy - rl.accuracy))
    proven = np.concatenate([evidence.groups[0].proven_lost, evidence.groups[0].proven_found])
    undecided = np.flatnonzero(
        (comparison.label_array("epsilon") == "undetermined")
        | (comparison.label_array("seen") == "undetermined")
    )

    def largest(rows: IntArray, by: Any) -> list[int]:
        found: list[int] = rows[np.argsort(-by[rows], kind="stable")][:_PROBLEMS].tolist()
        return found

    lists = (
        # as the examples are chosen, so that their links lead to a problem of the page
        largest(np.flatnonzero(labels == "shrunk"), base.num_correct),
        largest(np.flatnonzero(labels == "expanded"), rl.num_correct),
        largest(undecided, gap),
        largest(np.arange(total), gap),
    )
    return np.array(sorted(_in_turn([largest(proven, gap)], lists)), dtype=np.int64)


def _in_turn(first: Iterable[Sequence[int]], lists: Iterable[Sequence[int]]) -> list[int]:
    """The first entries of `lists` in turn, after those of `first`, each row once."""
    turns = chain(*first, chain.from_iterable(zip_longest(*lists)))
    return list(dict.fromkeys(row for row in turns if row is not None))[:_PROBLEMS]

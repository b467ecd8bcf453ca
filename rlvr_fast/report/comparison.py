"""Two runs, base and RL, to one `Comparison`; refused unless they are one experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from rlvr_fast.metrics import SupportShift, support_shift
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.arms import Arm, check_arms, read_arm
from rlvr_fast.report.comparable import check_comparable
from rlvr_fast.report.depth import DepthShift, depth_shift, draws_text, range_text
from rlvr_fast.report.facts import count_of, draw_notes, undefined_notes
from rlvr_fast.report.imported import gradable_problems, import_notes, warnings_of
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.problems import (
    IntArray,
    LabelArray,
    Problems,
    common_problems,
    read_problems,
    task_domains,
)
from rlvr_fast.report.repeats import dependence
from rlvr_fast.report.sides import Side, read_side, sample_ks
from rlvr_fast.report.threshold import Threshold, refusal_sentence, threshold_of
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import RULES, Rule

__all__ = ["Comparison", "Group", "compare_runs", "count_of", "groups_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A set of problems that a table has a row for: everything, one domain, or one task.

    Attributes:
        index: position among the groups of a comparison; 0 is everything.
        kind: what the set gathers.
        name: "Overall", or the name of the domain or task.
        members: rows of its problems.
    """

    index: int
    kind: Literal["overall", "domain", "task"]
    name: str
    members: IntArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two graded runs over the problems they share; see `compare_runs`.

    Attributes:
        problems: the shared problems.
        base: the run of the base model.
        rl: the run of the RL model.
        options: what the comparison was asked.
        threshold: the threshold of the rule "epsilon", and where it comes from.
        shifts: the labels of all problems under each rule, counted with all draws.
        groups: the rows of every table by group, everything first.
        ks: the k of every curve: powers of two, the number of samples, and further ones asked for.
        allowed: differences between the runs that were allowed by name, in words.
        warnings: sentences without which the main numbers mislead; above everything else.
        notes: sentences that a reader of any number here has to know.
        dependence: why the draws are not independent, in one or more sentences; "" where they are.
        arms: further RL runs that are set beside the RL run; they change no other number.
        rl_name: the name of the RL run among the arms.
    """

    problems: Problems
    base: Side
    rl: Side
    options: CompareOptions
    threshold: Threshold
    shifts: dict[Rule, SupportShift]
    groups: tuple[Group, ...]
    ks: tuple[int, ...]
    allowed: dict[str, str]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    dependence: str = ""
    arms: tuple[Arm, ...] = ()
    rl_name: str = "RL"

    @property
    def common_depth(self) -> IntArray:
        """For each problem the number of draws that both models have: the smaller number."""
        return np.minimum(self.base.num_samples, self.rl.num_samples)

    @property
    def equal_depth(self) -> bool:
        """Whether both models have equally many draws of each problem that both were drawn on.

        The counts of the rule "seen" are then those of the published tables. Elsewhere they favour
        the model with more draws, and the expected counts at the common depth take their place.
        """
        both = self.common_depth > 0
        return bool(np.array_equal(self.base.num_samples[both], self.rl.num_samples[both]))

    @property
    def epsilon(self) -> float:
        """The threshold of the rule "epsilon", one number for all problems."""
        return self.threshold.value

    def counts(self, group: Group, rule: Rule | None = None) -> SupportShift | DepthShift:
        """The counts that head a group: those at the common depth of both models.

        Under the rule "seen" at unequal numbers of draws they are expected numbers. Elsewhere they
        are the counts of the labels; the rule "epsilon" compares every number of draws with one
        threshold.
        """
        if self.equal_depth or (rule or self.rule) == "epsilon":
            return self.group_shift(group, rule)
        return depth_shift(*(side.draws[group.members] for side in self.sides))

    def depth_text(self, group: Group) -> str:
        """The common depth in words: "32 draws of each model"."""
        depth = self.common_depth[group.members]
        drawn = depth[depth > 0]
        if not drawn.size or drawn.min() == drawn.max():
            return f"{draws_text(drawn)} draws of each model"
        depths = range_text(int(drawn.min()), int(drawn.max()))
        return f"{depths} draws of each model, on each problem the smaller number of the two models"

    def all_draws_text(self, group: Group) -> str:
        """The numbers of draws of base and RL in words: "256 and 32"."""
        return " and ".join(draws_text(side.num_samples[group.members]) for side in self.sides)

    @property
    def rule(self) -> Rule:
        """The rule that heads the report."""
        return self.options.rule

    @property
    def zeta(self) -> float:
        """The rule "epsilon" decides with confidence 1 - zeta."""
        return self.options.zeta

    def unread(self, group: Group | None = None) -> tuple[Side, ...]:
        """The sides none of whose completions, of one group or all, has an answer that was found.

        Numbers about these problems say nothing.
        """
        rows = slice(None) if group is None else group.members
        return tuple(side for side in self.sides if side.unread(rows))

    @property
    def independent(self) -> bool:
        """Whether every draw counts by itself; intervals and tests mean nothing where not."""
        return not self.dependence

    @property
    def shift(self) -> SupportShift:
        """The shift of all problems under the chosen rule."""
        return self.shifts[self.rule]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Base, then RL."""
        return self.base, self.rl

    def group_shift(self, group: Group, rule: Rule | None = None) -> SupportShift:
        """The shift of one group under a rule (by default the chosen one)."""
        return self.shifts[rule or self.rule].subset(group.members)

    def labels(self, rule: Rule | None = None) -> list[str]:
        """The label of each problem under a rule (by default the chosen one)."""
        names: list[str] = self.label_array(rule).tolist()
        return names

    def label_array(self, rule: Rule | None = None) -> LabelArray:
        """The same as an array, which is not copied."""
        found = self.shifts[rule or self.rule].labels
        assert found is not None  # shifts made from samples always carry their labels
        return found


_DEFAULTS = CompareOptions()


def compare_runs(
    base: Run,
    rl: Run,
    options: CompareOptions = _DEFAULTS,
    *,
    arms: Mapping[str, Run] | None = None,
    labels: Mapping[str, str] | None = None,
    keep: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a graded run of the base model with a graded run of the RL model.

    Every problem keeps the number of samples it really has in each run. Where `options.allow`
    names "problems", the comparison is over the shared problems. A problem without the gold answer
    that one of the runs needs is left out, and a note gives the number. A k above the number of
    samples of every problem gives nan, and a note says so.

    Args:
        base: the run of the base model.
        rl: the run of the RL model: same problems, prompts, sampling parameters and extraction
            policy. Problems are matched by id, else by question. What an imported run does not
            record is no difference, and a note names it.
        options: rule, zeta, epsilon, differences to allow, further k.
        arms: names to further graded RL runs (seeds, recipes, controls) of the same experiment,
            for the section `arms` of the report. The RL run itself among them gives it a name.
        labels: what the report calls the models, in place of the names that their runs record, by
            "base", "rl" and the names of arms.
        keep: a report folder: where it holds a report of the same runs, problems and zeta, its
            epsilon is kept, unless the options give one.
        progress: called as progress("compare", steps done, steps in all).

    Raises:
        InvalidInputError: the runs differ in something not allowed (the message shows the
            difference), or share no problem.
        RunDirectoryError: a run that is not graded.
    """
    allowed = check_comparable(base, rl, options.allow)
    rl_name, others, allowed_of = check_arms(base, rl, arms or {}, options.allow)
    shared = common_problems(read_problems(base, task_domains(base.info.tasks)), rl)
    problems, left_out = gradable_problems(shared, base, rl)
    step = steps(progress, "compare", 3 + len(others))
    called = labels or {}
    left = replace(read_side(base, "base", problems.ids), label=called.get("base", ""))
    step()
    right = replace(read_side(rl, "rl", problems.rl_ids), label=called.get("rl", ""))
    step()
    ks = tuple(sorted({*sample_ks(left, right), *options.k}))
    threshold = threshold_of(problems, left, right, options, keep)
    shifts = {
        rule: support_shift(
            left.draws, right.draws, rule=rule, zeta=options.zeta, epsilon=threshold.value
        )
        for rule in RULES
    }
    step()
    repeated = dependence(left, right)
    further = []
    for name, run in others.items():
        arm = read_arm(name, run, problems, base, allowed_of[name])
        further.append(replace(arm, side=replace(arm.side, label=called.get(name, ""))))
        step()
    return Comparison(
        problems=problems,
        base=left,
        rl=right,
        options=options,
        threshold=threshold,
        shifts=shifts,
        groups=groups_of(problems),
        ks=ks,
        allowed=allowed,
        dependence=repeated,
        warnings=(
            *filter(None, [repeated, refusal_sentence(threshold)]),
            *warnings_of(left, right),
        ),
        notes=(
            *left_out,
            *import_notes(problems, left, right),
            *draw_notes(left, right),
            *undefined_notes(ks, left, right),
        ),
        arms=tuple(further),
        rl_name=rl_name,
    )


def groups_of(problems: Problems) -> tuple[Group, ...]:
    """Everything, then the domains that gather tasks but not all of them, then the tasks."""
    tasks = _members(problems.tasks)
    domains = _members(problems.domains)
    rows: list[tuple[Literal["overall", "domain", "task"], str, IntArray]] = [
        ("overall", "Overall", np.arange(len(problems)))
    ]
    # A domain is worth a row only where it gathers tasks but not all of them.
    if 1 < len(domains) < len(tasks):
        rows += [("domain", name, members) for name, members in domains.items()]
    rows += [("task", name, members) for name, members in tasks.items()]
    return tuple(Group(i, *row) for i, row in enumerate(rows))


def _members(names: tuple[str, ...]) -> dict[str, IntArray]:
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault(name, []).append(i)
    return {name: np.asarray(members, dtype=np.int64) for name, members in rows.items()}

"""Two runs, base and RL, to one `Comparison`; refused unless they are one experiment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    FisherTests,
    SupportShift,
    TiltDistance,
    TiltFit,
    fit_tilt,
    support_shift,
)
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.beyond import Beyond, gather_beyond
from rlvr_fast.report.evidence import (
    GroupEvidence,
    gather_evidence,
    problem_tests,
    share_sentence,
)
from rlvr_fast.report.reweighting import (
    Reweighting,
    answer_distances,
    reweighting_of_group,
)
from rlvr_fast.report.sides import (
    VERDICTS,
    AnswerCounts,
    IntArray,
    Problems,
    Side,
    read_problems,
    read_side,
    require_graded,
    sample_ks,
    task_domains,
)
from rlvr_fast.store import Run, differences

__all__ = ["AnswerSupport", "Comparison", "Group", "compare_runs", "run_differences"]

Rule = Literal["seen", "epsilon"]
RULES: tuple[Rule, ...] = ("seen", "epsilon")

# What must agree for a difference between two runs to be a difference between two models.
CHECKS = ("problems", "tasks", "template", "sampling", "extraction", "verifiers")


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A set of problems a table has a row for: everything, one domain, or one task."""

    kind: Literal["overall", "domain", "task"]
    name: str
    members: IntArray


@dataclass(frozen=True, slots=True)
class AnswerSupport:
    """Distinct correct answers of both runs, one row per (problem, answer).

    An answer neither model gave is unknown to the samples, so there is no "out" at this level.
    """

    problem: IntArray
    canonical: tuple[str, ...]
    base_count: IntArray
    rl_count: IntArray
    shifts: dict[str, SupportShift]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything the report says, measured; see `compare_runs`.

    ``shifts`` holds the labels of all problems under both rules, ``rule`` names the one that heads
    the tables. ``evidence[i]`` and ``reweighting[i]`` are those of ``groups[i]``, ``tests``,
    ``tilt`` and ``distances`` hold one entry a problem, the curves of ``evidence`` one for each of
    ``ks``. ``notes`` are sentences a reader of any
    number here has to know.
    """

    problems: Problems
    base: Side
    rl: Side
    rule: str
    zeta: float
    shifts: dict[str, SupportShift]
    answers: AnswerSupport
    groups: tuple[Group, ...]
    tests: FisherTests
    evidence: tuple[GroupEvidence, ...]
    beyond: Beyond
    reweighting: tuple[Reweighting, ...]
    ks: tuple[int, ...]
    tilt: TiltFit
    distances: TiltDistance
    allowed: dict[str, str]
    notes: tuple[str, ...]

    @property
    def shift(self) -> SupportShift:
        """The shift of all problems under the chosen rule."""
        return self.shifts[self.rule]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Base, then RL."""
        return self.base, self.rl

    def group_shift(self, group: Group, rule: str | None = None) -> SupportShift:
        """The shift of one group under a rule (by default the chosen one)."""
        return self.shifts[rule or self.rule].subset(group.members)

    def headline(self) -> str:
        """The finding in plain words: what became of the problems, how sure, and pass@k.

        The intervals are those of the rule "seen"; under "epsilon" the labels themselves are sure.
        """
        from rlvr_fast.report.summary import pass_sentence

        s = self.shift
        text = (
            f"Of {_count(s.problems, 'problem')}, RLVR kept {s.preserved}, lost {s.shrunk} and "
            f"found {s.expanded}; {s.out} {'was' if s.out == 1 else 'were'} solved by neither model"
        )
        if s.undetermined:
            text += f", and for {s.undetermined} the samples do not decide"
        sure = share_sentence(self.evidence[0].interval) if self.rule == "seen" else ""
        return " ".join(part for part in (f"{text}.", sure, pass_sentence(self)) if part)

    def headline_table(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """(columns, rows) of the headline table: one row per group, overall first."""
        from rlvr_fast.report.summary import headline_table

        return headline_table(self)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds, with None for what is not a number."""
        from rlvr_fast.report.summary import summary

        return summary(self)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain(value: Any) -> Any:
    """A dataclass or mapping as a plain dict; anything else unchanged."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def run_differences(base: Run, rl: Run) -> dict[str, str]:
    """Which of `CHECKS` two runs disagree on, each with the difference in words."""
    found: dict[str, list[str]] = {}
    for difference in differences(base, rl):
        found.setdefault(difference.kind, []).append(difference.message)
    # Another verifier or another limit is another notion of "correct".
    verified = [_verification(run) for run in (base, rl)]
    for what in sorted(verified[0].keys() & verified[1].keys()):
        left, right = (one[what] for one in verified)
        if left != right:
            found.setdefault("verifiers", []).append(f"{what} {left} and {right}")
    return {kind: "; ".join(messages) for kind, messages in found.items()}


def _verification(run: Run) -> dict[str, Any]:
    """How the answers of a run were verified: the limits, and the verifier of each task."""
    grading = run.read_json("grading.json") or {}
    tasks = grading.get("tasks") or {}
    verifiers = {
        f"verifier of {name}": {k: task[k] for k in ("verifier", "equivalence") if k in task}
        for name, task in tasks.items()
    }
    return {"limits": grading.get("limits"), **verifiers}


def check_comparable(base: Run, rl: Run, allow: Collection[str] = ()) -> dict[str, str]:
    """`run_differences`, refused with InvalidInputError unless `allow` names them all.

    RunDirectoryError where one is not graded: it would differ by that alone.
    """
    unknown = sorted(set(allow) - set(CHECKS))
    if unknown:
        raise InvalidInputError(
            f"allow names {', '.join(map(repr, unknown))}; it may hold {', '.join(CHECKS)}"
        )
    for run in (base, rl):
        require_graded(run)
    found = run_differences(base, rl)
    refused = [name for name in found if name not in allow]
    if refused:
        shown = "\n".join(f"  {name}: {found[name]}" for name in refused)
        raise InvalidInputError(
            f"{base.path} and {rl.path} are not runs of one experiment:\n{shown}\n"
            f"Draw or grade them alike, or allow the difference by name: "
            + " ".join(f"--allow {name}" for name in refused)
        )
    return found


def compare_runs(
    base: Run,
    rl: Run,
    *,
    rule: str = "seen",
    zeta: float = 0.05,
    allow: Collection[str] = (),
    ks: Collection[int] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Compare a graded run of the base model with a graded run of the RL model.

    Parameters
    ----------
    base, rl : the two runs, same problems, prompts, sampling parameters and extraction policy
    rule : "seen" as in the published tables, or "epsilon"; both are computed, this one heads them
    zeta : the epsilon rule decides with confidence 1 - zeta
    allow : names among "problems", "tasks", "template", "sampling", "extraction", "verifiers" in
        which the runs may differ all the same; with "problems" the comparison is over those
        that both have
    ks : further k at which to give pass@k, besides the powers of two and the number of samples; nan
        where it exceeds the samples of every problem, and a note says so
    progress : called as progress("compare", steps done, steps in all)

    Every problem keeps the number of samples it really has in each run.

    Raises:
    ------
    InvalidInputError
        The runs differ in something not allowed (the message shows the difference), or share no
        problem; an unknown rule or name in `allow`.
    RunDirectoryError
        A run that is not graded.
    """
    if rule not in RULES:
        raise InvalidInputError(f'rule must be "seen" or "epsilon", got {rule!r}')
    found = check_comparable(base, rl, allow)
    problems = common_problems(read_problems(base, task_domains(base.info.tasks)), rl)
    groups = _groups(problems)
    step = steps(progress, "compare", 5 + len(groups))
    left = read_side(base, "base", problems)
    step()
    right = read_side(rl, "rl", problems)
    step()
    counts = (left.num_correct, left.num_samples, right.num_correct, right.num_samples)
    shifts: dict[str, SupportShift] = {
        name: support_shift(*counts, rule=name, zeta=zeta) for name in RULES
    }
    tests = problem_tests(left, right)
    depths = sample_ks(left, right)
    at = sorted({*depths, *_asked(ks)})
    distances = answer_distances(left, right)
    step()
    answers = _answer_support(left, right, zeta)
    step()
    evidence = []
    for group in groups:
        rows = group.members
        seen = shifts["seen"].subset(rows)
        evidence.append(gather_evidence(left, right, rows, seen, tests, at, depths, zeta))
        step()
    beyond = gather_beyond(left, right, zeta)
    step()
    return Comparison(
        problems=problems,
        base=left,
        rl=right,
        rule=rule,
        zeta=zeta,
        shifts=shifts,
        answers=answers,
        groups=groups,
        tests=tests,
        evidence=tuple(evidence),
        beyond=beyond,
        reweighting=tuple(reweighting_of_group(left, right, g.members, distances) for g in groups),
        ks=tuple(at),
        tilt=fit_tilt(*counts),
        distances=distances,
        allowed=found,
        notes=(*_notes(left, right), *_undefined(at, left, right)),
    )


def common_problems(problems: Problems, rl: Run) -> Problems:
    other = set(rl.problems().column("problem_id").to_pylist())
    keep = [i for i, problem_id in enumerate(problems.ids) if problem_id in other]
    if not keep:
        raise InvalidInputError(f"no problem of the base run is in {rl.path}: nothing to compare")
    if len(keep) == len(problems):
        return problems
    return Problems(
        ids=tuple(problems.ids[i] for i in keep),
        tasks=tuple(problems.tasks[i] for i in keep),
        domains=tuple(problems.domains[i] for i in keep),
        prompts=tuple(problems.prompts[i] for i in keep),
        golds=tuple(problems.golds[i] for i in keep),
        metadata=tuple(problems.metadata[i] for i in keep),
    )


def _groups(problems: Problems) -> tuple[Group, ...]:
    groups = [Group("overall", "Overall", np.arange(len(problems)))]
    tasks = _members(problems.tasks)
    domains = _members(problems.domains)
    # A domain is worth a row only where it gathers tasks but not all of them.
    if 1 < len(domains) < len(tasks):
        groups += [Group("domain", name, rows) for name, rows in domains.items()]
    groups += [Group("task", name, rows) for name, rows in tasks.items()]
    return tuple(groups)


def _members(names: tuple[str, ...]) -> dict[str, IntArray]:
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault(name, []).append(i)
    return {name: np.asarray(members, dtype=np.int64) for name, members in rows.items()}


def _correct_answers(answers: AnswerCounts, column: str) -> pa.Table:
    rows = np.flatnonzero(answers.verdict == VERDICTS.index("correct"))
    # An answer without a canonical form cannot be matched between the runs.
    rows = np.asarray([r for r in rows if answers.canonical[r] is not None], dtype=np.int64)
    zero = np.zeros(rows.size, np.int64)
    count = answers.count[rows]
    return pa.table(
        {
            "problem": answers.problem[rows],
            "canonical": pa.array([answers.canonical[r] for r in rows], pa.large_string()),
            "base": count if column == "base" else zero,
            "rl": count if column == "rl" else zero,
        }
    )


def _answer_support(base: Side, rl: Side, zeta: float) -> AnswerSupport:
    both = pa.concat_tables(
        [_correct_answers(base.answers, "base"), _correct_answers(rl.answers, "rl")]
    )
    table = both.group_by(["problem", "canonical"]).aggregate([("base", "sum"), ("rl", "sum")])
    table = table.append_column("total", pc.add(table.column("base_sum"), table.column("rl_sum")))
    table = table.sort_by(
        [("problem", "ascending"), ("total", "descending"), ("canonical", "ascending")]
    )
    problem, in_base, in_rl = (
        np.asarray(table.column(name).to_numpy(), dtype=np.int64)
        for name in ("problem", "base_sum", "rl_sum")
    )
    counts = (in_base, base.num_samples[problem], in_rl, rl.num_samples[problem])
    return AnswerSupport(
        problem=problem,
        canonical=tuple(table.column("canonical").to_pylist()),
        base_count=in_base,
        rl_count=in_rl,
        shifts={name: support_shift(*counts, rule=name, zeta=zeta) for name in RULES},
    )


def _asked(ks: Collection[int]) -> list[int]:
    for k in ks:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise InvalidInputError(f"ks must be whole numbers of at least 1, got {k!r}")
    return [int(k) for k in ks]


def _undefined(ks: list[int], base: Side, rl: Side) -> list[str]:
    most = int(np.minimum(base.num_samples, rl.num_samples).max(initial=0))
    beyond = [f"{k:,}" for k in ks if k > most]
    if not beyond or not most:
        return []
    return [
        f"pass@k is not defined at k = {', '.join(beyond)}: no problem has more than {most:,} "
        "samples of both models."
    ]


def _notes(base: Side, rl: Side) -> list[str]:
    notes = []
    for side in (base, rl):
        empty = int(np.count_nonzero(side.num_samples == 0))
        if empty:
            notes.append(
                f"{_count(empty, 'problem')} of the {side.name} run "
                f"{'has' if empty == 1 else 'have'} no samples and count as undetermined."
            )
        ungraded = int(np.maximum(side.num_ungraded, 0).sum())
        if ungraded:
            notes.append(
                f"{_count(ungraded, 'draw')} of the {side.name} run are not graded yet and are "
                f"left out; `rlvr-fast grade {side.run.path}` adds them."
            )
        if plain(side.run.info.sampling).get("temperature") == 0 and side.num_samples.max() > 1:
            notes.append(
                f"The {side.name} run was drawn at temperature 0: all samples of a problem are one "
                "and the same, and count as one. What rests on their number (pass@k above 1, "
                "intervals, tests) means nothing here."
            )
        drawn = side.num_samples[side.num_samples > 0]
        if drawn.size and drawn.min() != drawn.max():
            notes.append(
                f"The {side.name} run has between {drawn.min()} and {drawn.max()} samples a "
                "problem; every problem is counted with its own number."
            )
    unequal = int(np.count_nonzero(base.num_samples != rl.num_samples))
    if unequal:
        notes.append(
            f"On {_count(unequal, 'problem')} the two models have different numbers of samples; "
            'the rule "seen" favours the model with more.'
        )
    return notes

"""The tasks of a run as they are graded, and the choice between our verdicts and imported ones."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.imported import has_verdicts, imported_grader, imported_rule
from rlvr_fast.errors import (
    InvalidInputError,
    MissingDependencyError,
    RlvrError,
    RunDirectoryError,
    shown,
)
from rlvr_fast.store import Run
from rlvr_fast.tasks import Equivalence, load_verifier
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.vocabulary import Policy, VerdictSource

__all__ = ["GradedTask", "check_golds", "choose_verdicts", "graded_tasks"]


@dataclass(frozen=True, slots=True)
class GradedTask:
    """A task of a run, with the policy that extracts its answers and the grader.

    Attributes:
        name: its name in the run.
        spec: its task spec.
        policy: the extraction policy.
        equivalence: which answers are one distinct answer.
        grader: name and version of the verifier, or the imported verdicts.
        runs_programs: whether the answers are programs.
    """

    name: str
    spec: str
    policy: Policy
    equivalence: Equivalence
    grader: str
    runs_programs: bool


def choose_verdicts(run: Run, wanted: VerdictSource) -> tuple[VerdictSource, str]:
    """Whose verdicts grade a run.

    Args:
        run: the run.
        wanted: the source that the user asked for.

    Returns:
        "ours" or "imported", and a sentence that says why where "auto" took the imported verdicts.

    Raises:
        InvalidInputError: imported verdicts are wanted, and none came along.
    """
    if wanted == "ours" or (wanted == "auto" and not _all_golds_missing(run)):
        return "ours", ""
    if has_verdicts(run):
        why = (
            f"No problem has a gold answer: the verdicts that came with the rollouts "
            f"({imported_rule(run)}) are taken as they are, and nothing was verified."
        )
        return "imported", why if wanted == "auto" else ""
    if wanted == "imported":
        raise InvalidInputError(
            f"{run.path}: no verdict came with these completions; import them again with "
            "--verdict FIELD or --verdict 'FIELD>=X', which names the field of their verdict"
        )
    return "ours", ""


def _all_golds_missing(run: Run) -> bool:
    """Whether some task needs gold answers, and no problem of the run has one."""
    problems = run.problems()
    lengths = pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(problems["gold"], "")))
    if pc.any(pc.greater(lengths, 0)).as_py():
        return False
    present = set(pc.unique(problems["task"]).to_pylist())
    return any(_needs_golds(spec) for name, spec in run.task_specs().items() if name in present)


def _needs_golds(spec: str) -> bool:
    try:
        return load_verifier(spec).equivalence == "canonical"
    except RlvrError:  # said where our verdicts are asked for
        return False


def graded_tasks(run: Run, policy: Policy, verdicts: VerdictSource) -> dict[str, GradedTask]:
    """The tasks of the problems of a run by name.

    Args:
        run: the run.
        policy: the extraction policy that the user asked for.
        verdicts: "ours" or "imported"; imported verdicts need no verifier and no sandbox.

    Raises:
        RunDirectoryError: run.json does not name the task of a problem.
        InvalidInputError: an unknown kind of task, or one whose file has changed.
        MissingDependencyError: a package or program that a verifier needs is missing.
    """
    specs = run.task_specs()
    tasks: dict[str, GradedTask] = {}
    for name in pc.unique(run.problems()["task"]).to_pylist():
        if name not in specs:
            raise RunDirectoryError(
                f"{run.path}: problems.parquet has problems of task {name!r}, which run.json does "
                f"not name (it names {', '.join(map(repr, specs)) or 'none'})"
            )
        make = _by_import if verdicts == "imported" else _by_verifier
        tasks[name] = make(run, name, specs[name], policy)
    return tasks


def _by_import(run: Run, name: str, spec: str, policy: Policy) -> GradedTask:
    own: Policy = "auto"
    runs_programs = False
    try:
        scheme = scheme_of(spec)
        own, runs_programs = scheme.policy, scheme.runs_programs
    except RlvrError:  # an unknown kind of task: its verifier is not needed
        pass
    chosen = own if policy == "auto" else policy
    equivalence: Equivalence = "exact" if runs_programs else "canonical"
    return GradedTask(name, spec, chosen, equivalence, imported_grader(run), runs_programs)


def _by_verifier(run: Run, name: str, spec: str, policy: Policy) -> GradedTask:
    try:
        verifier = load_verifier(spec)
        scheme = scheme_of(spec)
        if scheme.runs_programs:
            from rlvr_fast.tasks.sandbox import require_sandbox

            require_sandbox()
    except MissingDependencyError as error:
        if not has_verdicts(run):
            raise
        raise MissingDependencyError(
            f"{error}. Or take the verdicts that came with the rollouts: --verdicts imported"
        ) from None
    except InvalidInputError as error:
        raise type(error)(f"{run.path / 'run.json'}: task {shown(name)}: {error}") from error
    chosen = scheme.policy if policy == "auto" else policy
    return GradedTask(name, spec, chosen, verifier.equivalence, verifier.name, scheme.runs_programs)


def check_golds(run: Run, tasks: dict[str, GradedTask], problems: pa.Table) -> list[bool]:
    """Whether each problem lacks the gold answer that its verifier compares with.

    Raises:
        InvalidInputError: a problem of a sampled run, or every such problem of an imported run,
            lacks its gold answer; the message names the ways to give one.
    """
    names, owners = problems["problem_id"].to_pylist(), problems["task"].to_pylist()
    needed = [tasks[owner].equivalence == "canonical" for owner in owners]
    lacking = [
        need and not (gold or "").strip()
        for need, gold in zip(needed, problems["gold"].to_pylist(), strict=True)
    ]
    number = sum(lacking)
    if not number or (run.info.imported and number < sum(needed)):
        return lacking
    name, owner = names[lacking.index(True)], owners[lacking.index(True)]
    others = f" and {number - 1} more of {len(problems)}" if number > 1 else ""
    ways = (
        "take the verdicts that came with the rollouts (--verdicts imported)"
        if has_verdicts(run)
        else "take a verdict or reward of their file (--verdict FIELD)"
    )
    raise InvalidInputError(
        f"{run.path}: expected a gold answer for each problem of task {owner!r}, which "
        f"{tasks[owner].grader} compares with; problem {name!r}{others} has none. "
        "Completions that were imported: import them anew with golds "
        f"(--problems math:FILE, or --field gold=FIELD), or {ways}"
    )

"""Further RL runs of one comparison: seeds, recipes, an SFT twin, a control of random reward."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import Draws
from rlvr_fast.report.comparable import check_comparable
from rlvr_fast.report.imported import gradable_problems
from rlvr_fast.report.problems import IntArray, Problems, common_problems
from rlvr_fast.report.sides import Side, read_side
from rlvr_fast.shown_text import file_name
from rlvr_fast.store import Run, same_completions

__all__ = [
    "Arm",
    "arm_folder",
    "arms_dependence",
    "check_arms",
    "check_names",
    "parse_arms",
    "read_arm",
    "recipe_of",
]

# Names that stand for the two main runs, and for columns of tables.
_TAKEN = ("base", "rl")
# Words before a number that count the steps of one training, not the seeds of a recipe.
_STEPS = ("step", "steps", "checkpoint", "ckpt", "epoch", "iter", "iteration", "global_step")
_NUMBERED = re.compile(r"^(?P<recipe>.*?)(?P<gap>[\s/_.:-]*)(?:seed|run|s)?[\s_.:=-]*\d+$", re.I)


@dataclass(frozen=True, slots=True)
class Arm:
    """One further RL run beside the two runs of a comparison.

    Attributes:
        name: as the user gave it.
        side: the run, over those problems of the comparison that it has.
        rows: the rows of these problems in the comparison.
        problems: number of problems of the comparison.
        allowed: differences to the base run that were allowed by name, in words.
    """

    name: str
    side: Side
    rows: IntArray
    problems: int
    allowed: dict[str, str]

    @property
    def draws(self) -> Draws:
        """The counts of all problems of the comparison; 0 where this run lacks a problem."""
        counts = np.zeros((2, self.problems), np.int64)
        counts[:, self.rows] = self.side.num_samples, self.side.num_correct
        return Draws(*counts)


def recipe_of(name: str) -> str | None:
    """The recipe that a name says a run is a training seed of; None for a run by itself.

    The part before the last "/" ("grpo/a"), else what stands before a whole number at the end
    ("grpo-1", "grpo seed 2"). The number of a step or checkpoint is no seed.
    """
    folder, slash, last = name.rpartition("/")
    if slash and folder.strip():
        return None if _is_step(last) else folder.strip()
    found = _NUMBERED.match(name)
    if found is None or _is_step(name) or re.search(r"\d\.\d+$", name):
        return None
    return found["recipe"].strip() or None


def _is_step(name: str) -> bool:
    word = re.sub(r"[\s_.:=-]*\d+$", "", name).lower()
    return word != name.lower() and re.split(r"[\s/.:-]+", word)[-1].endswith(_STEPS)


def parse_arms(entries: Sequence[str]) -> dict[str, str]:
    """NAME=RUN entries of the command line, as names to sources.

    Raises:
        InvalidInputError: an entry of another form, a name that is given twice or is taken.
    """
    arms: dict[str, str] = {}
    for entry in entries:
        name, sign, source = (part.strip() for part in entry.partition("="))
        if not sign or not name or not source:
            raise InvalidInputError(
                f"--arm takes NAME=RUN, not {entry!r}: a name for the table, then a run directory "
                "or rollouts, as in --arm grpo/2=runs/grpo2"
            )
        if name in arms:
            raise InvalidInputError(
                f"--arm: the name {name!r} is given twice ({arms[name]} and {source}); "
                "give each run a name of its own"
            )
        arms[name] = source
    check_names(arms)
    return arms


def check_names(names: Sequence[str] | Mapping[str, object]) -> None:
    """Refuses names of arms that a table could not tell from another.

    Raises:
        InvalidInputError: an empty name, "base" or "rl", or two names of one folder.
    """
    folders: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError(f"expected a name for each arm, got {name!r}")
        if name.strip().lower() in _TAKEN:
            raise InvalidInputError(
                f"an arm cannot be named {name!r}: the two main runs have the names base and RL. "
                "To name the RL run itself, give its run directory as an arm under another name"
            )
        other = folders.setdefault(arm_folder(name).lower(), name)
        if other != name:
            raise InvalidInputError(
                f"the arms {other!r} and {name!r} would have one folder; rename one of them"
            )


def arm_folder(name: str) -> str:
    """The name of the folder for the run of an arm, made from the arm's name."""
    return file_name(name, default="arm")


def check_arms(
    base: Run, rl: Run, arms: Mapping[str, Run], allow: Sequence[str]
) -> tuple[str, dict[str, Run], dict[str, dict[str, str]]]:
    """Checks every arm against the base run, before anything is measured.

    Args:
        base: the run of the base model.
        rl: the run of the RL model.
        arms: names to runs. The RL run itself among them gives the RL run a name.
        allow: differences to accept, as for the RL run.

    Returns:
        The name of the RL run ("RL" unless given), the other arms, and the differences of each
        that were allowed.

    Raises:
        InvalidInputError: a name as `check_names` refuses, a run that stands twice, or an arm that
            differs from the base run in something not allowed.
        RunDirectoryError: an arm that is not graded.
    """
    check_names(arms)
    title = "RL"
    places = {base.path.resolve(): "the base run"}
    others: dict[str, Run] = {}
    for name, run in arms.items():
        place = run.path.resolve()
        if place == rl.path.resolve() and title == "RL":
            title = name
            continue
        if place in places or place == rl.path.resolve():
            known = places.get(place, "the RL run")
            raise InvalidInputError(
                f"the arm {name!r} is {known} ({run.path}): a run stands once in a comparison"
            )
        places[place] = f"the arm {name!r} as well"
        others[name] = run
    allowed = {}
    for name, run in others.items():
        try:
            allowed[name] = check_comparable(base, run, allow)
        except InvalidInputError as error:
            raise type(error)(f"arm {name!r}: {error}") from None
    return title, others, allowed


def read_arm(name: str, run: Run, problems: Problems, base: Run, allowed: dict[str, str]) -> Arm:
    """Measures the run of one arm over the problems of a comparison.

    Raises:
        InvalidInputError: the arm has no problem of the comparison, or none with a gold answer.
    """
    try:
        shared, _ = gradable_problems(common_problems(problems, run), base, run)
    except InvalidInputError as error:
        raise type(error)(f"arm {name!r}: {error}") from None
    place = {problem_id: i for i, problem_id in enumerate(problems.ids)}
    rows = np.array([place[problem_id] for problem_id in shared.ids], np.int64)
    # Read as an RL run, under whose label its own scores stand; its name is for sentences.
    side = replace(read_side(run, "rl", shared.rl_ids), name=name)
    return Arm(name, side, rows, len(problems), allowed)


def arms_dependence(sides: Sequence[Side], arms: Sequence[Arm]) -> str:
    """Why the draws of the arms are not independent, in sentences; "" where they are.

    Args:
        sides: base and RL.
        arms: the other runs.
    """
    said = [arm.side.repeats.sentence(f"The {arm.name} run", arm.side.num_samples) for arm in arms]
    whole = [*sides, *(arm.side for arm in arms if arm.rows.size == arm.problems)]
    for i, arm in enumerate(whole):
        for other in whole[: i if i >= len(sides) else 0]:
            total = len(arm.ids)
            if shared := same_completions(other.completions, arm.completions, total):
                said.append(
                    f"{other.title} and {arm.title} hold the same completions on {shared:,} of "
                    f"{total:,} problems: one set of draws stands under two names."
                )
    return " ".join(filter(None, said))

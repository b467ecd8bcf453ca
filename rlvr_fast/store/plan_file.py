"""The file that says how many samples two runs are to have of each problem: `plan --out`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, RlvrError, file_error
from rlvr_fast.safe_files import JSON_BYTES, read_linked
from rlvr_fast.store.files import write_json
from rlvr_fast.store.info import RunInfo, info_differences, tasks_beyond
from rlvr_fast.store.json_files import parse_json, plan_fault
from rlvr_fast.store.run import Run

__all__ = ["PlanFile", "PlanSide", "planned_side", "read_plan", "write_plan"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlanSide:
    """What one run is to have.

    Attributes:
        run: the run.json of the run when the plan was made, which tells it from other runs.
        samples: the number of samples in all, by problem_id. Totals and not further ones, so that
            a command that follows the plan can be given again. Other problems stay as they are.
    """

    run: RunInfo
    samples: Mapping[str, int]

    @classmethod
    def of(cls, run: Run, further: Mapping[str, int]) -> PlanSide:
        """The side of a run that is to have so many further samples of some problems."""
        held = dict(
            zip(run.problems()["problem_id"].to_pylist(), run.num_samples().tolist(), strict=True)
        )
        identity = replace(
            run.info,
            engine={"name": run.info.engine.get("name")},
            versions={},
            requested_samples=None,
            requested_of={},
        )
        return cls(identity, {name: held[name] + more for name, more in further.items() if more})

    def differences(self, run: Run) -> list[str]:
        """What tells a run from the one of this side; a run may have further tasks."""
        found = info_differences(self.run, run.info, same_run=True)
        texts = [text for kind, text in found if kind != "tasks"]
        if tasks_beyond(run.info, self.run) is None:
            texts += [text for kind, text in found if kind == "tasks"]
        return texts


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The contents of a plan.

    Attributes:
        base: what the run of the base model is to have.
        rl: what the run of the RL model is to have.
        epsilon: the threshold at which the plan decides labels; `compare --epsilon` keeps it.
        zeta: 1 - zeta is the confidence of the decisions.
    """

    base: PlanSide
    rl: PlanSide
    epsilon: float
    zeta: float

    def to_json(self) -> dict[str, Any]:
        """The JSON value of the file."""
        sides = {
            name: {"run": side.run.to_json(), "samples": dict(side.samples)}
            for name, side in (("base", self.base), ("rl", self.rl))
        }
        return {"format": _FORMAT, "epsilon": self.epsilon, "zeta": self.zeta, **sides}


def write_plan(path: str | Path, plan: PlanFile) -> None:
    """Writes a plan; replaces a plan that lies there, and nothing else.

    Raises:
        InvalidInputError: both sides are one run, or something else lies at `path`.
        StorageError: the file system refuses the write.
    """
    path = Path(path)
    if not info_differences(plan.base.run, plan.rl.run, same_run=True):
        raise InvalidInputError(
            "base and RL are of one model with one seed: a plan could not tell their runs apart"
        )
    if path.exists():
        try:
            read_plan(path)
        except RlvrError:
            raise InvalidInputError(f"{path}: is there and is no plan; name another file") from None
    write_json(path, plan.to_json())


def read_plan(path: str | Path) -> PlanFile:
    """The plan in a file, which may come from a stranger.

    Raises:
        InvalidInputError: no such file, no plan, or more than 64 MiB.
        StorageError: the file cannot be read.
    """
    path = Path(path)
    try:
        value = parse_json(read_linked(path, at_most=JSON_BYTES, pipes=True))
    except OSError as error:
        text = f"{path}: cannot be read ({error.strerror or error})"
        raise file_error(error, text) from error
    except ValueError as error:
        raise InvalidInputError(f"{path}: expected a plan, found no JSON ({error})") from None
    if fault := plan_fault(value):
        raise InvalidInputError(
            f"{path}: expected a plan, as `rlvr-fast plan BASE RL --out FILE` writes it; {fault}"
        )
    base, rl = (
        PlanSide(
            RunInfo.from_json(value[side]["run"], f"{path}: {side}: run"), value[side]["samples"]
        )
        for side in ("base", "rl")
    )
    return PlanFile(base, rl, float(value["epsilon"]), float(value["zeta"]))


def planned_side(plan: PlanFile, run: Run) -> PlanSide:
    """The side of a plan that a run is.

    Raises:
        InvalidInputError: it is neither or both; the message says what differs.
    """
    differences = {"base": plan.base.differences(run), "RL": plan.rl.differences(run)}
    matching = [name for name, found in differences.items() if not found]
    if len(matching) == 1:
        return plan.base if matching == ["base"] else plan.rl
    if matching:
        raise InvalidInputError(f"{run.path}: base and RL of the plan are one run, this one")
    texts = "; ".join(f"{name}: {', '.join(found)}" for name, found in differences.items())
    raise InvalidInputError(
        f"{run.path}: the plan is of other runs (there and here): {texts}. Make a plan of this run "
        "(rlvr-fast plan BASE RL --out FILE)"
    )

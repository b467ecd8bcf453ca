"""Datasets of Reasoning Gym (https://github.com/open-thought/reasoning-gym) as tasks."""

from __future__ import annotations

from rlvr_fast.tasks.base import Scheme, Task
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["SCHEME"]


def _load(spec: TaskSpec, name: str | None) -> Task:
    from rlvr_fast.tasks.schemes.reasoning_gym.task import GymTask

    return GymTask(spec, name)


SCHEME = Scheme(
    name="reasoning_gym",
    form="reasoning_gym:NAME?size=50&seed=7",
    help="any Reasoning Gym dataset and any value of its config",
    load=_load,
    packages=("reasoning-gym",),
)

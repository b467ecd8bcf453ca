"""The differences between two runs that make a comparison of their models invalid."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.store.info import info_differences
from rlvr_fast.store.problem_tables import align_problems, matched_differences
from rlvr_fast.store.run import Run

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two runs.

    Attributes:
        kind: "problems", "tasks", "template", "sampling" or "extraction".
        message: the two values; also `str()` of the difference.
    """

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def differences(a: Run, b: Run) -> list[Difference]:
    """The differences that make the runs of two models incomparable; empty where there are none.

    Compared are the problems with prompts and golds, the tasks, the prompt template, the sampling
    parameters without their seed, and the extraction policy of grading.json. Model, engine and
    number of samples may differ. Prompt token ids are compared through the prompts, because two
    models may have different tokenizers. What an imported run does not record is no difference;
    `unrecorded` names it.
    """
    found = [Difference(*item) for item in info_differences(a.info, b.info, same_run=False)]
    tables = a.problems(), b.problems()
    kinds = {difference.kind for difference in found}
    texts = matched_differences(
        *tables,
        align_problems(*tables),
        imported=a.info.imported or b.info.imported,
        # Of one task, two templates make two prompts: that is one difference, and said already.
        prompts="template" not in kinds or "tasks" in kinds,
    )
    found += [Difference("problems", text) for text in texts]
    policies = [(run.read_json("grading.json") or {}).get("policy") for run in (a, b)]
    if policies[0] != policies[1]:
        found.append(
            Difference("extraction", f"extraction policy {policies[0]!r} and {policies[1]!r}")
        )
    return found

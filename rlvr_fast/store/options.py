"""Options of an import of finished completions: one definition for Python and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.options import Options, option
from rlvr_fast.store.readers.reader import ROLES

__all__ = ["DRAWN", "ImportOptions"]

# The sampling parameters that can be stated where the files do not say them.
DRAWN = (
    "temperature", "top_p", "max_tokens", "top_k", "min_p", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "min_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions(Options):
    """Options of `import_rollouts`.

    Attributes:
        format: the name of the reader; None recognises the layout by the keys of the first rows.
        fields: role to the path of the field that holds it, as in {"gold":
            "reward_model.ground_truth"}; None (`--field gold=`) leaves the role out. A role that is
            not named keeps the field that the layout gives.
        verdict: the field that says whether a completion is correct, or a comparison of a number,
            as in "score>0" or "reward>=1"; None takes the obvious one.
        problems: task specs whose problems these completions answer: golds, tests and metadata are
            taken from there, matched by id or by question.
        requests: files of the requests that a batch output answers (OpenAI, vLLM).
        filter: of files that hold every completion once for each filter (lm-evaluation-harness),
            the filter to read; None takes the first.
        task: the name of the task of rows that name none.
        strict: refuse rows that would be left out.
        temperature: as drawn, where the files do not say it.
        top_p: as drawn, where the files do not say it.
        max_tokens: as drawn, where the files do not say it.
        top_k: as drawn, where the files do not say it; so are the parameters below.
        min_p: smallest share of the largest probability.
        presence_penalty: penalty of tokens that the completion holds.
        frequency_penalty: penalty of tokens for each time that the completion holds them.
        repetition_penalty: divisor of the logits of tokens of prompt and completion.
        min_tokens: number of tokens before a completion may end by itself.

    Raises:
        InvalidInputError: a value of another type or out of range, or an unknown role.
    """

    format: str | None = option(None, help="The layout, where it is not recognised.")
    fields: Mapping[str, object] = option(
        {},
        cli_name="field",
        metavar="ROLE=PATH",
        help="The field behind a role, as in gold=reward_model.ground_truth or "
        f"completion=resps[0]; gold= leaves a role out. Roles: {', '.join(ROLES)}.",
    )
    verdict: str | None = option(
        None,
        metavar="FIELD",
        help="The field that says whether a completion is correct, or FIELD>=X for a number.",
    )
    problems: tuple[str, ...] = option(
        (),
        metavar="SPEC",
        help="A task whose problems these are: gold answers and tests come from there.",
    )
    requests: tuple[str, ...] = option(
        (), metavar="FILE", help="The requests that a batch output answers."
    )
    filter: str | None = option(
        None, help="Of completions stored once a filter, the filter to read."
    )
    task: str = option("imported", help="Name of the task of rows that name none.")
    strict: bool = option(False, help="Refuse rows that would be left out.")
    temperature: float | None = option(None, minimum=0, help="Temperature, as drawn.")
    top_p: float | None = option(None, above=0, maximum=1, help="Top-p, as drawn.")
    max_tokens: int | None = option(None, minimum=1, help="Longest completion, as drawn.")
    top_k: int | None = option(None, minimum=-1, help="Top-k, as drawn; 0 is all tokens.")
    min_p: float | None = option(None, minimum=0, maximum=1, help="Min-p, as drawn.")
    presence_penalty: float | None = option(None, help="Presence penalty, as drawn.")
    frequency_penalty: float | None = option(None, help="Frequency penalty, as drawn.")
    repetition_penalty: float | None = option(None, above=0, help="Repetition penalty, as drawn.")
    min_tokens: int | None = option(None, minimum=0, help="Shortest completion, as drawn.")

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        for role in self.fields:
            if role not in ROLES:
                raise InvalidInputError(
                    f"fields: unknown role {role!r}.{closest(role, list(ROLES))} "
                    f"Roles: {', '.join(ROLES)}"
                )
        for role in ("question", "completion"):
            if role in self.fields and self.fields[role] is None:
                raise InvalidInputError(f"every row needs a {role}: name the field that holds it")

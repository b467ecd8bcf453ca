"""What the checks of a study read of its models, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rlvr_fast.study.checks.faults import Faults
from rlvr_fast.study.models import StudyModel, StudySide

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.sampling.parameters import SamplingParameters
    from rlvr_fast.sampling.unloaded import UnloadedModel
    from rlvr_fast.store import Run

__all__ = ["Known", "check_adapter_of", "context_of", "no_causal_model"]


@dataclass(slots=True)
class Known:
    """What the checks read of the models and sides.

    Attributes:
        runs: the runs that are there, by the name of the side.
        models: by model and revision; None for one that cannot be read.
        parameters: the sampling parameters of the sides with draws to make.
        templates: of each side, what run.json says or will say of its template.
        tables: the problems of each side with its prompts.
    """

    runs: Mapping[str, Run]
    models: dict[tuple[str, str | None], UnloadedModel | None] = field(default_factory=dict)
    parameters: dict[str, SamplingParameters] = field(default_factory=dict)
    templates: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)

    def model(self, model: StudyModel, faults: Faults) -> UnloadedModel | None:
        """A model without its weights; read once, and None where it cannot be read."""
        from rlvr_fast.sampling.unloaded import UnloadedModel

        key = model.weights
        if key not in self.models:
            self.models[key] = None
            with faults.kept():
                self.models[key] = UnloadedModel(model.model, revision=model.revision)
        return self.models[key]


def context_of(side: StudySide, reader: UnloadedModel) -> int | None:
    """Most tokens of prompt and completion when a side draws; None where it is not known.

    Args:
        side: the side, whose engine may have a limit of its own (vLLM's max_model_len).
        reader: its model.
    """
    limit = side.sample.engine_args.get("max_model_len")
    if type(limit) is not int or limit < 1:
        return reader.context_length
    return min(limit, reader.context_length or limit)


def check_adapter_of(model: StudyModel, faults: Faults, *, transformers: bool) -> None:
    """Checks the folder of an adapter, and the package by which transformers takes it."""
    from rlvr_fast.adapted_models import check_peft
    from rlvr_fast.adapters import check_adapter, read_adapter

    if model.adapter is not None:
        with faults.kept():
            check_adapter(read_adapter(model.adapter), model.model, model.revision)
            if transformers:
                check_peft()


def no_causal_model(model: str) -> str:
    """The message on a model of a kind that transformers cannot load as a language model."""
    return (
        f"{model}: transformers has no causal language model of the kind that its config.json names"
    )

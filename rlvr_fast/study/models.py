"""The models of a study: names, revisions and adapters, and the runs that they draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rlvr_fast.options import Options, option
from rlvr_fast.safe_files import at_home
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.prompt_options import PromptOptions

__all__ = ["StudyModel", "StudySide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyModel(Options):
    """A model of a study; in a study file its name alone stands for a mapping of `model`.

    Attributes:
        model: a local folder, a .gguf file or a Hugging Face name.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: folder of a LoRA adapter that is put on the model.
        template: the prompt template of this model, in place of that of the study.
        prompt: options of the prompts of this model; those that are not given are the study's.
        engine_args: further arguments of the engine for this model, as the address of its server;
            they stand beside those of the study, or in their place.
        label: what the report calls the model, in place of its recorded name.
    """

    text_field: ClassVar[str] = "model"

    model: str = option(help="A local folder, a .gguf file or a hub name.")
    revision: str | None = option(None, help="Hub revision of the model.")
    adapter: str | None = option(None, help="Folder of a LoRA adapter that is put on the model.")
    template: str | None = option(
        None, help="Prompt template of this model, in place of the study's `template`."
    )
    prompt: PromptOptions | None = option(
        None, help="Options of this model's prompts; others are those of the study's `prompt`."
    )
    engine_args: Mapping[str, Any] = option(
        {}, help="Arguments of the engine for this model, beside the study's `engine_args`."
    )
    label: str | None = option(None, help="What the report calls the model.")

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        object.__setattr__(self, "model", at_home(self.model))
        if self.adapter is not None:
            object.__setattr__(self, "adapter", at_home(self.adapter))

    @property
    def weights(self) -> tuple[str, str | None]:
        """The model without its adapter."""
        return self.model, self.revision

    def sampling_of(self, options: SampleOptions) -> SampleOptions:
        """The options of sampling of a study as they hold for this model."""
        own: dict[str, Any] = {}
        if self.template is not None:
            own["template"] = self.template
        if self.prompt is not None:
            given = {name: getattr(self.prompt, name) for name in self.prompt.given}
            own["prompt"] = replace(options.prompt, **given)
        if self.engine_args:
            own["engine_args"] = {**options.engine_args, **self.engine_args}
        return replace(options, **own) if own else options


@dataclass(frozen=True, slots=True)
class StudySide:
    """One model of a study and its run.

    Attributes:
        name: "base", "rl", or the name of an arm.
        model: the model.
        path: the run directory.
        sample: the options of sampling, as they hold for this model.
        arm: whether it is a further model beside base and RL.
    """

    name: str
    model: StudyModel
    path: Path
    sample: SampleOptions
    arm: bool = False

    @property
    def loaded(self) -> tuple[str, str | None, str]:
        """What is loaded before adapters, and how: sides that agree in it share one engine."""
        # As text: the keys of a mapping of YAML may be of several types, which have no order.
        arguments = repr(sorted(self.sample.engine_arguments().items()))
        return *self.model.weights, arguments

    @property
    def shown(self) -> str:
        """The model as sentences about the study name it: its label, or its name and adapter."""
        model = self.model
        if model.label:
            return model.label
        return model.model if model.adapter is None else f"{model.model} with {model.adapter}"

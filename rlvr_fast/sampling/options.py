"""Options of sampling: one definition for Python, command line and study files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Options, option
from rlvr_fast.sampling.engines import describe_engines, engine_names
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.tasks.schemes import describe_schemes
from rlvr_fast.vocabulary import Device, Dtype

__all__ = ["SampleOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions(Options):
    """Options of `draw_run`: which problems, how many draws of each, by which engine.

    Attributes:
        tasks: task specs, each SPEC or NAME=SPEC; see `rlvr_fast.tasks.load_tasks`.
        samples: completions a problem, in all; those that a run holds already count.
        engine: name of the engine.
        engine_args: further arguments of the engine by name; see `load_engine`.
        device: where the engine runs.
        dtype: type of the model's weights.
        template: "auto", "plain", "chat" or a text file that holds {question}.
        prompt: system message, examples, prefill and what else stands around the question.
        logprobs: store the log-probability of each token drawn, as the engine gives it.
        sampling: temperature, top_p and the other `SamplingParameters`.
        sampling_from_model: takes the sampling parameters that were not given from the model's
            generation_config.json; see `generation_config.sampling_from_model`.

    Raises:
        InvalidInputError: a value of another type or out of range; device or dtype given twice; a
            model, revision or adapter among the arguments of the engine.
    """

    tasks: tuple[str, ...] = option(
        metavar="TASK",
        cli_name="task",
        help=lambda: f"Problems: {describe_schemes()}. NAME=TASK names the task.",
    )
    samples: int = option(minimum=1, maximum=1 << 24, help="Completions a problem, in all.")
    engine: str = option(
        "transformers",
        choices=engine_names,
        help=lambda: f"What draws completions: {describe_engines()}.",
    )
    engine_args: Mapping[str, Any] = option(
        {},
        metavar="NAME=VALUE",
        cli_name="engine_arg",
        help="A further argument of the engine; VALUE is read as in a study file (YAML).",
    )
    device: Device = option(
        "auto", help="Where to run; auto is a GPU where there is one, else the CPU."
    )
    dtype: Dtype = option(
        "auto", help="Type of the weights; auto is float32 on the CPU and bfloat16 on a GPU."
    )
    template: str = option(
        "auto",
        metavar="TEMPLATE",
        help="auto, plain, chat, or a text file that holds {question}.",
    )
    prompt: PromptOptions = field(default_factory=PromptOptions)
    logprobs: bool = option(
        False, help="Store the log-probability of each token drawn, as the engine gives it."
    )
    sampling: SamplingParameters = field(default_factory=SamplingParameters)
    sampling_from_model: bool = option(
        False,
        help="Take the sampling parameters that are not given from the model's "
        "generation_config.json.",
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        for name in ("model", "revision", "adapter", "adapters"):
            if name in self.engine_args:
                raise InvalidInputError(
                    f"{name} is no argument of an engine: the model, its revision and its adapter "
                    "have arguments of their own"
                )
        for name, value in (("device", self.device), ("dtype", self.dtype)):
            if value != "auto" and name in self.engine_args:
                raise InvalidInputError(f"{name} is given twice, also as an engine argument")

    def engine_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `load_engine`: device and dtype where they are given."""
        given = {"device": self.device, "dtype": self.dtype}
        return {
            **self.engine_args,
            **{name: value for name, value in given.items() if value != "auto"},
        }

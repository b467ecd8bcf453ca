"""Writes inspect.eval, inspect_chunked.eval and inspect.json: logs of inspect-ai.

The files were written by inspect-ai 0.3.285 with its mock model. Run again with:

    python write_inspect.py    # in an environment with inspect-ai
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log._recorders.chunked.convert import convert_eval_logs_to_chunked
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate

HERE = Path(__file__).parent
# Longer than 100 characters: inspect moves such texts to the attachments of the sample.
THOUGHT = "Two and two: count two fingers, then two more, and then read off the number. " * 3
CAREFUL = " Think about the question with care before you write the answer into a box." * 3


def outputs() -> Iterator[ModelOutput]:
    """One output for each sample of each epoch."""

    def output(answer: str, thought: str | None, reason: str = "stop") -> ModelOutput:
        content = (
            answer
            if thought is None
            else [ContentReasoning(reasoning=thought), ContentText(text=answer)]
        )
        words = answer.split()
        return ModelOutput(
            model="mockllm/model",
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(content=content, source="generate"),
                    stop_reason=reason,
                    logprobs=Logprobs(content=[Logprob(token=w, logprob=-0.5) for w in words]),
                )
            ],
            usage=ModelUsage(input_tokens=9, output_tokens=9, total_tokens=18),
        )

    yield output("The answer is \\boxed{4}", THOUGHT)
    yield output("It is \\boxed{", "6*7 is", "max_tokens")
    yield output("I give \\boxed{9}", None)
    yield output("\\boxed{5}", None)
    yield output("The answer is \\boxed{42}", "6*7=42")
    yield output("\\boxed{9}", THOUGHT)


def main() -> None:
    """Writes the logs beside this file."""
    samples = [
        Sample(id=1, input="What is 2+2?", target="4"),
        Sample(id="mul", input="What is 6*7?", target=["42", "forty-two"]),
        Sample(id=3, input="What is 3*3?" + CAREFUL, target="9"),
    ]
    config = GenerateConfig(temperature=0.6, top_p=0.95, max_tokens=512, seed=7)
    for suffix in ("eval", "json"):
        with tempfile.TemporaryDirectory() as folder:
            eval(
                Task(
                    # The .json log has the events too: one problem keeps it small.
                    dataset=samples if suffix == "eval" else samples[:1],
                    solver=generate(),
                    scorer=[includes(), match()],
                    epochs=2,
                    config=config,
                    name="arithmetic",
                ),
                model=get_model("mockllm/model", custom_outputs=outputs()),
                log_dir=folder,
                log_format=suffix,
                display="none",
                max_samples=1,
            )
            (log,) = Path(folder).glob(f"*.{suffix}")
            shutil.copy(log, HERE / f"inspect.{suffix}")
            if suffix == "eval":
                convert_eval_logs_to_chunked(str(log), f"{folder}/chunked")
                (log,) = Path(folder, "chunked").glob("*.eval")
                shutil.copy(log, HERE / "inspect_chunked.eval")


if __name__ == "__main__":
    main()

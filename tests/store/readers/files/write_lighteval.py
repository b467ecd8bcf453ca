"""Writes lighteval/: details and results of lighteval, as `--save-details` writes them.

The files were written by lighteval 0.13.0. Run again with:

    python write_lighteval.py    # in an environment with lighteval
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.logging.info_loggers import DetailsLogger
from lighteval.models.dummy.dummy_model import DummyModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc, SamplingMethod

HERE = Path(__file__).parent
PROMPT = "Solve the problem. Put the answer in a box.\n\n"


def detail(
    task: str, number: int, question: str, answer: str, texts: list[str], thoughts: list[str | None]
) -> DetailsLogger.Detail:
    """One problem with its completions, as a pipeline logs it."""
    return DetailsLogger.Detail(
        doc=Doc(
            query=PROMPT + question,
            choices=["0", f"so it is \\boxed{{{answer}}}"],
            gold_index=1,
            id=str(number),
            task_name=task,
            specific={"answer": answer},
            sampling_methods=[SamplingMethod.GENERATIVE],
            generation_size=512,
            stop_sequences=["</s>"],
            num_samples=len(texts),
        ),
        model_response=ModelResponse(
            input=[{"role": "user", "content": PROMPT + question}],
            input_tokens=[1, 2, 3],
            text=texts,
            output_tokens=[[10 + number, len(text)] for text in texts],
            reasonings=thoughts,
        ),
        metric={"pass@k:k=1": 1.0 if number == 0 else 0.5},
    )


def main() -> None:
    """Writes the details of two tasks and the results."""
    with tempfile.TemporaryDirectory() as folder:
        tracker = EvaluationTracker(output_dir=folder, save_details=True)
        tracker.general_config_logger.log_model_info(
            DummyModelConfig(
                model_name="org/scripted-7b",
                seed=42,
                generation_parameters=GenerationParameters(
                    temperature=0.6, top_p=0.95, max_new_tokens=512
                ),
            )
        )
        tracker.details_logger.details["words|0"] = [
            detail(
                "words|0",
                0,
                "What is 2+2?",
                "4",
                ["\\boxed{4}", "\\boxed{4}", "5"],
                ["2+2", None, "?"],
            ),
            detail(
                "words|0", 1, "What is 6*7?", "42", ["\\boxed{42}", "a", ""], [None, None, None]
            ),
        ]
        tracker.details_logger.details["one|0"] = [
            detail("one|0", 0, "What is 3*3?", "9", ["\\boxed{9}"], [None]),
            detail("one|0", 1, "What is 3*4?", "12", ["\\boxed{12}"], [None]),
        ]
        tracker.save()
        shutil.rmtree(HERE / "lighteval", ignore_errors=True)
        shutil.copytree(folder, HERE / "lighteval")


if __name__ == "__main__":
    main()

"""Writes lm_eval/: samples and results of lm-evaluation-harness, as `--log_samples` writes them.

The files were written by lm_eval 0.4.13. Run again with:

    python write_lm_eval.py    # in an environment with lm_eval
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.loggers import EvaluationTracker

HERE = Path(__file__).parent
DOCS = [
    {"question": "What is 2+2?", "answer": "2+2=4\n#### 4"},
    {"question": "What is 6*7?", "answer": "6*7=42\n#### 42"},
    {"question": "What is 3*3?", "answer": "3*3=9\n#### 9"},
]


@register_model("scripted")
class Scripted(LM):
    """A model that counts its calls; every third answer is wrong."""

    def __init__(self, pretrained: str = "", **kwargs: Any) -> None:
        """Takes the arguments of a real model."""
        super().__init__()
        self.calls = 0

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """An answer in words to the last question of each request."""
        answers = []
        for request in requests:
            self.calls += 1
            gold = request.doc["answer"].split("#### ")[-1]
            if self.calls % 3 == 0:
                answers.append("I think that it is 7.")
            elif self.calls % 3 == 1:
                answers.append(f"Step by step.\n#### {gold}")
            else:
                answers.append(f"The answer is {gold}.")
        return answers

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        """One log-likelihood for each choice."""
        return [(-float(len(request.args[1])), False) for request in requests]

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
        """The chat list as JSON, as models behind an API take it."""
        return json.dumps(chat_history)

    tokenizer_name = "scripted"


def task(name: str, data: Path, **more: Any) -> dict[str, Any]:
    """The configuration of a task like gsm8k, with its two filters."""

    def filters(pattern: str) -> list[dict[str, Any]]:
        take = [{"function": "take_first"}]
        return [{"function": "regex", "regex_pattern": pattern, "group_select": -1}, *take]

    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data), "train": str(data)}},
        "test_split": "test",
        "fewshot_split": "train",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "until": ["Question:", "</s>"],
            "do_sample": True,
            "temperature": 0.6,
            "max_gen_toks": 256,
        },
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "ignore_case": True,
                "regexes_to_ignore": [",", r"\$", r"(?s).*#### ", r"\.$"],
            }
        ],
        "filter_list": [
            {"name": "strict-match", "filter": filters(r"#### (\-?[0-9\.\,]+)")},
            {"name": "flexible-extract", "filter": filters(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")},
        ],
        **more,
    }


def main() -> None:
    """Writes three samples files and a results file beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.jsonl")
        data.write_text("".join(json.dumps(doc) + "\n" for doc in DOCS))
        tracker = EvaluationTracker(output_path=str(Path(folder, "out")))
        results = lm_eval.simple_evaluate(
            model="scripted",
            model_args="pretrained=org/scripted-7b,revision=main",
            tasks=[
                task("words", data, num_fewshot=1),
                task("words_repeated", data, repeats=4),
                task(
                    "words_choices",
                    data,
                    output_type="multiple_choice",
                    doc_to_choice=["4", "42", "9"],
                    doc_to_target="{{['4', '42', '9'].index(answer.split('#### ')[-1])}}",
                    generation_kwargs=None,
                    filter_list=None,
                    metric_list=[{"metric": "acc"}],
                ),
            ],
            log_samples=True,
            apply_chat_template=True,
            system_instruction="Answer in one sentence.",
            evaluation_tracker=tracker,
            fewshot_as_multiturn=True,
            bootstrap_iters=0,
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        for name in results["configs"]:
            tracker.save_results_samples(task_name=name, samples=samples[name])
        (written,) = Path(folder, "out").iterdir()
        shutil.rmtree(HERE / "lm_eval", ignore_errors=True)
        shutil.copytree(written, HERE / "lm_eval" / written.name)


if __name__ == "__main__":
    main()

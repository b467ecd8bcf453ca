"""Other projects' graders of answers, each in a process of an environment that has its package.

    python graders.py --list     the names, each with what is missing
    python graders.py NAME       reads cases as JSON lines, writes an outcome for each

The environment needs math-verify, lm-eval, verl, evalscope, lighteval and inspect-ai (the last four
may be installed without their dependencies) and antlr4-python3-runtime 4.11, for which lm-eval
asks. A grader gets a whole completion where its users give it one, with the answer in a box or
after "The final answer is" as its prompt asks; else the answer alone. An outcome is a verdict; for
a case of extraction the text that was expected, where the grader accepts the completion for it or
finds no answer as it should, else "other"; null where the case is not the grader's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import logging
import os
import re
import resource
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

MEMORY = 6 << 30

Grade = Callable[[str, str], bool]  # (gold, completion or answer) -> correct
Found = Callable[[str], object]  # completion -> what was extracted; falsy where nothing was


def boxed(answer: str) -> str:
    return rf"So the final answer is $\boxed{{{answer}}}$."


def worded(answer: str) -> str:
    return f"Final Answer: The final answer is ${answer}$. I hope it is correct."


def hashed(answer: str) -> str:
    return f"#### {answer}"


def stated(answer: str) -> str:
    return f"The answer is {answer}"


def alone(answer: str) -> str:
    return answer


@dataclass(frozen=True)
class Grader:
    name: str
    modules: tuple[str, ...]
    load: Callable[[], tuple[Grade, Found | None]]
    write: Callable[[str], str] = boxed


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _math_verify() -> tuple[Grade, Found | None]:
    library = _module("math_verify")

    def grade(gold: str, text: str) -> bool:
        return bool(library.verify(library.parse(rf"\boxed{{{gold}}}"), library.parse(text)))

    return grade, library.parse


def _lighteval() -> tuple[Grade, Found | None]:
    metric = _module("lighteval.metrics.metrics").Metrics.expr_gold_metric.value.sample_level_fn
    latex = _module("lighteval.metrics.utils.extractive_match_utils").LatexExtractionConfig
    metric.gold_extraction_target = (latex(), *metric.gold_extraction_target)

    def grade(gold: str, text: str) -> bool:
        doc = SimpleNamespace(get_golds=lambda: [rf"${gold}$"], specific=None, choices=[gold])
        return bool(metric.compute(doc=doc, model_response=SimpleNamespace(final_text=[text])))

    return grade, None


def _hendrycks() -> tuple[Grade, Found | None]:
    utils = _module("lm_eval.tasks.hendrycks_math.utils")

    def grade(gold: str, text: str) -> bool:
        doc = {"solution": rf"\boxed{{{gold}}}"}
        return bool(utils.process_results(doc, [text])["exact_match"])

    return grade, None


def _minerva() -> tuple[Grade, Found | None]:
    utils = _module("lm_eval.tasks.minerva_math.utils")

    def found(text: str) -> str:
        answer = utils.get_unnormalized_answer(text)
        return "" if answer == "[invalidanswer]" else str(answer)

    def grade(gold: str, text: str) -> bool:
        answer = utils.normalize_final_answer(found(text))
        return bool(utils.is_equiv(answer, utils.normalize_final_answer(gold)))

    return grade, found


def _gsm8k(pattern: str, last: bool) -> Callable[[], tuple[Grade, Found | None]]:
    """The filter of lm-eval's gsm8k.yaml, then its exact match."""

    def load() -> tuple[Grade, Found | None]:
        regex = _module("lm_eval.filters.extraction").RegexFilter(
            regex_pattern=pattern, group_select=-1 if last else 0
        )
        exact = _module("lm_eval.api.metrics").exact_match_hf_evaluate

        def found(text: str) -> str:
            answer = str(regex.apply([[text]], [{}])[0][0])
            return "" if answer == "[invalid]" else answer

        def grade(gold: str, text: str) -> bool:
            score = exact(
                predictions=[found(text)],
                references=[gold],
                regexes_to_ignore=[",", "\\$", "(?s).*#### ", "\\.$"],
                ignore_case=True,
            )
            return float(score["exact_match"]) == 1.0

        return grade, found

    return load


def _score_math() -> tuple[Grade, Found | None]:
    grader = _module("lm_eval.tasks.score.math.math_grader")

    def grade(gold: str, text: str) -> bool:
        return bool(grader.math_equal(grader.extract_answer(text), gold, timeout=True))

    return grade, grader.extract_answer


def _verl(module: str) -> Any:
    """A module of verl's rewards, without an import of verl, which needs Ray and Hydra."""
    for name in ("verl", "verl.utils"):
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)  # does not run __init__
    return _module(f"verl.utils.reward_score.{module}")


def _verl_reward() -> tuple[Grade, Found | None]:
    reward = _verl("math_reward")
    return (
        lambda gold, text: reward.compute_score(text, gold) == 1.0,
        reward.last_boxed_only_string,
    )


def _verl_dapo() -> tuple[Grade, Found | None]:
    dapo = _verl("math_dapo")
    return lambda gold, text: bool(dapo.compute_score(text, gold)["acc"]), None


def _verl_prime() -> tuple[Grade, Found | None]:
    prime = _verl("prime_math")

    def found(text: str) -> str:
        matched, answer = prime.match_answer(text)
        return str(answer) if matched else ""

    return lambda gold, text: bool(prime.compute_score(text, gold)[0]), found


def _verl_gsm8k() -> tuple[Grade, Found | None]:
    gsm8k = _verl("gsm8k")
    return (
        lambda gold, text: gsm8k.compute_score(text, gold) == 1.0,
        gsm8k.extract_solution,
    )


def _evalscope() -> tuple[Grade, Found | None]:
    parser = _module("evalscope.metrics.math.parser")

    def grade(gold: str, text: str) -> bool:
        return bool(
            parser.math_equal(parser.extract_answer(text), parser.strip_answer_string(gold))
        )

    return grade, parser.extract_answer


def _inspect() -> tuple[Grade, Found | None]:
    scorer = _module("inspect_ai.scorer")
    score = scorer.math()
    loop = asyncio.new_event_loop()

    def grade(gold: str, text: str) -> bool:
        state = SimpleNamespace(output=SimpleNamespace(completion=text))
        return bool(loop.run_until_complete(score(state, scorer.Target(gold))).value == "C")

    return grade, None


def _prm800k(package: str) -> Callable[[], tuple[Grade, Found | None]]:
    def load() -> tuple[Grade, Found | None]:
        prime = _verl(package)
        return lambda gold, answer: bool(prime.grade_answer(answer, gold)), None

    return load


GRADERS = (
    Grader("Math-Verify", ("math_verify",), _math_verify),
    Grader("lighteval expr_gold_metric", ("lighteval", "aenum"), _lighteval),
    Grader("Inspect math()", ("inspect_ai",), _inspect),
    Grader("EvalScope math_equal", ("evalscope",), _evalscope),
    Grader("lm-eval minerva_math", ("lm_eval", "antlr4"), _minerva, worded),
    Grader("lm-eval hendrycks_math (string rules)", ("lm_eval",), _hendrycks, worded),
    Grader("lm-eval score (math_grader)", ("lm_eval",), _score_math),
    Grader("lm-eval gsm8k strict", ("lm_eval",),
           _gsm8k(r"#### (\-?[0-9\.\,]+)", last=False), hashed),
    Grader("lm-eval gsm8k flexible", ("lm_eval",),
           _gsm8k("(-?[$0-9.,]{2,})|(-?[0-9]+)", last=True), stated),
    Grader("verl math_reward (string rules)", ("verl",), _verl_reward),
    Grader("verl math_dapo", ("verl",), _verl_dapo, lambda answer: f"Answer: {answer}"),
    Grader("verl prime_math", ("verl", "pylatexenc"), _verl_prime),
    Grader("PRM800K grade_answer (in verl)", ("verl", "pylatexenc"), _prm800k("prime_math"), alone),
    Grader("verl gsm8k", ("verl",), _verl_gsm8k, hashed),
)  # fmt: skip


def outcome(grader: Grader, grade: Grade, found: Found | None, case: dict[str, Any]) -> str | None:
    if case["op"] == "verify":
        text = case.get("text") or grader.write(case["answer"])
        return "correct" if grade(case["gold"], text) else "incorrect"
    if case["op"] != "extract" or grader.write is alone or case["policy"] == "code_block":
        return None
    if case["expected"].startswith("status:"):
        if found is None:
            return None
        return "other" if found(case["text"]) else str(case["expected"])
    return str(case["expected"]) if grade(case["expected"], case["text"]) else "other"


def absent(grader: Grader) -> str:
    """What keeps a grader from its work; empty where nothing does."""
    for name in grader.modules:
        if importlib.util.find_spec(name) is None:
            return f"no module {name}"
    try:
        grade, _ = grader.load()
        grade("5", grader.write("5"))
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return ""


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    if sys.argv[1] == "--list":
        for grader in GRADERS:
            with contextlib.redirect_stdout(sys.stderr):
                missing = absent(grader)
            print(f"{grader.name}\t{missing}")
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a grader prints
    (grader,) = (one for one in GRADERS if one.name == sys.argv[1])
    grade, found = grader.load()
    grade("5", grader.write("5"))
    out.write('"started"\n')
    for line in sys.stdin:
        try:
            answered = outcome(grader, grade, found, json.loads(line))
        except Exception as error:
            answered = "timeout" if re.search("time", type(error).__name__, re.I) else "error"
        out.write(json.dumps(answered) + "\n")


if __name__ == "__main__":
    main()

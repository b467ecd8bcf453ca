"""Output of Qwen2.5-Math's evaluation, and of limit-of-RLVR and other forks of it.

Source: QwenLM/Qwen2.5-Math, evaluation/math_eval.py; LeapLabTHU/limit-of-RLVR,
math/examples/math_eval/math_eval.py and math/pass@k.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlvr_fast.store.readers.harness_values import path_parts
from rlvr_fast.store.readers.reader import About, Reader, Sample, SourceFile

__all__ = ["READER"]

# test_qwen-boxed_-1_seed1_t0.6_s0_e-1.jsonl
_NAME = re.compile(r"(.*_seed(-?\d+)_t(\d*\.?\d+))_s(-?\d+)_e(-?\d+)\.jsonl(?:\..*)?")
# Qwen2.5-7B_aime24_temp0.6_n512_seed1
_RUN = re.compile(r"(.+)_temp(\d*\.?\d+)(?:_.*?)?_n(\d+)_seed(\d+)")
_TOP_P = re.compile(r"top_?p_?(\d*\.?\d+)")
_BENCHMARKS = frozenset(
    [
        "aime24", "aime25", "amc23", "aqua", "asdiv", "carp_en", "cmath", "cn_middle_school",
        "college_math", "gaokao2023en", "gaokao2024_I", "gaokao2024_II", "gaokao2024_mix",
        "gaokao_math_cloze", "gaokao_math_qa", "gsm8k", "math", "math500", "math_500", "mawps",
        "minerva_math", "mmlu_stem", "olympiadbench", "sat_math", "svamp", "tabmwp",
    ]
)  # fmt: skip


def _matches(sample: Sample) -> bool:
    return (
        {"code", "pred"} <= sample.keys
        and bool({"gt", "gt_cot"} & sample.keys)
        and bool({"score", "report"} & sample.keys)
    )


def _about(sample: Sample) -> About:
    about = About()
    parts = path_parts(sample.file)
    name = _NAME.fullmatch(sample.file.file_name)
    run = next((match for part in reversed(parts) if (match := _RUN.fullmatch(part))), None)
    if name:
        about.roles["seed"] = int(name[2])
        about.sampling["temperature"] = float(name[3])
    elif run:
        about.roles["seed"] = int(run[4])
        about.sampling["temperature"] = float(run[2])
    for part in reversed(parts):
        if top_p := _TOP_P.search(part):
            about.sampling["top_p"] = float(top_p[1])
            break
    benchmark = parts[-2] if len(parts) > 1 else ""
    of_run = run is not None and run[1].endswith(f"_{benchmark}")
    if name and benchmark and (of_run or benchmark in _BENCHMARKS):
        # Numbers of problems are unique within a benchmark.
        about.roles["task"] = benchmark
    if run is not None:
        about.model = run[1].removesuffix(f"_{benchmark}") if of_run else run[1]
    elif "math_eval" in parts[:-1]:
        at = parts.index("math_eval")
        about.model = parts[at - 1] if at else None
    return about


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Without the parts of a data set that a file of the whole data set holds again."""
    named = [(file, _NAME.fullmatch(file.file_name)) for file in files]
    whole = {
        (*path_parts(file)[:-1], match[1])
        for file, match in named
        if match is not None and (match[4], match[5]) == ("0", "-1")
    }
    return [
        file
        for file, match in named
        if match is None
        or (match[4], match[5]) == ("0", "-1")
        or (*path_parts(file)[:-1], match[1]) not in whole
    ]


READER = Reader(
    name="qwen-math",
    help="limit-of-RLVR and Qwen2.5-Math: BENCHMARK/test_*_seed*_t*_s0_e-1.jsonl, all seeds",
    matches=_matches,
    fields={
        "question": ("question", "problem"),
        "completion": "code",
        "problem_id": "idx",
        "gold": ("gt", "answer"),
        "finish_reason": "finish_reason",
        "verdict": "score",
        "system": "system",
    },
    about=_about,
    choose=_choose,
    verdict="verdict",
)

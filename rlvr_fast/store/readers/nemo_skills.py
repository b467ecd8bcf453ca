"""Output of NeMo-Skills: `output.jsonl`, `output-rs{seed}.jsonl`.

Source: NVIDIA-NeMo/Skills, nemo_skills/inference/generate.py and nemo_skills/evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlvr_fast.store.readers.harness_values import path_parts
from rlvr_fast.store.readers.reader import About, Reader, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(r"output(?:-rs(\d+))?(?:_chunk_(\d+))?\.jsonl(-async)?(?:\.(?:gz|zst|bz2|xz))?")
# Fields that the tool itself adds to a row; `generation` alone is an ordinary name.
_OWN = frozenset(
    [
        "num_generated_tokens", "generation_start_time", "generation_time", "_full_generation",
        "_generation_finished_thinking", "symbolic_correct", "predicted_answer", "judgement",
        "_async_position", "serialized_output", "graded_list", "is_correct-plus",
    ]
)  # fmt: skip


def _matches(sample: Sample) -> bool:
    if "generation" not in sample.keys or not isinstance(sample.first("generation"), str):
        return False
    return bool(_OWN & sample.keys) or bool(_NAME.fullmatch(sample.file.file_name))


def _about(sample: Sample) -> About:
    about = About()
    parts = path_parts(sample.file)
    match = _NAME.fullmatch(sample.file.file_name)
    if match and match[1]:
        # Each seed has a file with one draw of each problem.
        about.roles["sample_index"] = int(match[1])
        about.roles["seed"] = int(match[1])
    if len(parts) > 2 and parts[-3] == "eval-results":
        about.roles["task"] = parts[-2]
    return about


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Without unfinished files, chunks that were merged, and greedy output beside seeds."""
    named = [(file, _NAME.fullmatch(file.file_name)) for file in files]
    finished = [pair for pair in named if pair[1] is None or not pair[1][3]]
    named = finished or named
    whole = {
        (_folder(file), match[1]) for file, match in named if match is not None and not match[2]
    }
    seeded = {_folder(file) for file, match in named if match is not None and match[1]}
    chosen = []
    for file, match in named:
        if match is not None:
            if match[2] and (_folder(file), match[1]) in whole:
                continue
            if match[1] is None and _folder(file) in seeded:
                continue
        chosen.append(file)
    return chosen


def _folder(file: SourceFile) -> tuple[str, ...]:
    return tuple(path_parts(file)[:-1])


READER = Reader(
    name="nemo-skills",
    help="NeMo-Skills: output-rs*.jsonl or output.jsonl of `ns generate` and `ns eval`",
    matches=_matches,
    fields={
        "question": ("problem", "question", "prompt", "input"),
        # With ++parse_reasoning the whole text moves here; `generation` keeps the answer.
        "completion": ("_full_generation", "generation"),
        "reasoning": "reasoning_content",
        "problem_id": ("id", "task_id", "problem_id", "question_id"),
        "gold": ("expected_answer", "answer"),
        "finish_reason": "finish_reason",
        "verdict": (
            "symbolic_correct", "is_correct-plus", "is_correct", "graded_list[0]", "judgement",
        ),
    },
    about=_about,
    choose=_choose,
    verdict="verdict",
)  # fmt: skip

"""OpenR1-Math and the generations of open-r1's generate_reasoning.py."""

from __future__ import annotations

from rlvr_fast.store.readers.reader import Reader, Sample

__all__ = ["READER"]

_BESIDE = {"correctness_math_verify", "correctness_llama", "correctness_count", "api_metadata"}


def _matches(sample: Sample) -> bool:
    return isinstance(sample.first("generations"), list) and bool(_BESIDE & sample.keys)


READER = Reader(
    name="openr1",
    help="OpenR1-Math, open-r1 generate_reasoning: generations with correctness and finish_reasons",
    matches=_matches,
    fields={
        "question": ("problem", "question", "prompt"),
        "completion": "generations",
        "gold": ("answer", "expected_answer", "final_answer", "solution"),
        "problem_id": ("problem_id", "uuid"),
        "finish_reason": "finish_reasons",
        # Either list is null in some rows.
        "verdict": ("correctness_math_verify", "correctness_llama"),
    },
)

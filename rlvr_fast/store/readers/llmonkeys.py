"""Samples of Large Language Monkeys: one YAML file a problem, or a table of problems.

Source: ScalingIntelligence/large_language_monkeys, llmonk/generate and llmonk/evaluate.
"""

from __future__ import annotations

from rlvr_fast.store.readers.reader import About, Reader, Sample

__all__ = ["READER"]

_OWN = frozenset(
    ["is_corrects", "is_correct", "gt_answer", "test_cases", "theorem_name", "orig_dset_idx"]
)


def _matches(sample: Sample) -> bool:
    return (
        isinstance(sample.first("samples"), list)
        and bool({"question", "prompt"} & sample.keys)
        and bool(_OWN & sample.keys)
    )


def _about(sample: Sample) -> About:
    about = About()
    if sample.kind == "yaml" and not {"id", "orig_dset_idx"} & sample.keys:
        # The file of a problem has its number as name.
        name = sample.file.file_name
        for suffix in (".gz", ".zst", ".bz2", ".xz", ".yaml", ".yml"):
            name = name.removesuffix(suffix)
        about.roles["problem_id"] = name
    return about


READER = Reader(
    name="large-language-monkeys",
    help="Large Language Monkeys: a folder of ID.yaml, or a table of the published samples",
    matches=_matches,
    fields={
        "question": ("question", "prompt"),
        "completion": "samples",
        "problem_id": ("orig_dset_idx", "id"),
        "gold": "gt_answer",
        "verdict": ("is_corrects", "is_correct"),
    },
    about=_about,
    verdict="verdict",
)

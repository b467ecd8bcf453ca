"""LiveCodeBench: generations, their evaluation, and the input of its custom evaluator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlvr_fast.store.readers.code_text import BARE_CODE_NOTE
from rlvr_fast.store.readers.reader import About, Reader, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(r"Scenario\.\w+?_(?P<n>\d+)_(?P<t>\d+(?:\.\d+)?)(?:_eval(?:_all)?)?\.json")
_EVALUATED = re.compile(r"_eval(?:_all)?\.json")


def _matches(sample: Sample) -> bool:
    return "question_id" in sample.keys and (
        isinstance(sample.first("code_list"), list)
        or ("question_content" in sample.keys and isinstance(sample.first("output_list"), list))
    )


def _about(sample: Sample) -> About:
    notes = [BARE_CODE_NOTE]
    if "question_content" not in sample.keys:
        notes.append("the file has no questions: --problems code:FILE gives them, by question_id")
    about = About(notes=notes)
    named = _NAME.fullmatch(sample.file.file_name)
    if named is not None:
        about.sampling["temperature"] = float(named["t"])
        folders = re.split(r"[/\\]", sample.file.member) if sample.file.member else None
        if folders is None and sample.file.path is not None:
            folders = list(sample.file.path.parts)
        if folders is not None and len(folders) > 1:
            about.model = folders[-2]
    return about


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """`X_eval_all.json` holds the draws of `X.json` again, with verdicts."""
    stems = [_EVALUATED.sub(".json", file.name) for file in files]
    graded = {
        stem for file, stem in zip(files, stems, strict=True) if "_eval_all.json" in file.name
    }
    return [
        file
        for file, stem in zip(files, stems, strict=True)
        if stem not in graded or "_eval_all.json" in file.name
    ]


READER = Reader(
    name="livecodebench",
    help="LiveCodeBench: Scenario.codegeneration_N_T.json, _eval_all.json, custom evaluator input",
    matches=_matches,
    fields={
        "completion": ("output_list", "code_list"),
        "problem_id": "question_id",
        "question": "question_content",
        "verdict": "graded_list",
    },
    about=_about,
    choose=_choose,
    verdict="verdict",
)

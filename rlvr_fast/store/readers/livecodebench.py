"""LiveCodeBench: generations, their evaluation, and the input of its custom evaluator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.code_text import fenced
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(r"Scenario\.\w+?_(?P<n>\d+)_(?P<t>\d+(?:\.\d+)?)(?:_eval(?:_all)?)?\.json")
_EVALUATED = re.compile(r"_eval(?:_all)?\.json")


def _matches(sample: Sample) -> bool:
    return "question_id" in sample.keys and (
        isinstance(sample.first("code_list"), list)
        or ("question_content" in sample.keys and isinstance(sample.first("output_list"), list))
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    codes, outputs, graded = (
        value if isinstance(value := row.get(key), list) else []
        for key in ("code_list", "output_list", "graded_list")
    )
    problem: dict[str, Any] = {"problem_id": row.get("question_id")}
    if isinstance(row.get("question_content"), str):
        problem["question"] = row["question_content"]
    for index in range(max(len(codes), len(outputs))):
        rollout = {**problem, "completion": _completion(codes, outputs, index)}
        if graded:
            rollout["verdict"] = graded[index] if index < len(graded) else None
        yield rollout


def _completion(codes: list[Any], outputs: list[Any], index: int) -> Any:
    """The whole output; the code itself where the output is no more than that, or is missing."""
    output = outputs[index] if index < len(outputs) else None
    code = codes[index] if index < len(codes) else None
    if isinstance(output, list):  # one text in a list, in older files
        output = output[0] if output else None
    if isinstance(output, str) and not (isinstance(code, str) and output.strip() == code.strip()):
        return output
    text = code if output is None else output
    return fenced(text) if isinstance(text, str) else text


def _about(sample: Sample) -> About:
    notes = ["code without a fence is stored inside one, where the policy code_block finds it"]
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
    rows=_rows,
    about=_about,
    choose=_choose,
    verdict="verdict",
)

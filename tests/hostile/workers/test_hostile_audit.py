"""Grades that are not those of the answers beside them, handed to an audit."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from rlvr_fast.answers import audit_run
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.store import Run


@pytest.mark.parametrize(
    ("column", "value"), [("answer_id", 99), ("answer_id", -1), ("problem_id", "another/0")]
)
def test_grades_of_another_run_are_an_error(tmp_path, column, value):
    run = Run.create(
        tmp_path / "run",
        model={"name": "by hand", "revision": "1"},
        engine={"name": "hand", "version": "1", "notes": []},
        sampling={"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": "sums", "spec": "math:sums.jsonl"}],
        problems=pa.Table.from_pylist(
            [
                {
                    "problem_id": "sums/0", "task": "sums", "prompt": "?",
                    "prompt_token_ids": [1], "gold": "2", "metadata": json.dumps({"index": 0}),
                }
            ]
        ),
    )  # fmt: skip
    row = {
        "problem_id": "sums/0", "answer_id": 0, "canonical": "2", "count": 1,
        "verdict": "correct", "grader": "canonical",
    }  # fmt: skip
    answer = {
        "problem_id": "sums/0", "sample_index": 0, "answer": "2", "status": "found", "answer_id": 0,
    }  # fmt: skip
    run.append("answers", pa.Table.from_pylist([answer]))
    run.write_table("grades.parquet", pa.Table.from_pylist([{**row, column: value}]))
    with pytest.raises(RunDirectoryError, match=r"grades\.parquet: expected verdicts on answers"):
        audit_run(run, 10, workers=1)

"""The completions that the page shows."""

from __future__ import annotations

from recount import rows_of

from rlvr_fast.report import Report
from rlvr_fast.report.sections.answers import SECTION as ANSWERS
from rlvr_fast.report.sections.examples import collect_examples
from rlvr_fast.store import Run


def test_examples_are_real_completions(pair: tuple[Run, Run], built: Report) -> None:
    comparison = built.comparison
    examples = collect_examples(comparison, built.measured(ANSWERS), "shrunk")
    assert examples
    texts = {(r["problem_id"], r["sample_index"]): r["text"] for r in rows_of(pair[0], "samples")}
    for e in examples:
        assert e.text == texts[comparison.problems.ids[e.problem], e.sample_index]
        assert e.answer in e.text
        assert comparison.rl.num_correct[e.problem] == 0

"""Perplexities, and completions under the other model, against the scores."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from planted_runs import write_pair
from planted_scores import planted, rescore
from recount import rows_of

from rlvr_fast.report import Report, build_report, compare_runs
from rlvr_fast.report.facts import percent
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.completions import SECTION as COMPLETIONS
from rlvr_fast.report.sections.completions import completion_sentence
from rlvr_fast.store import Run, seal


def test_perplexity_and_completions_match_the_scores(pair: tuple[Run, Run], built: Report) -> None:
    rl = pair[1]
    verdict = {
        (g["problem_id"], g["answer_id"]): g["verdict"]
        for g in pq.read_table(rl.path / "grades.parquet").to_pylist()
    }
    right = {
        (r["problem_id"], r["sample_index"])
        for r in rows_of(rl, "answers")
        if verdict[r["problem_id"], r["answer_id"]] == "correct"
    }
    scored = [
        r for r in rows_of(rl, "scores/base") if (r["problem_id"], r["sample_index"]) in right
    ]
    cell = next(
        r
        for r in built.tables["perplexity"].rows
        if (r["completions"], r["scored_by"], r["subset"]) == ("rl", "base", "correct")
    )
    assert cell["number"] == len(scored)
    assert cell["median"] == pytest.approx(
        np.median([math.exp(-r["logprob"] / r["num_tokens"]) for r in scored])
    )
    support = built.measured(COMPLETIONS)[0]
    assert (support.completions, support.other) == ("rl", "base")
    assert support.outside == pytest.approx(np.mean([r["num_outside_nucleus"] > 0 for r in scored]))
    own = {(r["problem_id"], r["sample_index"]): r["logprob"] for r in rows_of(rl, "scores/rl")}
    differences = [r["logprob"] - own[r["problem_id"], r["sample_index"]] for r in scored]
    assert support.log_ratio[1] == pytest.approx(np.median(differences))


def test_no_nucleus_claim_from_scores_at_another_temperature(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks={"logic": 1}, samples=16, seed=3)
    before, _ = build_report(compare_runs(base, rl)).measured(COMPLETIONS)
    assert before.outside > 0
    scores = rl.read_json("scores/base/scores.json")
    rl.write_json("scores/base/scores.json", {**scores, "temperature": 1.0})
    seal(rl)
    report = build_report(compare_runs(base, rl))
    after, _ = report.measured(COMPLETIONS)
    assert math.isnan(after.outside)
    assert after.log_ratio == before.log_ratio
    assert report.summary()["completions"][0]["outside"] is None


def test_scores_as_sampled_are_a_level_and_not_other_models(tmp_path: Path) -> None:
    """As a study leaves them: temperature 1 under "base", as drawn under "base-sampling"."""
    base, rl = planted(tmp_path)
    for run in (base, rl):
        rescore(run, {"base": "base", "rl": "rl"}, temperature=1.0, top_p=None)
        labels = {"base-sampling": "base", "rl-sampling": "rl"}
        rescore(run, labels, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    report = build_report(comparison)
    support, at_one, *_ = report.measured(COMPLETIONS)
    assert (support.temperature, support.top_p) == (0.6, 0.95)
    assert (at_one.distribution, at_one.temperature) == ("temperature 1", 1.0)
    assert math.isnan(at_one.outside)
    scores = comparison.rl.scores["base-sampling"]
    flags = scores.outside_nucleus[scores.correct] > 0
    assert support.outside == pytest.approx(flags.mean())
    assert 0 < support.outside < 1
    own = comparison.rl.scores["rl-sampling"].logprob[scores.correct]
    difference = scores.logprob[scores.correct] - own
    assert support.log_ratio[1] == pytest.approx(np.median(difference[np.isfinite(difference)]))

    page = render_page(report)
    assert {row["scored_by"] for row in report.tables["perplexity"].rows} == {"base", "rl"}
    assert {row["model"] for row in report.tables["entropy"].rows} == {"base", "rl"}
    assert "at temperature 1.0" in page
    assert "-sampling" not in page
    section = re.search(r'(?s)<section id="completions">.*?</section>', page)
    assert section
    assert f">{support.outside:.3f}</td>" in section[0]
    assert (
        f"{percent(support.outside)} of RL’s {support.number:,} correct completions" in section[0]
    )
    assert support.log_ratio[1] == pytest.approx(-0.1335, abs=1e-3)
    times = "about 1.1 times less likely from base"
    assert f"completion of RL is typically {times}" in section[0]
    assert f">{support.problems_outside}</td>" in section[0]


def test_typical_ratios_have_two_digits() -> None:
    row = {"completions": "base", "problems_outside": None, "log_ratio": -11.51}
    row["distribution"] = "temperature 1"
    assert completion_sentence(row) == (
        "At temperature 1, with nothing cut off, a correct completion of base is typically about "
        "100,000 times less likely from RL."
    )
    cut = {**row, "distribution": "as sampled", "outside": 0.25, "number": 8, "problems": 1}
    assert completion_sentence({**cut, "problems_outside": 0}) == (
        "25 % of base’s 8 correct completions hold a token outside RL’s nucleus, to which its "
        "sampling gives no probability; on 0 of 1 problem all of them do. One of the others is "
        "typically about 100,000 times less likely from RL."
    )
    assert "about 20 times more" in completion_sentence({**row, "log_ratio": 3.01})
    assert "about 3.3e+43 times" in completion_sentence({**row, "log_ratio": 100.2})
    assert completion_sentence({**row, "log_ratio": math.nan}) == ""

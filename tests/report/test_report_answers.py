"""Distinct correct answers beside what identical models would show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import planted_runs
import pytest

from rlvr_fast.metrics import expected_support_shift
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.report.answer_evidence import AnswerEvidence, answer_evidence
from rlvr_fast.report.claims import PAGE_LEVEL
from rlvr_fast.report.sections.answers import SECTION, luck_sentences


def drawn(
    laws: list[np.ndarray], depths: tuple[int, int], rng: np.random.Generator
) -> tuple[Draws, Draws, np.ndarray]:
    """Both models draw from one law a problem; answers that neither drew are left out."""
    problem = np.repeat(np.arange(len(laws)), [law.size for law in laws])
    counts = [
        np.concatenate([rng.multinomial(n, [*law, 1 - law.sum()])[:-1] for law in laws])
        for n in depths
    ]
    seen = counts[0] + counts[1] > 0
    base, rl = (Draws(np.full(seen.sum(), n), c[seen]) for n, c in zip(depths, counts, strict=True))
    return base, rl, problem[seen]


def evidence(base: Draws, rl: Draws, problem: np.ndarray) -> AnswerEvidence:
    everything = np.ones(problem.size, dtype=bool)
    (found,) = answer_evidence(base, rl, problem=problem, masks=[everything], independent=True)
    return found


@pytest.mark.slow
def test_identical_models_on_one_problem_of_200_answers_read_as_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    law = np.concatenate([np.full(200, 1 / 250), np.full(5, 0.04)])
    monkeypatch.setattr(planted_runs, "answer_distributions", lambda rng, **_: (law, law))
    pair = planted_runs.write_pair(
        tmp_path, tasks={"many": 200}, problems_per_task=1, samples=128, scores=False
    )
    report = write_report(compare_runs(*pair), tmp_path / "report")
    found = report.measured(SECTION).evidence[0]
    row = report.tables["answers_seen"].rows[0]
    assert row["srr"] < 0.6  # what the counts alone say
    miss = (1 - 1 / 250) ** 128
    assert row["srr_by_luck"] == pytest.approx(1 - miss, abs=0.06)
    assert row["ndr_by_luck"] == pytest.approx(miss, abs=0.06)
    assert min(row["p_shrunk"], row["p_expanded"]) == 1
    assert row["srr_low"] < 0.05  # one problem says next to nothing of others
    assert row["srr_high"] > 0.95
    sentences = luck_sentences(report.comparison, found)
    assert "At 128 draws of each model, two identical models would show an SRR of " in sentences[0]
    assert f"{row['srr_by_luck']:.3f}" in sentences[0]
    assert [s for s in sentences if s.startswith("More answers")] == []
    assert report.page is not None
    page = report.page.read_text("utf-8")
    assert all(sentence in page for sentence in sentences)
    assert report.summary()["answers"]["srr_by_luck"] == row["srr_by_luck"]


def test_counts_are_those_at_the_common_depth() -> None:
    rng = np.random.default_rng(5)
    laws = [rng.dirichlet(np.full(30, 0.5)) * 0.6 for _ in range(40)]
    base, rl, problem = drawn(laws, (256, 32), rng)
    found = evidence(base, rl, problem)
    want = expected_support_shift(base, rl, k=32)
    assert found.shift.shrunk == pytest.approx(want.shrunk)
    # identical models: the counts at one depth agree with the null, those with all draws do not
    assert found.shift.srr == pytest.approx(found.null.srr_at_depth, abs=0.03)
    assert found.shift.ndr == pytest.approx(found.null.ndr_at_depth, abs=0.03)
    raw = int(((base.num_correct > 0) & (rl.num_correct == 0)).sum())
    assert raw > 1.5 * want.shrunk
    assert found.interval is not None
    assert found.interval.srr.low < found.shift.srr < found.interval.srr.high
    assert min(found.p_shrunk, found.p_expanded) > PAGE_LEVEL


def test_answers_proven_one_by_one() -> None:
    rng = np.random.default_rng(6)
    laws = [np.full(60, 0.9 / 60) for _ in range(3)]
    base, rl, problem = drawn(laws, (64, 64), rng)
    gone = Draws([64, *base.num_samples], [40, *base.num_correct])
    still = Draws([64, *rl.num_samples], [0, *rl.num_correct])
    found = evidence(gone, still, np.array([9, *problem]))
    # the loss of one answer is certain, though the number lost is that of identical models
    assert found.p_shrunk > PAGE_LEVEL
    assert (found.lost_singly, found.found_singly) == (1, 0)
    mirrored = evidence(still, gone, np.array([9, *problem]))
    assert (mirrored.lost_singly, mirrored.found_singly) == (0, 1)


def test_draws_that_repeat_allow_no_test() -> None:
    problem = np.zeros(30, dtype=np.int64)
    base, rl = Draws(np.full(30, 64), np.full(30, 2)), Draws(np.full(30, 64), np.zeros(30))
    everything = np.ones(30, dtype=bool)
    (found,) = answer_evidence(base, rl, problem=problem, masks=[everything], independent=False)
    assert np.isnan(found.p_shrunk)
    assert found.lost_singly == 0


@pytest.mark.slow
def test_identical_models_give_no_claim_though_answers_share_draws() -> None:
    rng = np.random.default_rng(7)
    claims = []
    for i in range(300):
        laws = [
            rng.dirichlet(np.full(int(rng.integers(1, 120)), 0.3)) * rng.uniform(0.1, 1)
            for _ in range(int(rng.integers(1, 12)))
        ]
        depths = ((64, 64), (256, 32), (32, 256))[i % 3]
        found = evidence(*drawn(laws, depths, rng))
        claims.append(
            min(found.p_shrunk, found.p_expanded) <= PAGE_LEVEL
            or found.lost_singly + found.found_singly > 0
        )
    assert np.mean(claims) <= 0.02

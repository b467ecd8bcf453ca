"""What a page may claim: families of tests, invariants on random counts, refused sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from light import light_comparison

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import Estimate
from rlvr_fast.report.claims import FAMILIES, PAGE_LEVEL, SHARES, adjusted
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.evidence import Evidence, gather
from rlvr_fast.report.facts import percent
from rlvr_fast.report.sentences import (
    DEPENDENT,
    interval_text,
    luck_sentences,
    proven_sentences,
    share_sentences,
    verifier_sentence,
)

CLAIM = "is more than luck"
DEPTHS = ((256, 256), (256, 32), (32, 256), (4, 4), (1, 1), (7, 2))


def sentences(comparison: Comparison, evidence: Evidence) -> list[str]:
    return [
        text
        for group, found in zip(comparison.groups, evidence.groups, strict=True)
        for make in (share_sentences, luck_sentences, proven_sentences)
        for text in make(comparison, group, found)
    ]


def any_claim(comparison: Comparison, evidence: Evidence) -> bool:
    return bool(
        any(CLAIM in text for text in sentences(comparison, evidence))
        or any(p <= PAGE_LEVEL for group in evidence.groups for p in group.adjusted.values())
        or (evidence.problem_p <= PAGE_LEVEL).any()
        or evidence.tests.discovery.any()
    )


def test_the_families_share_the_error_rate_of_the_page() -> None:
    assert sum(SHARES.values()) == pytest.approx(PAGE_LEVEL)
    for family in FAMILIES:
        # one test alone claims at its family's share, two at half of it
        level = SHARES[family]
        assert adjusted([level], family)[0] == pytest.approx(PAGE_LEVEL)
        assert adjusted([level / 2, 1.0], family)[0] == pytest.approx(PAGE_LEVEL)
        assert adjusted([level, 1.0], family)[0] > PAGE_LEVEL
        assert np.isnan(adjusted([np.nan, level], family)[0])
        assert adjusted([np.nan, level], family)[1] == pytest.approx(PAGE_LEVEL)
    with pytest.raises(InvalidInputError, match="family is 'all', expected one of overall"):
        adjusted([0.1], "all")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        adjusted([1.1], "overall")


@pytest.mark.parametrize("seed", range(6))
def test_identical_counts_give_no_claim_and_values_lie_in_their_intervals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for base_depth, rl_depth in DEPTHS:
        total = int(rng.integers(1, 40))
        p = rng.choice([0.0, 1.0, 0.5, 0.01, rng.random()], total)
        tasks = rng.integers(0, rng.integers(1, 6), total)
        base, rl = ((np.full(total, n), rng.binomial(n, p)) for n in (base_depth, rl_depth))
        same = light_comparison(base, base, tasks=tasks)
        assert not any_claim(same, gather(same))
        comparison = light_comparison(base, rl, tasks=tasks)
        evidence = gather(comparison)
        for group, found in zip(comparison.groups, evidence.groups, strict=True):
            counts = comparison.counts(group, "seen")
            assert found.interval is not None
            for name in ("srr", "ndr", "sds", "nscr"):
                value, interval = getattr(counts, name), getattr(found.interval, name)
                if np.isfinite(value):
                    assert value == pytest.approx(interval.value)
                    assert interval.low - 1e-9 <= value <= interval.high + 1e-9
            for name in ("preserved", "shrunk", "expanded", "out"):
                share, interval = (
                    getattr(counts, name) / group.members.size,
                    getattr(found.interval, name),
                )
                assert interval.low - 1e-9 <= share <= interval.high + 1e-9


def test_a_fall_from_half_to_nothing_is_proven_though_the_number_lost_is_not() -> None:
    """Nine lost, as luck shows; one of them fell from 256 of 512 to none."""
    base = [256] + [1] * 8 + [30] * 100 + [0] * 91
    rl = [0] * 9 + [30] * 100 + [1] * 5 + [0] * 86
    comparison = light_comparison((512, base), (512, rl))
    evidence = gather(comparison)
    overall = comparison.groups[0], evidence.groups[0]
    assert "The number lost, 9, is not shown to be more" in luck_sentences(comparison, *overall)[2]
    lost, found = proven_sentences(comparison, *overall)
    assert "Of the 9 problems lost, 1 is proven by its own draws" in lost
    assert "p0 (256 of 512 → 0 of 512)" in lost
    assert "Of none of the 5 found is it proven that its accuracy rose" in found


def test_a_mere_tilt_is_named_as_the_explanation_of_found_problems() -> None:
    rng = np.random.default_rng(3)
    p = np.exp(rng.normal(-6.5, 1.0, 800)).clip(0, 1)
    tilted = p * np.e**2.5 / (1 - p + p * np.e**2.5)
    comparison = light_comparison((256, rng.binomial(256, p)), (256, rng.binomial(256, tilted)))
    found = gather(comparison).groups[0]
    assert found.adjusted["expanded"] < 1e-3
    said = luck_sentences(comparison, comparison.groups[0], found)
    assert CLAIM not in " ".join(said)
    assert "larger than two equal models show (adjusted p < 0.001), but not shown" in said[-2]
    assert "one common change of its odds" in said[1]
    assert not any("β" in text for text in said)  # the section on reweighting fits another
    assert re.search(r"accepts 0\.\d+ % of RL’s wrong draws would by itself show", said[-1])


def test_lost_problems_under_a_rise_of_accuracy_are_more_than_luck_and_tilt() -> None:
    base, rl = [40] * 30 + [20] * 100, [0] * 30 + [55] * 100
    comparison = light_comparison((64, base), (64, rl))
    found = gather(comparison).groups[0]
    # no verifier that accepts every wrong draw is offered as an explanation
    assert CLAIM in luck_sentences(comparison, comparison.groups[0], found)[-1]
    text = verifier_sentence(comparison, found)
    assert "at 100 % of the base’s wrong draws it would show 30 lost" in text


def test_sentences_and_tests_are_refused_where_draws_repeat() -> None:
    comparison = light_comparison(([256] * 60, [256, 0] * 30), ([256] * 60, [0, 256] * 30),
                                  tasks=[0, 1] * 30, repeated="seeds")  # fmt: skip
    evidence = gather(comparison)
    assert not any_claim(comparison, evidence)
    assert np.isnan(evidence.tests.p_value).all()
    assert sentences(comparison, evidence) == [DEPENDENT] * len(comparison.groups)
    assert verifier_sentence(comparison, evidence.groups[0]) == ""
    assert all(np.isnan(p) for group in evidence.groups for p in group.p.values())


def test_small_shares_do_not_round_to_nothing() -> None:
    said = [percent(x) for x in (0, 1e-9, 0.0004, 0.003, 0.0094, 0.0096, 0.52, 0.994, 0.9999, 1)]
    assert said == [
        "0 %", "below 0.1 %", "below 0.1 %", "0.3 %", "0.9 %", "1 %", "52 %", "99.4 %",
        "above 99.9 %", "100 %",
    ]  # fmt: skip
    assert percent(float("nan")) == "–"
    assert interval_text(Estimate(0.52, 0.37, 0.67)) == "52 % (37 to 67 %)"
    assert interval_text(Estimate(0.0, 0.0, 0.0002)) == "0 % (0 to below 0.1 %)"
    assert interval_text(Estimate(0.5, 0.5, 0.5)) == "50 %"

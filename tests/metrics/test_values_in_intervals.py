"""Every number with limits lies within them, for any counts; equal counts give no small p-value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from rlvr_fast import metrics as m

SLACK = 1e-9
VALUES = ("value", "beta", "k")


def random_pair(rng: np.random.Generator) -> tuple[m.Draws, m.Draws]:
    """Counts of two models: ragged, tiny or equal depth; heavy tails; 1 to 30 problems."""
    problems = int(rng.choice([1, 2, 3, 10, 30]))
    depths = [[16], [256], [0, 1, 2], [1], [4, 64, 1024], [2, 2, 128]][rng.integers(6)]
    law = [(0.15, 1.0), (0.05, 0.05), (1.0, 1.0)][rng.integers(3)]
    pair = []
    for scale in (1.0, rng.choice([0.0, 0.3, 1.0])):
        n = rng.choice(depths, problems)
        pair.append(m.Draws(n, rng.binomial(n, scale * rng.beta(*law, problems))))
    return pair[0], pair[1]


def limited(found: Any, name: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Every (name, low, value, high) within a result, however nested."""
    named = hasattr(found, "_asdict")
    if isinstance(found, (list, tuple)) and not named:
        for i, item in enumerate(found):
            yield from limited(item, f"{name}[{i}]")
    elif named or is_dataclass(found):
        keys = found._fields if named else [field.name for field in fields(found)]
        values = {key: getattr(found, key) for key in keys}
        word = next((word for word in VALUES if word in values), None)
        if "low" in values and word:
            yield name, values["low"], values[word], values.get("high", math.inf)
        for key, value in values.items():
            if key.endswith("_low"):
                stem = key[: -len("_low")]
                yield f"{name}.{stem}", value, values[f"{stem}_beta"], values[f"{stem}_high"]
            else:
                yield from limited(value, f"{name}.{key}")


def outside(found: Any, name: str) -> list[str]:
    wrong = []
    for place, *numbers in limited(found, name):
        low, value, high = (
            np.asarray(math.nan if number is None else number, dtype=np.float64)
            for number in numbers
        )
        for a, b in ((low, value), (value, high), (low, high)):
            known = ~(np.isnan(a) | np.isnan(b))
            if (np.where(known, a, 0) > np.where(known, b, 0) + SLACK).any():
                wrong.append(f"{place}: {low} {value} {high}")
                break
    return wrong


def of_one_model(draws: m.Draws, rng: np.random.Generator) -> dict[str, Any]:
    n, c = draws
    ks = [1, 2, int(max(n.max(), 1))]
    drawn = n > 0
    found: dict[str, Any] = {
        "pass_at_k_interval": m.pass_at_k_interval(n, c, k=ks, replicates=100),
        "support_ceiling": m.support_ceiling(n, c),
    }
    for name in ("clopper_pearson", "beta_interval"):
        interval = getattr(m, name)(n[drawn], c[drawn])
        found[name] = m.CurveInterval(
            c[drawn], c[drawn] / n[drawn], interval.low, interval.high, c[drawn]
        )
    if drawn.any():
        counts = rng.multinomial(int(n.max()), rng.dirichlet(np.full(8, 0.4)))
        found |= {"good_turing": m.good_turing(counts), "chao1": m.chao1(counts)}
    bounds = m.pass_at_k_bounds(n, c, num_undecided=np.minimum(n - c, 1), k=1)
    found["pass_at_k_bounds"] = m.CurveInterval(n, m.pass_at_k(n, c, 1), bounds.low, bounds.high, n)
    return found


def of_two_models(base: m.Draws, rl: m.Draws, rng: np.random.Generator) -> dict[str, Any]:
    common = np.minimum(base.num_samples, rl.num_samples)
    depth = int(max(common.max(), 1))
    groups = rng.integers(0, 3, base.problems)
    found: dict[str, Any] = {"fit_tilt": m.fit_tilt(base, rl), "tilt_null": m.tilt_null(base, rl)}
    if not common.any():
        return found
    for words, given in (("", None), (" with groups", groups)):
        found[f"pass_at_k_difference{words}"] = m.pass_at_k_difference(
            base, rl, k=[1, depth], groups=given, replicates=100
        )
        found[f"support_interval{words}"] = m.support_interval(
            base, rl, groups=given, replicates=100
        )
        found[f"support_interval{words}, k = 2"] = m.support_interval(
            base, rl, k=min(2, depth), groups=given, replicates=100
        )
    found["crossover"] = m.crossover(base, rl, replicates=100)
    shift = m.support_shift(base, rl)
    bounds = m.support_shift_bounds(base, rl, base_undecided=0, rl_undecided=0)
    for name in ("srr", "ndr", "sds", "nscr"):
        low, high = getattr(bounds, name)
        found[f"support_shift_bounds {name}"] = m.Estimate(getattr(shift, name), low, high)
    counts = (shift.preserved, shift.expanded, shift.shrunk, shift.out)
    found["ratio_interval"] = m.ratio_interval(*counts, replicates=100)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_value_lies_within_its_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looked = 0
    for _ in range(12):
        base, rl = random_pair(rng)
        results = of_one_model(base, rng) | of_two_models(base, rl, rng)
        for name, found in results.items():
            looked += len(list(limited(found, name)))
            assert outside(found, name) == [], (base, rl)
    assert looked > 12 * 5


@pytest.mark.parametrize("seed", range(3))
def test_equal_counts_give_no_small_p_value(seed: int) -> None:
    """The same counts of both models: no test rejects, and each interval of a change holds none."""
    rng = np.random.default_rng(seed)
    for _ in range(12):
        base, _ = random_pair(rng)
        null, tests, tilt = (
            m.exchange_null(base, base),
            m.fisher_tests(base, base),
            m.tilt_null(base, base),
        )
        p_values = [
            null.p_expanded,
            null.p_shrunk,
            null.p_discordant,
            m.discordance_test(base, base),
            tilt.p_expanded,
            tilt.p_shrunk,
            *np.ravel(tests.p_value),
            *(p for at in m.reached_at_least(base, base) for p in (at.p_expanded, at.p_shrunk)),
        ]
        assert all(math.isnan(p) or p > 0.05 for p in p_values), base
        assert not tests.discovery.any()
        gap = m.pass_at_k_difference(base, base, k=[1, 2], replicates=100)
        known = ~np.isnan(gap.value)
        assert (gap.low[known] <= 0).all()
        assert (gap.high[known] >= 0).all()
        shift = m.support_shift(base, base)
        assert (shift.expanded, shift.shrunk) == (0, 0)


def test_the_walk_finds_a_value_outside() -> None:
    assert outside(m.Estimate(0.5, 0.6, 0.7), "one") == ["one: 0.6 0.5 0.7"]
    curve = m.CurveInterval(*(np.array([x]) for x in (1, 0.5, 0.1, 0.4, 3)))
    assert len(outside([curve], "curve")) == 1

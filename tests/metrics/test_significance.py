"""Exact tests against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, fisher_exact

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    discordance_test,
    fisher_tests,
    holm,
    sign_test,
)


def test_sign_test_is_binomial() -> None:
    assert sign_test(expanded=0, shrunk=0) == 1
    assert sign_test(expanded=0, shrunk=5) == pytest.approx(2 / 32)
    assert sign_test(expanded=7, shrunk=3) == binomtest(7, 10).pvalue


def test_fisher_and_benjamini_hochberg_equal_scipy() -> None:
    rng = np.random.default_rng(0)
    bn = rng.integers(1, 60, 120)
    rn = rng.integers(1, 60, 120)
    bc, rc = rng.binomial(bn, 0.3), rng.binomial(rn, 0.5)
    tests = fisher_tests((bn, bc), (rn, rc))
    want = [
        fisher_exact([[a, b - a], [c, d - c]])[1] for a, b, c, d in zip(bc, bn, rc, rn, strict=True)
    ]
    np.testing.assert_allclose(tests.p_value, want, rtol=1e-8)
    np.testing.assert_allclose(tests.q_value, false_discovery_control(want), rtol=1e-8)
    assert 0 < tests.discovery.sum() < 120
    np.testing.assert_array_equal(tests.direction, np.sign(rc / rn - bc / bn))
    assert fisher_tests(([], []), ([], [])).p_value.shape == (0,)
    deep = fisher_tests((16384, [0]), (16384, [30]))
    assert deep.p_value[0] == pytest.approx(fisher_exact([[0, 16384], [30, 16354]])[1], rel=1e-6)


@pytest.mark.parametrize("problems", [1, 30, 400])
def test_discordance_test_is_the_sign_test_at_equal_depth(problems: int) -> None:
    rng = np.random.default_rng(problems)
    n = rng.integers(1, 500, problems)
    bc, rc = rng.binomial(n, 0.7 / n), rng.binomial(n, 0.4 / n)
    found, lost = (int(np.count_nonzero(a)) for a in ((bc == 0) & (rc > 0), (bc > 0) & (rc == 0)))
    got = discordance_test((n, bc), (n, rc))
    assert got == pytest.approx(sign_test(expanded=found, shrunk=lost), abs=1e-12)


def test_discordance_test_is_the_conditional_law() -> None:
    # problem 0: expanded with e/(e + s), e = C(4, 2)/C(6, 2), s = C(2, 2)/C(6, 2); problem 1 alike
    base, rl = ([2, 3], [0, 1]), ([4, 1], [2, 0])
    chance = np.array([6 / 7, 1 / 4])
    pmf = [
        (1 - chance).prod(),
        chance[0] * (1 - chance[1]) + chance[1] * (1 - chance[0]),
        chance.prod(),
    ]
    assert discordance_test(base, rl) == pytest.approx(sum(p for p in pmf if p <= pmf[1]))
    assert discordance_test((4, [0, 3]), (9, [0, 2])) == 1
    assert discordance_test(([0, 4], [0, 0]), ([4, 0], [1, 0])) == 1
    assert discordance_test(([], []), ([], [])) == 1


@pytest.mark.slow
@pytest.mark.parametrize("depths", [(1024, 128), (256, 32), (32, 256), "ragged", "equal"])
def test_discordance_test_keeps_its_level(depths: tuple[int, int] | str) -> None:
    rng = np.random.default_rng(9)
    at_05, at_01, power = [], [], []
    for i in range(1200):
        if depths == "ragged":
            bn, rn = rng.integers(4, 300, 120), rng.integers(4, 300, 120)
        else:
            first, second = (64, 64) if isinstance(depths, str) else depths
            bn, rn = np.full(120, first), np.full(120, second)
        p = np.exp(rng.normal(np.log(1 / 64), 1.5, 120)).clip(0, 1)
        bc = rng.binomial(bn, p)
        found = discordance_test((bn, bc), (rn, rng.binomial(rn, p)))
        at_05.append(found <= 0.05)
        at_01.append(found <= 0.01)
        if i < 100:
            changed = [rng.binomial(rn, q) for q in (p / 8, np.minimum(8 * p, 1))]
            power.append(min(discordance_test((bn, bc), (rn, rc)) for rc in changed) <= 0.05)
    assert np.mean(at_05) <= 0.055
    assert np.mean(at_01) <= 0.015
    assert np.mean(power) > 0.5


def test_holm_against_its_definition() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(25) ** 4
    order = np.argsort(p)
    want = np.empty(25)
    for rank, i in enumerate(order):
        want[i] = min(1.0, max((25 - j) * p[order[j]] for j in range(rank + 1)))
    np.testing.assert_allclose(holm(p), want)
    np.testing.assert_array_equal(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert holm([]).shape == (0,)
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        holm([0.5, 1.5])


def test_holm_of_fisher_under_equal_models() -> None:
    rng = np.random.default_rng(3)
    any_claim = []
    for _ in range(200):
        p = np.exp(rng.normal(np.log(0.02), 1.5, 60)).clip(0, 1)
        tests = fisher_tests((256, rng.binomial(256, p)), (64, rng.binomial(64, p)))
        any_claim.append((holm(tests.p_value) <= 0.05).any())
    assert np.mean(any_claim) <= 0.05
    lost = fisher_tests((512, [256] + [1] * 8), (512, [0] * 9))
    assert (holm(lost.p_value) <= 0.01).tolist() == [True] + [False] * 8
